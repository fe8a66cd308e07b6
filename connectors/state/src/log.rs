//! The file: a log of JSON lines, one a change, of which the last about a key counts.
//!
//! A change is appended in one piece and synced before it counts as done, so a crash leaves at most a last line without
//! its end: that is no change, and is written over. Where each value stands is known; the values themselves stay in the
//! file, so that memory holds only keys.
//!
//! Several processes may share the file. They lock another one beside it, `….lock`: the log itself is replaced when it is
//! made compact, and a lock on a file that is no longer there would keep nobody out. The lock file holds a number that
//! rises with each replacement, *before* it: so whoever still has the old log open sees that it may have been replaced,
//! and opens it anew. What others have appended is read whenever the lock is taken.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use cosell_sdk::{CallError, Meaning};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::operations::Kept;
use crate::places::{Lines, Place, Places, Way};
use crate::search::Search;

/// A log is made compact when it is opened and has more lines than this,
const MANY_LINES: u64 = 256;
/// and more than so many lines a value.
const LINES_A_VALUE: u64 = 2;

/// The file, as one process sees it.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    lock: File,
    file: File,
    /// The number in the lock file when `file` was opened.
    replaced: String,
    places: Places,
    /// Where the last whole line ends that was read.
    end: u64,
    lines: u64,
}

/// A line, without its value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(borrow)]
    put: Option<Cow<'l, str>>,
    #[serde(borrow)]
    remove: Option<Cow<'l, str>>,
    #[serde(rename = "value")]
    _value: Option<IgnoredAny>,
}

/// The value of a line.
#[derive(Deserialize)]
struct Held {
    value: Value,
}

impl Log {
    /// The log at `path`; nothing is opened before it is used.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    pub(crate) fn get(&mut self, key: &str) -> Result<Option<Value>, CallError> {
        self.locked(false, |log| log.value(key))
    }

    /// Values that are meant, the most recently written first.
    pub(crate) fn list(&mut self, search: &Search) -> Result<Vec<Kept>, CallError> {
        self.locked(false, |log| log.list(search))
    }

    /// Keeps a value, or none; whether that changed anything.
    pub(crate) fn set(&mut self, key: &str, value: Option<&Value>) -> Result<bool, CallError> {
        self.locked(true, |log| {
            if log.value(key)?.as_ref() == value {
                return Ok(false);
            }
            let line = match value {
                Some(value) => json!({ "put": key, "value": value }),
                None => json!({ "remove": key }),
            };
            log.append(&line)?;
            Ok(true)
        })
    }

    /// Does `work` while no other process writes, or none does anything where `alone`.
    fn locked<T>(&mut self, alone: bool, work: impl FnOnce(&mut Open) -> Result<T, CallError>) -> Result<T, CallError> {
        let mut log = match self.open.take() {
            Some(log) => {
                let locked = if alone { log.lock.lock() } else { log.lock.lock_shared() };
                locked.map_err(unusable(&self.path, "cannot be locked"))?;
                log
            }
            None => Open::new(&self.path)?,
        };
        let done = log.catch_up().and_then(|()| work(&mut log));
        log.lock.unlock().map_err(unusable(&self.path, "cannot be unlocked"))?;
        // After a failure it is not known how far the file was read: it is opened anew.
        self.open = Some(log).filter(|_| done.is_ok());
        done
    }
}

impl Open {
    /// Opens the log, made compact where that is worth it, and leaves it locked.
    fn new(path: &Path) -> Result<Self, CallError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(unusable(folder, "cannot be made"))?;
        }
        let lock_path = beside(path, ".lock");
        let lock = open(&lock_path)?;
        lock.lock().map_err(unusable(&lock_path, "cannot be locked"))?;
        let file = open(path)?;
        let mut log = Self {
            path: path.to_owned(),
            lock,
            file,
            replaced: String::new(),
            places: Places::default(),
            end: 0,
            lines: 0,
        };
        log.replaced = log.replacements()?;
        log.catch_up()?;
        if log.lines > MANY_LINES.max(LINES_A_VALUE * log.places.len() as u64) {
            log.make_compact()?;
        }
        Ok(log)
    }

    /// The number in the lock file.
    fn replacements(&mut self) -> Result<String, CallError> {
        let mut number = String::new();
        let read = self.lock.seek(SeekFrom::Start(0)).and_then(|_| self.lock.read_to_string(&mut number));
        read.map_err(unusable(&beside(&self.path, ".lock"), "cannot be read"))?;
        Ok(number)
    }

    /// Reads what others have written since.
    fn catch_up(&mut self) -> Result<(), CallError> {
        let replaced = self.replacements()?;
        let length = self.file.metadata().map_err(unusable(&self.path, "cannot be read"))?.len();
        if replaced != self.replaced || length < self.end {
            self.file = open(&self.path)?;
            self.replaced = replaced;
            self.places.clear();
            (self.end, self.lines) = (0, 0);
        } else if length == self.end {
            return Ok(());
        }
        let unreadable = || unusable(&self.path, "cannot be read");
        let mut reader = BufReader::new(&self.file);
        reader.seek(SeekFrom::Start(self.end)).map_err(unreadable())?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(unreadable())?;
            if line.last() != Some(&b'\n') {
                // The end, or what a crash left of a change that never counted.
                return Ok(());
            }
            let parsed: Result<Line<'_>, _> = serde_json::from_slice(&line);
            let place = Place { start: self.end, length };
            match parsed {
                Ok(Line { put: Some(key), remove: None, .. }) => self.places.put(&key, place),
                Ok(Line { put: None, remove: Some(key), .. }) => self.places.remove(&key),
                broken => return Err(self.broken(broken.err())),
            }
            self.end += length as u64;
            self.lines += 1;
        }
    }

    fn broken(&self, error: Option<serde_json::Error>) -> CallError {
        let why = error.map_or_else(|| "it has not one of `put` and `remove`".to_owned(), |error| error.to_string());
        CallError::rejected(
            "broken_state",
            format!(
                "{}:{}: this is no line of kept values, such as `{{\"put\":\"key\",\"value\":1}}`: {why}; repair the line, \
                 or take it out, and try again",
                self.path.display(),
                self.lines + 1
            ),
        )
    }

    fn value(&self, key: &str) -> Result<Option<Value>, CallError> {
        let Some(place) = self.places.get(key) else { return Ok(None) };
        let line = self.line(place)?;
        let held: Held = serde_json::from_slice(&line).map_err(|error| self.broken(Some(error)))?;
        Ok(Some(held.value))
    }

    /// By their places in the file. Most lines are passed over by their text alone.
    fn list(&self, search: &Search) -> Result<Vec<Kept>, CallError> {
        let start = |key: &Option<String>| Some(self.places.get(key.as_ref()?)?.start);
        let (older, newer) = (start(&search.after).unwrap_or(u64::MAX), start(&search.before));
        let places = self.places.between(newer, older);
        // The page before another is read from its end.
        let places: &mut dyn Iterator<Item = (&str, Place)> =
            if newer.is_some() { &mut { places } } else { &mut places.rev() };
        let mut lines =
            Lines::new(&self.file, if newer.is_some() { Way::ToTheEnd(self.end) } else { Way::ToTheBeginning });
        let (mut meant, mut folded) = (Vec::new(), Vec::new());
        for (key, place) in places.filter(|(key, _)| key.starts_with(&search.prefix)) {
            if meant.len() >= search.most {
                break;
            }
            let line = lines.line(place).map_err(unusable(&self.path, "cannot be read"))?;
            if !search.may_mean(line, &mut folded) {
                continue;
            }
            let Held { value } = serde_json::from_slice(line).map_err(|error| self.broken(Some(error)))?;
            if search.means(key, &value) {
                meant.push(Kept { key: key.to_owned(), value });
            }
        }
        if newer.is_some() {
            meant.reverse();
        }
        Ok(meant)
    }

    fn line(&self, place: Place) -> Result<Vec<u8>, CallError> {
        let mut line = vec![0; place.length];
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(place.start)).and_then(|_| file.read_exact(&mut line));
        read.map_err(unusable(&self.path, "cannot be read"))?;
        Ok(line)
    }

    /// Adds a change; what a crash left behind is written over.
    fn append(&mut self, change: &Value) -> Result<(), CallError> {
        let mut line = change.to_string().into_bytes();
        line.push(b'\n');
        let mut file = &self.file;
        let written = file
            .set_len(self.end)
            .and_then(|()| file.seek(SeekFrom::Start(self.end)))
            .and_then(|_| file.write_all(&line))
            .and_then(|()| file.sync_data());
        written.map_err(|error| {
            let error = unusable(&self.path, "cannot be written")(error);
            CallError { meaning: Meaning::OutcomeUnknown, ..error }
        })?;
        self.catch_up()
    }

    /// Replaces the log by one that holds just the values that count.
    fn make_compact(&mut self) -> Result<(), CallError> {
        let new_path = beside(&self.path, ".new");
        let unwritable = || unusable(&new_path, "cannot be written");
        let mut new = File::create(&new_path).map_err(unwritable())?;
        for (_, place) in self.places.between(None, u64::MAX) {
            new.write_all(&self.line(place)?).map_err(unwritable())?;
        }
        new.sync_all().map_err(unwritable())?;
        drop(new);
        // First the number: should this stop in between, others open the same log again.
        let number = self.replaced.trim().parse::<u64>().unwrap_or(0) + 1;
        let counted = self
            .lock
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.lock.write_all(format!("{number:020}\n").as_bytes()))
            .and_then(|()| self.lock.sync_data());
        counted.map_err(unusable(&beside(&self.path, ".lock"), "cannot be written"))?;
        std::fs::rename(&new_path, &self.path).map_err(unusable(&self.path, "cannot be replaced"))?;
        self.catch_up()
    }
}

/// The file's path with more behind its name.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}

fn open(path: &Path) -> Result<File, CallError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    opened.map_err(unusable(path, "cannot be opened"))
}

fn unusable(path: &Path, what: &str) -> impl FnOnce(io::Error) -> CallError {
    let place = format!("`{}` {what}", path.display());
    move |error| {
        CallError::rejected(
            "state_file",
            format!(
                "the file of kept values {place}: {error}; see that the program may read and write it and its folder"
            ),
        )
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
pub(crate) mod tests;
