//! What waits to become a run, and what became none: for people and for measurements.

use cosell_model::Value;
use cosell_runtime::keep::NotKept;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reader;
use crate::keeper::time;

/// An event that became no run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// Its number.
    pub number: u64,
    /// The flow it was for.
    pub flow: String,
    /// The id that its run would have had.
    pub run: String,
    /// The key of the line that it stood in.
    pub key: Option<String>,
    /// What the trigger brought.
    pub trigger: Value,
    /// The inputs, where a person gave them.
    pub inputs: Value,
    /// When it came.
    pub received: Timestamp,
    /// Why it became no run.
    pub reason: Option<String>,
}

/// What became of an event whose run is in no list.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It waits to become a run.
    Waits(DeadLetter),
    /// It became none.
    Dead(DeadLetter),
    /// Another run, of this id, stands for it.
    Within(String),
}

/// What waits to become a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Waits {
    /// How many events have not ended as runs: those that wait and those under way.
    pub open: u64,
    /// When the oldest of those came whose run has not begun; none where no event waits.
    pub oldest: Option<Timestamp>,
    /// How many became no run, and still do not.
    pub dead: u64,
}

const LETTER: &str = "SELECT entry, flow, run, key, payload, inputs, received, reason FROM inbox WHERE state = 2";
const FATE: &str = "SELECT entry, flow, run, key, payload, inputs, received, reason, state FROM inbox WHERE run = ?1";

fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    let value = |text: String| serde_json::from_str(&text).unwrap_or_default();
    Ok(DeadLetter {
        number: row.get::<_, i64>(0)?.cast_unsigned(),
        flow: row.get(1)?,
        run: row.get(2)?,
        key: row.get(3)?,
        trigger: value(row.get(4)?),
        inputs: value(row.get(5)?),
        received: time(row.get(6)?),
        reason: row.get(7)?,
    })
}

/// Which of many, in a list of which the newest is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Place {
    /// The newest.
    #[default]
    Newest,
    /// Those that follow this number.
    After(u64),
    /// Those that this number follows, and of them those next to it.
    Before(u64),
}

impl Reader {
    /// Events that became no run, the newest first: at most so many.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn dead_letters(&self, place: Place, most: u32) -> Result<Vec<DeadLetter>, NotKept> {
        let (condition, number) = match place {
            Place::Newest => ("entry < ?1 ORDER BY entry DESC", i64::MAX),
            Place::After(number) => ("entry < ?1 ORDER BY entry DESC", number.cast_signed()),
            Place::Before(number) => ("entry > ?1 ORDER BY entry", number.cast_signed()),
        };
        self.ask(|connection| {
            let mut select = connection.prepare_cached(&format!("{LETTER} AND {condition} LIMIT ?2"))?;
            let letters = select.query_map([number, i64::from(most)], letter)?;
            let mut letters: Vec<DeadLetter> = letters.collect::<rusqlite::Result<_>>()?;
            if let Place::Before(_) = place {
                letters.reverse();
            }
            Ok(letters)
        })
    }

    /// The event of this number, where it became no run.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn dead_letter(&self, number: u64) -> Result<Option<DeadLetter>, NotKept> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(&format!("{LETTER} AND entry = ?1"))?;
            select.query_row([number.cast_signed()], letter).optional()
        })
    }

    /// What became of the event that was to become this run; none where there was none, or its run has ended.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn fate(&self, run: &str) -> Result<Option<Fate>, NotKept> {
        let found = self.ask(|connection| {
            let mut select = connection.prepare_cached(FATE)?;
            select.query_row([run], |row| Ok((letter(row)?, row.get::<_, u8>(8)?))).optional()
        })?;
        Ok(found.and_then(|(letter, state)| match state {
            0 => Some(Fate::Waits(letter)),
            2 => Some(Fate::Dead(letter)),
            3 => letter.reason.map(Fate::Within),
            _ => None,
        }))
    }

    /// What waits to become a run, and how much became none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn waits(&self) -> Result<Waits, NotKept> {
        self.ask(|connection| {
            let count = |sql| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
            let mut oldest = connection.prepare_cached(
                "SELECT received FROM inbox WHERE state = 0
                 AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run = inbox.run) ORDER BY entry LIMIT 1",
            )?;
            Ok(Waits {
                open: count("SELECT count(*) FROM inbox WHERE state = 0")?.cast_unsigned(),
                oldest: oldest.query_row([], |row| row.get(0).map(time)).optional()?,
                dead: count("SELECT count(*) FROM inbox WHERE state = 2")?.cast_unsigned(),
            })
        })
    }
}
