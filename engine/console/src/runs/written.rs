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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn record(path: &str, target: &str, input: Value, output: Value) -> StepRecord {
        let step = crate::runs::testing::step(
            path,
            "succeeded",
            json!({ "target": target, "input": input, "output": output }),
        );
        serde_json::from_value(step).unwrap()
    }

    fn found(step: &StepRecord, before: &[StepRecord]) -> Written {
        written(step, before.iter().rev().map(|record| (record, "helper/"))).unwrap()
    }

    fn update(values: Value) -> StepRecord {
        record(
            "update",
            "dataverse.update_row",
            json!({ "table": "opportunity", "id": "O1", "values": values }),
            json!({ "changed": true }),
        )
    }

    #[test]
    fn what_was_there_before_is_what_the_last_step_read_of_the_same_record() {
        let row = |name: &str| json!({ "opportunityid": "o1", "name": name, "owner": { "id": "u1", "name": "Ann" } });
        let before = [
            record("first", "dataverse.get_row", json!({ "table": "opportunity" }), row("Old")),
            record(
                "second",
                "dataverse.list_rows",
                json!({ "table": "opportunity" }),
                json!({ "rows": [{ "opportunityid": "o2", "name": "Other" }, row("Newer")] }),
            ),
        ];
        let found = found(&update(json!({ "name": "New", "owner": { "id": "u2" }, "amount": 5 })), &before);
        assert_eq!(found.read_by.as_deref(), Some("helper/second"));
        let fields: Vec<_> =
            found.fields.iter().map(|field| (field.path.as_str(), &field.new, field.old.as_ref())).collect();
        assert_eq!(
            fields,
            [
                ("name", &json!("New"), Some(&json!("Newer"))),
                ("owner.id", &json!("u2"), Some(&json!("u1"))),
                ("amount", &json!(5), None),
            ],
            "a column that was not read is not known"
        );
        assert_eq!(found.names, [("table".to_owned(), json!("opportunity")), ("id".to_owned(), json!("O1"))]);
    }

    #[test]
    fn what_is_not_surely_the_same_record_says_nothing() {
        let before = [
            record(
                "referral",
                "partner_center.get_referral",
                json!({ "id": "o1" }),
                json!({ "id": "o1", "name": "Another system" }),
            ),
            record(
                "lead",
                "dataverse.get_row",
                json!({ "table": "lead" }),
                json!({ "leadid": "l1", "opportunityid": "o1", "name": "Mentions it" }),
            ),
            record(
                "quote",
                "dataverse.get_row",
                json!({ "table": "quote" }),
                json!({ "quoteid": "q", "opportunity": { "id": "o1", "table": "quote", "name": "Other table" } }),
            ),
        ];
        let found = found(&update(json!({ "name": "New" })), &before);
        assert_eq!((found.read_by, found.fields[0].old.as_ref()), (None, None));
    }

    #[test]
    fn a_write_that_found_all_so_says_so_and_one_without_fields_shows_its_input() {
        let mut same = update(json!({}));
        same.output = json!({ "changed": false }).into();
        assert!(found(&same, &[]).was_so);
        let state = record("remember", "state.put", json!({ "key": "deal/1", "value": { "a": 1 } }), Value::Null);
        let fields: Vec<String> = found(&state, &[]).fields.into_iter().map(|field| field.path).collect();
        assert_eq!(fields, ["key", "value.a"]);
        let secret = record("secret", "state.put", Value::Null, Value::Null);
        assert_eq!(written(&secret, std::iter::empty()), None);
    }
}
