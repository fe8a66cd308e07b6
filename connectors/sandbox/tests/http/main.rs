//! The sandbox through real HTTP: `client` signs in and calls, `receiver` takes events, the rest are tests.
#![allow(clippy::unwrap_used)]

mod client;
mod events;
mod faults;
mod https;
mod people;
mod receiver;
mod referrals;
mod signing_in;
mod state;
