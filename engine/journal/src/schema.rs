//! The tables, and how a file of an older version becomes one of today's.

use std::time::Duration;

use cosell_runtime::keep::NotKept;
use rusqlite::{Connection, Transaction};

use crate::trouble::Trouble;

/// Marks the file as a journal: "csll".
const APPLICATION: i64 = 0x6373_6c6c;

/// How long another program, such as a copying one, may hold the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// What makes a file of each version from one of the version before; the first begins it.
const MIGRATIONS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// The version of today's files.
#[expect(clippy::cast_possible_wrap, reason = "there are few")]
const NEWEST: i64 = MIGRATIONS.len() as i64;

/// Sets what must hold for every writing connection.
pub(crate) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on the disk when it returns, whatever happens to the machine.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // 16 MB of pages, and at most as much of a log left behind.
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update(None, "journal_size_limit", 16_000_000)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Brings the file to today's version, all or nothing.
pub(crate) fn migrate(connection: &mut Connection, trouble: &Trouble) -> Result<(), NotKept> {
    let told = |error: &rusqlite::Error| trouble.told(error);
    let found = version(connection).map_err(|error| told(&error))?;
    let application = application(connection).map_err(|error| told(&error))?;
    if found > NEWEST {
        return Err(trouble.newer(found, NEWEST));
    }
    if application != APPLICATION && (application != 0 || found != 0) {
        return Err(trouble.foreign());
    }
    let missing = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..)).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    let migrate = |connection: &mut Connection| {
        let change = connection.transaction()?;
        for migration in missing {
            change.execute_batch(migration)?;
        }
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.pragma_update(None, "user_version", NEWEST)?;
        change.commit()
    };
    migrate(connection).map_err(|error| told(&error))
}

/// Writes what is there already: the smallest change that goes to the disk.
pub(crate) fn rewrite_version(change: &Transaction<'_>) -> rusqlite::Result<()> {
    change.pragma_update(None, "user_version", NEWEST)
}

/// Whether the file is of a version before today's, whose tables are others.
pub(crate) fn is_older(connection: &Connection, trouble: &Trouble) -> Result<bool, NotKept> {
    connection.busy_timeout(PATIENCE).map_err(|error| trouble.told(&error))?;
    let found = version(connection).map_err(|error| trouble.told(&error))?;
    if application(connection).map_err(|error| trouble.told(&error))? != APPLICATION {
        return Err(trouble.foreign());
    }
    if found > NEWEST { Err(trouble.newer(found, NEWEST)) } else { Ok(found < NEWEST) }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn application(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use jiff::Timestamp;

    use super::*;
    use crate::read::Filter;
    use crate::{Journal, Reader};

    /// A journal of the first version, with two runs that began with a text.
    fn of_the_first_version(path: &Path, more: &str) {
        let connection = Connection::open(path).unwrap();
        let rows = "INSERT INTO runs (run, root, flow, version, plan, trigger, inputs, left_out, life, skipped, began)
                VALUES ('a', 'a', 'f', 'v', 0, '\"Tailwind\"', 'null', 0, 0, '[]', 1),
                       ('b', 'b', 'f', 'v', 0, '\"Tailspin\"', 'null', 0, 0, '[]', 2);
            INSERT INTO searched (number, run) VALUES (1, 'a');
            INSERT INTO words (rowid, text) VALUES (1, 'Tailwind');";
        connection.execute_batch(&[MIGRATIONS[0], more, rows].concat()).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
    }

    /// What has a word and began before a time, in microseconds.
    fn found(reader: &Reader, text: &str, until: i64) -> Vec<String> {
        let until = Timestamp::from_microsecond(until).unwrap();
        let filter = Filter { text: Some(text.to_owned()), until: Some(until), ..Filter::default() };
        reader.runs(&filter).unwrap().into_iter().map(|run| run.run).collect()
    }

    #[test]
    fn an_older_file_becomes_one_of_today_when_it_is_opened_for_whatever() {
        // For a while files of the first version had the index of the second.
        let early = "DROP INDEX runs_by_time; CREATE INDEX runs_by_time ON runs (began, run, root) WHERE run = root;";
        for more in ["", early] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal.db");
            of_the_first_version(&path, more);
            let reader = Reader::open(&path).unwrap();
            assert_eq!(found(&reader, "tail", 3), ["b", "a"], "what is there, and what was not noted yet");
            assert_eq!(found(&reader, "tail", 2), ["a"]);
            assert_eq!(reader.counts(Timestamp::UNIX_EPOCH).unwrap()[0].runs, 2);
            assert_eq!(reader.check().unwrap(), [""; 0]);
            let today = folder.path().join("today.db");
            let tables = |path: &Path| -> Vec<(String, Option<String>)> {
                let connection = Connection::open(path).unwrap();
                let mut select = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
                select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
            };
            drop(Journal::open(&today).unwrap());
            assert_eq!(tables(&path), tables(&today), "a file that was brought up to date is as one that is new");
            assert_eq!(found(Journal::open(&path).unwrap().reader(), "tailwind", 3), ["a"]);
        }
    }

    #[test]
    fn an_older_file_that_an_older_program_has_open_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let _open = Journal::open(&path).unwrap();
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
        let refused = Reader::open(&path).err().unwrap().to_string();
        assert!(refused.contains("in use by another cosell"), "{refused}");
        assert!(refused.ends_with("has to become one of today's before it can be read"), "{refused}");
    }

    #[test]
    fn a_file_that_cannot_be_brought_to_today_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        of_the_first_version(&path, "CREATE TABLE shelves (in_the_way INTEGER);");
        for refused in [Journal::open(&path).map(drop), Reader::open(&path).map(drop)] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("journal.db") && refused.contains("shelves"), "{refused}");
        }
        let connection = Connection::open(&path).unwrap();
        let index: String = connection
            .query_row("SELECT sql FROM sqlite_schema WHERE name = 'runs_by_time'", [], |row| row.get(0))
            .unwrap();
        assert_eq!((version(&connection).unwrap(), index.contains("root)")), (1, false), "{index}");
    }
}
