//! Mappings: tables of fields between two kinds of record, read once, used in both directions.
//!
//! [`form`] is how a value looks on one side; [`read`] reads a mapping file; this file applies and compares.
//!
//! Two values agree when one, turned into the other side's form, equals it: a date agrees with any instant of that day,
//! and a text cut to its column's length agrees with the whole. So mapping there and back never changes anything.

pub mod form;
pub(crate) mod read;

use serde_json::{Map, Value, json};

use crate::expr::path::{Segment, member};
use form::Form;

/// A mapping between two kinds of record.
#[derive(Debug, PartialEq)]
pub struct Mapping {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The names of the two sides.
    pub sides: [String; 2],
    /// Its rows, in the order of the file.
    pub rows: Vec<Row>,
}

/// One field on both sides.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Its id, unique in the mapping.
    pub id: String,
    /// Its title for people.
    pub title: String,
    /// The field on each side.
    pub fields: [Field; 2],
    /// The one side that is written; both where none is named.
    pub only_to: Option<usize>,
    /// Pairs of equal meaning, left and right.
    pub values: Option<Vec<[Value; 2]>>,
    /// Whether an empty value leaves the other side as it is, instead of clearing it.
    pub keep_when_empty: bool,
}

/// A field of one side.
#[derive(Debug, PartialEq)]
pub struct Field {
    /// Where it is.
    pub path: Vec<Segment>,
    /// How values look there.
    pub form: Form,
    /// Its value where the other side has none.
    pub default: Option<Value>,
}

/// A value that a mapping cannot take over.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingError {
    /// The mapping.
    pub mapping: String,
    /// The row.
    pub row: String,
    /// Why.
    pub message: String,
}

impl std::fmt::Display for MappingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mapping `{}`, row `{}`: {}", self.mapping, self.row, self.message)
    }
}

impl Field {
    /// The path as people write it.
    pub fn path_text(&self) -> String {
        let names: Vec<String> = self
            .path
            .iter()
            .map(|segment| match segment {
                Segment::Key(key) => key.to_string(),
                Segment::Index(index) => index.to_string(),
            })
            .collect();
        names.join(".")
    }
}

impl Mapping {
    /// The number of a side, by its name.
    pub fn side(&self, name: &str) -> Option<usize> {
        self.sides.iter().position(|side| side == name)
    }

    /// The record of the other side that `record` of side `from` stands for. Empty values are left out.
    ///
    /// # Errors
    /// The first value that cannot be taken over.
    pub fn apply(&self, from: usize, record: &Value) -> Result<Value, MappingError> {
        let mut made = Map::new();
        for row in self.rows.iter().filter(|row| row.goes(from)) {
            let value = row.convert(from, record).map_err(|message| self.error(row, message))?;
            if !value.is_null() {
                put(&mut made, &row.fields[1 - from].path, value);
            }
        }
        Ok(Value::Object(made))
    }

    /// What must change in `following`, a record of the other side, to agree with `leading`, a record of side `from`:
    /// `{ equal, changes, differences: [{ row, title, path, old, new }] }`, where `changes` is a record that holds just
    /// what changes.
    ///
    /// # Errors
    /// The first value that cannot be taken over.
    pub fn compare(&self, from: usize, leading: &Value, following: &Value) -> Result<Value, MappingError> {
        let mut changes = Map::new();
        let mut differences = Vec::new();
        for row in self.rows.iter().filter(|row| row.goes(from)) {
            let field = &row.fields[1 - from];
            let new = row.convert(from, leading).map_err(|message| self.error(row, message))?;
            if new.is_null() && row.keep_when_empty {
                continue;
            }
            let old = member(following, &field.path);
            if row.agree(from, leading, &new, old) {
                continue;
            }
            differences.push(json!({
                "row": row.id, "title": row.title, "path": field.path_text(), "old": old, "new": new,
            }));
            put(&mut changes, &field.path, new);
        }
        Ok(json!({ "equal": differences.is_empty(), "changes": changes, "differences": differences }))
    }

    fn error(&self, row: &Row, message: String) -> MappingError {
        MappingError { mapping: self.name.clone(), row: row.id.clone(), message }
    }
}

impl Row {
    fn goes(&self, from: usize) -> bool {
        self.only_to.is_none_or(|to| to == 1 - from)
    }

    /// The row's value in `record` of side `from`, as the other side has it.
    fn convert(&self, from: usize, record: &Value) -> Result<Value, String> {
        let (source, target) = (&self.fields[from], &self.fields[1 - from]);
        let value = source.form.read(member(record, &source.path))?;
        let value = self.translate(from, value)?;
        if value.is_null() {
            return Ok(target.default.clone().unwrap_or(Value::Null));
        }
        target.form.write(value)
    }

    fn translate(&self, from: usize, value: Value) -> Result<Value, String> {
        let Some(pairs) = &self.values else { return Ok(value) };
        if value.is_null() {
            return Ok(value);
        }
        match pairs.iter().find(|pair| pair[from] == value) {
            Some(pair) => Ok(pair[1 - from].clone()),
            None => {
                let known: Vec<String> = pairs.iter().map(|pair| pair[from].to_string()).collect();
                Err(format!("its table has no {value}; it has {}", known.join(", ")))
            }
        }
    }

    /// Whether the following side's value `old` already agrees with the leading side's, of which `new` is the form there.
    fn agree(&self, from: usize, leading: &Value, new: &Value, old: &Value) -> bool {
        let (source, target) = (&self.fields[from], &self.fields[1 - from]);
        let Ok(old) = target.form.read(old) else { return false };
        if target.form.write(old.clone()).is_ok_and(|old| old == *new) {
            return true;
        }
        let Ok(back) = self.translate(1 - from, old) else { return false };
        let written = |value: Value| if value.is_null() { Ok(value) } else { source.form.write(value) };
        let there = source.form.read(member(leading, &source.path)).and_then(written);
        !matches!(there, Ok(Value::Null)) && there.is_ok_and(|there| written(back).is_ok_and(|back| back == there))
    }
}

/// Puts `value` into a record at `path`, making the maps on the way.
fn put(record: &mut Map<String, Value>, path: &[Segment], value: Value) {
    match path {
        [] => {}
        [Segment::Key(last)] => {
            record.insert(last.to_string(), value);
        }
        [first, rest @ ..] => {
            let Segment::Key(key) = first else { return };
            let inner = record.entry(key.to_string()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
