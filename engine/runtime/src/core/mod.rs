//! The heart: [`advance`](advance::advance), a pure function from what happened to what to do.
//!
//! No clock, no chance, no I/O: time comes in with each event, order is the order of the file, and the jitter of retries
//! is computed from names. The same function runs live, in recovery, in tests and in previews.
//!
//! Read in this order: [`event`] (what comes in and goes out), [`state`] (what is known of a run), [`advance`] (the
//! function), [`start`] (what each kind of step does), [`settle`] (what follows when a step ends, and the leaf rule),
//! [`rounds`] (loops), [`keys`] (scopes that never overlap), [`retry`] (waits between attempts), [`view`] (a run's data as expressions see it), [`entry`]
//! (whether and under which key a run begins).

pub mod advance;
pub mod entry;
pub mod event;
pub(crate) mod keys;
pub(crate) mod retry;
pub(crate) mod rounds;
pub(crate) mod settle;
pub(crate) mod start;
pub mod state;
pub mod view;
