use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};

use crate::connection::PartnerCenterEvents;

/// Nothing to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListEventsInput {}

/// The events there are.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Events {
    /// Their names, such as `referral-created`.
    pub events: Vec<String>,
}

/// Lists the events that an address can be registered for.
#[derive(Debug)]
pub struct ListEvents;

impl Operation for ListEvents {
    type Connection = PartnerCenterEvents;
    type Input = ListEventsInput;
    type Output = Events;

    const NAME: &'static str = "list_events";
    const TITLE: &'static str = "List the events there are";
    const DESCRIPTION: &'static str = "Lists the names of all events that Partner Center can report to this partner.";
    const EFFECT: Effect = Effect::Read;

    async fn call(
        connection: &PartnerCenterEvents,
        _: Self::Input,
        context: &CallContext,
    ) -> Result<Events, CallError> {
        Ok(Events { events: connection.events(context).await? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{REGISTRATION, call, connect};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn the_names_as_they_come() {
        let stub = Stub::start().await;
        stub.on("GET", &format!("{REGISTRATION}/events"), [Reply::json(200, json!(["test-created", "invoice-ready"]))]);
        let output = call(&connect(&stub), "list_events", json!({})).await.unwrap();
        assert_eq!(output, json!({ "events": ["test-created", "invoice-ready"] }));
    }
}
