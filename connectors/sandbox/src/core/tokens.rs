//! Who calls: access tokens that the Entra stand-in signed, as the other stand-ins verify them.
//!
//! Tokens are RS256 JWTs (RFC 7519) signed by a key that lives as long as the sandbox.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    error::Unspecified,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey},
};
use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// Name of the one signing key, in each token's header and in the published key set.
const KEY_ID: &str = "sandbox-signing-key";

/// How far ahead of the reader's clock a token's start may lie, in seconds: the five minutes that Microsoft's token
/// libraries allow for clocks that differ.
const TOLERANCE: i64 = 300;
/// So many checked tokens are remembered; more than this are forgotten together.
const MOST_SEEN: usize = 10_000;

/// The caller that a valid access token names.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Display name, for the log and for `modifiedby`.
    pub(crate) name: String,
    /// Object id of the user or of the application's service principal.
    pub(crate) id: Uuid,
    /// True where an application signed in without a user.
    pub(crate) app_only: bool,
    /// Roles seeded for this user or application, such as `Referrals admin`.
    pub(crate) roles: Vec<String>,
    /// True where the token's `amr` claim holds `mfa`.
    pub(crate) mfa: bool,
}

/// Why a request's token was refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TokenRefusal {
    /// No `Authorization: Bearer` header.
    Missing,
    /// Not a token this sandbox signed, or one of a principal it no longer knows.
    Invalid,
    /// Its `exp` has passed.
    Expired,
    /// Its `aud` names another service.
    WrongAudience,
}

/// A user or an application of the simulated tenant.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// Object id.
    pub(crate) id: Uuid,
    /// Display name.
    pub(crate) name: String,
    /// Sign-in name of a user; none for an application.
    pub(crate) user_name: Option<String>,
    /// Roles that the stand-ins ask for.
    pub(crate) roles: Vec<String>,
}

/// What an access token is to say.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken<'a> {
    /// Who signs in.
    pub(crate) principal: &'a Principal,
    /// Tenant that issues the token.
    pub(crate) tenant: Uuid,
    /// Application that asked for it.
    pub(crate) client_id: &'a str,
    /// Service it is meant for.
    pub(crate) audience: &'a str,
    /// Whether a second factor was used.
    pub(crate) mfa: bool,
    /// Start of its life, in simulated time.
    pub(crate) issued_at: Timestamp,
    /// Length of its life.
    pub(crate) seconds: i64,
}

/// The signing key and the principals of the Entra stand-in.
#[derive(Debug)]
pub(crate) struct Tokens {
    key: KeyPair,
    principals: Mutex<HashMap<Uuid, Principal>>,
    /// Claims of tokens whose signature was checked already.
    seen: Mutex<HashMap<String, Arc<Claims>>>,
}

impl Tokens {
    /// Makes a new signing key; no principal is known yet.
    pub(crate) fn new() -> Result<Tokens, Unspecified> {
        Ok(Tokens { key: KeyPair::generate(KeySize::Rsa2048)?, principals: Mutex::default(), seen: Mutex::default() })
    }

    /// Adds `principal`, or replaces the one with the same id.
    pub(crate) fn enrol(&self, principal: Principal) {
        self.principals.lock().unwrap_or_else(PoisonError::into_inner).insert(principal.id, principal);
    }

    /// The principal with object id `id`.
    pub(crate) fn principal(&self, id: Uuid) -> Option<Principal> {
        self.principals.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Signs a token. Claims are those seen in Partner Center access tokens (version 1.0 tokens, whatever the endpoint).
    pub(crate) fn issue(&self, token: &AccessToken<'_>) -> Result<String, Unspecified> {
        let issued = token.issued_at.as_second();
        let mut claims = json!({
            "aud": token.audience,
            "iss": format!("https://sts.windows.net/{}/", token.tenant),
            "iat": issued,
            "nbf": issued,
            "exp": issued + token.seconds,
            "appid": token.client_id,
            "oid": token.principal.id,
            "tid": token.tenant,
            // Makes each token one of a kind, as the live service does.
            "uti": Uuid::new_v4().simple().to_string(),
            "ver": "1.0",
        });
        match &token.principal.user_name {
            Some(user_name) => {
                claims["upn"] = json!(user_name);
                claims["scp"] = json!("user_impersonation");
                claims["amr"] = if token.mfa { json!(["pwd", "mfa"]) } else { json!(["pwd"]) };
            }
            None => claims["roles"] = json!(token.principal.roles),
        }
        self.sign(&claims)
    }

    /// A signed JWT that says `claims`.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, Unspecified> {
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": KEY_ID });
        let mut text = format!("{}.{}", encode(&header.to_string()), encode(&claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)?;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(text)
    }

    /// Checks the bearer token in `headers` for `audience` (an origin such as `https://api.partner.microsoft.com`).
    pub(crate) fn verify(&self, headers: &HeaderMap, audience: &str, now: Timestamp) -> Result<Caller, TokenRefusal> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(TokenRefusal::Missing)?;
        let (scheme, token) = header.split_once(' ').ok_or(TokenRefusal::Missing)?;
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(TokenRefusal::Missing);
        }
        let claims = self.claims(token.trim()).ok_or(TokenRefusal::Invalid)?;
        if claims.expires <= now.as_second() {
            return Err(TokenRefusal::Expired);
        }
        if claims.not_before > now.as_second() + TOLERANCE {
            return Err(TokenRefusal::Invalid);
        }
        if claims.audience != audience.trim_end_matches('/') {
            return Err(TokenRefusal::WrongAudience);
        }
        let principal = self.principal(claims.principal).ok_or(TokenRefusal::Invalid)?;
        Ok(Caller {
            name: principal.name,
            id: claims.principal,
            app_only: principal.user_name.is_none(),
            roles: principal.roles,
            mfa: claims.mfa,
        })
    }

    /// The public half as a JSON Web Key Set (RFC 7517).
    pub(crate) fn key_set(&self) -> Value {
        let public = self.key.public_key();
        json!({ "keys": [{
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": KEY_ID,
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        }] })
    }

    /// The claims of `token`, where this key signed it. A signature is checked once: callers send the same token again and
    /// again.
    fn claims(&self, token: &str) -> Option<Arc<Claims>> {
        let known = |seen: &HashMap<String, Arc<Claims>>| seen.get(token).cloned();
        if let Some(claims) = known(&self.seen.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Some(claims);
        }
        let claims = Arc::new(Claims::read(&self.checked(token)?)?);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_SEEN {
            seen.clear();
        }
        seen.insert(token.to_owned(), Arc::clone(&claims));
        Some(claims)
    }

    /// The payload of `token`, once its signature was found good.
    fn checked(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header["alg"] != "RS256" {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

/// What the stand-ins read in an access token.
#[derive(Debug)]
struct Claims {
    principal: Uuid,
    audience: String,
    not_before: i64,
    expires: i64,
    mfa: bool,
}

impl Claims {
    fn read(payload: &Value) -> Option<Claims> {
        Some(Claims {
            principal: payload["oid"].as_str()?.parse().ok()?,
            audience: payload["aud"].as_str()?.trim_end_matches('/').to_owned(),
            not_before: payload["nbf"].as_i64()?,
            expires: payload["exp"].as_i64()?,
            mfa: payload["amr"].as_array().is_some_and(|methods| methods.iter().any(|method| method == "mfa")),
        })
    }
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use jiff::SignedDuration;

    use super::*;

    const AUDIENCE: &str = "https://api.partner.microsoft.com";

    fn user() -> Principal {
        Principal {
            id: Uuid::from_u128(7),
            name: "Noor Haddad".to_owned(),
            user_name: Some("noor@fabrikam.example".to_owned()),
            roles: vec!["Referrals admin".to_owned()],
        }
    }

    fn signed(tokens: &Tokens, principal: &Principal, mfa: bool, now: Timestamp) -> HeaderMap {
        let token = tokens
            .issue(&AccessToken {
                principal,
                tenant: Uuid::nil(),
                client_id: "app",
                audience: AUDIENCE,
                mfa,
                issued_at: now,
                seconds: 60,
            })
            .unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        headers
    }

    #[test]
    fn a_signed_token_names_its_caller() {
        let tokens = Tokens::new().unwrap();
        tokens.enrol(user());
        let now = Timestamp::now();
        let caller = tokens.verify(&signed(&tokens, &user(), true, now), AUDIENCE, now).unwrap();
        assert_eq!(caller.name, "Noor Haddad");
        assert!(caller.mfa && !caller.app_only);
        assert!(!tokens.verify(&signed(&tokens, &user(), false, now), AUDIENCE, now).unwrap().mfa);
    }

    #[test]
    fn refusals_say_why() {
        let tokens = Tokens::new().unwrap();
        tokens.enrol(user());
        let now = Timestamp::now();
        let good = signed(&tokens, &user(), true, now);
        let verify = |headers: &HeaderMap, audience, at| tokens.verify(headers, audience, at).map(|_| ()).unwrap_err();

        assert_eq!(verify(&HeaderMap::new(), AUDIENCE, now), TokenRefusal::Missing);
        assert_eq!(verify(&good, "https://elsewhere.example", now), TokenRefusal::WrongAudience);
        assert_eq!(verify(&good, AUDIENCE, now + SignedDuration::from_secs(61)), TokenRefusal::Expired);

        let skewed = signed(&tokens, &user(), true, now + SignedDuration::from_secs(TOLERANCE + 1));
        assert_eq!(verify(&skewed, AUDIENCE, now), TokenRefusal::Invalid);
        assert!(tokens.verify(&skewed, AUDIENCE, now + SignedDuration::from_secs(1)).is_ok());

        let stranger = Tokens::new().unwrap();
        assert_eq!(verify(&signed(&stranger, &user(), true, now), AUDIENCE, now), TokenRefusal::Invalid);
    }
}
