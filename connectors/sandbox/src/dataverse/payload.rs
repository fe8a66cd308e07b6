//! The body of a write, read against the table as strictly as the OData layer reads it, then checked against the limits
//! of each column.
//!
//! Two rules are stricter than the real service, which takes such a body and quietly writes something else: a column that
//! only the platform writes is refused, and so is an amount with more decimals than the column keeps.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::address;
use super::cell::{Cell, Reference};
use super::errors::{Answer, INVALID_ARGUMENT, Refusal};
use super::schema::{Column, Kind, Table};
use super::store::{Store, whole_seconds};

/// Columns with the values they shall have; none is null.
pub(super) type Values = Vec<(&'static Column, Option<Cell>)>;

/// What the body is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Purpose {
    /// A new row.
    Create,
    /// A change of a row.
    Update,
}

/// Reads `body` as values of a row of `table`.
pub(super) fn read(
    store: &Store,
    base: &str,
    table: &'static Table,
    body: &Map<String, Value>,
    purpose: Purpose,
) -> Answer<Values> {
    let mut values = Values::new();
    // First the shape of the whole body, then rows and limits: a misspelt name is found before a missing row.
    let mut binds = Vec::new();
    for (name, value) in body {
        if let Some(navigation) = name.strip_suffix("@odata.bind") {
            binds.push(bind(store, table, navigation, value)?);
        } else if let Some((property, annotation)) = name.split_once('@') {
            read_annotation(table, property, annotation, value)?;
        } else if let Some(column) = table.column(name).filter(|column| column.targets().is_empty()) {
            values.push((column, literal(table, column, value)?));
        } else if let Some((column, _)) = table.navigation(name) {
            match value {
                Value::Null => binds.push((column, None)),
                Value::Object(_) if purpose == Purpose::Create => return Err(Refusal::outside("deep insert")),
                _ => return Err(Refusal::payload(table, not_a_resource(name))),
            }
        } else if store.schema().collection(table, name).is_some() {
            return Err(match purpose {
                Purpose::Create => Refusal::outside("deep insert"),
                Purpose::Update => Refusal::payload(
                    table,
                    "Microsoft.OData.ODataException: Deep update of navigation properties is not allowed.",
                ),
            });
        } else if table.property(name).is_some() {
            return Err(Refusal::payload(
                table,
                "Microsoft.Crm.CrmException: CRM do not support direct update of Entity Reference properties, Use \
                 Navigation properties instead.",
            ));
        } else {
            return Err(Refusal::payload(table, undeclared(table, name)));
        }
    }
    for (column, target) in binds {
        let reference = match target {
            Some((target, address)) => Some(Cell::Reference(resolve(store, base, table, column, target, &address)?)),
            None => None,
        };
        values.push((column, reference));
    }
    for (column, value) in &values {
        writable(table, column, purpose)?;
        if let Some(cell) = value {
            limits(table, column, cell)?;
        }
    }
    Ok(values)
}

type Bind = (&'static Column, Option<(&'static str, String)>);

fn bind(store: &Store, table: &'static Table, navigation: &str, value: &Value) -> Answer<Bind> {
    let Some((column, target)) = table.navigation(navigation) else {
        if store.schema().collection(table, navigation).is_some() {
            return Err(Refusal::outside("binding a collection-valued navigation property"));
        }
        return Err(Refusal::payload(table, unvalued(navigation)));
    };
    match value {
        Value::Null => Ok((column, None)),
        Value::String(address) => Ok((column, Some((target.table, address.clone())))),
        _ => Err(Refusal::payload(
            table,
            format!("Microsoft.OData.ODataException: The value of '{navigation}@odata.bind' is not a string."),
        )),
    }
}

fn resolve(
    store: &Store,
    base: &str,
    table: &Table,
    column: &Column,
    target: &str,
    address: &str,
) -> Answer<Reference> {
    if store.schema().table(target).is_none() {
        return Err(Refusal::outside(format!("the table '{target}' that '{}' points at", column.logical)));
    }
    let reference = address::reference(store, base, address)?;
    if reference.table == target {
        return Ok(reference);
    }
    Err(Refusal::payload(
        table,
        format!(
            "Microsoft.OData.ODataException: The resource '{address}' is of type 'Microsoft.Dynamics.CRM.{}'; expected \
             'Microsoft.Dynamics.CRM.{target}'.",
            reference.table
        ),
    ))
}

fn read_annotation(table: &'static Table, property: &str, annotation: &str, value: &Value) -> Answer<()> {
    if property.is_empty() {
        let wrong = annotation == "odata.type"
            && value.as_str().map(|name| name.trim_start_matches('#'))
                != Some(&format!("Microsoft.Dynamics.CRM.{}", table.logical));
        if wrong {
            return Err(Refusal::payload(
                table,
                format!("Microsoft.OData.ODataException: The type {value} is not the type of '{}'.", table.set),
            ));
        }
        return Ok(());
    }
    let known = table.property(property).is_some() || table.navigation(property).is_some();
    if known { Ok(()) } else { Err(Refusal::payload(table, unvalued(property))) }
}

fn writable(table: &Table, column: &Column, purpose: Purpose) -> Answer<()> {
    let (allowed, doing) = match purpose {
        Purpose::Create => (column.create, "create"),
        Purpose::Update => (column.update, "update"),
    };
    if allowed {
        return Ok(());
    }
    let message = format!(
        "The column '{}' of '{}' is not valid for {doing}; Dataverse would ignore the value, the sandbox refuses it.",
        column.logical, table.logical
    );
    Err(Refusal::bad(INVALID_ARGUMENT, message))
}

/// Reads a JSON value as a value of `column`, by type only.
pub(super) fn literal(table: &Table, column: &Column, value: &Value) -> Answer<Option<Cell>> {
    if value.is_null() {
        return Ok(None);
    }
    let cell = match (&column.kind, value) {
        (Kind::Text { .. } | Kind::Memo { .. }, Value::String(text)) => {
            return Ok((!text.is_empty()).then(|| Cell::Text(text.clone())));
        }
        (Kind::Integer { .. } | Kind::Choice(_) | Kind::State | Kind::Status, value) => {
            value.as_i64().filter(|value| i32::try_from(*value).is_ok()).map(Cell::Integer)
        }
        (Kind::Choices(_), Value::String(text)) => {
            let numbers: Result<Vec<i64>, _> = text.split(',').map(|value| value.trim().parse::<i64>()).collect();
            if text.is_empty() {
                return Ok(None);
            }
            numbers.ok().map(|mut numbers| {
                numbers.sort_unstable();
                numbers.dedup();
                Cell::Text(numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
            })
        }
        (Kind::Version, value) => value.as_i64().map(Cell::Integer),
        (Kind::Money { .. } | Kind::Decimal { .. } | Kind::Double { .. }, value) => value.as_f64().map(Cell::Number),
        (Kind::Boolean { .. }, value) => value.as_bool().map(Cell::Bool),
        (Kind::Date, Value::String(text)) if text.len() == 10 => text.parse::<Date>().ok().map(Cell::Day),
        (Kind::DateTime, Value::String(text)) => {
            text.parse::<Timestamp>().ok().map(|instant| Cell::Instant(whole_seconds(instant)))
        }
        (Kind::PrimaryKey | Kind::Guid, Value::String(text)) if text.len() == 36 => {
            Uuid::try_parse(text).ok().map(Cell::Id)
        }
        _ => None,
    };
    cell.map(Some).ok_or_else(|| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Refusal::payload(
            table,
            format!(
                "Microsoft.OData.ODataException: Cannot convert the literal '{shown}' to the expected type '{}'.",
                column.edm()
            ),
        )
    })
}

fn limits(table: &Table, column: &Column, cell: &Cell) -> Answer<()> {
    match (&column.kind, cell) {
        (Kind::Text { max, .. } | Kind::Memo { max }, Cell::Text(text)) if text.encode_utf16().count() > *max => {
            Err(Refusal::bad(
                "0x80044331",
                format!(
                    "A validation error occurred. The length of the '{}' attribute of the '{}' entity exceeded the maximum \
                     allowed length of '{max}'.",
                    column.logical, table.logical
                ),
            ))
        }
        (Kind::Integer { min, max }, Cell::Integer(value)) => {
            range(table, column, *value as f64, (*min as f64, *max as f64))
        }
        (
            Kind::Money { min, max, precision }
            | Kind::Decimal { min, max, precision }
            | Kind::Double { min, max, precision },
            Cell::Number(value),
        ) => {
            range(table, column, *value, (*min, *max))?;
            decimals(table, column, *value, *precision)
        }
        (Kind::Choice(options), Cell::Integer(value)) => {
            choice(table, column, *value, options.iter().map(|(value, _)| *value).collect())
        }
        (Kind::Choices(options), Cell::Text(text)) => {
            let accepted: Vec<i64> = options.iter().map(|(value, _)| *value).collect();
            text.split(',')
                .filter_map(|value| value.parse().ok())
                .try_for_each(|value: i64| choice(table, column, value, accepted.clone()))
        }
        (Kind::State, Cell::Integer(value)) => {
            choice(table, column, *value, table.states.iter().map(|state| state.value).collect())
        }
        (Kind::Status, Cell::Integer(value)) => {
            let accepted = table.states.iter().flat_map(|state| state.statuses).map(|(value, _)| *value).collect();
            choice(table, column, *value, accepted)
        }
        _ => Ok(()),
    }
}

fn range(table: &Table, column: &Column, value: f64, limits: (f64, f64)) -> Answer<()> {
    if value < limits.0 || value > limits.1 {
        return Err(Refusal::out_of_range(table, column, value < limits.0, limits));
    }
    Ok(())
}

fn decimals(table: &Table, column: &Column, value: f64, precision: u32) -> Answer<()> {
    // The shortest decimal form of the number tells how many decimals were sent.
    let shown = value.to_string();
    let sent = shown.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if sent as u32 <= precision {
        return Ok(());
    }
    let message = format!(
        "The value {shown} of '{}' on record of type '{}' has more than {precision} decimals; Dataverse would round it, the \
         sandbox refuses it. Round it before writing.",
        column.logical, table.logical
    );
    Err(Refusal::bad(INVALID_ARGUMENT, message))
}

fn choice(table: &Table, column: &Column, value: i64, accepted: Vec<i64>) -> Answer<()> {
    if accepted.contains(&value) {
        return Ok(());
    }
    let accepted: Vec<String> = accepted.iter().map(i64::to_string).collect();
    let message = format!(
        "A validation error occurred. The value {value} of '{}' on record of type '{}' is outside the valid range. Accepted \
         Values: {}",
        column.logical,
        table.logical,
        accepted.join(",")
    );
    Err(Refusal::bad(INVALID_ARGUMENT, message))
}

fn undeclared(table: &Table, name: &str) -> String {
    format!(
        "Microsoft.Crm.CrmException: Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM.{}'. ---> \
         Microsoft.OData.ODataException: Does not support untyped value in non-open type.",
        table.logical
    )
}

fn unvalued(name: &str) -> String {
    format!(
        "Microsoft.OData.ODataException: An undeclared property '{name}' which only has property annotations in the payload \
         but no property value was found in the payload. In OData, only declared navigation properties and declared named \
         streams can be represented as properties without values."
    )
}

fn not_a_resource(name: &str) -> String {
    format!(
        "Microsoft.OData.ODataException: The value of the navigation property '{name}' is neither null nor a bind; use \
         '{name}@odata.bind'."
    )
}
