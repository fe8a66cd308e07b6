//! Sign-in with Microsoft Entra, and other OAuth 2.0 services: tokens for one audience, kept and renewed in time.
//!
//! Two ways: client credentials (the application acts as itself) and a refresh token (the application acts for the
//! person who once signed in; the secure application model, which the Referrals API demands). The refresh token comes
//! from a person's sign-in, by [`device_code`] or [`authorisation_code`].
//!
//! Read in this order: this file (settings, and the cache), `endpoint` (the token request), `assertion` (a certificate
//! in place of a secret), `faults` (what a refusal asks a person to do), then the two ways for a person.

mod assertion;
pub mod authorisation_code;
pub mod device_code;
mod endpoint;
mod faults;

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::error::{CallError, Meaning};
use crate::http::Address;
use crate::settings::Secret;

pub use assertion::CertificateSettings;
pub use faults::{Remedy, remedy};

/// How to sign in with Microsoft Entra.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntraSettings {
    /// Address of the sign-in service.
    #[serde(default = "default_authority")]
    pub authority: String,
    /// The tenant: its identifier, or one of its domains.
    pub tenant: String,
    /// Application (client) identifier of the app registration.
    pub client_id: String,
    /// Client secret of the app registration. Give this or `certificate`; neither of them where the refresh token comes
    /// from a public client, as after a sign-in by device code.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// Certificate of the app registration, in place of a client secret.
    #[serde(default)]
    pub certificate: Option<CertificateSettings>,
    /// Refresh token of the person for whom the application acts, from a sign-in with multi-factor authentication.
    /// Without it the application acts as itself. Every use yields a newer one, which is kept in memory; the configured
    /// one stays valid for 90 days, so put in a new one before that.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
}

fn default_authority() -> String {
    "https://login.microsoftonline.com".to_owned()
}

impl EntraSettings {
    /// An address of the tenant's.
    fn below(&self, segments: &[&str]) -> Result<Url, CallError> {
        let authority = Address::new("sign_in.authority", &self.authority)?;
        Ok(authority.below(&[&[self.tenant.as_str()], segments].concat()))
    }
}

/// What a person's sign-in yields.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The refresh token, to be kept as a secret: with it the application acts for the person, for any audience that it
    /// has consent for.
    pub refresh_token: Secret,
}

impl SignedIn {
    fn from_grant(grant: endpoint::Grant) -> Result<Self, CallError> {
        grant.refresh_token.map(|refresh_token| Self { refresh_token }).ok_or_else(|| {
            CallError::new(
                Meaning::SignIn,
                "no_refresh_token",
                "the sign-in gave no refresh token; allow the application `offline_access`, then sign in again",
            )
        })
    }
}

/// A token in use.
#[derive(Clone, Debug)]
pub struct Token {
    pub(crate) secret: Secret,
    /// True where this very call obtained it, so that asking again would give the same.
    pub(crate) fresh: bool,
}

/// The sign-in of one connection, for one audience.
#[derive(Debug)]
pub struct SignIn {
    endpoint: endpoint::Endpoint,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    access: Option<Access>,
    refresh_token: Option<Secret>,
}

#[derive(Debug)]
struct Access {
    token: Secret,
    renew_at: Instant,
}

impl SignIn {
    /// A sign-in for `audience`, such as `https://api.partner.microsoft.com`. Asks for nothing yet.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn new(settings: &EntraSettings, audience: &str) -> Result<Self, CallError> {
        let endpoint = endpoint::Endpoint::entra(settings, audience)?;
        if matches!(endpoint.proof, endpoint::Proof::None) && settings.refresh_token.is_none() {
            return Err(CallError::rejected(
                "setting_missing",
                "`sign_in` has neither `client_secret` nor `certificate` nor `refresh_token`; give what the app \
                 registration has",
            ));
        }
        let refresh_token = settings.refresh_token.clone();
        Ok(Self { endpoint, state: Mutex::new(State { access: None, refresh_token }) })
    }

    /// A sign-in with client credentials at a token endpoint that is not Entra's (RFC 6749, section 4.4). Asks for
    /// nothing yet.
    ///
    /// # Errors
    /// Only where this machine cannot make TLS connections at all.
    pub fn client_credentials(
        token_address: &Address,
        client_id: String,
        client_secret: Secret,
        scope: Option<String>,
    ) -> Result<Self, CallError> {
        let endpoint = endpoint::Endpoint::other(token_address, client_id, client_secret, scope)?;
        Ok(Self { endpoint, state: Mutex::new(State { access: None, refresh_token: None }) })
    }

    /// A token that is good for a while. Callers that come while one is being obtained wait for that one.
    pub(crate) async fn token(&self) -> Result<Token, CallError> {
        let mut state = self.state.lock().await;
        match &state.access {
            Some(access) if Instant::now() < access.renew_at => {
                Ok(Token { secret: access.token.clone(), fresh: false })
            }
            _ => self.obtain(&mut state).await,
        }
    }

    /// Another token than `refused`: the one obtained meanwhile by another call, or a new one.
    pub(crate) async fn renew(&self, refused: &Token) -> Result<Token, CallError> {
        let mut state = self.state.lock().await;
        match &state.access {
            Some(access) if access.token.expose() != refused.secret.expose() => {
                Ok(Token { secret: access.token.clone(), fresh: false })
            }
            _ => self.obtain(&mut state).await,
        }
    }

    async fn obtain(&self, state: &mut State) -> Result<Token, CallError> {
        let asked = Instant::now();
        let grant = self.endpoint.ask(state.refresh_token.as_ref()).await?;
        // Each use of a refresh token yields a newer one; the older stays valid, but ages.
        if let Some(newest) = grant.refresh_token.filter(|_| state.refresh_token.is_some()) {
            state.refresh_token = Some(newest);
        }
        let renew_at = asked + good_for(grant.life);
        state.access = Some(Access { token: grant.access_token.clone(), renew_at });
        Ok(Token { secret: grant.access_token, fresh: true })
    }
}

/// How long a token of this life is used: it is renewed five minutes early, or a tenth of its life where that is less.
fn good_for(life: Duration) -> Duration {
    life - (life / 10).min(Duration::from_secs(300))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::stub::{Reply, Stub};
    use serde_json::json;

    #[test]
    fn renewal_is_early_but_not_too_early() {
        assert_eq!(good_for(Duration::from_secs(3600)), Duration::from_secs(3300));
        assert_eq!(good_for(Duration::from_secs(20)), Duration::from_secs(18));
        assert_eq!(good_for(Duration::ZERO), Duration::ZERO);
    }

    fn sign_in(stub: &Stub, refresh_token: Option<&str>) -> SignIn {
        let mut settings: EntraSettings = serde_json::from_value(stub.sign_in()).unwrap();
        settings.refresh_token = refresh_token.map(|token| Secret::from(token.to_owned()));
        SignIn::new(&settings, "https://api.example.com").unwrap()
    }

    #[tokio::test]
    async fn many_callers_share_one_request() {
        let stub = Stub::start().await;
        let sign_in = sign_in(&stub, None);
        let tokens = futures::future::join_all((0..8).map(|_| sign_in.token())).await;
        assert!(tokens.iter().all(|token| token.as_ref().unwrap().secret.expose() == "token-1"));
        let asked = stub.token_requests();
        assert_eq!(asked.len(), 1);
        assert!(asked[0].body.contains("grant_type=client_credentials"), "{}", asked[0].body);
        assert!(asked[0].body.contains("scope=https%3A%2F%2Fapi.example.com%2F.default"), "{}", asked[0].body);
        assert!(asked[0].body.contains("client_secret=s3cret%26more"), "{}", asked[0].body);
    }

    #[tokio::test]
    async fn the_newest_refresh_token_is_used_next() {
        let stub = Stub::start().await;
        let answer =
            |n: u8| json!({ "access_token": format!("a{n}"), "refresh_token": format!("r{n}"), "expires_in": "0" });
        stub.on("POST", "/tenant/oauth2/v2.0/token", [Reply::json(200, answer(1)), Reply::json(200, answer(2))]);
        let sign_in = sign_in(&stub, Some("r0"));
        for _ in 0..2 {
            sign_in.token().await.unwrap();
        }
        let asked: Vec<_> = stub.token_requests().into_iter().map(|request| request.body).collect();
        assert!(asked[0].contains("refresh_token=r0") && asked[0].contains("+offline_access"), "{}", asked[0]);
        assert!(asked[1].contains("refresh_token=r1"), "{}", asked[1]);
    }

    #[tokio::test]
    async fn a_refused_token_is_renewed_once_for_all() {
        let stub = Stub::start().await;
        let sign_in = sign_in(&stub, None);
        let first = sign_in.token().await.unwrap();
        let second = sign_in.renew(&first).await.unwrap();
        let third = sign_in.renew(&first).await.unwrap();
        assert_eq!((second.secret.expose(), second.fresh), ("token-2", true));
        assert_eq!((third.secret.expose(), third.fresh), ("token-2", false));
    }

    #[tokio::test]
    async fn refusals_say_what_a_person_must_do() {
        let stub = Stub::start().await;
        let refusal = json!({ "error": "invalid_grant", "error_codes": [700082],
            "error_description": "AADSTS700082: The refresh token has expired due to inactivity. Trace ID: x" });
        let throttled = json!({ "error": "invalid_request", "error_codes": [90055], "error_description": "busy" });
        stub.on(
            "POST",
            "/tenant/oauth2/v2.0/token",
            [
                Reply::json(400, refusal),
                Reply::json(400, throttled),
                Reply::json(503, json!({})).header("retry-after", "9"),
                Reply::hang_up(),
            ],
        );
        let sign_in = sign_in(&stub, Some("r0"));
        let error = sign_in.token().await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::SignIn, "AADSTS700082"));
        assert!(error.message.contains("sign in again"), "{}", error.message);
        assert!(!error.message.contains("r0") && !error.message.contains("s3cret"), "{}", error.message);
        assert_eq!(sign_in.token().await.unwrap_err().meaning, Meaning::Retry { after: None });
        let after = Some(Duration::from_secs(9));
        assert_eq!(sign_in.token().await.unwrap_err().meaning, Meaning::Retry { after });
        assert_eq!(sign_in.token().await.unwrap_err().meaning, Meaning::Retry { after: None });
    }
}
