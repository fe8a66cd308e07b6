//! Signing a person in with a browser: it comes back with a code, which only whoever sent the browser off can use
//! (Microsoft identity platform, authorization code flow with PKCE, RFC 7636).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;
use url::form_urlencoded;

use super::endpoint::Endpoint;
use super::{EntraSettings, SignedIn};
use crate::error::{CallError, Meaning};
use crate::http::Transport;
use crate::http::scrub_text;
use crate::settings::Secret;

/// A sign-in that waits for the browser to come back.
#[derive(Debug)]
pub struct AuthorisationCode {
    /// Where to send the person's browser.
    pub address: String,
    redirect_uri: String,
    state: String,
    verifier: Secret,
    endpoint: Endpoint,
}

/// Begins a sign-in for `audience`. The browser comes back to `redirect_uri`, which the app registration must know; a
/// program on the person's own machine takes `http://localhost` with a port.
///
/// # Errors
/// Settings that cannot be used.
pub fn begin(
    settings: &EntraSettings,
    audience: &str,
    redirect_uri: &str,
    transport: &Transport,
) -> Result<AuthorisationCode, CallError> {
    let endpoint = Endpoint::entra(settings, audience, transport)?;
    let (state, verifier) = (random()?, random()?);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let mut address: Url = settings.below(&["oauth2", "v2.0", "authorize"])?;
    address.query_pairs_mut().extend_pairs([
        ("client_id", settings.client_id.as_str()),
        ("response_type", "code"),
        ("response_mode", "query"),
        ("redirect_uri", redirect_uri),
        ("scope", &endpoint.scope_for(true).unwrap_or_default()),
        ("state", &state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    Ok(AuthorisationCode {
        address: address.into(),
        redirect_uri: redirect_uri.to_owned(),
        state,
        verifier: Secret::from(verifier),
        endpoint,
    })
}

fn random() -> Result<String, CallError> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| CallError::rejected("no_randomness", "this machine gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl AuthorisationCode {
    /// Redeems the code with which the browser came back to the redirect address; `query` is that request's query.
    ///
    /// # Errors
    /// [`Meaning::SignIn`] where the person declined or the answer belongs to another sign-in; what the token endpoint
    /// refuses.
    pub async fn finish(self, query: &str) -> Result<SignedIn, CallError> {
        let member = |name: &str| {
            form_urlencoded::parse(query.trim_start_matches('?').as_bytes())
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.into_owned())
        };
        let failed =
            |code: &str, what: &str| CallError::new(Meaning::SignIn, code, format!("{what}; start the sign-in again"));
        if member("state").as_deref() != Some(self.state.as_str()) {
            return Err(failed("wrong_state", "the browser came back with the answer to another sign-in"));
        }
        if let Some(error) = member("error") {
            let said = scrub_text(&member("error_description").unwrap_or_default());
            return Err(failed(&error, &format!("the sign-in did not succeed: {}", said.trim())));
        }
        let Some(code) = member("code") else {
            return Err(failed("no_code", "the browser came back without a code"));
        };
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", self.verifier.expose()),
        ];
        SignedIn::from_grant(&self.endpoint.redeem(&grant).await?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashMap;

    use super::*;
    use crate::stub::{Reply, Stub};
    use serde_json::json;

    const BACK: &str = "http://localhost:8400/callback";

    fn begun(stub: &Stub) -> (AuthorisationCode, HashMap<String, String>) {
        let settings: EntraSettings = serde_json::from_value(stub.sign_in()).unwrap();
        let begun = begin(&settings, "https://api.example.com", BACK, &Transport::new(None).unwrap()).unwrap();
        let asked = Url::parse(&begun.address).unwrap().query_pairs().into_owned().collect();
        (begun, asked)
    }

    #[tokio::test]
    async fn the_code_is_redeemed_with_the_verifier_of_the_challenge() {
        let stub = Stub::start().await;
        let granted = json!({ "access_token": "a", "refresh_token": "r", "expires_in": 3599 });
        stub.on("POST", "/tenant/oauth2/v2.0/token", [Reply::json(200, granted)]);
        let (begun, asked) = begun(&stub);
        assert_eq!((asked["redirect_uri"].as_str(), asked["code_challenge_method"].as_str()), (BACK, "S256"));
        assert_eq!(asked["scope"], "https://api.example.com/.default offline_access");
        let verifier = begun.verifier.expose().to_owned();
        assert_eq!(asked["code_challenge"], URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())));
        let signed_in = begun.finish(&format!("?code=c1&state={}", asked["state"])).await.unwrap();
        assert_eq!(signed_in.refresh_token.expose(), "r");
        let sent = stub.token_requests()[0].body.clone();
        assert!(sent.contains("code=c1") && sent.contains(&format!("code_verifier={verifier}")), "{sent}");
    }

    #[tokio::test]
    async fn foreign_answers_and_refusals_are_not_redeemed() {
        let stub = Stub::start().await;
        for (query, code) in [
            ("code=c1&state=other".to_owned(), "wrong_state"),
            (format!("error=access_denied&error_description=no&state={}", "STATE"), "access_denied"),
            ("state=STATE".to_owned(), "no_code"),
        ] {
            let (begun, asked) = begun(&stub);
            let error = begun.finish(&query.replace("STATE", &asked["state"])).await.unwrap_err();
            assert_eq!((error.meaning, error.code.as_str()), (Meaning::SignIn, code));
        }
        assert!(stub.token_requests().is_empty());
    }
}
