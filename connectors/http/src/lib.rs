//! Any other system that speaks HTTP and JSON: the connector `http`.
//!
//! A connection knows one address and one way to authenticate, and speaks to no other host. Where a system is used much,
//! a connector of its own says more; this one is for the rest.
//!
//! Read in this order: [`connection`] (settings and authentication), [`request`] (what a request is made of),
//! [`operations`].

pub mod connection;
#[cfg(test)]
mod contract;
pub mod operations;
pub mod request;

use cosell_sdk::{Connector, Limits};

pub use connection::{Http, Settings};

/// The connector, with all it offers.
pub fn connector() -> Connector {
    Connector::new::<Http>(
        "http",
        "Any HTTP API",
        "Any system that speaks HTTP and JSON, for which there is no connector of its own.",
    )
    // Nothing is known of the system.
    .limits(Limits::at_once(8))
    .operation::<operations::Get>()
    .operation::<operations::GetAll>()
    .write::<operations::SendRequest>()
    .build()
}
