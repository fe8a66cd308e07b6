//! What the Dataverse connector does with rows, against the stand-in: texts cut to their columns, leads that are closed or
//! qualified, and rows that are deleted.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use cosell_sdk::{CallContext, Connection};
use serde_json::{Value, json};
use support::Stage;

fn connect(stage: &Stage) -> Connection {
    let settings = support::configuration(&stage.addresses)["connections"]["dataverse"].clone();
    cosell_dataverse::connector().open(settings).unwrap()
}

fn call(stage: &Stage, connection: &Connection, operation: &str, input: Value) -> Result<Value, String> {
    let context = CallContext::new(cosell_runtime::memory::idempotency_key("rows", &input.to_string()), false);
    stage.runtime.block_on(connection.call(operation, input, context)).map_err(|error| error.to_string())
}

fn lead(stage: &Stage) -> Value {
    let lead = json!({ "subject": "Cold rooms", "lastname": "Byrne", "estimatedamount": 7000 });
    stage.control("POST", "/crm/rows/leads", &lead)["id"].clone()
}

fn first(stage: &Stage, set: &str, key: &str) -> Value {
    stage.control("GET", &format!("/crm/rows/{set}"), &Value::Null)[0][key].clone()
}

#[test]
fn a_text_is_cut_to_what_dataverse_counts() {
    let stage = Stage::new();
    let dataverse = connect(&stage);
    // The column takes 160 units; the middle of a two-unit character stands at its end.
    let long = format!("{}🙂🙂", "x".repeat(158));
    let input = |cut: Value| json!({ "table": "account", "values": { "name": long }, "cut": cut });
    let refused = call(&stage, &dataverse, "create_row", input(json!([]))).unwrap_err();
    assert!(refused.contains("exceeded the maximum allowed length of '160'"), "{refused}");
    let made = call(&stage, &dataverse, "create_row", input(json!(["name"]))).unwrap();
    assert_eq!(made["name"], format!("{}…", "x".repeat(158)));
    let id = &made["accountid"];
    let whole = "y".repeat(160);
    for (operation, name, expected) in
        [("update_row", &whole, whole.clone()), ("upsert_row", &format!("{whole}z"), format!("{}…", "y".repeat(159)))]
    {
        let input = json!({ "table": "account", "id": id, "values": { "name": name }, "cut": ["name"] });
        assert_eq!(call(&stage, &dataverse, operation, input).unwrap()["row"]["name"], expected, "{operation}");
    }
    let update = json!({ "table": "account", "id": id, "values": { "name": long }, "cut": ["name"] });
    call(&stage, &dataverse, "run_batch", json!({ "writes": [{ "update": update }] })).unwrap();
    let row = call(&stage, &dataverse, "get_row", json!({ "table": "account", "id": id })).unwrap();
    assert_eq!(row["name"], made["name"]);
}

#[test]
fn a_lead_is_disqualified_and_then_read_only() {
    let stage = Stage::new();
    let dataverse = connect(&stage);
    for (status, fits) in [(4, true), (5, true), (6, true), (7, true), (3, false), (1, false)] {
        let id = lead(&stage);
        let update = |values: Value| {
            call(&stage, &dataverse, "update_row", json!({ "table": "lead", "id": id, "values": values }))
        };
        let closed = update(json!({ "statecode": 2, "statuscode": status }));
        assert_eq!(closed.is_ok(), fits, "{status}: {closed:?}");
        let edited = update(json!({ "subject": "Other" }));
        assert_eq!(edited.is_ok(), !fits, "{status}: {edited:?}");
    }
}

#[test]
fn a_lead_is_qualified_for_customers_that_exist() {
    let stage = Stage::new();
    let dataverse = connect(&stage);
    let (account, contact) = (first(&stage, "accounts", "accountid"), first(&stage, "contacts", "contactid"));
    let currency = first(&stage, "transactioncurrencies", "transactioncurrencyid");
    let id = lead(&stage);
    let parents = json!({ "parentaccountid": account, "parentcontactid": contact });
    call(&stage, &dataverse, "update_row", json!({ "table": "lead", "id": id, "values": parents })).unwrap();
    let input = json!({
        "id": id, "create_account": false, "create_contact": false, "customer_account": account, "currency": currency,
    });
    let made = call(&stage, &dataverse, "qualify_lead", input).unwrap();
    assert_eq!((&made["account"], &made["contact"]), (&Value::Null, &Value::Null));
    let row = json!({ "table": "opportunity", "id": made["opportunity"] });
    let deal = call(&stage, &dataverse, "get_row", row).unwrap();
    for (column, id) in [
        ("customerid", &account),
        ("parentaccountid", &account),
        ("parentcontactid", &contact),
        ("transactioncurrencyid", &currency),
        ("originatingleadid", &id),
    ] {
        assert_eq!(&deal[column]["id"], id, "{column}");
    }
    assert_eq!((&deal["name"], &deal["estimatedvalue"]), (&json!("Cold rooms"), &json!(7000.0)));
}

#[test]
fn of_a_deleted_row_only_the_id_is_told() {
    let stage = Stage::new();
    let dataverse = connect(&stage);
    let deal = stage.opportunity(&json!({}));
    let poll = |cursor: Option<Value>| {
        let with = json!({ "table": "msft_partnercentersolution", "select": ["msft_opportunity"] });
        stage.runtime.block_on(dataverse.poll("row_changed", with, cursor)).unwrap()
    };
    let begin = poll(None);
    stage.solution(&deal);
    let saved = poll(Some(begin.cursor));
    let [event] = &saved.events[..] else { panic!("{:?}", saved.events) };
    assert_eq!(
        (&event.payload["change"], &event.payload["row"]["msft_opportunity"]["id"]),
        (&json!("saved"), &json!(deal))
    );
    let id = event.payload["id"].clone();
    call(&stage, &dataverse, "delete_row", json!({ "table": "msft_partnercentersolution", "id": id })).unwrap();
    let gone = poll(Some(saved.cursor));
    let [event] = &gone.events[..] else { panic!("{:?}", gone.events) };
    assert_eq!(
        event.payload,
        json!({ "table": "msft_partnercentersolution", "id": id, "change": "deleted", "row": null })
    );
}
