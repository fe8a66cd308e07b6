//! The registration of the partner's tenant: one address, and the events it gets (Partner Center webhooks).

use cosell_sdk::http::Request;
use cosell_sdk::{CallContext, CallError, Meaning};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::connection::PartnerCenterEvents;

const PATH: [&str; 3] = ["webhooks", "v1", "registration"];

/// What is registered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Registration {
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
}

/// A member in either casing: samples write `WebhookUrl`, the published interface description `webhookUrl`.
pub(crate) fn member<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    body.as_object()?.iter().find(|(member, _)| member.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl Registration {
    /// Reads a registration, whose members come in either casing.
    fn read(body: &Value) -> Option<Self> {
        let url = member(body, "WebhookUrl")?.as_str().filter(|url| !url.is_empty())?.to_owned();
        let events = member(body, "WebhookEvents").and_then(Value::as_array).into_iter().flatten();
        Some(Self { url, events: events.filter_map(Value::as_str).map(str::to_owned).collect() })
    }

    /// Whether the other says the same; events have no order.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let within = |a: &Self, b: &Self| a.events.iter().all(|event| b.events.contains(event));
        self.url == other.url && within(self, other) && within(other, self)
    }
}

impl PartnerCenterEvents {
    /// What is registered now, if anything.
    pub(crate) async fn registration(&self, context: &CallContext) -> Result<Option<Registration>, CallError> {
        let response = headed(self.client.get(&PATH)).allow(404).send(context).await?;
        if response.status == 404 || response.is_empty() {
            return Ok(None);
        }
        Ok(Registration::read(&response.json()?))
    }

    /// Registers, for the first time or in place of what is registered. The signature is asked for in its own header:
    /// proxies in front of a receiver like to take `Authorization` for themselves.
    pub(crate) async fn write_registration(
        &self,
        registration: &Registration,
        replace: bool,
        context: &CallContext,
    ) -> Result<(), CallError> {
        let request = if replace { self.client.put(&PATH) } else { self.client.post(&PATH) };
        let body = json!({
            "WebhookUrl": registration.url,
            "WebhookEvents": registration.events,
            "SignatureTokenToMsSignatureHeader": true
        });
        headed(request).json(body).send(context).await?;
        Ok(())
    }

    /// The names of the events there are.
    pub(crate) async fn events(&self, context: &CallContext) -> Result<Vec<String>, CallError> {
        let [webhooks, version, registration] = PATH;
        headed(self.client.get(&[webhooks, version, registration, "events"])).send(context).await?.json()
    }

    /// Asks for a test event; gives the identifier by which it is followed. The interface description types the answer
    /// as a bare text, the samples show an object.
    pub(crate) async fn request_validation(&self, context: &CallContext) -> Result<String, CallError> {
        let [webhooks, version, registration] = PATH;
        let request = headed(self.client.post(&[webhooks, version, registration, "validationEvents"]));
        // The body is empty, but proxies want to know so.
        let body: Value = request.body("application/json", "").send(context).await?.json()?;
        let id = body.as_str().or_else(|| member(&body, "correlationId")?.as_str());
        id.map(str::to_owned).ok_or_else(|| {
            CallError::new(
                Meaning::OutcomeUnknown,
                "unreadable_answer",
                "Partner Center answered without the identifier of the test event",
            )
        })
    }

    /// What became of a test event; null where nothing is known of it yet.
    pub(crate) async fn validation(&self, id: &str, context: &CallContext) -> Result<Value, CallError> {
        let [webhooks, version, registration] = PATH;
        let request = headed(self.client.get(&[webhooks, version, registration, "validationEvents", id])).allow(404);
        let response = request.send(context).await?;
        if response.status == 404 { Ok(Value::Null) } else { response.json() }
    }
}

fn headed(request: Request<'_>) -> Request<'_> {
    request.header("accept", "application/json").header("ms-requestid", Uuid::new_v4().to_string())
}
