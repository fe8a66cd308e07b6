//! Lists for people: runs, one run with its steps, counts.

use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::keep::NotKept;
use jiff::Timestamp;
use rusqlite::types::Value as Bound;
use rusqlite::{OptionalExtension, Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reader;
use crate::keeper::time;

/// Which runs to list: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this flow.
    pub flow: Option<FlowId>,
    /// Ended so.
    pub outcome: Option<Outcome>,
    /// Only those that have not ended.
    pub under_way: bool,
    /// That have, or had, this key: of their line, or of a scope in them or in a run they called.
    pub key: Option<String>,
    /// That began with texts, in their trigger, their inputs or their key, in which each of these words begins a word.
    pub text: Option<String>,
    /// Begun at or after.
    pub since: Option<Timestamp>,
    /// Begun before.
    pub until: Option<Timestamp>,
    /// Behind this one, in the order of the list: the last of the page before.
    pub after: Option<Cursor>,
    /// Before this one, in the order of the list: the first of the page behind. Of those the last ones, which stand next to it.
    pub before: Option<Cursor>,
    /// At most so many; 0 means 50.
    pub most: u32,
}

/// A list as SQL, with what is bound in it.
pub(crate) struct Question {
    pub(crate) sql: String,
    pub(crate) values: Vec<Bound>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// How often it was begun again after it had ended.
    pub life: u32,
}

/// A run with all that is kept for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The version of the flows that it runs in.
    #[serde(default)]
    pub version: String,
    /// How many events its own stands for besides: those of a burst that came before.
    #[serde(default)]
    pub left_out: u32,
    /// Paths of the steps that a person wants to count as done.
    #[serde(default)]
    pub skipped: Vec<String>,
    /// The steps that have ended since the run began or was last begun again, in order.
    pub steps: Vec<Value>,
    /// The runs that it called, in that time or before, the oldest first.
    pub called: Vec<Listed>,
}

/// How many runs that began in an hour ended so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// The hour's beginning.
    pub hour: Timestamp,
    /// How they ended; none while they are under way.
    pub outcome: Option<String>,
    /// How many.
    pub runs: u32,
}

const LISTED: &str = "r.run, r.flow, r.key, r.began, r.ended, r.outcome, r.failure, r.life";

pub(crate) fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    let failure: Option<String> = row.get(6)?;
    Ok(Listed {
        run: row.get(0)?,
        flow: row.get(1)?,
        key: row.get(2)?,
        began: time(row.get(3)?),
        ended: row.get::<_, Option<i64>>(4)?.map(time),
        outcome: row.get(5)?,
        failure: failure.as_deref().map(json),
        life: row.get(7)?,
    })
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

impl Filter {
    /// How many at most.
    pub(crate) fn most(&self) -> usize {
        if self.most == 0 { 50 } else { self.most as usize }
    }

    /// A part of the list in SQL, at most so many: all but what `text` says, or of those on one shelf what is found there by
    /// words. Its order is that of an index in every case, so that no page costs more than its own rows; from the end of the
    /// page on where it is one before another.
    pub(crate) fn question(&self, on_shelf: Option<(i64, &str)>, most: usize) -> Question {
        let mut holds = vec!["r.run = r.root".to_owned()];
        let mut values: Vec<Bound> = Vec::new();
        let mut hold = |condition: &str, bound: &[Bound]| {
            holds.push(condition.to_owned());
            values.extend_from_slice(bound);
        };
        // Those that succeeded are many, and in no index of their own.
        let rare = self.outcome.is_some_and(|outcome| outcome != Outcome::Succeeded);
        if rare {
            hold("r.outcome <> 'succeeded'", &[]);
        }
        let (from, order): (String, &[&str]) = match (on_shelf, &self.key) {
            (Some((shelf, words)), _) => {
                hold(&format!("words_{shelf} MATCH ?"), &[Bound::Text(words.to_owned())]);
                let from = "CROSS JOIN searched s ON s.number = w.rowid CROSS JOIN runs r ON r.run = s.run";
                (format!("words_{shelf} w {from}"), &["w.rowid"])
            }
            (None, Some(key)) => {
                hold("k.key = ?", &[Bound::Text(key.clone())]);
                ("run_keys k CROSS JOIN runs r ON r.run = k.run".to_owned(), &["k.began", "k.run"])
            }
            // Left to itself the planner may take an index that gives the order, but reads other flows' runs as well.
            (None, None) if self.flow.is_some() && rare => {
                ("runs r INDEXED BY runs_by_flow_and_outcome".to_owned(), &["r.began", "r.run"])
            }
            (None, None) => ("runs r".to_owned(), &["r.began", "r.run"]),
        };
        let (since, until) = match &self.key {
            Some(_) => ("k.began >= ?", "k.began < ?"),
            None => ("r.began >= ?", "r.began < ?"),
        };
        if let Some(flow) = &self.flow {
            hold("r.flow = ?", &[Bound::Text(flow.to_string())]);
        }
        if let Some(outcome) = self.outcome {
            hold("r.outcome = ?", &[Bound::Text(outcome.as_str().to_owned())]);
        }
        if self.under_way {
            hold("r.ended IS NULL", &[]);
        }
        if let Some(at) = self.since {
            hold(since, &[Bound::Integer(at.as_microsecond())]);
        }
        if let Some(at) = self.until {
            hold(until, &[Bound::Integer(at.as_microsecond())]);
        }
        let number = on_shelf.map(|_| "(SELECT number FROM searched WHERE run = ?)");
        for (cursor, sign) in [(&self.after, '<'), (&self.before, '>')] {
            let Some(Cursor { began, run }) = cursor else { continue };
            let place = [Bound::Integer(began.as_microsecond()), Bound::Text(run.clone())];
            match number {
                Some(number) => hold(&format!("w.rowid {sign} {number}"), &place[1..]),
                None => hold(&format!("({}) {sign} (?, ?)", order.join(", ")), &place),
            }
        }
        let way = if self.before.is_some() { "ASC" } else { "DESC" };
        let order: Vec<String> = order.iter().map(|column| format!("{column} {way}")).collect();
        let (holds, order) = (holds.join(" AND "), order.join(", "));
        let sql = format!("SELECT {LISTED} FROM {from} WHERE {holds} ORDER BY {order} LIMIT {most}");
        Question { sql, values }
    }
}

impl Reader {
    /// One run with its steps; none where there is none of this id.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn run(&self, run: &str) -> Result<Option<Shown>, NotKept> {
        self.ask(|connection| {
            let sql = format!(
                "SELECT {LISTED}, r.trigger, r.inputs, r.output, r.answer, r.version, r.left_out, r.skipped
                 FROM runs r WHERE r.run = ?1"
            );
            let value = |row: &Row<'_>, at: usize| {
                Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(at)?.as_deref().map(json).unwrap_or_default())
            };
            let shown = connection
                .prepare_cached(&sql)?
                .query_row([run], |row| {
                    Ok(Shown {
                        listed: listed(row)?,
                        trigger: value(row, 8)?,
                        inputs: value(row, 9)?,
                        output: value(row, 10)?,
                        answer: value(row, 11)?,
                        version: row.get(12)?,
                        left_out: row.get(13)?,
                        skipped: serde_json::from_value(value(row, 14)?).unwrap_or_default(),
                        steps: Vec::new(),
                        called: Vec::new(),
                    })
                })
                .optional()?;
            let Some(mut shown) = shown else { return Ok(None) };
            let mut select = connection.prepare_cached(
                "SELECT steps FROM events WHERE run = ?1 AND life = ?2 AND steps IS NOT NULL ORDER BY number",
            )?;
            let steps = select.query_map(params![run, shown.listed.life], |row| Ok(json(&row.get::<_, String>(0)?)))?;
            for ended in steps {
                if let Value::Array(ended) = ended? {
                    shown.steps.extend(ended);
                }
            }
            let sql = format!(
                "SELECT {LISTED} FROM runs r WHERE r.run > ?1 || '/' AND r.run < ?1 || '0' ORDER BY r.began, r.run"
            );
            shown.called =
                connection.prepare_cached(&sql)?.query_map([run], listed)?.collect::<rusqlite::Result<_>>()?;
            Ok(Some(shown))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Journal;

    /// Every list with any of the filters, in any combination.
    fn all() -> Vec<Filter> {
        let at = Timestamp::UNIX_EPOCH;
        (0..512_u32)
            .map(|chosen| {
                let on = |bit: u32| chosen & (1 << bit) != 0;
                Filter {
                    flow: on(0).then(|| FlowId::new("f")),
                    outcome: on(1).then_some(Outcome::Failed),
                    under_way: on(2),
                    key: on(3).then(|| "deal".to_owned()),
                    text: on(4).then(|| "fabrikam-1".to_owned()),
                    since: on(5).then_some(at),
                    until: on(6).then_some(at),
                    after: on(7).then(|| Cursor { began: at, run: "run".to_owned() }),
                    before: on(8).then(|| Cursor { began: at, run: "run".to_owned() }),
                    most: 10,
                }
            })
            .collect()
    }

    #[test]
    fn no_list_reads_rows_that_it_does_not_show_or_sorts_them() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        for filter in all() {
            let on_shelf = (filter.text.is_some() && filter.key.is_none()).then_some((0, "\"fabrikam\"*"));
            let Question { sql, values } = filter.question(on_shelf, 10);
            let rare = filter.flow.is_some() && filter.outcome.is_some();
            let plan: Vec<String> = journal
                .reader()
                .ask(|connection| {
                    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    explain
                        .query_map(rusqlite::params_from_iter(&values), |row| row.get::<_, String>("detail"))?
                        .collect()
                })
                .unwrap();
            if let (true, None, None) = (rare, &filter.key, &filter.text) {
                assert!(plan[0].contains("runs_by_flow_and_outcome"), "{filter:?}: {plan:#?}");
            }
            for line in &plan {
                assert!(!line.contains("TEMP B-TREE"), "{filter:?} is sorted: {plan:#?}");
                let in_order = line.contains("USING INDEX") || line.contains("USING COVERING INDEX");
                assert!(
                    !line.starts_with("SCAN") || in_order || line.contains("VIRTUAL TABLE"),
                    "{filter:?}: {plan:#?}"
                );
            }
        }
    }
}
