use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::connection::{Dataverse, missing};
use crate::row::Row;
use crate::values::key::RowKey;
use crate::values::names;

/// Which row to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetRowInput {
    /// The table, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The row's identifier, a GUID. Give this or `key`.
    #[serde(default)]
    pub id: Option<String>,
    /// The values of the columns of an alternate key, such as `{ accountnumber: A }`.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub key: Option<Map<String, Value>>,
    /// The columns to read, by logical name; all when not given.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub select: Option<Vec<String>>,
    /// Rows to read along, in the Web API's own words, such as `primarycontactid($select=fullname)`.
    #[serde(default)]
    pub expand: Option<String>,
}

/// Reads a row by its identifier.
#[derive(Debug)]
pub struct GetRow;

impl Operation for GetRow {
    type Connection = Dataverse;
    type Input = GetRowInput;
    type Output = Row;

    const NAME: &'static str = "get_row";
    const TITLE: &'static str = "Get a row";
    const DESCRIPTION: &'static str =
        "Reads a row by its identifier or an alternate key. One that does not exist is refused.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str =
        r#"{ "table": "opportunity", "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "select": ["name", "customerid"] }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Row, CallError> {
        let which = RowKey::new(input.id.as_deref(), input.key.as_ref())?;
        let table = dataverse.table(&input.table, context).await?;
        let select = names::select(&table, input.select.as_deref())?;
        let row = dataverse.read_by(&table, &which, (select.as_deref(), input.expand.as_deref()), context).await?;
        let row = row.ok_or_else(|| missing(&table.head.logical_name, &which.address(&table).unwrap_or_default()))?;
        Ok(Row::from_wire(&row))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, call, open, path, script_metadata, stored};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn a_row_with_its_lookups() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        let input = json!({ "table": "opportunities", "id": ID, "select": ["name", "customerid"] });
        let row = call(&open(&stub), "get_row", input, false).await.unwrap();
        assert_eq!(row["customerid"]["table"], "account");
        let seen = stub.requests().pop().unwrap();
        assert_eq!(seen.target, format!("{}?$select=name%2C_customerid_value", path(ID)));
        assert_eq!(seen.header("prefer"), Some("odata.include-annotations=\"*\""));
        assert_eq!(seen.header("odata-version"), Some("4.0"));
        assert_eq!(seen.header("authorization"), Some("Bearer token-1"));
        assert!(stub.token_requests()[0].body.contains("127.0.0.1"), "the audience is the environment's origin");
    }

    #[tokio::test]
    async fn an_alternate_key_stands_in_the_address() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let by_key =
            "/api/data/v9.2/opportunities(name='O''Neill',_customerid_value=c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10)";
        stub.on("GET", by_key, [Reply::json(200, stored())]);
        let key = json!({ "name": "O'Neill", "customerid": { "account": ID } });
        let input = json!({ "table": "opportunity", "key": key, "expand": "customerid_account($select=name)" });
        let connection = open(&stub);
        assert_eq!(call(&connection, "get_row", input, false).await.unwrap()["name"], "Deal");
        assert!(stub.lines().last().unwrap().ends_with("?$expand=customerid_account%28%24select%3Dname%29"));
        for (input, code) in [
            (json!({ "table": "opportunity" }), "which_row"),
            (json!({ "table": "opportunity", "id": ID, "key": { "name": "x" } }), "which_row"),
            (json!({ "table": "opportunity", "key": { "name": null } }), "wrong_key"),
        ] {
            assert_eq!(call(&connection, "get_row", input, false).await.unwrap_err().code, code);
        }
    }

    #[tokio::test]
    async fn a_missing_row_and_a_wrong_id_are_refused() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let connection = open(&stub);
        let error = call(&connection, "get_row", json!({ "table": "opportunity", "id": ID }), false).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "0x80040217"));
        let error =
            call(&connection, "get_row", json!({ "table": "opportunity", "id": "1" }), false).await.unwrap_err();
        assert_eq!(error.code, "not_a_guid");
    }
}
