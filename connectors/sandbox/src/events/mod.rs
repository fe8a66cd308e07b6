//! The stand-in for Partner Center's web hooks, to be read in this order: `signing` (the certificates), `state` (the
//! registration, the knobs, raising an event), `delivery` (attempts and retries), `forging` (events that must be refused), `routes` (the registration API),
//! `validation` (test events).
//!
//! Source of all facts: "Partner Center webhooks", "Partner Center webhook events" and their OpenAPI file.

mod delivery;
mod forging;
mod routes;
mod signing;
mod state;
mod validation;

pub(crate) use delivery::run;
pub(crate) use routes::router;
pub(crate) use signing::{Leaf, Signer};
pub(crate) use state::{Event, Events, Knobs, Registration};
