//! What connectors ask of values: is it an identifier, does it say the same as another.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::error::CallError;

/// Reads a GUID, as every identifier of Partner Center and Dataverse is one; so it is safe in an address.
///
/// # Errors
/// [`crate::Meaning::Rejected`] with the name of the member that should hold one.
pub fn guid(member: &str, text: &str) -> Result<Uuid, CallError> {
    text.parse().map_err(|_| {
        CallError::rejected(
            "not_a_guid",
            format!(
                "`{member}` is {}, which is not a GUID such as 00000000-0000-0000-0000-000000000000; give the \
                 record's identifier",
                if text.is_empty() { "empty".to_owned() } else { format!("`{text}`") }
            ),
        )
    })
}

/// Whether a remote system that was given `wanted` and now holds `found` needs no further write: numbers count by
/// value, also when one of them is a text; texts that are instants count as instants; GUIDs in any case; members that a
/// remote system adds to an object do not count, and missing counts as null.
pub fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), found) => {
            let Some(found) = found.as_object() else { return false };
            wanted.iter().all(|(name, value)| same(value, found.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| same(wanted, found))
        }
        (Value::String(wanted), Value::String(found)) => wanted == found || same_meaning(wanted, found),
        (Value::Number(_), Value::Number(_) | Value::String(_)) | (Value::String(_), Value::Number(_)) => {
            matches!((number(wanted), number(found)), (Some(wanted), Some(found)) if wanted == found)
        }
        _ => wanted == found,
    }
}

fn same_meaning(wanted: &str, found: &str) -> bool {
    if let (Ok(wanted), Ok(found)) = (wanted.parse::<Timestamp>(), found.parse::<Timestamp>()) {
        return wanted == found;
    }
    matches!((wanted.parse::<Uuid>(), found.parse::<Uuid>()), (Ok(wanted), Ok(found)) if wanted == found)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_guid_is_a_guid() {
        assert!(guid("id", "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10").is_ok());
        let error = guid("id", "../other").unwrap_err();
        assert!(error.message.contains("`id`") && error.message.contains("`../other`"), "{}", error.message);
    }

    #[test]
    fn same_by_meaning() {
        for (wanted, found) in [
            (json!(91000), json!(91000.0)),
            (json!("91000"), json!(91000)),
            (json!("2027-01-29T00:00:00Z"), json!("2027-01-29T01:00:00.0000000+01:00")),
            (json!("C0A7A7D0-55B0-4C39-9A0E-0F6A1D6C9A10"), json!("c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10")),
            (json!([{ "email": "a@b.c", "title": null }]), json!([{ "email": "a@b.c", "locale": "en" }])),
            (json!(null), json!(null)),
        ] {
            assert!(same(&wanted, &found), "{wanted} and {found}");
        }
    }

    #[test]
    fn different_by_meaning() {
        for (wanted, found) in [
            (json!("Deal"), json!("deal")),
            (json!(1), json!("one")),
            (json!([1]), json!([1, 2])),
            (json!({ "a": 1 }), json!(null)),
            (json!(null), json!(0)),
            (json!("010"), json!("10")),
            (json!(true), json!(1)),
        ] {
            assert!(!same(&wanted, &found), "{wanted} and {found}");
        }
    }
}
