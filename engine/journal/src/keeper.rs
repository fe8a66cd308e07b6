//! Runs as they are kept.

use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::core::event::Event;
use cosell_runtime::keep::{Began, ClaimChange, Keeper, Kept, NotKept, Past, Reserved, Turn, root};
use cosell_runtime::record::{RunRecord, StepRecord};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;

use crate::trouble::Trouble;
use crate::words::note_words;
use crate::{Journal, Reader};

/// As it is kept: JSON text. What our own types hold can always be written so.
pub(crate) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

impl Keeper for Journal {
    fn began(&self, run: Began) {
        let (trigger, inputs, skipped) = (text(&run.trigger), text(&run.inputs), text(&run.skipped));
        let plan = run.plan.cast_signed();
        let (of, run_id) = (root(&run.run).to_owned(), run.run.clone());
        let began = run.at.as_microsecond();
        let work = {
            let of = of.clone();
            move |change: &Transaction<'_>| {
                let mut insert = change.prepare_cached(
                    "INSERT INTO runs (run, root, flow, version, plan, key, trigger, inputs, left_out, life, skipped, began)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                     ON CONFLICT (run) DO UPDATE SET version = excluded.version, plan = excluded.plan,
                     life = excluded.life, skipped = excluded.skipped, ended = NULL, outcome = NULL, output = NULL, failure = NULL, answer = NULL
                     WHERE excluded.life > life",
                )?;
                let (flow, version, key) = (run.flow.as_str(), &run.version, &run.key);
                let (left_out, life) = (run.left_out, run.life);
                insert.execute(params![
                    run.run, of, flow, version, plan, key, trigger, inputs, left_out, life, skipped, began
                ])?;
                change
                    .prepare_cached("UPDATE inbox SET state = 0 WHERE run = ?1 AND state = 1")?
                    .execute([&run.run])?;
                run.key.as_ref().map_or(Ok(()), |key| note_key(change, &of, key))
            }
        };
        let outermost = of == run_id;
        self.writer().write(of, Box::new(work));
        if outermost {
            self.writer().later(Box::new(move |change| note_words(change, &run_id)));
        }
    }

    fn turned(&self, turn: Turn) {
        let Turn { run, life, number, event: Kept { event, hidden }, steps, claims } = turn;
        let event = text(&event);
        let steps = (!steps.is_empty()).then(|| text(&steps));
        let of = root(&run).to_owned();
        let work = {
            let of = of.clone();
            move |change: &Transaction<'_>| {
                change
                    .prepare_cached(
                        "INSERT INTO events (run, life, number, hidden, event, steps) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![run, life, number, hidden, event, steps])?;
                claims.iter().try_for_each(|claim| change_claim(change, &of, &run, claim))
            }
        };
        self.writer().write(of, Box::new(work));
    }

    fn ended(&self, run: &RunRecord) {
        let id = run.id.clone();
        let ended = Timestamp::now().as_microsecond();
        let outcome = run.outcome.as_str();
        let output = text(&run.output);
        let failure = run.failure.as_ref().map(text);
        let answer = run.answer.as_ref().map(text);
        let work = move |change: &Transaction<'_>| {
            change
                .prepare_cached(
                    "UPDATE runs SET ended = ?2, outcome = ?3, output = ?4, failure = ?5, answer = ?6 WHERE run = ?1",
                )?
                .execute(params![id, ended, outcome, output, failure, answer])?;
            // Also of what it called and gave up.
            change
                .prepare_cached("DELETE FROM claims WHERE run = ?1 OR (run > ?1 || '/' AND run < ?1 || '0')")?
                .execute([&id])?;
            change.prepare_cached("UPDATE inbox SET state = 1 WHERE run = ?1")?.execute([&id]).map(drop)
        };
        self.writer().write(root(&run.id).to_owned(), Box::new(work));
    }

    fn settled(&self, run: &str) -> BoxFuture<'static, Result<(), NotKept>> {
        self.writer().settled(root(run).to_owned())
    }

    fn settled_in_time(&self, run: &str) -> BoxFuture<'static, Result<(), NotKept>> {
        self.writer().settled_in_time(root(run).to_owned())
    }

    fn past(&self, run: &str) -> BoxFuture<'static, Result<Option<Past>, NotKept>> {
        let (journal, run) = (self.clone(), run.to_owned());
        // A called run goes on with its caller, and what of it is not written must not seem so.
        let ready = if root(&run) == run {
            self.writer().mended(run.clone())
        } else {
            self.writer().settled(root(&run).to_owned())
        };
        async move {
            ready.await?;
            journal.reader().past(&run)
        }
        .boxed()
    }

    fn answers(&self, run: &str) -> BoxFuture<'static, Result<Vec<StepRecord>, NotKept>> {
        std::future::ready(self.reader().answers(run)).boxed()
    }
}

impl Reader {
    /// What worked in earlier lives of a run, of steps that are not sensitive; the last of each step.
    fn answers(&self, run: &str) -> Result<Vec<StepRecord>, NotKept> {
        let steps: Vec<String> = self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT steps FROM events WHERE run = ?1 AND hidden = 0 AND steps IS NOT NULL ORDER BY life, number",
            )?;
            select.query_map([run], |row| row.get(0))?.collect()
        })?;
        let trouble = Trouble::new(&self.path);
        let read = |text: &String| serde_json::from_str(text).map_err(|error| trouble.unreadable(run, &error));
        let steps: Vec<Vec<StepRecord>> = steps.iter().map(read).collect::<Result<_, _>>()?;
        Ok(steps.into_iter().flatten().filter(|step| step.outcome == Outcome::Succeeded).collect())
    }
}

fn note_key(change: &Transaction<'_>, of: &str, key: &str) -> rusqlite::Result<()> {
    change
        .prepare_cached(
            "INSERT OR IGNORE INTO run_keys (key, began, run) SELECT ?2, began, run FROM runs WHERE run = ?1",
        )?
        .execute([of, key])
        .map(drop)
}

fn change_claim(change: &Transaction<'_>, of: &str, run: &str, claim: &ClaimChange) -> rusqlite::Result<()> {
    match claim {
        ClaimChange::Asked(path, keys) => {
            change
                .prepare_cached("INSERT INTO claims (run, path, keys, had) VALUES (?1, ?2, ?3, 0)")?
                .execute(params![run, path, text(keys)])?;
            keys.iter().try_for_each(|key| note_key(change, of, key))
        }
        ClaimChange::Had(path) => change
            .prepare_cached("UPDATE claims SET had = 1 WHERE run = ?1 AND path = ?2")?
            .execute([run, path])
            .map(drop),
        ClaimChange::Released(path) => {
            change.prepare_cached("DELETE FROM claims WHERE run = ?1 AND path = ?2")?.execute([run, path]).map(drop)
        }
    }
}

impl Journal {
    /// Keeps what a version of the flows is compiled from, as JSON, until no run needs it and another is kept after it.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn keep_version(&self, version: &str, source: &Value) -> Result<(), NotKept> {
        let (version, source, kept) = (version.to_owned(), text(source), Timestamp::now().as_microsecond());
        let work = move |change: &Transaction<'_>| {
            change
                .execute(
                    "INSERT OR REPLACE INTO versions (version, source, kept) VALUES (?1, ?2, ?3)",
                    params![version, source, kept],
                )
                .map(drop)
        };
        self.writer().written(Box::new(work)).await
    }
}

impl Reader {
    /// What is kept of a run; none where it never began.
    ///
    /// # Errors
    /// It cannot be read, or is not whole.
    pub fn past(&self, run: &str) -> Result<Option<Past>, NotKept> {
        let found = self.ask(|connection| {
            let mut select = connection
                .prepare_cached(
                    "SELECT flow, version, plan, key, trigger, inputs, began, left_out, life, skipped FROM runs WHERE run = ?1",
                )?;
            let began = select
                .query_row([run], |row| {
                    let (flow, plan): (String, i64) = (row.get(0)?, row.get(2)?);
                    let began = Began {
                        run: run.to_owned(),
                        flow: FlowId::new(flow.as_str()),
                        version: row.get(1)?,
                        plan: plan.cast_unsigned(),
                        key: row.get(3)?,
                        trigger: Value::Null,
                        inputs: Value::Null,
                        left_out: row.get(7)?,
                        life: row.get(8)?,
                        skipped: serde_json::from_str(&row.get::<_, String>(9)?).unwrap_or_default(),
                        at: time(row.get(6)?),
                    };
                    Ok((began, row.get::<_, String>(4)?, row.get::<_, String>(5)?))
                })
                .optional()?;
            let mut select =
                connection.prepare_cached(
                    "SELECT number, hidden, event FROM events WHERE run = ?1 AND life = ?2 ORDER BY number",
                )?;
            let life = began.as_ref().map_or(0, |(began, ..)| began.life);
            let events = select.query_map(params![run, life], |row| {
                Ok((row.get::<_, u32>(0)?, row.get::<_, bool>(1)?, row.get::<_, String>(2)?))
            })?;
            Ok((began, events.collect::<rusqlite::Result<Vec<_>>>()?))
        })?;
        let (Some((began, trigger, inputs)), rows) = found else { return Ok(None) };
        let trouble = Trouble::new(&self.path);
        let value = |text: &str| serde_json::from_str(text).map_err(|error| trouble.unreadable(run, &error));
        let mut events = Vec::with_capacity(rows.len());
        for (at, (number, hidden, event)) in (0..).zip(rows) {
            if at != number {
                return Err(trouble.gap(run));
            }
            let event: Event = serde_json::from_str(&event).map_err(|error| trouble.unreadable(run, &error))?;
            events.push(Kept { event, hidden });
        }
        Ok(Some(Past { began: Began { trigger: value(&trigger)?, inputs: value(&inputs)?, ..began }, events }))
    }

    /// The runs under way that nobody called, the oldest first: to be gone on with after a start.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn under_way(&self) -> Result<Vec<String>, NotKept> {
        self.ask(|connection| {
            let mut select =
                connection.prepare("SELECT run FROM runs WHERE run = root AND ended IS NULL ORDER BY began, run")?;
            select.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// The keys that scopes had or waited for: first those that had theirs, then the others in the order in which they
    /// asked.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn reserved(&self) -> Result<Vec<Reserved>, NotKept> {
        self.ask(|connection| {
            let mut select = connection.prepare("SELECT run, path, keys FROM claims ORDER BY had DESC, claim")?;
            let reserved = select.query_map([], |row| {
                let keys: String = row.get(2)?;
                Ok(Reserved {
                    run: row.get(0)?,
                    path: row.get(1)?,
                    keys: serde_json::from_str(&keys).unwrap_or_default(),
                })
            })?;
            reserved.collect()
        })
    }

    /// The versions of the flows that runs under way began in, each with what it is compiled from.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn versions(&self) -> Result<Vec<(String, Value)>, NotKept> {
        self.ask(|connection| {
            let mut select = connection.prepare(
                "SELECT version, source FROM versions
                 WHERE version IN (SELECT version FROM runs WHERE run = root AND ended IS NULL) ORDER BY version",
            )?;
            let versions = select.query_map([], |row| {
                let source: String = row.get(1)?;
                Ok((row.get(0)?, serde_json::from_str(&source).unwrap_or_default()))
            })?;
            versions.collect()
        })
    }
}

/// A time as it is kept.
pub(crate) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
