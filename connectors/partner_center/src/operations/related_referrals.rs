use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::Deserialize;

use super::Referrals;
use crate::connection::PartnerCenter;

/// Which engagement to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelatedReferralsInput {
    /// The engagement's identifier, a GUID.
    pub engagement_id: String,
}

/// Reads the referrals of an engagement.
#[derive(Debug)]
pub struct RelatedReferrals;

impl Operation for RelatedReferrals {
    type Connection = PartnerCenter;
    type Input = RelatedReferralsInput;
    type Output = Referrals;

    const NAME: &'static str = "related_referrals";
    const TITLE: &'static str = "List the referrals of an engagement";
    const DESCRIPTION: &'static str =
        "Reads all referrals of one engagement: the partner's own, Microsoft's side, and those of other partners.";
    const EXAMPLE: &'static str = r#"{ "engagement_id": "0d2f6f1b-6e61-4d7c-8f52-8b7d1f3e5a20" }"#;
    const EFFECT: Effect = Effect::Read;

    async fn call(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Referrals, CallError> {
        Ok(Referrals { referrals: connection.related(&input.engagement_id, context).await?, count: None })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{BASE, ENGAGEMENT, call, connect, stored};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn the_engagement_is_filtered_by() {
        let stub = Stub::start().await;
        stub.on("GET", &format!("{BASE}/referrals"), [Reply::json(200, json!({ "value": [stored()] }))]);
        let input = json!({ "engagement_id": ENGAGEMENT });
        let output = call(&connect(&stub), "related_referrals", input, false).await.unwrap();
        assert_eq!(output["referrals"][0]["engagementId"], ENGAGEMENT);
        assert_eq!(stub.lines(), [format!("GET {BASE}/referrals?$filter=engagementId%20eq%20%27{ENGAGEMENT}%27")]);
    }
}
