//! What requests wrote, record by record: from the sandbox's own log, so that it is what arrived and not what was meant.

use cosell_compile::testcase::Verb;
use cosell_model::Value;
use cosell_sandbox::Entry;
use serde_json::{Map, json};

/// A record that a request wrote.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) verb: Verb,
    /// Its table, or `referral`.
    pub(super) kind: String,
    pub(super) id: String,
    /// The values that it has from then on; nothing where it was deleted.
    pub(super) values: Value,
}

/// What a request wrote; `made` are the records that were not there before.
pub(super) fn written(entry: &Entry, made: &[String]) -> Vec<Written> {
    let mut found: Vec<Written> = Vec::new();
    for change in &entry.changes {
        let Some((kind, id)) = change.record.split_once(' ') else { continue };
        let at = found.iter().position(|written| written.id == id).unwrap_or_else(|| {
            let of_record = || entry.changes.iter().filter(|other| other.record == change.record);
            let verb = if made.iter().any(|new| new == id) {
                Verb::Create
            } else if of_record().count() > 1 && of_record().all(|change| change.new.is_null()) {
                Verb::Delete
            } else {
                Verb::Change
            };
            found.push(Written { verb, kind: kind.to_owned(), id: id.to_owned(), values: json!({}) });
            found.len() - 1
        });
        let written = &mut found[at];
        if written.verb != Verb::Delete {
            put(&mut written.values, &change.field, &change.new);
        }
    }
    found
}

/// What the systems put into every new record by themselves.
const MADE_BY_ITSELF: [&str; 9] = [
    "dealSensitivity",
    "direction",
    "donotemail",
    "isrevenuesystemcalculated",
    "mpnId",
    "ownerid",
    "registrationStatus",
    "statecode",
    "trackingInfo",
];

/// The values of a write that say something.
pub(super) fn telling(verb: Verb, values: Value) -> Value {
    match (verb, values) {
        (Verb::Delete, _) => Value::Null,
        (Verb::Create, Value::Object(values)) => {
            let says = |(name, value): &(String, Value)| !value.is_null() && !MADE_BY_ITSELF.contains(&&**name);
            values.into_iter().filter(says).collect()
        }
        (_, values) => values,
    }
}

/// A referral's members are told by JSON pointers, a row's columns by name.
pub(super) fn put(values: &mut Value, field: &str, new: &Value) {
    let mut place = values;
    for part in field.trim_start_matches('/').split('/') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[part.replace("~1", "/").replace("~0", "~")];
    }
    *place = new.clone();
}
