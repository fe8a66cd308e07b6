//! Where events come in: web hooks over HTTP, and triggers that ask.
//!
//! [`hooks`] takes what remote systems send; [`polls`] asks those that do not send. Both hand events to the dispatcher.

pub mod hooks;
pub mod polls;
