//! What a web hook receives: the RemoteExecutionContext as the data contract serialiser writes it. Dictionaries are
//! arrays of key and value, dates are `/Date(milliseconds)/`.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Acting, changed};
use crate::dataverse::cell::{Cell, Reference};
use crate::dataverse::schema::{Kind, Table};
use crate::dataverse::store::{Row, Store, Touched};

const CONTRACTS: &str = "http://schemas.microsoft.com/xrm/2011/Contracts";

/// The body for one step and one write.
pub(super) fn body(store: &Store, step: &Row, write: &Touched, message: &str, acting: &Acting) -> Value {
    let table = write.table;
    let id = write.after.as_ref().or(write.before.as_ref()).map_or(Uuid::nil(), |row| row.id);
    let target = match (&write.after, message) {
        (Some(row), "Create") => entity(table, row, row.cells.keys().copied().filter(|name| *name != "versionnumber")),
        (Some(row), _) => {
            let key = table.columns.first().map(|column| column.logical.as_str());
            entity(table, row, changed(write).into_iter().chain(key))
        }
        (None, _) => reference(&Reference { table: &table.logical, id }, None),
    };
    let output = if message == "Create" { json!([pair("id", json!(id))]) } else { json!([]) };
    let mut after = images(store, step, write.after.as_ref(), table, &[1, 2]);
    if let Some(row) = &write.after {
        after.push(pair("AsynchronousStepPrimaryName", entity(table, row, [table.primary_name])));
    }
    json!({
        "BusinessUnitId": acting.business_unit,
        "CorrelationId": acting.correlation,
        "Depth": 1,
        "InitiatingUserId": acting.initiating,
        "InputParameters": [pair("Target", target)],
        "IsExecutingOffline": false,
        "IsInTransaction": false,
        "IsOfflinePlayback": false,
        "IsolationMode": 1,
        "MessageName": message,
        "Mode": 1,
        "OperationCreatedOn": format!("/Date({}+0000)/", acting.now.as_millisecond()),
        "OperationId": Uuid::new_v4(),
        "OrganizationId": acting.organisation,
        "OrganizationName": acting.host.split('.').next(),
        "OutputParameters": output,
        "OwningExtension": reference(&Reference { table: "sdkmessageprocessingstep", id: step.id }, step.text("name")),
        "ParentContext": null,
        "PostEntityImages": after,
        "PreEntityImages": images(store, step, write.before.as_ref(), table, &[0, 2]),
        "PrimaryEntityId": id,
        "PrimaryEntityName": table.logical,
        "RequestId": acting.correlation,
        "SecondaryEntityName": "none",
        "SharedVariables": [],
        "Stage": 40,
        "UserId": acting.user,
    })
}

fn pair(key: &str, value: Value) -> Value {
    json!({ "key": key, "value": value })
}

/// The images of the row that the step asks for: `types` are the image types that show this state of it.
fn images(store: &Store, step: &Row, row: Option<&Row>, table: &Table, types: &[i64]) -> Vec<Value> {
    let (Some(row), Some(images)) = (row, store.schema().table("sdkmessageprocessingstepimage")) else {
        return Vec::new();
    };
    let of_step = |image: &&Row| image.reference("sdkmessageprocessingstepid").is_some_and(|to| to.id == step.id);
    let images = store.rows(images).filter(of_step);
    images
        .filter(|image| image.integer("imagetype").is_some_and(|kind| types.contains(&kind)))
        .map(|image| {
            let wanted = image.text("attributes");
            let shown = |name: &&str| {
                wanted.is_none_or(|wanted| wanted.split(',').any(|wanted| wanted.trim() == *name))
                    || **name == table.primary_id
            };
            let names = row.cells.keys().copied().filter(|name| shown(name));
            pair(image.text("entityalias").unwrap_or_default(), entity(table, row, names))
        })
        .collect()
}

fn entity<'a>(table: &Table, row: &Row, names: impl IntoIterator<Item = &'a str>) -> Value {
    let attributes: Vec<Value> = names
        .into_iter()
        .map(|name| pair(name, row.cells.get(name).map_or(Value::Null, |cell| value(table, name, cell))))
        .collect();
    json!({
        "__type": format!("Entity:{CONTRACTS}"), "Attributes": attributes, "EntityState": null, "FormattedValues": [],
        "Id": row.id, "KeyAttributes": [], "LogicalName": table.logical, "RelatedEntities": [],
        "RowVersion": row.version.to_string(),
    })
}

fn reference(to: &Reference, name: Option<&str>) -> Value {
    json!({
        "__type": format!("EntityReference:{CONTRACTS}"), "Id": to.id, "KeyAttributes": [], "LogicalName": to.table,
        "Name": name, "RowVersion": null,
    })
}

fn value(table: &Table, name: &str, cell: &Cell) -> Value {
    let typed = |name: &str, value: Value| json!({ "__type": format!("{name}:{CONTRACTS}"), "Value": value });
    match (table.column(name).map(|column| &column.kind), cell) {
        (_, Cell::Reference(to)) => reference(to, None),
        (Some(Kind::Money { .. }), cell) => typed("Money", cell.to_json()),
        (Some(Kind::Choice(_) | Kind::State | Kind::Status), cell) => typed("OptionSetValue", cell.to_json()),
        (Some(Kind::Choices(_)), Cell::Text(text)) => {
            let values = text.split(',').filter_map(|value| value.parse::<i64>().ok());
            values.map(|value| typed("OptionSetValue", json!(value))).collect()
        }
        (_, Cell::Instant(instant)) => json!(format!("/Date({})/", instant.as_millisecond())),
        (_, Cell::Day(day)) => {
            let start = day.to_zoned(TimeZone::UTC).map_or(0, |start| start.timestamp().as_millisecond());
            json!(format!("/Date({start})/"))
        }
        (_, cell) => cell.to_json(),
    }
}
