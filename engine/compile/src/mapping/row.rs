//! What one row does with two records: converting, agreeing, holding a value for good.

use serde_json::{Value, json};

use super::form::is_empty;
use super::{Field, Row, same};
use crate::expr::path::member;

impl Field {
    /// Its value in a record, as it stands there.
    pub(super) fn found<'v>(&self, record: &'v Value) -> &'v Value {
        member(record, &self.path)
    }
}

impl Row {
    /// Whether records of side `from` lead.
    pub(super) fn goes(&self, from: usize) -> bool {
        self.only_to.is_none_or(|to| to == 1 - from)
    }

    /// The row's value in `record` of side `from`, as the other side has it.
    pub(super) fn convert(&self, from: usize, record: &Value) -> Result<Value, String> {
        let (source, target) = (&self.fields[from], &self.fields[1 - from]);
        let value = source.form.read(source.found(record))?;
        let value = self.translate(from, value)?;
        match &target.default {
            Some(default) if value.is_null() => Ok(default.clone()),
            _ => target.form.write(&value),
        }
    }

    /// What a value of side `side` stands for on the other, by the table of values; none where there is no table, or it
    /// has no such value.
    pub fn meaning(&self, side: usize, value: &Value) -> Option<&Value> {
        let pairs = self.values.as_ref()?;
        pairs.iter().find(|pair| same(&pair[side], value)).map(|pair| &pair[1 - side])
    }

    fn translate(&self, from: usize, value: Value) -> Result<Value, String> {
        let Some(pairs) = &self.values else { return Ok(value) };
        if value.is_null() {
            return Ok(value);
        }
        match pairs.iter().find(|pair| same(&pair[from], &value)) {
            Some(pair) => Ok(pair[1 - from].clone()),
            None => {
                let known: Vec<String> = pairs.iter().map(|pair| pair[from].to_string()).collect();
                let known = known.join(", ");
                Err(format!("its table has no {value}; it has {known}; add it to `values` of this row in an overlay"))
            }
        }
    }

    /// Whether the two records agree, `leading` being of side `from`. It is the same seen from either side.
    pub(super) fn agree(&self, from: usize, leading: &Value, following: &Value) -> bool {
        let as_there = |side: usize, mine: &Value, theirs: &Value| {
            let there = &self.fields[1 - side];
            let written = there.form.write(there.found(theirs));
            matches!((written, self.convert(side, mine)), (Ok(old), Ok(new)) if same(&old, &new))
        };
        // What the following side has may be the whole of which the leading side can only hold a part, or both may have
        // nothing: then nothing is to be changed.
        as_there(from, leading, following)
            || as_there(1 - from, following, leading)
            || self.pair(from, leading, following)
    }

    /// Whether the table of values has the two records' values as a pair.
    fn pair(&self, from: usize, leading: &Value, following: &Value) -> bool {
        let read = |side: usize, record: &Value| self.fields[side].form.read(self.fields[side].found(record));
        let (Some(pairs), Ok(mine), Ok(theirs)) = (&self.values, read(from, leading), read(1 - from, following)) else {
            return false;
        };
        pairs.iter().any(|pair| same(&pair[from], &mine) && same(&pair[1 - from], &theirs))
    }

    /// Whether `record` of side `side` holds a value that stays: the row is final there, and the value is neither
    /// empty nor false, in itself or by what the table of values says it stands for.
    pub(super) fn is_final(&self, side: usize, record: &Value) -> bool {
        let field = &self.fields[side];
        let found = field.found(record);
        let nothing = |value: &Value| is_empty(value) || *value == Value::Bool(false);
        self.final_in == Some(side)
            && !nothing(found)
            && !field
                .form
                .read(found)
                .and_then(|value| self.translate(side, value))
                .is_ok_and(|meaning| nothing(&meaning))
    }

    /// That the row's value in `record` of side `side` becomes `new`.
    pub(super) fn difference(&self, side: usize, record: &Value, new: &Value) -> Value {
        let field = &self.fields[side];
        json!({
            "row": self.id, "title": self.title, "path": field.path_text(), "old": field.found(record), "new": new,
        })
    }
}
