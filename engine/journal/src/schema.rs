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
const MIGRATIONS: [&str; 1] = [include_str!("schema/1.sql")];

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

/// Whether the file can be read as it is.
pub(crate) fn readable(connection: &Connection, trouble: &Trouble) -> Result<(), NotKept> {
    connection.busy_timeout(PATIENCE).map_err(|error| trouble.told(&error))?;
    let found = version(connection).map_err(|error| trouble.told(&error))?;
    if application(connection).map_err(|error| trouble.told(&error))? != APPLICATION {
        return Err(trouble.foreign());
    }
    if found > NEWEST { Err(trouble.newer(found, NEWEST)) } else { Ok(()) }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn application(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}
