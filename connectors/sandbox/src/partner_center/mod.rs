//! The stand-in for Partner Center's Referrals API, to be read in this order:
//!
//! - `problem`: error bodies; `referral`: the document and its shape; `changes`: what differs between two of them;
//! - `status`, `rules`, `patch`, `registrations`: what a write may do;
//! - `store`: the referrals, committing a write, expiry; `create`, `update`: the partner's writes; `seller`: Microsoft's;
//! - `switches`: what the documentation leaves open;
//! - `filter`, `list`: reading many; `access`: who may call; `routes`: the endpoints.
//!
//! Source of all facts: the Referrals API pages ("Referral resources", "Create a referral", "Update a lead or opportunity",
//! "Get the list of leads and opportunities", "Referrals API response codes"), Microsoft's OpenAPI file for the connector,
//! and the rules that the connector's own guides state.

mod access;
mod changes;
mod create;
mod filter;
mod list;
mod patch;
mod problem;
mod referral;
mod registrations;
mod routes;
mod rules;
mod seller;
mod status;
mod store;
mod switches;
#[cfg(test)]
mod testing;
mod update;

pub(crate) use problem::Problem;
pub(crate) use routes::{BASE_PATH, router};
pub(crate) use seller::Answer;
pub(crate) use store::{Organization, PartnerCenter, Snapshot};
pub(crate) use switches::Switches;
