//! Searches for rows, which in a dry run see what the run would have written before.
//!
//! What Dataverse answers is right but for the rows that predictions were about. Those are judged here, by the same
//! condition: rows that would be gone or would no longer be found are left out, others are shown as they would be, and those
//! that would be found as well stand where the order puts them. Where nobody can say, the answer stays, and a remark says so.
//!
//! Read in this order: this file (how it is asked, and by which key), `merged` (what becomes of the answer), `judged` (which
//! rows would be found), `order` (where they stand).

mod judged;
mod merged;
mod order;
#[cfg(test)]
mod tests;

use cosell_sdk::{CallContext, CallError};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::connection::Dataverse;
use crate::foresee;
use crate::metadata::{Head, Table};
use crate::values::filter;
use crate::values::key::RowKey;
use judged::{Judged, judge};
use merged::Merging;

/// How many rows `$top` can ask for, and Dataverse counts (Web API, query options).
pub(crate) const MOST: u32 = 5000;

/// What is looked for in a table, all of it as the Web API takes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    pub(crate) apply: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) select: Option<String>,
    pub(crate) order_by: Option<String>,
    pub(crate) top: Option<u32>,
    pub(crate) expand: Option<String>,
    pub(crate) count: bool,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The rows, as they come.
    pub(crate) rows: Vec<Map<String, Value>>,
    /// How many meet the condition; none where that was not asked for.
    pub(crate) count: Option<u64>,
}

impl Dataverse {
    /// Looks for rows of a table.
    pub(crate) async fn search(
        &self,
        table: &Table,
        search: &Search,
        context: &CallContext,
    ) -> Result<Found, CallError> {
        if search.expand.is_some() {
            foresee::all_left_aside("rows that are read along come as they are", context);
        }
        let foretold = foresee::rows(&table.head, context);
        if foretold.is_empty() || search.apply.is_some() {
            let names: Vec<String> = foretold.iter().map(|row| table.head.row(row.id)).collect();
            foresee::left_aside(&names, "`apply` is computed by Dataverse", context);
            return self.ask(table, search, context).await;
        }
        let judged = judge(table, search.filter.as_deref(), foretold, context);
        let merging = Merging::new(table, search, judged);
        let mut asked = merging.asked();
        let mut found = self.ask(table, &asked, context).await?;
        // Rows that are left out may have been in the place of others.
        if let Some(top) = merging.further(&found) {
            asked.top = Some(top);
            found = self.ask(table, &asked, context).await?;
        }
        let is_all = asked.top.is_none_or(|top| found.rows.len() < top as usize);
        Ok(merging.merge(found, is_all, context))
    }

    /// Asks Dataverse, page by page.
    async fn ask(&self, table: &Table, search: &Search, context: &CallContext) -> Result<Found, CallError> {
        let top = search.top.map(|top| top.to_string());
        let mut request = self.client.get(&[&table.head.set_name]);
        for (name, value) in [
            ("$apply", search.apply.as_deref()),
            ("$filter", search.filter.as_deref()),
            ("$select", search.select.as_deref()),
            ("$orderby", search.order_by.as_deref()),
            ("$top", top.as_deref()),
            ("$expand", search.expand.as_deref()),
            ("$count", search.count.then_some("true")),
        ] {
            if let Some(value) = value {
                request = request.query(name, value);
            }
        }
        let (mut rows, mut count) = (Vec::new(), None);
        loop {
            let page = self.read_page(request, search.top.is_none(), None, context).await?;
            count = count.or(page.count);
            rows.extend(page.value);
            let is_enough = search.top.is_some_and(|top| rows.len() >= top as usize);
            let Some(next) = page.next_link.filter(|_| !is_enough) else { return Ok(Found { rows, count }) };
            request = self.client.follow(&next)?;
        }
    }

    /// The one row of a table with these values.
    pub(crate) async fn find_id(
        &self,
        table: &str,
        conditions: &Map<String, Value>,
        context: &CallContext,
    ) -> Result<String, CallError> {
        let table = self.table(table, context).await?;
        let (name, id) = (&table.head.logical_name, &table.head.primary_id);
        let found = match filter::equal(&table, conditions)? {
            Some(filter) => {
                let search =
                    Search { filter: Some(filter), select: Some(id.clone()), top: Some(2), ..Search::default() };
                self.search(&table, &search, context).await?.rows
            }
            None => Vec::new(),
        };
        let wanted = Value::Object(conditions.clone());
        match found.as_slice() {
            [row] => Ok(row.get(id).and_then(Value::as_str).unwrap_or_default().to_owned()),
            [] => Err(CallError::rejected(
                "no_such_row",
                format!("the table {name} has no row with {wanted}; create it first, or correct the values"),
            )),
            _ => Err(CallError::rejected(
                "ambiguous_row",
                format!("the table {name} has several rows with {wanted}; give values that only one row has"),
            )),
        }
    }

    /// Reads a row by its identifier or an alternate key; none where it does not exist.
    pub(crate) async fn read_by(
        &self,
        table: &Table,
        which: &RowKey<'_>,
        (select, expand): (Option<&str>, Option<&str>),
        context: &CallContext,
    ) -> Result<Option<Map<String, Value>>, CallError> {
        let address = which.address(table)?;
        let real = self.read_row_with(&address, [("$select", select), ("$expand", expand)], context).await?;
        let RowKey::Alternate(key) = which else { return Ok(real) };
        let foretold = foresee::rows(&table.head, context);
        if foretold.is_empty() {
            return Ok(real);
        }
        let condition = filter::equal(table, key)?;
        let judged = judge(table, condition.as_deref(), foretold, context);
        let own = real.as_ref().and_then(|row| id_of(&table.head, row));
        match (real, judged.iter().find(|row| Some(row.id) == own)) {
            (Some(row), None) => return Ok(Some(row)),
            (Some(row), Some(Judged { row: Some(foreseen), is_found: Ok(true) | Err(_), .. })) => {
                return Ok(Some(foresee::over(row, foreseen)));
            }
            _ => {}
        }
        let mut found = judged.into_iter().filter(|row| row.is_found == Ok(true));
        Ok(found.find_map(|row| Some(foresee::selected(&row.row?, select, &row.id.to_string()))))
    }
}

/// The identifier of a row, as it came.
pub(crate) fn id_of(head: &Head, row: &Map<String, Value>) -> Option<Uuid> {
    row.get(&head.primary_id)?.as_str()?.parse().ok()
}
