//! The log of every request that reached a stand-in, and of what each changed.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One request as a stand-in saw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the log, from 1.
    pub number: u64,
    /// When it arrived, in simulated time.
    pub at: Timestamp,
    /// `entra`, `partner_center`, `partner_center_events` or `dataverse`; `control` where a simulated person worked
    /// through the control API.
    pub system: String,
    /// Display name of who called, where the stand-in could tell.
    pub actor: Option<String>,
    /// HTTP method.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// HTTP status answered; 0 where a fault cut the connection.
    pub status: u16,
    /// Name of the fault that struck, if any.
    pub fault: Option<String>,
    /// What the request changed; empty for reads, refusals and writes of equal values.
    pub changes: Vec<Change>,
}

/// One field of one record that a request changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `referral <id>` or `<table> <id>`.
    pub record: String,
    /// The record's display name.
    pub title: String,
    /// JSON pointer in a referral, logical column name in a row.
    pub field: String,
    /// Value before; null for a new record.
    pub old: Value,
    /// Value after.
    pub new: Value,
}

/// Put into a response's extensions by a handler, so that the log shows what the request changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(pub(crate) Vec<Change>);

/// Put into a response's extensions by a handler, so that the log shows who called.
#[derive(Clone, Debug)]
pub(crate) struct Actor(pub(crate) String);

/// All entries since the last reset.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Mutex<Vec<Entry>>,
}

impl Log {
    /// Appends `entry`, giving it its number.
    pub(crate) fn append(&self, mut entry: Entry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entry.number = entries.len() as u64 + 1;
        entries.push(entry);
    }

    /// The entries after number `after`.
    pub(crate) fn since(&self, after: u64) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().skip(after as usize).cloned().collect()
    }

    /// How many entries there are.
    pub(crate) fn count(&self) -> u64 {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Forgets all entries.
    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
