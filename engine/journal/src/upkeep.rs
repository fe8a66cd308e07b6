//! Keeping the file in order: retention, checking, giving space back, writing everything out.

use std::io::Write;
use std::time::Duration;

use cosell_runtime::keep::NotKept;
use jiff::Timestamp;
use rusqlite::Transaction;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value};

use crate::trouble::Trouble;
use crate::words::{clear_shelves, forget_words};
use crate::{Journal, Reader};

/// How many runs are deleted in one commit: others wait for it.
const AT_ONCE: u32 = 200;

/// How long what has ended is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Runs that ended longer ago than this go.
    pub age: Duration,
    /// While what is in the file is larger than so many bytes, those of the runs that have ended go that began first.
    pub bytes: i64,
}

/// The tables, in the order in which they are written out.
const TABLES: [&str; 7] = ["versions", "runs", "events", "claims", "run_keys", "inbox", "positions"];

/// What must hold beyond what SQLite checks: what it means that a row is found, and the question that finds it.
const INVARIANTS: [(&str, &str); 5] = [
    (
        "the events of a run are numbered without a gap",
        "SELECT DISTINCT run FROM events GROUP BY run, life HAVING max(number) + 1 <> count(*) OR min(number) <> 0",
    ),
    ("every event is of a run", "SELECT DISTINCT run FROM events WHERE run NOT IN (SELECT run FROM runs)"),
    ("every called run has its caller", "SELECT run FROM runs WHERE root NOT IN (SELECT run FROM runs)"),
    (
        "keys are held only by runs under way",
        "SELECT c.run FROM claims c LEFT JOIN runs r ON r.run = c.run WHERE r.run IS NULL OR r.ended IS NOT NULL",
    ),
    (
        "an event whose run has ended is done",
        "SELECT i.run FROM inbox i JOIN runs r ON r.run = i.run WHERE i.state = 0 AND r.ended IS NOT NULL",
    ),
];

impl Journal {
    /// Deletes runs that have ended, with all they called, as `retention` says; gives how many. What is under way stays,
    /// and so does every event that waits.
    ///
    /// # Errors
    /// Something could not be deleted; what was before stays deleted.
    pub async fn retain(&self, retention: Retention) -> Result<u64, NotKept> {
        let oldest = Timestamp::now()
            .as_microsecond()
            .saturating_sub(i64::try_from(retention.age.as_micros()).unwrap_or(i64::MAX));
        let mut deleted = 0;
        loop {
            let too_large = self.reader().used()? > retention.bytes;
            let before = if too_large { i64::MAX } else { oldest };
            let gone = self.reader().ended_before(before)?;
            if gone.is_empty() {
                break;
            }
            deleted += gone.len() as u64;
            self.writer().written(Box::new(move |change| gone.iter().try_for_each(|run| forget(change, run)))).await?;
        }
        let work = move |change: &Transaction<'_>| {
            // Events are numbered as they come, so the first that is not old ends the search.
            change.execute(
                "DELETE FROM inbox WHERE state <> 0 AND received < ?1
                 AND entry < coalesce((SELECT entry FROM inbox WHERE received >= ?1 ORDER BY entry LIMIT 1), 1 << 62)
                 AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.run = inbox.run)",
                [oldest],
            )?;
            // Runs begin in the version that was kept last, so one is needed no more when all runs began after the next.
            let unused = "DELETE FROM versions WHERE rowid < (SELECT max(rowid) FROM versions)
                 AND (SELECT min(n.kept) FROM versions n WHERE n.rowid > versions.rowid)
                     <= coalesce((SELECT min(began) FROM runs WHERE run = root), 1 << 62)
                 AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.version = versions.version AND r.run = r.root AND r.ended IS NULL)";
            change.execute(unused, [])?;
            clear_shelves(change)
        };
        self.writer().written(Box::new(work)).await?;
        Ok(deleted)
    }
}

/// Deletes a run with all that it called: those whose ids are its own and a slash, behind which `0` follows.
pub(crate) fn forget(change: &Transaction<'_>, run: &str) -> rusqlite::Result<()> {
    forget_words(change, run)?;
    for sql in [
        "DELETE FROM events WHERE run = ?1",
        "DELETE FROM events WHERE run > ?1 || '/' AND run < ?1 || '0'",
        "DELETE FROM run_keys WHERE run = ?1",
        "DELETE FROM runs WHERE run = ?1",
        "DELETE FROM runs WHERE run > ?1 || '/' AND run < ?1 || '0'",
    ] {
        change.prepare_cached(sql)?.execute([run])?;
    }
    Ok(())
}

/// Gives back the space of what was deleted: rewrites the file, which nothing else may have open.
///
/// # Errors
/// Another program has it open, or there is no room for the copy.
pub fn vacuum(path: &std::path::Path) -> Result<(), NotKept> {
    Reader::open(path)?;
    drop(Journal::open(path)?);
    let trouble = Trouble::new(path);
    let connection = rusqlite::Connection::open(path).map_err(|error| trouble.told(&error))?;
    connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").map_err(|error| trouble.told(&error))
}

impl Reader {
    /// Bytes in use, whatever the size of the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn used(&self) -> Result<i64, NotKept> {
        self.ask(|connection| {
            let of = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
            Ok((of("page_count")? - of("freelist_count")?) * of("page_size")?)
        })
    }

    fn ended_before(&self, before: i64) -> Result<Vec<String>, NotKept> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT run FROM runs WHERE run = root AND ended < ?1 AND began < ?1 ORDER BY began, run LIMIT ?2",
            )?;
            select.query_map(rusqlite::params![before, AT_ONCE], |row| row.get(0))?.collect()
        })
    }

    /// Checks the file: that SQLite can read all of it, and that it says nothing impossible. Gives what is wrong; nothing
    /// where all is well.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, NotKept> {
        self.ask(|connection| {
            let mut wrong = Vec::new();
            let mut integrity = connection.prepare("PRAGMA integrity_check")?;
            for row in integrity.query_map([], |row| row.get::<_, String>(0))? {
                let found = row?;
                if found != "ok" {
                    wrong.push(found);
                }
            }
            for (rule, question) in INVARIANTS {
                let mut select = connection.prepare(question)?;
                let runs: Vec<String> = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
                wrong.extend(runs.into_iter().map(|run| format!("run {run}: it does not hold that {rule}")));
            }
            Ok(wrong)
        })
    }

    /// Writes out everything: a line of JSON a row, `{"table": …, …}`. All of it is of one moment.
    ///
    /// # Errors
    /// It cannot be read, or `out` cannot be written to.
    pub fn export(&self, out: &mut impl Write) -> Result<u64, NotKept> {
        let mut failed = None;
        let written = self.ask(|connection| {
            let moment = connection.unchecked_transaction()?;
            let mut written = 0;
            for table in TABLES {
                let mut select = moment.prepare(&format!("SELECT * FROM {table}"))?;
                let names: Vec<String> = select.column_names().map(str::to_owned).collect();
                let mut rows = select.query([])?;
                while let Some(row) = rows.next()? {
                    let mut line = Map::from_iter([("table".to_owned(), Value::from(table))]);
                    for (at, name) in names.iter().enumerate() {
                        line.insert(name.clone(), exported(name, row.get_ref(at)?));
                    }
                    if let Err(error) = writeln!(out, "{}", Value::Object(line)) {
                        failed = Some(error);
                        return Ok(written);
                    }
                    written += 1;
                }
            }
            Ok(written)
        })?;
        failed.map_or(Ok(written), |error| Err(NotKept(format!("the export cannot be written: {error}"))))
    }
}

/// A value as it is written out: what is JSON inside stays JSON.
fn exported(name: &str, value: ValueRef<'_>) -> Value {
    const JSON: [&str; 11] =
        ["source", "trigger", "inputs", "output", "failure", "answer", "event", "steps", "keys", "payload", "position"];
    match value {
        ValueRef::Integer(number) => Value::from(number),
        ValueRef::Real(number) => Value::from(number),
        ValueRef::Text(text) => {
            let text = String::from_utf8_lossy(text);
            let parsed = JSON.contains(&name).then(|| serde_json::from_str(&text).ok()).flatten();
            parsed.unwrap_or_else(|| Value::from(text.into_owned()))
        }
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
    }
}
