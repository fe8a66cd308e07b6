//! Mappings: tables of fields between two kinds of record, read once, used in both directions.
//!
//! [`form`] is how a value looks on one side; `read` reads a mapping file, `records` what its sides are records of; `row` is what one row does with two records;
//! this file applies and compares; [`merge`] takes over what changed on either side; [`beside`] is what either makes of each
//! row, for people, and [`table`] a mapping as they read it.
//!
//! Two values agree when one, turned into the other side's form, equals it: a date agrees with any instant of that day,
//! and a text cut to its column's length agrees with the whole. Two sides that both have nothing agree as well: a default
//! is for a record that is made, and for a value that is taken away. So mapping there and back never changes anything.

pub mod beside;
pub mod form;
pub mod merge;
pub(crate) mod read;
pub(crate) mod records;
mod row;
pub mod table;

use cosell_model::{OperationName, Spanned};
use serde_json::{Map, Value, json};

use crate::expr::path::Segment;
use beside::Verdict;
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
    /// What each side is a record of, where the mapping says so.
    pub records: [Option<Record>; 2],
    /// Its rows, in the order of the file.
    pub rows: Vec<Row>,
}

/// What a side is a record of.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A row of this table.
    Table(Spanned<String>),
    /// What an operation yields, or what lies in that; of a list its items.
    Yielded {
        /// The operation.
        operation: OperationName,
        /// The members that lead to the record.
        below: Vec<String>,
    },
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
    /// Pairs of equal meaning, left and right, each in its field's form. A value is turned into that of the first pair it
    /// stands in.
    pub values: Option<Vec<[Value; 2]>>,
    /// Whether an empty value leaves the other side as it is, instead of clearing it.
    pub keep_when_empty: bool,
    /// Which side's value is kept where both have changed; none is the side that changed last.
    pub wins: Option<usize>,
    /// The side whose value stays once it holds one.
    pub final_in: Option<usize>,
    /// Its place for messages: file and line.
    pub place: String,
}

/// A field of one side.
#[derive(Debug, PartialEq)]
pub struct Field {
    /// Where it is.
    pub path: Vec<Segment>,
    /// The table's column that it stands for, where the side is a row of a table; none where it stands beside them.
    pub column: Option<String>,
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
    /// The row's place: file and line.
    pub place: String,
    /// Why.
    pub message: String,
}

impl std::fmt::Display for MappingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mapping `{}`, row `{}` ({}): {}", self.mapping, self.row, self.place, self.message)
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
        for row in &self.rows {
            match row.following(from, leading, following) {
                Verdict::Equal | Verdict::Stays => {}
                Verdict::Stuck(message) => return Err(self.error(row, message)),
                Verdict::Follows { side, new, .. } => {
                    differences.push(row.difference(side, following, &new));
                    put(&mut changes, &row.fields[side].path, new);
                }
            }
        }
        Ok(json!({ "equal": differences.is_empty(), "changes": changes, "differences": differences }))
    }

    fn error(&self, row: &Row, message: String) -> MappingError {
        MappingError { mapping: self.name.clone(), row: row.id.clone(), place: row.place.clone(), message }
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
        [Segment::Key(first), rest @ ..] => {
            put_into(record.entry(first.to_string()).or_insert(Value::Null), rest, value);
        }
        [Segment::Index(_), ..] => {}
    }
}

/// The same into a record that may not be a map yet.
fn put_into(record: &mut Value, path: &[Segment], value: Value) {
    if !record.is_object() {
        *record = Value::Object(Map::new());
    }
    if let Value::Object(record) = record {
        put(record, path, value);
    }
}
