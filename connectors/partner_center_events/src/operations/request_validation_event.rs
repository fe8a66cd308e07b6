use std::time::Duration;

use cosell_sdk::{CallContext, CallError, Change, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::connection::PartnerCenterEvents;
use crate::registration::member;

/// The event that a validation sends.
const TEST: &str = "test-created";
/// How long to wait between two looks at the status.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// Whether to wait for the delivery.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestValidationEventInput {
    /// How many seconds to wait at most until the delivery is completed, up to 300; 0 looks once.
    #[serde(default = "default_wait")]
    #[schemars(range(max = 300))]
    pub wait: u16,
}

fn default_wait() -> u16 {
    60
}

/// How the delivery went.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Validation {
    /// Identifier of the validation.
    pub correlation_id: String,
    /// Whether the delivery was completed in time.
    pub completed: bool,
    /// The status in Partner Center's own word, such as `completed`; null where it is not known yet.
    pub status: Option<String>,
    /// The address called.
    pub url: Option<String>,
    /// The attempts so far.
    pub attempts: Vec<Attempt>,
}

/// One attempt to deliver.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Attempt {
    /// What the address answered, such as `OK`.
    pub response_code: Option<String>,
    /// Partner Center's message about it.
    pub message: Option<String>,
    /// When.
    pub at: Option<String>,
}

/// Has a test event sent to the registered address.
#[derive(Debug)]
pub struct RequestValidationEvent;

impl Operation for RequestValidationEvent {
    type Connection = PartnerCenterEvents;
    type Input = RequestValidationEventInput;
    type Output = Validation;

    const NAME: &'static str = "request_validation_event";
    const TITLE: &'static str = "Have a test event sent";
    const DESCRIPTION: &'static str = "Has Partner Center send a test event to the registered address, and tells how the delivery went. The registration must include test-created; no more than two a minute are sent.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{ "wait": 60 }"#;

    async fn call(
        connection: &PartnerCenterEvents,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Validation, CallError> {
        registered_url(connection, &input, context).await?;
        let correlation_id = connection.request_validation(context).await?;
        let until = Instant::now() + Duration::from_secs(input.wait.into());
        loop {
            // The event has been asked for: what goes wrong from here on must not have it sent again.
            let found = connection.validation(&correlation_id, context).await.map_err(CallError::after_write)?;
            let validation = read(&correlation_id, &found);
            if validation.completed || Instant::now() + LOOK_AGAIN_AFTER > until {
                return Ok(validation);
            }
            sleep(LOOK_AGAIN_AFTER).await;
        }
    }
}

impl Write for RequestValidationEvent {
    const FINDS_OUT: &'static str = "It does not need to: another test event does no harm, so one more is asked for.";

    async fn predict(
        connection: &PartnerCenterEvents,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<Validation>, CallError> {
        let url = registered_url(connection, &input, context).await?;
        let change = Change {
            record: format!("address {url}"),
            field: "*".to_owned(),
            old: Value::Null,
            new: json!({ "event": TEST }),
        };
        let record = Validation {
            correlation_id: context.idempotency_key.to_string(),
            completed: true,
            status: Some("completed".to_owned()),
            url: Some(url),
            attempts: Vec::new(),
        };
        Ok(Prediction { record, changes: vec![change] })
    }
}

/// The registered address, which must take test events.
async fn registered_url(
    connection: &PartnerCenterEvents,
    input: &RequestValidationEventInput,
    context: &CallContext,
) -> Result<String, CallError> {
    if input.wait > 300 {
        return Err(CallError::rejected(
            "wrong_wait",
            format!("`wait` is {} seconds; expected 300 at most, since a call is not for waiting longer", input.wait),
        ));
    }
    match connection.registration(context).await? {
        Some(found) if found.events.iter().any(|event| event == TEST) => Ok(found.url),
        _ => Err(CallError::rejected(
            "not_registered",
            "no address is registered for `test-created`; add it to the events by `register` first",
        )),
    }
}

fn read(correlation_id: &str, found: &Value) -> Validation {
    let text = |value: &Value, name: &str| member(value, name).and_then(Value::as_str).map(str::to_owned);
    let status = text(found, "status");
    let attempts = member(found, "results").and_then(Value::as_array).into_iter().flatten();
    Validation {
        correlation_id: correlation_id.to_owned(),
        completed: status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("completed")),
        status,
        url: text(found, "callbackUrl"),
        attempts: attempts
            .map(|attempt| Attempt {
                response_code: text(attempt, "responseCode"),
                message: text(attempt, "responseMessage").filter(|message| !message.is_empty()),
                at: text(attempt, "dateTimeUtc"),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{REGISTRATION, call, connect};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    const ID: &str = "a3a7c1de-55b0-4c39-9a0e-0f6a1d6c9a10";

    async fn stub(status: Reply) -> Stub {
        let stub = Stub::start().await;
        let found = json!({ "WebhookUrl": "https://a.example/x", "WebhookEvents": ["test-created"] });
        stub.on("GET", REGISTRATION, [Reply::json(200, found)]);
        let asked = [Reply::json(200, json!({ "correlationId": ID })), Reply::json(200, json!(ID))];
        stub.on("POST", &format!("{REGISTRATION}/validationEvents"), asked);
        stub.on("GET", &format!("{REGISTRATION}/validationEvents/{ID}"), [status]);
        stub
    }

    #[tokio::test]
    async fn the_delivery_is_reported_whichever_way_its_identifier_comes() {
        let completed = json!({ "correlationId": ID, "status": "completed", "callbackUrl": "https://a.example/x",
            "results": [{ "responseCode": "OK", "responseMessage": "", "dateTimeUtc": "2026-11-02T08:20:11.2386997" }] });
        let stub = stub(Reply::json(200, completed)).await;
        let connection = connect(&stub);
        for _ in 0..2 {
            let output = call(&connection, "request_validation_event", json!({})).await.unwrap();
            assert_eq!((&output["correlation_id"], &output["completed"]), (&json!(ID), &json!(true)));
            let attempt = json!({ "response_code": "OK", "message": null, "at": "2026-11-02T08:20:11.2386997" });
            assert_eq!(output["attempts"], json!([attempt]));
        }
    }

    #[tokio::test]
    async fn what_is_not_known_in_time_is_not_completed() {
        let stub = stub(Reply::empty(404)).await;
        let output = call(&connect(&stub), "request_validation_event", json!({ "wait": 0 })).await.unwrap();
        assert_eq!((&output["completed"], &output["status"]), (&json!(false), &json!(null)));
    }

    #[tokio::test]
    async fn trouble_after_asking_does_not_ask_again_blindly() {
        let stub = stub(Reply::empty(503)).await;
        let error = call(&connect(&stub), "request_validation_event", json!({})).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
    }

    #[tokio::test]
    async fn without_a_registration_for_it_nothing_is_asked() {
        let stub = Stub::start().await;
        let error = call(&connect(&stub), "request_validation_event", json!({})).await.unwrap_err();
        assert_eq!(error.code, "not_registered");
        let error = call(&connect(&stub), "request_validation_event", json!({ "wait": 301 })).await.unwrap_err();
        assert_eq!(error.code, "wrong_wait");
        assert_eq!(stub.requests().len(), 1);
    }
}
