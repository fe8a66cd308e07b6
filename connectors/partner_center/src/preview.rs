//! What a write would do, said without writing.

use cosell_sdk::{CallContext, CallError, Change, Prediction};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::changes;
use crate::operations::UpdatedReferral;
use crate::referral::Referral;

/// The partner's own referral, which would be created. It is accepted from the beginning (Referrals API, create a
/// referral).
pub(crate) fn created(referral: &Map<String, Value>, context: &CallContext) -> Result<Prediction<Referral>, CallError> {
    let id = context.idempotency_key;
    let given = [("id", json!(id)), ("status", json!("Active")), ("substatus", json!("Accepted"))];
    new(referral, id, &given, context)
}

/// Microsoft's side of a deal, which would be created: nobody there has looked at it yet.
pub(crate) fn invited(referral: &Map<String, Value>, context: &CallContext) -> Result<Prediction<Referral>, CallError> {
    let id = Uuid::new_v5(&context.idempotency_key, b"microsoft");
    let given = [
        ("id", json!(id)),
        ("organizationId", json!("msft")),
        ("status", json!("New")),
        ("substatus", json!("Pending")),
    ];
    new(referral, id, &given, context)
}

/// A referral with what the service would give it.
fn new(
    referral: &Map<String, Value>,
    id: Uuid,
    given: &[(&str, Value)],
    context: &CallContext,
) -> Result<Prediction<Referral>, CallError> {
    let name = referral.get("name").and_then(Value::as_str).unwrap_or("without name");
    let mut changes = Vec::new();
    told(&format!("new referral {name}"), "", referral, &mut changes);
    let mut record = referral.clone();
    for (member, value) in given {
        record.insert((*member).to_owned(), value.clone());
    }
    let engagement = || json!(Uuid::new_v5(&context.idempotency_key, b"engagement"));
    record.entry("engagementId").or_insert_with(engagement);
    let record = read(Value::Object(record))?;
    foresee(id, &record, context);
    Ok(Prediction { record, changes })
}

/// What a new referral holds, member by member; lists are told as a whole, and what is empty not at all.
fn told(record: &str, above: &str, members: &Map<String, Value>, changes: &mut Vec<Change>) {
    for (name, value) in members {
        let field = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Object(members) => told(record, &field, members, changes),
            Value::Null => {}
            Value::Array(items) if items.is_empty() => {}
            new => changes.push(Change { record: record.to_owned(), field, old: Value::Null, new: new.clone() }),
        }
    }
}

fn foresee(id: Uuid, referral: &Referral, context: &CallContext) {
    context.foresee(foreseen_as(id), Some(json!(referral)));
}

/// How a dry run knows a referral.
pub(crate) fn foreseen_as(id: Uuid) -> String {
    format!("referrals/{id}")
}

/// A referral that would be changed.
pub(crate) fn changed(
    referral: Referral,
    outstanding: &[changes::Change],
    context: &CallContext,
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
    let (referral, changed) = (read(after)?, !told.is_empty());
    if let Some(id) = referral.id.as_deref().and_then(|id| id.parse().ok()) {
        foresee(id, &referral, context);
    }
    Ok(Prediction { record: UpdatedReferral { referral, changed }, changes: told })
}

/// A referral made of its members.
pub(crate) fn read(referral: Value) -> Result<Referral, CallError> {
    serde_json::from_value(referral).map_err(|error| {
        CallError::rejected("invalid_input", format!("the values do not make a referral: {error}; correct them"))
    })
}
