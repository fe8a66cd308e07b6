//! Many rows in one request: CreateMultiple, UpdateMultiple and UpsertMultiple, all of which happen or none ("Use bulk
//! operation messages"), and BulkDelete.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::address::{self, Located, Segment, Selector};
use super::call::Call;
use super::errors::{Answer, BAD_REQUEST, INVALID_ARGUMENT, Refusal};
use super::payload::{self, Purpose};
use super::read::json_response;
use super::schema::Table;
use super::store::Store;
use super::write::{self, Writer};

/// The messages that take several rows of one table.
pub(super) const ACTIONS: [&str; 3] = [
    "Microsoft.Dynamics.CRM.CreateMultiple",
    "Microsoft.Dynamics.CRM.UpdateMultiple",
    "Microsoft.Dynamics.CRM.UpsertMultiple",
];

/// `POST /set/Microsoft.Dynamics.CRM.…Multiple`.
pub(super) fn many(store: &mut Store, call: &Call, table: &'static Table, action: &str) -> Answer<Response> {
    let body = call.object()?;
    let Some(Value::Array(targets)) = body.get("Targets") else {
        return Err(Refusal::bad(BAD_REQUEST, format!("{action} takes the rows as an array in 'Targets'.")));
    };
    if targets.is_empty() {
        return Err(Refusal::bad(INVALID_ARGUMENT, format!("The Targets of {action} are empty.")));
    }
    let writer = Writer { user: call.user, now: call.now };
    let mut ids = Vec::new();
    for target in targets {
        let Value::Object(target) = target else {
            return Err(Refusal::payload(table, "Microsoft.OData.ODataException: A target is not an object."));
        };
        if !target.contains_key("@odata.type") {
            let message = format!("Each target of {action} names its type: '@odata.type'.");
            return Err(Refusal::payload(table, format!("Microsoft.OData.ODataException: {message}")));
        }
        match action {
            "CreateMultiple" => {
                let values = payload::read(store, &call.base, table, target, Purpose::Create)?;
                ids.push(write::create(store, writer, table, values, None)?);
            }
            "UpdateMultiple" => {
                let id = target.get(&table.primary_id).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
                let located = match id {
                    Some(id) => address::locate(store, table, &Selector::Id(id))?,
                    None => addressed(store, table, target)?.ok_or_else(|| {
                        let message = format!("Each target of {action} holds its '{}'.", table.primary_id);
                        Refusal::bad(INVALID_ARGUMENT, message)
                    })?,
                };
                match located {
                    Located { id: Some(id), exists: true, .. } => update(store, call, table, id, target)?,
                    Located { id: Some(id), .. } => return Err(Refusal::missing_row(table, id)),
                    Located { id: None, .. } => return Err(Refusal::missing_key(table)),
                }
            }
            _ => upsert(store, call, table, target)?,
        }
    }
    if action != "CreateMultiple" {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let context = format!("{}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse", call.base);
    Ok(json_response(StatusCode::OK, &json!({ "@odata.context": context, "Ids": ids })))
}

fn update(store: &mut Store, call: &Call, table: &'static Table, id: Uuid, target: &Map<String, Value>) -> Answer<()> {
    let mut body = target.clone();
    body.remove(&table.primary_id);
    let values = payload::read(store, &call.base, table, &body, Purpose::Update)?;
    write::update(store, Writer { user: call.user, now: call.now }, table, id, values)
}

/// A target by its `@odata.id`, its primary key, or neither, which creates.
fn upsert(store: &mut Store, call: &Call, table: &'static Table, target: &Map<String, Value>) -> Answer<()> {
    let id = target.get(&table.primary_id).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
    let located = match (addressed(store, table, target)?, id) {
        (Some(located), _) => located,
        (None, Some(id)) => address::locate(store, table, &Selector::Id(id))?,
        (None, None) => Located { id: None, exists: false, columns: Vec::new() },
    };
    if let Located { id: Some(id), exists: true, columns } = &located {
        let mut body = target.clone();
        // Key columns that repeat the address change nothing.
        for (column, _) in columns {
            body.remove(&column.logical);
        }
        return update(store, call, table, *id, &body);
    }
    let mut values = payload::read(store, &call.base, table, target, Purpose::Create)?;
    for (column, cell) in located.columns {
        if !values.iter().any(|(given, _)| given.logical == column.logical) {
            values.push((column, Some(cell)));
        }
    }
    write::create(store, Writer { user: call.user, now: call.now }, table, values, located.id).map(|_| ())
}

/// The row that a target's `@odata.id` names, such as `accounts(accountnumber='A')`.
fn addressed(store: &Store, table: &'static Table, target: &Map<String, Value>) -> Answer<Option<Located>> {
    let Some(address) = target.get("@odata.id").and_then(Value::as_str) else {
        return Ok(None);
    };
    let last = address
        .rsplit_once("/api/data/")
        .map_or(address, |(_, below)| below.split_once('/').map_or(below, |(_, path)| path));
    match address::path(last)?.as_slice() {
        [Segment { name, key: Some(key) }] if *name == table.set => address::locate(store, table, key).map(Some),
        _ => Err(Refusal::bad(BAD_REQUEST, format!("The @odata.id '{address}' is not a row of '{}'.", table.set))),
    }
}

/// `POST /BulkDelete`, for the query that names rows by their ids. The real service works in the background; the sandbox is
/// done when it answers.
pub(super) fn delete(store: &mut Store, call: &Call) -> Answer<Response> {
    let body = call.object()?;
    let outside = || Refusal::outside("BulkDelete by any condition but 'primary key In'");
    let Some(Value::Array(queries)) = body.get("QuerySet") else {
        return Err(Refusal::bad(BAD_REQUEST, "BulkDelete takes its queries as an array in 'QuerySet'."));
    };
    let writer = Writer { user: call.user, now: call.now };
    for query in queries {
        let name = query["EntityName"].as_str().unwrap_or_default();
        let table = store.schema().table(name).ok_or_else(|| Refusal::outside(format!("the table '{name}'")))?;
        let Some([condition]) = query["Criteria"]["Conditions"].as_array().map(Vec::as_slice) else {
            return Err(outside());
        };
        if condition["AttributeName"] != table.primary_id.as_str() || condition["Operator"] != "In" {
            return Err(outside());
        }
        for value in condition["Values"].as_array().ok_or_else(outside)? {
            let id = value["Value"].as_str().and_then(|id| Uuid::try_parse(id).ok()).ok_or_else(outside)?;
            if store.get(table, id).is_some() {
                write::delete(store, writer, table, id)?;
            }
        }
    }
    let context = format!("{}/$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse", call.base);
    Ok(json_response(StatusCode::OK, &json!({ "@odata.context": context, "JobId": Uuid::new_v4() })))
}
