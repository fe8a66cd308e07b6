//! What operations do: with wrong inputs, after an interruption, when the remote system is in trouble.

use std::time::Duration;

use cosell_model::{Effect, OperationDescription};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Kit;
use crate::connector::Connection;
use crate::context::CallContext;
use crate::error::{CallError, Meaning};
use crate::stub::{Reply, Seen, Stub};

const KEY: Uuid = Uuid::from_u128(0x1111_1111_2222_4333_8444_5555_5555_5555);

pub(super) async fn check(kit: &mut Kit<'_>) {
    let elsewhere = Stub::start().await;
    for operation in kit.connector.description().operations.clone() {
        check_inputs(kit, &operation).await;
        check_success(kit, &operation).await;
        if !kit.is_local {
            check_faults(kit, &operation, &elsewhere).await;
        }
        if operation.effect == Effect::Write {
            check_interruption(kit, &operation).await;
            check_prediction(kit, &operation).await;
        }
    }
    kit.expect(elsewhere.requests().is_empty(), "the connector", || {
        format!("requests were made to another host: {}", elsewhere.lines().join(", "))
    });
}

/// Opens a connection anew, so that nothing is remembered, and forgets what the stub has seen.
fn open(kit: &mut Kit<'_>) -> Option<Connection> {
    kit.stub.forget();
    match kit.connector.open(kit.settings.clone()) {
        Ok(connection) => Some(connection),
        Err(error) => {
            kit.expect(false, "settings", || format!("the connection cannot be opened: {error}"));
            None
        }
    }
}

async fn check_inputs(kit: &mut Kit<'_>, operation: &OperationDescription) {
    let Some(connection) = open(kit) else { return };
    let mut wrong = vec![("with an unknown member", with(&operation.example, "no_such_member", json!(1)))];
    let required = operation.input.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        wrong.push(("without a required member", without(&operation.example, name)));
    }
    for (what, input) in wrong {
        let result = connection.call(&operation.name, input.clone(), CallContext::new(KEY, false)).await;
        let rejected = matches!(&result, Err(error) if error.meaning == Meaning::Rejected);
        kit.expect(rejected, &operation.name, || format!("an input {what} is not rejected: {input}"));
        kit.expect(kit.stub.requests().is_empty(), &operation.name, || {
            format!("an input {what} is refused only after a request: {}", kit.stub.lines().join(", "))
        });
    }
}

async fn check_success(kit: &mut Kit<'_>, operation: &OperationDescription) {
    let Some(connection) = open(kit) else { return };
    kit.stub.intercept(|_| None);
    let context = CallContext::new(KEY, false);
    match connection.call(&operation.name, operation.example.clone(), context.clone()).await {
        Ok(output) => check_output(kit, operation, "the output", &output),
        Err(error) => kit.expect(false, &operation.name, || format!("EXAMPLE does not work against the stub: {error}")),
    }
    let (noted, seen) = (context.requests(), kit.stub.requests());
    kit.expect(!kit.is_local || seen.is_empty(), &operation.name, || {
        format!("a connector without a remote system makes a request: {}", kit.stub.lines().join(", "))
    });
    kit.expect(noted.len() == seen.len(), &operation.name, || {
        format!("{} requests were made, but {} noted in the context", seen.len(), noted.len())
    });
    let origin = kit.stub.origin();
    for request in noted {
        kit.expect(request.url.starts_with(&origin), &operation.name, || format!("a request went to {}", request.url));
    }
    if operation.effect == Effect::Read {
        let wrote = seen.iter().find(|seen| writes(seen)).map(Seen::line);
        // A query may be sent by POST; a read that changes something by PUT, PATCH or DELETE is none.
        let wrote = wrote.filter(|line| !line.starts_with("POST "));
        kit.expect(wrote.is_none(), &operation.name, || {
            format!("a read makes the request {}", wrote.unwrap_or_default())
        });
    }
}

fn check_output(kit: &mut Kit<'_>, operation: &OperationDescription, what: &str, output: &Value) {
    let Ok(validator) = jsonschema::validator_for(&operation.output) else { return };
    let wrong: Vec<String> = validator.iter_errors(output).map(|error| error.to_string()).collect();
    kit.expect(wrong.is_empty(), &operation.name, || format!("{what} does not fit its schema: {}", wrong.join("; ")));
}

async fn check_faults(kit: &mut Kit<'_>, operation: &OperationDescription, elsewhere: &Stub) {
    let after = Some(Duration::from_secs(57));
    let refusal = json!({ "error": { "code": "x", "message": "no" } });
    let busy = |status| Reply::json(status, refusal.clone()).header("retry-after", "57");
    let moved = Reply::empty(307).header("location", &format!("{}/moved", elsewhere.origin()));
    let lured = json!({ "value": [], "@odata.nextLink": format!("{}/next", elsewhere.origin()) });
    for (what, reply, expected) in [
        ("429 with Retry-After", busy(429), Some(vec![Meaning::Retry { after }])),
        ("503 with Retry-After", busy(503), Some(vec![Meaning::Retry { after }])),
        ("401", Reply::json(401, refusal.clone()), Some(vec![Meaning::SignIn])),
        ("403", Reply::json(403, refusal.clone()), Some(vec![Meaning::SignIn])),
        ("400", Reply::json(400, refusal.clone()), Some(vec![Meaning::Rejected])),
        ("no answer", Reply::hang_up(), Some(vec![Meaning::Retry { after: None }, Meaning::OutcomeUnknown])),
        ("a redirection elsewhere", moved, Some(vec![Meaning::Rejected])),
        ("a next page elsewhere", Reply::json(200, lured), None),
    ] {
        let reply = reply.clone();
        let Some((error, wrote)) = fail_all(kit, operation, reply).await else { continue };
        let Some(expected) = expected else { continue };
        match error {
            Some(error) => {
                // Where the very first request wrote, it is not known what became of it.
                let unknown = error.meaning == Meaning::OutcomeUnknown;
                let fits = expected.contains(&error.meaning) && (!unknown || wrote);
                kit.expect(fits, &operation.name, || format!("{what} is taken for {:?}", error.meaning));
            }
            None => kit.expect(false, &operation.name, || format!("{what} is taken for success")),
        }
    }
    if operation.effect == Effect::Write {
        for (what, reply, expected) in [
            ("a broken connection", Reply::hang_up(), Meaning::OutcomeUnknown),
            ("429 with Retry-After", busy(429), Meaning::Retry { after }),
        ] {
            let Some(connection) = open(kit) else { return };
            let sent = reply.clone();
            kit.stub.intercept(move |seen| writes(seen).then(|| sent.clone()));
            let result =
                connection.call(&operation.name, operation.example.clone(), CallContext::new(KEY, false)).await;
            kit.stub.intercept(|_| None);
            if !kit.stub.requests().iter().any(writes) {
                kit.expect(false, &operation.name, || "EXAMPLE writes nothing against the stub".to_owned());
                continue;
            }
            let meaning = result.as_ref().err().map(|error| error.meaning);
            kit.expect(meaning == Some(expected), &operation.name, || {
                format!("{what} while writing is taken for {meaning:?}, expected {expected:?}")
            });
        }
    }
}

/// Calls while every answer is this one; gives the error, and whether a write was sent.
async fn fail_all(
    kit: &mut Kit<'_>,
    operation: &OperationDescription,
    reply: Reply,
) -> Option<(Option<CallError>, bool)> {
    let connection = open(kit)?;
    kit.stub.intercept(move |_| Some(reply.clone()));
    let result = connection.call(&operation.name, operation.example.clone(), CallContext::new(KEY, false)).await;
    kit.stub.intercept(|_| None);
    let seen = kit.stub.requests();
    if seen.is_empty() {
        return None;
    }
    let error = result.err();
    if let Some(error) = &error {
        check_secrets(kit, operation, error);
    }
    Some((error, seen.iter().any(writes)))
}

fn check_secrets(kit: &mut Kit<'_>, operation: &OperationDescription, error: &CallError) {
    let shown = format!("{error} {error:?} {}", error.details);
    let mut secrets = vec!["token-1".to_owned()];
    collect_secrets(&kit.settings, "", &mut secrets);
    for secret in secrets {
        kit.expect(!shown.contains(&secret), &operation.name, || format!("an error shows a secret: {error}"));
    }
}

/// The texts in the settings whose names say that they are secret.
fn collect_secrets(settings: &Value, name: &str, secrets: &mut Vec<String>) {
    match settings {
        Value::Object(members) => members.iter().for_each(|(name, value)| collect_secrets(value, name, secrets)),
        Value::Array(items) => items.iter().for_each(|item| collect_secrets(item, name, secrets)),
        Value::String(text) if ["secret", "token", "password", "key"].iter().any(|word| name.contains(word)) => {
            secrets.push(text.clone());
        }
        _ => {}
    }
}

/// A call that may have run before must find out first: it reads, or writes what the remote system knows by its
/// idempotency key, or nothing at all.
async fn check_interruption(kit: &mut Kit<'_>, operation: &OperationDescription) {
    let Some(connection) = open(kit) else { return };
    let _ = connection.call(&operation.name, operation.example.clone(), CallContext::new(KEY, true)).await;
    let seen = kit.stub.requests();
    let asides = kit.asides.clone();
    let first = seen.iter().find(|seen| writes(seen) || !asides.iter().any(|path| seen.target.starts_with(path)));
    let blind = first.filter(|seen| writes(seen) && !carries_key(seen)).map(Seen::line);
    kit.expect(blind.is_none(), &operation.name, || {
        format!("an attempt that may have run is repeated blindly: {}", blind.unwrap_or_default())
    });
}

async fn check_prediction(kit: &mut Kit<'_>, operation: &OperationDescription) {
    let Some(connection) = open(kit) else { return };
    let predicted = connection.predict(&operation.name, operation.example.clone(), CallContext::new(KEY, false)).await;
    match predicted {
        Ok(prediction) => {
            check_output(kit, operation, "the predicted output", &prediction.record);
            let named = prediction.changes.iter().all(|change| !change.record.is_empty() && !change.field.is_empty());
            kit.expect(named, &operation.name, || "a predicted change names no record or no field".to_owned());
        }
        Err(error) => kit.expect(false, &operation.name, || format!("EXAMPLE cannot be predicted: {error}")),
    }
    let wrote = kit.stub.requests().iter().find(|seen| writes(seen)).map(Seen::line);
    kit.expect(wrote.is_none(), &operation.name, || {
        format!("predicting makes the request {}", wrote.unwrap_or_default())
    });
}

fn writes(seen: &Seen) -> bool {
    !matches!(seen.method.as_str(), "GET" | "HEAD" | "OPTIONS")
}

fn carries_key(seen: &Seen) -> bool {
    let key = KEY.to_string();
    seen.target.contains(&key) || seen.body.contains(&key) || seen.headers.iter().any(|(_, value)| value.contains(&key))
}

fn with(example: &Value, name: &str, value: Value) -> Value {
    let mut input = example.clone();
    if let Some(members) = input.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    input
}

fn without(example: &Value, name: &str) -> Value {
    let mut input = example.clone();
    if let Some(members) = input.as_object_mut() {
        members.remove(name);
    }
    input
}
