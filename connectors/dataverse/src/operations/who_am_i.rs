use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};

use crate::connection::Dataverse;

/// Nothing to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhoAmIInput {}

/// As whom the connection acts.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WhoIAm {
    /// The user, a row of systemuser.
    #[serde(alias = "UserId")]
    pub user_id: String,
    /// The user's business unit.
    #[serde(alias = "BusinessUnitId")]
    pub business_unit_id: String,
    /// The environment's organisation.
    #[serde(alias = "OrganizationId")]
    pub organization_id: String,
}

/// Tells as whom the connection acts: the simplest way to see whether it works.
#[derive(Debug)]
pub struct WhoAmI;

impl Operation for WhoAmI {
    type Connection = Dataverse;
    type Input = WhoAmIInput;
    type Output = WhoIAm;

    const NAME: &'static str = "who_am_i";
    const TITLE: &'static str = "Who am I";
    const DESCRIPTION: &'static str = "Tells as whom the connection acts.";
    const EFFECT: Effect = Effect::Read;

    async fn call(dataverse: &Dataverse, _: Self::Input, context: &CallContext) -> Result<WhoIAm, CallError> {
        dataverse.send(dataverse.client.get(&["WhoAmI"]), context).await?.json()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{API, call, open};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn the_three_identifiers() {
        let stub = Stub::start().await;
        let answer = json!({ "@odata.context": "x", "BusinessUnitId": "b", "UserId": "u", "OrganizationId": "o" });
        stub.on("GET", &format!("{API}/WhoAmI"), [Reply::json(200, answer)]);
        let output = call(&open(&stub), "who_am_i", json!({}), false).await.unwrap();
        assert_eq!(output, json!({ "user_id": "u", "business_unit_id": "b", "organization_id": "o" }));
    }
}
