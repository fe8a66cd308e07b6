//! Which of the foreseen rows a condition finds.

use std::collections::BTreeMap;

use cosell_sdk::CallContext;
use cosell_sdk::filter::{Filter, Held, instant};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::foresee::{self, Foretold};
use crate::metadata::{Column, Kind, Table};

/// A foreseen row, and whether it would be found.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) id: Uuid,
    pub(super) row: Option<Map<String, Value>>,
    /// Why that cannot be said, where it cannot.
    pub(super) is_found: Result<bool, String>,
    pub(super) began: u64,
    pub(super) written: u64,
}

/// Judges rows by a filter in the Web API's words, and remarks where that cannot be done.
pub(super) fn judge(
    table: &Table,
    filter: Option<&str>,
    foretold: Vec<Foretold>,
    context: &CallContext,
) -> Vec<Judged> {
    let filter = filter.map(Filter::read).transpose();
    let is_found = |row: Option<&Map<String, Value>>| match (row, &filter) {
        (None, _) => Ok(false),
        (Some(_), Ok(None)) => Ok(true),
        (Some(row), Ok(Some(filter))) => filter.holds(&|member| held(table, row, member)),
        (Some(_), Err(why)) => Err(format!("the filter cannot be read, as {why}")),
    };
    let judged = foretold.into_iter().map(|Foretold { id, row, began, written }| {
        let is_found = is_found(row.as_ref());
        Judged { id, row, is_found, began, written }
    });
    let judged: Vec<Judged> = judged.collect();
    let mut unknown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in &judged {
        if let Err(why) = &row.is_found {
            unknown.entry(why).or_default().push(table.head.row(row.id));
        }
    }
    unknown.iter().for_each(|(why, records)| foresee::left_aside(records, why, context));
    judged
}

/// The column of a name on the wire.
pub(super) fn column<'t>(table: &'t Table, wire_name: &str) -> Option<&'t Column> {
    let lookup = wire_name.strip_prefix('_').and_then(|name| name.strip_suffix("_value"));
    table.columns.get(lookup.unwrap_or(wire_name)).filter(|column| column.wire_name() == wire_name)
}

/// What a foreseen row would hold in a member of a filter.
fn held(table: &Table, row: &Map<String, Value>, member: &str) -> Result<Held, String> {
    let column = column(table, member).ok_or_else(|| format!("`{member}` is not a column of the table itself"))?;
    if foresee::is_filled_in(column, row) {
        return Err(format!("Dataverse fills in `{}` by itself", column.name));
    }
    let Some(value) = row.get(member).filter(|value| !value.is_null()) else { return Ok(Held::Null) };
    let (text, number) = (value.as_str(), value.as_f64());
    let held = match &column.kind {
        Kind::Id | Kind::Lookup(_) => text.and_then(|text| text.parse().ok()).map(Held::Id),
        Kind::Text => text.map(|text| Held::Text(text.to_owned())),
        Kind::Number | Kind::Choice(_) => number.map(Held::Number),
        Kind::Bool => value.as_bool().map(Held::Bool),
        Kind::Time => text.and_then(instant).map(Held::Time),
        Kind::Other(_) => None,
    };
    held.ok_or_else(|| format!("values of `{}` are not compared here", column.name))
}
