//! The configuration, `cosell.yaml`: connections, current values of variables, flows that are off, folders of the user's own
//! flows, the service's own address; and, of all that may differ between a trial and the real thing, one choice per environment.
//!
//! This file holds what a configuration is; `read` reads it, for one environment; [`service`] is the part about the service;
//! [`off`] says what is wrong with turning flows off.

pub mod off;
mod read;
pub mod service;

use std::collections::BTreeMap;

use cosell_model::catalogue::Limits;
use cosell_model::flow::Retry;
use cosell_model::{Span, Value};

pub use read::read;
pub use service::Service;

/// A configuration, read for one environment. Secrets in it are still names of environment variables and files.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// The environment it was read for; none where it has none.
    pub environment: Option<String>,
    /// Connections by name.
    pub connections: BTreeMap<String, ConnectionEntry>,
    /// Current values of variables.
    pub variables: BTreeMap<String, Setting>,
    /// Values of variables in the other environments, to check them as well.
    pub elsewhere: Vec<(String, Setting)>,
    /// Flows that are turned off, each with the place that says so.
    pub off: BTreeMap<String, Span>,
    /// Folders of the user's own flows, relative to the configuration.
    pub flows: Vec<String>,
    /// How failed attempts are repeated where a step does not say.
    pub retry: Option<Retry>,
    /// How the service runs.
    pub service: Service,
}

/// The current value of a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct ConnectionEntry {
    /// Its connector; the connection's own name where none is given.
    pub connector: String,
    /// Its settings.
    pub settings: Value,
    /// How much its remote system takes, where that is said; the connector knows the usual.
    pub limits: Limits,
    /// Where its name stands.
    pub span: Span,
}
