use cosell_sdk::values::{guid, same};
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::UpdatedReferral;
use crate::changes::{Change, outstanding};
use crate::connection::PartnerCenter;
use crate::preview;
use crate::referral::Referral;

/// What may be changed in a registration (Microsoft's OpenAPI file, update deal registration). A referral has one
/// registration, and that one solution.
const CHANGEABLE: [&str; 12] = [
    "contract/startDateTime",
    "contract/endDateTime",
    "contract/signDateTime",
    "contract/term",
    "contract/value",
    "solutionDetails/value",
    "solutionDetails/currency",
    "solutionDetails/isDeployedOnAzure",
    "solutionDetails/primaryDeploymentOn",
    "solutionDetails/pricingModel",
    "solutionDetails/marketplaceTransactionDetails/isMarketplaceTransacted",
    "solutionDetails/marketplaceTransactionDetails/marketplaceTransactionDateTime",
];

/// A deal to register.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDealRegistrationInput {
    /// Identifier of the referral, a GUID. It must be won and visible to Microsoft.
    pub referral_id: String,
    /// The registration, with the members of the Referrals API: `type` (`AzureIPCoSell`), `solutionDetails` and
    /// `contract`. Leave 72 hours between creating the referral and winning it.
    pub registration: Map<String, Value>,
}

/// Registers a won deal.
#[derive(Debug)]
pub struct CreateDealRegistration;

impl CreateDealRegistration {
    /// The referral, and the change of it that is outstanding.
    async fn prepare(
        connection: &PartnerCenter,
        input: CreateDealRegistrationInput,
        context: &CallContext,
    ) -> Result<(Referral, Option<Value>), CallError> {
        let id = guid("referral_id", &input.referral_id)?;
        check_complete(&input.registration)?;
        let referral = connection.get(id, context).await?;
        check_registrable(&referral)?;
        let wanted = Value::Object(input.registration);
        let is_there = referral.registrations.iter().any(|found| same(&wanted, found));
        Ok((referral, (!is_there).then_some(wanted)))
    }
}

impl Operation for CreateDealRegistration {
    type Connection = PartnerCenter;
    type Input = CreateDealRegistrationInput;
    type Output = UpdatedReferral;

    const NAME: &'static str = "create_deal_registration";
    const TITLE: &'static str = "Register a won deal";
    const DESCRIPTION: &'static str =
        "Adds a deal registration to a referral that is won and visible to Microsoft, and gives the referral back.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "referral_id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10",
        "registration": {
            "type": "AzureIPCoSell",
            "solutionDetails": [{
                "id": "SOL-48120-KQP", "currency": "EUR", "value": 84000, "isDeployedOnAzure": true,
                "primaryDeploymentOn": "Customer", "pricingModel": "PayAsYouGo"
            }],
            "contract": { "currency": "EUR", "value": 84000, "term": "Perpetual", "signDateTime": "2026-11-20T00:00:00Z" }
        }
    }"#;

    async fn call(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<UpdatedReferral, CallError> {
        let id = guid("referral_id", &input.referral_id)?;
        let (referral, outstanding) = Self::prepare(connection, input, context).await?;
        let Some(registration) = outstanding else { return Ok(UpdatedReferral { referral, changed: false }) };
        let patch = vec![json!({ "op": "add", "path": "/registrations/-", "value": registration })];
        let referral = connection.patch(id, patch, referral.e_tag.as_deref(), context).await?;
        Ok(UpdatedReferral { referral, changed: true })
    }
}

impl Write for CreateDealRegistration {
    const FINDS_OUT: &'static str =
        "Every attempt reads the referral first, and adds nothing where it has such a registration.";

    async fn predict(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<UpdatedReferral>, CallError> {
        let (referral, outstanding) = Self::prepare(connection, input, context).await?;
        let changes: Vec<Change> = outstanding
            .map(|registration| {
                let all: Vec<&Value> = referral.registrations.iter().chain([&registration]).collect();
                Change { path: "/registrations".to_owned(), value: json!(all) }
            })
            .into_iter()
            .collect();
        preview::changed(referral, &changes, context)
    }
}

/// What to change in a registration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateDealRegistrationInput {
    /// Identifier of the referral, a GUID.
    pub referral_id: String,
    /// New values, nested as in the registration: `{ contract: { value: 1 }, solutionDetails: { value: 1 } }`, where
    /// `solutionDetails` is the first solution's.
    pub changes: Map<String, Value>,
}

/// Changes a deal registration.
#[derive(Debug)]
pub struct UpdateDealRegistration;

impl UpdateDealRegistration {
    async fn prepare(
        connection: &PartnerCenter,
        input: UpdateDealRegistrationInput,
        context: &CallContext,
    ) -> Result<(Referral, Vec<Change>), CallError> {
        let id = guid("referral_id", &input.referral_id)?;
        let mut changes = Vec::new();
        flatten("", &input.changes, &mut changes)?;
        let referral = connection.get(id, context).await?;
        if referral.registrations.is_empty() {
            return Err(CallError::rejected(
                "no_registration",
                "the referral has no deal registration yet; create one by create_deal_registration",
            ));
        }
        let changes = outstanding(changes, &referral);
        Ok((referral, changes))
    }
}

impl Operation for UpdateDealRegistration {
    type Connection = PartnerCenter;
    type Input = UpdateDealRegistrationInput;
    type Output = UpdatedReferral;

    const NAME: &'static str = "update_deal_registration";
    const TITLE: &'static str = "Update a deal registration";
    const DESCRIPTION: &'static str = "Changes the contract or the solution's details of a referral's deal registration, and gives the referral back.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "referral_id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10",
        "changes": { "contract": { "value": 91000 }, "solutionDetails": { "value": 91000 } }
    }"#;

    async fn call(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<UpdatedReferral, CallError> {
        let id = guid("referral_id", &input.referral_id)?;
        let (referral, changes) = Self::prepare(connection, input, context).await?;
        if changes.is_empty() {
            return Ok(UpdatedReferral { referral, changed: false });
        }
        let patch = changes.iter().map(Change::operation).collect();
        let referral = connection.patch(id, patch, referral.e_tag.as_deref(), context).await?;
        Ok(UpdatedReferral { referral, changed: true })
    }
}

impl Write for UpdateDealRegistration {
    const FINDS_OUT: &'static str = "Every attempt reads the referral first, and sends only what it does not say yet.";

    async fn predict(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<UpdatedReferral>, CallError> {
        let (referral, changes) = Self::prepare(connection, input, context).await?;
        preview::changed(referral, &changes, context)
    }
}

/// Takes nested changes apart into paths below the first registration and its first solution.
fn flatten(above: &str, members: &Map<String, Value>, changes: &mut Vec<Change>) -> Result<(), CallError> {
    for (name, value) in members {
        let path = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        let leads_on =
            CHANGEABLE.iter().any(|known| known.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/')));
        match value {
            _ if CHANGEABLE.contains(&path.as_str()) => changes.push(Change {
                path: format!("/registrations/0/{}", path.replace("solutionDetails/", "solutionDetails/0/")),
                value: value.clone(),
            }),
            Value::Object(members) if leads_on => flatten(&path, members, changes)?,
            _ => {
                return Err(CallError::rejected(
                    "not_changeable",
                    format!(
                        "a deal registration's `{}` cannot be changed; only these can: {}",
                        path.replace('/', "."),
                        CHANGEABLE.map(|path| path.replace('/', ".")).join(", ")
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn check_complete(registration: &Map<String, Value>) -> Result<(), CallError> {
    for name in ["type", "solutionDetails", "contract"] {
        if registration.get(name).is_none_or(Value::is_null) {
            return Err(CallError::rejected(
                "member_required",
                format!("the registration has no `{name}`; fill it in"),
            ));
        }
    }
    Ok(())
}

/// Only a won deal that Microsoft can see is eligible (Partner Center, register deals).
fn check_registrable(referral: &Referral) -> Result<(), CallError> {
    let visible = referral.consent.consent_to_share_referral_with_microsoft_sellers == Some(true);
    if referral.substatus.as_deref() == Some("Won") && visible {
        return Ok(());
    }
    Err(CallError::rejected(
        "not_registrable",
        format!(
            "only a deal that is won and visible to Microsoft can be registered; this one is {}, {}",
            referral.substatus.as_deref().unwrap_or("in no status"),
            if visible { "and visible" } else { "and not visible" }
        ),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{ID, call, connect, path, won};
    use cosell_sdk::stub::{Reply, Stub};

    async fn stub(referral: Value) -> Stub {
        let stub = Stub::start().await;
        stub.on("GET", &path(ID), [Reply::json(200, referral.clone())]);
        stub.on("PATCH", &path(ID), [Reply::json(200, referral)]);
        stub
    }

    fn create() -> Value {
        serde_json::from_str(CreateDealRegistration::EXAMPLE).unwrap()
    }

    #[tokio::test]
    async fn a_won_deal_is_registered_once() {
        let mut referral = won();
        let first = stub(referral.clone()).await;
        call(&connect(&first), "create_deal_registration", create(), false).await.unwrap();
        let sent = first.requests()[1].json();
        assert_eq!((&sent[0]["op"], &sent[0]["path"]), (&json!("add"), &json!("/registrations/-")));
        assert_eq!(sent[0]["value"], create()["registration"]);

        referral["registrations"] = json!([create()["registration"]]);
        referral["registrations"][0]["status"] = json!("ReviewPending");
        let second = stub(referral).await;
        let output = call(&connect(&second), "create_deal_registration", create(), true).await.unwrap();
        assert_eq!((&output["changed"], second.requests().len()), (&json!(false), 1));
    }

    #[tokio::test]
    async fn what_is_not_won_not_visible_or_not_complete_is_refused() {
        let (mut open, mut hidden) = (won(), won());
        open["substatus"] = json!("Accepted");
        hidden["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(false);
        for referral in [open, hidden] {
            let stub = stub(referral).await;
            let error = call(&connect(&stub), "create_deal_registration", create(), false).await.unwrap_err();
            assert_eq!(error.code, "not_registrable");
        }
        let stub = stub(won()).await;
        let mut input = create();
        input["registration"]["contract"] = Value::Null;
        let error = call(&connect(&stub), "create_deal_registration", input, false).await.unwrap_err();
        assert_eq!((error.code.as_str(), stub.requests().len()), ("member_required", 0));
    }

    #[tokio::test]
    async fn changes_go_to_the_first_registration_and_solution() {
        let mut referral = won();
        referral["registrations"] = json!([create()["registration"]]);
        let stub = stub(referral).await;
        let input = |changes: Value| json!({ "referral_id": ID, "changes": changes });
        let connection = connect(&stub);
        let changes =
            json!({ "contract": { "value": 91000, "term": "Perpetual" }, "solutionDetails": { "value": 91000 } });
        call(&connection, "update_deal_registration", input(changes), false).await.unwrap();
        assert_eq!(
            stub.requests()[1].json(),
            json!([
                { "op": "replace", "path": "/registrations/0/contract/value", "value": 91000 },
                { "op": "replace", "path": "/registrations/0/solutionDetails/0/value", "value": 91000 }
            ])
        );
        for changes in [json!({ "type": "x" }), json!({ "contract": { "x": 1 } }), json!({ "contract": 1 })] {
            let error = call(&connection, "update_deal_registration", input(changes), false).await.unwrap_err();
            assert_eq!(error.code, "not_changeable");
        }
    }
}
