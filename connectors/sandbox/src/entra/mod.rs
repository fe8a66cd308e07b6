//! The Entra ID stand-in, to be read in this order: `state` (the app, its refresh tokens, the knobs), `errors` (bodies
//! with AADSTS codes), `request` (reading a request), `assertion` (certificates in place of a secret), `codes` and
//! `authorize` (signing in with a browser), `grants` (what each grant type gives), `discovery`, `routes`.
//!
//! Source of all facts: "Referrals API authentication", "Enable the secure application model" and the Microsoft identity
//! platform's pages on its flows and error codes. There is no sign-in page: the integration user agrees at once, unless a
//! knob says otherwise.

mod assertion;
mod authorize;
mod codes;
mod discovery;
mod errors;
mod grants;
mod request;
mod routes;
mod state;
#[cfg(test)]
mod testing;

pub(crate) use routes::router;
pub(crate) use state::{Entra, Knobs, PARTNER_CENTER, PARTNER_CENTER_EVENTS, RefreshToken, Seed};
