//! How many runs began in each hour, and how they ended.

use cosell_model::Outcome;
use cosell_runtime::keep::NotKept;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::Reader;
use crate::keeper::time;
use crate::read::Count;

/// An hour, in microseconds.
const HOUR: i64 = 3_600_000_000;

/// When the first of the runs began that nobody called and that did not begin before.
const NEXT: &str =
    "SELECT began FROM runs INDEXED BY runs_by_time WHERE run = root AND began >= ?1 ORDER BY began LIMIT 1";

/// All runs of a time, and those that are under way. All are counted in an index alone; those that succeeded are what is left
/// without the others, which are few, and in indexes of their own. To look into each of them takes ten times as long.
const ALL: &str = "SELECT
    (SELECT count(*) FROM runs INDEXED BY runs_by_time WHERE run = root AND began >= ?1 AND began < ?2),
    (SELECT count(*) FROM runs INDEXED BY runs_under_way WHERE run = root AND ended IS NULL AND began >= ?1 AND began < ?2)";

/// Those of a time that ended otherwise than well, by how they did.
const RARE: &str = "(SELECT count(*) FROM runs INDEXED BY runs_by_outcome
     WHERE run = root AND outcome <> 'succeeded' AND outcome = '{}' AND began >= ?1 AND began < ?2)";

/// In the order of their words.
const RARELY: [Outcome; 4] = [Outcome::Cancelled, Outcome::Failed, Outcome::Skipped, Outcome::TimedOut];

/// One statement, so that a run that ends meanwhile is counted once.
fn counting() -> String {
    RARELY.iter().fold(ALL.to_owned(), |sql, outcome| format!("{sql}, {}", RARE.replace("{}", outcome.as_str())))
}

impl Reader {
    /// How many runs that nobody called began in each hour since, by how they ended.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn counts(&self, since: Timestamp) -> Result<Vec<Count>, NotKept> {
        self.ask(|connection| {
            let mut next = connection.prepare_cached(NEXT)?;
            let mut counting = connection.prepare_cached(&counting())?;
            let (mut counts, mut from) = (Vec::new(), since.as_microsecond());
            while let Some(began) = next.query_row([from], |row| row.get::<_, i64>(0)).optional()? {
                let hour = began.div_euclid(HOUR) * HOUR;
                let counted: [u32; 6] = counting.query_row(params![from.max(hour), hour + HOUR], |row| {
                    Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?])
                })?;
                let [all, under_way, rare @ ..] = counted;
                let well = all.saturating_sub(under_way + rare.iter().sum::<u32>());
                let ended = RARELY.into_iter().zip(rare).chain([(Outcome::Succeeded, well)]);
                let ended = ended.map(|(outcome, runs)| (Some(outcome.as_str().to_owned()), runs));
                let there = [(None, under_way)].into_iter().chain(ended).filter(|(_, runs)| *runs > 0);
                counts.extend(there.map(|(outcome, runs)| Count { hour: time(hour), outcome, runs }));
                from = hour + HOUR;
            }
            Ok(counts)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Journal;

    #[test]
    fn runs_are_counted_in_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        for (sql, bound, searches) in [(NEXT.to_owned(), 1, 1), (counting(), 2, 6)] {
            let plan: Vec<String> = journal
                .reader()
                .ask(|connection| {
                    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    explain.query_map(rusqlite::params_from_iter(vec![0; bound]), |row| row.get("detail"))?.collect()
                })
                .unwrap();
            let found = plan.iter().filter(|line| line.starts_with("SEARCH runs USING")).count();
            assert_eq!(found, searches, "{plan:#?}");
            assert!(plan.iter().any(|line| line.contains("COVERING INDEX runs_by_time")), "{plan:#?}");
        }
    }
}
