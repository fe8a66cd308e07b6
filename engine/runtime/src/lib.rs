//! The engine: [`core`], a pure function from what happened to what to do, and the drivers that do it.
//!
//! Read [`core`] first, then [`memory`] (the driver in memory), `keys` (who has which key), [`dispatch`] (from events to
//! runs), `reading` (looking without a run) and [`record`] (what happened, for people and machines).

pub mod core;
pub mod dispatch;
mod keys;
pub mod memory;
mod reading;
pub mod record;
