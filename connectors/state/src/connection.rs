//! A connection: where the values are kept.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cosell_sdk::{CallError, Connect, JsonSchema};
use serde::Deserialize;
use serde_json::Value;

use crate::log::Log;

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
    Memory(Mutex<HashMap<String, Value>>),
    File(Arc<Mutex<Log>>),
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
            Store::Memory(values) => Ok(locked(values).get(&key).cloned()),
            Store::File(log) => blocking(log, move |log| log.get(&key)).await,
        }
    }

    /// Keeps a value under a key, or none; whether that changed anything.
    pub(crate) async fn set(&self, key: String, value: Option<Value>) -> Result<bool, CallError> {
        match (&self.store, value) {
            (Store::Memory(values), Some(value)) => {
                let mut values = locked(values);
                let changed = values.get(&key) != Some(&value);
                values.insert(key, value);
                Ok(changed)
            }
            (Store::Memory(values), None) => Ok(locked(values).remove(&key).is_some()),
            (Store::File(log), value) => blocking(log, move |log| log.set(&key, value.as_ref())).await,
        }
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
