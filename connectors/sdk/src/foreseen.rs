//! What predicted writes would have left behind, for the calls after them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// Records as predicted writes to one connection would have left them. Cheap to clone; all clones are the same.
///
/// A connector notes here what its predictions make of a record, and its reads *by identifier* look here first. What is
/// searched for is found as it is: a search knows nothing of what is only predicted.
#[derive(Clone, Debug, Default)]
pub struct Foreseen {
    records: Arc<Mutex<HashMap<String, Option<Value>>>>,
}

impl Foreseen {
    /// Notes that `record`, by the connector's own name for it, would be so; none where it would be gone.
    pub(crate) fn note(&self, record: String, value: Option<Value>) {
        self.records().insert(record, value);
    }

    /// What would have become of a record: none where no prediction was about it, and within it none where it would be
    /// gone.
    pub(crate) fn of(&self, record: &str) -> Option<Option<Value>> {
        self.records().get(record).cloned()
    }

    fn records(&self) -> MutexGuard<'_, HashMap<String, Option<Value>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
