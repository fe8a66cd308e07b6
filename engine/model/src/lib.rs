//! Plain data that every part of cosell speaks in: no network, no clock, no threads.
//!
//! Read in this order: [`ids`] (names), [`outcome`] (how a step can end), [`span`] and [`node`] (values as written, with
//! their places), [`flow`] (a flow as written), [`catalogue`] (what connectors offer), [`tables`] (what a remote
//! system says of its tables), [`diagnostic`] (a finding); [`spans`] puts spans of time into words, [`words`] numbers of things,
//! [`fnv`] texts into a number.
//!
//! A JSON value is [`serde_json::Value`] everywhere, called [`Value`].

pub mod catalogue;
pub mod diagnostic;
pub mod flow;
pub mod fnv;
pub mod ids;
pub mod node;
pub mod outcome;
pub mod span;
pub mod spans;
pub mod tables;
pub mod words;

pub use catalogue::{Catalogue, Effect, OperationDescription, Schema, TriggerDescription};
pub use diagnostic::{Diagnostic, Severity};
pub use ids::{FlowId, OperationName, SourceName, StepId};
pub use node::Node;
pub use outcome::{Accepts, Failure, Outcome};
pub use serde_json::Value;
pub use span::{Span, Spanned};
