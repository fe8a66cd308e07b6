//! The Entra ID stand-in, to be read in this order: `state` (the app, its refresh tokens, the knobs), `errors` (bodies
//! with AADSTS codes), `request` (reading a token request), `grants` (what each grant type gives), `routes`.
//!
//! Source of all facts: "Referrals API authentication", "Enable the secure application model" and the Microsoft identity
//! platform's pages on its flows and error codes. The authorize endpoint is left out: a test gets its first refresh token
//! from the sandbox itself, or through the device code flow.

mod errors;
mod grants;
mod request;
mod routes;
mod state;

pub(crate) use routes::router;
pub(crate) use state::{Entra, Knobs, PARTNER_CENTER, PARTNER_CENTER_EVENTS, Seed};
