//! Rows as a dry run would have left them: what predictions note, and reads find.

use cosell_sdk::CallContext;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::metadata::{Column, Head, Kind, Table};

/// What Dataverse gives a new row by itself, beside columns that nobody else can set, yes/no and choices: whom it belongs
/// to, and the currency of the environment.
const GIVEN: [&str; 2] = ["ownerid", "transactioncurrencyid"];
/// Marks a row of which only what stands in it is known.
const VAGUE: &str = "@cosell.vague";
/// How many records a remark names.
const NAMED: usize = 3;

/// A row of a table that a prediction was about.
#[derive(Debug)]
pub(crate) struct Foretold {
    /// Its identifier.
    pub(crate) id: Uuid,
    /// How it would be, as it comes; none where it would be gone.
    pub(crate) row: Option<Map<String, Value>>,
    /// Of two rows, the one with more came later.
    pub(crate) began: u64,
    /// Of two rows, the one with more was changed later.
    pub(crate) written: u64,
}

/// Notes that a row would be so, as it comes.
pub(crate) fn row(head: &Head, id: Uuid, row: &Map<String, Value>, context: &CallContext) {
    context.foresee(head.row(id), Some(Value::Object(row.clone())));
}

/// Notes that a row would be there of which only this is known: Dataverse makes it by itself.
pub(crate) fn vague(head: &Head, id: Uuid, mut known: Map<String, Value>, context: &CallContext) {
    known.insert(VAGUE.to_owned(), Value::Bool(true));
    row(head, id, &known, context);
}

/// Notes that a row would be gone.
pub(crate) fn gone(head: &Head, id: Uuid, context: &CallContext) {
    context.foresee(head.row(id), None);
}

/// The rows of a table that predictions were about, in the order in which they first were.
pub(crate) fn rows(head: &Head, context: &CallContext) -> Vec<Foretold> {
    let records = context.foreseen_among(&format!("{}(", head.set_name)).into_iter().enumerate();
    let foretold = records.filter_map(|(began, record)| {
        // Relationships have longer names.
        let id = record.name.get(head.set_name.len() + 1..)?.strip_suffix(')')?.parse().ok()?;
        let row = match record.value {
            Some(Value::Object(row)) => Some(row),
            _ => None,
        };
        Some(Foretold { id, row, began: began as u64, written: record.written })
    });
    foretold.collect()
}

/// Remarks that the answer leaves aside what is foreseen of these records.
pub(crate) fn left_aside(records: &[String], why: &str, context: &CallContext) {
    let named = records.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match records.len() {
        0 => return,
        count if count > NAMED => format!(" and {} more", count - NAMED),
        _ => String::new(),
    };
    context.remark(format!("What is foreseen of {named}{more} is left aside: {why}."));
}

/// The same of all that is foreseen.
pub(crate) fn all_left_aside(why: &str, context: &CallContext) {
    let records: Vec<String> = context.foreseen_among("").into_iter().map(|record| record.name).collect();
    left_aside(&records, why, context);
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

/// Whether a foreseen row is one that is not there yet: what is there has a version.
pub(crate) fn is_new(row: &Map<String, Value>) -> bool {
    !row.contains_key("@odata.etag")
}

/// Whether nobody can say what a foreseen row would hold in a column, because Dataverse fills it in by itself.
pub(crate) fn is_filled_in(column: &Column, row: &Map<String, Value>) -> bool {
    let name = column.name.as_str();
    let is_there = row.contains_key(&column.wire_name());
    if !is_new(row) {
        // How it was made does not change.
        let is_lasting = column.creatable || column.updatable || matches!(name, "createdon" | "createdby");
        return !is_there || !is_lasting;
    }
    let is_given = matches!(column.kind, Kind::Bool | Kind::Choice(_)) || GIVEN.contains(&name);
    !is_there && (!column.creatable || is_given || row.contains_key(VAGUE))
}

/// What a read of certain columns gives of a row, with all that is said of them. The row's identifier always comes.
pub(crate) fn selected(row: &Map<String, Value>, select: Option<&str>, id: &str) -> Map<String, Value> {
    let Some(select) = select else { return row.clone() };
    let wanted: Vec<&str> = select.split(',').map(str::trim).collect();
    let is_wanted = |name: &str, value: &Value| {
        let is_key = !name.starts_with('_') && !name.contains('@') && value == id;
        name.starts_with('@') || is_key || wanted.contains(&column_of(name))
    };
    let columns = row.iter().filter(|(name, value)| is_wanted(name, value));
    columns.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A row that was read, with what is foreseen of the columns that were asked for.
pub(crate) fn over(row: Map<String, Value>, foreseen: &Map<String, Value>) -> Map<String, Value> {
    let asked: Vec<String> = row.keys().filter(|name| foreseen.contains_key(*name)).cloned().collect();
    let is_foreseen = |name: &str| asked.iter().any(|asked| asked == column_of(name));
    // What people would read for a value goes with it.
    let mut over: Map<String, Value> = row.into_iter().filter(|(name, _)| !is_foreseen(name)).collect();
    let columns = foreseen.iter().filter(|(name, _)| is_foreseen(name));
    over.extend(columns.map(|(name, value)| (name.clone(), value.clone())));
    over
}

/// The column that a member of a row is about: itself, or what is said of it.
fn column_of(name: &str) -> &str {
    match name.split_once('@') {
        Some((column, _)) if !column.is_empty() => column,
        _ => name,
    }
}
