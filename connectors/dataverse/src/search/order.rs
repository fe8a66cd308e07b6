//! Where a foreseen row stands among others.

use std::cmp::Ordering;

use cosell_sdk::filter::{folded, instant};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::judged::{Judged, column};
use crate::foresee;
use crate::metadata::{Column, Kind, Table};

/// An order, as in `createdon desc,name`.
pub(super) struct Order<'t> {
    terms: Vec<Term<'t>>,
}

struct Term<'t> {
    wire_name: String,
    column: Option<&'t Column>,
    is_descending: bool,
}

/// What rows are compared by: nothing comes first, as in SQL Server.
#[derive(PartialEq, PartialOrd)]
enum Key {
    Nothing,
    Number(f64),
    Text(String),
    Moment(Timestamp),
    /// Filled in when the write is done, so later than all that is there.
    Later(u64),
}

impl<'t> Order<'t> {
    pub(super) fn new(table: &'t Table, text: &str) -> Self {
        let terms = text.split(',').map(|term| {
            let mut words = term.split_whitespace();
            let wire_name = words.next().unwrap_or_default().to_owned();
            Term { column: column(table, &wire_name), wire_name, is_descending: words.next() == Some("desc") }
        });
        Self { terms: terms.collect() }
    }

    /// The columns that it goes by, by their names on the wire.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|term| term.wire_name.as_str())
    }

    /// A column by whose labels the order goes, which are not known of a foreseen row.
    pub(super) fn by_labels(&self) -> Option<&str> {
        let is_labelled = |term: &&Term<'_>| {
            term.column.is_none_or(|column| matches!(column.kind, Kind::Lookup(_) | Kind::Choice(_)))
        };
        self.terms.iter().find(is_labelled).map(|term| term.wire_name.as_str())
    }

    /// Compares two rows, of which each may be a foreseen one.
    pub(super) fn compare(
        &self,
        one: (&Map<String, Value>, Option<&Judged>),
        other: (&Map<String, Value>, Option<&Judged>),
    ) -> Ordering {
        let orderings = self.terms.iter().map(|term| {
            let ordering = term.key(one).partial_cmp(&term.key(other)).unwrap_or(Ordering::Equal);
            if term.is_descending { ordering.reverse() } else { ordering }
        });
        orderings.fold(Ordering::Equal, Ordering::then)
    }
}

impl Term<'_> {
    fn key(&self, (row, foreseen): (&Map<String, Value>, Option<&Judged>)) -> Key {
        let row = foreseen.and_then(|foreseen| foreseen.row.as_ref()).unwrap_or(row);
        if let (Some(foreseen), Some(column @ Column { kind: Kind::Time, .. })) = (foreseen, self.column)
            && foresee::is_filled_in(column, row)
        {
            return Key::Later(if column.name == "createdon" { foreseen.began } else { foreseen.written });
        }
        match row.get(&self.wire_name) {
            Some(Value::Number(number)) => number.as_f64().map_or(Key::Nothing, Key::Number),
            Some(Value::Bool(yes)) => Key::Number(f64::from(u8::from(*yes))),
            Some(Value::String(text)) => instant(text).map_or_else(|| Key::Text(folded(text)), Key::Moment),
            _ => Key::Nothing,
        }
    }
}
