//! Events that are to become runs: safe before their sender is told that they arrived, and there until their run has ended.

use std::sync::{Arc, Mutex, PoisonError};

use cosell_model::{FlowId, Value};
use cosell_runtime::dispatch::{Arrival, Entry, Inbox};
use cosell_runtime::keep::NotKept;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::keeper::text;
use crate::{Journal, Reader};

impl Inbox for Journal {
    fn receive(
        &self,
        arrivals: Vec<Arrival>,
        position: Option<(FlowId, Value)>,
    ) -> BoxFuture<'static, Result<Vec<bool>, NotKept>> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let rows: Vec<_> = arrivals.into_iter().map(|arrival| (text(&arrival.entry.payload), arrival)).collect();
        let position = position.map(|(flow, position)| (flow, text(&position)));
        let received = Timestamp::now().as_microsecond();
        let work = {
            let told = Arc::clone(&told);
            move |change: &Transaction<'_>| {
                let mut insert = change.prepare_cached(
                    "INSERT OR IGNORE INTO inbox (flow, dedup, run, key, payload, received, state, reason)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?;
                let mut new = Vec::with_capacity(rows.len());
                for (payload, Arrival { entry, dedup, unusable }) in &rows {
                    let state = if unusable.is_some() { 2 } else { 0 };
                    let flow = entry.flow.as_str();
                    let row = params![flow, dedup, entry.run, entry.key, payload, received, state, unusable];
                    new.push(insert.execute(row)? == 1);
                }
                if let Some((flow, position)) = &position {
                    change
                        .prepare_cached("INSERT OR REPLACE INTO positions (flow, position) VALUES (?1, ?2)")?
                        .execute([flow.as_str(), position])?;
                }
                *told.lock().unwrap_or_else(PoisonError::into_inner) = new;
                Ok(())
            }
        };
        let written = self.writer().written(Box::new(work));
        async move {
            written.await?;
            Ok(std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner)))
        }
        .boxed()
    }

    fn open(&self) -> Result<Vec<Entry>, NotKept> {
        self.reader().open_entries()
    }

    fn position(&self, flow: &FlowId) -> Result<Option<Value>, NotKept> {
        self.reader().ask(|connection| {
            let mut select = connection.prepare_cached("SELECT position FROM positions WHERE flow = ?1")?;
            let position: Option<String> = select.query_row([flow.as_str()], |row| row.get(0)).optional()?;
            Ok(position.and_then(|text| serde_json::from_str(&text).ok()))
        })
    }
}

impl Reader {
    /// What waits or is under way, in order of arrival: runs begun otherwise, then events.
    fn open_entries(&self) -> Result<Vec<Entry>, NotKept> {
        self.ask(|connection| {
            let mut select =
                connection.prepare("SELECT flow, run, key, payload FROM inbox WHERE state = 0 ORDER BY entry")?;
            let entries = select.query_map([], |row| {
                let (flow, payload): (String, String) = (row.get(0)?, row.get(3)?);
                Ok(Entry {
                    flow: FlowId::new(flow.as_str()),
                    run: row.get(1)?,
                    key: row.get(2)?,
                    payload: serde_json::from_str(&payload).unwrap_or_default(),
                })
            })?;
            let mut entries = entries.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut select = connection.prepare(
                "SELECT flow, run, key, trigger FROM runs WHERE run = root AND ended IS NULL
                 AND run NOT IN (SELECT run FROM inbox WHERE state = 0) ORDER BY began, run",
            )?;
            let begun = select.query_map([], |row| {
                let (flow, trigger): (String, String) = (row.get(0)?, row.get(3)?);
                Ok(Entry {
                    flow: FlowId::new(flow.as_str()),
                    run: row.get(1)?,
                    key: row.get(2)?,
                    payload: serde_json::from_str(&trigger).unwrap_or_default(),
                })
            })?;
            let mut all = begun.collect::<rusqlite::Result<Vec<_>>>()?;
            all.append(&mut entries);
            Ok(all)
        })
    }
}
