//! The referral document: its full shape, and how a request's body is laid over it.
//!
//! The shape is that of payloads from the live service: members without a value are present as null.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Members that only the service sets; a client's values for them are ignored.
const SERVER_OWNED: [&str; 26] = [
    "@odata.context",
    "id",
    "organizationId",
    "organizationName",
    "lastModifiedVia",
    "createdVia",
    "createdDateTime",
    "updatedDateTime",
    "expirationDateTime",
    "acceptedDateTime",
    "closedDateTime",
    "direction",
    "referralSource",
    "callToAction",
    "eTag",
    "quality",
    "isSpam",
    "mpnId",
    "dealSensitivity",
    "tags",
    "registrationStatus",
    "registrations",
    "links",
    "trackingInfo",
    "status",
    "substatus",
];

/// A document with every member, in the order of payloads from the live service.
const SHAPE: &str = include_str!("shape.json");

/// Seven fractional digits and `Z`, as the live service writes instants.
pub(super) fn instant(at: Timestamp) -> Value {
    Value::String(at.strftime("%Y-%m-%dT%H:%M:%S.%7fZ").to_string())
}

/// A referral as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Referral(pub(super) Value);

impl Referral {
    /// A document with every member, all of them empty.
    pub(super) fn empty() -> Referral {
        Referral(serde_json::from_str(SHAPE).unwrap_or_default())
    }

    /// Lays the members of `body` over the document: objects member by member, everything else whole. Known names are
    /// recognised in any case; unknown members are kept as they came; members that only the service sets are left alone.
    pub(super) fn lay_over(&mut self, body: Map<String, Value>) {
        let body = body.into_iter().filter(|(name, _)| !SERVER_OWNED.iter().any(|own| own.eq_ignore_ascii_case(name)));
        merge(&mut self.0, body.collect());
    }

    /// The same without protecting the service's own members: for acts of the service or of Microsoft.
    pub(super) fn set_all(&mut self, body: Map<String, Value>) {
        merge(&mut self.0, body);
    }

    /// The value at JSON pointer `pointer`; null where nothing is.
    pub(super) fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The text at `pointer`; empty where there is none.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// The list at `pointer`; empty where there is none.
    pub(super) fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// Sets the value at `pointer`; its parent must be an object of the shape above.
    pub(super) fn set(&mut self, pointer: &str, value: Value) {
        let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        if let Some(Value::Object(members)) = self.0.pointer_mut(parent) {
            members.insert(name.to_owned(), value);
        }
    }

    /// Its id.
    pub(super) fn id(&self) -> Uuid {
        self.text("/id").parse().unwrap_or_default()
    }

    /// The document as it is sent.
    pub(crate) fn into_document(self) -> Value {
        self.0
    }

    /// The engagement it belongs to.
    pub(super) fn engagement(&self) -> &str {
        self.text("/engagementId")
    }

    /// What a person calls it.
    pub(super) fn title(&self) -> String {
        let names = [self.text("/name"), self.text("/customerProfile/name")];
        names.into_iter().find(|name| !name.is_empty()).unwrap_or("(no name)").to_owned()
    }

    /// True when Microsoft was asked for help.
    pub(super) fn asks_for_help(&self) -> bool {
        !["", "Unknown"].contains(&self.text("/inviteContext/assistanceRequestCode"))
    }

    /// True when Microsoft's sellers may see it.
    pub(super) fn visible(&self) -> bool {
        self.at("/consent/consentToShareReferralWithMicrosoftSellers") == true
    }
}

fn merge(document: &mut Value, over: Map<String, Value>) {
    let Value::Object(members) = document else { return };
    for (name, value) in over {
        let known = members.keys().find(|key| key.eq_ignore_ascii_case(&name)).cloned().unwrap_or(name);
        match (members.get_mut(&known), value) {
            (Some(own @ Value::Object(_)), Value::Object(value)) => merge(own, value),
            // Null for a whole object means that nothing was given for it.
            (Some(Value::Object(_)), Value::Null) => {}
            (_, value) => {
                members.insert(known, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn laid_over(body: Value) -> Referral {
        let mut referral = Referral::empty();
        referral.lay_over(body.as_object().unwrap().clone());
        referral
    }

    #[test]
    fn known_names_are_recognised_in_any_case_and_unknown_ones_kept() {
        let referral = laid_over(json!({
            "Name": "Deal", "consent": { "ConsentToContact": true }, "details": { "ownThing": { "A": 1 } }, "extra": 5,
        }));
        assert_eq!(referral.at("/name"), "Deal");
        assert_eq!(referral.at("/consent/consentToContact"), true);
        assert_eq!(referral.at("/consent/consentToToShareInfoWithOthers"), false);
        assert_eq!(referral.at("/details/ownThing/A"), 1);
        assert_eq!(referral.at("/extra"), 5);
    }

    #[test]
    fn the_services_own_members_are_left_alone() {
        let referral = laid_over(json!({ "ETag": "mine", "status": "Closed", "links": {}, "inviteContext": null }));
        assert_eq!(referral.at("/eTag"), &Value::Null);
        assert_eq!(referral.text("/status"), "New");
        assert!(referral.at("/inviteContext").is_object());
    }
}
