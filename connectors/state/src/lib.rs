//! Values that flows keep from one run to the next: the connector `state`.
//!
//! A flow that must know later what it saw or agreed to now keeps it here, under a key. There is no remote system behind
//! it: the values are in memory, or in one file that several processes can share.
//!
//! Read in this order: [`connection`] (settings), `log` (the file), `places` (where values stand in it), `search` (which values are meant), [`operations`].

pub mod connection;
#[cfg(test)]
mod contract;
mod log;
pub mod operations;
mod places;
mod search;

use cosell_sdk::Connector;

pub use connection::{Settings, State};

/// The connector, with all it offers.
pub fn connector() -> Connector {
    Connector::new::<State>(
        "state",
        "Kept values",
        "Values that flows keep from one run to the next, each under a key. A connection of this name is always there; \
         configure one to keep the values in another file.",
    )
    .operation::<operations::Get>()
    .operation::<operations::List>()
    .write::<operations::Put>()
    .write::<operations::Remove>()
    .build()
}
