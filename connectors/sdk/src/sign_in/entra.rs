//! The token request: Microsoft identity platform, v2.0 token endpoint.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::EntraSettings;
use super::faults::refusal;
use crate::error::{CallError, Meaning};
use crate::http::{Address, retry_after};
use crate::settings::Secret;

/// Where and as whom to ask for tokens.
#[derive(Debug)]
pub(super) struct Entra {
    endpoint: Url,
    client_id: String,
    client_secret: Secret,
    audience: String,
    transport: reqwest::Client,
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
    /// A number from v2 endpoints, a text from v1 ones.
    expires_in: Value,
    #[serde(default)]
    refresh_token: Option<Secret>,
}

impl Entra {
    pub(super) fn new(authority: Address, settings: &EntraSettings, audience: &str) -> Result<Self, CallError> {
        for (member, text) in [("tenant", settings.tenant.as_str()), ("client_id", settings.client_id.as_str())] {
            if text.trim().is_empty() {
                return Err(CallError::rejected(
                    "setting_missing",
                    format!("setting `sign_in.{member}` is empty; fill it in"),
                ));
            }
        }
        Ok(Self {
            endpoint: authority.below(&[&settings.tenant, "oauth2", "v2.0", "token"]),
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone(),
            audience: audience.trim_end_matches('/').to_owned(),
            transport: crate::http::transport()?,
        })
    }

    /// Asks for a token, for the person behind `refresh_token` or for the application itself. Asking changes nothing that
    /// matters, so whatever breaks may be tried again.
    pub(super) async fn ask(&self, refresh_token: Option<&Secret>) -> Result<Grant, CallError> {
        let mut scope = format!("{}/.default", self.audience);
        let mut form = vec![("client_id", self.client_id.as_str()), ("client_secret", self.client_secret.expose())];
        match refresh_token {
            Some(token) => {
                // Without this scope no newer refresh token comes back.
                scope.push_str(" offline_access");
                form.extend([("grant_type", "refresh_token"), ("refresh_token", token.expose())]);
            }
            None => form.push(("grant_type", "client_credentials")),
        }
        form.push(("scope", &scope));

        let answer = self.transport.post(self.endpoint.clone()).form(&form).send().await;
        let answer = answer
            .map_err(|error| self.again(None, if error.is_connect() { "cannot connect" } else { "no answer" }))?;
        let status = answer.status().as_u16();
        let after = answer
            .headers()
            .get("retry-after")
            .and_then(|header| header.to_str().ok())
            .and_then(|header| retry_after(header, Timestamp::now()));
        let body = answer.bytes().await.map_err(|_| self.again(None, "the connection broke"))?;
        match status {
            200 => {
                let answer: Answer =
                    serde_json::from_slice(&body).map_err(|_| self.again(None, "an answer that is no token"))?;
                let seconds = match &answer.expires_in {
                    Value::String(text) => text.parse().ok(),
                    number => number.as_u64(),
                };
                Ok(Grant {
                    access_token: answer.access_token,
                    life: Duration::from_secs(seconds.ok_or_else(|| self.again(None, "a token without its life"))?),
                    refresh_token: answer.refresh_token,
                })
            }
            408 | 429 | 500.. => Err(self.again(after, &format!("status {status}"))),
            _ => Err(refusal(status, &serde_json::from_slice(&body).unwrap_or_default(), after)),
        }
    }

    fn again(&self, after: Option<Duration>, what: &str) -> CallError {
        let host = self.endpoint.host_str().unwrap_or_default();
        CallError::new(
            Meaning::Retry { after },
            "sign_in_unavailable",
            format!("the sign-in service at {host} cannot give a token now: {what}"),
        )
    }
}
