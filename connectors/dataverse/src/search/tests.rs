#![allow(clippy::unwrap_used)]

use cosell_sdk::stub::{Reply, Stub};
use cosell_sdk::{CallContext, Connection, Foreseen, Prediction};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::{API, ID, KEY, SET, open, path, script_columns, script_metadata, stored, writes};

const OTHER: &str = "99999999-2222-4333-8444-555555555555";

/// A dry run against a stub.
struct Dry {
    stub: Stub,
    connection: Connection,
    foreseen: Foreseen,
    key: u128,
}

impl Dry {
    /// Searches are answered so, one after the other; the row with [`ID`] is there.
    async fn begin(answers: Vec<Value>) -> Self {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", SET, answers.into_iter().map(|answer| Reply::json(200, answer)));
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        Self { connection: open(&stub), stub, foreseen: Foreseen::default(), key: 0 }
    }

    fn context(&self) -> CallContext {
        CallContext::new(Uuid::from_u128(self.key), false).foreseeing(self.foreseen.clone())
    }

    async fn write(&mut self, operation: &str, mut input: Value) -> Prediction {
        self.key += 1;
        if operation != "run_batch" {
            input["table"] = json!("opportunity");
        }
        self.connection.predict(operation, input, self.context()).await.unwrap()
    }

    /// What a read gives, and what it remarks.
    async fn read(&self, operation: &str, mut input: Value) -> (Value, Vec<String>) {
        input["table"] = json!("opportunity");
        let context = self.context();
        let answer = self.connection.call(operation, input, context.clone()).await.unwrap();
        (answer, context.remarks())
    }

    async fn names(&self, input: Value) -> Vec<String> {
        let (answer, remarks) = self.read("list_rows", input).await;
        assert_eq!(remarks, [""; 0]);
        let rows = answer["rows"].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap_or("-").to_owned()).collect()
    }

    /// What was asked of the table, as the query.
    fn asked(&self) -> Vec<String> {
        let lines = self.stub.lines().into_iter();
        lines.filter_map(|line| Some(line.strip_prefix(&format!("GET {SET}?"))?.to_owned())).collect()
    }
}

fn rows(rows: Vec<Value>) -> Value {
    json!({ "value": rows })
}

fn named(id: &str, name: &str) -> Value {
    json!({ "@odata.etag": "W/\"1\"", "opportunityid": id, "name": name })
}

fn new(name: &str) -> Value {
    json!({ "values": { "name": name, "customerid": { "account": KEY } } })
}

#[tokio::test]
async fn a_row_that_would_be_new_is_found_as_dataverse_would_find_it() {
    let mut dry = Dry::begin(vec![rows(vec![])]).await;
    let made = dry.write("create_row", new("Grün & Co ")).await;
    for found in [
        json!({ "name": "grün & CO" }),
        json!({ "customerid": KEY.to_uppercase(), "description": null }),
        json!({ "customerid": { "table": "account", "id": KEY }, "statecode": "open" }),
        json!({ "opportunityid": made.record["opportunityid"] }),
    ] {
        let (row, remarks) = dry.read("find_row", json!({ "where": found, "select": ["name"] })).await;
        assert_eq!((&row["name"], &row["opportunityid"]), (&json!("Grün & Co "), &made.record["opportunityid"]));
        assert_eq!((row.get("customerid"), remarks.len()), (None, 0), "{found}");
    }
    for missed in [json!({ "name": "grün" }), json!({ "customerid": ID }), json!({ "statecode": "Won" })] {
        assert_eq!(dry.read("find_row", json!({ "where": missed })).await, (Value::Null, vec![]), "{missed}");
    }
    assert!(writes(&dry.stub).is_empty());
}

#[tokio::test]
async fn rows_that_would_be_gone_or_otherwise_leave_their_place_to_others() {
    for (operation, input, left) in [
        ("delete_row", json!({ "id": ID }), 1),
        ("update_row", json!({ "id": ID, "values": { "name": "Renamed" } }), 1),
        ("update_row", json!({ "id": ID, "values": { "description": "Deal" } }), 2),
    ] {
        let mut first = stored();
        first["createdon"] = json!("2026-11-02T08:00:00Z");
        let both = || {
            let mut second = named(OTHER, "Deal");
            second["createdon"] = json!("2026-11-03T08:00:00Z");
            json!({ "value": [first.clone(), second], "@odata.count": 2 })
        };
        let mut dry = Dry::begin(vec![rows(vec![first.clone()]), both(), both()]).await;
        dry.stub.intercept({
            let (row, path) = (first.clone(), path(ID));
            move |seen| (seen.target == path).then(|| Reply::json(200, row.clone()))
        });
        dry.write(operation, input.clone()).await;
        let (found, _) = dry.read("find_row", json!({ "where": { "name": "Deal" } })).await;
        let first = if left == 1 { OTHER } else { ID };
        assert_eq!((&found["opportunityid"], &found["name"]), (&json!(first), &json!("Deal")), "{operation} {input}");
        assert_eq!(dry.asked().iter().filter(|query| query.ends_with("$top=2")).count(), 1);
        let all = json!({ "where": { "name": "Deal" }, "count": true });
        let (listed, _) = dry.read("list_rows", all).await;
        assert_eq!((listed["rows"].as_array().unwrap().len(), &listed["count"]), (left, &json!(left)), "{operation}");
    }
}

#[tokio::test]
async fn what_is_shown_of_a_changed_row_is_how_it_would_be() {
    let mut dry = Dry::begin(vec![rows(vec![stored()])]).await;
    dry.write("update_row", json!({ "id": ID, "values": { "customerid": { "contact": KEY }, "estimatedvalue": 7 } }))
        .await;
    let (listed, _) = dry.read("list_rows", json!({ "filter": "estimatedvalue lt 10" })).await;
    let row = &listed["rows"][0];
    let contact = json!({ "id": KEY, "table": "contact", "name": null });
    assert_eq!((&row["estimatedvalue"], &row["customerid"], &row["name"]), (&json!(7), &contact, &json!("Deal")));
}

#[tokio::test]
async fn new_rows_stand_where_the_order_puts_them() {
    let up = || rows(vec![named(KEY, "b"), named(OTHER, "d")]);
    let down = || rows(vec![named(OTHER, "d"), named(KEY, "b")]);
    let mut dry = Dry::begin(vec![up(), down(), up(), down(), up()]).await;
    for name in ["c", "A", "e"] {
        dry.write("create_row", json!({ "values": { "name": name } })).await;
    }
    assert_eq!(dry.names(json!({ "order_by": "name" })).await, ["A", "b", "c", "d", "e"]);
    assert_eq!(dry.names(json!({ "order_by": "name desc", "top": 2 })).await, ["e", "d"]);
    assert_eq!(dry.names(json!({ "order_by": "createdon" })).await, ["b", "d", "c", "A", "e"]);
    assert_eq!(dry.names(json!({ "order_by": "createdon desc" })).await, ["e", "A", "c", "d", "b"]);
    assert_eq!(dry.names(json!({})).await, ["b", "d", "c", "A", "e"]);
    dry.stub.forget();
    let (listed, _) = dry.read("list_rows", json!({ "order_by": "name", "select": ["description"] })).await;
    assert_eq!(dry.asked(), ["$select=description%2Cname&$orderby=name"], "read to compare by it");
    let ids: Vec<_> = listed["rows"].as_array().unwrap().iter().map(|row| row["opportunityid"].clone()).collect();
    assert_eq!((&ids[1], &ids[3]), (&json!(KEY), &json!(OTHER)));
    assert!(!listed.to_string().contains("\"name\""), "{listed}");
}

#[tokio::test]
async fn what_cannot_be_judged_is_remarked_and_left_as_it_is() {
    let mut dry = Dry::begin(vec![rows(vec![stored()])]).await;
    for known in [json!({ "filter": "createdon gt 2026-01-01" }), json!({ "apply": "aggregate($count as total)" })] {
        assert_eq!(dry.read("list_rows", known).await.1, [""; 0], "nothing is foreseen");
    }
    dry.write("create_row", new("New")).await;
    dry.write("update_row", json!({ "id": ID, "values": { "name": "Renamed" } })).await;
    for (input, why) in [
        (
            json!({ "filter": "Microsoft.Dynamics.CRM.Today(PropertyName='createdon')" }),
            "`Microsoft.Dynamics.CRM.Today(…)`",
        ),
        (json!({ "filter": "customerid_account/name eq 'x'" }), "not a column of the table itself"),
        (json!({ "filter": "name eq 'x" }), "cannot be read"),
        (json!({ "apply": "aggregate($count as total)" }), "`apply`"),
        (json!({ "order_by": "customerid" }), "where it stands by `_customerid_value`"),
        (json!({ "expand": "customerid_account($select=name)" }), "read along"),
    ] {
        let (listed, remarks) = dry.read("list_rows", input.clone()).await;
        assert!(remarks[0].contains(why) && remarks[0].contains(&format!("opportunities({ID})")), "{remarks:?}");
        let is_changed = input.get("apply").is_none();
        assert_eq!(listed["rows"][0]["name"], if is_changed { "Renamed" } else { "Deal" }, "{input}");
    }
    let (listed, remarks) = dry.read("list_rows", json!({ "filter": "createdon gt 2026-01-01" })).await;
    assert_eq!((listed["rows"].as_array().unwrap().len(), remarks.len()), (1, 1));
    assert!(remarks[0].starts_with("What is foreseen of opportunities(00000000-"), "{remarks:?}");
    let decided = json!({ "filter": "createdon gt 2026-01-01 and name eq 'x'" });
    assert_eq!(dry.read("list_rows", decided).await, (json!({ "rows": [], "count": null }), vec![]));
    let fetch = json!({ "xml": "<fetch><entity name='opportunity'/></fetch>" });
    assert!(dry.read("fetch_rows", fetch).await.1[0].contains("FetchXML"));
}

#[tokio::test]
async fn of_an_account_that_a_lead_becomes_only_where_it_comes_from_is_known() {
    let dry = Dry::begin(vec![]).await;
    script_columns(&dry.stub, "account", &[("accountid", "Uniqueidentifier"), ("name", "String")]);
    dry.stub.on("GET", &format!("{API}/accounts"), [Reply::json(200, rows(vec![]))]);
    dry.stub.on("GET", &format!("{API}/leads({ID})"), [Reply::json(200, json!({ "leadid": ID, "statecode": 0 }))]);
    let input = json!({ "id": ID, "create_contact": false, "create_opportunity": false });
    let made = dry.connection.predict("qualify_lead", input, dry.context()).await.unwrap().record["account"].clone();
    let find = async |found: Value| {
        let context = dry.context();
        let input = json!({ "table": "account", "where": found });
        let row = dry.connection.call("find_row", input, context.clone()).await.unwrap();
        (row["accountid"].clone(), context.remarks().len())
    };
    assert_eq!(find(json!({ "accountid": made })).await, (made, 0));
    assert_eq!(find(json!({ "name": "Contoso" })).await, (Value::Null, 1));
    assert_eq!(find(json!({ "name": "Contoso", "accountid": KEY })).await, (Value::Null, 0));
}

#[tokio::test]
async fn an_alternate_key_names_a_row_that_would_be_new() {
    let mut dry = Dry::begin(vec![]).await;
    let by_key = |name: &str| format!("{API}/opportunities(name='{name}')");
    dry.stub.on("GET", &by_key("New"), [Reply::empty(404)]);
    dry.stub.on("GET", &by_key("Deal"), [Reply::json(200, stored())]);
    let upsert = |value: u32| json!({ "key": { "name": "New" }, "values": { "estimatedvalue": value } });
    let made = dry.write("upsert_row", upsert(1)).await;
    let again = dry.write("upsert_row", upsert(2)).await;
    assert_eq!((&made.record["created"], &again.record["created"]), (&json!(true), &json!(false)));
    assert_eq!((again.changes.len(), &again.changes[0].old), (1, &json!(1)));
    let all = json!({ "rows": [{ "key": { "name": "new" }, "values": { "estimatedvalue": 3 } }] });
    dry.stub.on("GET", &by_key("new"), [Reply::empty(404)]);
    let bulk = dry.write("upsert_rows", all).await;
    assert_eq!((bulk.changes.len(), &bulk.changes[0].record), (1, &made.changes[0].record));
    let (row, _) = dry.read("get_row", json!({ "key": { "name": "New" }, "select": ["estimatedvalue"] })).await;
    assert_eq!((&row["estimatedvalue"], &row["opportunityid"]), (&json!(3), &made.record["row"]["opportunityid"]));

    dry.write("update_row", json!({ "id": ID, "values": { "name": "Renamed" } })).await;
    let by_old_name =
        dry.connection.call("get_row", json!({ "table": "opportunity", "key": { "name": "Deal" } }), dry.context());
    assert_eq!(by_old_name.await.unwrap_err().code, "0x80040217");
}

#[tokio::test]
async fn rows_of_a_batch_begin_open_and_are_associated_once() {
    let mut dry = Dry::begin(vec![rows(vec![])]).await;
    let create = json!({ "writes": [{ "create": { "table": "opportunity", "values": { "name": "New" } } }] });
    let made = dry.write("run_batch", create).await;
    let (found, remarks) = dry.read("find_row", json!({ "where": { "statecode": "Open" } })).await;
    assert_eq!((&found["opportunityid"], remarks.len()), (&made.record["ids"][0], 0));
    let relation =
        json!({ "id": made.record["ids"][0], "relationship": "contacts", "to_table": "contact", "to_id": KEY });
    for (operation, changed) in
        [("associate_rows", true), ("associate_rows", false), ("disassociate_rows", true), ("disassociate_rows", false)]
    {
        let told = dry.write(operation, relation.clone()).await;
        assert_eq!(told.record["changed"], changed, "{operation}");
    }
}
