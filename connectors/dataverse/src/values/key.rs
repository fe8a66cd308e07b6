//! Which row: its identifier, or the values of an alternate key.

use cosell_sdk::CallError;
use cosell_sdk::values::guid;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::filter::literal;
use crate::metadata::Table;

/// Which row, as a flow wrote it.
#[derive(Debug)]
pub enum RowKey<'a> {
    /// By its identifier.
    Id(Uuid),
    /// By the columns of an alternate key.
    Alternate(&'a Map<String, Value>),
}

impl<'a> RowKey<'a> {
    /// Reads `id` and `key`, of which one is to be given.
    ///
    /// # Errors
    /// `which_row` for both or none, `not_a_guid` for a wrong identifier.
    pub fn new(id: Option<&str>, key: Option<&'a Map<String, Value>>) -> Result<Self, CallError> {
        match (id, key) {
            (Some(id), None) => Ok(Self::Id(guid("id", id)?)),
            (None, Some(key)) if !key.is_empty() => Ok(Self::Alternate(key)),
            _ => Err(CallError::rejected(
                "which_row",
                "give either `id` or `key`, and in `key` at least one column: the row's identifier, or the values of an \
                 alternate key",
            )),
        }
    }

    /// The row's address below the Web API's (Web API, use alternate keys).
    ///
    /// # Errors
    /// Columns that do not exist, and values that they cannot hold.
    pub fn address(&self, table: &Table) -> Result<String, CallError> {
        let key = match self {
            Self::Id(id) => return Ok(table.head.row(*id)),
            Self::Alternate(key) => key,
        };
        let mut terms = Vec::new();
        for (name, value) in *key {
            let column = table.column(name)?;
            let value = if value.is_null() { None } else { literal(table, column, value)? };
            let value = value.ok_or_else(|| {
                CallError::rejected(
                    "wrong_key",
                    format!("the key column `{name}` of {} has no usable value", table.head.logical_name),
                )
            })?;
            terms.push(format!("{}={value}", column.wire_name()));
        }
        Ok(format!("{}({})", table.head.set_name, terms.join(",")))
    }
}
