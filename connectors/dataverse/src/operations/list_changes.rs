use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};

use crate::connection::Dataverse;
use crate::foresee;
use crate::row_changed::{RowChangedPayload, RowChangedWith, payload, read_all, read_changes};

/// Which changes to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListChangesInput {
    /// The table, by logical name or entity set name. Change tracking must be on for it.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The columns to read, by logical name; all when not given.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub select: Option<Vec<String>>,
    /// Since when: the `next` of an earlier reading. Without it all rows are read, as they are.
    #[serde(default)]
    pub since: Option<String>,
}

/// Changes read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changes {
    /// The rows that changed, each once and as it is now, in no promised order.
    pub changes: Vec<RowChangedPayload>,
    /// Where to go on: give it as `since` next time. It is good for seven days, unless the environment says otherwise.
    pub next: String,
}

/// Reads what changed in a table (Web API, change tracking).
#[derive(Debug)]
pub struct ListChanges;

impl Operation for ListChanges {
    type Connection = Dataverse;
    type Input = ListChangesInput;
    type Output = Changes;

    const NAME: &'static str = "list_changes";
    const TITLE: &'static str = "List changed rows";
    const DESCRIPTION: &'static str =
        "Reads which rows of a table were saved or deleted since an earlier reading. One too long ago is refused.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{ "table": "opportunity", "select": ["name"] }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Changes, CallError> {
        let table = dataverse.table(&input.table, context).await?;
        foresee::all_left_aside("Dataverse tracks what was changed", context);
        let (rows, next) = match input.since {
            Some(link) => read_changes(dataverse, &link, context).await?,
            None => {
                let with = RowChangedWith { table: input.table, select: input.select };
                read_all(dataverse, &table, &with, context).await?
            }
        };
        Ok(Changes { changes: rows.iter().filter_map(|row| payload(&table, row)).collect(), next })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, KEY, SET, call, open, script_metadata, stored};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    #[tokio::test]
    async fn all_rows_first_then_what_changed() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let page = |rows: Vec<Value>, token: u8| {
            let link = format!("{}{SET}?$deltatoken={token}", stub.origin());
            Reply::json(200, json!({ "value": rows, "@odata.deltaLink": link }))
        };
        let deleted = json!({ "@odata.context": "https://x/$metadata#opportunities/$deletedEntity", "id": KEY, "reason": "deleted" });
        stub.on("GET", SET, [page(vec![stored()], 1), page(vec![deleted], 2)]);
        let connection = open(&stub);
        let first = call(&connection, "list_changes", json!({ "table": "opportunity" }), false).await.unwrap();
        assert_eq!((&first["changes"][0]["id"], &first["changes"][0]["row"]["name"]), (&json!(ID), &json!("Deal")));
        let since = json!({ "table": "opportunity", "since": first["next"] });
        let second = call(&connection, "list_changes", since, false).await.unwrap();
        assert_eq!(second["changes"], json!([{ "table": "opportunity", "id": KEY, "change": "deleted", "row": null }]));
        let away = json!({ "table": "opportunity", "since": "https://elsewhere.example/x" });
        assert_eq!(call(&connection, "list_changes", away, false).await.unwrap_err().code, "foreign_link");
    }
}
