use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};

use crate::connection::PartnerCenterEvents;

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
        Ok(match connection.registration(context).await? {
            Some(found) => RegistrationView { registered: true, url: Some(found.url), events: found.events },
            None => RegistrationView { registered: false, url: None, events: Vec::new() },
        })
    }
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
                output,
                json!({ "registered": true, "url": "https://a.example/x", "events": ["referral-created"] })
            );
        }
        for _ in 0..2 {
            let output = call(&connection, "view_registration", json!({})).await.unwrap();
            assert_eq!(output, json!({ "registered": false, "url": null, "events": [] }));
        }
    }
}
