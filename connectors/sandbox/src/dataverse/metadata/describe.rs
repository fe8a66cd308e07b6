//! Definitions as JSON, in the shapes of the metadata types ("Query table definitions using the Web API"). Labels are
//! in English (United States).

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::filter::object;
use crate::dataverse::errors::{Answer, Refusal};
use crate::dataverse::schema::{Column, GlobalChoice, Kind, Link, OnDelete, Required, Schema, Table, Target};

/// Which relationships are meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Family {
    /// Any.
    All,
    /// Lookups.
    OneToMany,
    /// Links.
    ManyToMany,
}

impl Family {
    /// The family that a cast in an address names.
    pub(super) fn of_cast(cast: Option<&str>) -> Answer<Family> {
        match cast {
            None => Ok(Family::All),
            Some("Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata") => Ok(Family::OneToMany),
            Some("Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata") => Ok(Family::ManyToMany),
            Some(other) => Err(Refusal::missing_segment(other)),
        }
    }
}

/// The metadata type that a cast in an address names, without `AttributeMetadata`.
pub(super) fn kind_of_cast(segment: &str) -> Answer<&str> {
    let name = segment.strip_prefix("Microsoft.Dynamics.CRM.").unwrap_or(segment);
    name.strip_suffix("AttributeMetadata").ok_or_else(|| Refusal::missing_segment(segment))
}

/// Alternate keys of `table`; their index is always ready.
pub(super) fn keys(table: &Table) -> Vec<Value> {
    let keys = table.keys.iter();
    keys.map(|key| {
        json!({
            "LogicalName": key.name.to_lowercase(), "SchemaName": key.name, "DisplayName": label(&key.display),
            "EntityLogicalName": table.logical, "KeyAttributes": key.columns, "EntityKeyIndexStatus": "Active",
            "IsManaged": false, "MetadataId": metadata_id(&[&table.logical, key.name]),
        })
    })
    .collect()
}

/// The relationships of `family`, of one table or of all.
pub(super) fn relationships(schema: &Schema, table: Option<&Table>, family: Family) -> Vec<Value> {
    let mut all = Vec::new();
    if family != Family::ManyToMany {
        for owner in schema.tables() {
            for (column, target) in owner.columns.iter().flat_map(|c| c.targets().iter().map(move |t| (c, t))) {
                if table.is_none_or(|table| table.logical == owner.logical || table.logical == target.table) {
                    all.push(one_to_many(schema, owner, column, target));
                }
            }
        }
    }
    if family != Family::OneToMany {
        let of_table = |link: &&Link| table.is_none_or(|table| link.tables.contains(&table.logical.as_str()));
        all.extend(schema.links().filter(of_table).map(many_to_many));
    }
    all
}

/// The id of a relationship of that schema name.
pub(super) fn relationship_id(name: &str) -> Uuid {
    metadata_id(&["relationship", name])
}

fn one_to_many(schema: &Schema, owner: &Table, column: &Column, target: &Target) -> Value {
    let referenced = schema.table(target.table).map_or_else(|| format!("{}id", target.table), |t| t.primary_id.clone());
    let on_delete = match target.on_delete {
        OnDelete::Clear => "RemoveLink",
        OnDelete::Cascade => "Cascade",
        OnDelete::Restrict => "Restrict",
    };
    json!({
        "@odata.type": "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
        "SchemaName": target.relationship, "RelationshipType": "OneToManyRelationship",
        "ReferencingEntity": owner.logical, "ReferencingAttribute": column.logical,
        "ReferencingEntityNavigationPropertyName": target.navigation,
        "ReferencedEntity": target.table, "ReferencedAttribute": referenced,
        "ReferencedEntityNavigationPropertyName": target.collection,
        "CascadeConfiguration": {
            "Assign": "NoCascade", "Delete": on_delete, "Merge": "NoCascade", "Reparent": "NoCascade",
            "Share": "NoCascade", "Unshare": "NoCascade",
        },
        "IsCustomRelationship": target.relationship.contains('_') && column.custom(), "IsManaged": false,
        "IsHierarchical": false, "IsValidForAdvancedFind": true,
        "MetadataId": relationship_id(&target.relationship),
    })
}

fn many_to_many(link: &Link) -> Value {
    json!({
        "@odata.type": "#Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata",
        "SchemaName": link.name, "RelationshipType": "ManyToManyRelationship", "IntersectEntityName": link.intersect,
        "Entity1LogicalName": link.tables[0], "Entity1IntersectAttribute": format!("{}id", link.tables[0]),
        "Entity1NavigationPropertyName": link.navigations[0],
        "Entity2LogicalName": link.tables[1], "Entity2IntersectAttribute": format!("{}id", link.tables[1]),
        "Entity2NavigationPropertyName": link.navigations[1],
        "IsCustomRelationship": true, "IsManaged": false, "IsValidForAdvancedFind": true,
        "MetadataId": relationship_id(&link.name),
    })
}

/// Choices that columns may share.
pub(super) fn global_choice(choice: &GlobalChoice) -> Value {
    let options: Vec<Value> = choice.options.iter().map(|(value, text)| option(*value, text)).collect();
    json!({
        "@odata.type": "#Microsoft.Dynamics.CRM.OptionSetMetadata", "Name": choice.name, "DisplayName": label(&choice.display),
        "IsGlobal": true, "IsCustomOptionSet": true, "OptionSetType": "Picklist", "Options": options,
        "MetadataId": metadata_id(&["choice", &choice.name]),
    })
}

fn option(value: i64, text: &str) -> Value {
    json!({ "Value": value, "Label": label(text) })
}

/// What stands below a table's definition.
pub(super) fn children(schema: &Schema, table: &'static Table, name: &str) -> Option<Value> {
    Some(Value::Array(match name {
        "Attributes" => table.columns.iter().map(|column| Value::Object(attribute(table, column))).collect(),
        "Keys" => keys(table),
        "ManyToOneRelationships" => table
            .columns
            .iter()
            .flat_map(|column| column.targets().iter().map(move |target| (column, target)))
            .map(|(column, target)| one_to_many(schema, table, column, target))
            .collect(),
        "OneToManyRelationships" => {
            schema.lookups_to(table).map(|(owner, column, target)| one_to_many(schema, owner, column, target)).collect()
        }
        "ManyToManyRelationships" => relationships(schema, Some(table), Family::ManyToMany),
        _ => return None,
    }))
}

/// A table.
pub(super) fn definition(table: &Table) -> Map<String, Value> {
    object(json!({
        "LogicalName": table.logical, "SchemaName": table.schema, "EntitySetName": table.set,
        "LogicalCollectionName": table.set, "CollectionSchemaName": format!("{}s", table.schema),
        "PrimaryIdAttribute": table.primary_id, "PrimaryNameAttribute": table.primary_name,
        "ObjectTypeCode": table.type_code, "ChangeTrackingEnabled": true,
        "IsOptimisticConcurrencyEnabled": true, "IsCustomEntity": table.custom(),
        "DisplayName": label(&table.display), "DisplayCollectionName": label(&table.display_plural),
        "Description": label(&table.description), "IsPrivate": false, "IsActivity": table.primary_id == "activityid",
        "IsIntersect": false, "IsManaged": false, "IsCustomizable": managed(true), "TableType": "Standard",
        "OwnershipType": if table.column("ownerid").is_some() { "UserOwned" } else { "OrganizationOwned" },
        "HasNotes": true, "HasActivities": false, "IsValidForAdvancedFind": true, "PrimaryImageAttribute": null,
        "MetadataId": metadata_id(&[&table.logical]),
    }))
}

/// A column.
pub(super) fn attribute(table: &Table, column: &Column) -> Map<String, Value> {
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
        Kind::Choices(_) => "Virtual",
        _ => kind,
    };
    let mut object = object(json!({
        "@odata.type": format!("#Microsoft.Dynamics.CRM.{kind}AttributeMetadata"),
        "LogicalName": column.logical, "SchemaName": column.schema, "EntityLogicalName": table.logical,
        "AttributeType": attribute_type, "AttributeTypeName": { "Value": format!("{}Type", if attribute_type == "Virtual" { kind } else { attribute_type }) },
        "RequiredLevel": {
            "Value": required, "CanBeChanged": false,
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        },
        "IsValidForCreate": column.create, "IsValidForUpdate": column.update, "IsValidForRead": column.read,
        "DisplayName": label(&column.display), "Description": label(""), "IsManaged": false, "AttributeOf": null,
        "IsCustomizable": managed(true), "IsSecured": false, "IsLogical": false, "IsRequiredForForm": false,
        "IsValidODataAttribute": true, "IsValidForAdvancedFind": managed(true),
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
        Kind::Choice(_) | Kind::Choices(_) => json!({ "DefaultFormValue": -1 }),
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

/// The choices of a described column: its own under `OptionSet`, shared ones under `GlobalOptionSet`.
pub(super) fn option_set(schema: &Schema, row: &Map<String, Value>, name: &str) -> Option<Value> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let table = schema.table(text("EntityLogicalName")?)?;
    let column = table.column(text("LogicalName")?)?;
    if let Some(options) = column.kind.options() {
        // A shared list of choices is the very one the column refers to.
        let global = schema.choices().find(|choice| std::ptr::eq(choice.options, options));
        return Some(match (name, global) {
            ("GlobalOptionSet", Some(choice)) => global_choice(choice),
            ("GlobalOptionSet", None) | ("OptionSet", Some(_)) => Value::Null,
            _ => {
                let own = format!("{}_{}", table.logical, column.logical);
                json!({
                    "Name": own, "IsGlobal": false, "OptionSetType": "Picklist",
                    "Options": options.iter().map(|(value, text)| option(*value, text)).collect::<Vec<_>>(),
                    "MetadataId": metadata_id(&["choice", &own]),
                })
            }
        });
    }
    if name == "GlobalOptionSet" {
        return Some(Value::Null);
    }
    Some(match &column.kind {
        Kind::State => json!({
            "OptionSetType": "State",
            "Options": table.states.iter().map(|state| {
                let default = state.statuses.first().map(|(value, _)| value);
                json!({ "Value": state.value, "Label": label(state.label), "DefaultStatus": default })
            }).collect::<Vec<_>>(),
        }),
        Kind::Status => json!({
            "OptionSetType": "Status",
            "Options": table.states.iter().flat_map(|state| state.statuses.iter().map(move |(value, text)| {
                json!({ "Value": value, "Label": label(text), "State": state.value })
            })).collect::<Vec<_>>(),
        }),
        Kind::Boolean { .. } => json!({
            "OptionSetType": "Boolean", "TrueOption": option(1, "Yes"), "FalseOption": option(0, "No"),
        }),
        _ => return None,
    })
}

/// A managed property.
fn managed(value: bool) -> Value {
    json!({ "Value": value, "CanBeChanged": true, "ManagedPropertyLogicalName": "iscustomizable" })
}

fn label(text: &str) -> Value {
    if text.is_empty() {
        return json!({ "LocalizedLabels": [], "UserLocalizedLabel": null });
    }
    let label = json!({ "Label": text, "LanguageCode": 1033 });
    json!({ "LocalizedLabels": [label], "UserLocalizedLabel": label })
}

/// The metadata type without `AttributeMetadata`, which is also its `AttributeType` unless `attribute` says otherwise.
pub(super) fn type_name(column: &Column) -> &'static str {
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
        Kind::Choices(_) => "MultiSelectPicklist",
        Kind::State => "State",
        Kind::Status => "Status",
        Kind::Date | Kind::DateTime => "DateTime",
        Kind::Lookup(_) => "Lookup",
    }
}

/// The id of a definition, which follows from its names.
pub(super) fn metadata_id(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, parts.join("/").as_bytes())
}
