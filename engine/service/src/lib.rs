//! Where events come in: web hooks over HTTP, triggers that ask, and the clock; and where people look in.
//!
//! [`hooks`] takes what remote systems send, [`entrances`] what anybody else does; [`polls`] asks those that do not send, at
//! the times that `pace` says; [`schedules`] keeps times. All hand events to the dispatcher. [`registration`] sees to it that
//! remote systems send at all. [`watch`] sees what happens, and [`api`] shows it to people and does what they want done;
//! [`occasion`] is what runs begin with that they start.

pub mod api;
pub mod entrances;
pub mod hooks;
pub mod occasion;
mod pace;
pub mod polls;
pub mod registration;
pub mod schedules;
pub mod watch;
