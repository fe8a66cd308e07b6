//! The rows, their versions and their graves. Everything between two commits is one transaction: it can be undone, and
//! it can be told afterwards which rows it touched and how.

mod snapshot;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::cell::{Cell, Reference};
use super::schema::{Column, Link, Schema, Table};

/// A row of a table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its id, also in the cells.
    pub(super) id: Uuid,
    /// Its `versionnumber`, also in the cells.
    pub(super) version: u64,
    /// Values by logical name; a null has no entry.
    pub(super) cells: BTreeMap<&'static str, Cell>,
}

/// What is left of a deleted row, for change tracking.
#[derive(Clone, Debug)]
pub(super) struct Grave {
    /// Logical name of the table.
    pub(super) table: &'static str,
    /// Id the row had.
    pub(super) id: Uuid,
    /// Version of the deletion.
    pub(super) version: u64,
}

/// A row that a transaction created, changed or deleted. The log reads it, and a web hook would.
#[derive(Debug)]
pub(super) struct Touched {
    /// The row's table.
    pub(super) table: &'static Table,
    /// The row before, if it existed.
    pub(super) before: Option<Row>,
    /// The row after, if it still exists.
    pub(super) after: Option<Row>,
}

/// The rows of the organisation and the definitions of their tables.
#[derive(Debug, Default)]
pub(super) struct Store {
    rows: BTreeMap<&'static str, BTreeMap<Uuid, Row>>,
    graves: Vec<Grave>,
    /// The version given last; one sequence for the whole organisation.
    version: u64,
    /// Rows as they were before this transaction, oldest first.
    undo: Vec<(&'static Table, Uuid, Option<Row>)>,
    /// Graves there were before this transaction.
    old_graves: usize,
    /// The definitions of tables.
    schema: Schema,
    /// The definitions before this transaction, where it changed them.
    old_schema: Option<Schema>,
    /// Rows linked by many-to-many relationships: name of the relationship, and the rows at its two ends.
    links: BTreeSet<(String, Uuid, Uuid)>,
    /// The links before this transaction, where it changed them.
    old_links: Option<BTreeSet<(String, Uuid, Uuid)>>,
}

impl Row {
    /// A row without values.
    pub(super) fn new(id: Uuid) -> Row {
        Row { id, version: 0, cells: BTreeMap::new() }
    }

    /// The value of `column`.
    pub(super) fn get(&self, column: &Column) -> Option<&Cell> {
        self.cells.get(column.logical.as_str())
    }

    /// The row that lookup `column` points at.
    pub(super) fn reference(&self, column: &str) -> Option<Reference> {
        self.cells.get(column)?.reference()
    }

    /// The text in `column`.
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        self.cells.get(column)?.text()
    }

    /// The whole number or choice in `column`.
    pub(super) fn integer(&self, column: &str) -> Option<i64> {
        match self.cells.get(column)? {
            Cell::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// Puts `value`, or null, into `column`.
    pub(super) fn set(&mut self, column: &'static str, value: Option<Cell>) {
        match value {
            Some(cell) => self.cells.insert(column, cell),
            None => self.cells.remove(column),
        };
    }

    /// The weak entity tag of this version.
    pub(super) fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

impl Store {
    /// The definitions of tables.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The definitions of tables, to be changed in this transaction.
    pub(super) fn schema_mut(&mut self) -> &mut Schema {
        if self.old_schema.is_none() {
            self.old_schema = Some(self.schema.clone());
        }
        &mut self.schema
    }

    /// The rows linked to row `id`, which stands at `end` of `link`.
    pub(super) fn linked(&self, link: &Link, end: usize, id: Uuid) -> Vec<Uuid> {
        let of_link = self.links.iter().filter(|(name, _, _)| *name == link.name);
        of_link
            .filter_map(|(_, first, second)| match end {
                0 if *first == id => Some(*second),
                1 if *second == id => Some(*first),
                _ => None,
            })
            .collect()
    }

    /// Links row `id`, which stands at `end` of `link`, with `other`, or unlinks them; false where they were not linked.
    pub(super) fn set_link(&mut self, link: &Link, end: usize, id: Uuid, other: Uuid, linked: bool) -> bool {
        if self.old_links.is_none() {
            self.old_links = Some(self.links.clone());
        }
        let entry = if end == 0 { (link.name.clone(), id, other) } else { (link.name.clone(), other, id) };
        if linked { !self.links.insert(entry) } else { self.links.remove(&entry) }
    }

    /// The row of `table` with `id`.
    pub(super) fn get(&self, table: &Table, id: Uuid) -> Option<&Row> {
        self.rows.get(table.logical.as_str())?.get(&id)
    }

    /// The row that `reference` names.
    pub(super) fn follow(&self, reference: Reference) -> Option<(&'static Table, &Row)> {
        let table = self.schema.table(reference.table)?;
        Some((table, self.get(table, reference.id)?))
    }

    /// The rows of `table`, by id.
    pub(super) fn rows(&self, table: &Table) -> impl Iterator<Item = &Row> {
        self.rows.get(table.logical.as_str()).into_iter().flat_map(BTreeMap::values)
    }

    /// The deletions of rows of `table`, oldest first.
    pub(super) fn graves(&self, table: &Table) -> impl Iterator<Item = &Grave> {
        self.graves.iter().filter(|grave| grave.table == table.logical)
    }

    /// The version given last.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Writes `row` under a new version.
    pub(super) fn put(&mut self, table: &'static Table, mut row: Row) {
        self.version += 1;
        row.version = self.version;
        row.cells.insert(table.primary_id.as_str(), Cell::Id(row.id));
        row.cells.insert("versionnumber", Cell::Integer(row.version as i64));
        let id = row.id;
        let before = self.rows.entry(table.logical.as_str()).or_default().insert(id, row);
        self.undo.push((table, id, before));
    }

    /// Deletes the row of `table` with `id`, leaving a grave.
    pub(super) fn remove(&mut self, table: &'static Table, id: Uuid) {
        let Some(row) = self.rows.get_mut(table.logical.as_str()).and_then(|rows| rows.remove(&id)) else {
            return;
        };
        if self.links.iter().any(|(_, first, second)| *first == id || *second == id) {
            self.old_links.get_or_insert_with(|| self.links.clone());
            self.links.retain(|(_, first, second)| *first != id && *second != id);
        }
        self.version += 1;
        self.graves.push(Grave { table: table.logical.as_str(), id, version: self.version });
        self.undo.push((table, id, Some(row)));
    }

    /// Ends the transaction and tells what it did, one entry a row, in the order the rows were first touched.
    pub(super) fn commit(&mut self) -> Vec<Touched> {
        self.old_graves = self.graves.len();
        self.old_schema = None;
        self.old_links = None;
        let mut touched: Vec<(Uuid, Touched)> = Vec::new();
        for (table, id, before) in std::mem::take(&mut self.undo) {
            if touched.iter().any(|(seen, entry)| *seen == id && entry.table.logical == table.logical) {
                continue;
            }
            let after = self.get(table, id).cloned();
            touched.push((id, Touched { table, before, after }));
        }
        touched.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Undoes the transaction. Versions given in it are not given again.
    pub(super) fn rollback(&mut self) {
        self.graves.truncate(self.old_graves);
        if let Some(schema) = self.old_schema.take() {
            self.schema = schema;
        }
        if let Some(links) = self.old_links.take() {
            self.links = links;
        }
        while let Some((table, id, before)) = self.undo.pop() {
            let rows = self.rows.entry(table.logical.as_str()).or_default();
            match before {
                Some(row) => rows.insert(id, row),
                None => rows.remove(&id),
            };
        }
    }
}

/// Instants are kept in whole seconds, as Dataverse keeps them.
pub(super) fn whole_seconds(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn named(id: Uuid, name: &str) -> Row {
        let mut row = Row::new(id);
        row.set("name", Some(Cell::Text(name.into())));
        row
    }

    #[test]
    fn a_rollback_restores_rows_and_graves() {
        let account = Schema::default().table("account").unwrap();
        let (kept, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut store = Store::default();
        store.put(account, named(kept, "a"));
        store.commit();
        store.put(account, named(kept, "b"));
        store.put(account, named(new, "c"));
        store.remove(account, kept);
        store.rollback();
        assert_eq!(store.get(account, kept).unwrap().text("name"), Some("a"));
        assert!(store.get(account, new).is_none());
        assert_eq!(store.graves(account).count(), 0);
        assert!(store.commit().is_empty());
    }

    #[test]
    fn a_commit_tells_each_row_once_with_its_first_and_last_state() {
        let account = Schema::default().table("account").unwrap();
        let id = Uuid::from_u128(1);
        let mut store = Store::default();
        store.put(account, named(id, "a"));
        store.commit();
        store.put(account, named(id, "b"));
        store.put(account, named(id, "c"));
        let touched = store.commit();
        assert_eq!(touched.len(), 1);
        assert_eq!(touched[0].before.as_ref().unwrap().text("name"), Some("a"));
        assert_eq!(touched[0].after.as_ref().unwrap().text("name"), Some("c"));
        assert_eq!(store.get(account, id).unwrap().version, 3);
    }
}
