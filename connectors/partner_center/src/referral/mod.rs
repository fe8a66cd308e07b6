//! What a referral is, as the Referrals API gives it and flows see it.
//!
//! Reading is lenient: null and missing members become null or empty, and members that are not known are kept, since
//! the service returns more than is documented. In the output of an operation every known member is there, so a flow
//! can name it without asking first.
//!
//! Read in this order: this file (the referral), [`parts`] (what is nested in it), `lenient` (how it is read).

mod lenient;
pub mod parts;

use cosell_sdk::JsonSchema;
use lenient::{list, or_default};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use parts::{Consent, CustomerProfile, Details, InviteContext, Links, Member, Target, TrackingInfo};

/// A referral: a deal as one organisation sees it. Several referrals of one engagement make a shared deal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Referral {
    /// Identifier of the referral, a GUID.
    pub id: Option<String>,
    /// Groups the referrals of one engagement, a GUID.
    pub engagement_id: Option<String>,
    /// Organisation that owns this referral; `msft` is Microsoft.
    pub organization_id: Option<String>,
    /// Name of the organisation that owns this referral.
    pub organization_name: Option<String>,
    /// Name of the deal.
    pub name: Option<String>,
    /// The record in the partner's own CRM.
    pub external_reference_id: Option<String>,
    /// When it was created (UTC, up to seven digits of a second).
    pub created_date_time: Option<String>,
    /// When it was last changed.
    pub updated_date_time: Option<String>,
    /// When an unanswered referral lapses.
    pub expiration_date_time: Option<String>,
    /// When the partner accepted it; for referrals of one's own, when it was created.
    pub accepted_date_time: Option<String>,
    /// When it was closed.
    pub closed_date_time: Option<String>,
    /// `New`, `Active` or `Closed`.
    pub status: Option<String>,
    /// Within `New`: `Pending`, `Received`; within `Active`: `Accepted`; within `Closed`: `Won`, `Lost`, `Declined`,
    /// `Expired`.
    pub substatus: Option<String>,
    /// Why it was lost or declined, as free text.
    pub status_reason: Option<String>,
    /// `Independent` (one partner sees it) or `Shared` (two parties work on it).
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `None`, `Direct`, `MarketingQualified` or `SalesQualified`.
    pub qualification: Option<String>,
    /// `Incoming` or `Outgoing`. Do not rely on it alone: compare the inviting organisation with the owning one.
    pub direction: Option<String>,
    /// Where a marketplace lead comes from.
    pub referral_source: Option<String>,
    /// What the customer of a marketplace lead asked for.
    pub call_to_action: Option<String>,
    /// The customer.
    #[serde(deserialize_with = "or_default")]
    pub customer_profile: CustomerProfile,
    /// What the customer agreed to.
    #[serde(deserialize_with = "or_default")]
    pub consent: Consent,
    /// The deal itself.
    #[serde(deserialize_with = "or_default")]
    pub details: Details,
    /// The partner's own people.
    #[serde(deserialize_with = "list")]
    pub team: Vec<Member>,
    /// Who was invited by whom, to help with what.
    #[serde(deserialize_with = "or_default")]
    pub invite_context: InviteContext,
    /// Whom it addresses.
    #[serde(deserialize_with = "list")]
    pub target: Vec<Target>,
    /// Version for conditional changes; the double quotes in it belong to it.
    pub e_tag: Option<String>,
    /// Links to itself and to the referrals of the same engagement.
    #[serde(deserialize_with = "or_default")]
    pub links: Links,
    /// Identifiers in Microsoft's own CRM.
    #[serde(deserialize_with = "or_default")]
    pub tracking_info: TrackingInfo,
    /// Sales stage: a name such as `Develop`, or a percentage such as `40`.
    pub sales_stage: Option<String>,
    /// Marketing campaign.
    pub campaign_id: Option<String>,
    /// Referral programme.
    pub referral_program: Option<String>,
    /// Whether it is marked in the portal.
    pub favorite: Option<bool>,
    /// The service's judgement of its quality.
    pub quality: Option<String>,
    /// Whether the service takes it for spam.
    pub is_spam: Option<bool>,
    /// Tags set by the service.
    #[serde(deserialize_with = "list")]
    pub tags: Vec<Value>,
    /// Partner location (PartnerID) of the owner.
    pub mpn_id: Option<String>,
    /// Deal registrations.
    #[serde(deserialize_with = "list")]
    pub registrations: Vec<Value>,
    /// State of the deal registration, such as `None` or `ReviewPending`.
    pub registration_status: Option<String>,
    /// How confidential the deal is.
    pub deal_sensitivity: Option<String>,
    /// What changed it last.
    pub last_modified_via: Option<String>,
    /// What created it.
    pub created_via: Option<String>,
    /// Last synchronisation run that touched it.
    pub last_run_id: Option<String>,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Referral {
    /// Whether this is Microsoft's side of a shared deal.
    pub fn is_microsofts(&self) -> bool {
        self.organization_id.as_deref() == Some("msft")
            || self.target.iter().any(|target| target.id.as_deref() == Some("msft"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn known_members_are_there_and_unknown_ones_stay() {
        let referral: Referral =
            serde_json::from_value(json!({ "id": "x", "newMember": { "a": 1 }, "details": { "more": 2 } })).unwrap();
        let value = serde_json::to_value(&referral).unwrap();
        assert_eq!(value["id"], "x");
        assert_eq!(value["newMember"], json!({ "a": 1 }));
        assert_eq!(value["details"]["more"], 2);
        for pointer in [
            "/externalReferenceId",
            "/eTag",
            "/type",
            "/customerProfile/address/country",
            "/consent/consentToShareReferralWithMicrosoftSellers",
            "/consent/consentToToShareInfoWithOthers",
            "/details/dealValue",
            "/inviteContext/invitedBy/organizationId",
            "/trackingInfo/microsoftMsxId",
        ] {
            assert_eq!(value.pointer(pointer), Some(&Value::Null), "{pointer}");
        }
        assert_eq!(value["team"], json!([]));
        assert_eq!(value["details"]["requirements"]["solutions"], json!([]));
        assert!(value.get("other").is_none());
    }

    #[test]
    fn the_forms_met_in_the_wild_are_read() {
        let referral: Referral = serde_json::from_value(json!({
            "team": { "email": "noor@fabrikam.example" },
            "tags": null,
            "target": null,
            "customerProfile": { "ids": {}, "team": null, "size": "", "address": null },
            "details": { "dealValue": "10000", "requirements": null },
            "eTag": "\"0a00b3c1-0000\"",
            "trackingInfo": null
        }))
        .unwrap();
        assert_eq!(referral.team[0].email.as_deref(), Some("noor@fabrikam.example"));
        assert!(referral.customer_profile.ids.is_empty());
        assert_eq!(referral.details.deal_value.as_ref().unwrap().as_i64(), Some(10000));
        assert_eq!(referral.e_tag.as_deref(), Some("\"0a00b3c1-0000\""));
        assert_eq!(serde_json::to_value(&referral).unwrap()["details"]["dealValue"], json!(10000));
    }

    #[test]
    fn microsofts_side_is_known_by_owner_or_target() {
        let side = |value: Value| serde_json::from_value::<Referral>(value).unwrap().is_microsofts();
        assert!(side(json!({ "organizationId": "msft" })));
        assert!(side(json!({ "target": [{ "type": "BusinessProfileLocation", "id": "msft" }] })));
        assert!(!side(json!({ "organizationId": "7b3c", "target": [{ "type": "SolutionProfile", "id": "SOL-1" }] })));
    }
}
