//! What connectors offer, as plain data: all that the compiler knows of them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::OperationName;

/// A JSON Schema (draft 2020-12).
pub type Schema = Value;

/// What an operation does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing: it may be repeated, and may run beside others.
    Read,
    /// It changes something: it keeps its place in the file's order and is never repeated blindly.
    Write,
}

/// One thing a connector can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationDescription {
    /// Name within the connector, a verb and a noun: `get_referral`.
    pub name: String,
    /// A title for people.
    pub title: String,
    /// What it does, in a sentence or two.
    pub description: String,
    /// Whether it writes.
    pub effect: Effect,
    /// What `with` takes.
    pub input: Schema,
    /// What `steps.<id>` then holds.
    pub output: Schema,
    /// An example of what `with` takes.
    #[serde(default)]
    pub example: Value,
    /// How a write that was interrupted is found out to have taken effect or not, in a sentence; none for reads.
    #[serde(default)]
    pub finds_out: Option<String>,
}

/// How a trigger learns that something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The remote system calls.
    Webhook,
    /// The connector asks from time to time.
    Poll,
}

/// One way a connector starts runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerDescription {
    /// Name within the connector: `received`.
    pub name: String,
    /// A title for people.
    pub title: String,
    /// When it starts a run, in a sentence or two.
    pub description: String,
    /// How it learns that something happened.
    pub delivery: Delivery,
    /// What the trigger's `with` takes.
    pub input: Schema,
    /// What `trigger` then holds.
    pub output: Schema,
}

/// How much a remote system takes, as far as is known; the configuration of a connection can say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How many calls may be under way at once; any number where none is given.
    pub concurrent: Option<NonZeroU32>,
    /// How many requests may begin in which time; any number where none is given.
    pub rate: Option<Rate>,
}

/// How many requests may begin in any stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// So many.
    pub requests: NonZeroU32,
    /// In any stretch of this length.
    pub per: Duration,
}

impl Limits {
    /// At most so many calls at once; 0 stands for any number.
    pub const fn at_once(calls: u32) -> Self {
        Self { concurrent: NonZeroU32::new(calls), rate: None }
    }

    /// The same, and at most so many requests in any stretch of time; 0 stands for any number.
    #[must_use]
    pub const fn and(self, requests: u32, per: Duration) -> Self {
        let rate = match NonZeroU32::new(requests) {
            Some(requests) => Some(Rate { requests, per }),
            None => None,
        };
        Self { concurrent: self.concurrent, rate }
    }

    /// These limits, and `usual` ones where these say nothing.
    #[must_use]
    pub fn or(self, usual: Limits) -> Self {
        Self { concurrent: self.concurrent.or(usual.concurrent), rate: self.rate.or(usual.rate) }
    }
}

/// What one connector offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectorDescription {
    /// The connector's name: `partner_center`.
    pub name: String,
    /// A title for people.
    pub title: String,
    /// What system it speaks to.
    pub description: String,
    /// What a connection's settings take, in the configuration.
    pub settings: Schema,
    /// Its operations.
    pub operations: Vec<OperationDescription>,
    /// Its triggers.
    pub triggers: Vec<TriggerDescription>,
    /// How much its remote system takes, where a connection's configuration does not say.
    #[serde(default)]
    pub limits: Limits,
}

/// What all connectors of a program offer.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    connectors: BTreeMap<String, Arc<ConnectorDescription>>,
}

impl Catalogue {
    /// Collects descriptions; of two with one name, the later stays.
    pub fn new(connectors: impl IntoIterator<Item = ConnectorDescription>) -> Self {
        Self { connectors: connectors.into_iter().map(|c| (c.name.clone(), Arc::new(c))).collect() }
    }

    /// All connectors, by name.
    pub fn connectors(&self) -> impl Iterator<Item = &ConnectorDescription> {
        self.connectors.values().map(AsRef::as_ref)
    }

    /// The connector of this name.
    pub fn connector(&self, name: &str) -> Option<&ConnectorDescription> {
        self.connectors.get(name).map(AsRef::as_ref)
    }

    /// The operation of this name.
    pub fn operation(&self, name: &OperationName) -> Option<&OperationDescription> {
        self.connector(&name.connector)?.operations.iter().find(|o| *o.name == *name.operation)
    }

    /// The trigger of this name.
    pub fn trigger(&self, name: &OperationName) -> Option<&TriggerDescription> {
        self.connector(&name.connector)?.triggers.iter().find(|t| *t.name == *name.operation)
    }
}
