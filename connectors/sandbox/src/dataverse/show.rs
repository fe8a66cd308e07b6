//! Rows as JSON, with the annotations that were asked for.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::call::Prefer;
use super::cell::Cell;
use super::query::{Relation, View};
use super::schema::{Column, Kind, Table};
use super::store::{Row, Store};

const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";
const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";

/// `row` as a JSON object.
pub(super) fn row(store: &Store, table: &'static Table, row: &Row, view: &View, prefer: &Prefer) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("@odata.etag".to_owned(), json!(row.etag()));
    for column in view.columns(table) {
        let name = column.property();
        let cell = row.get(column);
        if let Some(cell) = cell {
            let mut annotate = |annotation: &str, value: Option<String>| {
                if let Some(value) = value.filter(|_| prefer.wants(annotation)) {
                    object.insert(format!("{name}@{annotation}"), json!(value));
                }
            };
            annotate(FORMATTED, formatted(store, table, row, column, cell));
            if let Cell::Reference(reference) = cell {
                let target = column.targets().iter().find(|target| target.table == reference.table);
                annotate(NAVIGATION, target.map(|target| target.navigation.clone()));
                annotate(TABLE, Some(reference.table.to_owned()));
            }
        }
        object.insert(name, cell.map_or(Value::Null, Cell::to_json));
    }
    for expand in &view.expand {
        let target = expand.relation.target();
        let rows = expand.relation.rows(store, table, row).into_iter().map(|(_, row)| row);
        let mut shown = |related: &Row| Value::Object(self::row(store, target, related, &expand.view, prefer));
        let value = match expand.relation {
            Relation::One(..) => rows.map(&mut shown).next().unwrap_or_default(),
            Relation::Many(..) | Relation::Linked(..) => {
                let rows = super::read::sorted(store, rows.collect(), &expand.view);
                rows.into_iter().take(expand.view.top.unwrap_or(usize::MAX)).map(shown).collect()
            }
        };
        object.insert(expand.name.clone(), value);
    }
    object
}

/// The value as a form in English (United States) would show it; none for text, which has no formatted value.
pub(super) fn formatted(store: &Store, table: &Table, row: &Row, column: &Column, cell: &Cell) -> Option<String> {
    match (&column.kind, cell) {
        (Kind::Choice(options), Cell::Integer(value)) => label(options, *value),
        (Kind::Choices(options), Cell::Text(text)) => {
            let labels = text.split(',').filter_map(|value| label(options, value.trim().parse().ok()?));
            Some(labels.collect::<Vec<_>>().join("; "))
        }
        (Kind::State, Cell::Integer(value)) => Some(table.state(*value)?.label.to_owned()),
        (Kind::Status, Cell::Integer(value)) => table.states.iter().find_map(|state| label(state.statuses, *value)),
        (Kind::Boolean { .. }, Cell::Bool(value)) => Some(if *value { "Yes" } else { "No" }.to_owned()),
        (Kind::Lookup(_), Cell::Reference(reference)) => {
            let (target, row) = store.follow(*reference)?;
            row.text(target.primary_name).map(str::to_owned)
        }
        (Kind::Money { .. }, Cell::Number(value)) => Some(money(store, row, column, *value)),
        (Kind::Decimal { precision, .. } | Kind::Double { precision, .. }, Cell::Number(value)) => {
            Some(grouped(*value, *precision as usize))
        }
        (_, Cell::Integer(value)) => Some(grouped(*value as f64, 0)),
        (_, Cell::Day(day)) => Some(format!("{}/{}/{}", day.month(), day.day(), day.year())),
        (_, Cell::Instant(instant)) => {
            Some(instant.to_zoned(TimeZone::UTC).strftime("%-m/%-d/%Y %-I:%M %p").to_string())
        }
        _ => None,
    }
}

fn label(options: &[(i64, &str)], value: i64) -> Option<String> {
    options.iter().find(|(option, _)| *option == value).map(|(_, label)| (*label).to_owned())
}

/// An amount with the symbol and decimals of its currency; base amounts are in the organisation's currency.
fn money(store: &Store, row: &Row, column: &Column, value: f64) -> String {
    let currency = row
        .reference("transactioncurrencyid")
        .filter(|_| !column.logical.ends_with("_base"))
        .and_then(|reference| store.follow(reference))
        .map(|(_, currency)| currency);
    let symbol = currency.and_then(|currency| currency.text("currencysymbol")).unwrap_or("$");
    let decimals = currency.and_then(|currency| currency.integer("currencyprecision")).unwrap_or(2);
    let amount = grouped(value.abs(), usize::try_from(decimals).unwrap_or(2));
    if value < 0.0 { format!("({symbol}{amount})") } else { format!("{symbol}{amount}") }
}

/// A number with commas between thousands.
fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (value, decimals, shown) in [(5000.0, 2, "5,000.00"), (-1_234_567.5, 1, "-1,234,567.5"), (999.0, 0, "999")]
        {
            assert_eq!(grouped(value, decimals), shown);
        }
    }
}
