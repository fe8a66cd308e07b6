//! What a table is: its names, its columns, and what each column takes.
//!
//! Read in this order: this file (the table), `load` (how it is read), `cache` (how it is kept).

mod cache;
mod load;

use std::collections::BTreeMap;

use cosell_sdk::CallError;
use uuid::Uuid;

pub(crate) use cache::Tables;

/// A table's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Logical name, as in `opportunity`.
    pub logical_name: String,
    /// Entity set name, as in `opportunities`: what addresses are made of.
    pub set_name: String,
    /// Column of the row's identifier.
    pub primary_id: String,
    /// Whether its changes are tracked.
    pub change_tracking: bool,
}

impl Head {
    /// The address of a row, below the Web API's.
    pub fn row(&self, id: Uuid) -> String {
        format!("{}({id})", self.set_name)
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its names.
    pub head: Head,
    /// Its columns by logical name.
    pub columns: BTreeMap<String, Column>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Logical name.
    pub name: String,
    /// What it takes.
    pub kind: Kind,
    /// Whether a new row may be given a value for it.
    pub creatable: bool,
    /// Whether an existing row may.
    pub updatable: bool,
}

/// What a column takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identifier.
    Id,
    /// Text.
    Text,
    /// A number or an amount of money.
    Number,
    /// Yes or no.
    Bool,
    /// An instant or a date.
    Time,
    /// One of several values.
    Choice(Vec<Choice>),
    /// A reference to a row.
    Lookup(Vec<Target>),
    /// Something else, passed on as it is.
    Other(String),
}

/// What is said of a column to people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What forms and lists call it; none where it has no name for people.
    pub label: Option<String>,
    /// Whether whoever makes a row has to give a value.
    pub needed: bool,
}

/// A value of a choice column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The number stored.
    pub value: i64,
    /// Its labels, in the languages of the environment; the user's own first.
    pub labels: Vec<String>,
}

/// A table that a lookup may refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Logical name of the table.
    pub table: String,
    /// Navigation property by which it is set. It is case-sensitive, and not always the column's name.
    pub navigation: String,
}

impl Column {
    /// Its name in `$select`, `$filter`, `$orderby` and in rows on the wire.
    pub fn wire_name(&self) -> String {
        match self.kind {
            Kind::Lookup(_) => format!("_{}_value", self.name),
            _ => self.name.clone(),
        }
    }
}

impl Table {
    /// The column of this logical name.
    ///
    /// # Errors
    /// `unknown_column`, with the name that may have been meant.
    pub fn column(&self, name: &str) -> Result<&Column, CallError> {
        self.columns.get(name).ok_or_else(|| {
            let nearest = self
                .columns
                .keys()
                .map(|known| (strsim::jaro_winkler(known, &name.to_ascii_lowercase()), known))
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|(a, _), (b, _)| a.total_cmp(b))
                .map_or_else(|| "give its logical name".to_owned(), |(_, known)| format!("did you mean `{known}`?"));
            CallError::rejected(
                "unknown_column",
                format!("the table {} has no column `{name}`; {nearest}", self.head.logical_name),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::table;

    #[test]
    fn an_unknown_column_gets_a_suggestion() {
        let table = table();
        assert_eq!(table.column("name").unwrap().wire_name(), "name");
        assert_eq!(table.column("customerid").unwrap().wire_name(), "_customerid_value");
        let message = |name: &str| table.column(name).unwrap_err().message;
        assert!(message("EstimatedValue").contains("did you mean `estimatedvalue`?"), "{}", message("EstimatedValue"));
        assert!(message("estimatedvalu").contains("did you mean `estimatedvalue`?"), "{}", message("estimatedvalu"));
        assert!(message("zzz").contains("logical name"), "{}", message("zzz"));
    }
}
