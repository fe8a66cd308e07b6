//! What pages about flows say: how the runs of one flow went lately, and the versions in which flows are kept.

use cosell_model::FlowId;
use cosell_runtime::keep::NotKept;
use jiff::Timestamp;
use rusqlite::params;

use crate::Reader;
use crate::keeper::time;

/// Runs of one flow that nobody called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// How many began; so many or more where it is [`MOST`], as of the others.
    pub began: u32,
    /// How many of them failed.
    pub failed: u32,
    /// How many timed out.
    pub timed_out: u32,
    /// How many were cancelled.
    pub cancelled: u32,
}

/// A version of all flows, mappings and variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its name.
    pub version: String,
    /// Since when runs begin in it; where it came back after others, since it did.
    pub since: Timestamp,
    /// How many runs that nobody called are under way in it.
    pub under_way: u32,
}

/// As many runs are counted at most, so that no flow makes a page wait.
pub const MOST: u32 = 10_000;

/// Found in an index, so that the cost is that of the runs that are counted.
const BEGAN: &str = "SELECT count(*) FROM (SELECT 1 FROM runs INDEXED BY runs_by_flow
                     WHERE run = root AND flow = ?1 AND began >= ?2 LIMIT ?3)";
const ENDED: &str = "SELECT count(*) FROM (SELECT 1 FROM runs INDEXED BY runs_by_flow_and_outcome
                     WHERE run = root AND outcome <> 'succeeded' AND flow = ?1 AND began >= ?2 AND outcome = ?4 LIMIT ?3)";

impl Reader {
    /// How the runs of a flow went that began since.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn lately(&self, flow: &FlowId, since: Timestamp) -> Result<Lately, NotKept> {
        let since = since.as_microsecond();
        self.ask(|connection| {
            let began =
                connection.prepare_cached(BEGAN)?.query_row(params![flow.as_str(), since, MOST], |row| row.get(0))?;
            let mut ended = connection.prepare_cached(ENDED)?;
            let mut count = |outcome| ended.query_row(params![flow.as_str(), since, MOST, outcome], |row| row.get(0));
            Ok(Lately {
                began,
                failed: count("failed")?,
                timed_out: count("timed_out")?,
                cancelled: count("cancelled")?,
            })
        })
    }

    /// The versions that are kept, today's first: those in which runs began that are kept as well, or are under way.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn kept_versions(&self) -> Result<Vec<Version>, NotKept> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT v.version, v.kept, (SELECT count(*) FROM runs r INDEXED BY runs_under_way
                                            WHERE r.run = r.root AND r.ended IS NULL AND r.version = v.version)
                 FROM versions v ORDER BY v.rowid DESC",
            )?;
            let versions = select.query_map([], |row| {
                Ok(Version { version: row.get(0)?, since: time(row.get(1)?), under_way: row.get(2)? })
            })?;
            versions.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Journal;

    #[test]
    fn runs_of_a_flow_are_counted_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        for (sql, values) in [(BEGAN, &["f", "0", "9"][..]), (ENDED, &["f", "0", "9", "failed"])] {
            let plan: Vec<String> = journal
                .reader()
                .ask(|connection| {
                    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    explain.query_map(rusqlite::params_from_iter(values), |row| row.get("detail"))?.collect()
                })
                .unwrap();
            assert!(plan.iter().any(|line| line.starts_with("SEARCH runs USING INDEX runs_by_flow")), "{plan:#?}");
        }
        assert_eq!(journal.reader().lately(&FlowId::new("f"), Timestamp::UNIX_EPOCH).unwrap(), Lately::default());
    }

    #[tokio::test]
    async fn a_version_that_comes_back_is_todays() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        for version in ["one", "two", "one"] {
            journal.keep_version(version, &cosell_model::Value::Null).await.unwrap();
        }
        let kept = journal.reader().kept_versions().unwrap();
        let names: Vec<_> = kept.iter().map(|kept| (kept.version.as_str(), kept.under_way)).collect();
        assert_eq!(names, [("one", 0), ("two", 0)]);
        assert!(kept[0].since >= kept[1].since);
    }
}
