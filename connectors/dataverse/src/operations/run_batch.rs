use std::fmt::Write as _;
use std::sync::Arc;

use cosell_sdk::http::{Failure, Method, meaning, normalise_code};
use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Meaning, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CreateRowInput, DeleteRowInput, UpdateRowInput};
use crate::connection::{API, Dataverse};
use crate::metadata::{Head, Table};
use crate::preview;
use crate::values::assign::{Assignment, Write as Kind, assignments, body};
use crate::values::cut::cut;

/// How many requests a batch takes (Web API, execute batch operations).
const MOST: usize = 1000;

/// One write of the batch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BatchWrite {
    /// Creates a row.
    Create(CreateRowInput),
    /// Changes an existing row.
    Update(UpdateRowInput),
    /// Deletes a row.
    Delete(DeleteRowInput),
}

/// What to write.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunBatchInput {
    /// The writes, in their order: `{ create: … }`, `{ update: … }` or `{ delete: … }`, each with what create_row,
    /// update_row and delete_row take. Up to 1000.
    #[schemars(length(min = 1, max = 1000))]
    pub writes: Vec<BatchWrite>,
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BatchRun {
    /// The identifier of each write's row, in the order given.
    pub ids: Vec<String>,
    /// Whether anything was sent; false where an earlier attempt had done it.
    pub changed: bool,
}

/// One write, understood.
struct Part {
    head: Head,
    id: Uuid,
    what: What,
    if_match: Option<String>,
}

enum What {
    Create(Arc<Table>, Vec<Assignment>),
    Update(Vec<Assignment>),
    Delete,
}

impl Part {
    async fn new(
        dataverse: &Dataverse,
        write: BatchWrite,
        index: usize,
        context: &CallContext,
    ) -> Result<Self, CallError> {
        match write {
            BatchWrite::Create(input) => {
                let table = dataverse.table(&input.table, context).await?;
                let values = cut(dataverse, &table, &input.values, &input.cut, context).await?;
                let wanted = assignments(dataverse, &table, &values, Kind::Create, context).await?;
                let id = Uuid::new_v5(&context.idempotency_key, &index.to_be_bytes());
                Ok(Self { head: table.head.clone(), id, what: What::Create(table, wanted), if_match: None })
            }
            BatchWrite::Update(input) => {
                let id = guid("id", &input.id)?;
                let table = dataverse.table(&input.table, context).await?;
                let values = cut(dataverse, &table, &input.values, &input.cut, context).await?;
                let wanted = assignments(dataverse, &table, &values, Kind::Update, context).await?;
                let version = input.if_match.or_else(|| Some("*".to_owned()));
                Ok(Self { head: table.head.clone(), id, what: What::Update(wanted), if_match: version })
            }
            BatchWrite::Delete(input) => {
                let id = guid("id", &input.id)?;
                let head = (*dataverse.head(&input.table, context).await?).clone();
                Ok(Self { head, id, what: What::Delete, if_match: input.if_match })
            }
        }
    }

    /// Method, address and body.
    fn request(&self) -> (Method, String, Option<Value>) {
        match &self.what {
            What::Create(_, wanted) => {
                let mut body = body(wanted);
                body.insert(self.head.primary_id.clone(), json!(self.id));
                (Method::POST, self.head.set_name.clone(), Some(Value::Object(body)))
            }
            What::Update(wanted) => (Method::PATCH, self.head.row(self.id), Some(Value::Object(body(wanted)))),
            What::Delete => (Method::DELETE, self.head.row(self.id), None),
        }
    }

    async fn is_done(&self, dataverse: &Dataverse, context: &CallContext) -> Result<bool, CallError> {
        let row = dataverse.read_row(&self.head.row(self.id), None, context).await?;
        Ok(match (&self.what, row) {
            (What::Create(..), row) => row.is_some(),
            (What::Update(wanted), Some(row)) => wanted.iter().all(|assignment| assignment.is_done(&row)),
            (What::Update(_), None) => false,
            (What::Delete, row) => row.is_none(),
        })
    }
}

async fn parts(dataverse: &Dataverse, input: RunBatchInput, context: &CallContext) -> Result<Vec<Part>, CallError> {
    if !(1..=MOST).contains(&input.writes.len()) {
        return Err(CallError::rejected(
            "wrong_number_of_writes",
            format!("`writes` has {} writes; expected 1 to {MOST}", input.writes.len()),
        ));
    }
    let mut parts = Vec::new();
    for (index, write) in input.writes.into_iter().enumerate() {
        parts.push(Part::new(dataverse, write, index, context).await?);
    }
    Ok(parts)
}

/// Whether an earlier attempt did it all. A change set is one transaction, so one row that it created is proof enough;
/// without one, every write must show.
async fn is_done(parts: &[Part], dataverse: &Dataverse, context: &CallContext) -> Result<bool, CallError> {
    if let Some(created) = parts.iter().find(|part| matches!(part.what, What::Create(..))) {
        return created.is_done(dataverse, context).await;
    }
    for part in parts {
        if !part.is_done(dataverse, context).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes several rows in one transaction.
#[derive(Debug)]
pub struct RunBatch;

impl Operation for RunBatch {
    type Connection = Dataverse;
    type Input = RunBatchInput;
    type Output = BatchRun;

    const NAME: &'static str = "run_batch";
    const TITLE: &'static str = "Write several rows at once";
    const DESCRIPTION: &'static str =
        "Creates, changes and deletes rows, also of several tables, in one transaction: all of it happens, or nothing.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "writes": [
            { "create": { "table": "opportunity", "values": { "name": "Deal" } } },
            { "update": { "table": "opportunity", "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "values": { "name": "Old deal" } } }
        ]
    }"#;

    async fn call(dataverse: &Dataverse, input: Self::Input, context: &CallContext) -> Result<BatchRun, CallError> {
        let parts = parts(dataverse, input, context).await?;
        let ids = parts.iter().map(|part| part.id.to_string()).collect();
        if context.may_have_run && is_done(&parts, dataverse, context).await? {
            return Ok(BatchRun { ids, changed: false });
        }
        let (batch, body) = compose(&parts, context.idempotency_key);
        let request = dataverse.client.post(&["$batch"]);
        let request = request.body(format!("multipart/mixed; boundary={batch}"), body).allow(400);
        let response = dataverse.send(request, context).await?;
        read(&response.text(), parts.len())?;
        Ok(BatchRun { ids, changed: true })
    }
}

impl Write for RunBatch {
    const FINDS_OUT: &'static str = "The change set is one transaction: the first row that it creates is looked for under an identifier derived from the call's idempotency key; where it creates none, all rows are read and compared.";

    async fn predict(
        dataverse: &Dataverse,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<BatchRun>, CallError> {
        let parts = parts(dataverse, input, context).await?;
        let mut changes = Vec::new();
        for Part { head, id, what, .. } in &parts {
            match what {
                What::Create(table, wanted) => {
                    changes.extend(preview::creation(table, *id, wanted, context).changes);
                }
                What::Update(wanted) => {
                    let row = dataverse.read_existing_row(head, &head.row(*id), None, context).await?;
                    changes.extend(preview::change(head, *id, &row, wanted, context).changes);
                }
                What::Delete => {
                    let row = dataverse.read_existing_row(head, &head.row(*id), None, context).await?;
                    changes.push(preview::deletion(head, *id, &row, context));
                }
            }
        }
        let ids = parts.iter().map(|part| part.id.to_string()).collect();
        Ok(Prediction { record: BatchRun { ids, changed: !changes.is_empty() }, changes })
    }
}

/// The boundary and the body of a batch with one change set. Lines end in CRLF, and so does the last one.
fn compose(parts: &[Part], key: Uuid) -> (String, String) {
    let (batch, set) = (format!("batch_{key}"), format!("changeset_{key}"));
    let mut text = format!("--{batch}\r\nContent-Type: multipart/mixed; boundary={set}\r\n\r\n");
    for (index, part) in parts.iter().enumerate() {
        let (method, address, body) = part.request();
        let _ = write!(text, "--{set}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n");
        let _ = write!(text, "Content-ID: {}\r\n\r\n{method} {API}/{address} HTTP/1.1\r\n", index + 1);
        if let Some(version) = &part.if_match {
            let _ = write!(text, "If-Match: {version}\r\n");
        }
        if body.is_some() {
            text.push_str("Content-Type: application/json; type=entry\r\n");
        }
        let _ = write!(text, "\r\n{}\r\n", body.map(|body| body.to_string()).unwrap_or_default());
    }
    let _ = write!(text, "--{set}--\r\n\r\n--{batch}--\r\n");
    (batch, text)
}

/// Reads a batch's answer: each part begins with a status line of its own; a change set that failed is one part.
fn read(answer: &str, expected: usize) -> Result<(), CallError> {
    let mut succeeded = 0;
    for part in answer.split("HTTP/1.1 ").skip(1) {
        match part.get(..3).and_then(|status| status.parse::<u16>().ok()) {
            Some(200..=299) => succeeded += 1,
            Some(status) => return Err(refusal(status, part)),
            None => break,
        }
    }
    match succeeded {
        _ if succeeded == expected => Ok(()),
        // Refused as a whole, before any part was looked at.
        0 if answer.trim_start().starts_with('{') && answer.contains("\"error\"") => Err(refusal(400, answer)),
        // Garbled on the way: what is not read may have been done all the same.
        _ => Err(CallError::new(
            Meaning::OutcomeUnknown,
            "unreadable_answer",
            format!("Dataverse's answer to the batch shows {succeeded} of {expected} writes"),
        )),
    }
}

fn refusal(status: u16, part: &str) -> CallError {
    let body = part.find('{').zip(part.rfind('}')).and_then(|(start, end)| part.get(start..=end)).unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
    let code = text("code").map_or_else(|| format!("http_{status}"), |code| normalise_code(&code));
    let said = text("message").unwrap_or_else(|| "no message".to_owned());
    CallError::new(
        meaning(Effect::Write, Failure::Status(status), None),
        code,
        format!("Dataverse refused the batch, of which nothing was done, with {status}: {said}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{ID, KEY, call, open, path, script_metadata, stored, writes};
    use cosell_sdk::stub::{Reply, Stub};

    const BATCH: &str = "/api/data/v9.2/$batch";

    fn input() -> Value {
        json!({ "writes": [
            { "create": { "table": "opportunity", "values": { "name": "Deal" } } },
            { "update": { "table": "opportunity", "id": ID, "values": { "name": "Old" }, "if_match": "W/\"1\"" } },
            { "delete": { "table": "account", "id": ID } }
        ] })
    }

    fn answered(statuses: &[&str], body: &str) -> Reply {
        let parts: String = statuses
            .iter()
            .map(|status| format!("--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {status}\r\n\r\n{body}\r\n"))
            .collect();
        Reply::bytes(200, "multipart/mixed; boundary=x", format!("{parts}--x--\r\n"))
    }

    #[tokio::test]
    async fn one_change_set_with_a_part_for_each_write() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", BATCH, [answered(&["204 No Content"; 3], "")]);
        let output = call(&open(&stub), "run_batch", input(), false).await.unwrap();
        let made = Uuid::new_v5(&KEY.parse().unwrap(), &0_usize.to_be_bytes());
        assert_eq!(output, json!({ "ids": [made, ID, ID], "changed": true }));
        let seen = &writes(&stub)[0];
        let boundary = format!("batch_{KEY}");
        assert_eq!(seen.header("content-type"), Some(format!("multipart/mixed; boundary={boundary}").as_str()));
        for part in [
            format!("Content-ID: 1\r\n\r\nPOST {API}/opportunities HTTP/1.1\r\n"),
            format!("{{\"name\":\"Deal\",\"opportunityid\":\"{made}\"}}\r\n"),
            format!("PATCH {} HTTP/1.1\r\nIf-Match: W/\"1\"\r\n", path(ID)),
            format!("DELETE {API}/accounts({ID}) HTTP/1.1\r\n\r\n\r\n"),
            format!("--changeset_{KEY}--\r\n\r\n--{boundary}--\r\n"),
        ] {
            assert!(seen.body.contains(&part), "{part} is not in {}", seen.body);
        }
    }

    #[tokio::test]
    async fn a_failed_part_fails_it_all_with_its_own_code() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let error = r#"{"error":{"code":"0x80060882","message":"version"}}"#;
        let whole = Reply::json(400, json!({ "error": { "code": "0x80060888", "message": "bad" } }));
        stub.on("POST", BATCH, [answered(&["412 Precondition Failed"], error), whole, answered(&["204"], "")]);
        let connection = open(&stub);
        for (meaning, code) in [
            (Meaning::Conflict, "0x80060882"),
            (Meaning::Rejected, "0x80060888"),
            (Meaning::OutcomeUnknown, "unreadable_answer"),
        ] {
            let error = call(&connection, "run_batch", input(), false).await.unwrap_err();
            assert_eq!((error.meaning, error.code.as_str()), (meaning, code));
        }
    }

    #[tokio::test]
    async fn after_a_lost_answer_the_created_row_is_looked_for() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let made = Uuid::new_v5(&KEY.parse().unwrap(), &0_usize.to_be_bytes());
        stub.on("GET", &path(&made.to_string()), [Reply::json(200, stored())]);
        assert_eq!(call(&open(&stub), "run_batch", input(), true).await.unwrap()["changed"], false);
        assert!(writes(&stub).is_empty());
    }

    #[tokio::test]
    async fn without_a_created_row_every_write_must_show() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", BATCH, [answered(&["204"; 2], "")]);
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        let mut input = input();
        input["writes"].as_array_mut().unwrap().remove(0);
        let output = call(&open(&stub), "run_batch", input, true).await.unwrap();
        assert_eq!((&output["changed"], writes(&stub).len()), (&json!(true), 1));
    }
}
