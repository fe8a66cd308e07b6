//! Rows as a dry run would have left them: what predictions note, and reads by identifier find.

use cosell_sdk::CallContext;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::metadata::{Head, Table};

/// Notes that a row would be so, as it comes.
pub(crate) fn row(head: &Head, id: Uuid, row: &Map<String, Value>, context: &CallContext) {
    context.foresee(head.row(id), Some(Value::Object(row.clone())));
}

/// Notes that a row would be gone.
pub(crate) fn gone(head: &Head, id: Uuid, context: &CallContext) {
    context.foresee(head.row(id), None);
}

/// A new row begins open: every table with a state has 0 for it, and 1 for the reason that goes with it where nobody says
/// otherwise (tables opportunity, lead, account and contact).
pub(crate) fn begin_open(table: &Table, row: &mut Map<String, Value>) {
    for (column, value) in [("statecode", 0), ("statuscode", 1)] {
        if table.columns.contains_key(column) && !row.contains_key(column) {
            row.insert(column.to_owned(), json!(value));
        }
    }
}

/// What a read of certain columns gives of a row, with all that is said of them.
pub(crate) fn selected(row: &Map<String, Value>, select: Option<&str>) -> Map<String, Value> {
    let Some(select) = select else { return row.clone() };
    let wanted: Vec<&str> = select.split(',').map(str::trim).collect();
    let is_wanted = |name: &str| wanted.contains(&name.split('@').next().unwrap_or_default());
    row.iter()
        .filter(|(name, _)| name.starts_with('@') || is_wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// A row that was read, with what is foreseen of the columns that were asked for.
pub(crate) fn over(mut row: Map<String, Value>, foreseen: &Map<String, Value>) -> Map<String, Value> {
    for (name, value) in &mut row {
        if let Some(foreseen) = foreseen.get(name) {
            *value = foreseen.clone();
        }
    }
    row
}
