//! JSON Patch as the Referrals API takes it: a list of `add` and `replace` on an allow-list of paths.
//!
//! The paths are those that Microsoft's own connector offers (its OpenAPI file); whether the service takes more is unknown,
//! and a client that keeps to them is safe.

use serde::Deserialize;
use serde_json::Value;

use super::{problem::Problem, referral::Referral, registrations};

/// Paths that may be set, apart from those of deal registrations.
const PATHS: [&str; 18] = [
    "/campaignId",
    "/consent/consentToShareReferralWithMicrosoftSellers",
    "/customerProfile/team",
    "/customerProfile/team/-",
    "/details/closingDateTime",
    "/details/currency",
    "/details/dealValue",
    "/details/notes",
    "/details/requirements/solutions",
    "/details/requirements/solutions/-",
    "/externalReferenceId",
    "/referralProgram",
    "/salesStage",
    "/status",
    "/substatus",
    "/statusReason",
    "/team",
    "/team/-",
];

/// One operation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Operation {
    pub(super) op: String,
    pub(super) path: String,
    /// Absent is not the same as null.
    #[serde(default, deserialize_with = "present")]
    pub(super) value: Option<Value>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Operation {
    /// True for an operation on deal registrations.
    pub(super) fn is_registration(&self) -> bool {
        self.path.starts_with("/registrations/")
    }
}

/// Reads a patch document.
pub(super) fn read(body: Value) -> Result<Vec<Operation>, Problem> {
    if !body.is_array() {
        return Err(Problem::invalid("body", "Expected a JSON Patch document: a list of operations."));
    }
    let operations: Vec<Operation> = serde_json::from_value(body)
        .map_err(|error| Problem::invalid("body", format!("An operation cannot be read: {error}.")))?;
    if operations.is_empty() {
        return Err(Problem::invalid("body", "The JSON Patch document holds no operation."));
    }
    Ok(operations)
}

/// Applies one operation.
pub(super) fn apply(referral: &mut Referral, operation: &Operation) -> Result<(), Problem> {
    let path = operation.path.as_str();
    if !["add", "replace"].contains(&operation.op.as_str()) {
        return Err(Problem::invalid(
            path,
            format!("Operation '{}' is not supported: use add or replace.", operation.op),
        ));
    }
    let Some(value) = operation.value.clone() else {
        return Err(Problem::invalid(path, "The operation has no value."));
    };
    if operation.is_registration() {
        return registrations::apply(referral, &operation.op, path, value);
    }
    if !PATHS.contains(&path) {
        return Err(Problem::invalid(path, format!("Path '{path}' cannot be changed by PATCH.")));
    }
    match path.strip_suffix("/-") {
        None => referral.set(path, value),
        Some(_) if operation.op == "replace" => {
            return Err(Problem::invalid(path, "Nothing is there to replace: use add, or replace the whole list."));
        }
        Some(list) => {
            let mut items = referral.list(list).to_vec();
            items.push(value);
            referral.set(list, Value::Array(items));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn patched(operations: Value) -> Result<Referral, Problem> {
        let mut referral = Referral::empty();
        for operation in read(operations)? {
            apply(&mut referral, &operation)?;
        }
        Ok(referral)
    }

    #[test]
    fn values_are_set_and_items_added() {
        let referral = patched(json!([
            { "op": "replace", "path": "/details/dealValue", "value": 5 },
            { "op": "add", "path": "/externalReferenceId", "value": "OPP-1" },
            { "op": "add", "path": "/team/-", "value": { "email": "a" } },
            { "op": "add", "path": "/team/-", "value": { "email": "b" } },
            { "op": "replace", "path": "/details/notes", "value": null },
        ]))
        .unwrap();
        assert_eq!(referral.at("/details/dealValue"), 5);
        assert_eq!(referral.at("/externalReferenceId"), "OPP-1");
        assert_eq!(referral.list("/team").len(), 2);
        assert!(referral.at("/details/notes").is_null());
    }

    #[test]
    fn what_the_service_does_not_take_is_refused() {
        let operation = |op: &str, path: &str| json!([{ "op": op, "path": path, "value": 1 }]);
        for (document, message) in [
            (json!({}), "list of operations"),
            (json!([]), "no operation"),
            (json!([{ "path": "/team", "value": [] }]), "cannot be read"),
            (json!([{ "op": "replace", "path": "/team" }]), "no value"),
            (operation("remove", "/team"), "not supported"),
            (operation("test", "/team"), "not supported"),
            (operation("replace", "/name"), "cannot be changed by PATCH"),
            (operation("replace", "/inviteContext/assistanceRequestCode"), "cannot be changed by PATCH"),
            (operation("replace", "/team/0"), "cannot be changed by PATCH"),
            (operation("replace", "/team/-"), "use add"),
        ] {
            let problem = patched(document).unwrap_err();
            assert!(problem.message.contains(message), "{}", problem.message);
        }
    }
}
