//! Microsoft's side of a deal: a second referral in the engagement of the partner's own, addressed to Microsoft (Referrals
//! API, create a referral, shared).

use cosell_sdk::{CallContext, CallError};
use serde_json::{Map, Value, json};

use crate::connection::PartnerCenter;
use crate::referral::Referral;

/// What of a referral the two sides of a deal have in common; the rest belongs to one side, or to the service.
const COMMON: [&str; 6] = ["name", "externalReferenceId", "qualification", "customerProfile", "details", "team"];

/// The engagement of the partner's own referral.
///
/// # Errors
/// `no_engagement`, where Partner Center gave it none.
pub(crate) fn engagement(referral: &Referral) -> Result<String, CallError> {
    referral.engagement_id.clone().ok_or_else(|| {
        CallError::rejected(
            "no_engagement",
            format!(
                "Partner Center gave the referral {} no engagement, so Microsoft cannot be asked in; do it in the portal",
                referral.id.as_deref().unwrap_or("without id")
            ),
        )
    })
}

/// Microsoft's side of an engagement, where there is one.
pub(crate) async fn find(
    connection: &PartnerCenter,
    engagement: &str,
    context: &CallContext,
) -> Result<Option<Referral>, CallError> {
    Ok(connection.related(engagement, context).await?.into_iter().find(Referral::is_microsofts))
}

/// Turns a new referral of the partner's own into the one that asks Microsoft into its engagement.
pub(crate) fn address(own: &mut Map<String, Value>, engagement: String) {
    own.insert("engagementId".to_owned(), Value::String(engagement));
    own.insert("target".to_owned(), json!([{ "type": "BusinessProfileLocation", "id": "msft" }]));
}

/// The referral that asks Microsoft into the engagement of one that exists, with the help wanted.
///
/// The deal then is visible to Microsoft. A customer's intent to buy through the marketplace, without which Partner Center
/// takes no such referral, counts as not decided where the deal does not say.
pub(crate) fn of(own: &Referral, engagement: String, help: &str, notes: Option<&str>) -> Map<String, Value> {
    const ATTRIBUTES: &str = "/details/requirements/additionalRequirements/attributes";
    const INTENT: &str = "CustomerMarketplaceIntent";
    let mut own = json!(own);
    if let Some(Value::Array(attributes)) = own.pointer_mut(ATTRIBUTES)
        && !attributes.iter().any(|attribute| attribute["type"] == INTENT)
    {
        attributes.push(json!({ "type": INTENT, "id": "HaveNotDecided" }));
    }
    let mut consent = own["consent"].take();
    consent["consentToShareReferralWithMicrosoftSellers"] = json!(true);
    let mut invitation: Map<String, Value> =
        COMMON.iter().map(|name| ((*name).to_owned(), own[*name].take())).collect();
    invitation.insert("type".to_owned(), json!("Shared"));
    invitation.insert("consent".to_owned(), consent);
    invitation.insert("inviteContext".to_owned(), json!({ "assistanceRequestCode": help, "notes": notes }));
    address(&mut invitation, engagement);
    invitation
}
