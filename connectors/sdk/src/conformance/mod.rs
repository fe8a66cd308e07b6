//! The conformance kit: says whether a connector keeps the contract, as far as that can be said from outside.
//!
//! A connector's test scripts a [`Stub`] so that every operation's `EXAMPLE` can be carried out against it, and hands
//! both to a [`Kit`]:
//!
//! ```no_run
//! # async fn test(connector: cosell_sdk::Connector) {
//! use cosell_sdk::conformance::Kit;
//! use cosell_sdk::stub::Stub;
//!
//! let stub = Stub::start().await;
//! // … stub.on("GET", "/things/1", [Reply::json(200, …)]);
//! let settings = serde_json::json!({ "address": stub.origin(), "sign_in": stub.sign_in() });
//! Kit::new(&connector, &stub, settings).assert().await;
//! # }
//! ```
//!
//! Read in this order: this file (the kit), `described` (what is said of operations), `behaved` (what they do),
//! [`docs`] (the page of documentation made from what is said).

mod behaved;
mod described;
pub mod docs;

use std::fmt;

use serde_json::Value;

use crate::connector::Connector;
use crate::stub::Stub;

/// A rule that a connector breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Where: the operation, trigger or setting.
    pub place: String,
    /// What is wrong, and what was expected.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// What is checked, and against what.
pub struct Kit<'a> {
    connector: &'a Connector,
    stub: &'a Stub,
    settings: Value,
    asides: Vec<String>,
    is_local: bool,
    found: Vec<Violation>,
}

impl<'a> Kit<'a> {
    /// Checks `connector`, opened with `settings`, against `stub`.
    pub fn new(connector: &'a Connector, stub: &'a Stub, settings: Value) -> Self {
        Self { connector, stub, settings, asides: Vec::new(), is_local: false, found: Vec::new() }
    }

    /// Says that reading below this path finds out nothing about a write, as reading metadata does not.
    #[must_use]
    pub fn aside(mut self, path: &str) -> Self {
        self.asides.push(path.to_owned());
        self
    }

    /// Says that the connector has no remote system: it must then make no request, and there is none to be in trouble.
    #[must_use]
    pub fn local(mut self) -> Self {
        self.is_local = true;
        self
    }

    /// Every rule that is broken.
    pub async fn violations(mut self) -> Vec<Violation> {
        described::check(&mut self);
        behaved::check(&mut self).await;
        self.found
    }

    /// Fails where a rule is broken, with all that are.
    ///
    /// # Panics
    /// Where a rule is broken.
    pub async fn assert(self) {
        let name = self.connector.description().name.clone();
        let found = self.violations().await;
        let lines: Vec<String> = found.iter().map(|violation| format!("\n- {violation}")).collect();
        assert!(found.is_empty(), "the connector `{name}` does not keep the contract:{}", lines.concat());
    }

    fn expect(&mut self, holds: bool, place: &str, what: impl FnOnce() -> String) {
        if !holds {
            self.found.push(Violation { place: place.to_owned(), what: what() });
        }
    }
}

#[cfg(test)]
mod tests;
