//! Reading a table's metadata (Web API, query metadata).

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_sdk::http::{Client, Request};
use cosell_sdk::{CallContext, CallError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Choice, Column, Head, Kind, Said, Table, Target};

const NAMES: &str =
    "LogicalName,SchemaName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,ChangeTrackingEnabled";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    logical_name: String,
    /// Missing for tables that the Web API does not offer.
    entity_set_name: Option<String>,
    primary_id_attribute: Option<String>,
    #[serde(default)]
    change_tracking_enabled: bool,
}

#[derive(Deserialize)]
struct All<T> {
    value: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    logical_name: String,
    attribute_type: String,
    #[serde(default)]
    is_valid_for_create: bool,
    #[serde(default)]
    is_valid_for_update: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Relationship {
    referencing_attribute: String,
    referenced_entity: String,
    referencing_entity_navigation_property_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChoiceAttribute {
    logical_name: String,
    #[serde(default)]
    option_set: Option<OptionSet>,
    #[serde(default)]
    global_option_set: Option<OptionSet>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OptionSet {
    #[serde(default)]
    options: Vec<Value>,
}

/// A table's names, by its logical name or else its entity set name.
pub(super) async fn head(client: &Client, name: &str, context: &CallContext) -> Result<Head, CallError> {
    let unknown = || {
        CallError::rejected(
            "unknown_table",
            format!(
                "there is no table `{name}` that the Web API offers; give its logical name, as in account, or its entity set name, as in accounts"
            ),
        )
    };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(unknown());
    }
    let request = client.get(&[&format!("EntityDefinitions(LogicalName='{name}')")]).query("$select", NAMES);
    let response = request.describing().header("accept", "application/json").allow(404).send(context).await?;
    let definition: Definition = if response.status == 404 {
        let request = client.get(&["EntityDefinitions"]).query("$select", NAMES);
        let request = request.query("$filter", &format!("EntitySetName eq '{name}'"));
        let found: All<Definition> =
            request.describing().header("accept", "application/json").send(context).await?.json()?;
        found.value.into_iter().next().ok_or_else(unknown)?
    } else {
        response.json()?
    };
    Ok(Head {
        logical_name: definition.logical_name,
        set_name: definition.entity_set_name.ok_or_else(unknown)?,
        primary_id: definition.primary_id_attribute.ok_or_else(unknown)?,
        change_tracking: definition.change_tracking_enabled,
    })
}

/// Where a table's metadata begins.
pub(super) fn definition(head: &Head) -> String {
    format!("EntityDefinitions(LogicalName='{}')", head.logical_name)
}

/// The whole table, of parts that `part` reads, all at the same time; it is given each part's address and request.
pub(super) async fn table<'c, P, F>(client: &'c Client, head: &Head, part: P) -> Result<Table, CallError>
where
    P: Fn(String, Request<'c>) -> F,
    F: Future<Output = Result<Arc<Vec<Value>>, CallError>>,
{
    const ATTRIBUTES: &str = "LogicalName,SchemaName,AttributeType,IsValidForCreate,IsValidForUpdate";
    const RELATIONSHIPS: &str = "ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName";
    let read = |below: &[&str], query: &[(&str, &str)]| {
        let definition = definition(head);
        let segments: Vec<&str> = std::iter::once(definition.as_str()).chain(below.iter().copied()).collect();
        let mut request = client.get(&segments).describing().header("accept", "application/json");
        for (name, value) in query {
            request = request.query(name, value);
        }
        part(segments.join("/"), request)
    };
    let choices = |cast: &str, expand: &str| {
        let cast = format!("Microsoft.Dynamics.CRM.{cast}");
        read(&["Attributes", &cast], &[("$select", "LogicalName"), ("$expand", expand)])
    };
    // Not the first error ends it: what can be read is read, and kept for the next attempt.
    let (attributes, relationships, picklists, states, statuses) = futures::join!(
        read(&["Attributes"], &[("$select", ATTRIBUTES)]),
        read(&["ManyToOneRelationships"], &[("$select", RELATIONSHIPS)]),
        // Of a choice column exactly one of the two sets is filled.
        choices("PicklistAttributeMetadata", "OptionSet($select=Options),GlobalOptionSet($select=Options)"),
        choices("StateAttributeMetadata", "OptionSet($select=Options)"),
        choices("StatusAttributeMetadata", "OptionSet($select=Options)"),
    );
    let choices = [typed(&picklists?)?, typed(&states?)?, typed(&statuses?)?].into_iter().flatten().collect();
    Ok(assemble(head.clone(), typed(&attributes?)?, typed(&relationships?)?, choices))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TextAttribute {
    logical_name: String,
    max_length: usize,
}

/// How long the texts of a table may be, by column, in UTF-16 code units. Only the definitions of texts tell it, so it costs
/// requests of its own.
pub(super) async fn lengths(
    client: &Client,
    head: &Head,
    context: &CallContext,
) -> Result<BTreeMap<String, usize>, CallError> {
    let texts = async |kind: &str| -> Result<All<TextAttribute>, CallError> {
        let cast = format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata");
        let request = client.get(&[&definition(head), "Attributes", &cast]).query("$select", "LogicalName,MaxLength");
        request.describing().header("accept", "application/json").send(context).await?.json()
    };
    let (lines, memos) = futures::join!(texts("String"), texts("Memo"));
    let all = lines?.value.into_iter().chain(memos?.value);
    Ok(all.map(|attribute| (attribute.logical_name, attribute.max_length)).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SaidAttribute {
    logical_name: String,
    #[serde(default)]
    display_name: Value,
    #[serde(default)]
    required_level: Value,
}

/// What is said to people of a table's columns. Only checks need it, so it is read apart from the rest.
pub(super) async fn said(
    client: &Client,
    head: &Head,
    context: &CallContext,
) -> Result<BTreeMap<String, Said>, CallError> {
    let request =
        client.get(&[&definition(head), "Attributes"]).query("$select", "LogicalName,DisplayName,RequiredLevel");
    let all: All<SaidAttribute> =
        request.describing().header("accept", "application/json").send(context).await?.json()?;
    let said = |attribute: SaidAttribute| {
        let label = attribute.display_name.pointer("/UserLocalizedLabel/Label").and_then(Value::as_str);
        // `SystemRequired` is what the platform fills by itself.
        let needed = attribute.required_level["Value"] == "ApplicationRequired";
        (attribute.logical_name, Said { label: label.map(str::to_owned), needed })
    };
    Ok(all.value.into_iter().map(said).collect())
}

fn typed<T: DeserializeOwned>(values: &[Value]) -> Result<Vec<T>, CallError> {
    let read = |value: &Value| T::deserialize(value);
    values.iter().map(read).collect::<Result<_, _>>().map_err(|error| {
        CallError::rejected(
            "unreadable_metadata",
            format!("Dataverse describes a table in a form not known here: {error}"),
        )
    })
}

fn assemble(
    head: Head,
    attributes: Vec<Attribute>,
    relationships: Vec<Relationship>,
    choices: Vec<ChoiceAttribute>,
) -> Table {
    let mut choices: BTreeMap<String, Vec<Choice>> = choices
        .into_iter()
        .map(|attribute| {
            let sets = [attribute.option_set, attribute.global_option_set];
            let options = sets.iter().flatten().flat_map(|set| &set.options).filter_map(choice).collect();
            (attribute.logical_name, options)
        })
        .collect();
    let columns = attributes
        .into_iter()
        .map(|attribute| {
            let targets = || {
                relationships
                    .iter()
                    .filter(|relationship| relationship.referencing_attribute == attribute.logical_name)
                    .filter_map(|relationship| {
                        let navigation = relationship.referencing_entity_navigation_property_name.clone()?;
                        Some(Target { table: relationship.referenced_entity.clone(), navigation })
                    })
                    .collect()
            };
            let kind = match attribute.attribute_type.as_str() {
                "Uniqueidentifier" => Kind::Id,
                "String" | "Memo" | "EntityName" => Kind::Text,
                "Integer" | "BigInt" | "Decimal" | "Double" | "Money" => Kind::Number,
                "Boolean" => Kind::Bool,
                "DateTime" => Kind::Time,
                "Picklist" | "State" | "Status" => {
                    Kind::Choice(choices.remove(&attribute.logical_name).unwrap_or_default())
                }
                "Lookup" | "Customer" | "Owner" => Kind::Lookup(targets()),
                _ => Kind::Other(attribute.attribute_type),
            };
            let column = Column {
                name: attribute.logical_name.clone(),
                kind,
                creatable: attribute.is_valid_for_create,
                updatable: attribute.is_valid_for_update,
            };
            (attribute.logical_name, column)
        })
        .collect();
    Table { head, columns }
}

fn choice(option: &Value) -> Option<Choice> {
    let label = option.get("Label");
    let own = label.and_then(|label| label.pointer("/UserLocalizedLabel/Label"));
    let others = label.and_then(|label| label.get("LocalizedLabels")).and_then(Value::as_array);
    let mut labels: Vec<String> = Vec::new();
    for text in own.into_iter().chain(others.into_iter().flatten().filter_map(|label| label.get("Label"))) {
        if let Some(text) = text.as_str().filter(|text| !labels.iter().any(|known| known == text)) {
            labels.push(text.to_owned());
        }
    }
    Some(Choice { value: option.get("Value")?.as_i64()?, labels })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{connect, script_metadata};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;
    use uuid::Uuid;

    fn context() -> CallContext {
        CallContext::new(Uuid::nil(), false)
    }

    #[tokio::test]
    async fn a_table_is_read_by_either_name_and_once_for_all() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let dataverse = connect(&stub);
        let context = context();
        let (by_set, by_name) =
            tokio::join!(dataverse.table("opportunities", &context), dataverse.table("opportunity", &context));
        let table = by_set.unwrap();
        assert_eq!(table, by_name.unwrap());
        assert_eq!(table.head.set_name, "opportunities");
        // Each name once, each part once.
        assert_eq!(stub.requests().len(), 3 + 5);
        assert!(stub.lines().iter().any(|line| line.contains("$filter=EntitySetName%20eq%20%27opportunities%27")));

        assert_eq!(
            table.column("customerid").unwrap().kind,
            Kind::Lookup(vec![
                Target { table: "account".to_owned(), navigation: "customerid_account".to_owned() },
                Target { table: "contact".to_owned(), navigation: "customerid_contact".to_owned() },
            ])
        );
        let Kind::Choice(choices) = &table.column("opportunityratingcode").unwrap().kind else { panic!() };
        assert_eq!(choices[0], Choice { value: 1, labels: vec!["Hot".to_owned(), "Heiß".to_owned()] });
        let Kind::Choice(choices) = &table.column("msft_help").unwrap().kind else { panic!() };
        assert_eq!(choices[0].value, 299_600_000, "from the global set");
        let created = table.column("createdon").unwrap();
        assert_eq!((&created.kind, created.creatable, created.updatable), (&Kind::Time, false, false));
    }

    #[tokio::test]
    async fn an_unknown_table_is_named_and_nothing_odd_is_sent() {
        let stub = Stub::start().await;
        stub.on("GET", "/api/data/v9.2/EntityDefinitions", [Reply::json(200, json!({ "value": [] }))]);
        let dataverse = connect(&stub);
        for name in ["oportunities", "x')/y", ""] {
            let error = dataverse.table(name, &context()).await.unwrap_err();
            assert!(error.code == "unknown_table" && error.message.contains(name), "{}", error.message);
        }
        assert_eq!(stub.requests().len(), 2, "only the name that could be one is asked for");
    }
}
