//! What can go wrong with the file, and what to do about it.

use std::path::{Path, PathBuf};

use cosell_runtime::keep::NotKept;
use rusqlite::{Error, ErrorCode};

/// Words for trouble with one file.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    path: PathBuf,
}

impl Trouble {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn say(&self, what: impl std::fmt::Display) -> NotKept {
        NotKept(format!("the journal `{}` {what}", self.path.display()))
    }

    pub(crate) fn missing(&self) -> NotKept {
        self.say("does not exist: `cosell serve` begins it")
    }

    pub(crate) fn taken(&self) -> NotKept {
        self.say("is in use by another cosell: only one program at a time may drive its runs; stop that one first")
    }

    pub(crate) fn file(&self, error: &std::io::Error) -> NotKept {
        self.say(format_args!("cannot be opened: {error}; check that its folder exists and may be written to"))
    }

    pub(crate) fn newer(&self, found: i64, known: i64) -> NotKept {
        self.say(format_args!(
            "is of version {found}, and this program knows versions up to {known}: use the newer program that wrote it"
        ))
    }

    pub(crate) fn older(error: &NotKept) -> NotKept {
        NotKept(format!("{error}. It is of an older version, and has to become one of today's before it can be read"))
    }

    pub(crate) fn foreign(&self) -> NotKept {
        self.say("is a SQLite file of something else: choose another path")
    }

    pub(crate) fn parked(&self) -> NotKept {
        self.say("could not take down an earlier part of this run, which waits to be gone on with")
    }

    pub(crate) fn closed(&self) -> NotKept {
        self.say("is closed, because the program is ending")
    }

    pub(crate) fn gap(&self, run: &str) -> NotKept {
        self.say(format_args!("lacks events of run {run}: run `cosell journal check`, and restore a copy of the file"))
    }

    pub(crate) fn unreadable(&self, run: &str, error: &serde_json::Error) -> NotKept {
        self.say(format_args!(
            "has an entry of run {run} that cannot be read ({error}): run `cosell journal check`, and restore a copy of the file"
        ))
    }

    /// What SQLite says, with its remedy.
    pub(crate) fn told(&self, error: &Error) -> NotKept {
        let what = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "cannot grow: the disk is full; free some space, and work goes on by itself",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "is locked by another program; close whatever has it open, and work goes on by itself"
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                "is damaged: run `cosell journal check`, and restore a copy of the file"
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                "cannot be written to: check the permissions of the file and its folder"
            }
            Some(ErrorCode::SystemIoFailure) => "cannot be read or written: the disk reports an error",
            _ => "cannot be used",
        };
        self.say(format_args!("{what} ({error})"))
    }
}
