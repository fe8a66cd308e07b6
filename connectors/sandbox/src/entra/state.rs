//! What the Entra stand-in remembers: the registered app and its certificates, live refresh tokens and device codes, and
//! the knobs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{assertion::Certificate, codes::Code, errors::Refusal, request::Scopes};
use crate::core::{clock::Clock, tokens::Tokens};

/// Audience of the Referrals API.
pub(crate) const PARTNER_CENTER: &str = "https://api.partner.microsoft.com";
/// Audience of the web hook registration API.
pub(crate) const PARTNER_CENTER_EVENTS: &str = "https://api.partnercenter.microsoft.com";

/// A refresh token dies when unused for 90 days ("Refresh tokens: token lifetime").
const REFRESH_TOKEN_DAYS: i64 = 90;
/// A device code lives 15 minutes ("Device authorization grant").
pub(super) const DEVICE_CODE_SECONDS: i64 = 900;
/// The user declined.
pub(super) const DECLINED: u32 = 65004;

/// The app registration and the two principals of the simulated tenant.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    /// Tenant id.
    pub(crate) tenant: Uuid,
    /// A domain of the tenant, accepted in its place in URLs.
    pub(crate) domain: &'static str,
    /// Confidential app.
    pub(crate) client_id: String,
    /// Its secret.
    pub(crate) client_secret: String,
    /// The app's service principal.
    pub(crate) app: Uuid,
    /// The integration user.
    pub(crate) user: Uuid,
}

/// What a test may set (`PUT /entra`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Knobs {
    /// Life of each access token issued from now on.
    pub(crate) access_token_seconds: i64,
    /// Refuses every refresh with this AADSTS code, such as 700082 (unused too long), 50173 (revoked), 50076 (second factor
    /// demanded) or 90055 (throttled).
    pub(crate) refuse_refresh: Option<u32>,
    /// Refuses every client secret and assertion with this AADSTS code, such as 7000222 (secret expired).
    pub(crate) refuse_client: Option<u32>,
    /// Refuses every sign-in of a person, by device code or in the browser, with this AADSTS code, such as 65004
    /// (declined), 53003 (blocked by Conditional Access) or 65001 (no consent).
    pub(crate) refuse_sign_in: Option<u32>,
    /// How often each device code answers "pending" before it is accepted.
    pub(crate) pending: u32,
    /// Whether the integration user signs in with a second factor. A refresh token keeps what the sign-in that produced it
    /// had.
    pub(crate) mfa: bool,
    /// Whether the app may be used through `/common` and `/organizations`.
    pub(crate) multi_tenant: bool,
    /// Whether the app may be used without secret or certificate ("Allow public client flows").
    pub(crate) public_client: bool,
    /// Redirect addresses registered beside those on this machine, which are always welcome.
    pub(crate) redirect_uris: Vec<String>,
    /// Roles of the integration user.
    pub(crate) user_roles: Vec<String>,
}

impl Default for Knobs {
    fn default() -> Self {
        Knobs {
            access_token_seconds: 3599,
            refuse_refresh: None,
            refuse_client: None,
            refuse_sign_in: None,
            pending: 0,
            mfa: true,
            multi_tenant: false,
            public_client: true,
            redirect_uris: Vec::new(),
            user_roles: vec!["Referrals admin".to_owned()],
        }
    }
}

/// The Entra stand-in.
#[derive(Debug)]
pub(crate) struct Entra {
    pub(super) seed: Seed,
    /// Where it is served.
    pub(super) origin: String,
    /// Resources a token can be asked for.
    pub(super) audiences: Vec<String>,
    pub(super) clock: Arc<Clock>,
    pub(super) tokens: Arc<Tokens>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) knobs: Knobs,
    refresh_tokens: HashMap<String, RefreshToken>,
    device_codes: HashMap<String, DeviceCode>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) certificates: Vec<Certificate>,
}

/// A live refresh token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RefreshToken {
    last_use: Timestamp,
    /// Whether the sign-in that it goes back to had a second factor.
    pub(super) mfa: bool,
    /// Whether it was given to an app without secret or certificate, which may then use it without.
    pub(super) public: bool,
}

/// A sign-in on another device, under way.
#[derive(Clone, Debug)]
struct DeviceCode {
    expires: Timestamp,
    polls: u32,
    scopes: Scopes,
}

impl Entra {
    /// A stand-in served at `origin` that issues tokens for the two Partner Center audiences and for `dataverse` (an
    /// origin).
    pub(crate) fn new(seed: Seed, origin: &str, dataverse: &str, clock: Arc<Clock>, tokens: Arc<Tokens>) -> Entra {
        let audiences = [PARTNER_CENTER, PARTNER_CENTER_EVENTS, dataverse].map(str::to_owned).to_vec();
        Entra { seed, origin: origin.to_owned(), audiences, clock, tokens, state: Mutex::default() }
    }

    /// Puts the knobs back. Refresh tokens and certificates stay valid, so that a connector signed in before keeps working.
    pub(crate) fn reset(&self) {
        self.set_knobs(Knobs::default());
        let mut state = self.state();
        state.device_codes.clear();
        state.codes.clear();
    }

    /// Every live refresh token, for the state file.
    pub(crate) fn refresh_tokens(&self) -> HashMap<String, RefreshToken> {
        self.state().refresh_tokens.clone()
    }

    /// Adds refresh tokens of an earlier run.
    pub(crate) fn restore(&self, tokens: HashMap<String, RefreshToken>) {
        self.state().refresh_tokens.extend(tokens);
    }

    /// The knobs as they stand.
    pub(crate) fn knobs(&self) -> Knobs {
        self.state().knobs.clone()
    }

    /// Sets the knobs, and the integration user's roles with them.
    pub(crate) fn set_knobs(&self, knobs: Knobs) {
        if let Some(mut user) = self.tokens.principal(self.seed.user) {
            user.roles.clone_from(&knobs.user_roles);
            self.tokens.enrol(user);
        }
        self.state().knobs = knobs;
    }

    /// A new refresh token of the integration user, who signed in with a second factor, for the confidential app.
    pub(crate) fn seed_refresh_token(&self) -> String {
        self.new_refresh_token(true, false)
    }

    /// A new refresh token of the integration user.
    pub(super) fn new_refresh_token(&self, mfa: bool, public: bool) -> String {
        let token = format!("0.AX{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let entry = RefreshToken { last_use: self.clock.now(), mfa, public };
        self.state().refresh_tokens.insert(token.clone(), entry);
        token
    }

    /// Accepts `token`; what it says and its successor. The old one stays valid ("Refresh tokens": it is not revoked by its
    /// use). `confidential` says whether the app proved who it is.
    pub(super) fn rotate(&self, token: &str, confidential: bool) -> Result<(RefreshToken, String), Refusal> {
        let now = self.clock.now();
        let entry = {
            let mut state = self.state();
            if let Some(code) = state.knobs.refuse_refresh {
                return Err(Refusal::new(code, "The refresh was refused, as the sandbox was told to."));
            }
            let entry = state.refresh_tokens.get_mut(token).ok_or_else(|| {
                Refusal::new(70000, "Provided grant is invalid or malformed: this refresh token is not known.")
            })?;
            if !confidential && !entry.public {
                return Err(Refusal::no_credential());
            }
            if entry.last_use + SignedDuration::from_hours(24 * REFRESH_TOKEN_DAYS) <= now {
                return Err(Refusal::new(700082, "The refresh token has expired due to inactivity. Sign in again."));
            }
            entry.last_use = now;
            entry.clone()
        };
        let successor = self.new_refresh_token(entry.mfa, entry.public);
        Ok((entry, successor))
    }

    /// A new device code for `scopes`.
    pub(super) fn new_device_code(&self, scopes: Scopes) -> String {
        let expires = self.clock.now() + SignedDuration::from_secs(DEVICE_CODE_SECONDS);
        let code = format!("GAQ{}", Uuid::new_v4().simple());
        self.state().device_codes.insert(code.clone(), DeviceCode { expires, polls: 0, scopes });
        code
    }

    /// One poll for `code`: fine once it was polled as often as the knob `pending` says.
    pub(super) fn redeem_device_code(&self, code: &str) -> Result<Scopes, Refusal> {
        let now = self.clock.now();
        let mut state = self.state();
        let (pending, refused) = (state.knobs.pending, state.knobs.refuse_sign_in);
        let device = state
            .device_codes
            .get_mut(code)
            .ok_or_else(|| Refusal::new(70018, "Invalid verification code: this device code is not known."))?;
        if device.expires <= now {
            return Err(Refusal::new(70019, "The device code has expired. Start again."));
        }
        device.polls += 1;
        if device.polls <= pending {
            return Err(Refusal::new(70016, "The authorization is pending. Continue polling."));
        }
        let scopes = device.scopes.clone();
        state.device_codes.remove(code);
        match refused {
            Some(DECLINED) => {
                Err(Refusal::new(DECLINED, "The user declined to sign in.").named("authorization_declined"))
            }
            Some(code) => Err(Refusal::new(code, "The sign-in was refused, as the sandbox was told to.")),
            None => Ok(scopes),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
