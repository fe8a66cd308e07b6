//! The rules of the shipped flows, one a test, whose name is the rule: through the program, over real HTTP, against the
//! sandbox. They are written from the connector's documentation, not from the flows.
//!
//! Leaving the CRM: `refusals`, `help`, `names`, `solutions`. Arriving there: `arrivals`, `leads`, `customers`, `microsoft`.
//! Both ways: `fields`, `status`, `conflicts`, and `audit`, which tells of it all. Round about: `registration`, `project`.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod arrivals;
mod audit;
mod conflicts;
mod customers;
mod fields;
mod help;
mod leads;
mod microsoft;
mod names;
mod project;
mod refusals;
mod registration;
mod solutions;
mod status;
