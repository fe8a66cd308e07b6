use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};

use crate::connection::PartnerCenterEvents;
use crate::received::Event;

/// Nothing to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewRegistrationInput {}

/// What is registered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RegistrationView {
    /// Whether anything is.
    pub registered: bool,
    /// The address that gets the events.
    pub url: Option<String>,
    /// The events.
    pub events: Vec<String>,
    /// The connection's own `endpoint`; null where it has none.
    pub endpoint: Option<String>,
    /// Whether the events go to that one; null where it has none. Somebody else may have registered since: a tenant has one
    /// address only.
    pub ours: Option<bool>,
    /// The events about referrals that are not registered.
    pub missing_events: Vec<String>,
}

/// Shows the registration.
#[derive(Debug)]
pub struct ViewRegistration;

impl Operation for ViewRegistration {
    type Connection = PartnerCenterEvents;
    type Input = ViewRegistrationInput;
    type Output = RegistrationView;

    const NAME: &'static str = "view_registration";
    const TITLE: &'static str = "View the registration for events";
    const DESCRIPTION: &'static str = "Shows which address gets which events of the partner's tenant.";
    const EFFECT: Effect = Effect::Read;

    async fn call(
        connection: &PartnerCenterEvents,
        _: Self::Input,
        context: &CallContext,
    ) -> Result<RegistrationView, CallError> {
        let found = connection.registration(context).await?;
        let (url, events) = found.map(|found| (found.url, found.events)).unzip();
        let (endpoint, events) = (connection.endpoint.clone(), events.unwrap_or_default());
        Ok(RegistrationView {
            registered: url.is_some(),
            ours: endpoint.as_ref().map(|endpoint| url.as_ref() == Some(endpoint)),
            missing_events: missing(&events),
            url,
            events,
            endpoint,
        })
    }
}

fn missing(events: &[String]) -> Vec<String> {
    let all = Event::ALL.into_iter().map(Event::name);
    all.filter(|name| !events.iter().any(|event| event == name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{REGISTRATION, call, connect};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn a_registration_in_either_casing_or_none() {
        let stub = Stub::start().await;
        let pascal = json!({ "WebhookUrl": "https://a.example/x", "WebhookEvents": ["referral-created"] });
        let camel = json!({ "webhookUrl": "https://a.example/x", "webhookEvents": ["referral-created"] });
        stub.on(
            "GET",
            REGISTRATION,
            [
                Reply::json(200, pascal),
                Reply::json(200, camel),
                Reply::json(404, json!({ "code": 600, "description": "not found" })),
                Reply::empty(200),
            ],
        );
        let connection = connect(&stub);
        for _ in 0..2 {
            let output = call(&connection, "view_registration", json!({})).await.unwrap();
            assert_eq!(
                (&output["registered"], &output["url"], &output["events"]),
                (&json!(true), &json!("https://a.example/x"), &json!(["referral-created"]))
            );
        }
        for _ in 0..2 {
            let output = call(&connection, "view_registration", json!({})).await.unwrap();
            assert_eq!(
                (&output["registered"], &output["url"], &output["events"]),
                (&json!(false), &json!(null), &json!([]))
            );
        }
    }

    #[tokio::test]
    async fn whose_it_is_is_told_by_the_endpoint() {
        let stub = Stub::start().await;
        let events = ["referral-created", "referral-updated", "related-referral-created"];
        let found = json!({ "WebhookUrl": "https://a.example/x", "WebhookEvents": events });
        stub.on("GET", REGISTRATION, [Reply::json(200, found)]);
        for (endpoint, ours) in [
            (json!("https://a.example/x"), json!(true)),
            (json!("https://b.example/x"), json!(false)),
            (json!(null), json!(null)),
        ] {
            let settings = json!({ "address": stub.origin(), "sign_in": stub.sign_in(), "endpoint": endpoint });
            let connection = crate::connector().open(settings).unwrap();
            let output = call(&connection, "view_registration", json!({})).await.unwrap();
            assert_eq!((&output["ours"], &output["missing_events"]), (&ours, &json!(["related-referral-updated"])));
        }
    }
}
