//! What the Entra stand-in remembers: the registered app, live refresh tokens and device codes, and the knobs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    errors::Refusal,
    request::{Form, Version},
};
use crate::core::{clock::Clock, tokens::Tokens};

/// Audience of the Referrals API.
pub(crate) const PARTNER_CENTER: &str = "https://api.partner.microsoft.com";
/// Audience of the web hook registration API.
pub(crate) const PARTNER_CENTER_EVENTS: &str = "https://api.partnercenter.microsoft.com";

/// A refresh token dies when unused for 90 days ("Refresh tokens: token lifetime").
const REFRESH_TOKEN_DAYS: i64 = 90;
/// A device code lives 15 minutes ("Device authorization grant").
pub(super) const DEVICE_CODE_SECONDS: i64 = 900;

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
    /// Refuses every refresh with this AADSTS code.
    pub(crate) refuse_refresh: Option<u32>,
    /// How often each device code answers "pending" before it is accepted.
    pub(crate) pending: u32,
    /// Whether the integration user signs in with a second factor.
    pub(crate) mfa: bool,
    /// Roles of the integration user.
    pub(crate) user_roles: Vec<String>,
}

impl Default for Knobs {
    fn default() -> Self {
        Knobs {
            access_token_seconds: 3599,
            refuse_refresh: None,
            pending: 0,
            mfa: true,
            user_roles: vec!["Referrals admin".to_owned()],
        }
    }
}

/// The Entra stand-in.
#[derive(Debug)]
pub(crate) struct Entra {
    pub(super) seed: Seed,
    /// Resources a token can be asked for.
    pub(super) audiences: Vec<String>,
    pub(super) clock: Arc<Clock>,
    pub(super) tokens: Arc<Tokens>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    knobs: Knobs,
    refresh_tokens: HashMap<String, Timestamp>,
    device_codes: HashMap<String, DeviceCode>,
}

/// A sign-in on another device, under way.
#[derive(Clone, Debug)]
pub(super) struct DeviceCode {
    expires: Timestamp,
    polls: u32,
    /// The resource that was asked for.
    pub(super) audience: String,
    /// Whether a refresh token was asked for.
    pub(super) offline_access: bool,
}

impl Entra {
    /// A stand-in that issues tokens for the two Partner Center audiences and for `dataverse` (an origin).
    pub(crate) fn new(seed: Seed, dataverse: &str, clock: Arc<Clock>, tokens: Arc<Tokens>) -> Entra {
        let audiences = [PARTNER_CENTER, PARTNER_CENTER_EVENTS, dataverse].map(str::to_owned).to_vec();
        Entra { seed, audiences, clock, tokens, state: Mutex::default() }
    }

    /// Puts the knobs back. Refresh tokens stay valid, so that a connector signed in before keeps working.
    pub(crate) fn reset(&self) {
        self.set_knobs(Knobs::default());
        self.state().device_codes.clear();
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

    /// A new refresh token of the integration user.
    pub(crate) fn new_refresh_token(&self) -> String {
        let token = format!("0.AX{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.state().refresh_tokens.insert(token.clone(), self.clock.now());
        token
    }

    /// Accepts `token` and gives its successor. The old one stays valid ("Refresh tokens": it is not revoked by its use).
    pub(super) fn rotate(&self, token: &str) -> Result<String, Refusal> {
        let now = self.clock.now();
        {
            let mut state = self.state();
            if let Some(code) = state.knobs.refuse_refresh {
                return Err(Refusal::new(code, "The refresh was refused, as the sandbox was told to."));
            }
            let last_use = state.refresh_tokens.get_mut(token).ok_or_else(|| {
                Refusal::new(70000, "Provided grant is invalid or malformed: this refresh token is not known.")
            })?;
            if *last_use + SignedDuration::from_hours(24 * REFRESH_TOKEN_DAYS) <= now {
                return Err(Refusal::new(700082, "The refresh token has expired due to inactivity. Sign in again."));
            }
            *last_use = now;
        }
        Ok(self.new_refresh_token())
    }

    /// A new device code for the scope that `form` asks for.
    pub(super) fn new_device_code(&self, form: &Form) -> Result<String, Refusal> {
        let device = DeviceCode {
            expires: self.clock.now() + SignedDuration::from_secs(DEVICE_CODE_SECONDS),
            polls: 0,
            audience: self.audience(Version::V2, form, false)?.to_owned(),
            offline_access: form.offline_access(),
        };
        let code = format!("GAQ{}", Uuid::new_v4().simple());
        self.state().device_codes.insert(code.clone(), device);
        Ok(code)
    }

    /// One poll for `code`: fine once it was polled as often as the knob `pending` says.
    pub(super) fn redeem_device_code(&self, code: &str) -> Result<DeviceCode, Refusal> {
        let now = self.clock.now();
        let mut state = self.state();
        let pending = state.knobs.pending;
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
        let approved = device.clone();
        state.device_codes.remove(code);
        Ok(approved)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
