use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::SharedReferral;
use crate::changes::{Change, outstanding};
use crate::connection::PartnerCenter;
use crate::referral::Referral;
use crate::{invitation, preview, rules, status};

/// What Microsoft can help with (Microsoft's OpenAPI file for its connector).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum AssistanceRequestCode {
    /// Workload specific value proposition.
    WorkloadSpecificValueProposition,
    /// Customer technical architecture.
    CustomerTechnicalArchitecture,
    /// Proof of concept or demo.
    ProofOfConceptOrDemo,
    /// Quotes or licensing.
    QuotesOrLicensing,
    /// Post sales customer success.
    PostSalesCustomerSuccess,
    /// General or other.
    GeneralOrOther,
}

/// Which deal Microsoft is asked into, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteMicrosoftInput {
    /// Identifier of the partner's own referral, a GUID.
    pub id: String,
    /// What Microsoft can help with. It cannot be withdrawn later.
    pub assistance_request_code: AssistanceRequestCode,
    /// A message to Microsoft's seller.
    #[serde(default)]
    pub notes: Option<String>,
}

/// Asks Microsoft into a deal that exists: a private or partner-led one becomes co-sell (Referrals API, deal types).
#[derive(Debug)]
pub struct InviteMicrosoft;

/// What is to be done.
enum Task {
    /// Nothing: Microsoft has its side.
    Nothing(Box<SharedReferral>),
    /// The consent to be given, if it is not, and the invitation to be sent.
    Invite { own: Box<Referral>, consent: Vec<Change>, invitation: Map<String, Value> },
}

impl Task {
    /// Looks at the deal, and at whether it can be shared.
    async fn new(
        connection: &PartnerCenter,
        id: Uuid,
        input: &InviteMicrosoftInput,
        context: &CallContext,
    ) -> Result<Self, CallError> {
        let own = connection.get(id, context).await?;
        if own.is_microsofts() {
            return Err(CallError::rejected(
                "not_own_referral",
                format!("the referral {id} is Microsoft's side of a deal; give the id of the partner's own"),
            ));
        }
        let engagement = invitation::engagement(&own)?;
        if let Some(microsoft_referral) = invitation::find(connection, &engagement, context).await? {
            return Ok(Self::Nothing(Box::new(SharedReferral { referral: own, microsoft_referral })));
        }
        status::check_step(&own, "Active")?;
        let code = serde_json::to_value(input.assistance_request_code).unwrap_or_default();
        let help = code.as_str().unwrap_or_default();
        let invitation = invitation::of(&own, engagement, help, input.notes.as_deref());
        rules::check(&invitation)?;
        let consent =
            Change { path: "/consent/consentToShareReferralWithMicrosoftSellers".to_owned(), value: Value::Bool(true) };
        let consent = outstanding(vec![consent], &own);
        Ok(Self::Invite { own: Box::new(own), consent, invitation })
    }
}

impl Operation for InviteMicrosoft {
    type Connection = PartnerCenter;
    type Input = InviteMicrosoftInput;
    type Output = SharedReferral;

    const NAME: &'static str = "invite_microsoft";
    const TITLE: &'static str = "Ask Microsoft into a deal";
    const DESCRIPTION: &'static str = "Makes a private or partner-led deal a co-sell one: shows it to Microsoft's sellers, and asks Microsoft into its engagement.";
    const EXAMPLE: &'static str = r#"{
        "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10",
        "assistance_request_code": "CustomerTechnicalArchitecture",
        "notes": "Please introduce the account architect."
    }"#;
    const EFFECT: Effect = Effect::Write;

    async fn call(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<SharedReferral, CallError> {
        let id = guid("id", &input.id)?;
        let (own, consent, invitation) = match Task::new(connection, id, &input, context).await? {
            Task::Nothing(shared) => return Ok(*shared),
            Task::Invite { own, consent, invitation } => (own, consent, invitation),
        };
        if !consent.is_empty() {
            let patch = consent.iter().map(Change::operation).collect();
            connection.patch(id, patch, own.e_tag.as_deref(), context).await?;
        }
        let microsoft_referral = connection.create(&invitation, context).await?;
        // The invitation may have changed the partner's own referral too.
        let referral = connection.get(id, context).await.map_err(CallError::after_write)?;
        Ok(SharedReferral { referral, microsoft_referral })
    }
}

impl Write for InviteMicrosoft {
    const FINDS_OUT: &'static str = "Every attempt first looks for Microsoft's side in the engagement, and sends nothing \
                                     where there is one; the consent is sent only where it is not given yet.";

    async fn predict(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<SharedReferral>, CallError> {
        let id = guid("id", &input.id)?;
        match Task::new(connection, id, &input, context).await? {
            Task::Nothing(shared) => Ok(Prediction::unchanged(*shared)),
            Task::Invite { own, consent, invitation } => {
                let shown = preview::changed(*own, &consent, context)?;
                let invited = preview::invited(&invitation, context)?;
                let record = SharedReferral { referral: shown.record.referral, microsoft_referral: invited.record };
                Ok(Prediction { record, changes: shown.changes.into_iter().chain(invited.changes).collect() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{BASE, ENGAGEMENT, ID, KEY, call, connect, path, stored};
    use cosell_sdk::stub::{Reply, Stub};
    use cosell_sdk::{CallContext, Meaning};
    use serde_json::{Value, json};

    fn referrals() -> String {
        format!("{BASE}/referrals")
    }

    fn input() -> Value {
        json!({ "id": ID, "assistance_request_code": "QuotesOrLicensing", "notes": "Please help." })
    }

    fn microsofts_side() -> Value {
        json!({ "id": "9a10", "engagementId": ENGAGEMENT, "organizationId": "msft" })
    }

    async fn stub(own: Value, engagement: Vec<Reply>) -> Stub {
        let stub = Stub::start().await;
        stub.on("GET", &path(ID), [Reply::json(200, own)]);
        stub.on("GET", &referrals(), engagement);
        stub.on("PATCH", &path(ID), [Reply::json(200, stored())]);
        stub
    }

    fn listed(referrals: Vec<Value>) -> Reply {
        Reply::json(200, json!({ "value": referrals }))
    }

    fn writes(stub: &Stub) -> Vec<String> {
        stub.lines().into_iter().filter(|line| !line.starts_with("GET")).collect()
    }

    #[tokio::test]
    async fn the_consent_then_the_second_referral() {
        let stub = stub(stored(), vec![listed(vec![stored()])]).await;
        stub.on("POST", &referrals(), [Reply::json(200, microsofts_side())]);
        let output = call(&connect(&stub), "invite_microsoft", input(), false).await.unwrap();
        assert_eq!(output["microsoft_referral"]["organizationId"], "msft");
        assert_eq!(writes(&stub), [format!("PATCH {}", path(ID)), format!("POST {}", referrals())]);
        let sent = |method: &str| stub.requests().into_iter().find(|seen| seen.method == method).unwrap();
        assert_eq!(sent("PATCH").header("if-match"), stored()["eTag"].as_str());
        let consent = "/consent/consentToShareReferralWithMicrosoftSellers";
        assert_eq!(sent("PATCH").json(), json!([{ "op": "replace", "path": consent, "value": true }]));
        let invitation = sent("POST").json();
        assert_eq!((&invitation["engagementId"], &invitation["type"]), (&json!(ENGAGEMENT), &json!("Shared")));
        assert_eq!(invitation["target"], json!([{ "type": "BusinessProfileLocation", "id": "msft" }]));
        assert_eq!(
            invitation["inviteContext"],
            json!({ "assistanceRequestCode": "QuotesOrLicensing", "notes": "Please help." })
        );
        assert_eq!(invitation["consent"]["consentToShareReferralWithMicrosoftSellers"], true);
        assert_eq!(invitation["customerProfile"]["team"][0]["email"], "iris@northwind.example");
        assert_eq!(invitation.get("eTag"), None);
        assert_eq!(
            invitation["details"]["requirements"]["additionalRequirements"]["attributes"],
            json!([{ "type": "CustomerMarketplaceIntent", "id": "HaveNotDecided" }])
        );
    }

    #[tokio::test]
    async fn a_visible_deal_needs_no_consent_and_its_intent_stays() {
        let mut own = stored();
        own["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(true);
        let intent = json!([{ "type": "CustomerMarketplaceIntent", "id": "Yes" }]);
        own["details"]["requirements"]["additionalRequirements"] = json!({ "attributes": intent });
        let stub = stub(own, vec![listed(vec![])]).await;
        stub.on("POST", &referrals(), [Reply::json(200, microsofts_side())]);
        call(&connect(&stub), "invite_microsoft", input(), false).await.unwrap();
        assert_eq!(writes(&stub), [format!("POST {}", referrals())]);
        let sent = stub.requests().into_iter().find(|seen| seen.method == "POST").unwrap().json();
        assert_eq!(sent["details"]["requirements"]["additionalRequirements"]["attributes"], intent);
    }

    #[tokio::test]
    async fn after_a_lost_answer_microsofts_side_is_found() {
        let stub = stub(stored(), vec![listed(vec![]), listed(vec![stored(), microsofts_side()])]).await;
        stub.on("POST", &referrals(), [Reply::hang_up()]);
        let connection = connect(&stub);
        let error = call(&connection, "invite_microsoft", input(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
        let sent = writes(&stub).len();
        let output = call(&connection, "invite_microsoft", input(), true).await.unwrap();
        assert_eq!(output["microsoft_referral"]["id"], "9a10");
        assert_eq!(writes(&stub).len(), sent);
    }

    #[tokio::test]
    async fn what_cannot_be_shared_is_refused_before_anything_is_sent() {
        let with = |pointer: &str, value: Value| {
            let mut own = stored();
            match own.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => panic!("{pointer}"),
            }
            own
        };
        for (own, code) in [
            (with("/status", json!("Closed")), "illegal_status"),
            (with("/organizationId", json!("msft")), "not_own_referral"),
            (with("/engagementId", Value::Null), "no_engagement"),
            (with("/customerProfile/team", json!([])), "contact_required"),
            (with("/details/requirements/solutions", json!([])), "solution_required"),
            (with("/customerProfile/address/country", json!("NLD")), "country_code_required"),
        ] {
            let stub = stub(own, vec![listed(vec![])]).await;
            let error = call(&connect(&stub), "invite_microsoft", input(), false).await.unwrap_err();
            assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, code));
            assert!(writes(&stub).is_empty());
        }
    }

    #[tokio::test]
    async fn a_preview_tells_both_steps() {
        let stub = stub(stored(), vec![listed(vec![]), listed(vec![microsofts_side()])]).await;
        let connection = connect(&stub);
        let context = || CallContext::new(KEY.parse().unwrap(), false);
        let told = connection.predict("invite_microsoft", input(), context()).await.unwrap();
        assert_eq!(told.changes[0].field, "consent.consentToShareReferralWithMicrosoftSellers");
        assert!(told.changes.iter().any(|change| change.field == "target"));
        assert_eq!(told.record["referral"]["consent"]["consentToShareReferralWithMicrosoftSellers"], true);
        let done = connection.predict("invite_microsoft", input(), context()).await.unwrap();
        assert!(done.changes.is_empty());
    }
}
