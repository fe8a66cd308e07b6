use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::connection::PartnerCenter;
use crate::referral::Referral;
use crate::{invitation, preview, recent, rules};

/// What to create.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSharedReferralInput {
    /// The partner's own referral, with the members of the Referrals API. Its `type` is `Shared`, also when not given;
    /// its `target` is the first solution, when not given. It must have an `externalReferenceId`, by which it is found
    /// again.
    pub referral: Map<String, Value>,
}

/// Both sides of a co-sell deal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SharedReferral {
    /// The partner's own referral.
    pub referral: Referral,
    /// Microsoft's side, in the same engagement.
    pub microsoft_referral: Referral,
}

/// Creates a co-sell deal with Microsoft, in the two steps the API asks for (Referrals API, create a referral, shared).
#[derive(Debug)]
pub struct CreateSharedReferral;

impl Operation for CreateSharedReferral {
    type Connection = PartnerCenter;
    type Input = CreateSharedReferralInput;
    type Output = SharedReferral;

    const NAME: &'static str = "create_shared_referral";
    const TITLE: &'static str = "Create a co-sell referral with Microsoft";
    const DESCRIPTION: &'static str =
        "Creates a shared referral and, in the same engagement, the one that asks Microsoft in.";
    const EXAMPLE: &'static str = r#"{
        "referral": {
            "name": "Northwind warehouse rollout",
            "externalReferenceId": "OPP-20417",
            "type": "Shared",
            "qualification": "SalesQualified",
            "customerProfile": { "name": "Northwind Cold Storage BV", "address": { "city": "Rotterdam", "country": "NL" },
                "team": [{ "firstName": "Iris", "lastName": "de Wit", "phoneNumber": "+31105550101", "email": "iris@northwind.example" }] },
            "consent": { "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": true },
            "inviteContext": { "assistanceRequestCode": "CustomerTechnicalArchitecture", "notes": "Please introduce the account architect." },
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
    ) -> Result<SharedReferral, CallError> {
        let mut own = input.referral;
        prepare(&mut own)?;
        let reference = own.get("externalReferenceId").and_then(Value::as_str).unwrap_or_default().to_owned();

        // Whatever became of the second step before, the first may stand: so it is looked for every time, not only where
        // this call may have run.
        let found = recent::find(connection, &reference, false, context).await?;
        let (referral, is_new) = match found.filter(|found| found.kind.as_deref() == Some("Shared")) {
            Some(referral) => (referral, false),
            None => (connection.create(&own, context).await?, true),
        };
        let engagement = invitation::engagement(&referral)?;
        if !is_new && let Some(microsoft_referral) = invitation::find(connection, &engagement, context).await? {
            return Ok(SharedReferral { referral, microsoft_referral });
        }
        invitation::address(&mut own, engagement);
        let microsoft_referral = connection.create(&own, context).await?;
        Ok(SharedReferral { referral, microsoft_referral })
    }
}

impl Write for CreateSharedReferral {
    const FINDS_OUT: &'static str = "Every attempt first searches the referrals of the last 24 hours for one with the \
                                     same `externalReferenceId`, and its engagement for Microsoft's side.";

    async fn predict(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<SharedReferral>, CallError> {
        let mut own = input.referral;
        prepare(&mut own)?;
        let reference = own.get("externalReferenceId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let found = recent::find(connection, &reference, false, context).await?;
        let (referral, mut changes) = match found.filter(|found| found.kind.as_deref() == Some("Shared")) {
            Some(referral) => (referral, Vec::new()),
            None => {
                let created = preview::created(&own, context)?;
                (created.record, created.changes)
            }
        };
        let engagement = referral.engagement_id.clone().unwrap_or_default();
        if changes.is_empty()
            && let Some(microsoft_referral) = invitation::find(connection, &engagement, context).await?
        {
            return Ok(Prediction::unchanged(SharedReferral { referral, microsoft_referral }));
        }
        invitation::address(&mut own, engagement);
        let microsofts = preview::invited(&own, context)?;
        changes.extend(microsofts.changes);
        Ok(Prediction { record: SharedReferral { referral, microsoft_referral: microsofts.record }, changes })
    }
}

/// Fills in what makes a referral a shared one, and checks it.
fn prepare(own: &mut Map<String, Value>) -> Result<(), CallError> {
    let kind = own.entry("type").or_insert(Value::Null);
    if kind.is_null() {
        *kind = json!("Shared");
    }
    if *kind != "Shared" {
        return Err(CallError::rejected(
            "not_shared",
            format!("`type` is {kind}, but a co-sell referral is Shared; use create_referral for others"),
        ));
    }
    rules::check(own)?;
    if own.get("externalReferenceId").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(CallError::rejected(
            "reference_required",
            "`externalReferenceId` is missing: without it a half-made deal could not be found again; give the CRM record's id",
        ));
    }
    if own.get("target").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let solution = own["details"]["requirements"]["solutions"][0]["id"].clone();
        if solution.is_null() {
            return Err(CallError::rejected(
                "solution_required",
                "`details.requirements.solutions` is empty, but a co-sell deal is about a solution; add at least one",
            ));
        }
        own.insert("target".to_owned(), json!([{ "type": "SolutionProfile", "id": solution }]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{BASE, ENGAGEMENT, ID, call, connect, new_referral, stored};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    fn referrals() -> String {
        format!("{BASE}/referrals")
    }

    fn listed(referrals: Vec<Value>) -> Reply {
        Reply::json(200, json!({ "value": referrals }))
    }

    fn input() -> Value {
        let mut referral = new_referral();
        referral["type"] = Value::Null;
        referral["target"] = json!([]);
        json!({ "referral": referral })
    }

    fn own_side() -> Value {
        let mut own = stored();
        own["type"] = json!("Shared");
        own
    }

    fn microsofts_side() -> Value {
        json!({ "id": "00000000-0000-0000-0000-00000000000a", "engagementId": ENGAGEMENT, "organizationId": "msft" })
    }

    #[tokio::test]
    async fn two_steps_in_one_engagement() {
        let stub = Stub::start().await;
        stub.on("GET", &referrals(), [listed(vec![])]);
        stub.on("POST", &referrals(), [Reply::json(200, own_side()), Reply::json(200, microsofts_side())]);
        let output = call(&connect(&stub), "create_shared_referral", input(), false).await.unwrap();
        assert_eq!(output["referral"]["id"], ID);
        assert_eq!(output["microsoft_referral"]["organizationId"], "msft");
        let [first, second] = [1, 2].map(|index| stub.requests()[index].json());
        assert_eq!(first["type"], "Shared");
        assert_eq!(first["target"], json!([{ "type": "SolutionProfile", "id": "SOL-48120-KQP" }]));
        assert_eq!(first.get("engagementId"), None);
        assert_eq!(second["engagementId"], ENGAGEMENT);
        assert_eq!(second["target"], json!([{ "type": "BusinessProfileLocation", "id": "msft" }]));
        assert_eq!(second["customerProfile"], first["customerProfile"]);
    }

    #[tokio::test]
    async fn the_first_step_is_not_repeated_when_the_second_failed() {
        let stub = Stub::start().await;
        stub.on("GET", &referrals(), [listed(vec![]), listed(vec![own_side()]), listed(vec![own_side()])]);
        stub.on(
            "POST",
            &referrals(),
            [Reply::json(200, own_side()), Reply::json(503, json!({})), Reply::json(200, microsofts_side())],
        );
        let connection = connect(&stub);
        let error = call(&connection, "create_shared_referral", input(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::Retry { after: None });
        call(&connection, "create_shared_referral", input(), false).await.unwrap();
        let posted: Vec<_> = stub
            .requests()
            .into_iter()
            .filter(|seen| seen.method == "POST")
            .map(|seen| seen.json()["target"][0]["id"].clone())
            .collect();
        assert_eq!(posted, ["SOL-48120-KQP", "msft", "msft"]);
    }

    #[tokio::test]
    async fn neither_step_is_repeated_when_both_are_done() {
        let stub = Stub::start().await;
        stub.on("GET", &referrals(), [listed(vec![own_side()]), listed(vec![own_side(), microsofts_side()])]);
        let output = call(&connect(&stub), "create_shared_referral", input(), true).await.unwrap();
        assert_eq!(output["microsoft_referral"]["organizationId"], "msft");
        assert!(stub.requests().iter().all(|seen| seen.method == "GET"));
    }

    #[tokio::test]
    async fn what_is_no_shared_deal_is_refused_before_sending() {
        let stub = Stub::start().await;
        let connection = connect(&stub);
        for (member, value, code) in [
            ("type", json!("Independent"), "not_shared"),
            ("externalReferenceId", json!(""), "reference_required"),
            ("consent", json!(null), "member_required"),
            ("details", json!({ "requirements": {} }), "solution_required"),
        ] {
            let mut input = input();
            input["referral"][member] = value;
            assert_eq!(call(&connection, "create_shared_referral", input, false).await.unwrap_err().code, code);
        }
        assert!(stub.requests().is_empty());
    }
}
