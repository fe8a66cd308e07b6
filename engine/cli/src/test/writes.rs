//! What requests wrote, record by record: from the sandbox's own log, so that it is what arrived and not what was meant.

use cosell_compile::testcase::Verb;
use cosell_model::Value;
use cosell_sandbox::{Change, Entry};
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
            put(&mut written.values, change);
        }
    }
    found
}

/// A referral's members are told by JSON pointers, a row's columns by name.
fn put(values: &mut Value, change: &Change) {
    let mut place = values;
    for part in change.field.trim_start_matches('/').split('/') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[part.replace("~1", "/").replace("~0", "~")];
    }
    *place = change.new.clone();
}
