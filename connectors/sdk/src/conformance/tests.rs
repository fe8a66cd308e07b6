#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::http::{Address, Client, Method, Transport};
use crate::sign_in::{EntraSettings, SignIn};
use crate::stub::Reply;
use crate::{CallContext, CallError, Change, Connect, Effect, JsonSchema, Limits, Operation, Prediction, Write};

/// Settings of a small connection.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where.
    address: String,
    /// As whom.
    sign_in: EntraSettings,
}

struct Small(Client);

impl Connect for Small {
    type Settings = Settings;

    const OFFLINE: &'static str = r#"{
        "address": "https://recorded.invalid",
        "sign_in": { "tenant": "recorded", "client_id": "recorded", "client_secret": "recorded" }
    }"#;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        let transport = Transport::new(None)?;
        let sign_in = Arc::new(SignIn::new(&settings.sign_in, "https://api.example.com", &transport)?);
        Ok(Self(Client::new("Small", Address::new("address", &settings.address)?, sign_in, &transport)))
    }
}

/// What to put.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PutInput {
    /// Which thing.
    id: String,
}

/// A thing.
#[derive(Serialize, JsonSchema)]
struct Thing {
    /// Which.
    id: String,
}

struct PutThing;

impl Operation for PutThing {
    type Connection = Small;
    type Input = PutInput;
    type Output = Thing;
    const NAME: &'static str = "put_thing";
    const TITLE: &'static str = "Put a thing";
    const DESCRIPTION: &'static str = "Puts a thing.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{ "id": "1" }"#;

    async fn call(small: &Small, input: PutInput, context: &CallContext) -> Result<Thing, CallError> {
        if context.may_have_run {
            small.0.get(&["things", &input.id]).send(context).await?;
        }
        small.0.put(&["things", &input.id]).json(json!({})).send(context).await?;
        Ok(Thing { id: input.id })
    }
}

impl Write for PutThing {
    const FINDS_OUT: &'static str = "The thing is read.";

    async fn predict(_: &Small, input: PutInput, _: &CallContext) -> Result<Prediction<Thing>, CallError> {
        let change =
            Change { record: format!("thing {}", input.id), field: "*".to_owned(), old: json!(null), new: json!({}) };
        Ok(Prediction { record: Thing { id: input.id }, changes: vec![change] })
    }
}

/// What to do badly.
#[derive(Deserialize, JsonSchema)]
struct BadInput {
    id: String,
}

struct BadThing;

impl Operation for BadThing {
    type Connection = Small;
    type Input = BadInput;
    type Output = Thing;
    const NAME: &'static str = "badThing";
    const TITLE: &'static str = "do badly.";
    const DESCRIPTION: &'static str = "does it badly";
    const EFFECT: Effect = Effect::Write;

    async fn call(small: &Small, input: BadInput, context: &CallContext) -> Result<Thing, CallError> {
        match small.0.request(Method::PUT, &["things", &input.id]).send(context).await {
            Ok(_) => Ok(Thing { id: input.id }),
            Err(error) => Err(CallError::rejected("x", format!("with token-1: {error}"))),
        }
    }
}

impl Write for BadThing {
    const FINDS_OUT: &'static str = "no";

    async fn predict(small: &Small, input: BadInput, context: &CallContext) -> Result<Prediction<Thing>, CallError> {
        BadThing::call(small, input, context).await.map(Prediction::unchanged)
    }
}

async fn stub() -> (Stub, Value) {
    let stub = Stub::start().await;
    for method in ["GET", "PUT"] {
        stub.on(method, "/things/1", [Reply::json(200, json!({}))]);
    }
    let settings = json!({ "address": stub.origin(), "sign_in": stub.sign_in() });
    (stub, settings)
}

fn small() -> crate::connector::Contents<Small> {
    Connector::new::<Small>("small", "Small", "A small connector.")
}

#[tokio::test]
async fn a_connector_that_keeps_the_contract_passes() {
    let (stub, settings) = stub().await;
    Kit::new(&small().write::<PutThing>().build(), &stub, settings).assert().await;
}

#[tokio::test]
async fn each_broken_rule_is_named() {
    let (stub, settings) = stub().await;
    let connector = small().write::<BadThing>().build();
    let found = Kit::new(&connector, &stub, settings.clone()).violations().await;
    let found = found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for part in [
        "the name `badThing` is not in snake_case",
        "the title `do badly.`",
        "the description `does it badly`",
        "badThing, input: without a description: id",
        "EXAMPLE does not fit the input's schema",
        "FINDS_OUT is no sentence",
        "EXAMPLE does not work",
        "EXAMPLE cannot be predicted",
    ] {
        assert!(found.contains(part), "{part} is not in\n{found}");
    }
}

/// The same, with an example that works: so what it does can be seen.
struct BlindThing;

impl Operation for BlindThing {
    type Connection = Small;
    type Input = BadInput;
    type Output = Thing;
    const NAME: &'static str = "blind_thing";
    const TITLE: &'static str = "Put blindly";
    const DESCRIPTION: &'static str = "Puts blindly.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{ "id": "1" }"#;

    async fn call(small: &Small, input: BadInput, context: &CallContext) -> Result<Thing, CallError> {
        BadThing::call(small, input, context).await
    }
}

#[tokio::test]
async fn blind_repetition_wrong_meanings_and_secrets_are_seen() {
    let (stub, settings) = stub().await;
    let connector = small().operation::<BlindThing>().build();
    let found = Kit::new(&connector, &stub, settings).violations().await;
    let found = found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for part in [
        "must be added by `write`",
        "an input with an unknown member is not rejected",
        "repeated blindly: PUT /things/1",
        "429 with Retry-After is taken for Rejected",
        "a broken connection while writing is taken for Some(Rejected)",
        "an error shows a secret",
    ] {
        assert!(found.contains(part), "{part} is not in\n{found}");
    }
}

#[tokio::test]
async fn a_prediction_cannot_write() {
    let (stub, settings) = stub().await;
    let connection = small().write::<BadThing>().build().open(settings).unwrap();
    let context = CallContext::new(Uuid::nil(), false);
    let error = connection.predict("badThing", json!({ "id": "1" }), context).await.unwrap_err();
    assert!(error.message.contains("a preview never does"), "{}", error.message);
    assert!(stub.requests().is_empty());
}

#[test]
fn a_page_shows_members_defaults_and_the_example() {
    let page = docs::page(small().write::<PutThing>().build().description());
    for part in [
        "# Small\n",
        "`small`: A small connector.",
        "| `address` | string | Required. Where. |",
        "`small.put_thing` (writes)",
        "After an interruption: The thing is read.",
        "\"id\": \"1\"",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}

#[test]
fn a_connection_has_its_connectors_limits_unless_it_is_given_its_own() {
    let limits = Limits::at_once(3).and(100, Duration::from_secs(60));
    let connector = Connector::new::<Small>("small", "Small", "Small").limits(limits).build();
    let settings = json!({ "address": "https://api.example.com", "sign_in": { "tenant": "t", "client_id": "c", "client_secret": "s" } });
    let open = connector.open(settings).unwrap();
    assert_eq!(open.limits(), limits);
    assert_eq!(
        open.with_limits(Limits::at_once(8).or(limits)).limits(),
        Limits::at_once(8).and(100, Duration::from_secs(60))
    );
}
