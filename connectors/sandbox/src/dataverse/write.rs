//! Creating, changing and deleting rows: required columns, defaults, states, computed columns, keys. The API, its
//! actions and people working in the CRM all come through here.

use jiff::Timestamp;
use uuid::Uuid;

use super::cell::{Cell, Reference};
use super::errors::{Answer, INVALID_ARGUMENT, Refusal};
use super::payload::Values;
use super::schema::{Column, Kind, OnDelete, Required, Table};
use super::store::{Row, Store, whole_seconds};

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer {
    /// The systemuser.
    pub(super) user: Uuid,
    /// The simulated instant.
    pub(super) now: Timestamp,
}

/// Creates a row of `table` with `values`, under `id` where the address gave one, and gives its id.
pub(super) fn create(
    store: &mut Store,
    writer: Writer,
    table: &'static Table,
    values: Values,
    id: Option<Uuid>,
) -> Answer<Uuid> {
    let chosen = values.iter().find_map(|(column, value)| match (&column.kind, value) {
        (Kind::PrimaryKey, Some(Cell::Id(id))) => Some(*id),
        _ => None,
    });
    if let (Some(chosen), Some(id)) = (chosen, id)
        && chosen != id
    {
        return Err(other_id(table));
    }
    // Ids that rise keep rows in the order they were created.
    let id = id.or(chosen).unwrap_or_else(Uuid::now_v7);
    if store.get(table, id).is_some() {
        return Err(Refusal::duplicate());
    }
    let mut row = Row::new(id);
    for (column, value) in values {
        row.set(&column.logical, value);
    }
    defaults(store, writer, table, &mut row);
    if let Some(status) = row.integer("statuscode")
        && let Some(first) = table.states.first()
    {
        let state = first.value;
        check_status(table, id, state, status)?;
        row.set("statecode", Some(Cell::Integer(state)));
    }
    let now = Cell::Instant(whole_seconds(writer.now));
    match row.cells.remove("overriddencreatedon") {
        Some(created) => {
            row.set("createdon", Some(created));
            row.set("overriddencreatedon", Some(now));
        }
        None => row.set("createdon", Some(now)),
    }
    row.set("createdby", Some(user(writer.user)));
    finish(store, writer, table, &mut row);
    check_row(store, table, &row)?;
    store.put(table, row);
    Ok(id)
}

/// Changes the row of `table` with `id`.
pub(super) fn update(store: &mut Store, writer: Writer, table: &'static Table, id: Uuid, values: Values) -> Answer<()> {
    let mut row = store.get(table, id).cloned().ok_or_else(|| Refusal::missing_row(table, id))?;
    let values: Values = values.into_iter().filter(|(column, _)| !matches!(column.kind, Kind::PrimaryKey)).collect();
    let given = |kind: fn(&Kind) -> bool| {
        values.iter().find(|(column, _)| kind(&column.kind)).map(|(_, value)| match value {
            Some(Cell::Integer(value)) => Some(*value),
            _ => None,
        })
    };
    let state = given(|kind| matches!(kind, Kind::State));
    let status = given(|kind| matches!(kind, Kind::Status));
    if state == Some(None) || status == Some(None) {
        let message = format!("statecode and statuscode of '{}' cannot be null.", table.logical);
        return Err(Refusal::bad(INVALID_ARGUMENT, message));
    }
    let (state, status) = (state.flatten(), status.flatten());
    let current = row.integer("statecode");
    if table.locks_when_closed && current != Some(0) {
        let only_state = values.iter().all(|(column, _)| matches!(column.kind, Kind::State | Kind::Status));
        if state != Some(0) || !only_state {
            return Err(closed(table, id));
        }
    }
    for (column, value) in values {
        row.set(&column.logical, value);
    }
    if state.is_some() || status.is_some() {
        let state = state.or(current).unwrap_or_default();
        if current != Some(state) {
            check_transition(table, state)?;
        }
        let status = status.unwrap_or_else(|| {
            let keep = row.integer("statuscode").filter(|_| current == Some(state));
            keep.or_else(|| default_status(table, state)).unwrap_or_default()
        });
        check_status(table, id, state, status)?;
        row.set("statecode", Some(Cell::Integer(state)));
        row.set("statuscode", Some(Cell::Integer(status)));
    }
    replace(store, writer, table, row)
}

/// Writes `row` in place of its earlier version, with its computed columns brought up to date.
pub(super) fn replace(store: &mut Store, writer: Writer, table: &'static Table, mut row: Row) -> Answer<()> {
    if let Some(before) = store.get(table, row.id)
        && row.cells.get("isrevenuesystemcalculated") == Some(&Cell::Bool(true))
    {
        // The amount is the system's while it calculates the revenue; what was given is ignored.
        let kept = before.cells.get("estimatedvalue").cloned();
        row.set("estimatedvalue", kept);
    }
    finish(store, writer, table, &mut row);
    check_row(store, table, &row)?;
    store.put(table, row);
    Ok(())
}

/// Deletes the row of `table` with `id`, the rows that belong to it, and every lookup that points at them.
pub(super) fn delete(store: &mut Store, writer: Writer, table: &'static Table, id: Uuid) -> Answer<()> {
    if store.get(table, id).is_none() {
        return Err(Refusal::missing_row(table, id));
    }
    if matches!(table.logical.as_str(), "systemuser" | "transactioncurrency") {
        return Err(Refusal::outside(format!("deleting a row of '{}'", table.logical)));
    }
    store.remove(table, id);
    for other in store.schema().tables().collect::<Vec<_>>() {
        for column in &other.columns {
            let Some(target) = column.targets().iter().find(|target| target.table == table.logical) else {
                continue;
            };
            let points = |row: &&Row| {
                let to = row.get(column).and_then(Cell::reference);
                to.is_some_and(|to| to.table == table.logical && to.id == id)
            };
            let pointing: Vec<Row> = store.rows(other).filter(points).cloned().collect();
            for mut row in pointing {
                match target.on_delete {
                    OnDelete::Cascade => delete(store, writer, other, row.id)?,
                    OnDelete::Restrict => return Err(Refusal::restricted(table, other)),
                    OnDelete::Clear => {
                        row.set(&column.logical, None);
                        finish(store, writer, other, &mut row);
                        store.put(other, row);
                    }
                }
            }
        }
    }
    Ok(())
}

/// The default status of a state.
pub(super) fn default_status(table: &Table, state: i64) -> Option<i64> {
    Some(table.state(state)?.statuses.first()?.0)
}

/// Refuses a status that does not belong to the state.
pub(super) fn check_status(table: &Table, id: Uuid, state: i64, status: i64) -> Answer<()> {
    let known = table.state(state);
    if known.is_some_and(|known| known.statuses.iter().any(|(value, _)| *value == status)) {
        return Ok(());
    }
    let label = known.map_or("Unknown", |state| state.label);
    let message = format!(
        "{status} is not a valid status code for state code {}State.{label} on {} with Id {id}.",
        table.schema, table.logical
    );
    Err(Refusal::bad("0x80048408", message))
}

/// The refusal to change a closed row.
pub(super) fn closed(table: &Table, id: Uuid) -> Refusal {
    let message = format!(
        "The {} With Id = {id} is closed and read-only; set statecode to 0 to reopen it before changing it.",
        table.logical
    );
    Refusal::bad(INVALID_ARGUMENT, message)
}

fn check_transition(table: &Table, state: i64) -> Answer<()> {
    match (table.logical.as_str(), state) {
        ("opportunity", 1 | 2) => {
            let word = if state == 1 { "won" } else { "lost" };
            Err(Refusal::bad(
                "0x80100005",
                format!(
                    "This message can not be used to set the state of opportunity to {word}. In order to set state of \
                     opportunity to {word}, use the {word} message instead."
                ),
            ))
        }
        ("lead", 1) => Err(Refusal::outside("qualifying a lead by its statecode; use QualifyLead")),
        _ => Ok(()),
    }
}

fn other_id(table: &Table) -> Refusal {
    let message = format!("The '{}' in the payload is not the one in the address.", table.primary_id);
    Refusal::bad(INVALID_ARGUMENT, message)
}

fn user(id: Uuid) -> Cell {
    Cell::Reference(Reference { table: "systemuser", id })
}

fn defaults(store: &Store, writer: Writer, table: &'static Table, row: &mut Row) {
    for column in &table.columns {
        if row.get(column).is_some() {
            continue;
        }
        let value = match (&column.kind, column.logical.as_str()) {
            (Kind::Boolean { default }, _) => Some(Cell::Bool(*default)),
            (Kind::Status, _) => {
                table.states.first().and_then(|state| state.statuses.first()).map(|s| Cell::Integer(s.0))
            }
            (_, "ownerid") => Some(user(writer.user)),
            (_, "transactioncurrencyid") => organisation_currency(store),
            _ => None,
        };
        row.set(&column.logical, value);
    }
}

/// The currency with the exchange rate 1 that was there first.
fn organisation_currency(store: &Store) -> Option<Cell> {
    let table = store.schema().table("transactioncurrency")?;
    let base = store.rows(table).find(|row| row.cells.get("exchangerate") == Some(&Cell::Number(1.0)))?;
    Some(Cell::Reference(Reference { table: &table.logical, id: base.id }))
}

/// Brings the columns up to date that only the platform writes.
fn finish(store: &Store, writer: Writer, table: &'static Table, row: &mut Row) {
    row.set("modifiedon", Some(Cell::Instant(whole_seconds(writer.now))));
    row.set("modifiedby", Some(user(writer.user)));
    if table.column("fullname").is_some() {
        let full = joined(row, &["firstname", "lastname"], " ");
        row.set("fullname", full);
    }
    if table.column("address1_composite").is_some() {
        let composite = composite(row);
        row.set("address1_composite", composite);
    }
    if table.column("msft_weightedvalue").is_some() {
        let amount = row.cells.get("estimatedvalue").and_then(Cell::number).zip(row.integer("closeprobability"));
        let weighted = amount.map(|(amount, percent)| (amount * percent as f64).round() / 100.0);
        row.set("msft_weightedvalue", weighted.map(Cell::Number));
    }
    if table.has_money() {
        let rate = row
            .reference("transactioncurrencyid")
            .and_then(|currency| store.follow(currency))
            .and_then(|(_, currency)| currency.cells.get("exchangerate")?.number());
        row.set("exchangerate", rate.map(Cell::Number));
        for column in &table.columns {
            if let Some(amount) = column.logical.strip_suffix("_base") {
                let amount = row.cells.get(amount).and_then(Cell::number);
                let base = amount.zip(rate).map(|(amount, rate)| (amount / rate * 10_000.0).round() / 10_000.0);
                row.set(&column.logical, base.map(Cell::Number));
            }
        }
    }
}

fn joined(row: &Row, columns: &[&str], separator: &str) -> Option<Cell> {
    let parts: Vec<&str> = columns.iter().filter_map(|column| row.text(column)).collect();
    (!parts.is_empty()).then(|| Cell::Text(parts.join(separator)))
}

fn composite(row: &Row) -> Option<Cell> {
    let town = joined(row, &["address1_stateorprovince", "address1_postalcode"], " ");
    let town = match (row.text("address1_city"), town.as_ref().and_then(Cell::text)) {
        (Some(city), Some(rest)) => Some(format!("{city}, {rest}")),
        (city, rest) => city.or(rest).map(str::to_owned),
    };
    let lines = ["address1_line1", "address1_line2", "address1_line3"].map(|line| row.text(line));
    let mut parts: Vec<&str> = lines.into_iter().flatten().collect();
    parts.extend(town.as_deref());
    parts.extend(row.text("address1_country"));
    (!parts.is_empty()).then(|| Cell::Text(parts.join("\r\n")))
}

/// What must hold for every row that is written: required columns have values, alternate keys are unique.
fn check_row(store: &Store, table: &'static Table, row: &Row) -> Answer<()> {
    super::webhooks::check(table, row)?;
    let empty = |column: &&Column| match column.required {
        Required::Always => row.get(column).is_none(),
        // The platform filled these when the row was created, so only an update can have cleared one.
        Required::System => row.get(column).is_none() && !matches!(column.kind, Kind::PrimaryKey),
        _ => false,
    };
    if let Some(column) = table.columns.iter().find(empty) {
        let message =
            format!("Required field '{}' of '{}' is missing or empty; give it a value.", column.logical, table.logical);
        return Err(Refusal::bad("0x80040227", message));
    }
    for key in &table.keys {
        let part = |row: &Row| -> Option<Vec<_>> {
            key.columns.iter().map(|name| row.cells.get(*name).map(Cell::sort_key)).collect()
        };
        let own = part(row);
        if own.is_some() && store.rows(table).any(|other| other.id != row.id && part(other) == own) {
            return Err(Refusal::duplicate_key(key.name));
        }
    }
    Ok(())
}
