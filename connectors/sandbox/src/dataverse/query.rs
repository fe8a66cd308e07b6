//! What a query asks for, checked against its table: columns, expansions, condition, order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::address::split_outside_quotes;
use super::call::{Options, PAGE_LIMIT};
use super::cell::{Cell, Reference};
use super::errors::{Answer, BAD_REQUEST, Refusal};
use super::filter::{self, Filter, Path};
use super::schema::{Column, Kind, Link, Schema, Table};
use super::store::{Row, Store};

/// What a query is read and evaluated against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// The organisation.
    pub(super) store: &'a Store,
    /// The simulated instant.
    pub(super) now: Timestamp,
    /// Who asks.
    pub(super) user: Uuid,
}

/// What to show of which rows.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The columns of `$select`; all where there is none.
    pub(super) select: Option<Vec<&'static Column>>,
    /// `$expand`.
    pub(super) expand: Vec<Expand>,
    /// `$filter`.
    pub(super) filter: Option<Filter>,
    /// `$orderby`: columns, possibly through lookups, and whether they fall.
    pub(super) order: Vec<(Path, bool)>,
    /// `$top`.
    pub(super) top: Option<usize>,
    /// `$count=true`.
    pub(super) count: bool,
}

/// A navigation property whose rows come along.
#[derive(Debug)]
pub(super) struct Expand {
    /// Name of the navigation property.
    pub(super) name: String,
    /// Where it leads.
    pub(super) relation: Relation,
    /// What to show there.
    pub(super) view: View,
}

/// Where a navigation property leads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relation {
    /// Through a lookup column to one row of the table.
    One(&'static Column, &'static Table),
    /// To the rows of the table whose lookup column points here.
    Many(&'static Table, &'static Column),
    /// To the rows of the table linked by a many-to-many relationship; the number is this table's end of it.
    Linked(&'static Table, &'static Link, usize),
}

impl Relation {
    /// The relation behind navigation property `name` of `table`.
    pub(super) fn find(schema: &Schema, table: &'static Table, name: &str) -> Answer<Option<Relation>> {
        let known = |name: &str| schema.table(name).ok_or_else(|| Refusal::outside(format!("the table '{name}'")));
        if let Some((column, target)) = table.navigation(name) {
            return Ok(Some(Relation::One(column, known(target.table)?)));
        }
        if let Some((link, end)) = schema.link(table, name) {
            return Ok(Some(Relation::Linked(known(link.tables[1 - end])?, link, end)));
        }
        Ok(schema.collection(table, name).map(|(table, column)| Relation::Many(table, column)))
    }

    /// The table it leads to.
    pub(super) fn target(self) -> &'static Table {
        match self {
            Relation::One(_, table) | Relation::Many(table, _) | Relation::Linked(table, ..) => table,
        }
    }

    /// The rows it leads to from `row` of `table`, with their ids.
    pub(super) fn rows<'a>(self, store: &'a Store, table: &'static Table, row: &Row) -> Vec<(Uuid, &'a Row)> {
        match self {
            Relation::One(column, target) => {
                let reference = row.get(column).and_then(Cell::reference);
                let reference = reference.filter(|reference| reference.table == target.logical);
                let found = reference.and_then(|reference| Some((reference.id, store.get(target, reference.id)?)));
                found.into_iter().collect()
            }
            Relation::Many(target, column) => {
                let here = Cell::Reference(Reference { table: &table.logical, id: row.id });
                store.rows(target).filter(|other| other.get(column) == Some(&here)).map(|row| (row.id, row)).collect()
            }
            Relation::Linked(target, link, end) => {
                let linked = store.linked(link, end, row.id);
                linked.into_iter().filter_map(|id| Some((id, store.get(target, id)?))).collect()
            }
        }
    }
}

impl View {
    /// Reads the options of a request on rows of `table`.
    pub(super) fn read(scope: Scope<'_>, options: &Options, table: &'static Table) -> Answer<View> {
        View::from(scope, &options.system, &options.aliases, table, true)
    }

    fn from(
        scope: Scope<'_>,
        options: &BTreeMap<String, String>,
        aliases: &BTreeMap<String, String>,
        table: &'static Table,
        outermost: bool,
    ) -> Answer<View> {
        let mut view = View::default();
        for (name, value) in options {
            match name.as_str() {
                "$select" => view.select = select(value, table)?,
                "$filter" => view.filter = Some(filter::parse(value, scope, table, aliases)?),
                "$orderby" => view.order = order(scope, value, table)?,
                "$top" => view.top = Some(top(value)?),
                "$expand" => view.expand = expand(scope, value, table, aliases)?,
                "$count" if outermost => match value.as_str() {
                    "true" => view.count = true,
                    "false" => {}
                    _ => {
                        return Err(Refusal::bad(BAD_REQUEST, format!("$count is '{value}'; expected true or false.")));
                    }
                },
                "$skiptoken" | "$deltatoken" | "$id" if outermost => {}
                _ => {
                    let message = format!("The query option {name} is not supported inside $expand.");
                    return Err(Refusal::bad(BAD_REQUEST, message));
                }
            }
        }
        Ok(view)
    }

    /// The columns to show of a row of `table`: those selected with the primary key and what comes beside them, or all.
    /// Money brings the currency, an address part the whole address.
    pub(super) fn columns(&self, table: &'static Table) -> Vec<&'static Column> {
        let Some(select) = &self.select else {
            return table.columns.iter().filter(|column| column.read).collect();
        };
        let mut columns = select.clone();
        let mut beside = vec![table.primary_id.as_str()];
        if select.iter().any(|column| matches!(column.kind, Kind::Money { .. })) {
            beside.push("transactioncurrencyid");
        }
        if select.iter().any(|column| column.logical.starts_with("address1_")) {
            beside.push("address1_composite");
        }
        for name in beside {
            if let Some(column) = table.column(name)
                && !columns.iter().any(|have| have.logical == name)
            {
                columns.push(column);
            }
        }
        columns
    }

    /// The `(…)` that a context URL carries for the selected and expanded properties.
    pub(super) fn context(&self) -> String {
        let mut names: Vec<String> = self.select.iter().flatten().map(|column| column.property()).collect();
        names.extend(self.expand.iter().map(|expand| {
            let inner = expand.view.context();
            format!("{}{}", expand.name, if inner.is_empty() { "()".to_owned() } else { inner })
        }));
        if names.is_empty() { String::new() } else { format!("({})", names.join(",")) }
    }
}

fn select(text: &str, table: &'static Table) -> Answer<Option<Vec<&'static Column>>> {
    let mut columns: Vec<&'static Column> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name == "*" {
            return Ok(None);
        }
        match table.property(name) {
            Some(column) if columns.iter().any(|have| have.logical == column.logical) => {}
            Some(column) => columns.push(column),
            None if table.navigation(name).is_some() => {
                return Err(Refusal::outside(format!(
                    "$select of the navigation property '{name}'; select the lookup column '_x_value', or expand it"
                )));
            }
            None => return Err(Refusal::unknown_property(table, name)),
        }
    }
    Ok(Some(columns))
}

fn order(scope: Scope<'_>, text: &str, table: &'static Table) -> Answer<Vec<(Path, bool)>> {
    let mut order = Vec::new();
    for part in text.split(',') {
        let mut words = part.split_whitespace();
        let name = words.next().unwrap_or_default();
        let path = filter::path(scope, table, name)?;
        let falls = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => {
                let message = format!("Bad Request - Error in query syntax. In $orderby: '{}'.", part.trim());
                return Err(Refusal::bad(BAD_REQUEST, message));
            }
        };
        order.push((path, falls));
    }
    Ok(order)
}

fn top(text: &str) -> Answer<usize> {
    text.parse().ok().filter(|top| (1..=PAGE_LIMIT).contains(top)).ok_or_else(|| {
        Refusal::bad(BAD_REQUEST, format!("Invalid value '{text}' for $top; expected a number from 1 to {PAGE_LIMIT}."))
    })
}

fn expand(
    scope: Scope<'_>,
    text: &str,
    table: &'static Table,
    aliases: &BTreeMap<String, String>,
) -> Answer<Vec<Expand>> {
    let unreadable = || Refusal::bad(BAD_REQUEST, "Bad Request - Error in query syntax. Cannot read $expand.");
    let mut expands = Vec::new();
    for part in split_outside_quotes(text, ',').ok_or_else(unreadable)? {
        let part = part.trim();
        let (name, inner) = match part.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')').ok_or_else(unreadable)?),
            None => (part, ""),
        };
        if name.contains('/') {
            return Err(Refusal::outside("$expand with a path, such as nav/$ref"));
        }
        let relation =
            Relation::find(scope.store.schema(), table, name)?.ok_or_else(|| Refusal::unknown_property(table, name))?;
        let target = relation.target();
        let mut options = BTreeMap::new();
        for option in split_outside_quotes(inner, ';').ok_or_else(unreadable)? {
            if !option.trim().is_empty() {
                let (key, value) = option.trim().split_once('=').ok_or_else(unreadable)?;
                options.insert(key.to_owned(), value.to_owned());
            }
        }
        if matches!(relation, Relation::One(..)) && options.keys().any(|key| key != "$select" && key != "$expand") {
            let message = format!("Only $select can be applied to the single-valued navigation property '{name}'.");
            return Err(Refusal::bad(BAD_REQUEST, message));
        }
        // "You can only use up to 15 $expand options in a query" (Query data using the Web API).
        if expands.len() == 15 {
            return Err(Refusal::bad(BAD_REQUEST, "A query can hold 15 $expand options at most."));
        }
        expands.push(Expand {
            name: name.to_owned(),
            relation,
            view: View::from(scope, &options, aliases, target, false)?,
        });
    }
    Ok(expands)
}
