//! How far the walk is, in a file: a line for each record that is done and for each page, so that however the program
//! ends, no record that was done is forgotten.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finished::{Finished, Verdict};
use super::records::{Direction, Position, Record};
use super::tally::Tally;
use crate::Trouble;

/// What a walk was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) began: Timestamp,
    pub(super) since: Option<Timestamp>,
    pub(super) only: Option<Direction>,
}

impl Asked {
    /// What is walked, in order.
    pub(super) fn directions(&self) -> impl Iterator<Item = Direction> + use<> {
        let only = self.only;
        Direction::ALL.into_iter().filter(move |direction| only.is_none_or(|only| only == *direction))
    }

    /// As the options that asked for it.
    fn options(&self) -> String {
        let since = self.since.map(|since| format!("--since {since}"));
        let only = self.only.map(|only| match only {
            Direction::Referrals => "--only referrals".to_owned(),
            Direction::Opportunities => "--only opportunities".to_owned(),
        });
        let options: Vec<String> = since.into_iter().chain(only).collect();
        if options.is_empty() { "no options".to_owned() } else { format!("`{}`", options.join(" ")) }
    }
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The first.
    Asked(Asked),
    /// A record is done.
    Record(Finished),
    /// Everything before this position is done.
    Position(Position),
}

/// The walk so far, and its file. Nobody else walks while it is open.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    asked: Asked,
    position: Position,
    /// Records that are done and not before the position, by when they were created.
    done: BTreeMap<String, Timestamp>,
    tally: Tally,
    is_resumed: bool,
}

impl Journal {
    /// Opens the file at `path`. A walk that was not finished is gone on with, unless `restart` says otherwise.
    ///
    /// # Errors
    /// Another walk is under way; one with other options was not finished; the file cannot be used, or understood.
    pub(super) fn open(path: &Path, asked: Asked, restart: bool) -> Result<Self, Trouble> {
        let unusable =
            |error: std::io::Error| Trouble::new(format!("the file `{}` cannot be used: {error}", path.display()));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(unusable)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Trouble::new(format!(
                    "another `cosell sync` is under way: it holds `{}`\nhelp: wait until it has ended, or end it",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        if restart {
            file.set_len(0).map_err(unusable)?;
        }
        let mut lines = read(&file, path)?;
        if lines.len() < 2 {
            // Nothing was done yet, so there is nothing to go on with.
            file.set_len(0).map_err(unusable)?;
            lines.clear();
        }
        let mut lines = lines.into_iter();
        let found = match lines.next() {
            Some(Line::Asked(found)) => Some(found),
            Some(_) => return Err(not_understood(path, 1, &"it does not say what was asked for")),
            None => None,
        };
        let other = found.as_ref().filter(|found| {
            let is_open = asked.since.is_none() && asked.only.is_none();
            !is_open && (found.since, found.only) != (asked.since, asked.only)
        });
        if let Some(other) = other {
            return Err(Trouble::new(format!(
                "a walk with {} was not finished\nhelp: go on with it by `cosell sync`, or begin anew with `--restart`",
                other.options()
            )));
        }
        let is_resumed = found.is_some();
        let asked = found.unwrap_or(asked);
        let first = asked.directions().next().unwrap_or(Direction::Referrals);
        let mut journal = Self {
            path: path.to_path_buf(),
            file,
            asked,
            position: Position::at_the_beginning_of(first),
            done: BTreeMap::new(),
            tally: Tally::default(),
            is_resumed,
        };
        journal.replay(lines);
        if !is_resumed {
            journal.append(&Line::Asked(journal.asked.clone()))?;
        }
        Ok(journal)
    }

    /// Takes in what was written before. What failed on the page that was not finished is tried again.
    fn replay(&mut self, lines: impl Iterator<Item = Line>) {
        let mut of_page: BTreeMap<String, Finished> = BTreeMap::new();
        for line in lines {
            match line {
                Line::Asked(_) => {}
                Line::Record(finished) => drop(of_page.insert(finished.id.clone(), finished)),
                Line::Position(position) => {
                    std::mem::take(&mut of_page).into_values().for_each(|finished| self.took(&finished));
                    self.moved(position);
                }
            }
        }
        let is_done = |finished: &Finished| finished.result != Verdict::Failed;
        of_page.into_values().filter(is_done).for_each(|finished| self.took(&finished));
    }

    fn took(&mut self, finished: &Finished) {
        self.done.insert(finished.id.clone(), finished.created_at);
        self.tally.add(finished);
    }

    fn moved(&mut self, position: Position) {
        // What was created at the very instant of the position may come again.
        let is_in_sight = |created_at: &Timestamp| position.from.is_some_and(|from| *created_at >= from);
        self.done.retain(|_, created_at| is_in_sight(created_at));
        self.position = position;
    }

    /// Writes down that a record is done.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn done(&mut self, finished: Finished) -> Result<Finished, Trouble> {
        let line = Line::Record(finished);
        self.append(&line)?;
        let Line::Record(finished) = line else { unreachable!("it was made above") };
        self.took(&finished);
        Ok(finished)
    }

    /// Writes down that everything before `position` is done.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn go_to(&mut self, position: Position) -> Result<(), Trouble> {
        self.append(&Line::Position(position.clone()))?;
        self.file.sync_data().map_err(|error| self.unwritten(&error))?;
        self.moved(position);
        Ok(())
    }

    /// A line is written by one call, at once: what the program has handed over survives its end.
    fn append(&mut self, line: &Line) -> Result<(), Trouble> {
        let text = serde_json::to_string(line).map_err(|error| self.unwritten(&error.into()))?;
        self.file.write_all(format!("{text}\n").as_bytes()).map_err(|error| self.unwritten(&error))
    }

    fn unwritten(&self, error: &std::io::Error) -> Trouble {
        Trouble::new(format!("the file `{}` cannot be written: {error}", self.path.display()))
    }

    /// Whether this record is done.
    pub(super) fn is_done(&self, record: &Record) -> bool {
        self.position.from.is_some_and(|from| record.created_at < from) || self.done.contains_key(&record.id)
    }

    /// What was asked for, when the walk began.
    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Where the next page begins.
    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    /// What became of all records so far.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether an earlier walk is gone on with.
    pub(super) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// The walk is finished: there is nothing to go on with.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(super) fn remove(self) -> Result<(), Trouble> {
        std::fs::remove_file(&self.path)
            .map_err(|error| Trouble::new(format!("the file `{}` cannot be removed: {error}", self.path.display())))
    }
}

/// All lines. The last one may have been cut off; the file then ends before it.
fn read(mut file: &File, path: &Path) -> Result<Vec<Line>, Trouble> {
    let unreadable =
        |error: std::io::Error| Trouble::new(format!("the file `{}` cannot be read: {error}", path.display()));
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut reader = BufReader::new(file);
    let (mut lines, mut whole) = (Vec::new(), 0);
    let mut text = String::new();
    loop {
        text.clear();
        let length = reader.read_line(&mut text).map_err(unreadable)?;
        if length == 0 || !text.ends_with('\n') {
            break;
        }
        let line = serde_json::from_str(&text).map_err(|error| not_understood(path, lines.len() + 1, &error))?;
        lines.push(line);
        whole += length as u64;
    }
    file.set_len(whole).map_err(unreadable)?;
    Ok(lines)
}

fn not_understood(path: &Path, line: usize, why: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(format!(
        "{}:{line}: how far the walk was cannot be understood: {why}\nhelp: begin anew with `--restart`",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use cosell_model::Value;

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("cosell-sync-{name}-{}", std::process::id())).join("sync.jsonl");
        let _ = std::fs::remove_dir_all(path.parent().unwrap());
        path
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn asked(since: Option<i64>) -> Asked {
        Asked { began: at(1_000), since: since.map(at), only: None }
    }

    fn finished(id: &str, created: i64, result: Verdict) -> Finished {
        let (direction, created_at) = (Direction::Referrals, at(created));
        let (name, conflicts) = (String::new(), Vec::new());
        Finished { direction, id: id.to_owned(), name, created_at, result, reason: None, conflicts, run: None }
    }

    fn is_done(journal: &Journal, id: &str, created: i64) -> bool {
        let (name, trigger) = (String::new(), Value::Null);
        journal.is_done(&Record { id: id.to_owned(), name, created_at: at(created), trigger })
    }

    fn message(result: Result<Journal, Trouble>) -> String {
        result.err().unwrap().text()
    }

    #[test]
    fn what_was_done_is_known_again_and_what_failed_last_is_tried_again() {
        let path = path("again");
        let mut journal = Journal::open(&path, asked(None), false).unwrap();
        assert!(!journal.is_resumed());
        for (id, created, result) in [("a", 1, Verdict::Created), ("b", 2, Verdict::Failed), ("c", 2, Verdict::Equal)] {
            journal.done(finished(id, created, result)).unwrap();
        }
        let next = Position { direction: Direction::Referrals, from: Some(at(2)), passed: 3 };
        journal.go_to(next.clone()).unwrap();
        journal.done(finished("d", 3, Verdict::Failed)).unwrap();
        journal.done(finished("e", 3, Verdict::Equal)).unwrap();
        drop(journal);

        for _ in 0..2 {
            let mut journal = Journal::open(&path, asked(None), false).unwrap();
            assert!(journal.is_resumed());
            assert_eq!(journal.position(), &next);
            let done = [("a", 1), ("other", 1), ("b", 2), ("c", 2), ("e", 3)];
            assert!(done.iter().all(|(id, created)| is_done(&journal, id, *created)));
            assert!(!is_done(&journal, "d", 3) && !is_done(&journal, "other", 2));
            assert_eq!(journal.tally().all(Direction::Referrals), 4, "however often it is tried");
            journal.done(finished("d", 3, Verdict::Failed)).unwrap();
        }
        assert!(!Journal::open(&path, asked(None), true).unwrap().is_resumed());
    }

    #[test]
    fn a_line_that_was_cut_off_is_dropped_and_any_other_damage_told() {
        let path = path("torn");
        let mut journal = Journal::open(&path, asked(None), false).unwrap();
        journal.done(finished("a", 1, Verdict::Equal)).unwrap();
        drop(journal);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"record\":{{\"dir")).unwrap();
        let mut journal = Journal::open(&path, asked(None), false).unwrap();
        journal.done(finished("b", 1, Verdict::Equal)).unwrap();
        drop(journal);
        let journal = Journal::open(&path, asked(None), false).unwrap();
        assert_eq!(journal.tally().all(Direction::Referrals), 2);
        drop(journal);
        std::fs::write(&path, format!("{whole}nonsense\n")).unwrap();
        let told = message(Journal::open(&path, asked(None), false));
        assert!(told.contains("sync.jsonl:3: ") && told.contains("--restart"), "{told}");
    }

    #[test]
    fn one_walks_at_a_time_and_other_options_do_not_take_over() {
        let path = path("others");
        let mut journal = Journal::open(&path, asked(Some(5)), false).unwrap();
        journal.done(finished("a", 1, Verdict::Equal)).unwrap();
        let told = message(Journal::open(&path, asked(Some(5)), false));
        assert!(told.contains("another `cosell sync` is under way"), "{told}");
        drop(journal);
        let told = message(Journal::open(&path, asked(Some(6)), false));
        assert!(told.contains("a walk with `--since 1970-01-01T00:00:05Z` was not finished"), "{told}");
        assert_eq!(Journal::open(&path, asked(None), false).unwrap().asked().since, Some(at(5)));
    }
}
