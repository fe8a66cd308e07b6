//! Definitions of tables as data, read and changed: `EntityDefinitions` with columns, keys and relationships,
//! `RelationshipDefinitions`, `GlobalOptionSetDefinitions`, `$metadata`.
//!
//! To be read in this order: this file (which address is answered by what), `describe` (definitions as JSON), `filter` (query
//! options on that JSON), `define` and `column` (definitions made from JSON), `csdl` (the model as XML).

mod column;
mod csdl;
mod define;
mod describe;
mod filter;

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use self::describe::{Family, attribute, definition, kind_of_cast};
use self::filter::{narrowed, object, shaped};
use super::address::{KeyValue, Selector};
use super::call::{Call, Options};
use super::errors::{Answer, BAD_REQUEST, Refusal};
use super::read::json_response;
use super::schema::{Column, Schema, Table};
use super::store::Store;

/// What the addresses of this module begin with.
pub(super) const ROOTS: [&str; 7] = [
    "EntityDefinitions",
    "RelationshipDefinitions",
    "GlobalOptionSetDefinitions",
    "CreateEntities",
    "RetrieveMetadataChanges",
    "PublishAllXml",
    "$metadata",
];

/// Answers a request whose address begins with one of `ROOTS`.
pub(super) fn serve(store: &mut Store, call: &Call) -> Answer<Response> {
    let first = &call.segments[0];
    match (first.name.as_str(), &call.method) {
        ("$metadata", &Method::GET) => Ok(csdl::response(store.schema())),
        ("CreateEntities", &Method::POST) => define::create_entities(store, call),
        // Everything is published as soon as it is defined.
        ("PublishAllXml", &Method::POST) => Ok(StatusCode::NO_CONTENT.into_response()),
        ("RetrieveMetadataChanges", &Method::GET) => changes(store.schema(), call),
        ("$metadata" | "CreateEntities" | "PublishAllXml" | "RetrieveMetadataChanges", _) => Err(Refusal::method()),
        (_, &Method::GET) => read(store.schema(), call),
        _ => define::serve(store, call),
    }
}

fn read(schema: &Schema, call: &Call) -> Answer<Response> {
    let options = call.options()?;
    let allowed = ["$select", "$filter", "$expand"];
    if let Some(name) = options.system.keys().find(|name| !allowed.contains(&name.as_str())) {
        return Err(Refusal::outside(format!("{name} on metadata")));
    }
    let root = call.segments[0].name.as_str();
    let steps: Vec<(&str, Option<&Selector>)> =
        call.segments[1..].iter().map(|segment| (segment.name.as_str(), segment.key.as_ref())).collect();
    let Some(key) = &call.segments[0].key else {
        let cast = match steps.as_slice() {
            [] => None,
            [(cast, None)] => Some(*cast),
            _ => return Err(unserved(call)),
        };
        let all = match root {
            "EntityDefinitions" if cast.is_none() => {
                schema.tables().map(|table| Value::Object(definition(table))).collect()
            }
            "RelationshipDefinitions" => describe::relationships(schema, None, Family::of_cast(cast)?),
            "GlobalOptionSetDefinitions" if cast.is_none() => schema.choices().map(describe::global_choice).collect(),
            _ => return Err(unserved(call)),
        };
        return list(call, root, all, &options, schema);
    };
    match root {
        "EntityDefinitions" => table_path(schema, call, table_of(schema, key)?, &steps, &options),
        "RelationshipDefinitions" => {
            let all = describe::relationships(schema, None, Family::All);
            let found = all.into_iter().find(|row| matches(row, key, "SchemaName"));
            one(call, root, object(found.ok_or_else(|| missing(key))?), &options, schema)
        }
        _ => {
            let found = schema.choices().map(describe::global_choice).find(|row| matches(row, key, "Name"));
            one(call, root, object(found.ok_or_else(|| missing(key))?), &options, schema)
        }
    }
}

/// `EntityDefinitions(…)…`
fn table_path(
    schema: &Schema,
    call: &Call,
    table: &'static Table,
    steps: &[(&str, Option<&Selector>)],
    options: &Options,
) -> Answer<Response> {
    match steps {
        [] => one(call, "EntityDefinitions", definition(table), options, schema),
        [("Attributes", None), (cast, None)] => {
            let kind = kind_of_cast(cast)?;
            let of_kind = table.columns.iter().filter(|column| describe::type_name(column) == kind);
            let rows = of_kind.map(|column| Value::Object(attribute(table, column))).collect();
            list(call, "EntityDefinitions/Attributes", rows, options, schema)
        }
        [("Attributes", Some(key)), cast @ ..] => {
            let column = column_of(table, key)?;
            match cast {
                [] => {}
                [(cast, None)] if kind_of_cast(cast)? == describe::type_name(column) => {}
                [(cast, None)] => {
                    return Err(Refusal {
                        status: StatusCode::NOT_FOUND,
                        code: BAD_REQUEST,
                        message: format!("The attribute '{}' is not a '{cast}'.", column.logical),
                    });
                }
                _ => return Err(unserved(call)),
            }
            one(call, "EntityDefinitions/Attributes", attribute(table, column), options, schema)
        }
        [("Keys", Some(key))] => {
            let keys = describe::keys(table);
            let found = keys.into_iter().find(|row| matches(row, key, "LogicalName"));
            one(call, "EntityDefinitions/Keys", object(found.ok_or_else(|| missing(key))?), options, schema)
        }
        [(name, None)] => match describe::children(schema, table, name) {
            Some(Value::Array(rows)) => list(call, &format!("EntityDefinitions/{name}"), rows, options, schema),
            _ => Err(unserved(call)),
        },
        _ => Err(unserved(call)),
    }
}

/// `RetrieveMetadataChanges(Query=@p)`, for queries that name tables and columns by equality: what clients read typed
/// columns with. There is no history to ask for, so a client version stamp is refused.
fn changes(schema: &Schema, call: &Call) -> Answer<Response> {
    let options = call.options()?;
    let Some(Selector::Named(parameters)) = &call.segments[0].key else {
        return Err(Refusal::bad(BAD_REQUEST, "RetrieveMetadataChanges takes the parameter Query."));
    };
    let [(name, KeyValue::Alias(alias))] = parameters.as_slice() else {
        return Err(Refusal::outside("RetrieveMetadataChanges with parameters other than Query=@alias"));
    };
    let text = options.aliases.get(alias).filter(|_| name == "Query");
    let query: Value = text
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| Refusal::bad(BAD_REQUEST, "The parameter Query is not a JSON object."))?;
    let tables = schema.tables().filter(|table| {
        let row = definition(table);
        criteria(&query["Criteria"]).is_ok_and(|wanted| wanted.iter().all(|(name, value)| row.get(name) == Some(value)))
    });
    criteria(&query["Criteria"])?;
    let wanted = criteria(&query["AttributeQuery"]["Criteria"])?;
    let names: Vec<&str> = query["AttributeQuery"]["Properties"]["PropertyNames"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let entities: Vec<Value> = tables
        .map(|table| {
            let attributes: Vec<Value> = table
                .columns
                .iter()
                .map(|column| attribute(table, column))
                .filter(|row| wanted.iter().all(|(name, value)| row.get(name) == Some(value)))
                .map(|row| {
                    let keep = |name: &str| names.contains(&name) || matches!(name, "@odata.type" | "MetadataId");
                    Value::Object(row.into_iter().filter(|(name, _)| keep(name)).collect())
                })
                .collect();
            json!({
                "LogicalName": table.logical, "MetadataId": describe::metadata_id(&[&table.logical]),
                "Attributes": attributes,
            })
        })
        .collect();
    let context = format!("{}/$metadata#Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse", call.base);
    Ok(json_response(StatusCode::OK, &json!({ "@odata.context": context, "EntityMetadata": entities })))
}

/// The equalities of a metadata filter expression.
fn criteria(value: &Value) -> Answer<Vec<(String, Value)>> {
    let conditions = value["Conditions"].as_array().cloned().unwrap_or_default();
    conditions
        .iter()
        .map(|condition| match (&condition["PropertyName"], &condition["ConditionOperator"]) {
            (Value::String(name), operator) if operator == "Equals" => {
                Ok((name.clone(), condition["Value"]["Value"].clone()))
            }
            _ => Err(Refusal::outside("conditions of RetrieveMetadataChanges other than Equals")),
        })
        .collect()
}

fn unserved(call: &Call) -> Refusal {
    Refusal::outside(format!("the metadata address '{}'", call.path))
}

/// True where `key` names the object: by its id, or by `name`.
fn matches(row: &Value, key: &Selector, name: &str) -> bool {
    match key {
        Selector::Id(id) => row["MetadataId"] == json!(id),
        Selector::Named(parts) => matches!(parts.as_slice(), [(given, KeyValue::Quoted(value))]
            if (given == name || given == "SchemaName" || given == "LogicalName")
                && row[given.as_str()].as_str().is_some_and(|have| have.eq_ignore_ascii_case(value))),
        Selector::Empty => false,
    }
}

fn missing(key: &Selector) -> Refusal {
    let name = match key {
        Selector::Id(id) => id.to_string(),
        Selector::Named(parts) => parts.iter().map(|(_, value)| format!("{value:?}")).collect(),
        Selector::Empty => String::new(),
    };
    Refusal {
        status: StatusCode::NOT_FOUND,
        code: "0x80041103",
        message: format!("Could not find metadata with the key {name}."),
    }
}

fn table_of(schema: &Schema, key: &Selector) -> Answer<&'static Table> {
    let found = schema.tables().find(|table| match key {
        Selector::Id(id) => describe::metadata_id(&[&table.logical]) == *id,
        Selector::Named(parts) => {
            matches!(parts.as_slice(), [(name, KeyValue::Quoted(value))] if name == "LogicalName" && *value == table.logical)
        }
        Selector::Empty => false,
    });
    found.ok_or_else(|| match key {
        Selector::Named(parts) if parts.iter().any(|(name, _)| name != "LogicalName") => {
            Refusal::outside("metadata by anything but LogicalName='…' or its id")
        }
        _ => Refusal {
            status: StatusCode::NOT_FOUND,
            code: "0x80041102",
            message: format!(
                "The entity with a name = '{}' was not found in the MetadataCache of the sandbox.",
                shown(key)
            ),
        },
    })
}

fn column_of(table: &'static Table, key: &Selector) -> Answer<&'static Column> {
    let found = table.columns.iter().find(|column| match key {
        Selector::Id(id) => describe::metadata_id(&[&table.logical, &column.logical]) == *id,
        Selector::Named(parts) => {
            matches!(parts.as_slice(), [(name, KeyValue::Quoted(value))] if name == "LogicalName" && *value == column.logical)
        }
        Selector::Empty => false,
    });
    found.ok_or_else(|| Refusal {
        status: StatusCode::NOT_FOUND,
        code: "0x80041103",
        message: format!("'{}' entity doesn't contain attribute with Name = '{}'.", table.logical, shown(key)),
    })
}

fn shown(key: &Selector) -> String {
    match key {
        Selector::Named(parts) => match parts.as_slice() {
            [(_, KeyValue::Quoted(value) | KeyValue::Bare(value))] => value.clone(),
            _ => String::new(),
        },
        Selector::Id(id) => id.to_string(),
        Selector::Empty => String::new(),
    }
}

/// What may be expanded below an object.
fn below(schema: &Schema, row: &Map<String, Value>, name: &str) -> Option<Value> {
    if matches!(name, "OptionSet" | "GlobalOptionSet") {
        return describe::option_set(schema, row, name);
    }
    let logical = row.get("LogicalName").and_then(Value::as_str)?;
    describe::children(schema, schema.table(logical)?, name)
}

fn one(call: &Call, context: &str, row: Map<String, Value>, options: &Options, schema: &Schema) -> Answer<Response> {
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), json!(format!("{}/$metadata#{context}/$entity", call.base)));
    body.extend(shaped(row, options, &|row, name| below(schema, row, name))?);
    Ok(json_response(StatusCode::OK, &Value::Object(body)))
}

fn list(call: &Call, context: &str, rows: Vec<Value>, options: &Options, schema: &Schema) -> Answer<Response> {
    let context = format!("{}/$metadata#{context}", call.base);
    let value = narrowed(rows, options, &|row, name| below(schema, row, name))?;
    Ok(json_response(StatusCode::OK, &json!({ "@odata.context": context, "value": value })))
}
