//! What a write would do, said without writing.

use cosell_sdk::{CallContext, CallError, Change, Prediction};
use serde_json::{Map, Value, json};

use crate::changes;
use crate::operations::UpdatedReferral;
use crate::referral::Referral;

/// A referral that would be created. One's own referral is accepted from the beginning (Referrals API, create a
/// referral).
pub(crate) fn created(referral: &Map<String, Value>, context: &CallContext) -> Result<Prediction<Referral>, CallError> {
    let name = referral.get("name").and_then(Value::as_str).unwrap_or("without name");
    let changes = referral
        .iter()
        .map(|(field, value)| Change {
            record: format!("new referral {name}"),
            field: field.clone(),
            old: Value::Null,
            new: value.clone(),
        })
        .collect();
    let mut record = referral.clone();
    for (member, value) in
        [("id", json!(context.idempotency_key)), ("status", json!("Active")), ("substatus", json!("Accepted"))]
    {
        record.insert(member.to_owned(), value);
    }
    record.entry("engagementId").or_insert_with(|| json!(context.idempotency_key));
    Ok(Prediction { record: read(Value::Object(record))?, changes })
}

/// A referral that would be changed.
pub(crate) fn changed(
    referral: Referral,
    outstanding: &[changes::Change],
) -> Result<Prediction<UpdatedReferral>, CallError> {
    let record = format!("referral {}", referral.id.as_deref().unwrap_or("without id"));
    let mut after = json!(referral);
    let mut told = Vec::new();
    for change in outstanding {
        let old = after.pointer(&change.path).cloned().unwrap_or_default();
        if let Some(place) = after.pointer_mut(&change.path) {
            *place = change.value.clone();
        }
        let field = change.path.trim_start_matches('/').replace('/', ".");
        told.push(Change { record: record.clone(), field, old, new: change.value.clone() });
    }
    let changed = !told.is_empty();
    Ok(Prediction { record: UpdatedReferral { referral: read(after)?, changed }, changes: told })
}

/// A referral made of its members.
pub(crate) fn read(referral: Value) -> Result<Referral, CallError> {
    serde_json::from_value(referral).map_err(|error| {
        CallError::rejected("invalid_input", format!("the values do not make a referral: {error}; correct them"))
    })
}
