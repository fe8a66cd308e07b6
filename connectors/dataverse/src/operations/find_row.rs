use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::connection::Dataverse;
use crate::row::Row;
use crate::search::Search;
use crate::values::{filter, names};

/// Which row to find.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindRowInput {
    /// The table, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The values that columns must have, by logical name. Text is compared without regard to case; null finds empty
    /// columns. A value that a column can never have, such as a text that is no GUID for a key, finds nothing.
    #[schemars(extend("minProperties" = 1, "x-names" = "columns"))]
    pub r#where: Map<String, Value>,
    /// The columns to read, by logical name; all when not given.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub select: Option<Vec<String>>,
    /// Which row comes first where several are found, such as `createdon desc`; the oldest when not given.
    #[serde(default)]
    pub order_by: Option<String>,
}

/// Finds a row by values of its columns.
#[derive(Debug)]
pub struct FindRow;

impl Operation for FindRow {
    type Connection = Dataverse;
    type Input = FindRowInput;
    type Output = Option<Row>;

    const NAME: &'static str = "find_row";
    const TITLE: &'static str = "Find a row";
    const DESCRIPTION: &'static str =
        "Finds the first row whose columns have certain values; null where there is none.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str =
        r#"{ "table": "opportunity", "where": { "name": "Deal" }, "select": ["name", "estimatedvalue"] }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Option<Row>, CallError> {
        if input.r#where.is_empty() {
            return Err(CallError::rejected(
                "no_condition",
                "`where` is empty; name at least one column and its value",
            ));
        }
        let table = dataverse.table(&input.table, context).await?;
        let select = names::select(&table, input.select.as_deref())?;
        let order_by = match &input.order_by {
            Some(text) => names::order_by(&table, text)?,
            None if table.columns.contains_key("createdon") => "createdon asc".to_owned(),
            None => table.head.primary_id.clone(),
        };
        let Some(filter) = filter::equal(&table, &input.r#where)? else { return Ok(None) };

        let search =
            Search { filter: Some(filter), select, order_by: Some(order_by), top: Some(1), ..Search::default() };
        Ok(dataverse.search(&table, &search, context).await?.rows.first().map(Row::from_wire))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, SET, call, open, script_metadata, stored};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    #[tokio::test]
    async fn the_first_row_or_null() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on(
            "GET",
            SET,
            [Reply::json(200, json!({ "value": [stored()] })), Reply::json(200, json!({ "value": [] }))],
        );
        let connection = open(&stub);
        let input =
            json!({ "table": "opportunity", "where": { "name": "O'Neill", "customerid": null }, "select": ["name"] });
        let row = call(&connection, "find_row", input.clone(), false).await.unwrap();
        assert_eq!(row["opportunityid"], ID);
        assert_eq!(
            stub.requests().pop().unwrap().target,
            format!(
                "{SET}?$filter=name%20eq%20%27O%27%27Neill%27%20and%20_customerid_value%20eq%20null\
                 &$select=name&$orderby=createdon%20asc&$top=1"
            )
        );
        assert_eq!(call(&connection, "find_row", input, false).await.unwrap(), Value::Null);
    }

    #[tokio::test]
    async fn what_no_row_can_have_is_not_asked_for() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let input = json!({ "table": "opportunity", "where": { "opportunityid": "OPP-20417" } });
        assert_eq!(call(&open(&stub), "find_row", input, false).await.unwrap(), Value::Null);
        assert!(!stub.requests().iter().any(|seen| seen.target.starts_with(SET)));
    }

    #[tokio::test]
    async fn no_condition_is_a_mistake() {
        let stub = Stub::start().await;
        let error =
            call(&open(&stub), "find_row", json!({ "table": "opportunity", "where": {} }), false).await.unwrap_err();
        assert_eq!(error.code, "no_condition");
    }
}
