//! The engine: [`core`], a pure function from what happened to what to do, and the drivers that do it.
//!
//! Read [`core`] first, then [`memory`] (the engine), `running` (runs from beginning to end), `driving` (one being driven), [`keep`] (what outlives the process)
//! and `recovery` (going on with it), `keys` (who has which key), `gate`, `limits` and `breaker` (when a connection may be
//! called), [`inbox`], [`dispatch`], `lanes`, `backlog` and `debounce` (from events to runs), [`answer`] (to whoever started one), `reading` (looking
//! without a run), [`record`] (what happened, for people and machines), [`preview`] (what would happen, found by a dry run) and
//! [`recording`] (a dry run that can be played again without the systems).

pub mod answer;
mod backlog;
mod breaker;
pub mod core;
mod debounce;
pub mod dispatch;
mod driving;
mod gate;
pub mod inbox;
pub mod keep;
mod keys;
mod lanes;
mod limits;
pub mod memory;
pub mod preview;
mod reading;
pub mod record;
pub mod recording;
mod recovery;
mod running;
