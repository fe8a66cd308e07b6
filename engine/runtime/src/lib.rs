//! The engine: [`core`], a pure function from what happened to what to do, and the drivers that do it.
//!
//! Read [`core`] first, then [`memory`] (the engine), `driving` (a run being driven), [`keep`] (what outlives the process)
//! and `recovery` (going on with it), `keys` (who has which key), [`dispatch`] (from events to runs), `reading` (looking
//! without a run) and [`record`] (what happened, for people and machines).

pub mod core;
pub mod dispatch;
mod driving;
pub mod keep;
mod keys;
pub mod memory;
mod reading;
pub mod record;
mod recovery;
