//! Signing a person in on another device: a short code is typed into a browser anywhere (Microsoft identity platform,
//! device authorization grant). It supports multi-factor authentication, and suits a machine without a browser.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::endpoint::Endpoint;
use super::faults::refusal;
use super::{EntraSettings, SignedIn};
use crate::error::{CallError, Meaning};
use crate::http::Transport;
use crate::settings::Secret;

/// What `slow_down` adds to the interval (RFC 8628, section 3.5).
const SLOWER_BY: Duration = Duration::from_secs(5);
/// How long a code is believed to be good for, and the longest pause; Entra's codes are good for fifteen minutes.
const LONGEST: Duration = Duration::from_secs(3600);

/// A sign-in that waits for the person.
#[derive(Debug)]
pub struct DeviceCode {
    /// What the person types in.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same as a sentence, in the service's words.
    pub message: String,
    device_code: Secret,
    interval: Duration,
    good_for: Duration,
    endpoint: Endpoint,
}

#[derive(Deserialize)]
struct Answer {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    #[serde(default)]
    message: String,
    expires_in: u64,
    #[serde(default = "usual_interval")]
    interval: u64,
}

fn usual_interval() -> u64 {
    5
}

/// Begins a sign-in for `audience`. The app registration must allow public client flows.
///
/// # Errors
/// Settings that cannot be used, and what the sign-in service refuses.
pub async fn begin(settings: &EntraSettings, audience: &str, transport: &Transport) -> Result<DeviceCode, CallError> {
    let endpoint = Endpoint::entra(settings, audience, transport)?;
    let url = settings.below(&["oauth2", "v2.0", "devicecode"])?;
    let scope = endpoint.scope_for(true).unwrap_or_default();
    let (status, after, body) = endpoint.post(&url, &[("client_id", &settings.client_id), ("scope", &scope)]).await?;
    if status != 200 {
        return Err(refusal(status, &serde_json::from_slice(&body).unwrap_or_default(), after));
    }
    let answer: Answer =
        serde_json::from_slice(&body).map_err(|_| endpoint.again(None, "an answer that is no device code"))?;
    Ok(DeviceCode {
        user_code: answer.user_code,
        verification_uri: answer.verification_uri,
        message: answer.message,
        device_code: answer.device_code,
        interval: Duration::from_secs(answer.interval).min(LONGEST),
        good_for: Duration::from_secs(answer.expires_in).min(LONGEST),
        endpoint,
    })
}

impl DeviceCode {
    /// Waits until the person has signed in.
    ///
    /// # Errors
    /// [`Meaning::SignIn`] where the person declined or took too long; what else the sign-in service refuses.
    pub async fn finish(self) -> Result<SignedIn, CallError> {
        let until = Instant::now() + self.good_for;
        let mut interval = self.interval;
        loop {
            let grant = self
                .endpoint
                .redeem(&[
                    ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                    ("device_code", self.device_code.expose()),
                ])
                .await;
            let error = match grant {
                Ok(grant) => return SignedIn::from_grant(&grant),
                Err(error) => error,
            };
            match error.details["error"].as_str() {
                Some("authorization_pending") => {}
                Some("slow_down") => interval += SLOWER_BY,
                _ if matches!(error.meaning, Meaning::Retry { .. }) => {}
                _ => return Err(error),
            }
            if Instant::now() + interval >= until {
                return Err(CallError::new(
                    Meaning::SignIn,
                    "expired_token",
                    "nobody signed in with the code in time; start the sign-in again",
                ));
            }
            sleep(interval).await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::stub::{Reply, Stub};
    use serde_json::{Value, json};

    const TOKEN: &str = "/tenant/oauth2/v2.0/token";

    fn settings(stub: &Stub) -> EntraSettings {
        let mut settings = stub.sign_in();
        settings.as_object_mut().unwrap().remove("client_secret");
        serde_json::from_value(settings).unwrap()
    }

    fn script(stub: &Stub, expires_in: u64) {
        let code = json!({ "device_code": "GAQ", "user_code": "HX4KTR9QD", "interval": 0, "expires_in": expires_in,
            "verification_uri": "https://microsoft.com/devicelogin", "message": "Type it in" });
        stub.on("POST", "/tenant/oauth2/v2.0/devicecode", [Reply::json(200, code)]);
    }

    fn refused(error: &str, code: u64) -> Reply {
        Reply::json(400, json!({ "error": error, "error_codes": [code], "error_description": "AADSTS: text" }))
    }

    #[tokio::test]
    async fn it_waits_for_the_person_and_gives_a_refresh_token() {
        let stub = Stub::start().await;
        script(&stub, 900);
        let granted = json!({ "access_token": "a", "refresh_token": "r", "expires_in": 3599 });
        stub.on("POST", TOKEN, [refused("authorization_pending", 70016), Reply::json(200, granted)]);
        let code = begin(&settings(&stub), "https://api.example.com", &Transport::new(None).unwrap()).await.unwrap();
        assert_eq!((code.user_code.as_str(), code.message.as_str()), ("HX4KTR9QD", "Type it in"));
        let asked = stub.requests()[0].body.clone();
        assert!(asked.contains("api.example.com%2F.default+offline_access"), "{asked}");
        assert_eq!(code.finish().await.unwrap().refresh_token.expose(), "r");
        let polled = stub.token_requests();
        assert_eq!(polled.len(), 2);
        assert!(polled[0].body.contains("device_code=GAQ") && !polled[0].body.contains("client_secret"));
    }

    #[tokio::test]
    async fn a_code_is_not_good_for_ever() {
        let stub = Stub::start().await;
        script(&stub, u64::MAX);
        stub.on("POST", TOKEN, [refused("authorization_declined", 0)]);
        let code = begin(&settings(&stub), "https://api.example.com", &Transport::new(None).unwrap()).await.unwrap();
        assert_eq!(code.finish().await.unwrap_err().meaning, Meaning::SignIn);
    }

    #[tokio::test]
    async fn declining_and_running_out_of_time_end_it() {
        let stub = Stub::start().await;
        script(&stub, 900);
        stub.on("POST", TOKEN, [refused("authorization_declined", 0)]);
        let code = begin(&settings(&stub), "https://api.example.com", &Transport::new(None).unwrap()).await.unwrap();
        assert_eq!(code.finish().await.unwrap_err().meaning, Meaning::SignIn);

        let stub = Stub::start().await;
        script(&stub, 0);
        stub.on("POST", TOKEN, [refused("authorization_pending", 70016)]);
        let code = begin(&settings(&stub), "https://api.example.com", &Transport::new(None).unwrap()).await.unwrap();
        assert_eq!(code.finish().await.unwrap_err().code, "expired_token");
    }

    #[tokio::test]
    async fn a_refusal_to_begin_says_what_to_do() {
        let stub = Stub::start().await;
        stub.on(
            "POST",
            "/tenant/oauth2/v2.0/devicecode",
            [refused("invalid_client", 7_000_218), Reply::json(200, Value::Null)],
        );
        let settings = settings(&stub);
        let error = begin(&settings, "https://api.example.com", &Transport::new(None).unwrap()).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::SignIn, "AADSTS7000218"));
        assert_eq!(
            begin(&settings, "https://api.example.com", &Transport::new(None).unwrap()).await.unwrap_err().code,
            "sign_in_unavailable"
        );
    }
}
