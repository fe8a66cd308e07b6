use cosell_sdk::http::Address;
use cosell_sdk::{CallContext, CallError, Change, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::connection::PartnerCenterEvents;
use crate::received::Event;
use crate::registration::Registration;

/// What to register.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterInput {
    /// The address that gets the events, reachable from the internet by https.
    pub url: String,
    /// The events, such as `referral-created`; the four about referrals when not given. `test-created` is needed to ask
    /// for a test event.
    #[serde(default = "all")]
    pub events: Vec<String>,
    /// Whether to take the place of another address: a tenant has one only.
    #[serde(default)]
    pub overwrite: bool,
    /// Whether events that are registered already stay so.
    #[serde(default = "yes")]
    pub keep_other_events: bool,
}

fn all() -> Vec<String> {
    Event::ALL.iter().map(ToString::to_string).collect()
}

fn yes() -> bool {
    true
}

/// What is registered now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Registered {
    /// Whether anything was written; false where it was registered so already.
    pub changed: bool,
    /// The address that gets the events.
    pub url: String,
    /// The events.
    pub events: Vec<String>,
}

/// Registers for events.
#[derive(Debug)]
pub struct Register;

impl Operation for Register {
    type Connection = PartnerCenterEvents;
    type Input = RegisterInput;
    type Output = Registered;

    const NAME: &'static str = "register";
    const TITLE: &'static str = "Register for events";
    const DESCRIPTION: &'static str = "Registers an address for events of the partner's tenant. A tenant has one address: the last one registered gets them all.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "url": "https://sync.fabrikam.example/hooks/partner-center",
        "events": ["referral-created", "referral-updated", "related-referral-created", "related-referral-updated"]
    }"#;

    async fn call(
        connection: &PartnerCenterEvents,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Registered, CallError> {
        let (found, wanted) = prepare(connection, input, context).await?;
        let changed = found.as_ref().is_none_or(|found| !found.equals(&wanted));
        if changed {
            connection.write_registration(&wanted, found.is_some(), context).await?;
        }
        Ok(Registered { changed, url: wanted.url, events: wanted.events })
    }
}

impl Write for Register {
    const FINDS_OUT: &'static str = "Every attempt looks at the registration first, and writes only what differs.";

    async fn predict(
        connection: &PartnerCenterEvents,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<Registered>, CallError> {
        let (found, wanted) = prepare(connection, input, context).await?;
        let change = |field: &str, old, new| Change {
            record: "the registration for events".to_owned(),
            field: field.to_owned(),
            old,
            new,
        };
        let mut changes = Vec::new();
        if found.as_ref().is_none_or(|found| !found.equals(&wanted)) {
            let (url, events) = found.map(|found| (json!(found.url), json!(found.events))).unwrap_or_default();
            changes.push(change("url", url, json!(wanted.url)));
            changes.push(change("events", events, json!(wanted.events)));
            changes.retain(|change| change.old != change.new);
        }
        let changed = !changes.is_empty();
        Ok(Prediction { record: Registered { changed, url: wanted.url, events: wanted.events }, changes })
    }
}

/// What is registered, and what is to be.
async fn prepare(
    connection: &PartnerCenterEvents,
    input: RegisterInput,
    context: &CallContext,
) -> Result<(Option<Registration>, Registration), CallError> {
    Address::new("url", input.url.split(['?', '#']).next().unwrap_or_default())?;
    if input.events.is_empty() {
        return Err(CallError::rejected(
            "no_events",
            "`events` is empty; name at least one event, such as referral-created",
        ));
    }
    // What is registered is looked at every time, so a repeated call finds out by itself what an earlier one did.
    let found = connection.registration(context).await?;
    let mut wanted = Registration { url: input.url, events: Vec::new() };
    let kept = found.iter().flat_map(|found| &found.events).filter(|_| input.keep_other_events);
    for event in input.events.iter().chain(kept) {
        if !wanted.events.contains(event) {
            wanted.events.push(event.clone());
        }
    }
    if let Some(found) = &found
        && found.url != wanted.url
        && !input.overwrite
    {
        return Err(CallError::rejected(
            "already_registered",
            format!(
                "events go to `{}` already, and a tenant has one address only; give `overwrite: true` to take its place",
                found.url
            ),
        ));
    }
    Ok((found, wanted))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{REGISTRATION, call, connect};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    const OURS: &str = "https://sync.fabrikam.example/hooks?key=1";

    async fn stub(found: Reply) -> Stub {
        let stub = Stub::start().await;
        stub.on("GET", REGISTRATION, [found]);
        for method in ["POST", "PUT"] {
            stub.on(method, REGISTRATION, [Reply::json(200, json!({}))]);
        }
        stub
    }

    fn registered(url: &str, events: &[&str]) -> Reply {
        Reply::json(200, json!({ "WebhookUrl": url, "WebhookEvents": events }))
    }

    async fn register(stub: &Stub, more: Value) -> Result<Value, cosell_sdk::CallError> {
        let mut input = json!({ "url": OURS, "events": ["referral-created", "referral-updated"] });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&connect(stub), "register", input).await
    }

    #[tokio::test]
    async fn the_first_registration_is_a_post() {
        let stub = stub(Reply::empty(404)).await;
        let output = register(&stub, json!({})).await.unwrap();
        assert_eq!(output["changed"], true);
        let seen = &stub.requests()[1];
        assert_eq!(seen.line(), format!("POST {REGISTRATION}"));
        assert_eq!(
            seen.json(),
            json!({ "WebhookUrl": OURS, "WebhookEvents": ["referral-created", "referral-updated"], "SignatureTokenToMsSignatureHeader": true })
        );
    }

    #[tokio::test]
    async fn what_is_so_already_is_not_written() {
        let stub = stub(registered(OURS, &["test-created", "referral-updated", "referral-created"])).await;
        assert_eq!(register(&stub, json!({})).await.unwrap()["changed"], false);
        assert_eq!(stub.requests().len(), 1);
    }

    #[tokio::test]
    async fn another_address_is_replaced_only_when_told_to() {
        let stub = stub(registered("https://other.example/", &["invoice-ready"])).await;
        let error = register(&stub, json!({})).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "already_registered"));
        assert!(error.message.contains("https://other.example/"), "{}", error.message);
        assert_eq!(stub.requests().len(), 1);
        register(&stub, json!({ "overwrite": true })).await.unwrap();
        let seen = &stub.requests()[2];
        assert_eq!(seen.line(), format!("PUT {REGISTRATION}"));
        assert_eq!(seen.json()["WebhookEvents"], json!(["referral-created", "referral-updated", "invoice-ready"]));
    }

    #[tokio::test]
    async fn other_events_go_when_told_to() {
        let stub = stub(registered(OURS, &["invoice-ready"])).await;
        register(&stub, json!({ "keep_other_events": false })).await.unwrap();
        assert_eq!(stub.requests()[1].json()["WebhookEvents"], json!(["referral-created", "referral-updated"]));
    }

    #[tokio::test]
    async fn unusable_input_is_not_sent() {
        let stub = stub(Reply::empty(404)).await;
        assert_eq!(
            register(&stub, json!({ "url": "http://sync.example/" })).await.unwrap_err().code,
            "invalid_address"
        );
        assert_eq!(register(&stub, json!({ "events": [] })).await.unwrap_err().code, "no_events");
        assert!(stub.requests().is_empty());
    }
}
