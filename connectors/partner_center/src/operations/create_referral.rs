use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::connection::PartnerCenter;
use crate::referral::Referral;
use crate::{preview, recent, rules};

/// What to create.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateReferralInput {
    /// The referral, with the members of the Referrals API. Required are `type`, `customerProfile` (with a two-letter
    /// country), `consent` and `details`. Give an `externalReferenceId`: by it the referral is found again if the
    /// answer gets lost; without one, an identifier is made up.
    pub referral: Map<String, Value>,
}

/// Creates a referral.
#[derive(Debug)]
pub struct CreateReferral;

impl Operation for CreateReferral {
    type Connection = PartnerCenter;
    type Input = CreateReferralInput;
    type Output = Referral;

    const NAME: &'static str = "create_referral";
    const TITLE: &'static str = "Create a referral";
    const DESCRIPTION: &'static str =
        "Creates one referral: a private deal, or a partner-led one that Microsoft may see.";
    const EXAMPLE: &'static str = r#"{
        "referral": {
            "name": "Northwind warehouse rollout",
            "externalReferenceId": "OPP-20417",
            "type": "Independent",
            "qualification": "SalesQualified",
            "customerProfile": { "name": "Northwind Cold Storage BV", "address": { "city": "Rotterdam", "country": "NL" } },
            "consent": { "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
            "details": {
                "dealValue": 84000, "currency": "EUR", "closingDateTime": "2027-01-29T00:00:00Z",
                "requirements": { "solutions": [{ "id": "SOL-48120-KQP", "name": "ColdTrack", "type": "Name" }] }
            }
        }
    }"#;
    const EFFECT: Effect = Effect::Write;

    async fn call(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Referral, CallError> {
        let mut referral = input.referral;
        rules::check(&referral)?;
        let reference = recent::reference(&mut referral, context);
        if context.may_have_run {
            let microsofts = is_for_microsoft(&referral);
            if let Some(made) = recent::find(connection, &reference, microsofts, context).await? {
                return Ok(made);
            }
        }
        connection.create(&referral, context).await
    }
}

impl Write for CreateReferral {
    const FINDS_OUT: &'static str = "The referrals of the last 24 hours are searched for one with the same \
                                     `externalReferenceId`.";

    async fn predict(
        _: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<Referral>, CallError> {
        let mut referral = input.referral;
        rules::check(&referral)?;
        recent::reference(&mut referral, context);
        preview::created(&referral, context)
    }
}

fn is_for_microsoft(referral: &Map<String, Value>) -> bool {
    let targets = referral.get("target").and_then(Value::as_array);
    targets.is_some_and(|targets| targets.iter().any(|target| target["id"] == "msft"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{BASE, ID, KEY, call, connect, new_referral, stored};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    fn referrals() -> String {
        format!("{BASE}/referrals")
    }

    fn listed(referrals: Vec<Value>) -> Reply {
        Reply::json(200, json!({ "value": referrals }))
    }

    #[tokio::test]
    async fn the_referral_is_sent_as_given() {
        let stub = Stub::start().await;
        stub.on("POST", &referrals(), [Reply::json(201, stored())]);
        let output =
            call(&connect(&stub), "create_referral", json!({ "referral": new_referral() }), false).await.unwrap();
        assert_eq!(output["id"], ID);
        assert_eq!(stub.lines(), [format!("POST {BASE}/referrals")]);
        assert_eq!(stub.requests()[0].json(), new_referral());
    }

    #[tokio::test]
    async fn a_broken_rule_sends_nothing() {
        let stub = Stub::start().await;
        let mut referral = new_referral();
        referral["customerProfile"]["address"]["country"] = json!("NLD");
        let error = call(&connect(&stub), "create_referral", json!({ "referral": referral }), true).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "country_code_required"));
        assert!(stub.requests().is_empty());
    }

    #[tokio::test]
    async fn after_a_lost_answer_the_referral_is_found_rather_than_made_again() {
        let stub = Stub::start().await;
        stub.on("POST", &referrals(), [Reply::hang_up()]);
        let mut microsofts = stored();
        microsofts["target"] = json!([{ "id": "msft" }]);
        stub.on("GET", &referrals(), [listed(vec![json!({ "externalReferenceId": "other" }), microsofts, stored()])]);
        let connection = connect(&stub);
        let input = json!({ "referral": new_referral() });
        let error = call(&connection, "create_referral", input.clone(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
        let output = call(&connection, "create_referral", input, true).await.unwrap();
        assert_eq!((&output["id"], &output["target"]), (&json!(ID), &json!([])));
        assert_eq!(
            stub.lines(),
            [format!("POST {BASE}/referrals"), format!("GET {BASE}/referrals?$orderby=createdDateTime%20desc")]
        );
    }

    #[tokio::test]
    async fn what_is_not_found_among_recent_ones_is_made() {
        let stub = Stub::start().await;
        let mut old = stored();
        old["createdDateTime"] = json!("2026-10-31T08:15:30Z");
        let newest = json!({ "createdDateTime": "2026-11-02T08:15:30.1234567Z" });
        stub.on("GET", &referrals(), [listed(vec![newest, json!({ "createdDateTime": "2026-11-01T08:10:00Z" }), old])]);
        stub.on("POST", &referrals(), [Reply::json(200, stored())]);
        call(&connect(&stub), "create_referral", json!({ "referral": new_referral() }), true).await.unwrap();
        assert_eq!(stub.requests().len(), 2);
    }

    #[tokio::test]
    async fn a_referral_without_reference_gets_one_to_be_found_by() {
        let stub = Stub::start().await;
        stub.on("POST", &referrals(), [Reply::json(200, stored())]);
        let mut referral = new_referral();
        referral["externalReferenceId"] = Value::Null;
        call(&connect(&stub), "create_referral", json!({ "referral": referral }), false).await.unwrap();
        assert_eq!(stub.requests()[0].json()["externalReferenceId"], KEY);
    }
}
