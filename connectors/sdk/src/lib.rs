//! The connector contract: what a connector is, and the kit to write one.
//!
//! A connector is a crate with
//!
//! 1. a connection type that knows an address and credentials: [`Connect`];
//! 2. one type per thing it can do: [`Operation`], with its input and output as documented Rust types, and [`Write`]
//!    where it changes something;
//! 3. one type per way it starts runs: [`WebhookTrigger`] or [`PollTrigger`];
//! 4. a function that lists them: [`Connector::new`], which reads like a table of contents.
//!
//! Read [`operation`] first, then [`error`] (what a connector must say when a call does not work), [`trigger`],
//! [`connector`]; the kit is [`settings`] (secrets), [`http`], [`sign_in`] and [`values`] (identifiers, what counts as
//! equal). Dry runs need [`foreseen`], [`filter`] and [`tape`]. With the feature `stub` there is a scripted server to test a connector
//! against, and with the feature `conformance` the kit that says when a connector keeps the contract.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod connector;
pub mod context;
pub mod error;
pub mod filter;
pub mod foreseen;
pub mod http;
pub mod operation;
pub mod settings;
pub mod sign_in;
#[cfg(feature = "stub")]
pub mod stub;
pub mod tape;
pub mod trigger;
pub mod values;

pub use connector::{Connect, Connection, Connector};
pub use context::{CallContext, RequestRecord};
pub use cosell_model::Effect;
pub use cosell_model::catalogue::Limits;
pub use error::{CallError, Meaning};
pub use foreseen::{Foreseen, ForeseenRecord};
pub use operation::{Change, Operation, Prediction, Write};
pub use schemars::{self, JsonSchema};
pub use serde_json::Value;
pub use tape::{Answer, NOT_RECORDED, Tape};
pub use trigger::{Incoming, Poll, PollTrigger, Refusal, Registration, TriggerEvent, WebhookTrigger};
