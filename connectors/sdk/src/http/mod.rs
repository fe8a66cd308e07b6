//! The HTTP kit: a client for one remote system that classifies every failure, once and the same way for all.
//!
//! It never tries again by itself, with one exception: a 401 had no effect, so it renews the token once and sends once
//! more. It follows no redirects and speaks to no other host, since a token goes with every request.
//!
//! Read in this order: [`client`] (how a connector makes requests), `response` (what comes back), `address`
//! (where requests may go), `body` (how much is read), `classify` (what a
//! failure means), `fault` (what the remote system says of it), `transport` (TLS, and whom it trusts), `taped` (requests of
//! dry runs that are recorded or played back), `download` (a small public file).

mod address;
mod body;
mod classify;
pub mod client;
mod download;
mod fault;
mod response;
mod taped;
#[cfg(test)]
mod tests;
mod transport;

pub use address::Address;
pub(crate) use body::{Unread, read_body};
pub use classify::{Failure, meaning, retry_after};
pub use client::{Client, Credentials, Request};
pub use download::download;
pub use fault::normalise_code;
pub(crate) use fault::scrub_text;
pub use reqwest::Method;
pub use reqwest::header::HeaderName;
pub use response::Response;
pub use transport::Transport;
