//! Partner Center's events: the connector `partner_center_events`.
//!
//! Partner Center calls a registered address when a referral is created or changed. This connector verifies and reads
//! these calls, and looks after the registration.
//!
//! Read in this order: [`connection`] (settings), [`received`] (the trigger), `verify` (whether a call is really from
//! Microsoft), `registration` and [`operations`].

pub mod connection;
#[cfg(test)]
mod contract;
pub mod operations;
pub mod received;
mod registration;
#[cfg(test)]
mod testing;
mod verify;

use std::time::Duration;

use cosell_sdk::{Connector, Limits};

pub use connection::{PartnerCenterEvents, Settings};
pub use verify::Revocation;

/// The connector, with all it offers.
pub fn connector() -> Connector {
    Connector::new::<PartnerCenterEvents>(
        "partner_center_events",
        "Partner Center events",
        "Events of Microsoft Partner Center, by its webhooks.",
    )
    // 100 calls per connection in sixty seconds is the platform's usual figure; the API's own is not published.
    .limits(Limits::at_once(4).and(100, Duration::from_secs(60)))
    .webhook::<received::Received>()
    .operation::<operations::ViewRegistration>()
    .operation::<operations::ListEvents>()
    .write::<operations::Register>()
    .write::<operations::RequestValidationEvent>()
    .build()
}
