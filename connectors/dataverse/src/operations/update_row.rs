use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::connection::Dataverse;
use crate::preview;
use crate::row::Row;
use crate::values::assign::{Write as Kind, assignments, body};
use crate::values::cut::cut;

/// What to change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRowInput {
    /// The table, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The row's identifier, a GUID.
    pub id: String,
    /// New values by the columns' logical names, written as for create_row; null empties a column.
    #[schemars(extend("x-names" = "changed_columns"))]
    pub values: Map<String, Value>,
    /// Columns whose texts are cut to the column's length; the last character then is `…`. A text elsewhere that is too
    /// long is refused.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub cut: Vec<String>,
    /// The row's `etag`: change it only if it is still this version.
    #[serde(default)]
    pub if_match: Option<String>,
}

/// The row after the change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedRow {
    /// The row as it is now.
    pub row: Row,
    /// Whether anything was sent; false where the row already was as wanted.
    pub changed: bool,
}

/// Changes an existing row; never makes one.
#[derive(Debug)]
pub struct UpdateRow;

impl Operation for UpdateRow {
    type Connection = Dataverse;
    type Input = UpdateRowInput;
    type Output = UpdatedRow;

    const NAME: &'static str = "update_row";
    const TITLE: &'static str = "Update a row";
    const DESCRIPTION: &'static str = "Changes columns of an existing row. One that does not exist is refused.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{ "table": "opportunity", "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "values": { "estimatedvalue": 91000 } }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<UpdatedRow, CallError> {
        let id = guid("id", &input.id)?;
        let table = dataverse.table(&input.table, context).await?;
        let head = &table.head;
        let values = cut(dataverse, &table, &input.values, &input.cut, context).await?;
        let mut assignments = assignments(dataverse, &table, &values, Kind::Update, context).await?;
        if context.may_have_run || assignments.is_empty() {
            let row = dataverse.read_existing_row(head, &head.row(id), None, context).await?;
            assignments.retain(|assignment| !assignment.is_done(&row));
            if assignments.is_empty() {
                return Ok(UpdatedRow { row: Row::from_wire(&row), changed: false });
            }
        }
        // Without If-Match a PATCH of a row that is gone would make it anew (Web API, conditional operations).
        let request = dataverse
            .client
            .patch(&[&head.row(id)])
            .header("if-match", input.if_match.as_deref().unwrap_or("*"))
            .json(Value::Object(body(&assignments)));
        let row = dataverse.write_row(request, head, &head.row(id), context).await?.row;
        Ok(UpdatedRow { row: Row::from_wire(&row), changed: true })
    }
}

impl Write for UpdateRow {
    const FINDS_OUT: &'static str = "The row is read, and only columns that differ are sent.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<UpdatedRow>, CallError> {
        let id = guid("id", &input.id)?;
        let table = dataverse.table(&input.table, context).await?;
        let values = cut(dataverse, &table, &input.values, &input.cut, context).await?;
        let assignments = assignments(dataverse, &table, &values, Kind::Update, context).await?;
        let row = dataverse.read_existing_row(&table.head, &table.head.row(id), None, context).await?;
        let changed = preview::change(&table.head, id, &row, &assignments, context);
        let is_changed = !changed.changes.is_empty();
        Ok(changed.map(|row| UpdatedRow { row, changed: is_changed }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, call, open, path, script_metadata, stored, writes};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    fn input(values: Value) -> Value {
        json!({ "table": "opportunity", "id": ID, "values": values })
    }

    #[tokio::test]
    async fn only_an_existing_row_is_changed() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let gone = json!({ "error": { "code": "0x80040217", "message": "opportunity Does Not Exist" } });
        stub.on("PATCH", &path(ID), [Reply::json(200, stored()), Reply::json(404, gone)]);
        let connection = open(&stub);
        let output = call(&connection, "update_row", input(json!({ "name": "New" })), false).await.unwrap();
        assert_eq!((&output["changed"], &output["row"]["name"]), (&json!(true), &json!("Deal")));
        let seen = &writes(&stub)[0];
        assert_eq!(seen.header("if-match"), Some("*"));
        assert_eq!(seen.json(), json!({ "name": "New" }));
        let error = call(&connection, "update_row", input(json!({ "name": "New" })), false).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "0x80040217"));
    }

    #[tokio::test]
    async fn a_version_may_be_demanded() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let other =
            json!({ "error": { "code": "0x80060882", "message": "The version of the existing record doesn't match" } });
        stub.on("PATCH", &path(ID), [Reply::json(412, other)]);
        let mut input = input(json!({ "name": "New" }));
        input["if_match"] = json!("W/\"468026\"");
        let error = call(&open(&stub), "update_row", input, false).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Conflict, "0x80060882"));
        assert_eq!(writes(&stub)[0].header("if-match"), Some("W/\"468026\""));
    }

    #[tokio::test]
    async fn after_a_lost_answer_only_what_differs_is_sent() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        stub.on("PATCH", &path(ID), [Reply::hang_up(), Reply::json(200, stored())]);
        let connection = open(&stub);
        let as_stored = json!({
            "name": "Deal", "estimatedvalue": "5000", "customerid": { "account": ID.to_uppercase() },
            "opportunityratingcode": "warm", "estimatedclosedate": "2027-01-29", "description": null
        });
        let mut values = as_stored.clone();
        values["customerid"] = json!(null);
        let error = call(&connection, "update_row", input(values.clone()), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
        call(&connection, "update_row", input(values), true).await.unwrap();
        assert_eq!(writes(&stub)[1].json(), json!({ "customerid_account@odata.bind": null }));

        let output = call(&connection, "update_row", input(as_stored), true).await.unwrap();
        assert_eq!((&output["changed"], writes(&stub).len()), (&json!(false), 2));
    }

    #[tokio::test]
    async fn no_values_write_nothing() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        let output = call(&open(&stub), "update_row", input(json!({})), false).await.unwrap();
        assert_eq!((&output["changed"], writes(&stub).len()), (&json!(false), 0));
    }
}
