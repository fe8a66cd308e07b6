use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::connection::Dataverse;
use crate::preview;
use crate::row::Row;
use crate::values::assign::{Write as Kind, assignments, body};
use crate::values::cut::cut;

/// DuplicateRecord, "A record with matching key values already exists."
const DUPLICATE: &str = "0x80040237";

/// What to create.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRowInput {
    /// The table, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// Values by the columns' logical names. A lookup is `{ table, id }`, `{ account: id }` for a row of the table
    /// account, `{ account: { accountnumber: A } }` for the one row with these values, or a plain identifier where it can
    /// refer to one table only; a choice is its number or its label.
    #[schemars(extend("x-names" = "new_columns"))]
    pub values: Map<String, Value>,
    /// Columns whose texts are cut to the column's length; the last character then is `…`. A text elsewhere that is too
    /// long is refused.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub cut: Vec<String>,
}

/// Creates a row. Its identifier is the call's idempotency key, so the same call can make only one row.
#[derive(Debug)]
pub struct CreateRow;

impl Operation for CreateRow {
    type Connection = Dataverse;
    type Input = CreateRowInput;
    type Output = Row;

    const NAME: &'static str = "create_row";
    const TITLE: &'static str = "Create a row";
    const DESCRIPTION: &'static str = "Creates a row and gives it back as Dataverse stored it.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "table": "opportunity",
        "values": { "name": "Deal", "estimatedvalue": 84000, "customerid": { "account": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10" }, "opportunityratingcode": "Hot" }
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Row, CallError> {
        let table = dataverse.table(&input.table, context).await?;
        let (head, id) = (&table.head, context.idempotency_key);
        let values = cut(dataverse, &table, &input.values, &input.cut, context).await?;
        let assignments = assignments(dataverse, &table, &values, Kind::Create, context).await?;
        if context.may_have_run
            && let Some(made) = dataverse.read_row(&head.row(id), None, context).await?
        {
            return Ok(Row::from_wire(&made));
        }
        let mut body = body(&assignments);
        body.insert(head.primary_id.clone(), Value::String(id.to_string()));
        let request = dataverse.client.post(&[&head.set_name]).json(Value::Object(body));
        match dataverse.write_row(request, head, &head.row(id), context).await {
            Ok(written) => Ok(Row::from_wire(&written.row)),
            // Either an attempt of ours came through late, or another key of the row is taken.
            Err(error) if error.code == DUPLICATE => {
                let made = dataverse.read_row(&head.row(id), None, context).await.map_err(CallError::after_write)?;
                made.map(|row| Row::from_wire(&row)).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }
}

impl Write for CreateRow {
    const FINDS_OUT: &'static str = "The new row's identifier is the call's idempotency key, and is looked for.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<Row>, CallError> {
        let table = dataverse.table(&input.table, context).await?;
        let values = cut(dataverse, &table, &input.values, &input.cut, context).await?;
        let assignments = assignments(dataverse, &table, &values, Kind::Create, context).await?;
        Ok(preview::creation(&table, context.idempotency_key, &assignments, context))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, KEY, SET, call, open, path, script_metadata, stored, writes};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    fn input() -> Value {
        json!({ "table": "opportunities", "values": { "name": "Deal", "customerid": { "account": ID } } })
    }

    fn duplicate() -> Reply {
        Reply::json(
            412,
            json!({ "error": { "code": "0x80040237", "message": "A record with matching key values already exists." } }),
        )
    }

    #[tokio::test]
    async fn the_key_is_the_id() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", SET, [Reply::json(201, stored())]);
        let row = call(&open(&stub), "create_row", input(), false).await.unwrap();
        assert_eq!(row["name"], "Deal");
        let seen = &writes(&stub)[0];
        assert_eq!(
            seen.json(),
            json!({ "name": "Deal", "customerid_account@odata.bind": format!("/accounts({ID})"), "opportunityid": KEY })
        );
        assert_eq!(seen.header("prefer"), Some("return=representation,odata.include-annotations=\"*\""));
    }

    #[tokio::test]
    async fn after_a_lost_answer_the_row_is_looked_for() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", SET, [Reply::hang_up(), Reply::json(201, stored())]);
        stub.on("GET", &path(KEY), [Reply::empty(404), Reply::json(200, stored())]);
        let connection = open(&stub);
        let error = call(&connection, "create_row", input(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
        // It had not come through: it is made now. Then it is there.
        for _ in 0..2 {
            assert_eq!(call(&connection, "create_row", input(), true).await.unwrap()["name"], "Deal");
        }
        assert_eq!(writes(&stub).len(), 2);
    }

    #[tokio::test]
    async fn a_duplicate_of_our_own_is_the_row_and_any_other_a_conflict() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", SET, [duplicate()]);
        stub.on("GET", &path(KEY), [Reply::json(200, stored()), Reply::empty(404)]);
        let connection = open(&stub);
        assert_eq!(call(&connection, "create_row", input(), false).await.unwrap()["name"], "Deal");
        let error = call(&connection, "create_row", input(), false).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Conflict, "0x80040237"));
    }

    #[tokio::test]
    async fn without_a_body_in_the_answer_the_row_is_read() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", SET, [Reply::empty(204)]);
        stub.on("GET", &path(KEY), [Reply::json(200, stored()), Reply::empty(503)]);
        let connection = open(&stub);
        assert_eq!(call(&connection, "create_row", input(), false).await.unwrap()["name"], "Deal");
        let error = call(&connection, "create_row", input(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
    }
}
