//! What a write wrote, field by field, with what was there before where an earlier step of the run has read it.

use cosell_model::{Outcome, Value};
use cosell_runtime::record::StepRecord;

/// As many fields as are shown.
const FIELDS: usize = 100;
/// How many steps are searched for what was there before, and how many items of each list.
const SEARCHED: usize = 500;
/// How deep records lie in what steps yield, and fields in records.
const DEEP: usize = 4;

/// What a write wrote.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    /// What names the record: `table` and `id`, say.
    pub(super) names: Vec<(String, Value)>,
    pub(super) fields: Vec<Field>,
    /// How many more fields there are.
    pub(super) more: usize,
    /// The step that read the record before.
    pub(super) read_by: Option<String>,
    /// Whether the record was so already, so that nothing was sent.
    pub(super) was_so: bool,
    /// Whether the write worked.
    pub(super) done: bool,
}

/// A field that was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) path: String,
    pub(super) new: Value,
    /// What it was before; none where no step has read that.
    pub(super) old: Option<Value>,
}

/// What the step wrote; `before` are the steps that had ended, the latest first, each with the path of its run.
pub(super) fn written<'r>(
    step: &StepRecord,
    before: impl Iterator<Item = (&'r StepRecord, &'r str)>,
) -> Option<Written> {
    let input = step.input.as_object().filter(|_| step.attempts > 0)?;
    // Operations that take fields take them together, as the values or the changes of the record that the rest names.
    let together = ["values", "changes"].into_iter().find(|name| input.get(*name).is_some_and(Value::is_object));
    let (names, new) = match together {
        Some(fields) => (input.iter().filter(|(name, _)| *name != fields).collect(), &input[fields]),
        None => (Vec::new(), &*step.input),
    };
    let named: Vec<(String, Value)> = names
        .into_iter()
        .filter(|(_, value)| value.is_string() || value.is_number())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let id = input.get("id").and_then(Value::as_str);
    let table = input.get("table").and_then(Value::as_str);
    let read = together.and(id).and_then(|id| {
        let same_system = |other: &StepRecord| {
            other.outcome == Outcome::Succeeded && connector(other).is_some() && connector(other) == connector(step)
        };
        before.take(SEARCHED).filter(|(other, _)| same_system(other)).find_map(|(other, prefix)| {
            let of = other.input.get("table").and_then(Value::as_str);
            let record = find(&other.output, id, table.filter(|table| of.is_none_or(|of| of == *table)), DEEP)?;
            Some((record, format!("{prefix}{}", other.path)))
        })
    });
    let mut fields = Vec::new();
    walk("", new, read.as_ref().map(|(record, _)| *record), DEEP, &mut fields);
    let more = fields.len().saturating_sub(FIELDS);
    fields.truncate(FIELDS);
    Some(Written {
        names: named,
        fields,
        more,
        read_by: read.map(|(_, path)| path),
        was_so: step.output.get("changed") == Some(&Value::Bool(false)),
        done: step.outcome == Outcome::Succeeded,
    })
}

fn connector(step: &StepRecord) -> Option<&str> {
    Some(step.target.as_deref()?.split_once('.')?.0)
}

/// The record with this identifier in what a step yielded. What only mentions it has it under another name.
fn find<'v>(value: &'v Value, id: &str, table: Option<&str>, deep: usize) -> Option<&'v Value> {
    let is = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case(id));
    match value {
        Value::Object(members) => {
            let of = members.get("table").and_then(Value::as_str);
            let own = table.is_some_and(|table| is(members.get(&format!("{table}id"))));
            if own || is(members.get("id")) && of.is_none_or(|of| Some(of) == table) {
                return Some(value);
            }
            members.values().filter(|_| deep > 0).find_map(|value| find(value, id, table, deep - 1))
        }
        Value::Array(items) if deep > 0 => {
            items.iter().take(SEARCHED).find_map(|value| find(value, id, table, deep - 1))
        }
        _ => None,
    }
}

/// Takes nested values apart, as far as the record has the same members.
fn walk(path: &str, new: &Value, old: Option<&Value>, deep: usize, fields: &mut Vec<Field>) {
    let alike = |members: &serde_json::Map<String, Value>| {
        !members.is_empty()
            && deep > 0
            && old.is_none_or(|old| members.keys().any(|name| old.get(name).is_some()) || path.is_empty())
    };
    match new {
        Value::Object(members) if alike(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                // Below what the record does not have, nothing is known.
                match (old, old.and_then(|old| old.get(name))) {
                    (Some(_), None) => fields.push(Field { path, new: value.clone(), old: None }),
                    (_, old) => walk(&path, value, old, deep - 1, fields),
                }
            }
        }
        _ => fields.push(Field { path: path.to_owned(), new: new.clone(), old: old.cloned() }),
    }
}
