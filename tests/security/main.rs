//! Who may start a run, whom we call for a stranger, and where secrets end up: through real HTTP, each row of a table a rule.
//!
//! `events` (what may be altered on the way: nothing), `certificates` (whose signature counts, and where it is looked up),
//! `callers` (web hooks with a secret), `secrets` (that none of them is written anywhere). What a single part refuses, its own
//! tests tell more of: `verify` in partner_center_events, `row_saved` in dataverse, `hooks` in the service.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../support/microsoft.rs"]
mod microsoft;
#[path = "../support/mod.rs"]
mod support;

mod callers;
mod certificates;
mod events;
mod secrets;
mod world;
