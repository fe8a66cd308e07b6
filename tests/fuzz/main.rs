//! Whatever comes from outside: an answer or an error, never a panic, never a hang, never memory without end.
//!
//! One target for each parser that meets strange bytes. As ordinary tests they run for a second each, from a random seed that a
//! failure prints; `BOLERO_RANDOM_TEST_TIME_MS=300000 cargo test --test fuzz` runs them for five minutes each, and `cargo
//! bolero test --test fuzz NAME` guided by coverage.
//!
//! `change` makes strange input out of good one, `server` answers with bytes as they are. The targets: `files` (flows,
//! mappings, expressions, the configuration), `hooks` (what is sent to us), `answers` (what we are answered), `signatures` (certificates
//! and lists of revoked ones), `kept` (our own files, damaged). What only the command line reads is held beside it, in `cosell-cli`.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../support/microsoft.rs"]
mod microsoft;
#[path = "../support/operations.rs"]
mod operations;
#[path = "../support/mod.rs"]
mod support;

mod answers;
mod change;
mod files;
mod hooks;
#[cfg(unix)]
mod kept;
mod server;
mod signatures;
