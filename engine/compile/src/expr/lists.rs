//! Filters on lists as sets: what is in both, in one of them, in one but not the other; and records by a member.
//!
//! Items are the same where `==` says so. The order of the list stays, then that of the other; no item comes twice. Null
//! counts as an empty list, on either side: nothing was kept yet, or a service left the list out.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};
use serde_json::{Map, Value as Json};

use super::budget;
use super::value::{absent, invalid, kind, text_of, to_engine, to_json};

fn items(value: &Value, filter: &str) -> Result<Vec<Value>, Error> {
    match value.kind() {
        _ if absent(value) => Ok(Vec::new()),
        ValueKind::Seq | ValueKind::Iterable => Ok(value.try_iter()?.collect()),
        _ => Err(invalid(format!("`{filter}` takes a list, and this is {}", kind(value)))),
    }
}

/// The items of `all` that `wanted` says yes to, each once.
fn distinct(all: Vec<Value>, wanted: impl Fn(&Value) -> bool) -> Result<Value, Error> {
    let mut kept: Vec<Value> = Vec::new();
    for item in all {
        budget::spend(kept.len() as u64)?;
        if wanted(&item) && !kept.contains(&item) {
            kept.push(item);
        }
    }
    Ok(Value::from(kept))
}

/// Pays for looking each item of `one` up in `other`.
fn spend_on_both(one: &[Value], other: &[Value]) -> Result<(), Error> {
    budget::spend((one.len() as u64).saturating_mul(other.len() as u64))
}

/// `a | union(b)`: what is in `a` or in `b`.
pub(crate) fn union(value: Value, other: Value) -> Result<Value, Error> {
    let mut all = items(&value, "union")?;
    all.extend(items(&other, "union")?);
    distinct(all, |_| true)
}

/// `a | difference(b)`: what is in `a` and not in `b`.
pub(crate) fn difference(value: Value, other: Value) -> Result<Value, Error> {
    let (all, other) = (items(&value, "difference")?, items(&other, "difference")?);
    spend_on_both(&all, &other)?;
    distinct(all, |item| !other.contains(item))
}

/// `a | intersection(b)`: what is in `a` and in `b`.
pub(crate) fn intersection(value: Value, other: Value) -> Result<Value, Error> {
    let (all, other) = (items(&value, "intersection")?, items(&other, "intersection")?);
    spend_on_both(&all, &other)?;
    distinct(all, |item| other.contains(item))
}

/// `records | key_by('id')`: a map of the records by this member of theirs. A record without it is left out; of several
/// with the same, the last counts.
pub(crate) fn key_by(value: Value, member: &str) -> Result<Value, Error> {
    let mut map = Map::new();
    for record in items(&value, "key_by")? {
        if record.kind() != ValueKind::Map {
            return Err(invalid(format!("`key_by` takes a list of maps, and an item of this is {}", kind(&record))));
        }
        let key = record.get_attr(member)?;
        if !absent(&key) {
            map.insert(text_of(&key, "the member that `key_by` takes")?, to_json(&record)?);
        }
    }
    Ok(to_engine(&Json::Object(map)))
}
