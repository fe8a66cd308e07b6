//! Mappings: tables of fields between two kinds of record, read once, used in both directions.
//!
//! [`form`] is how a value looks on one side; `read` reads a mapping file; this file applies and compares.
//!
//! Two values agree when one, turned into the other side's form, equals it: a date agrees with any instant of that day,
//! and a text cut to its column's length agrees with the whole. Two sides that both have nothing agree as well: a default
//! is for a record that is made, and for a value that is taken away. So mapping there and back never changes anything.

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
    /// Pairs of equal meaning, left and right, each in its field's form.
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
    /// Its value where the other side has none, in its form.
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
            if row.agree(from, leading, &new, following) {
                continue;
            }
            let old = member(following, &field.path);
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
        match &target.default {
            Some(default) if value.is_null() => Ok(default.clone()),
            _ => target.form.write(&value),
        }
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
                Err(format!("its table has no {value}; it has {}", known.join(", ")))
            }
        }
    }

    /// Whether the following record already agrees with the leading one, whose value is `new` in its form.
    fn agree(&self, from: usize, leading: &Value, new: &Value, following: &Value) -> bool {
        let (source, target) = (&self.fields[from], &self.fields[1 - from]);
        let old = target.form.write(member(following, &target.path));
        if old.is_ok_and(|old| same(&old, new)) {
            return true;
        }
        // What the following side has may be the whole of which the leading side can only hold a part, or both may have
        // nothing: then nothing is to be changed.
        let there = source.form.write(member(leading, &source.path)).unwrap_or_default();
        self.convert(1 - from, following).is_ok_and(|back| same(&back, &there))
    }
}

/// Whether two values are the same; 5 and 5.0 are.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() != other.is_f64() => one.as_f64() == other.as_f64(),
        _ => one == other,
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
