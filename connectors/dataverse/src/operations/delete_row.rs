use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};

use crate::connection::{Dataverse, missing};
use crate::preview;

/// Which row to delete.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRowInput {
    /// The table, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The row's identifier, a GUID.
    pub id: String,
    /// The row's `etag`: delete it only if it is still this version.
    #[serde(default)]
    pub if_match: Option<String>,
}

/// The row that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeletedRow {
    /// Its identifier.
    pub id: String,
}

/// Deletes a row.
#[derive(Debug)]
pub struct DeleteRow;

impl Operation for DeleteRow {
    type Connection = Dataverse;
    type Input = DeleteRowInput;
    type Output = DeletedRow;

    const NAME: &'static str = "delete_row";
    const TITLE: &'static str = "Delete a row";
    const DESCRIPTION: &'static str = "Deletes a row. One that does not exist is refused.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{ "table": "opportunity", "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10" }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<DeletedRow, CallError> {
        let id = guid("id", &input.id)?;
        let head = dataverse.head(&input.table, context).await?;
        if context.may_have_run && dataverse.read_row(&head.row(id), Some(&head.primary_id), context).await?.is_none() {
            return Ok(DeletedRow { id: id.to_string() });
        }
        let mut request = dataverse.client.delete(&[&head.row(id)]).allow(404);
        if let Some(version) = input.if_match {
            request = request.header("if-match", version);
        }
        let response = dataverse.send(request, context).await?;
        // That it is gone is what an earlier attempt of this call would have brought about.
        if response.status == 404 && !context.may_have_run {
            return Err(missing(&head.logical_name, &head.row(id)));
        }
        Ok(DeletedRow { id: id.to_string() })
    }
}

impl Write for DeleteRow {
    const FINDS_OUT: &'static str = "The row is looked for; that it is gone is what an earlier attempt brought about.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<DeletedRow>, CallError> {
        let id = guid("id", &input.id)?;
        let head = dataverse.head(&input.table, context).await?;
        let row = dataverse.read_existing_row(&head, &head.row(id), None, context).await?;
        let changes = vec![preview::deletion(&head, id, &row, context)];
        Ok(Prediction { record: DeletedRow { id: id.to_string() }, changes })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, call, open, path, script_metadata, stored, writes};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn a_row_that_is_gone_already_is_done_only_after_an_earlier_attempt() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("DELETE", &path(ID), [Reply::empty(204), Reply::empty(204), Reply::empty(404)]);
        stub.on("GET", &path(ID), [Reply::empty(404), Reply::json(200, stored())]);
        let connection = open(&stub);
        let input = json!({ "table": "opportunities", "id": ID });
        assert_eq!(call(&connection, "delete_row", input.clone(), false).await.unwrap(), json!({ "id": ID }));
        for deleted in [1, 2] {
            assert_eq!(call(&connection, "delete_row", input.clone(), true).await.unwrap(), json!({ "id": ID }));
            assert_eq!(writes(&stub).len(), deleted, "only what is still there is deleted");
        }
        assert_eq!(call(&connection, "delete_row", input, false).await.unwrap_err().code, "0x80040217");
    }
}
