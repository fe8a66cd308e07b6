//! Lists for people: runs, one run with its steps, counts.

use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::keep::NotKept;
use jiff::Timestamp;
use rusqlite::types::{ToSql, Value as Bound};
use rusqlite::{OptionalExtension, Row};
use serde::Serialize;

use crate::Reader;
use crate::keeper::time;

/// Which runs to list: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this flow.
    pub flow: Option<FlowId>,
    /// Ended so; or, with `under_way`, not at all.
    pub outcome: Option<Outcome>,
    /// Only those that have not ended.
    pub under_way: bool,
    /// That have, or had, this key: of their line, or of a scope in them or in a run they called.
    pub key: Option<String>,
    /// Begun at or after.
    pub since: Option<Timestamp>,
    /// Begun before.
    pub until: Option<Timestamp>,
    /// Behind this one, in the order of the list: the last of the page before.
    pub after: Option<Cursor>,
    /// At most so many; 0 means 50.
    pub most: u32,
}

/// A place in the list of runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cursor {
    /// When the run began.
    pub began: Timestamp,
    /// Its id.
    pub run: String,
}

/// A run as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Its id.
    pub run: String,
    /// Its flow.
    pub flow: String,
    /// The key of the line it stands in.
    pub key: Option<String>,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Why it failed.
    pub failure: Option<Value>,
}

/// A run with all that is kept for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// As lists show it.
    #[serde(flatten)]
    pub listed: Listed,
    /// What started it.
    pub trigger: Value,
    /// Its inputs.
    pub inputs: Value,
    /// What it yields.
    pub output: Value,
    /// What it answered: status, headers, body.
    pub answer: Value,
    /// The steps that have ended, in order.
    pub steps: Vec<Value>,
    /// The runs that it called, the oldest first.
    pub called: Vec<Listed>,
}

/// How many runs that began in an hour ended so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Count {
    /// The hour's beginning.
    pub hour: Timestamp,
    /// How they ended; none while they are under way.
    pub outcome: Option<String>,
    /// How many.
    pub runs: u32,
}

const LISTED: &str = "r.run, r.flow, r.key, r.began, r.ended, r.outcome, r.failure";

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    let failure: Option<String> = row.get(6)?;
    Ok(Listed {
        run: row.get(0)?,
        flow: row.get(1)?,
        key: row.get(2)?,
        began: time(row.get(3)?),
        ended: row.get::<_, Option<i64>>(4)?.map(time),
        outcome: row.get(5)?,
        failure: failure.as_deref().map(json),
    })
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

impl Reader {
    /// Runs that nobody called, the newest first. Every page costs the same, however far down the list it is.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn runs(&self, filter: &Filter) -> Result<Vec<Listed>, NotKept> {
        let mut holds = vec!["r.run = r.root"];
        let mut values: Vec<Bound> = Vec::new();
        let mut hold = |condition, bound: &[Bound]| {
            holds.push(condition);
            values.extend_from_slice(bound);
        };
        // With a key, the order is that of the table of keys, so that its index gives it.
        let (from, began, run) = match &filter.key {
            Some(key) => {
                hold("k.key = ?", &[Bound::Text(key.clone())]);
                ("run_keys k CROSS JOIN runs r ON r.run = k.run", "k.began", "k.run")
            }
            None => ("runs r", "r.began", "r.run"),
        };
        if let Some(flow) = &filter.flow {
            hold("r.flow = ?", &[Bound::Text(flow.to_string())]);
        }
        if let Some(outcome) = filter.outcome {
            hold("r.outcome = ?", &[Bound::Text(outcome.as_str().to_owned())]);
        }
        if filter.under_way {
            hold("r.ended IS NULL", &[]);
        }
        let (since, until, after) =
            (format!("{began} >= ?"), format!("{began} < ?"), format!("({began}, {run}) < (?, ?)"));
        if let Some(at) = filter.since {
            hold(&since, &[Bound::Integer(at.as_microsecond())]);
        }
        if let Some(at) = filter.until {
            hold(&until, &[Bound::Integer(at.as_microsecond())]);
        }
        if let Some(cursor) = &filter.after {
            hold(&after, &[Bound::Integer(cursor.began.as_microsecond()), Bound::Text(cursor.run.clone())]);
        }
        let most = if filter.most == 0 { 50 } else { filter.most };
        let sql = format!(
            "SELECT {LISTED} FROM {from} WHERE {} ORDER BY {began} DESC, {run} DESC LIMIT {most}",
            holds.join(" AND ")
        );
        self.ask(|connection| {
            let bound: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
            connection.prepare_cached(&sql)?.query_map(&*bound, listed)?.collect()
        })
    }

    /// One run with its steps; none where there is none of this id.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn run(&self, run: &str) -> Result<Option<Shown>, NotKept> {
        self.ask(|connection| {
            let sql = format!("SELECT {LISTED}, r.trigger, r.inputs, r.output, r.answer FROM runs r WHERE r.run = ?1");
            let value = |row: &Row<'_>, at: usize| {
                Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(at)?.as_deref().map(json).unwrap_or_default())
            };
            let shown = connection
                .prepare_cached(&sql)?
                .query_row([run], |row| {
                    Ok(Shown {
                        listed: listed(row)?,
                        trigger: value(row, 7)?,
                        inputs: value(row, 8)?,
                        output: value(row, 9)?,
                        answer: value(row, 10)?,
                        steps: Vec::new(),
                        called: Vec::new(),
                    })
                })
                .optional()?;
            let Some(mut shown) = shown else { return Ok(None) };
            let mut select =
                connection.prepare_cached("SELECT step FROM steps WHERE run = ?1 ORDER BY life, number, place")?;
            let steps = select.query_map([run], |row| Ok(json(&row.get::<_, String>(0)?)))?;
            shown.steps = steps.collect::<rusqlite::Result<_>>()?;
            let sql = format!("SELECT {LISTED} FROM runs r WHERE r.root = ?1 AND r.run <> ?1 ORDER BY r.began, r.run");
            shown.called =
                connection.prepare_cached(&sql)?.query_map([run], listed)?.collect::<rusqlite::Result<_>>()?;
            Ok(Some(shown))
        })
    }

    /// How many runs that nobody called began in each hour since, by how they ended.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn counts(&self, since: Timestamp) -> Result<Vec<Count>, NotKept> {
        const HOUR: i64 = 3_600_000_000;
        self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT began / ?2 * ?2 AS hour, outcome, count(*) FROM runs
                 WHERE run = root AND began >= ?1 GROUP BY hour, outcome ORDER BY hour, outcome",
            )?;
            let counts = select.query_map([since.as_microsecond(), HOUR], |row| {
                Ok(Count { hour: time(row.get(0)?), outcome: row.get(1)?, runs: row.get(2)? })
            })?;
            counts.collect()
        })
    }
}
