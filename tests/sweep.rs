//! Connector and stand-in disagree nowhere: every operation, with what it takes, with everything it does not take, and
//! with every fault at every one of its requests. Whatever happens on the way, a write takes effect exactly once.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/operations.rs"]
mod operations;
mod support;

use std::collections::BTreeMap;

use cosell_model::catalogue::Effect;
use cosell_sdk::{CallContext, CallError, Connection, Meaning};
use operations::{connectors, open, ready};
use serde_json::{Value, json};
use support::Stage;

/// Tables whose rows are counted, so that a doubled or lost effect shows.
const TABLES: [&str; 9] = [
    "opportunities",
    "leads",
    "accounts",
    "contacts",
    "opportunitycloses",
    "msft_partnercentersolutions",
    "msft_solutiondetails",
    "serviceendpoints",
    "sdkmessageprocessingsteps",
];

/// How much there is of everything: what an effect that was lost or doubled changes.
fn census(stage: &Stage) -> BTreeMap<String, Value> {
    let mut census: BTreeMap<String, Value> = TABLES
        .iter()
        .map(|table| {
            let rows = stage.control("GET", &format!("/crm/rows/{table}"), &Value::Null);
            let told = |row: &Value| json!([row["name"], row["estimatedvalue"], row["statecode"], row["statuscode"]]);
            ((*table).to_owned(), rows.as_array().unwrap().iter().map(told).collect())
        })
        .collect();
    let told = |referral: &Value| {
        let registered = referral["registrations"].as_array().map_or(0, Vec::len);
        json!([referral["name"], referral["details"]["dealValue"], referral["substatus"], registered])
    };
    census.insert("referrals".to_owned(), stage.referrals().iter().map(told).collect());
    census
}

fn call(
    stage: &Stage,
    connection: &Connection,
    operation: &str,
    input: &Value,
    again: bool,
) -> (Result<Value, CallError>, usize) {
    let context = CallContext::new(cosell_runtime::memory::idempotency_key("sweep", operation), again);
    let result = stage.runtime.block_on(connection.call(operation, input.clone(), context.clone()));
    (result, context.requests().len())
}

/// Calls until it works, as the engine does: again after what may help, and told where an attempt may have taken effect.
fn persist(stage: &Stage, connection: &Connection, operation: &str, input: &Value) -> Result<usize, String> {
    let mut may_have_run = false;
    for attempt in 1..=6 {
        match call(stage, connection, operation, input, may_have_run).0 {
            Ok(_) => return Ok(attempt),
            Err(error) => match error.meaning {
                Meaning::Retry { .. } => {}
                Meaning::OutcomeUnknown => may_have_run = true,
                _ => return Err(format!("attempt {attempt}: {:?} {error}", error.meaning)),
            },
        }
    }
    Err("it never worked".to_owned())
}

#[test]
fn every_operation_works_and_refuses_what_it_does_not_take() {
    let stage = Stage::new();
    for connector in connectors() {
        let connection = open(&stage.addresses, &connector);
        for operation in &connector.description().operations {
            stage.control("POST", "/reset", &json!({}));
            let Some(input) = ready(&stage, &operation.name) else { continue };
            let (result, requests) = call(&stage, &connection, &operation.name, &input, false);
            assert!(result.is_ok(), "{}: {result:?}", operation.name);
            // Metadata that is known already is not asked for again.
            assert!(requests > 0 || operation.name == "get_metadata", "{} asks nobody", operation.name);

            for wrong in wrong_inputs(&operation.input, &input) {
                let (result, requests) = call(&stage, &connection, &operation.name, &wrong, false);
                let error = result.expect_err(&format!("{} takes {wrong}", operation.name));
                assert_eq!((error.meaning, requests), (Meaning::Rejected, 0), "{}: {wrong}: {error}", operation.name);
            }
        }
    }
}

/// Inputs that cannot be right: something unknown, something required left out, something of another type.
fn wrong_inputs(schema: &Value, right: &Value) -> Vec<Value> {
    let mut wrong = Vec::new();
    let with = |key: &str, value: Value| {
        let mut input = right.clone();
        input[key] = value;
        input
    };
    wrong.push(with("no_such_input", json!(1)));
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut input = right.clone();
        input.as_object_mut().unwrap().remove(name);
        wrong.push(input);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        match property["type"].as_str() {
            Some("string") => wrong.push(with(name, json!({ "not": "text" }))),
            Some("object" | "array" | "integer" | "boolean") => wrong.push(with(name, json!("text"))),
            _ => {}
        }
    }
    wrong
}

/// Every fault of the sandbox that one request can meet.
fn faults() -> Vec<(&'static str, Value)> {
    vec![
        ("500", json!({ "status": 500 })),
        ("502", json!({ "status": 502 })),
        ("503", json!({ "status": 503, "retry_after": 1 })),
        ("429", json!("throttle")),
        ("reset before", json!("reset_before")),
        ("reset after", json!("reset_after")),
        ("half a body", json!("half_body")),
        ("not JSON", json!("malformed_json")),
        ("not said to be JSON", json!("wrong_content_type")),
    ]
}

/// Operations that are called on new connections, which know no table yet.
const COLD: [&str; 2] = ["get_row", "create_row"];

/// Meets each request of each operation with each fault.
fn sweep(name: &str) {
    let stage = Stage::new();
    let connector = connectors().into_iter().find(|connector| connector.description().name == name).unwrap();
    let (mut struck, mut failures) = (0, Vec::new());
    for operation in &connector.description().operations {
        stage.control("POST", "/reset", &json!({}));
        stage.control("DELETE", "/faults", &Value::Null);
        let Some(input) = ready(&stage, &operation.name) else { continue };
        let connection = open(&stage.addresses, &connector);
        let (_, cold) = call(&stage, &connection, &operation.name, &input, false);
        let expected = census(&stage);
        stage.control("POST", "/reset", &json!({}));
        let input = ready(&stage, &operation.name).unwrap();
        let (_, warm) = call(&stage, &connection, &operation.name, &input, false);
        // What a connection reads once, such as metadata, is met with faults for one operation only.
        let from_cold = COLD.contains(&operation.name.as_str());
        let requests = if from_cold { cold } else { warm };
        for (fault, action) in faults() {
            for nth in 1..=requests {
                stage.control("POST", "/reset", &json!({}));
                let input = ready(&stage, &operation.name).unwrap();
                let connection = if from_cold { open(&stage.addresses, &connector) } else { connection.clone() };
                let rule = json!([{ "name": fault, "system": name, "nth": [nth], "times": 1, "action": action }]);
                stage.control("PUT", "/faults", &rule);
                let persisted = persist(&stage, &connection, &operation.name, &input);
                stage.control("DELETE", "/faults", &Value::Null);
                struck += 1;
                let place = format!("{} with `{fault}` at request {nth} of {requests}", operation.name);
                match persisted {
                    Err(why) => failures.push(format!("{place}: {why}")),
                    Ok(_) if census(&stage) != expected => {
                        failures.push(format!("{place}: not exactly once\n  {:?}\n  {expected:?}", census(&stage)));
                    }
                    Ok(_) => {}
                }
            }
        }
        assert!(operation.effect == Effect::Write || expected.values().all(Value::is_array));
    }
    assert!(failures.is_empty(), "{} of {struck} went wrong:\n{}", failures.len(), failures.join("\n"));
    assert!(struck > 20, "{struck}");
}

#[test]
fn partner_center_takes_every_fault_and_writes_exactly_once() {
    sweep("partner_center");
}

#[test]
fn partner_center_events_take_every_fault_and_write_exactly_once() {
    sweep("partner_center_events");
}

#[test]
fn dataverse_takes_every_fault_and_writes_exactly_once() {
    sweep("dataverse");
}
