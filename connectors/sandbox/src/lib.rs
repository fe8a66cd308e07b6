//! Local stand-ins of Entra ID, Partner Center's Referrals API, its events, and Dataverse: for tests, demonstrations and
//! work on a laptop.
//!
//! They are a strict judge: they share no code with the connectors, and refuse what the real services are documented to
//! refuse. Each system listens on its own port of the loopback interface; a control API plays the people (a Microsoft seller,
//! somebody in the CRM), moves the clock and orders faults.
//!
//! To be read in this order: `core` (clock, log, tokens, faults), `tls` and `serve`, then one folder per system (`entra`,
//! `partner_center`, `events`, `dataverse`), `world`, which holds them, `control`, and
//! `state_file`, which keeps them from one run to the next.

mod control;
mod core;
mod dataverse;
mod entra;
mod events;
mod partner_center;
mod serve;
mod start;
mod state_file;
mod tls;
mod world;

pub use crate::core::log::{Change, Entry};
pub use start::{Addresses, Options, Ports, Sandbox, StartError};
