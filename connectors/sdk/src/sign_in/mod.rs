//! Sign-in with Microsoft Entra, and other OAuth 2.0 services: tokens for one audience, kept and renewed in time.
//!
//! Two ways: client credentials (the application acts as itself) and a refresh token (the application acts for the
//! person who once signed in; the secure application model, which the Referrals API demands). The refresh token comes
//! from a person's sign-in, by [`device_code`] or [`authorisation_code`], and is kept in a file, where it is renewed with
//! each use.
//!
//! Read in this order: this file (the cache), `settings`, `endpoint` (the token request), `assertion` (a certificate in
//! place of a secret), `faults` (what a refusal asks a person to do), `signed_in` (what a person's sign-in yields), the two
//! ways for a person, [`kept`] and `file` (where it is kept).

mod assertion;
pub mod authorisation_code;
pub mod device_code;
mod endpoint;
mod faults;
mod file;
pub mod kept;
mod settings;
mod signed_in;

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::error::CallError;
use crate::http::{Address, Transport};
use crate::settings::Secret;
use authorisation_code::AuthorisationCode;
use device_code::DeviceCode;

pub use assertion::CertificateSettings;
pub use faults::{Remedy, remedy};
pub use kept::Kept;
pub use settings::EntraSettings;
pub use signed_in::SignedIn;

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
    entra: Option<Entra>,
    state: Mutex<State>,
}

/// What a person's sign-in takes.
#[derive(Debug)]
struct Entra {
    settings: EntraSettings,
    audience: String,
    store: Option<kept::Store>,
}

#[derive(Debug)]
struct State {
    access: Option<Access>,
    /// The newest refresh token, where there is no file to keep it.
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
    pub fn new(settings: &EntraSettings, audience: &str, transport: &Transport) -> Result<Self, CallError> {
        let endpoint = endpoint::Endpoint::entra(settings, audience, transport)?;
        if matches!(endpoint.proof, endpoint::Proof::None) && !settings.is_for_a_person() {
            return Err(CallError::rejected(
                "setting_missing",
                "`sign_in` has neither `client_secret` nor `certificate` nor `person: true`; give what the app \
                 registration has",
            ));
        }
        let store = if settings.is_for_a_person() { kept::Store::new(settings)? } else { None };
        let refresh_token = settings.refresh_token.clone();
        Ok(Self {
            endpoint,
            entra: Some(Entra { settings: settings.clone(), audience: audience.to_owned(), store }),
            state: Mutex::new(State { access: None, refresh_token }),
        })
    }

    /// A sign-in with client credentials at a token endpoint that is not Entra's (RFC 6749, section 4.4). Asks for
    /// nothing yet.
    pub fn client_credentials(
        token_address: &Address,
        client_id: String,
        client_secret: Secret,
        scope: Option<String>,
        transport: &Transport,
    ) -> Self {
        let endpoint = endpoint::Endpoint::other(token_address, client_id, client_secret, scope, transport);
        Self { endpoint, entra: None, state: Mutex::new(State { access: None, refresh_token: None }) }
    }

    /// Whether the application acts for a person, rather than as itself.
    pub fn is_for_a_person(&self) -> bool {
        self.entra.as_ref().is_some_and(|entra| entra.settings.is_for_a_person())
    }

    /// The file that keeps the person's sign-in, and whether it is encrypted there; none where none is kept.
    pub fn kept_in(&self) -> Option<(&Path, bool)> {
        self.store().map(|store| (store.path(), store.encrypts()))
    }

    /// The person's sign-in, as it is kept now; none where nobody has signed in.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn kept(&self) -> Result<Option<Kept>, CallError> {
        self.store().map_or(Ok(None), kept::Store::newest)
    }

    /// Begins a person's sign-in on another device.
    ///
    /// # Errors
    /// A connection that acts for no person; what the sign-in service refuses.
    pub async fn begin_device_code(&self) -> Result<DeviceCode, CallError> {
        let (entra, _) = self.for_a_person()?;
        device_code::begin(&entra.settings, &entra.audience, &self.endpoint.transport).await
    }

    /// Begins a person's sign-in with a browser that comes back to `redirect_uri`.
    ///
    /// # Errors
    /// A connection that acts for no person.
    pub fn begin_authorisation_code(&self, redirect_uri: &str) -> Result<AuthorisationCode, CallError> {
        let (entra, _) = self.for_a_person()?;
        authorisation_code::begin(&entra.settings, &entra.audience, redirect_uri, &self.endpoint.transport)
    }

    /// Keeps a person's sign-in, which is used from the next token on.
    ///
    /// # Errors
    /// A connection that acts for no person; a file that cannot be written.
    pub fn keep(&self, signed_in: SignedIn) -> Result<(), CallError> {
        self.for_a_person()?.1.keep(signed_in)
    }

    /// Forgets the person's sign-in; whether there was one.
    ///
    /// # Errors
    /// A connection that acts for no person; a file that cannot be removed.
    pub fn forget(&self) -> Result<bool, CallError> {
        self.for_a_person()?.1.forget()
    }

    fn store(&self) -> Option<&kept::Store> {
        self.entra.as_ref()?.store.as_ref()
    }

    fn for_a_person(&self) -> Result<(&Entra, &kept::Store), CallError> {
        self.entra.as_ref().and_then(|entra| Some((entra, entra.store.as_ref()?))).ok_or_else(|| {
            CallError::rejected(
                "not_for_a_person",
                "this connection signs in as the application itself; to have it act for a person, set `person: true` \
                 under its `sign_in`",
            )
        })
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
        let kept = match self.store() {
            Some(store) => Some(store.newest()?.ok_or_else(kept::nobody)?),
            None => None,
        };
        let refresh_token = kept.as_ref().map(|kept| &kept.refresh_token).or(state.refresh_token.as_ref());
        let grant = self.endpoint.ask(refresh_token).await?;
        // Each use of a refresh token yields a newer one; the older stays valid, but ages.
        if let (Some(store), Some(used)) = (self.store(), &kept) {
            rotate(store, used, &grant);
        } else if let Some(newest) = grant.refresh_token.filter(|_| state.refresh_token.is_some()) {
            state.refresh_token = Some(newest);
        }
        let renew_at = asked + good_for(grant.life);
        state.access = Some(Access { token: grant.access_token.clone(), renew_at });
        Ok(Token { secret: grant.access_token, fresh: true })
    }
}

/// Keeps the newer refresh token. That it cannot be kept is no reason to do without the token that came with it: the older
/// one is good for long, and the next use yields another.
fn rotate(store: &kept::Store, used: &Kept, grant: &endpoint::Grant) {
    let idle = used.idle(Timestamp::now());
    if idle >= kept::WARN_AFTER {
        tracing::warn!(days = idle.as_hours() / 24, "a sign-in was not used for long; after 90 days it is forgotten");
    }
    let Ok(newest) = SignedIn::from_grant(grant) else { return };
    if let Err(error) = store.rotated(used, newest) {
        tracing::warn!(%error, "the newer sign-in cannot be kept");
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
    use crate::error::Meaning;
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
        SignIn::new(&settings, "https://api.example.com", &Transport::new(None).unwrap()).unwrap()
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

    #[tokio::test]
    async fn whatever_life_a_token_claims_it_is_renewed() {
        let stub = Stub::start().await;
        let answer = |life: serde_json::Value| Reply::json(200, json!({ "access_token": "a", "expires_in": life }));
        stub.on("POST", "/tenant/oauth2/v2.0/token", [answer(json!(u64::MAX)), answer(json!(u64::MAX.to_string()))]);
        for _ in 0..2 {
            let sign_in = sign_in(&stub, None);
            sign_in.token().await.unwrap();
            let renew_at = sign_in.state.lock().await.access.as_ref().unwrap().renew_at;
            assert!(renew_at < Instant::now() + Duration::from_secs(28 * 3600));
        }
    }

    /// A sign-in for a person, kept in a file of its own.
    fn for_a_person(stub: &Stub) -> SignIn {
        let mut settings = stub.sign_in();
        let folder = std::env::temp_dir().join(format!("cosell-sign-in-{}", uuid::Uuid::new_v4()));
        settings["person"] = json!(true);
        settings["token_file"] = json!(folder.join("tokens/x.json"));
        let settings = serde_json::from_value(settings).unwrap();
        SignIn::new(&settings, "https://api.example.com", &Transport::new(None).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_person_s_sign_in_is_taken_up_while_running_and_used_once_for_all() {
        let stub = Stub::start().await;
        let answer = json!({ "access_token": "a1", "refresh_token": "r1", "expires_in": 3599 });
        stub.on("POST", "/tenant/oauth2/v2.0/token", [Reply::json(200, answer)]);
        let sign_in = for_a_person(&stub);
        let error = sign_in.token().await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::SignIn, "nobody_signed_in"));
        let signed_in =
            SignedIn { refresh_token: Secret::from("r0".to_owned()), person: None, second_factor: Some(true) };
        sign_in.keep(signed_in).unwrap();
        let tokens = futures::future::join_all((0..8).map(|_| sign_in.token())).await;
        assert!(tokens.iter().all(|token| token.as_ref().unwrap().secret.expose() == "a1"));
        let asked = stub.token_requests();
        assert_eq!(asked.len(), 1);
        assert!(asked[0].body.contains("refresh_token=r0"), "{}", asked[0].body);
        let kept = sign_in.kept().unwrap().unwrap();
        assert_eq!((kept.refresh_token.expose(), kept.second_factor), ("r1", Some(true)));
        assert!(kept.used.is_some());
    }
}
