//! Answers a query: joins the tables, keeps the rows that meet the filters, orders, pages, and shows them.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{Aggregate, Attribute, Node, Order, Query};
use crate::dataverse::call::{Call, PAGE_LIMIT};
use crate::dataverse::cell::{Cell, SortKey};
use crate::dataverse::errors::{Answer, BAD_REQUEST, Refusal};
use crate::dataverse::query::View;
use crate::dataverse::read::{json_response, preferences_applied};
use crate::dataverse::schema::{Column, Table};
use crate::dataverse::show;
use crate::dataverse::store::{Row, Store};

/// A row of each node of the query, in the order the nodes are written; none where an outer link found none.
type Joined<'a> = Vec<Option<&'a Row>>;

/// `GET /set?fetchXml=…`.
pub(in crate::dataverse) fn answer(store: &Store, call: &Call, table: &'static Table, xml: &str) -> Answer<Response> {
    let query = super::parse::parse(xml, table, call.scope(store))?;
    let mut nodes = Vec::new();
    flatten(&query.root, &mut nodes);
    let mut rows = join(store, &query.root);
    order(store, &query, &nodes, &mut rows)?;
    let mut shown: Vec<Map<String, Value>> = if query.aggregate {
        aggregate(store, call, &query, &nodes, &rows)?
    } else {
        rows.iter().map(|row| object(store, call, &nodes, row)).collect()
    };
    if query.distinct && !query.aggregate {
        let mut seen: Vec<Map<String, Value>> = Vec::new();
        for row in shown {
            let same = |have: &Map<String, Value>| {
                let values = |row: &Map<String, Value>| {
                    let kept = row.iter().filter(|(name, _)| !name.starts_with("@odata."));
                    kept.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
                };
                values(have) == values(&row)
            };
            if !seen.iter().any(same) {
                seen.push(row);
            }
        }
        shown = seen;
    }
    let total = shown.len();
    let size = query.top.or(query.count).or(call.prefer.page).unwrap_or(PAGE_LIMIT);
    let start = (query.page - 1).saturating_mul(size);
    let page: Vec<Value> = shown.into_iter().skip(start).take(size).map(Value::Object).collect();
    let more = query.top.is_none() && start.saturating_add(page.len()) < total;

    let mut body = Map::new();
    let names: Vec<String> = query.root.attributes.iter().map(|attribute| attribute.column.property()).collect();
    let context = format!("{}/$metadata#{}({})", call.base, table.set, names.join(","));
    body.insert("@odata.context".to_owned(), json!(context));
    let wants = |name: &str| call.prefer.wants(&format!("Microsoft.Dynamics.CRM.{name}"));
    if query.total || wants("totalrecordcount") {
        let count = if query.total { json!(total.min(PAGE_LIMIT)) } else { json!(-1) };
        body.insert("@Microsoft.Dynamics.CRM.totalrecordcount".to_owned(), count);
        let exceeded = query.total && total > PAGE_LIMIT;
        body.insert("@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded".to_owned(), json!(exceeded));
    }
    if wants("morerecords") {
        body.insert("@Microsoft.Dynamics.CRM.morerecords".to_owned(), json!(more));
    }
    if more && wants("fetchxmlpagingcookie") {
        let next = query.page + 1;
        // The cookie inside is encoded twice; clients decode it twice and hand it back in paging-cookie. The page number
        // says all that the sandbox needs.
        let inner = format!("%253ccookie%2520page%253d%2522{}%2522%253e%253c%252fcookie%253e", query.page);
        let cookie = format!("<cookie pagenumber=\"{next}\" pagingcookie=\"{inner}\" istracking=\"False\" />");
        body.insert("@Microsoft.Dynamics.CRM.fetchxmlpagingcookie".to_owned(), json!(cookie));
    }
    body.insert("value".to_owned(), Value::Array(page));
    let mut response = json_response(StatusCode::OK, &Value::Object(body));
    preferences_applied(call, &mut response);
    Ok(response)
}

fn flatten<'a>(node: &'a Node, nodes: &mut Vec<&'a Node>) {
    nodes.push(node);
    for link in &node.links {
        flatten(link, nodes);
    }
}

fn width(node: &Node) -> usize {
    1 + node.links.iter().map(width).sum::<usize>()
}

/// The joined rows of the query.
fn join<'a>(store: &'a Store, root: &Node) -> Vec<Joined<'a>> {
    store.rows(root.table).flat_map(|row| below(store, root, row)).collect()
}

/// `row` of `node` with what is linked below it; nothing where the row, or an inner link, does not meet the query.
fn below<'a>(store: &'a Store, node: &Node, row: &'a Row) -> Vec<Joined<'a>> {
    if !node.filters.iter().all(|filter| filter.holds(store, row)) {
        return Vec::new();
    }
    let mut rows: Vec<Joined<'a>> = vec![vec![Some(row)]];
    for child in &node.links {
        let Some(link) = &child.link else { continue };
        let wanted = row.get(link.to).map(Cell::sort_key);
        let matches =
            |other: &&Row| wanted.is_some() && other.get(link.from).map(Cell::sort_key).as_ref() == wanted.as_ref();
        let mut linked: Vec<Joined<'a>> =
            store.rows(child.table).filter(matches).flat_map(|row| below(store, child, row)).collect();
        if linked.is_empty() {
            if !link.outer {
                return Vec::new();
            }
            linked.push(vec![None; width(child)]);
        }
        rows = rows
            .iter()
            .flat_map(|left| linked.iter().map(move |right| left.iter().chain(right).copied().collect()))
            .collect();
    }
    rows
}

fn order(store: &Store, query: &Query, nodes: &[&Node], rows: &mut [Joined<'_>]) -> Answer<()> {
    let mut keys = Vec::new();
    for Order { node, path, falls, .. } in &query.order {
        let at = nodes.iter().position(|have| have.alias == *node).unwrap_or_default();
        match path {
            Some(path) => keys.push((at, path, *falls)),
            None if query.aggregate => {}
            None => return Err(Refusal::bad(BAD_REQUEST, "An order by alias is for aggregate queries.")),
        }
    }
    rows.sort_by(|left, right| {
        for (at, path, falls) in &keys {
            let key = |row: &Joined<'_>| row[*at].map_or(SortKey::Null, |row| position(store, path.column, row));
            let order = key(left).order(&key(right));
            let order = if *falls { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        std::cmp::Ordering::Equal
    });
    Ok(())
}

/// The place of a value in an ordering; a lookup sorts by the name of the row it points at.
fn position(store: &Store, column: &Column, row: &Row) -> SortKey {
    match row.get(column) {
        None => SortKey::Null,
        Some(Cell::Reference(to)) => store
            .follow(*to)
            .and_then(|(table, row)| row.text(table.primary_name))
            .map_or(SortKey::Null, |name| SortKey::Text(name.to_lowercase())),
        Some(cell) => cell.sort_key(),
    }
}

/// A row as JSON: the root's columns under their names, those of linked tables as `alias.column`.
fn object(store: &Store, call: &Call, nodes: &[&Node], row: &Joined<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    for (at, node) in nodes.iter().enumerate() {
        let Some(found) = row[at] else { continue };
        let plain = node.attributes.iter().filter(|attribute| attribute.alias.is_none());
        let view = View { select: Some(plain.map(|attribute| attribute.column).collect()), ..View::default() };
        let shown = show::row(store, node.table, found, &view, &call.prefer);
        if node.alias.is_empty() {
            out.extend(shown);
        } else {
            for attribute in node.attributes.iter().filter(|attribute| attribute.alias.is_none()) {
                named(&mut out, &shown, attribute.column, &format!("{}.{}", node.alias, attribute.column.logical));
            }
        }
        for attribute in &node.attributes {
            if let Some(alias) = &attribute.alias {
                let view = View { select: Some(vec![attribute.column]), ..View::default() };
                let shown = show::row(store, node.table, found, &view, &call.prefer);
                named(&mut out, &shown, attribute.column, alias);
            }
        }
    }
    out
}

/// Copies a column with its annotations under another name; a value that is null is left out.
fn named(out: &mut Map<String, Value>, shown: &Map<String, Value>, column: &Column, name: &str) {
    let property = column.property();
    if shown.get(&property).is_none_or(Value::is_null) {
        return;
    }
    for (key, value) in shown {
        if *key == property {
            out.insert(name.to_owned(), value.clone());
        } else if let Some(annotation) = key.strip_prefix(&property).filter(|rest| rest.starts_with('@')) {
            out.insert(format!("{name}{annotation}"), value.clone());
        }
    }
}

/// Rows in groups, each with its aggregates.
fn aggregate(
    store: &Store,
    call: &Call,
    query: &Query,
    nodes: &[&Node],
    rows: &[Joined<'_>],
) -> Answer<Vec<Map<String, Value>>> {
    let attributes: Vec<(usize, &Attribute)> = nodes
        .iter()
        .enumerate()
        .flat_map(|(at, node)| node.attributes.iter().map(move |attribute| (at, attribute)))
        .collect();
    let groups: Vec<(usize, &Attribute)> =
        attributes.iter().copied().filter(|(_, attribute)| attribute.group).collect();
    let mut found: Vec<(Vec<SortKey>, Vec<&Joined<'_>>)> = Vec::new();
    for row in rows {
        let key: Vec<SortKey> = groups
            .iter()
            .map(|(at, attribute)| {
                row[*at].and_then(|row| row.get(attribute.column)).map_or(SortKey::Null, Cell::sort_key)
            })
            .collect();
        match found.iter_mut().find(|(have, _)| *have == key) {
            Some((_, rows)) => rows.push(row),
            None => found.push((key, vec![row])),
        }
    }
    // Without groups there is one answer, even of no rows.
    if found.is_empty() && groups.is_empty() {
        found.push((Vec::new(), Vec::new()));
    }
    let mut out: Vec<Map<String, Value>> = found
        .iter()
        .map(|(_, rows)| {
            let mut shown = Map::new();
            for (at, attribute) in &attributes {
                let alias = attribute.alias.as_deref().unwrap_or_default();
                match (attribute.aggregate, rows.first().and_then(|row| row[*at])) {
                    (Some(aggregate), _) => {
                        let cells = rows.iter().filter_map(|row| row[*at]?.get(attribute.column));
                        shown.insert(alias.to_owned(), computed(aggregate, rows.len(), cells));
                    }
                    (None, Some(row)) => {
                        let view = View { select: Some(vec![attribute.column]), ..View::default() };
                        let values = show::row(store, nodes[*at].table, row, &view, &call.prefer);
                        named(&mut shown, &values, attribute.column, alias);
                    }
                    (None, None) => {}
                }
            }
            shown
        })
        .collect();
    let by: Vec<(&str, bool)> =
        query.order.iter().filter_map(|order| Some((order.alias.as_deref()?, order.falls))).collect();
    out.sort_by(|left, right| {
        for (alias, falls) in &by {
            let order = key_of(left.get(*alias)).order(&key_of(right.get(*alias)));
            let order = if *falls { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        std::cmp::Ordering::Equal
    });
    Ok(out)
}

fn key_of(value: Option<&Value>) -> SortKey {
    match value {
        Some(Value::Number(number)) => SortKey::Number(number.as_f64().unwrap_or_default()),
        Some(Value::String(text)) => SortKey::Text(text.to_lowercase()),
        _ => SortKey::Null,
    }
}

fn computed<'a>(aggregate: Aggregate, rows: usize, cells: impl Iterator<Item = &'a Cell>) -> Value {
    let cells: Vec<&Cell> = cells.collect();
    let numbers: Vec<f64> = cells.iter().filter_map(|cell| cell.number()).collect();
    let sum: f64 = numbers.iter().sum();
    let extreme = |greatest: bool| {
        let key = |cell: &&&Cell| cell.sort_key();
        let best = cells.iter().reduce(|best, cell| {
            let order = key(&cell).order(&key(&best));
            if order.is_gt() == greatest && order.is_ne() { cell } else { best }
        });
        best.map_or(Value::Null, |cell| cell.to_json())
    };
    match aggregate {
        Aggregate::Count => json!(rows),
        Aggregate::CountColumn => json!(cells.len()),
        Aggregate::CountDistinct => {
            let mut keys: Vec<SortKey> = Vec::new();
            for cell in cells {
                let key = cell.sort_key();
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            json!(keys.len())
        }
        Aggregate::Sum | Aggregate::Average if numbers.is_empty() => Value::Null,
        Aggregate::Sum => json!(sum),
        Aggregate::Average => json!(sum / numbers.len() as f64),
        Aggregate::Least => extreme(false),
        Aggregate::Greatest => extreme(true),
    }
}
