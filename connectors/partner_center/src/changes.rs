//! From changes, as a flow writes them, to a JSON Patch, as the API takes it.

use cosell_sdk::CallError;
use cosell_sdk::values::same;
use serde_json::{Map, Value, json};

use crate::referral::Referral;

/// What may be changed: the paths that Microsoft's own connector offers. Lists are replaced as a whole, since the API
/// knows no `remove`.
const ALLOWED: [&str; 15] = [
    "/campaignId",
    "/consent/consentToShareReferralWithMicrosoftSellers",
    "/customerProfile/team",
    "/details/closingDateTime",
    "/details/currency",
    "/details/dealValue",
    "/details/notes",
    "/details/requirements/solutions",
    "/externalReferenceId",
    "/referralProgram",
    "/salesStage",
    "/status",
    "/substatus",
    "/statusReason",
    "/team",
];

/// One member to be replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where, as a JSON Pointer.
    pub path: String,
    /// By what.
    pub value: Value,
}

impl Change {
    /// As an operation of a JSON Patch (RFC 6902).
    pub fn operation(&self) -> Value {
        json!({ "op": "replace", "path": self.path, "value": self.value })
    }

    /// Whether the referral says something else than the change wants.
    pub fn differs_from(&self, referral: &Value) -> bool {
        !same(&self.value, referral.pointer(&self.path).unwrap_or(&Value::Null))
    }
}

/// Takes nested changes apart, in their order.
///
/// # Errors
/// `not_changeable`, naming every member that cannot be changed.
pub fn flatten(changes: &Map<String, Value>) -> Result<Vec<Change>, CallError> {
    let (mut flat, mut refused) = (Vec::new(), Vec::new());
    flatten_at("", changes, &mut flat, &mut refused);
    if refused.is_empty() {
        return Ok(flat);
    }
    let dotted = |path: &str| path.trim_start_matches('/').replace('/', ".");
    Err(CallError::rejected(
        "not_changeable",
        format!(
            "a referral's {} cannot be changed; only these can: {}",
            refused.iter().map(|path: &String| format!("`{}`", dotted(path))).collect::<Vec<_>>().join(", "),
            ALLOWED.map(dotted).join(", ")
        ),
    ))
}

fn flatten_at(above: &str, members: &Map<String, Value>, flat: &mut Vec<Change>, refused: &mut Vec<String>) {
    for (name, value) in members {
        let path = format!("{above}/{}", name.replace('~', "~0").replace('/', "~1"));
        if ALLOWED.contains(&path.as_str()) {
            flat.push(Change { path, value: value.clone() });
        } else if let (Some(members), true) = (value.as_object(), leads_to_allowed(&path)) {
            flatten_at(&path, members, flat, refused);
        } else {
            refused.push(path);
        }
    }
}

fn leads_to_allowed(path: &str) -> bool {
    ALLOWED.iter().any(|allowed| allowed.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
}

/// Those of `changes` that `referral` does not show yet.
pub fn outstanding(changes: Vec<Change>, referral: &Referral) -> Vec<Change> {
    let referral = serde_json::to_value(referral).unwrap_or_default();
    changes.into_iter().filter(|change| change.differs_from(&referral)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn flat(changes: Value) -> Result<Vec<Value>, CallError> {
        flatten(changes.as_object().unwrap()).map(|changes| changes.iter().map(Change::operation).collect())
    }

    #[test]
    fn nested_changes_become_paths_and_lists_stay_whole() {
        let changes = json!({
            "details": { "dealValue": 1, "requirements": { "solutions": [{ "id": "SOL-1" }] } },
            "statusReason": null,
            "team": []
        });
        assert_eq!(
            flat(changes).unwrap(),
            [
                json!({ "op": "replace", "path": "/details/dealValue", "value": 1 }),
                json!({ "op": "replace", "path": "/details/requirements/solutions", "value": [{ "id": "SOL-1" }] }),
                json!({ "op": "replace", "path": "/statusReason", "value": null }),
                json!({ "op": "replace", "path": "/team", "value": [] }),
            ]
        );
        assert_eq!(flat(json!({ "details": {} })).unwrap(), Vec::<Value>::new());
    }

    #[test]
    fn everything_that_cannot_be_changed_is_named() {
        let error = flat(json!({
            "name": "x", "details": { "dealvalue": 1, "notes": "fine" }, "customerProfile": { "name": "y" }, "consent": true
        }))
        .unwrap_err();
        assert_eq!(error.code, "not_changeable");
        for name in ["`name`", "`details.dealvalue`", "`customerProfile.name`", "`consent`"] {
            assert!(error.message.contains(name), "{}", error.message);
        }
        assert!(!error.message.contains("`details.notes`"), "{}", error.message);
    }

    #[test]
    fn only_what_differs_is_outstanding() {
        let referral: Referral = serde_json::from_value(json!({
            "status": "Closed",
            "details": { "dealValue": "91000", "closingDateTime": "2027-01-29T00:00:00.0000000Z", "notes": "old" },
            "team": [{ "email": "sam@fabrikam.example", "title": "x" }]
        }))
        .unwrap();
        let changes = json!({
            "status": "Closed",
            "details": { "dealValue": 91000, "closingDateTime": "2027-01-29T00:00:00Z", "notes": "new" },
            "team": [{ "email": "sam@fabrikam.example" }],
            "campaignId": null
        });
        let changes = flatten(changes.as_object().unwrap()).unwrap();
        assert_eq!(
            outstanding(changes, &referral),
            [Change { path: "/details/notes".to_owned(), value: json!("new") }]
        );
    }
}
