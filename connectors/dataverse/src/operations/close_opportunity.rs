use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Change, Effect, JsonSchema, Operation, Prediction, Write};
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};
use uuid::Uuid;

use crate::connection::Dataverse;
use crate::preview;
use crate::row::Row;
use crate::values::assign::bind;

/// States of an opportunity that is closed.
const WON: i64 = 1;
const LOST: i64 = 2;

/// Which opportunity is won.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WinOpportunityInput {
    /// The opportunity's identifier, a GUID.
    pub id: String,
    /// Subject of the closing activity.
    #[serde(default)]
    pub subject: Option<String>,
    /// Revenue in fact made.
    #[serde(default)]
    #[schemars(with = "Option<f64>")]
    pub actual_revenue: Option<Number>,
    /// Description of the closing activity.
    #[serde(default)]
    pub description: Option<String>,
}

/// Closes an opportunity as won.
#[derive(Debug)]
pub struct WinOpportunity;

impl Operation for WinOpportunity {
    type Connection = Dataverse;
    type Input = WinOpportunityInput;
    type Output = Row;

    const NAME: &'static str = "win_opportunity";
    const TITLE: &'static str = "Close an opportunity as won";
    const DESCRIPTION: &'static str = "Closes an opportunity as won and gives it back as it then is.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{ "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "actual_revenue": 90000 }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Row, CallError> {
        Closing::won(input)?.close(dataverse, context).await
    }
}

impl Write for WinOpportunity {
    const FINDS_OUT: &'static str = FINDS_OUT;

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<Row>, CallError> {
        Closing::won(input)?.predict(dataverse, context).await
    }
}

/// Which opportunity is lost.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoseOpportunityInput {
    /// The opportunity's identifier, a GUID.
    pub id: String,
    /// 4 for cancelled, 5 for sold by someone else.
    #[serde(default = "cancelled")]
    #[schemars(range(min = 4, max = 5))]
    pub status: u8,
    /// Subject of the closing activity.
    #[serde(default)]
    pub subject: Option<String>,
    /// Description of the closing activity.
    #[serde(default)]
    pub description: Option<String>,
}

fn cancelled() -> u8 {
    4
}

/// Closes an opportunity as lost.
#[derive(Debug)]
pub struct LoseOpportunity;

impl Operation for LoseOpportunity {
    type Connection = Dataverse;
    type Input = LoseOpportunityInput;
    type Output = Row;

    const NAME: &'static str = "lose_opportunity";
    const TITLE: &'static str = "Close an opportunity as lost";
    const DESCRIPTION: &'static str = "Closes an opportunity as lost and gives it back as it then is.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str =
        r#"{ "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "status": 5, "description": "Lost on price" }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<Row, CallError> {
        Closing::lost(input)?.close(dataverse, context).await
    }
}

impl Write for LoseOpportunity {
    const FINDS_OUT: &'static str = FINDS_OUT;

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<Row>, CallError> {
        Closing::lost(input)?.predict(dataverse, context).await
    }
}

const FINDS_OUT: &str =
    "The opportunity is read; that its state is the wanted one is what an earlier attempt brought about.";

/// Closing goes by an action of its own: a closed opportunity's state cannot be set like a column (Web API, WinOpportunity
/// and LoseOpportunity).
struct Closing {
    action: &'static str,
    id: Uuid,
    state: i64,
    status: u8,
    activity: Map<String, Value>,
}

impl Closing {
    fn won(input: WinOpportunityInput) -> Result<Self, CallError> {
        let id = guid("id", &input.id)?;
        let more = [
            ("actualrevenue", input.actual_revenue.map(Value::Number)),
            ("description", input.description.map(Value::String)),
        ];
        let activity = activity(id, input.subject.as_deref().unwrap_or("Won"), more);
        Ok(Self { action: "WinOpportunity", id, state: WON, status: 3, activity })
    }

    fn lost(input: LoseOpportunityInput) -> Result<Self, CallError> {
        let id = guid("id", &input.id)?;
        if !matches!(input.status, 4 | 5) {
            return Err(CallError::rejected(
                "wrong_status",
                format!("`status` is {}; expected 4 (cancelled) or 5 (sold by someone else)", input.status),
            ));
        }
        let more = [("description", input.description.map(Value::String))];
        let activity = activity(id, input.subject.as_deref().unwrap_or("Lost"), more);
        Ok(Self { action: "LoseOpportunity", id, state: LOST, status: input.status, activity })
    }

    fn is_done(&self, row: &Map<String, Value>) -> bool {
        row.get("statecode").and_then(Value::as_i64) == Some(self.state)
    }

    async fn close(self, dataverse: &Dataverse, context: &CallContext) -> Result<Row, CallError> {
        let head = dataverse.head("opportunity", context).await?;
        let address = head.row(self.id);
        if context.may_have_run {
            let row = dataverse.read_existing_row(&head, &address, None, context).await?;
            if self.is_done(&row) {
                return Ok(Row::from_wire(&row));
            }
        }
        let body = json!({ "Status": self.status, "OpportunityClose": self.activity });
        dataverse.send(dataverse.client.post(&[self.action]).json(body), context).await?;
        let row = dataverse.read_existing_row(&head, &address, None, context).await.map_err(CallError::after_write)?;
        Ok(Row::from_wire(&row))
    }

    async fn predict(self, dataverse: &Dataverse, context: &CallContext) -> Result<Prediction<Row>, CallError> {
        let head = dataverse.head("opportunity", context).await?;
        let row = dataverse.read_existing_row(&head, &head.row(self.id), None, context).await?;
        if self.is_done(&row) {
            return Ok(Prediction::unchanged(Row::from_wire(&row)));
        }
        let mut after = row.clone();
        after.insert("statecode".to_owned(), json!(self.state));
        after.insert("statuscode".to_owned(), json!(self.status));
        if let Some(revenue) = self.activity.get("actualrevenue") {
            after.insert("actualvalue".to_owned(), revenue.clone());
        }
        let mut closed = preview::between(&head, self.id, &row, &after, context);
        let activity = self.activity.into_iter().filter(|(column, new)| !column.contains('@') && new != "");
        closed.changes.extend(activity.map(|(field, new)| Change {
            record: "new opportunityclose".to_owned(),
            field,
            old: Value::Null,
            new,
        }));
        Ok(closed)
    }
}

/// The closing activity.
fn activity(
    id: Uuid,
    subject: &str,
    more: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Map<String, Value> {
    let mut activity = Map::new();
    activity.insert("subject".to_owned(), json!(subject));
    activity.insert("opportunityid@odata.bind".to_owned(), bind("opportunities", id));
    activity.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    activity
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{API, ID, call, open, path, script_metadata, stored, writes};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    fn in_state(state: i64) -> Reply {
        let mut row = stored();
        row["statecode"] = json!(state);
        Reply::json(200, row)
    }

    #[tokio::test]
    async fn winning_and_losing_are_actions() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        for action in ["WinOpportunity", "LoseOpportunity"] {
            stub.on("POST", &format!("{API}/{action}"), [Reply::empty(204)]);
        }
        stub.on("GET", &path(ID), [in_state(1)]);
        let connection = open(&stub);
        let row =
            call(&connection, "win_opportunity", json!({ "id": ID, "actual_revenue": 90.5 }), false).await.unwrap();
        assert_eq!(row["statecode"], 1);
        call(
            &connection,
            "lose_opportunity",
            json!({ "id": ID, "status": 5, "subject": "s", "description": "d" }),
            false,
        )
        .await
        .unwrap();
        let bound = format!("/opportunities({ID})");
        let sent: Vec<_> = writes(&stub).iter().map(|seen| seen.json()).collect();
        assert_eq!(
            sent,
            [
                json!({ "Status": 3, "OpportunityClose": { "subject": "Won", "opportunityid@odata.bind": bound, "actualrevenue": 90.5 } }),
                json!({ "Status": 5, "OpportunityClose": { "subject": "s", "opportunityid@odata.bind": bound, "description": "d" } }),
            ]
        );
        let error = call(&connection, "lose_opportunity", json!({ "id": ID, "status": 3 }), false).await.unwrap_err();
        assert_eq!(error.code, "wrong_status");
    }

    #[tokio::test]
    async fn after_a_lost_answer_the_state_decides() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", &format!("{API}/WinOpportunity"), [Reply::hang_up(), Reply::empty(204)]);
        stub.on("GET", &path(ID), [in_state(0), in_state(1)]);
        let connection = open(&stub);
        let input = json!({ "id": ID });
        let error = call(&connection, "win_opportunity", input.clone(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
        call(&connection, "win_opportunity", input.clone(), true).await.unwrap();
        assert_eq!(writes(&stub).len(), 2, "it was still open");
        call(&connection, "win_opportunity", input, true).await.unwrap();
        assert_eq!(writes(&stub).len(), 2, "it is won");
    }
}
