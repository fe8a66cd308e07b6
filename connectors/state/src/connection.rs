//! A connection: where the values are kept.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cosell_sdk::{CallError, Connect, JsonSchema};
use serde::Deserialize;
use serde_json::Value;

use crate::log::Log;
use crate::operations::Kept;
use crate::search::Search;

/// Settings of kept values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file that keeps the values, such as `/var/lib/cosell/state.jsonl`, relative to the configuration; it is made
    /// where there is none, and beside it one with `.lock` behind its name. In memory, and gone when the program ends, when
    /// not given.
    #[serde(default)]
    pub file: Option<PathBuf>,
}

/// A connection to kept values.
#[derive(Debug)]
pub struct State {
    store: Store,
}

#[derive(Debug)]
enum Store {
    Memory(Mutex<Values>),
    File(Arc<Mutex<Log>>),
}

/// Values in memory, each with the number of the change that wrote it.
#[derive(Debug, Default)]
struct Values {
    kept: HashMap<String, (u64, Value)>,
    changes: u64,
}

impl Connect for State {
    type Settings = Settings;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        let store = match settings.file {
            None => Store::Memory(Mutex::default()),
            Some(file) => Store::File(Arc::new(Mutex::new(Log::new(file)))),
        };
        Ok(Self { store })
    }
}

impl State {
    /// The value under a key.
    pub(crate) async fn get(&self, key: String) -> Result<Option<Value>, CallError> {
        match &self.store {
            Store::Memory(values) => Ok(locked(values).kept.get(&key).map(|(_, value)| value.clone())),
            Store::File(log) => blocking(log, move |log| log.get(&key)).await,
        }
    }

    /// Keeps a value under a key, or none; whether that changed anything.
    pub(crate) async fn set(&self, key: String, value: Option<Value>) -> Result<bool, CallError> {
        match (&self.store, value) {
            (Store::Memory(values), Some(value)) => Ok(locked(values).put(key, value)),
            (Store::Memory(values), None) => Ok(locked(values).kept.remove(&key).is_some()),
            (Store::File(log), value) => blocking(log, move |log| log.set(&key, value.as_ref())).await,
        }
    }

    /// Values that are meant, the most recently written first.
    pub(crate) async fn list(&self, search: Search) -> Result<Vec<Kept>, CallError> {
        match &self.store {
            Store::Memory(values) => Ok(locked(values).list(&search)),
            Store::File(log) => blocking(log, move |log| log.list(&search)).await,
        }
    }
}

impl Values {
    fn put(&mut self, key: String, value: Value) -> bool {
        if self.kept.get(&key).is_some_and(|(_, kept)| *kept == value) {
            return false;
        }
        self.changes += 1;
        self.kept.insert(key, (self.changes, value));
        true
    }

    fn list(&self, search: &Search) -> Vec<Kept> {
        let change = |key: &Option<String>| Some(self.kept.get(key.as_ref()?)?.0);
        let (older, newer) = (change(&search.after).unwrap_or(u64::MAX), change(&search.before));
        let is_there = |change: u64| change < older && newer.is_none_or(|newer| change > newer);
        let meant = self.kept.iter().filter(|(key, (change, value))| {
            is_there(*change) && key.starts_with(&search.prefix) && search.means(key, value)
        });
        let mut meant: Vec<_> = meant.collect();
        meant.sort_unstable_by_key(|(_, (change, _))| std::cmp::Reverse(*change));
        if newer.is_some() {
            meant.drain(..meant.len().saturating_sub(search.most));
        }
        let page = meant.into_iter().take(search.most);
        page.map(|(key, (_, value))| Kept { key: key.clone(), value: value.clone() }).collect()
    }
}

fn locked<T>(values: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    values.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Files are read and written where waiting for them holds nobody up.
async fn blocking<T: Send + 'static>(
    log: &Arc<Mutex<Log>>,
    work: impl FnOnce(&mut Log) -> Result<T, CallError> + Send + 'static,
) -> Result<T, CallError> {
    let log = Arc::clone(log);
    let done = tokio::task::spawn_blocking(move || work(&mut locked(&log))).await;
    done.unwrap_or_else(|error| Err(CallError::rejected("state_failed", format!("the work was cut off: {error}"))))
}
