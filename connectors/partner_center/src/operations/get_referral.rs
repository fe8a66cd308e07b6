use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::Deserialize;

use crate::connection::PartnerCenter;
use crate::referral::Referral;

/// Which referral to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetReferralInput {
    /// Identifier of the referral, a GUID.
    pub id: String,
}

/// Reads one referral.
#[derive(Debug)]
pub struct GetReferral;

impl Operation for GetReferral {
    type Connection = PartnerCenter;
    type Input = GetReferralInput;
    type Output = Referral;

    const NAME: &'static str = "get_referral";
    const TITLE: &'static str = "Get a referral";
    const DESCRIPTION: &'static str =
        "Reads one referral by its identifier. One that does not exist is refused as itemNotFound.";
    const EXAMPLE: &'static str = r#"{ "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10" }"#;
    const EFFECT: Effect = Effect::Read;

    async fn call(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Referral, CallError> {
        connection.get(guid("id", &input.id)?, context).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, call, connect, path, stored};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn the_request_and_the_referral() {
        let stub = Stub::start().await;
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        let referral = call(&connect(&stub), "get_referral", json!({ "id": ID }), false).await.unwrap();
        assert_eq!(referral["name"], "Northwind warehouse rollout");
        assert_eq!(referral["statusReason"], json!(null));
        let seen = &stub.requests()[0];
        assert_eq!(seen.header("accept"), Some("application/json"));
        assert_eq!(seen.header("content-type"), Some("application/json"));
        assert!(seen.header("client-request-id").unwrap().parse::<uuid::Uuid>().is_ok());
    }

    #[tokio::test]
    async fn a_missing_referral_is_refused_as_such() {
        let stub = Stub::start().await;
        stub.on(
            "GET",
            &path(ID),
            [Reply::json(404, json!({ "error": { "code": "itemNotFound", "message": "gone" } }))],
        );
        let error = call(&connect(&stub), "get_referral", json!({ "id": ID }), false).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "itemNotFound"));
    }

    #[tokio::test]
    async fn an_id_that_is_none_is_not_sent() {
        let stub = Stub::start().await;
        let error = call(&connect(&stub), "get_referral", json!({ "id": "../x" }), false).await.unwrap_err();
        assert_eq!(error.code, "not_a_guid");
        assert!(stub.requests().is_empty());
    }
}
