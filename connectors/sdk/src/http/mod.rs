//! The HTTP kit: a client for one remote system that classifies every failure, once and the same way for all.
//!
//! It never tries again by itself, with one exception: a 401 had no effect, so it renews the token once and sends once
//! more. It follows no redirects and speaks to no other host, since a token goes with every request.
//!
//! Read in this order: [`client`] (how a connector makes requests), `response` (what comes back), `address`
//! (where requests may go), `classify` (what a
//! failure means), `fault` (what the remote system says of it), `download` (a small public file).

mod address;
mod classify;
pub mod client;
mod download;
mod fault;
mod response;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::error::CallError;

pub use address::Address;
pub use classify::{Failure, meaning, retry_after};
pub use client::{Client, Credentials, Request};
pub use download::download;
pub use fault::normalise_code;
pub(crate) use fault::scrub_text;
pub use reqwest::Method;
pub use reqwest::header::HeaderName;
pub use response::Response;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The transport beneath: no redirects, bounded waiting.
pub(crate) fn transport() -> Result<reqwest::Client, CallError> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("cosell/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| CallError::rejected("no_transport", format!("cannot prepare for TLS connections: {error}")))
}
