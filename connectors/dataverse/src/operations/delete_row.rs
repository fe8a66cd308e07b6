use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};

use crate::connection::{Dataverse, missing};

/// Which row to delete.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRowInput {
    /// The table, by logical name or entity set name.
    pub table: String,
    /// The row's identifier, a GUID.
    pub id: String,
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

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<DeletedRow, CallError> {
        let id = guid("id", &input.id)?;
        let head = dataverse.head(&input.table, context).await?;
        let request = dataverse.client.delete(&[&format!("{}({id})", head.set_name)]).allow(404);
        let response = dataverse.send(request, context).await?;
        // That it is gone is what an earlier attempt of this call would have brought about.
        if response.status == 404 && !context.may_have_run {
            return Err(missing(&head.logical_name, id));
        }
        Ok(DeletedRow { id: id.to_string() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, call, open, path, script_metadata};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn a_row_that_is_gone_already_is_done_only_after_an_earlier_attempt() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("DELETE", &path(ID), [Reply::empty(204), Reply::empty(404)]);
        let connection = open(&stub);
        let input = json!({ "table": "opportunities", "id": ID });
        assert_eq!(call(&connection, "delete_row", input.clone(), false).await.unwrap(), json!({ "id": ID }));
        assert_eq!(call(&connection, "delete_row", input.clone(), true).await.unwrap(), json!({ "id": ID }));
        assert_eq!(call(&connection, "delete_row", input, false).await.unwrap_err().code, "0x80040217");
    }
}
