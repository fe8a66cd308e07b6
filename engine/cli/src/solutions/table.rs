//! The catalogue in the CRM: the table that holds it, its rows, and writing them.

use std::time::Duration;

use cosell_model::flow::{Backoff, Retry};
use cosell_sdk::{CallContext, CallError, Connection, Connector, Meaning};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Solution;
use super::rows::Limits;
use crate::Trouble;
use crate::project::Project;

/// The connection that is used.
const CONNECTION: &str = "dataverse";

/// The variables that name the table, and its columns of id, name and type.
const TABLE: &str = "solution_details_table";
const COLUMNS: [&str; 3] = ["solution_detail_id_column", "solution_detail_name_column", "solution_detail_type_column"];

/// The table of the catalogue.
pub(super) struct Table {
    connection: Connection,
    retry: Retry,
    name: String,
    /// Its columns of id, name and type.
    pub(super) columns: [String; 3],
    /// Its column of the row's identifier.
    primary_id: String,
    /// How long its texts may be.
    pub(super) limits: Limits,
}

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// The row's identifier.
    pub(super) key: String,
    /// Its version.
    etag: Option<String>,
    /// What it says.
    pub(super) solution: Solution,
}

/// A write of one row.
pub(super) struct RowWrite(Value);

impl Table {
    /// Looks the table up.
    ///
    /// # Errors
    /// A connection that is not configured, a table or column that does not exist or holds no text.
    pub(super) async fn open(project: &Project, connectors: &[Connector]) -> Result<Self, Failure> {
        let connection = project.open(CONNECTION, connectors)?;
        let name = variable(project, TABLE)?;
        let columns = [variable(project, COLUMNS[0])?, variable(project, COLUMNS[1])?, variable(project, COLUMNS[2])?];
        let (primary_id, limits) = (String::new(), [None; 3]);
        let mut table = Self { connection, retry: project.retry(), name, columns, primary_id, limits };
        let described = match table.call("get_metadata", &json!({ "table": table.name })).await {
            Err(error) if error.code == "unknown_table" => {
                return Err(Trouble::new(format!("{}\nhelp: set the variable `{TABLE}`", error.message)).into());
            }
            described => described?,
        };
        table.primary_id = described["primary_id"].as_str().unwrap_or_default().to_owned();
        for (which, (column, variable)) in table.columns.iter().zip(COLUMNS).enumerate() {
            let known = described["columns"].as_array().into_iter().flatten().find(|known| known["name"] == *column);
            let wrong = match known {
                None => "does not exist",
                Some(known) if known["kind"] != "text" => "holds no text",
                Some(known) if known["creatable"] == false || known["updatable"] == false => "cannot be written",
                Some(known) => {
                    let most = known["max_length"].as_u64().and_then(|most| usize::try_from(most).ok());
                    table.limits[which] = most;
                    continue;
                }
            };
            return Err(Trouble::new(format!(
                "the column `{column}` of the table `{}` {wrong}\nhelp: set the variable `{variable}`",
                table.name
            ))
            .into());
        }
        Ok(table)
    }

    /// All its rows, by solution id; those without one are left out.
    pub(super) async fn rows(&self) -> Result<Vec<Stored>, Failure> {
        let [id, name, kind] = &self.columns;
        let listed = self.call("list_rows", &json!({ "table": self.name, "select": [id, name, kind] })).await?;
        let stored = |row: &Value| {
            let text = |name: &str| row[name].as_str().map(str::to_owned);
            let name = text(name).unwrap_or_default();
            let solution = Solution { id: text(id)?, name, kind: text(kind) };
            Some(Stored { key: text(&self.primary_id)?, etag: text("etag"), solution })
        };
        let mut rows: Vec<Stored> = listed["rows"].as_array().into_iter().flatten().filter_map(stored).collect();
        rows.sort_by(|a, b| a.solution.id.cmp(&b.solution.id));
        Ok(rows)
    }

    /// A new row.
    pub(super) fn creation(&self, values: Map<String, Value>) -> RowWrite {
        RowWrite(json!({ "create": { "table": self.name, "values": values } }))
    }

    /// A change of a row, if nobody changes it in between.
    pub(super) fn change(&self, row: &Stored, values: Map<String, Value>) -> RowWrite {
        let update = json!({ "table": self.name, "id": row.key, "values": values, "if_match": row.etag });
        RowWrite(json!({ "update": update }))
    }

    /// Writes rows in one transaction.
    pub(super) async fn write(&self, writes: &[RowWrite]) -> Result<(), Failure> {
        let writes: Vec<&Value> = writes.iter().map(|write| &write.0).collect();
        Ok(self.call("run_batch", &json!({ "writes": writes })).await.map(drop)?)
    }

    /// Calls an operation, again where that may help, as often as the configuration says.
    async fn call(&self, operation: &str, input: &Value) -> Result<Value, CallError> {
        let (key, mut may_have_run, mut retry) = (Uuid::now_v7(), false, 0);
        loop {
            let context = CallContext::new(key, may_have_run);
            let error = match self.connection.call(operation, input.clone(), context).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let asked = match error.meaning {
                Meaning::Retry { after } => after,
                Meaning::OutcomeUnknown => None,
                Meaning::SignIn | Meaning::Conflict | Meaning::Rejected => return Err(error),
            };
            if retry >= self.retry.count {
                return Err(error);
            }
            may_have_run |= error.meaning == Meaning::OutcomeUnknown;
            tokio::time::sleep(pause(&self.retry, retry).max(asked.unwrap_or_default())).await;
            retry += 1;
        }
    }
}

/// The wait after attempt `retry`, counted from 0. One program waits here, so nothing is left to chance.
fn pause(retry: &Retry, number: u32) -> Duration {
    let pause = match retry.backoff {
        Backoff::Fixed => retry.interval,
        Backoff::Exponential => retry.interval.saturating_mul(2_u32.saturating_pow(number)),
    };
    pause.clamp(retry.minimum, retry.maximum.max(retry.minimum))
}

/// Why the catalogue could not be read or written.
pub(super) enum Failure {
    /// It could not be tried.
    Trouble(Trouble),
    /// It was tried, and failed.
    Call(CallError),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

fn variable(project: &Project, name: &str) -> Result<String, Trouble> {
    let value = project.compilation.variables.get(name).and_then(|variable| variable.current.as_str());
    value.map(str::to_owned).ok_or_else(|| Trouble::new(format!("the variable `{name}` has no value; set it")))
}
