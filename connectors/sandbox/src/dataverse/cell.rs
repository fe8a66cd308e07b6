//! A value of a column: how it is kept, shown and compared. A column without a value (null) has no cell.

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// A value that is not null.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Yes or no.
    Bool(bool),
    /// Whole numbers and choices.
    Integer(i64),
    /// Money, decimals and floating-point numbers.
    Number(f64),
    /// Text, never empty: Dataverse keeps an empty text as null.
    Text(String),
    /// An id.
    Id(Uuid),
    /// The row a lookup points at.
    Reference(Reference),
    /// A day.
    Day(Date),
    /// An instant, in whole seconds.
    Instant(Timestamp),
}

/// A row, by table and id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reference {
    /// Logical name of the table.
    pub(super) table: &'static str,
    /// Id of the row.
    pub(super) id: Uuid,
}

/// A position in an ordering; null comes first, text ignores case, as in the database's collation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum SortKey {
    /// No value.
    Null,
    /// Numbers, choices, booleans.
    Number(f64),
    /// Texts, dates and ids.
    Text(String),
}

impl Cell {
    /// The value as rows and logs show it; a lookup shows its id.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Cell::Bool(value) => json!(value),
            Cell::Integer(value) => json!(value),
            Cell::Number(value) => json!(value),
            Cell::Text(value) => json!(value),
            Cell::Id(id) | Cell::Reference(Reference { id, .. }) => json!(id),
            Cell::Day(day) => json!(day.to_string()),
            Cell::Instant(instant) => json!(instant.to_string()),
        }
    }

    /// The row a lookup points at.
    pub(super) fn reference(&self) -> Option<Reference> {
        match self {
            Cell::Reference(reference) => Some(*reference),
            _ => None,
        }
    }

    /// The number a numeric value stands for.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Cell::Integer(value) => Some(*value as f64),
            Cell::Number(value) => Some(*value),
            _ => None,
        }
    }

    /// The text of a text value.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The position of the value in an ordering.
    pub(super) fn sort_key(&self) -> SortKey {
        match self {
            Cell::Bool(value) => SortKey::Number(f64::from(u8::from(*value))),
            Cell::Integer(value) => SortKey::Number(*value as f64),
            Cell::Number(value) => SortKey::Number(*value),
            Cell::Text(text) => SortKey::Text(text.to_lowercase()),
            Cell::Id(id) | Cell::Reference(Reference { id, .. }) => SortKey::Text(id.to_string()),
            Cell::Day(day) => SortKey::Text(day.to_string()),
            Cell::Instant(instant) => SortKey::Text(instant.to_string()),
        }
    }
}

impl SortKey {
    /// The order of two positions.
    pub(super) fn order(&self, other: &SortKey) -> Ordering {
        match (self, other) {
            (SortKey::Number(left), SortKey::Number(right)) => left.total_cmp(right),
            (SortKey::Text(left), SortKey::Text(right)) => left.cmp(right),
            (left, right) => left.rank().cmp(&right.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            SortKey::Null => 0,
            SortKey::Number(_) => 1,
            SortKey::Text(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_sorts_first_and_case_does_not_count() {
        assert_eq!(SortKey::Null.order(&Cell::Integer(-5).sort_key()), Ordering::Less);
        assert_eq!(Cell::Text("ABC".into()).sort_key().order(&Cell::Text("abc".into()).sort_key()), Ordering::Equal);
        assert_eq!(Cell::Number(9.0).sort_key().order(&Cell::Number(10.0).sort_key()), Ordering::Less);
    }
}
