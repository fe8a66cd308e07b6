use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};

use crate::connection::Dataverse;
use crate::metadata::Kind;

/// Which table to describe.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetMetadataInput {
    /// The table, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
}

/// What a table is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TableMetadata {
    /// Logical name, as in `opportunity`.
    pub logical_name: String,
    /// Entity set name, as in `opportunities`.
    pub set_name: String,
    /// Column of the row's identifier.
    pub primary_id: String,
    /// Whether Dataverse tracks its changes, so that they can be listed.
    pub change_tracking: bool,
    /// Its columns, by logical name.
    pub columns: Vec<ColumnMetadata>,
}

/// What a column takes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ColumnMetadata {
    /// Logical name.
    pub name: String,
    /// What people read for it; null where it has no label.
    pub label: Option<String>,
    /// `id`, `text`, `number`, `boolean`, `time`, `choice`, `lookup`, or the Web API's own name of another type.
    pub kind: String,
    /// Whether a new row may be given a value for it.
    pub creatable: bool,
    /// Whether an existing row may.
    pub updatable: bool,
    /// Whether whoever makes a row has to give a value for it. What the platform fills by itself does not count.
    pub required: bool,
    /// How long a text may be, in UTF-16 code units; null for what is no text.
    pub max_length: Option<usize>,
    /// The values of a choice.
    pub choices: Vec<ChoiceMetadata>,
    /// The tables that a lookup may refer to, by logical name.
    pub targets: Vec<String>,
}

/// A value of a choice.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChoiceMetadata {
    /// The number stored.
    pub value: i64,
    /// What people read for it; null where it has no label.
    pub label: Option<String>,
}

/// Describes a table.
#[derive(Debug)]
pub struct GetMetadata;

impl Operation for GetMetadata {
    type Connection = Dataverse;
    type Input = GetMetadataInput;
    type Output = TableMetadata;

    const NAME: &'static str = "get_metadata";
    const TITLE: &'static str = "Describe a table";
    const DESCRIPTION: &'static str = "Tells a table's names, its columns, what they take, and the values of its choices. What was read is kept for a quarter of an hour.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{ "table": "opportunity" }"#;

    async fn call(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<TableMetadata, CallError> {
        let table = dataverse.table(&input.table, context).await?;
        let lengths = dataverse.lengths(&table.head, context).await?;
        let said = dataverse.said(&table.head, context).await?;
        let columns = table
            .columns
            .values()
            .map(|column| {
                let (mut choices, mut targets) = (Vec::new(), Vec::new());
                let kind = match &column.kind {
                    Kind::Id => "id",
                    Kind::Text => "text",
                    Kind::Number => "number",
                    Kind::Bool => "boolean",
                    Kind::Time => "time",
                    Kind::Choice(known) => {
                        choices.extend(known.iter().map(|choice| ChoiceMetadata {
                            value: choice.value,
                            label: choice.labels.first().cloned(),
                        }));
                        "choice"
                    }
                    Kind::Lookup(known) => {
                        targets.extend(known.iter().map(|target| target.table.clone()));
                        "lookup"
                    }
                    Kind::Other(name) => name,
                };
                let said = said.get(&column.name).cloned().unwrap_or_default();
                ColumnMetadata {
                    name: column.name.clone(),
                    label: said.label,
                    required: said.needed,
                    kind: kind.to_owned(),
                    creatable: column.creatable,
                    updatable: column.updatable,
                    max_length: lengths.get(&column.name).copied(),
                    choices,
                    targets,
                }
            })
            .collect();
        let head = table.head.clone();
        Ok(TableMetadata {
            logical_name: head.logical_name,
            set_name: head.set_name,
            primary_id: head.primary_id,
            change_tracking: head.change_tracking,
            columns,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{call, open, script_metadata};
    use cosell_sdk::stub::Stub;
    use serde_json::json;

    #[tokio::test]
    async fn columns_with_choices_and_targets() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let table = call(&open(&stub), "get_metadata", json!({ "table": "opportunities" }), false).await.unwrap();
        assert_eq!((&table["logical_name"], &table["primary_id"]), (&json!("opportunity"), &json!("opportunityid")));
        let column = |name: &str| {
            let columns = table["columns"].as_array().unwrap();
            columns.iter().find(|column| column["name"] == name).unwrap().clone()
        };
        assert_eq!(column("opportunityratingcode")["choices"][0], json!({ "value": 1, "label": "Hot" }));
        assert_eq!(column("customerid")["targets"], json!(["account", "contact"]));
        assert_eq!(
            (&column("createdon")["creatable"], &column("entityimage")["kind"]),
            (&json!(false), &json!("Virtual"))
        );
    }
}
