//! The organisation's rows as one JSON value, and back: for the sandbox's state file.
//!
//! Definitions made through the metadata API are not kept; rows of such tables and values of such columns are left out
//! when the value is read back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Grave, Row, Store};
use crate::dataverse::{
    Dataverse,
    cell::{Cell, Reference},
    schema::{Schema, Table},
};

/// A store as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u64,
    rows: BTreeMap<String, Vec<KeptRow>>,
    graves: Vec<(String, Uuid, u64)>,
    links: BTreeSet<(String, Uuid, Uuid)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptRow {
    id: Uuid,
    version: u64,
    cells: BTreeMap<String, KeptCell>,
}

/// A cell with its type, which a bare JSON value would not tell.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptCell {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Id(Uuid),
    Reference(String, Uuid),
    Day(jiff::civil::Date),
    Instant(jiff::Timestamp),
}

impl Dataverse {
    /// All rows, their versions and their graves.
    pub(crate) fn snapshot(&self) -> Value {
        json!(self.lock().keep())
    }

    /// Puts the rows of an earlier run in place of the seed.
    ///
    /// # Errors
    ///
    /// What is wrong with `snapshot`.
    pub(crate) fn restore(&self, snapshot: Value) -> Result<(), String> {
        let kept: Kept = serde_json::from_value(snapshot)
            .map_err(|error| format!("the rows of Dataverse cannot be read: {error}"))?;
        self.lock().take(kept);
        Ok(())
    }
}

impl Store {
    fn keep(&self) -> Kept {
        let row = |row: &Row| KeptRow {
            id: row.id,
            version: row.version,
            cells: row.cells.iter().map(|(name, cell)| ((*name).to_owned(), KeptCell::of(cell))).collect(),
        };
        Kept {
            version: self.version,
            rows: self
                .rows
                .iter()
                .map(|(table, rows)| ((*table).to_owned(), rows.values().map(row).collect()))
                .collect(),
            graves: self.graves.iter().map(|grave| (grave.table.to_owned(), grave.id, grave.version)).collect(),
            links: self.links.clone(),
        }
    }

    fn take(&mut self, kept: Kept) {
        self.version = kept.version;
        self.links = kept.links;
        self.rows.clear();
        for (name, rows) in kept.rows {
            let Some(table) = self.schema.table(&name) else { continue };
            let rows = rows.into_iter().map(|row| (row.id, row.back(&self.schema, table)));
            self.rows.insert(table.logical.as_str(), rows.collect());
        }
        let grave = |(name, id, version): (String, Uuid, u64)| {
            Some(Grave { table: self.schema.table(&name)?.logical.as_str(), id, version })
        };
        let graves = kept.graves.into_iter().filter_map(grave).collect();
        self.graves = graves;
        self.old_graves = self.graves.len();
        self.undo.clear();
    }
}

impl KeptRow {
    fn back(self, schema: &Schema, table: &'static Table) -> Row {
        let cells = self
            .cells
            .into_iter()
            .filter_map(|(name, cell)| Some((table.column(&name)?.logical.as_str(), cell.back(schema)?)));
        Row { id: self.id, version: self.version, cells: cells.collect() }
    }
}

impl KeptCell {
    fn of(cell: &Cell) -> KeptCell {
        match cell {
            Cell::Bool(value) => KeptCell::Bool(*value),
            Cell::Integer(value) => KeptCell::Integer(*value),
            Cell::Number(value) => KeptCell::Number(*value),
            Cell::Text(value) => KeptCell::Text(value.clone()),
            Cell::Id(id) => KeptCell::Id(*id),
            Cell::Reference(Reference { table, id }) => KeptCell::Reference((*table).to_owned(), *id),
            Cell::Day(day) => KeptCell::Day(*day),
            Cell::Instant(at) => KeptCell::Instant(*at),
        }
    }

    fn back(self, schema: &Schema) -> Option<Cell> {
        Some(match self {
            KeptCell::Bool(value) => Cell::Bool(value),
            KeptCell::Integer(value) => Cell::Integer(value),
            KeptCell::Number(value) => Cell::Number(value),
            KeptCell::Text(value) => Cell::Text(value),
            KeptCell::Id(id) => Cell::Id(id),
            KeptCell::Reference(table, id) => {
                Cell::Reference(Reference { table: schema.table(&table)?.logical.as_str(), id })
            }
            KeptCell::Day(day) => Cell::Day(day),
            KeptCell::Instant(at) => Cell::Instant(at),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn everything_comes_back_as_it_was() {
        let account = Schema::default().table("account").unwrap();
        let (kept, gone) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut store = Store::default();
        let mut row = Row::new(kept);
        row.set("name", Some(Cell::Text("Contoso".to_owned())));
        row.set("createdon", Some(Cell::Instant("2026-11-02T08:00:00Z".parse().unwrap())));
        row.set("primarycontactid", Some(Cell::Reference(Reference { table: "contact", id: gone })));
        store.put(account, row);
        store.put(account, Row::new(gone));
        store.remove(account, gone);
        store.commit();

        let text = serde_json::to_string(&store.keep()).unwrap();
        let mut back = Store::default();
        back.take(serde_json::from_str(&text).unwrap());
        assert_eq!(back.version(), store.version());
        let (row, old) = (back.get(account, kept).unwrap(), store.get(account, kept).unwrap());
        assert_eq!((row.version, &row.cells), (old.version, &old.cells));
        assert_eq!(back.graves(account).next().unwrap().id, gone);
    }
}
