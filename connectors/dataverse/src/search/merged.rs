//! An answer of Dataverse, with what is foreseen laid over it.

use std::collections::HashMap;

use cosell_sdk::CallContext;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::judged::Judged;
use super::order::Order;
use super::{Found, MOST, Search, id_of};
use crate::foresee;
use crate::metadata::Table;

/// A search, and the foreseen rows of its table.
pub(super) struct Merging<'s> {
    table: &'s Table,
    search: &'s Search,
    judged: Vec<Judged>,
    /// None where rows stay as they come, and new ones follow.
    order: Option<Order<'s>>,
    /// A column by whose labels Dataverse orders, which are not known of foreseen rows.
    by_labels: Option<String>,
    /// Columns that are read for the order alone.
    only_for_order: Vec<String>,
}

/// A row of the answer, and the foreseen one that it is.
type Standing<'m> = (Map<String, Value>, Option<&'m Judged>);

impl<'s> Merging<'s> {
    pub(super) fn new(table: &'s Table, search: &'s Search, judged: Vec<Judged>) -> Self {
        let order = search.order_by.as_deref().map(|text| Order::new(table, text));
        let by_labels = order.as_ref().and_then(Order::by_labels).map(str::to_owned);
        let order = order.filter(|_| by_labels.is_none());
        let adds = judged.iter().any(|row| row.is_found == Ok(true));
        let only_for_order = match (&order, &search.select) {
            (Some(order), Some(select)) if adds => {
                let is_selected =
                    |name: &str| name == table.head.primary_id || select.split(',').any(|own| own == name);
                order.columns().filter(|name| !is_selected(name)).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        Self { table, search, judged, order, by_labels, only_for_order }
    }

    /// What Dataverse is asked.
    pub(super) fn asked(&self) -> Search {
        let select = self.search.select.as_ref().map(|select| {
            let more = self.only_for_order.iter().map(String::as_str);
            std::iter::once(select.as_str()).chain(more).collect::<Vec<_>>().join(",")
        });
        Search { select, ..self.search.clone() }
    }

    /// How many rows to ask for instead, where foreseen ones may have been in the place of others.
    pub(super) fn further(&self, found: &Found) -> Option<u32> {
        let top = self.search.top.filter(|top| found.rows.len() >= *top as usize)?;
        let is_foreseen = |row: &Map<String, Value>| {
            let id = id_of(&self.table.head, row);
            self.judged.iter().any(|judged| Some(judged.id) == id)
        };
        let more = top.saturating_add(u32::try_from(self.judged.len()).unwrap_or(MOST)).min(MOST);
        (more > top && found.rows.iter().any(is_foreseen)).then_some(more)
    }

    /// The answer as it would be; `is_all` where it has every row that meets the condition.
    pub(super) fn merge(self, found: Found, is_all: bool, context: &CallContext) -> Found {
        let by_id: HashMap<Uuid, &Judged> = self.judged.iter().map(|judged| (judged.id, judged)).collect();
        let (mut rows, mut removed): (Vec<Standing<'_>>, u64) = (Vec::new(), 0);
        // Those that were answered: none where they stay in their place.
        let mut answered: HashMap<Uuid, Option<Map<String, Value>>> = HashMap::new();
        for row in found.rows {
            let judged = id_of(&self.table.head, &row).and_then(|id| by_id.get(&id).copied());
            match judged {
                None => rows.push((row, None)),
                Some(Judged { row: Some(foreseen), is_found: Err(_), .. }) => {
                    rows.push((foresee::over(row, foreseen), None));
                }
                Some(judged @ Judged { row: Some(foreseen), is_found: Ok(true), .. }) => {
                    let over = foresee::over(row, foreseen);
                    if self.order.is_some() {
                        answered.insert(judged.id, Some(over));
                    } else {
                        rows.push((over, Some(judged)));
                        answered.insert(judged.id, None);
                    }
                }
                Some(_) => removed += 1,
            }
        }
        let mut added = 0;
        for judged in self.judged.iter().filter(|judged| judged.is_found == Ok(true)) {
            let Some(foreseen) = &judged.row else { continue };
            let row = match answered.remove(&judged.id) {
                Some(None) => continue,
                Some(Some(row)) => row,
                None => {
                    added += 1;
                    foresee::selected(foreseen, self.search.select.as_deref(), &judged.id.to_string())
                }
            };
            let behind = |other: &Standing<'_>| {
                let order = self.order.as_ref();
                order.is_some_and(|order| order.compare((&other.0, other.1), (&row, Some(judged))).is_gt())
            };
            let place = rows.iter().position(behind).unwrap_or(rows.len());
            rows.insert(place, (row, Some(judged)));
        }
        self.remark(&rows, context);
        if let Some(top) = self.search.top {
            rows.truncate(top as usize);
        }
        let count = found.count.map(|count| match (is_all, removed + added) {
            (_, 0) => count,
            (true, _) => (count + added).saturating_sub(removed).min(u64::from(MOST)),
            (false, _) => {
                let names: Vec<String> = self.judged.iter().map(|row| self.table.head.row(row.id)).collect();
                foresee::left_aside(&names, "rows are counted as they are, where not all are read", context);
                count
            }
        });
        let rows = rows.into_iter().map(|(row, _)| self.without_columns_for_order(row)).collect();
        Found { rows, count }
    }

    /// Remarks that the place of a foreseen row is not known.
    fn remark(&self, rows: &[Standing<'_>], context: &CallContext) {
        let Some(column) = self.by_labels.as_ref().filter(|_| rows.len() > 1) else { return };
        let foreseen = rows.iter().filter_map(|(_, judged)| judged.as_ref());
        let names: Vec<String> = foreseen.map(|judged| self.table.head.row(judged.id)).collect();
        foresee::left_aside(&names, &format!("where it stands by `{column}` is for Dataverse to say"), context);
    }

    fn without_columns_for_order(&self, mut row: Map<String, Value>) -> Map<String, Value> {
        if !self.only_for_order.is_empty() {
            row.retain(|name, _| {
                let column = name.split('@').next().unwrap_or_default();
                !self.only_for_order.iter().any(|own| own == column)
            });
        }
        row
    }
}
