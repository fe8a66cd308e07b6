//! What predicted writes would have left behind, for the calls after them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// Records as predicted writes to one connection would have left them. Cheap to clone; all clones are the same.
///
/// A connector notes here what its predictions make of a record. Its reads by identifier look here first, and its searches
/// lay what stands here over what the remote system answers; [`crate::filter`] says which records a condition finds.
#[derive(Clone, Debug, Default)]
pub struct Foreseen {
    records: Arc<Mutex<Records>>,
}

#[derive(Debug, Default)]
struct Records {
    by_name: HashMap<String, Noted>,
    notes: u64,
}

#[derive(Debug)]
struct Noted {
    value: Option<Value>,
    first: u64,
    last: u64,
}

/// A record that a prediction was about.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeseenRecord {
    /// Its name, as the connector gave it.
    pub name: String,
    /// How it would be; none where it would be gone.
    pub value: Option<Value>,
    /// Grows with each prediction: of two records, the one with more was written later.
    pub written: u64,
}

impl Foreseen {
    /// Notes that `record`, by the connector's own name for it, would be so; none where it would be gone.
    pub(crate) fn note(&self, record: String, value: Option<Value>) {
        let mut records = self.records();
        records.notes += 1;
        let last = records.notes;
        let first = records.by_name.get(&record).map_or(last, |noted| noted.first);
        records.by_name.insert(record, Noted { value, first, last });
    }

    /// What would have become of a record: none where no prediction was about it, and within it none where it would be
    /// gone.
    pub(crate) fn of(&self, record: &str) -> Option<Option<Value>> {
        self.records().by_name.get(record).map(|noted| noted.value.clone())
    }

    /// All records whose names begin so, in the order in which predictions were first about them.
    pub(crate) fn among(&self, prefix: &str) -> Vec<ForeseenRecord> {
        let records = self.records();
        let mut among: Vec<_> = records.by_name.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
        among.sort_unstable_by_key(|(_, noted)| noted.first);
        let record = |(name, noted): (&String, &Noted)| ForeseenRecord {
            name: name.clone(),
            value: noted.value.clone(),
            written: noted.last,
        };
        among.into_iter().map(record).collect()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn records_keep_their_place_and_tell_when_they_were_written_last() {
        let foreseen = Foreseen::default();
        for (name, value) in [("rows(b)", Some(1)), ("rows(a)", Some(2)), ("others(c)", Some(3)), ("rows(b)", None)] {
            foreseen.note(name.to_owned(), value.map(|value| json!(value)));
        }
        let among = foreseen.among("rows(");
        let told: Vec<_> = among.iter().map(|record| (record.name.as_str(), record.value.clone())).collect();
        assert_eq!(told, [("rows(b)", None), ("rows(a)", Some(json!(2)))]);
        assert!(among[0].written > among[1].written);
        assert_eq!((foreseen.of("rows(b)"), foreseen.of("rows(x)")), (Some(None), None));
    }
}
