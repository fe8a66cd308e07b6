//! The token request: OAuth 2.0, as the Microsoft identity platform's v2.0 token endpoint takes it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::EntraSettings;
use super::assertion::Certificate;
use super::faults::refusal;
use crate::error::{CallError, Meaning};
use crate::http::{Address, Transport, Unread, read_body, retry_after};
use crate::settings::Secret;

/// The longest life of a token that is believed; Entra's longest is 28 hours (access tokens, continuous access evaluation).
const LONGEST_LIFE: Duration = Duration::from_secs(28 * 3600);
/// Largest answer read, in bytes. Tokens are a few kilobytes.
const LARGEST: usize = 1024 * 1024;

/// How an application shows that it is the one it says.
#[derive(Debug)]
pub(super) enum Proof {
    /// Not at all: a public client, which has only the person's token.
    None,
    Secret(Secret),
    Certificate(Certificate),
}

/// Where and as whom to ask for tokens.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) client_id: String,
    pub(super) proof: Proof,
    pub(super) scope: Option<String>,
    pub(super) transport: Transport,
}

/// What a token request yields.
pub(super) struct Grant {
    pub(super) access_token: Secret,
    pub(super) life: Duration,
    pub(super) refresh_token: Option<Secret>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Secret,
    /// A number from v2 endpoints, a text from v1 ones. OAuth only recommends it.
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    refresh_token: Option<Secret>,
}

impl Endpoint {
    /// The endpoint of a tenant, for an audience such as `https://api.partner.microsoft.com`.
    pub(super) fn entra(settings: &EntraSettings, audience: &str, transport: &Transport) -> Result<Self, CallError> {
        for (member, text) in [("tenant", settings.tenant.as_str()), ("client_id", settings.client_id.as_str())] {
            if text.trim().is_empty() {
                return Err(CallError::rejected(
                    "setting_missing",
                    format!("setting `sign_in.{member}` is empty; fill it in"),
                ));
            }
        }
        let proof = match (&settings.client_secret, &settings.certificate) {
            (Some(_), Some(_)) => {
                return Err(CallError::rejected(
                    "settings_exclude_each_other",
                    "settings `sign_in.client_secret` and `sign_in.certificate` are both given; give one of them",
                ));
            }
            (Some(secret), None) => Proof::Secret(secret.clone()),
            (None, Some(certificate)) => Proof::Certificate(Certificate::new(certificate)?),
            (None, None) => Proof::None,
        };
        Ok(Self {
            url: settings.below(&["oauth2", "v2.0", "token"])?,
            client_id: settings.client_id.clone(),
            proof,
            scope: Some(format!("{}/.default", audience.trim_end_matches('/'))),
            transport: transport.clone(),
        })
    }

    /// Any other token endpoint, for client credentials.
    pub(super) fn other(
        address: &Address,
        client_id: String,
        client_secret: Secret,
        scope: Option<String>,
        transport: &Transport,
    ) -> Self {
        let proof = Proof::Secret(client_secret);
        Self { url: address.below(&[]), client_id, proof, scope, transport: transport.clone() }
    }

    /// Asks for a token, for the person behind `refresh_token` or for the application itself.
    pub(super) async fn ask(&self, refresh_token: Option<&Secret>) -> Result<Grant, CallError> {
        match refresh_token {
            Some(token) => self.redeem(&[("grant_type", "refresh_token"), ("refresh_token", token.expose())]).await,
            None => self.redeem(&[("grant_type", "client_credentials")]).await,
        }
    }

    /// Asks for a token with a grant of any kind. Asking changes nothing that matters, so whatever breaks may be tried
    /// again.
    pub(super) async fn redeem(&self, grant: &[(&str, &str)]) -> Result<Grant, CallError> {
        let mut form = vec![("client_id", self.client_id.as_str())];
        form.extend_from_slice(grant);
        let assertion;
        match &self.proof {
            Proof::None => {}
            Proof::Secret(secret) => form.push(("client_secret", secret.expose())),
            Proof::Certificate(certificate) => {
                assertion = certificate.assertion(&self.client_id, self.url.as_str(), Timestamp::now())?;
                form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
                form.push(("client_assertion", assertion.expose()));
            }
        }
        let scope = self.scope_for(grant.first() != Some(&("grant_type", "client_credentials")));
        if let Some(scope) = &scope {
            form.push(("scope", scope));
        }
        let (status, after, body) = self.post(&self.url, &form).await?;
        if status != 200 {
            return Err(refusal(status, &serde_json::from_slice(&body).unwrap_or_default(), after));
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| self.again(None, "an answer that is no token"))?;
        let seconds = match &answer.expires_in {
            Value::String(text) => text.parse().ok(),
            // Without a life, a token is used for one call.
            Value::Null => Some(0),
            number => number.as_u64(),
        };
        Ok(Grant {
            access_token: answer.access_token,
            life: Duration::from_secs(seconds.ok_or_else(|| self.again(None, "a token without its life"))?)
                .min(LONGEST_LIFE),
            refresh_token: answer.refresh_token,
        })
    }

    /// What to ask for. A person's sign-in also asks for a refresh token, which comes only on demand.
    pub(super) fn scope_for(&self, person: bool) -> Option<String> {
        let scope = self.scope.clone()?;
        Some(if person { format!("{scope} offline_access") } else { scope })
    }

    /// Sends a form; gives status, `Retry-After` and body of an answer that is one.
    pub(super) async fn post(
        &self,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<(u16, Option<Duration>, bytes::Bytes), CallError> {
        let answer = self.transport.client().post(url.clone()).form(&form).send().await;
        let answer = answer
            .map_err(|error| self.again(None, if error.is_connect() { "cannot connect" } else { "no answer" }))?;
        let status = answer.status().as_u16();
        let after = answer
            .headers()
            .get("retry-after")
            .and_then(|header| header.to_str().ok())
            .and_then(|header| retry_after(header, Timestamp::now()));
        let body = read_body(answer, LARGEST).await.map_err(|unread| match unread {
            Unread::TooLarge => self.again(None, "an answer that is too large"),
            Unread::Broken(_) => self.again(None, "the connection broke"),
        })?;
        match status {
            408 | 429 | 500.. => Err(self.again(after, &format!("status {status}"))),
            _ => Ok((status, after, body)),
        }
    }

    pub(super) fn again(&self, after: Option<Duration>, what: &str) -> CallError {
        let host = self.url.host_str().unwrap_or_default();
        CallError::new(
            Meaning::Retry { after },
            "sign_in_unavailable",
            format!("the sign-in service at {host} cannot give a token now: {what}"),
        )
    }
}
