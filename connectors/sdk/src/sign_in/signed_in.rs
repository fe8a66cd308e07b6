//! What a person's sign-in yields.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::endpoint::Grant;
use crate::error::{CallError, Meaning};
use crate::settings::Secret;

/// What a person's sign-in yields.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The refresh token, to be kept as a secret: with it the application acts for the person, for any audience that it
    /// has consent for.
    pub refresh_token: Secret,
    /// Who signed in, where the token tells.
    pub person: Option<String>,
    /// Whether there was a second factor, where the token tells. A refresh token keeps that for good, and Partner Center
    /// serves nobody without one (Mandating MFA for your partner tenant).
    pub second_factor: Option<bool>,
}

/// What is of interest in an access token. It is meant for somebody else, so nothing that matters may depend on it.
#[derive(Default, Deserialize)]
struct Claims {
    upn: Option<String>,
    preferred_username: Option<String>,
    amr: Option<Vec<String>>,
}

impl SignedIn {
    pub(super) fn from_grant(grant: &Grant) -> Result<Self, CallError> {
        let refresh_token = grant.refresh_token.clone().ok_or_else(|| {
            CallError::new(
                Meaning::SignIn,
                "no_refresh_token",
                "the sign-in gave no refresh token; allow the application `offline_access`, then sign in again",
            )
        })?;
        let claims = claims(grant.access_token.expose()).unwrap_or_default();
        Ok(Self {
            refresh_token,
            person: claims.upn.or(claims.preferred_username),
            second_factor: claims.amr.map(|methods| methods.iter().any(|method| method == "mfa")),
        })
    }
}

fn claims(token: &str) -> Option<Claims> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}
