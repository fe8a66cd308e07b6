use std::collections::HashMap;
use std::sync::Arc;

use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Prediction};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{CreateRowsInput, UpdateRowsInput, UpsertRowsInput, WrittenRows};
use crate::connection::Dataverse;
use crate::metadata::{Head, Table};
use crate::preview;
use crate::search::id_of;
use crate::values::assign::{Assignment, Write as Kind, assignments, body};
use crate::values::key::RowKey;

/// How many rows one message takes, as Microsoft advises (Web API, bulk operation messages).
const MOST: usize = 1000;
/// How many rows are asked for at a time, to keep addresses short.
const AT_A_TIME: usize = 25;

/// Which row one is, and what it is to hold.
struct Wanted {
    id: Option<Uuid>,
    /// Its address, which an alternate key has too.
    address: String,
    /// The alternate key, where it is known by one.
    key: Option<Map<String, Value>>,
    assignments: Vec<Assignment>,
}

/// Rows of one table to be written by one message.
pub(super) struct Bulk {
    table: Arc<Table>,
    message: &'static str,
    rows: Vec<Wanted>,
}

impl Bulk {
    pub(super) async fn create(
        dataverse: &Dataverse,
        input: CreateRowsInput,
        context: &CallContext,
    ) -> Result<Self, CallError> {
        check_count(input.rows.len())?;
        let table = dataverse.table(&input.table, context).await?;
        let mut rows = Vec::new();
        for (index, values) in input.rows.iter().enumerate() {
            // The same in every attempt, so that rows are found again and none is made twice.
            let id = Uuid::new_v5(&context.idempotency_key, &index.to_be_bytes());
            let assignments = assignments(dataverse, &table, values, Kind::Create, context).await?;
            rows.push(Wanted { id: Some(id), address: table.head.row(id), key: None, assignments });
        }
        Ok(Self { table, message: "CreateMultiple", rows })
    }

    pub(super) async fn update(
        dataverse: &Dataverse,
        input: UpdateRowsInput,
        context: &CallContext,
    ) -> Result<Self, CallError> {
        check_count(input.rows.len())?;
        let ids: Vec<Uuid> = input.rows.iter().map(|row| guid("rows.id", &row.id)).collect::<Result<_, _>>()?;
        let table = dataverse.table(&input.table, context).await?;
        let mut rows = Vec::new();
        for (row, id) in input.rows.iter().zip(ids) {
            let assignments = assignments(dataverse, &table, &row.values, Kind::Update, context).await?;
            rows.push(Wanted { id: Some(id), address: table.head.row(id), key: None, assignments });
        }
        Ok(Self { table, message: "UpdateMultiple", rows })
    }

    pub(super) async fn upsert(
        dataverse: &Dataverse,
        input: UpsertRowsInput,
        context: &CallContext,
    ) -> Result<Self, CallError> {
        check_count(input.rows.len())?;
        let keys: Vec<RowKey<'_>> =
            input.rows.iter().map(|row| RowKey::new(row.id.as_deref(), row.key.as_ref())).collect::<Result<_, _>>()?;
        let table = dataverse.table(&input.table, context).await?;
        let mut rows = Vec::new();
        for (row, key) in input.rows.iter().zip(keys) {
            let assignments = assignments(dataverse, &table, &row.values, Kind::Update, context).await?;
            let id = if let RowKey::Id(id) = key { Some(id) } else { None };
            rows.push(Wanted { id, address: key.address(&table)?, key: row.key.clone(), assignments });
        }
        Ok(Self { table, message: "UpsertMultiple", rows })
    }

    fn head(&self) -> &Head {
        &self.table.head
    }

    /// The rows that exist, by address.
    async fn existing(
        &self,
        dataverse: &Dataverse,
        context: &CallContext,
    ) -> Result<HashMap<String, Map<String, Value>>, CallError> {
        let (head, mut found) = (self.head(), HashMap::new());
        let ids: Vec<Uuid> = self.rows.iter().filter_map(|row| row.id).collect();
        for some in ids.chunks(AT_A_TIME) {
            let terms: Vec<String> = some.iter().map(|id| format!("{} eq {id}", head.primary_id)).collect();
            let request = dataverse.client.get(&[&head.set_name]).query("$filter", &terms.join(" or "));
            for row in dataverse.read_page(request, false, None, context).await?.value {
                let id = row.get(&head.primary_id).and_then(Value::as_str).and_then(|id| id.parse().ok());
                if let Some(id) = id {
                    found.insert(head.row(id), row);
                }
            }
            for address in some.iter().map(|id| head.row(*id)) {
                match context.foreseen(&address) {
                    Some(Some(Value::Object(row))) => drop(found.insert(address, row)),
                    Some(_) => drop(found.remove(&address)),
                    None => {}
                }
            }
        }
        for row in &self.rows {
            let Some(key) = &row.key else { continue };
            let which = RowKey::Alternate(key);
            if let Some(read) = dataverse.read_by(&self.table, &which, (None, None), context).await? {
                found.insert(row.address.clone(), read);
            }
        }
        Ok(found)
    }

    /// Those that are not as wanted yet.
    fn outstanding(&self, found: &HashMap<String, Map<String, Value>>) -> Vec<&Wanted> {
        let is_done = |row: &&Wanted| {
            let Some(found) = found.get(&row.address) else { return false };
            // A row that was created may have been changed since.
            self.message == "CreateMultiple" || row.assignments.iter().all(|assignment| assignment.is_done(found))
        };
        self.rows.iter().filter(|row| !is_done(row)).collect()
    }

    pub(super) async fn write(&self, dataverse: &Dataverse, context: &CallContext) -> Result<WrittenRows, CallError> {
        let outstanding = if context.may_have_run {
            self.outstanding(&self.existing(dataverse, context).await?)
        } else {
            self.rows.iter().collect()
        };
        if !outstanding.is_empty() {
            let targets: Vec<Value> = outstanding.iter().map(|row| Value::Object(self.target(row))).collect();
            let message = format!("Microsoft.Dynamics.CRM.{}", self.message);
            let request = dataverse.client.post(&[&self.head().set_name, &message]);
            dataverse.send(request.json(json!({ "Targets": targets })), context).await?;
        }
        Ok(self.written(outstanding.len()))
    }

    fn target(&self, row: &Wanted) -> Map<String, Value> {
        let mut target = Map::new();
        target.insert("@odata.type".to_owned(), json!(format!("Microsoft.Dynamics.CRM.{}", self.head().logical_name)));
        match row.id {
            Some(id) => target.insert(self.head().primary_id.clone(), json!(id)),
            None => target.insert("@odata.id".to_owned(), json!(row.address)),
        };
        target.extend(body(&row.assignments));
        target
    }

    fn written(&self, sent: usize) -> WrittenRows {
        WrittenRows { ids: self.rows.iter().map(|row| row.id.map(|id| id.to_string())).collect(), sent }
    }

    pub(super) async fn predict(
        &self,
        dataverse: &Dataverse,
        context: &CallContext,
    ) -> Result<Prediction<WrittenRows>, CallError> {
        let found = self.existing(dataverse, context).await?;
        let outstanding = self.outstanding(&found);
        let mut changes = Vec::new();
        for row in &outstanding {
            let seen = found.get(&row.address);
            // A row that is known by a key alone would get an identifier from Dataverse.
            let of_key = || Uuid::new_v5(&context.idempotency_key, row.address.as_bytes());
            let known = || row.id.or_else(|| id_of(self.head(), seen?));
            let id = known().unwrap_or_else(of_key);
            let told = match (seen, &row.key) {
                (Some(seen), _) => preview::change(self.head(), id, seen, &row.assignments, context),
                (None, Some(key)) => {
                    let mut wanted = row.assignments.clone();
                    wanted.extend(assignments(dataverse, &self.table, key, Kind::Update, context).await?);
                    preview::creation(&self.table, id, &wanted, context)
                }
                (None, None) => preview::creation(&self.table, id, &row.assignments, context),
            };
            changes.extend(told.changes);
        }
        Ok(Prediction { record: self.written(outstanding.len()), changes })
    }
}

fn check_count(count: usize) -> Result<(), CallError> {
    if (1..=MOST).contains(&count) {
        return Ok(());
    }
    Err(CallError::rejected(
        "wrong_number_of_rows",
        format!("`rows` has {count} rows; expected 1 to {MOST}: take them apart by a loop"),
    ))
}
