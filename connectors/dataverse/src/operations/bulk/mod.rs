//! Many rows of one table by one message (Web API, bulk operation messages). This file says what is taken and given;
//! `work` does it.

mod work;

use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::connection::Dataverse;
use work::Bulk;

/// The rows written.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WrittenRows {
    /// Their identifiers in the order given; null where the row was given by an alternate key.
    pub ids: Vec<Option<String>>,
    /// How many of them this attempt sent.
    pub sent: usize,
}

/// Rows to create.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRowsInput {
    /// The table, by logical name or entity set name.
    pub table: String,
    /// The rows: each its values by the columns' logical names, written as for create_row. Up to 1000.
    #[schemars(length(min = 1, max = 1000))]
    pub rows: Vec<Map<String, Value>>,
}

/// A row to change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowUpdate {
    /// The row's identifier, a GUID.
    pub id: String,
    /// New values by the columns' logical names, written as for create_row.
    pub values: Map<String, Value>,
}

/// Rows to change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRowsInput {
    /// The table, by logical name or entity set name.
    pub table: String,
    /// The rows. Up to 1000.
    #[schemars(length(min = 1, max = 1000))]
    pub rows: Vec<RowUpdate>,
}

/// A row to create or change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowUpsert {
    /// The row's identifier, a GUID. Give this or `key`.
    #[serde(default)]
    pub id: Option<String>,
    /// The values of the columns of an alternate key.
    #[serde(default)]
    pub key: Option<Map<String, Value>>,
    /// Values by the columns' logical names, written as for create_row.
    pub values: Map<String, Value>,
}

/// Rows to create or change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpsertRowsInput {
    /// The table, by logical name or entity set name.
    pub table: String,
    /// The rows. Up to 1000.
    #[schemars(length(min = 1, max = 1000))]
    pub rows: Vec<RowUpsert>,
}

/// Create many rows.
#[derive(Debug)]
pub struct CreateRows;

impl Operation for CreateRows {
    type Connection = Dataverse;
    type Input = CreateRowsInput;
    type Output = WrittenRows;

    const NAME: &'static str = "create_rows";
    const TITLE: &'static str = "Create many rows";
    const DESCRIPTION: &'static str =
        "Creates rows of one table by one message: all of them or, in tables of the standard kind, none.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "table": "opportunity", "rows": [{ "name": "Deal" }, { "name": "Another deal" }]
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<WrittenRows, CallError> {
        Bulk::create(dataverse, input, context).await?.write(dataverse, context).await
    }
}

impl Write for CreateRows {
    const FINDS_OUT: &'static str = "The new rows' identifiers are derived from the call's idempotency key, and those that exist are not sent again.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<WrittenRows>, CallError> {
        Bulk::create(dataverse, input, context).await?.predict(dataverse, context).await
    }
}

/// Update many rows.
#[derive(Debug)]
pub struct UpdateRows;

impl Operation for UpdateRows {
    type Connection = Dataverse;
    type Input = UpdateRowsInput;
    type Output = WrittenRows;

    const NAME: &'static str = "update_rows";
    const TITLE: &'static str = "Update many rows";
    const DESCRIPTION: &'static str =
        "Changes rows of one table by one message: all of them or, in tables of the standard kind, none.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "table": "opportunity",
        "rows": [{ "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "values": { "estimatedvalue": 91000 } }]
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<WrittenRows, CallError> {
        Bulk::update(dataverse, input, context).await?.write(dataverse, context).await
    }
}

impl Write for UpdateRows {
    const FINDS_OUT: &'static str = "The rows are read, and those that are as wanted are not sent again.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<WrittenRows>, CallError> {
        Bulk::update(dataverse, input, context).await?.predict(dataverse, context).await
    }
}

/// Create or update many rows.
#[derive(Debug)]
pub struct UpsertRows;

impl Operation for UpsertRows {
    type Connection = Dataverse;
    type Input = UpsertRowsInput;
    type Output = WrittenRows;

    const NAME: &'static str = "upsert_rows";
    const TITLE: &'static str = "Create or update many rows";
    const DESCRIPTION: &'static str = "Creates rows of one table, or changes those that exist, by one message.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "table": "opportunity", "rows": [{ "key": { "name": "Deal" }, "values": { "estimatedvalue": 91000 } }]
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<WrittenRows, CallError> {
        Bulk::upsert(dataverse, input, context).await?.write(dataverse, context).await
    }
}

impl Write for UpsertRows {
    const FINDS_OUT: &'static str = "The rows are read, and those that are as wanted are not sent again.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<WrittenRows>, CallError> {
        Bulk::upsert(dataverse, input, context).await?.predict(dataverse, context).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{API, ID, KEY, SET, call, open, script_metadata, stored, writes};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;
    use uuid::Uuid;

    fn message(name: &str) -> String {
        format!("{SET}/Microsoft.Dynamics.CRM.{name}")
    }

    #[tokio::test]
    async fn rows_are_created_with_identifiers_of_ours_and_only_once() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", &message("CreateMultiple"), [Reply::hang_up(), Reply::json(200, json!({ "Ids": [] }))]);
        let ids = [0_usize, 1].map(|index| Uuid::new_v5(&KEY.parse().unwrap(), &index.to_be_bytes()).to_string());
        stub.on("GET", SET, [Reply::json(200, json!({ "value": [{ "opportunityid": ids[0] }] }))]);
        let connection = open(&stub);
        let input = json!({ "table": "opportunity", "rows": [{ "name": "a" }, { "name": "b" }] });
        let error = call(&connection, "create_rows", input.clone(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
        let output = call(&connection, "create_rows", input, true).await.unwrap();
        assert_eq!(output, json!({ "ids": ids, "sent": 1 }));
        let kind = "Microsoft.Dynamics.CRM.opportunity";
        let target = |id: &str, name: &str| json!({ "@odata.type": kind, "opportunityid": id, "name": name });
        assert_eq!(writes(&stub)[0].json(), json!({ "Targets": [target(&ids[0], "a"), target(&ids[1], "b")] }));
        assert_eq!(writes(&stub)[1].json(), json!({ "Targets": [target(&ids[1], "b")] }));
    }

    #[tokio::test]
    async fn what_is_as_wanted_is_not_sent_again() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", SET, [Reply::json(200, json!({ "value": [stored()] }))]);
        stub.on("GET", &format!("{API}/opportunities(name='Deal')"), [Reply::json(200, stored())]);
        let connection = open(&stub);
        let values = json!({ "estimatedvalue": 5000 });
        let update = json!({ "table": "opportunity", "rows": [{ "id": ID, "values": values }] });
        assert_eq!(call(&connection, "update_rows", update, true).await.unwrap(), json!({ "ids": [ID], "sent": 0 }));
        let upsert = json!({ "table": "opportunity", "rows": [{ "key": { "name": "Deal" }, "values": values }] });
        assert_eq!(call(&connection, "upsert_rows", upsert, true).await.unwrap(), json!({ "ids": [null], "sent": 0 }));
        assert!(writes(&stub).is_empty());
    }

    #[tokio::test]
    async fn rows_with_an_alternate_key_are_sent_with_its_address() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", &message("UpsertMultiple"), [Reply::empty(204)]);
        let rows = json!([{ "key": { "name": "Deal" }, "values": { "estimatedvalue": 1 } }]);
        call(&open(&stub), "upsert_rows", json!({ "table": "opportunity", "rows": rows }), false).await.unwrap();
        let target = &writes(&stub)[0].json()["Targets"][0];
        assert_eq!(
            (&target["@odata.id"], &target["estimatedvalue"]),
            (&json!("opportunities(name='Deal')"), &json!(1))
        );
    }

    #[tokio::test]
    async fn none_and_too_many_are_refused() {
        let stub = Stub::start().await;
        let connection = open(&stub);
        for rows in [json!([]), json!(vec![json!({}); 1001])] {
            let input = json!({ "table": "opportunity", "rows": rows });
            assert_eq!(call(&connection, "create_rows", input, false).await.unwrap_err().code, "wrong_number_of_rows");
        }
    }
}
