//! The engine: [`core`], a pure function from what happened to what to do, and the drivers that do it.
//!
//! Read [`core`] first, then [`memory`] (the driver in memory), [`dispatch`] (from events to runs) and [`record`] (what
//! happened, for people and machines).

pub mod core;
pub mod dispatch;
pub mod memory;
pub mod record;
