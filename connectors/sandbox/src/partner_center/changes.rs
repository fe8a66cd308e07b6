//! What differs between two states of a referral.

use serde_json::Value;

use super::referral::Referral;
use crate::core::log::Change;

/// Members that change with every write, or only repeat what others say.
const BOOKKEEPING: [&str; 14] = [
    "/@odata.context",
    "/id",
    "/engagementId",
    "/organizationId",
    "/organizationName",
    "/eTag",
    "/createdDateTime",
    "/updatedDateTime",
    "/expirationDateTime",
    "/acceptedDateTime",
    "/closedDateTime",
    "/lastModifiedVia",
    "/createdVia",
    "/links",
];

/// The members that changed from `old` (none for a new referral) to `new`. Objects are compared member by member, lists as a
/// whole.
pub(super) fn between(old: Option<&Referral>, new: &Referral) -> Vec<Change> {
    let mut found = Vec::new();
    compare(String::new(), old.map_or(&Value::Null, |old| &old.0), &new.0, &mut found);
    let record = format!("referral {}", new.id());
    let title = new.title();
    found
        .into_iter()
        .filter(|(field, ..)| !BOOKKEEPING.iter().any(|own| is_within(field, own)))
        .map(|(field, old, new)| Change { record: record.clone(), title: title.clone(), field, old, new })
        .collect()
}

fn is_within(field: &str, pointer: &str) -> bool {
    field.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn compare(pointer: String, old: &Value, new: &Value, found: &mut Vec<(String, Value, Value)>) {
    let nothing = Value::Null;
    match (old, new) {
        (Value::Object(_) | Value::Null, Value::Object(members)) => {
            for (name, new) in members {
                compare(format!("{pointer}/{}", escaped(name)), old.get(name).unwrap_or(&nothing), new, found);
            }
            let gone = old.as_object().into_iter().flatten().filter(|(name, _)| !members.contains_key(*name));
            for (name, old) in gone {
                compare(format!("{pointer}/{}", escaped(name)), old, &nothing, found);
            }
        }
        // An empty value that was not there before says nothing.
        (Value::Null, Value::Array(items)) if items.is_empty() => {}
        _ if old == new => {}
        _ => found.push((pointer, old.clone(), new.clone())),
    }
}

/// A member's name as part of a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let old =
            Referral(json!({ "eTag": "1", "details": { "dealValue": 5, "currency": "EUR" }, "team": [1], "x": 1 }));
        let new = Referral(json!({ "eTag": "2", "details": { "dealValue": 6, "currency": "EUR" }, "team": [2] }));
        let changes = between(Some(&old), &new);
        let fields: Vec<_> = changes.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["/details/dealValue", "/team", "/x"]);
        assert_eq!((&changes[0].old, &changes[0].new), (&json!(5), &json!(6)));
    }

    #[test]
    fn a_new_referral_shows_what_it_holds() {
        let new = Referral(json!({ "id": "7", "name": "Deal", "tags": [], "campaignId": null }));
        let changes = between(None, &new);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].field, "/name");
    }
}
