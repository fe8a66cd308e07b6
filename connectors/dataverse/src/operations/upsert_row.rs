use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::connection::Dataverse;
use crate::preview;
use crate::row::Row;
use crate::values::assign::{Write as Kind, assignments, body};
use crate::values::cut::cut;
use crate::values::key::RowKey;

/// What to create or change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpsertRowInput {
    /// The table, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The row's identifier, a GUID. Give this or `key`.
    #[serde(default)]
    pub id: Option<String>,
    /// The values of the columns of an alternate key, such as `{ accountnumber: A }`; a new row gets them too.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub key: Option<Map<String, Value>>,
    /// Values by the columns' logical names, written as for create_row.
    #[schemars(extend("x-names" = "changed_columns"))]
    pub values: Map<String, Value>,
    /// Columns whose texts are cut to the column's length; the last character then is `…`. A text elsewhere that is too
    /// long is refused.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub cut: Vec<String>,
}

/// The row after it was created or changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpsertedRow {
    /// The row as it is now.
    pub row: Row,
    /// Whether this attempt created it.
    pub created: bool,
    /// Whether anything was sent; false where the row already was as wanted.
    pub changed: bool,
}

/// Creates a row, or changes it where it exists.
#[derive(Debug)]
pub struct UpsertRow;

impl Operation for UpsertRow {
    type Connection = Dataverse;
    type Input = UpsertRowInput;
    type Output = UpsertedRow;

    const NAME: &'static str = "upsert_row";
    const TITLE: &'static str = "Create or update a row";
    const DESCRIPTION: &'static str =
        "Creates the row with an identifier or an alternate key, or changes it where it exists.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "table": "opportunity", "key": { "name": "Deal" }, "values": { "estimatedvalue": 91000 }
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<UpsertedRow, CallError> {
        let which = RowKey::new(input.id.as_deref(), input.key.as_ref())?;
        let table = dataverse.table(&input.table, context).await?;
        let (head, address) = (&table.head, which.address(&table)?);
        let values = cut(dataverse, &table, &input.values, &input.cut, context).await?;
        let mut assignments = assignments(dataverse, &table, &values, Kind::Update, context).await?;
        if context.may_have_run
            && let Some(row) = dataverse.read_row(&address, None, context).await?
        {
            assignments.retain(|assignment| !assignment.is_done(&row));
            if assignments.is_empty() {
                return Ok(UpsertedRow { row: Row::from_wire(&row), created: false, changed: false });
            }
        }
        // Without If-Match or If-None-Match a PATCH does either (Web API, upsert a table row).
        let request = dataverse.client.patch(&[&address]).json(Value::Object(body(&assignments)));
        let written = dataverse.write_row(request, head, &address, context).await?;
        Ok(UpsertedRow { row: Row::from_wire(&written.row), created: written.created, changed: true })
    }
}

impl Write for UpsertRow {
    const FINDS_OUT: &'static str = "The row is read, and only columns that differ are sent.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<UpsertedRow>, CallError> {
        let which = RowKey::new(input.id.as_deref(), input.key.as_ref())?;
        let table = dataverse.table(&input.table, context).await?;
        let head = &table.head;
        let values = cut(dataverse, &table, &input.values, &input.cut, context).await?;
        let mut wanted = assignments(dataverse, &table, &values, Kind::Update, context).await?;
        if let Some(row) = dataverse.read_by(&table, &which, (None, None), context).await? {
            let id = row.get(&head.primary_id).and_then(Value::as_str).and_then(|id| id.parse().ok());
            let prediction = preview::change(head, id.unwrap_or_default(), &row, &wanted, context);
            let changed = !prediction.changes.is_empty();
            return Ok(prediction.map(|row| UpsertedRow { row, created: false, changed }));
        }
        let id = match which {
            RowKey::Id(id) => id,
            RowKey::Alternate(key) => {
                wanted.extend(assignments(dataverse, &table, key, Kind::Update, context).await?);
                context.idempotency_key
            }
        };
        Ok(preview::creation(&table, id, &wanted, context).map(|row| UpsertedRow { row, created: true, changed: true }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{API, ID, KEY, call, open, path, script_metadata, stored, writes};
    use cosell_sdk::stub::{Reply, Stub};
    use cosell_sdk::{CallContext, Meaning};
    use serde_json::{Value, json};

    fn by_key() -> String {
        format!("{API}/opportunities(name='Deal')")
    }

    fn input() -> Value {
        json!({ "table": "opportunity", "key": { "name": "Deal" }, "values": { "estimatedvalue": 5000 } })
    }

    #[tokio::test]
    async fn the_status_tells_whether_the_row_is_new() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("PATCH", &by_key(), [Reply::json(201, stored()), Reply::json(200, stored())]);
        stub.on("PATCH", &path(ID), [Reply::json(200, stored())]);
        let connection = open(&stub);
        for created in [true, false] {
            let output = call(&connection, "upsert_row", input(), false).await.unwrap();
            assert_eq!((&output["created"], &output["changed"]), (&json!(created), &json!(true)));
        }
        let by_id = json!({ "table": "opportunity", "id": ID, "values": { "name": "x" } });
        call(&connection, "upsert_row", by_id, false).await.unwrap();
        let seen = writes(&stub);
        assert_eq!((seen[0].header("if-match"), seen[0].json()), (None, json!({ "estimatedvalue": 5000 })));
        assert_eq!(seen[2].line(), format!("PATCH {}", path(ID)));
    }

    #[tokio::test]
    async fn after_a_lost_answer_only_what_differs_is_sent() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("PATCH", &by_key(), [Reply::hang_up(), Reply::json(201, stored())]);
        stub.on("GET", &by_key(), [Reply::empty(404), Reply::json(200, stored())]);
        let connection = open(&stub);
        let error = call(&connection, "upsert_row", input(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
        assert_eq!(call(&connection, "upsert_row", input(), true).await.unwrap()["created"], true);
        assert_eq!(call(&connection, "upsert_row", input(), true).await.unwrap()["changed"], false);
        assert_eq!(writes(&stub).len(), 2);
    }

    #[tokio::test]
    async fn a_preview_tells_creating_from_changing() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", &by_key(), [Reply::empty(404), Reply::json(200, stored())]);
        let connection = open(&stub);
        let context = || CallContext::new(KEY.parse().unwrap(), false);
        let made = connection.predict("upsert_row", input(), context()).await.unwrap();
        assert_eq!((&made.record["created"], &made.record["row"]["name"]), (&json!(true), &json!("Deal")));
        let same = connection.predict("upsert_row", input(), context()).await.unwrap();
        assert_eq!((&same.record["changed"], same.changes.len()), (&json!(false), 0));
    }
}
