//! The journal: what outlives the process, in one SQLite file. The only place that knows SQL.
//!
//! One thread writes; what all runs hand over while it commits goes into its next commit ([`writer`](self)). Readers have a
//! connection of their own and never wait for it.
//!
//! Read in this order: `schema` (the tables), `writer`, `keeper` (runs), [`inbox`] (events that are to become runs),
//! [`read`] (lists for people), `words` (runs by the texts they began with), [`past`] (one run with all that it called), [`lately`] (what pages about flows say), `hours`
//! (how many runs there were), [`waits`] (what is no run), [`upkeep`] (retention, checking), `trouble` (what can go wrong, and what to do).

mod hours;
pub mod inbox;
mod keeper;
pub mod lately;
pub mod past;
pub mod read;
mod schema;
mod trouble;
pub mod upkeep;
pub mod waits;
mod words;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cosell_runtime::keep::NotKept;
use rusqlite::{Connection, OpenFlags};

use trouble::Trouble;
use writer::Writer;

/// An open journal; clones share it. The last clone to go waits until everything handed over is written.
#[derive(Clone)]
pub struct Journal {
    opened: Arc<Opened>,
}

struct Opened {
    writer: Writer,
    reader: Reader,
    /// Held while the file is written to: two programs that drive the same runs would do everything twice.
    _lock: File,
}

/// A connection that only reads.
pub struct Reader {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl Journal {
    /// Opens the journal at `path`, or begins one there.
    ///
    /// # Errors
    /// Another program has it open; it is of a newer version, is damaged, or is no journal; it cannot be written to.
    pub fn open(path: &Path) -> Result<Self, NotKept> {
        let trouble = Trouble::new(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| trouble.file(&error))?;
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_extension("lock"))
            .map_err(|error| trouble.file(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(trouble.taken()),
            Err(TryLockError::Error(error)) => return Err(trouble.file(&error)),
        }
        // Each connection is used by one thread at a time, so it needs no locks of its own.
        let flags = OpenFlags::default() | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(|error| trouble.told(&error))?;
        schema::prepare(&mut connection).map_err(|error| trouble.told(&error))?;
        schema::migrate(&mut connection, &trouble)?;
        words::note_missing_words(&mut connection).map_err(|error| trouble.told(&error))?;
        let reader = Reader::open(path)?;
        let writer = Writer::begin(connection, trouble).map_err(|error| Trouble::new(path).file(&error))?;
        Ok(Self { opened: Arc::new(Opened { writer, reader, _lock: lock }) })
    }

    fn writer(&self) -> &Writer {
        &self.opened.writer
    }

    /// The connection that only reads.
    pub fn reader(&self) -> &Reader {
        &self.opened.reader
    }

    /// Waits until something has been written, to learn whether anything can be.
    ///
    /// # Errors
    /// It cannot.
    pub async fn writable(&self) -> Result<(), NotKept> {
        self.writer().written(Box::new(schema::rewrite_version)).await
    }

    /// From now on `heard` is told how long each commit took; the first to ask is the only one.
    pub fn on_commit(&self, heard: impl Fn(Duration) + Send + Sync + 'static) {
        self.writer().on_commit(Box::new(heard));
    }

    /// Waits until everything handed over so far is written.
    ///
    /// # Errors
    /// Nothing can be written any more.
    pub async fn flushed(&self) -> Result<(), NotKept> {
        self.writer().caught_up().await
    }
}

impl Reader {
    /// Opens the journal at `path` for reading, also while a service writes to it.
    ///
    /// # Errors
    /// There is none, it is of a newer version, or it cannot be read; it is of an older version, and cannot be brought to
    /// today's, since another program has it open.
    pub fn open(path: &Path) -> Result<Self, NotKept> {
        let trouble = Trouble::new(path);
        if !path.exists() {
            return Err(trouble.missing());
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| trouble.told(&error))?;
        if schema::is_older(&connection, &trouble)? {
            drop(connection);
            drop(Journal::open(path).map_err(|error| Trouble::older(&error))?);
            return Self::open(path);
        }
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(|error| trouble.told(&error))?;
        // A search has statements for each shelf of words.
        connection.set_prepared_statement_cache_capacity(256);
        Ok(Self { connection: Mutex::new(connection), path: path.to_owned() })
    }

    /// Another connection to the same file, so that neither waits for what the other reads.
    ///
    /// # Errors
    /// The file cannot be opened once more.
    pub fn another(&self) -> Result<Self, NotKept> {
        Self::open(&self.path)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, NotKept> {
        ask(&self.connection()).map_err(|error| Trouble::new(&self.path).told(&error))
    }
}
