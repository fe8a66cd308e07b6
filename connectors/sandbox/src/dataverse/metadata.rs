//! Metadata as data: `EntityDefinitions` with `Attributes`, `Keys` and `ManyToOneRelationships` ("Query table
//! definitions using the Web API"). Enough to learn names, types, lengths, choices and how to bind a lookup.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::address::{KeyValue, Segment, Selector};
use super::call::{Call, Options};
use super::errors::{Answer, BAD_REQUEST, Refusal};
use super::read::json_response;
use super::schema::{self, Column, Kind, Required, Table};

/// `GET /EntityDefinitions…`; `segments` begins with that name.
pub(super) fn serve(call: &Call, segments: &[Segment]) -> Answer<Response> {
    let options = call.options()?;
    if let Some(name) = options.system.keys().find(|name| !matches!(name.as_str(), "$select" | "$filter" | "$expand")) {
        return Err(Refusal::outside(format!("{name} on metadata")));
    }
    let table = match &segments[0].key {
        None => {
            let all = schema::tables().iter().map(|table| Value::Object(definition(table))).collect();
            return list(call, "EntityDefinitions", all, &options);
        }
        Some(key) => table_of(key)?,
    };
    let rest: Vec<(&str, Option<&Selector>)> =
        segments[1..].iter().map(|segment| (segment.name.as_str(), segment.key.as_ref())).collect();
    match rest.as_slice() {
        [] => {
            let mut object = definition(table);
            if let Some(expand) = options.get("$expand") {
                let (name, inner) = expanded(expand)?;
                let inner = Options::read(&inner)?;
                let rows =
                    children(table, &name).ok_or_else(|| Refusal::outside(format!("$expand={expand} on metadata")))?;
                object = selected(object, &options)?;
                let rows = narrowed(rows, &inner)?;
                object.insert(name, Value::Array(rows));
                return one(call, "EntityDefinitions", object);
            }
            one(call, "EntityDefinitions", selected(object, &options)?)
        }
        [("Attributes", None), (cast, None)] => {
            let kind = cast_name(cast)?;
            let rows = table.columns.iter().filter(|column| type_name(column) == kind);
            let rows = rows.map(|column| Value::Object(with_options(table, column, &options))).collect();
            list(call, "EntityDefinitions/Attributes", rows, &options)
        }
        [("Attributes", Some(key)), cast @ ..] => {
            let column = column_of(table, key)?;
            let mut object = attribute(table, column);
            match cast {
                [] => {}
                [(cast, None)] if cast_name(cast)? == type_name(column) => {
                    object = with_options(table, column, &options)
                }
                [(cast, None)] => {
                    return Err(Refusal {
                        status: StatusCode::NOT_FOUND,
                        code: BAD_REQUEST,
                        message: format!("The attribute '{}' is not a '{cast}'.", column.logical),
                    });
                }
                _ => return Err(Refusal::outside(format!("the metadata address '{}'", call.path))),
            }
            one(call, "EntityDefinitions/Attributes", selected(object, &options)?)
        }
        [(name, None)] => match children(table, name) {
            Some(rows) => list(call, &format!("EntityDefinitions/{name}"), rows, &options),
            None => Err(Refusal::outside(format!("the metadata address '{}'", call.path))),
        },
        _ => Err(Refusal::outside(format!("the metadata address '{}'", call.path))),
    }
}

fn named<'a>(key: &'a Selector, name: &str) -> Option<&'a str> {
    match key {
        Selector::Named(parts) => match parts.as_slice() {
            [(found, KeyValue::Quoted(value))] if found == name => Some(value),
            _ => None,
        },
        _ => None,
    }
}

fn table_of(key: &Selector) -> Answer<&'static Table> {
    let name = named(key, "LogicalName").ok_or_else(|| Refusal::outside("metadata by anything but LogicalName='…'"))?;
    schema::table(name).ok_or_else(|| Refusal {
        status: StatusCode::NOT_FOUND,
        code: "0x80041102",
        message: format!("The entity with a name = '{name}' was not found in the MetadataCache of the sandbox."),
    })
}

fn column_of(table: &'static Table, key: &Selector) -> Answer<&'static Column> {
    let name = named(key, "LogicalName").ok_or_else(|| Refusal::outside("metadata by anything but LogicalName='…'"))?;
    table.column(name).ok_or_else(|| Refusal {
        status: StatusCode::NOT_FOUND,
        code: "0x80041103",
        message: format!("'{}' entity doesn't contain attribute with Name = '{name}'.", table.logical),
    })
}

fn cast_name(segment: &str) -> Answer<&str> {
    let name = segment.strip_prefix("Microsoft.Dynamics.CRM.").unwrap_or(segment);
    name.strip_suffix("AttributeMetadata").ok_or_else(|| Refusal::missing_segment(segment))
}

fn children(table: &'static Table, name: &str) -> Option<Vec<Value>> {
    Some(match name {
        "Attributes" => table.columns.iter().map(|column| Value::Object(attribute(table, column))).collect(),
        "Keys" => table
            .keys
            .iter()
            .map(|key| {
                json!({
                    "LogicalName": key.name, "SchemaName": key.name, "EntityLogicalName": table.logical,
                    "KeyAttributes": key.columns, "EntityKeyIndexStatus": "Active",
                    "MetadataId": metadata_id(&[&table.logical, key.name]),
                })
            })
            .collect(),
        "ManyToOneRelationships" => table
            .columns
            .iter()
            .flat_map(|column| column.targets().iter().map(move |target| (column, target)))
            .map(|(column, target)| {
                let name = target.collection.map(str::to_owned);
                json!({
                    "SchemaName": name.unwrap_or_else(|| format!("{}_{}", target.table, target.navigation)),
                    "ReferencingEntity": table.logical, "ReferencingAttribute": column.logical,
                    "ReferencingEntityNavigationPropertyName": target.navigation,
                    "ReferencedEntity": target.table, "ReferencedAttribute": format!("{}id", target.table),
                    "ReferencedEntityNavigationPropertyName": target.collection,
                })
            })
            .collect(),
        _ => return None,
    })
}

fn definition(table: &Table) -> Map<String, Value> {
    object(json!({
        "LogicalName": table.logical, "SchemaName": table.schema, "EntitySetName": table.set,
        "LogicalCollectionName": table.set, "CollectionSchemaName": table.set,
        "PrimaryIdAttribute": table.primary_id, "PrimaryNameAttribute": table.primary_name,
        "ObjectTypeCode": table.type_code, "ChangeTrackingEnabled": true,
        "IsOptimisticConcurrencyEnabled": true, "IsCustomEntity": table.custom(),
        "MetadataId": metadata_id(&[&table.logical]),
    }))
}

fn attribute(table: &Table, column: &Column) -> Map<String, Value> {
    let kind = type_name(column);
    let required = match column.required {
        Required::No => "None",
        Required::Recommended => "Recommended",
        Required::OnForms | Required::Always => "ApplicationRequired",
        Required::System => "SystemRequired",
    };
    let attribute_type = match column.kind {
        Kind::PrimaryKey | Kind::Guid => "Uniqueidentifier",
        Kind::Lookup(_) if column.logical == "ownerid" => "Owner",
        Kind::Lookup(_) if matches!(column.logical.as_str(), "customerid" | "parentcustomerid") => "Customer",
        _ => kind,
    };
    let mut object = object(json!({
        "@odata.type": format!("#Microsoft.Dynamics.CRM.{kind}AttributeMetadata"),
        "LogicalName": column.logical, "SchemaName": column.schema, "EntityLogicalName": table.logical,
        "AttributeType": attribute_type, "AttributeTypeName": { "Value": format!("{attribute_type}Type") },
        "RequiredLevel": {
            "Value": required, "CanBeChanged": false,
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        },
        "IsValidForCreate": column.create, "IsValidForUpdate": column.update, "IsValidForRead": true,
        "IsPrimaryId": column.logical == table.primary_id, "IsPrimaryName": column.logical == table.primary_name,
        "IsCustomAttribute": column.custom(), "MetadataId": metadata_id(&[&table.logical, &column.logical]),
    }));
    let more = match &column.kind {
        Kind::Text { max, format } => json!({ "MaxLength": max, "FormatName": { "Value": format } }),
        Kind::Memo { max } => json!({ "MaxLength": max, "Format": "TextArea" }),
        Kind::Integer { min, max } => json!({ "MinValue": min, "MaxValue": max, "Format": "None" }),
        Kind::Money { min, max, precision }
        | Kind::Decimal { min, max, precision }
        | Kind::Double { min, max, precision } => json!({ "MinValue": min, "MaxValue": max, "Precision": precision }),
        Kind::Boolean { default } => json!({ "DefaultValue": default }),
        Kind::Choice(_) => json!({ "DefaultFormValue": -1 }),
        Kind::Date => json!({ "Format": "DateOnly", "DateTimeBehavior": { "Value": "DateOnly" } }),
        Kind::DateTime => json!({ "Format": "DateAndTime", "DateTimeBehavior": { "Value": "UserLocal" } }),
        Kind::Lookup(targets) => {
            json!({ "Targets": targets.iter().map(|target| target.table).collect::<Vec<_>>() })
        }
        Kind::PrimaryKey | Kind::Version | Kind::State | Kind::Status | Kind::Guid => json!({}),
    };
    object.extend(self::object(more));
    object
}

/// The attribute with its choices, where `$expand` asks for them. No choice of the sandbox is global.
fn with_options(table: &Table, column: &Column, options: &Options) -> Map<String, Value> {
    let mut object = attribute(table, column);
    let expand = options.get("$expand").unwrap_or_default();
    let option = |value: i64, text: &str| json!({ "Value": value, "Label": label(text) });
    let set = match &column.kind {
        Kind::Choice(choices) => Some(json!({
            "OptionSetType": "Picklist",
            "Options": choices.iter().map(|(value, label)| option(*value, label)).collect::<Vec<_>>(),
        })),
        Kind::State => Some(json!({
            "OptionSetType": "State",
            "Options": table.states.iter().map(|state| {
                let default = state.statuses.first().map(|(value, _)| value);
                json!({ "Value": state.value, "Label": label(state.label), "DefaultStatus": default })
            }).collect::<Vec<_>>(),
        })),
        Kind::Status => Some(json!({
            "OptionSetType": "Status",
            "Options": table.states.iter().flat_map(|state| state.statuses.iter().map(move |(value, text)| {
                json!({ "Value": value, "Label": label(text), "State": state.value })
            })).collect::<Vec<_>>(),
        })),
        Kind::Boolean { .. } => Some(json!({
            "OptionSetType": "Boolean", "TrueOption": option(1, "Yes"), "FalseOption": option(0, "No"),
        })),
        _ => None,
    };
    if let Some(set) = set {
        if expand.split('(').next() == Some("OptionSet") || expand.contains(",OptionSet") {
            object.insert("OptionSet".to_owned(), set);
        }
        if expand.contains("GlobalOptionSet") {
            object.insert("GlobalOptionSet".to_owned(), Value::Null);
        }
    }
    object
}

fn label(text: &str) -> Value {
    let label = json!({ "Label": text, "LanguageCode": 1033 });
    json!({ "LocalizedLabels": [label], "UserLocalizedLabel": label })
}

/// The metadata type without `AttributeMetadata`, which is also its `AttributeType` unless `attribute` says otherwise.
fn type_name(column: &Column) -> &'static str {
    match column.kind {
        Kind::PrimaryKey | Kind::Guid => "UniqueIdentifier",
        Kind::Text { .. } => "String",
        Kind::Memo { .. } => "Memo",
        Kind::Integer { .. } => "Integer",
        Kind::Version => "BigInt",
        Kind::Money { .. } => "Money",
        Kind::Decimal { .. } => "Decimal",
        Kind::Double { .. } => "Double",
        Kind::Boolean { .. } => "Boolean",
        Kind::Choice(_) => "Picklist",
        Kind::State => "State",
        Kind::Status => "Status",
        Kind::Date | Kind::DateTime => "DateTime",
        Kind::Lookup(_) => "Lookup",
    }
}

fn metadata_id(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, parts.join("/").as_bytes())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// `Attributes($select=…;$filter=…)` as a name and a query.
fn expanded(text: &str) -> Answer<(String, String)> {
    match text.split_once('(') {
        None => Ok((text.to_owned(), String::new())),
        Some((name, inner)) => match inner.strip_suffix(')') {
            Some(inner) if !inner.contains('(') => Ok((name.to_owned(), inner.replace(';', "&"))),
            _ => Err(Refusal::outside(format!("$expand={text} on metadata"))),
        },
    }
}

fn one(call: &Call, context: &str, object: Map<String, Value>) -> Answer<Response> {
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), json!(format!("{}/$metadata#{context}/$entity", call.base)));
    body.extend(object);
    Ok(json_response(StatusCode::OK, &Value::Object(body)))
}

fn list(call: &Call, context: &str, rows: Vec<Value>, options: &Options) -> Answer<Response> {
    let context = format!("{}/$metadata#{context}", call.base);
    let value = narrowed(rows, options)?;
    Ok(json_response(StatusCode::OK, &json!({ "@odata.context": context, "value": value })))
}

/// Applies `$filter` and `$select`.
fn narrowed(rows: Vec<Value>, options: &Options) -> Answer<Vec<Value>> {
    let condition = options.get("$filter").map(condition).transpose()?;
    rows.into_iter()
        .map(object)
        .filter(|row| {
            condition.as_ref().is_none_or(|(name, value)| {
                row.get(name).is_some_and(|have| have == value || have.get("Value") == Some(value))
            })
        })
        .map(|row| Ok(Value::Object(selected(row, options)?)))
        .collect()
}

/// The one form of filter on metadata that the sandbox knows: `Name eq value`.
fn condition(text: &str) -> Answer<(String, Value)> {
    let outside = || Refusal::outside(format!("$filter={text} on metadata; use one comparison by eq"));
    let (name, value) = text.split_once(" eq ").ok_or_else(outside)?;
    if value.contains(" and ") || value.contains(" or ") {
        return Err(outside());
    }
    let value = value.trim();
    let value = match value.rsplit_once('\'').and_then(|(start, _)| start.split_once('\'')) {
        Some((_, quoted)) => json!(quoted),
        None => serde_json::from_str(value).map_err(|_| outside())?,
    };
    Ok((name.trim().to_owned(), value))
}

fn selected(row: Map<String, Value>, options: &Options) -> Answer<Map<String, Value>> {
    let Some(select) = options.get("$select") else {
        return Ok(row);
    };
    let wanted: Vec<&str> = select.split(',').map(str::trim).collect();
    if let Some(name) = wanted.iter().find(|name| !row.contains_key(**name)) {
        return Err(Refusal::outside(format!("the metadata property '{name}'")));
    }
    let keep = |name: &str| {
        wanted.contains(&name) || matches!(name, "@odata.type" | "MetadataId" | "OptionSet" | "GlobalOptionSet")
    };
    Ok(row.into_iter().filter(|(name, _)| keep(name)).collect())
}
