//! Events that are to become runs: safe before their sender is told that they arrived, and there until their run has ended.

use std::sync::{Arc, Mutex, PoisonError};

use cosell_model::{FlowId, Value};
use cosell_runtime::inbox::{Arrival, Entry, Inbox, Position, Taken, Waiting};
use cosell_runtime::keep::NotKept;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::keeper::text;
use crate::{Journal, Reader};

impl Inbox for Journal {
    fn outlives(&self) -> bool {
        true
    }

    fn receive(&self, arrivals: Vec<Arrival>, position: Option<Position>) -> BoxFuture<'static, Taken> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let rows: Vec<_> = arrivals
            .into_iter()
            .map(|arrival| (text(&arrival.entry.payload), text(&arrival.entry.inputs), arrival))
            .collect();
        let position = position.map(|position| (position.of, text(&position.at)));
        let received = Timestamp::now().as_microsecond();
        let work = {
            let told = Arc::clone(&told);
            move |change: &Transaction<'_>| {
                let mut insert = change.prepare_cached(
                    "INSERT OR IGNORE INTO inbox (flow, dedup, run, key, payload, inputs, received, state, reason)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?;
                let mut numbers = Vec::with_capacity(rows.len());
                for (payload, inputs, Arrival { entry, dedup, unusable }) in &rows {
                    let state = if unusable.is_some() { 2 } else { 0 };
                    let (flow, run, key) = (entry.flow.as_str(), &entry.run, &entry.key);
                    let row = params![flow, dedup, run, key, payload, inputs, received, state, unusable];
                    let is_new = insert.execute(row)? == 1;
                    numbers.push(is_new.then(|| change.last_insert_rowid().cast_unsigned()));
                }
                if let Some((of, position)) = &position {
                    change
                        .prepare_cached("INSERT OR REPLACE INTO positions (of, position) VALUES (?1, ?2)")?
                        .execute([of, position])?;
                }
                *told.lock().unwrap_or_else(PoisonError::into_inner) = numbers;
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

    fn waiting(&self, most: usize) -> Result<Vec<Waiting>, NotKept> {
        self.reader().entries(
            "SELECT entry, flow, run, key, payload, inputs FROM inbox WHERE state = 0 ORDER BY entry LIMIT ?1",
            most,
        )
    }

    fn begun(&self) -> Result<Vec<Waiting>, NotKept> {
        self.reader().entries(
            // In this order: few runs are under way, and the inbox is long.
            "SELECT i.entry, i.flow, i.run, i.key, i.payload, i.inputs FROM runs r CROSS JOIN inbox i ON i.run = r.run
             WHERE r.run = r.root AND r.ended IS NULL ORDER BY i.entry LIMIT ?1",
            usize::MAX,
        )
    }

    fn over(&self, run: &str) -> Result<Option<Waiting>, NotKept> {
        self.reader().ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT i.entry, i.flow, i.run, i.key, i.payload, i.inputs FROM inbox i JOIN runs r ON r.run = i.run
                 WHERE i.run = ?1 AND r.ended IS NOT NULL",
            )?;
            select.query_row([run], waiting).optional()
        })
    }

    fn discard(&self, run: &str, reason: &str) -> BoxFuture<'static, Result<bool, NotKept>> {
        let told = Arc::new(Mutex::new(false));
        let (run, reason) = (run.to_owned(), reason.to_owned());
        let work = {
            let told = Arc::clone(&told);
            move |change: &Transaction<'_>| {
                let changed = change.execute(
                    "UPDATE inbox SET state = 2, reason = ?2 WHERE run = ?1 AND state = 0
                     AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run = ?1)",
                    [&run, &reason],
                )?;
                *told.lock().unwrap_or_else(PoisonError::into_inner) = changed == 1;
                Ok(())
            }
        };
        let written = self.writer().written(Box::new(work));
        async move {
            written.await?;
            Ok(*told.lock().unwrap_or_else(PoisonError::into_inner))
        }
        .boxed()
    }

    fn collapsed(&self, runs: Vec<String>, into: &str) {
        let reason = into.to_owned();
        let work = move |change: &Transaction<'_>| {
            let mut update = change.prepare_cached("UPDATE inbox SET state = 3, reason = ?2 WHERE run = ?1")?;
            runs.iter().try_for_each(|run| update.execute([run, &reason]).map(drop))
        };
        self.writer().write(into.to_owned(), Box::new(work));
    }

    fn position(&self, of: &str) -> Result<Option<Value>, NotKept> {
        self.reader().ask(|connection| {
            let mut select = connection.prepare_cached("SELECT position FROM positions WHERE of = ?1")?;
            let position: Option<String> = select.query_row([of], |row| row.get(0)).optional()?;
            Ok(position.and_then(|text| serde_json::from_str(&text).ok()))
        })
    }
}

impl Reader {
    fn entries(&self, select: &str, most: usize) -> Result<Vec<Waiting>, NotKept> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| connection.prepare_cached(select)?.query_map([most], waiting)?.collect())
    }
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    let (flow, payload, inputs): (String, String, String) = (row.get(1)?, row.get(4)?, row.get(5)?);
    let value = |text: &str| serde_json::from_str(text).unwrap_or_default();
    Ok(Waiting {
        number: row.get::<_, i64>(0)?.cast_unsigned(),
        entry: Entry {
            flow: FlowId::new(flow.as_str()),
            run: row.get(2)?,
            key: row.get(3)?,
            payload: value(&payload),
            inputs: value(&inputs),
        },
    })
}
