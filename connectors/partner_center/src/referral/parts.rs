//! What is nested in a referral (Referrals API, referral resources).

use cosell_sdk::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::lenient::{list, number, or_default};

/// The customer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomerProfile {
    /// Name of the customer's organisation.
    pub name: Option<String>,
    /// Where it is.
    #[serde(deserialize_with = "or_default")]
    pub address: Address,
    /// How many people it employs, such as `51to250employees`.
    pub size: Option<String>,
    /// The customer's people. Needed when Microsoft is asked for help.
    #[serde(deserialize_with = "list")]
    pub team: Vec<Member>,
    /// Identifiers of the customer elsewhere.
    #[serde(deserialize_with = "list")]
    pub ids: Vec<CustomerId>,
    /// Whether Microsoft has matched the customer.
    pub is_matching_complete: Option<bool>,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Address {
    /// Street and number.
    pub address_line1: Option<String>,
    /// More of it.
    pub address_line2: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Country as two letters (ISO 3166-1 alpha-2).
    pub country: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Member {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Phone number.
    pub phone_number: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Title at work.
    pub title: Option<String>,
    /// How to be written to.
    pub contact_preference: Option<Value>,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An identifier of the customer elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomerId {
    /// `Duns` or `External`.
    pub profile_type: Option<String>,
    /// The identifier.
    pub id: Option<String>,
}

/// What the customer agreed to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Consent {
    /// Personal data may be shared with other organisations. The doubled "To" is the API's spelling.
    pub consent_to_to_share_info_with_others: Option<bool>,
    /// The people may be contacted.
    pub consent_to_contact: Option<bool>,
    /// Microsoft's sellers may see the deal. Once true it cannot be taken back.
    pub consent_to_share_referral_with_microsoft_sellers: Option<bool>,
    /// Microsoft may contact certain partners.
    pub consent_to_microsoft_to_contact_specific_partners: Option<bool>,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The deal itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// Notes.
    pub notes: Option<String>,
    /// Value of the deal, in `currency`.
    #[serde(deserialize_with = "number")]
    #[schemars(with = "Option<f64>")]
    pub deal_value: Option<Number>,
    /// Currency of the value (ISO 4217).
    pub currency: Option<String>,
    /// When it is expected to close.
    pub closing_date_time: Option<String>,
    /// Whether the customer asked to be contacted.
    pub customer_requested_contact: Option<bool>,
    /// What the customer did.
    pub customer_action: Option<String>,
    /// Incentive level.
    pub incentive_level: Option<String>,
    /// What the deal is about.
    #[serde(deserialize_with = "or_default")]
    pub requirements: Requirements,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What the deal is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Requirements {
    /// Industries of the customer.
    #[serde(deserialize_with = "list")]
    pub industries: Vec<Value>,
    /// Microsoft products.
    #[serde(deserialize_with = "list")]
    pub products: Vec<Value>,
    /// Services.
    #[serde(deserialize_with = "list")]
    pub services: Vec<Value>,
    /// Solutions. At least one is needed for anything shared with Microsoft.
    #[serde(deserialize_with = "list")]
    pub solutions: Vec<Solution>,
    /// Offers.
    #[serde(deserialize_with = "list")]
    pub offers: Vec<Value>,
    /// Sales plays.
    #[serde(deserialize_with = "list")]
    pub sales_plays: Vec<Value>,
    /// More, by name.
    #[serde(deserialize_with = "or_default")]
    pub additional_requirements: AdditionalRequirements,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A solution of the deal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Solution {
    /// `SOL-nnnnn-XXX` of a co-sell-ready solution, or a GUID of Microsoft's catalogue.
    pub id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// `Name` (from the catalogue), `Category` (a predefined name) or `None`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Publisher.
    pub publisher_name: Option<String>,
    /// Another type than `type`, such as `3P`.
    pub solution_type: Option<String>,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Requirements by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AdditionalRequirements {
    /// Pairs such as `{ type: CustomerMarketplaceIntent, id: HaveNotDecided }`.
    #[serde(deserialize_with = "list")]
    pub attributes: Vec<Attribute>,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A named requirement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Attribute {
    /// Name of the requirement.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its value.
    pub id: Option<String>,
}

/// Who was invited by whom, to help with what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InviteContext {
    /// Message to the invited organisation.
    pub notes: Option<String>,
    /// What help is asked for, such as `GeneralOrOther`; `Unknown` is none.
    pub assistance_request_code: Option<String>,
    /// Who invited.
    #[serde(deserialize_with = "or_default")]
    pub invited_by: InvitedBy,
    /// Partner location (PartnerID) that was invited.
    pub invited_mpn_id: Option<String>,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Who invited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InvitedBy {
    /// Organisation; `msft` is Microsoft.
    pub organization_id: Option<String>,
    /// Its name.
    pub organization_name: Option<String>,
}

/// Whom a referral addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Target {
    /// `BusinessProfileLocation`, `SolutionProfile` or `None`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Whom; `msft` is Microsoft.
    pub id: Option<String>,
}

/// Links. Only for reading: the addresses are not always ones that can be asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Links {
    /// To the referrals of the same engagement.
    #[serde(deserialize_with = "or_default")]
    pub related_referrals: Link,
    /// To itself.
    #[serde(rename = "self", deserialize_with = "or_default")]
    pub itself: Link,
}

/// A link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Link {
    /// Address.
    pub uri: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
}

/// Identifiers in Microsoft's own CRM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TrackingInfo {
    /// Opportunity in Microsoft's CRM, once Microsoft has accepted.
    pub microsoft_msx_id: Option<String>,
    /// Members that are not documented.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
