//! Values and names as the Web API takes them, from what flows write.
//!
//! Read in this order: `lookup` and `choice` (the two kinds of value that flows may write in several ways), [`filter`]
//! (conditions), [`key`] (which row), [`names`] (what to read, in which order), [`assign`] (what to write), [`cut`]
//! (texts that are too long).

pub mod assign;
mod choice;
pub mod cut;
pub mod filter;
pub mod key;
mod lookup;
pub mod names;

use cosell_sdk::CallError;
use serde_json::Value;

use crate::metadata::Table;

/// A value that is not one for its column.
fn wrong_value(table: &Table, column: &str, value: &Value, expected: &str) -> CallError {
    CallError::rejected(
        "wrong_value",
        format!("the column `{column}` of {} cannot hold {value}; expected {expected}", table.head.logical_name),
    )
}
