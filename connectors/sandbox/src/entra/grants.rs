//! What each grant type gives: client credentials, refresh token, device code, authorization code.

use axum::http::HeaderMap;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    errors::Refusal,
    request::{Form, Version},
    state::Entra,
};
use crate::core::tokens::{AccessToken, Principal};

const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The older name of the same grant, which MSAL for Node sends.
const DEVICE_CODE_GRANT_SHORT: &str = "device_code";

/// What a successful sign-in gives.
struct SignIn<'a> {
    principal: Uuid,
    audience: &'a str,
    mfa: bool,
    refresh_token: Option<String>,
    /// An id token, with this nonce if any.
    id_token: Option<Option<String>>,
}

impl Entra {
    /// Answers one token request; the body of a success.
    pub(super) fn token(
        &self,
        version: Version,
        tenant: &str,
        headers: &HeaderMap,
        form: &Form,
    ) -> Result<Value, Refusal> {
        self.check_tenant(tenant)?;
        let grant = form.require("grant_type")?;
        let app_only = grant == "client_credentials";
        let confidential = self.check_client(headers, form)?;
        let asked = self.scopes(version, form, app_only)?;
        let user = self.seed.user;
        let mut body = match grant {
            "client_credentials" => {
                if !confidential {
                    return Err(Refusal::no_credential());
                }
                let audience = asked.require(version)?;
                let app = self.seed.app;
                self.grant(
                    version,
                    SignIn { principal: app, audience, mfa: false, refresh_token: None, id_token: None },
                )
            }
            "refresh_token" => {
                let old = form.require("refresh_token")?;
                let audience = asked.require(version)?;
                let (old, successor) = self.rotate(old, confidential)?;
                let mfa = old.mfa && self.knobs().mfa;
                let refresh_token = asked.offline_access.then_some(successor);
                let id_token = asked.openid.then_some(None);
                self.grant(version, SignIn { principal: user, audience, mfa, refresh_token, id_token })
            }
            DEVICE_CODE_GRANT | DEVICE_CODE_GRANT_SHORT => {
                let approved = self.redeem_device_code(form.require("device_code")?)?;
                let audience = approved.require(version)?;
                let mfa = self.knobs().mfa;
                let refresh_token = approved.offline_access.then(|| self.new_refresh_token(mfa, !confidential));
                let id_token = approved.openid.then_some(None);
                self.grant(version, SignIn { principal: user, audience, mfa, refresh_token, id_token })
            }
            "authorization_code" => {
                let code = self.redeem_code(form, confidential)?;
                // The resource may be named when the code is asked for, when it is redeemed, or both times.
                let audience = if asked.audience.is_some() { &asked } else { &code.scopes }.require(version)?;
                let offline_access = asked.offline_access || code.scopes.offline_access;
                let refresh_token = offline_access.then(|| self.new_refresh_token(code.mfa, !confidential));
                let id_token = (asked.openid || code.scopes.openid).then_some(code.nonce);
                self.grant(version, SignIn { principal: user, audience, mfa: code.mfa, refresh_token, id_token })
            }
            other => Err(Refusal::new(70003, format!("The app requested an unsupported grant type '{other}'."))),
        }?;
        if !app_only && form.client_info() {
            let account = json!({ "uid": user, "utid": self.seed.tenant });
            body["client_info"] = json!(URL_SAFE_NO_PAD.encode(account.to_string()));
        }
        Ok(body)
    }

    /// The body of a success. v1 writes its numbers as strings ("Enable the secure application model", token reply).
    fn grant(&self, version: Version, sign_in: SignIn<'_>) -> Result<Value, Refusal> {
        let knobs = self.knobs();
        let now = self.clock.now();
        let audience = sign_in.audience;
        let principal = self
            .tokens
            .principal(sign_in.principal)
            .ok_or_else(|| Refusal::new(50034, "The user account does not exist in the directory."))?;
        let access_token = self
            .tokens
            .issue(&AccessToken {
                principal: &principal,
                tenant: self.seed.tenant,
                client_id: &self.seed.client_id,
                audience,
                mfa: sign_in.mfa,
                issued_at: now,
                seconds: knobs.access_token_seconds,
            })
            .map_err(|_| unsigned())?;
        let seconds = knobs.access_token_seconds;
        let mut body = match version {
            Version::V1 => json!({
                "token_type": "Bearer",
                "expires_in": seconds.to_string(),
                "ext_expires_in": seconds.to_string(),
                "expires_on": (now.as_second() + seconds).to_string(),
                "not_before": now.as_second().to_string(),
                "resource": audience,
                "access_token": access_token,
            }),
            Version::V2 => json!({
                "token_type": "Bearer",
                "expires_in": seconds,
                "ext_expires_in": seconds,
                "access_token": access_token,
            }),
        };
        if principal.user_name.is_some() {
            body["scope"] = match version {
                Version::V1 => json!("user_impersonation"),
                // Both, as the live endpoint does: a library finds its cached token by the scope it asked for.
                Version::V2 => json!(format!("{audience}/user_impersonation {audience}/.default")),
            };
        }
        if let Some(refresh_token) = sign_in.refresh_token {
            body["refresh_token"] = json!(refresh_token);
        }
        if let Some(nonce) = sign_in.id_token {
            body["id_token"] = json!(self.id_token(version, &principal, nonce.as_deref())?);
        }
        Ok(body)
    }

    /// Who signed in, for the app itself to read ("ID tokens").
    pub(super) fn id_token(
        &self,
        version: Version,
        principal: &Principal,
        nonce: Option<&str>,
    ) -> Result<String, Refusal> {
        let now = self.clock.now().as_second();
        let tenant = self.seed.tenant;
        let (issuer, number) = match version {
            Version::V1 => (format!("https://sts.windows.net/{tenant}/"), "1.0"),
            Version::V2 => (format!("{}/{tenant}/v2.0", self.origin), "2.0"),
        };
        let mut claims = json!({
            "aud": self.seed.client_id,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "name": principal.name,
            "oid": principal.id,
            "sub": principal.id,
            "tid": tenant,
            "ver": number,
        });
        let name = if version == Version::V1 { "upn" } else { "preferred_username" };
        claims[name] = json!(principal.user_name);
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        self.tokens.sign(&claims).map_err(|_| unsigned())
    }
}

fn unsigned() -> Refusal {
    Refusal::new(90033, "A transient error has occurred: the token could not be signed.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::StatusCode;
    use jiff::SignedDuration;

    use super::*;
    use crate::entra::{
        Knobs, PARTNER_CENTER, PARTNER_CENTER_EVENTS,
        testing::{CLIENT, CRM, ORIGIN, SECRET, TENANT, entra, form},
    };

    fn ask(entra: &Entra, version: Version, fields: &[(&str, &str)]) -> Result<Value, Refusal> {
        entra.token(version, TENANT, &HeaderMap::new(), &form(fields))
    }

    const CREDENTIALS: [(&str, &str); 2] = [("client_id", CLIENT), ("client_secret", SECRET)];

    fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        CREDENTIALS.iter().chain(more).copied().collect()
    }

    fn code(result: Result<Value, Refusal>) -> u32 {
        result.unwrap_err().code
    }

    #[test]
    fn v1_writes_numbers_as_strings_and_v2_does_not() {
        let entra = entra();
        let v1 = ask(&entra, Version::V1, &with(&[("grant_type", "client_credentials"), ("resource", CRM)])).unwrap();
        assert_eq!(v1["expires_in"], "3599");
        let scope = ("scope", "http://127.0.0.1:9/.default");
        let v2 = ask(&entra, Version::V2, &with(&[("grant_type", "client_credentials"), scope])).unwrap();
        assert_eq!(v2["expires_in"], 3599);
        assert!(v2.get("refresh_token").is_none());
    }

    #[test]
    fn basic_credentials_are_form_encoded_inside() {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let mut headers = HeaderMap::new();
        let basic = format!("Basic {}", STANDARD.encode("app:s%2Bc%3Dr%2Ft+%26"));
        headers.insert(axum::http::header::AUTHORIZATION, basic.parse().unwrap());
        let form = Form::read(b"grant_type=client_credentials&resource=http://127.0.0.1:9/");
        assert!(entra().token(Version::V1, TENANT, &headers, &form).is_ok());
    }

    #[test]
    fn each_mistake_has_its_code() {
        let entra = entra();
        let cc = ("grant_type", "client_credentials");
        let v1 = |fields: &[(&str, &str)]| code(ask(&entra, Version::V1, fields));
        let v2 = |fields: &[(&str, &str)]| code(ask(&entra, Version::V2, fields));
        assert_eq!(v1(&[]), 900144);
        assert_eq!(v1(&[cc]), 900144);
        assert_eq!(v1(&[cc, ("client_id", "other"), ("client_secret", "x")]), 700016);
        assert_eq!(v1(&[cc, ("client_id", "app")]), 7000218);
        assert_eq!(v1(&[cc, ("client_id", "app"), ("client_secret", "s c=r/t &")]), 7000215);
        assert_eq!(v1(&with(&[cc])), 900144);
        assert_eq!(v1(&with(&[cc, ("resource", "https://graph.windows.net")])), 500011);
        assert_eq!(v1(&with(&[("grant_type", "password")])), 70003);
        assert_eq!(v2(&with(&[cc, ("resource", CRM)])), 901002);
        assert_eq!(v2(&with(&[cc, ("scope", "nonsense")])), 70011);
        assert_eq!(v2(&with(&[cc, ("scope", "http://127.0.0.1:9/user_impersonation")])), 1002012);
        let two = "http://127.0.0.1:9/.default https://api.partner.microsoft.com/.default";
        assert_eq!(v2(&with(&[cc, ("scope", two)])), 700022);
        assert_eq!(v1(&with(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("resource", CRM)])), 70000);
        assert_eq!(entra.check_tenant("common").unwrap_err().code, 50194);
        assert_eq!(entra.check_tenant("elsewhere").unwrap_err().code, 90002);
        assert_eq!(Refusal::new(7000215, "").class(), ("invalid_client", StatusCode::UNAUTHORIZED));
    }

    fn refresh(entra: &Entra, token: &str, resource: &str) -> Result<Value, Refusal> {
        let mut fields = with(&[("grant_type", "refresh_token")]);
        fields.extend([("refresh_token", token), ("resource", resource)]);
        ask(entra, Version::V1, &fields)
    }

    #[test]
    fn a_refresh_token_serves_both_audiences_and_survives_its_use() {
        let entra = entra();
        let first = entra.seed_refresh_token();
        let answer = refresh(&entra, &first, PARTNER_CENTER).unwrap();
        let second = answer["refresh_token"].as_str().unwrap();
        assert_ne!(second, first);
        assert!(refresh(&entra, second, PARTNER_CENTER_EVENTS).is_ok());
        assert!(refresh(&entra, &first, PARTNER_CENTER).is_ok());
    }

    #[test]
    fn a_refresh_token_dies_of_disuse_or_by_order() {
        let entra = entra();
        let token = entra.seed_refresh_token();
        entra.set_knobs(Knobs { refuse_refresh: Some(50173), ..Knobs::default() });
        assert_eq!(code(refresh(&entra, &token, PARTNER_CENTER)), 50173);
        entra.reset();
        assert!(refresh(&entra, &token, PARTNER_CENTER).is_ok());
        entra.clock.advance(SignedDuration::from_hours(24 * 90).as_secs());
        assert_eq!(code(refresh(&entra, &token, PARTNER_CENTER)), 700082);
    }

    #[test]
    fn a_device_code_is_pending_as_often_as_told() {
        let entra = entra();
        entra.set_knobs(Knobs { pending: 1, ..Knobs::default() });
        let wanted = form(&[("scope", "https://api.partner.microsoft.com/.default offline_access openid")]);
        let wanted = entra.scopes(Version::V2, &wanted, false).unwrap();
        let device = entra.new_device_code(wanted.clone());
        let poll = |device: &str| {
            let fields = [("grant_type", DEVICE_CODE_GRANT), ("client_id", CLIENT), ("device_code", device)];
            ask(&entra, Version::V2, &fields)
        };
        assert_eq!(code(poll(&device)), 70016);
        let approved = poll(&device).unwrap();
        assert!(approved["id_token"].is_string());
        assert_eq!(code(poll(&device)), 70018);

        // What a public client was given it can refresh without a secret; nobody else can.
        let own = approved["refresh_token"].as_str().unwrap();
        let scope = ("scope", "https://api.partner.microsoft.com/.default");
        let public = |token: &str| {
            let fields = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", token), scope];
            ask(&entra, Version::V2, &fields)
        };
        assert!(public(own).unwrap().get("refresh_token").is_none(), "offline_access was not asked for");
        assert_eq!(code(public(&entra.seed_refresh_token())), 7000218);

        let late = entra.new_device_code(wanted.clone());
        entra.clock.advance(900);
        assert_eq!(code(poll(&late)), 70019);
        entra.set_knobs(Knobs { refuse_sign_in: Some(65004), ..Knobs::default() });
        let declined = poll(&entra.new_device_code(wanted)).unwrap_err();
        assert_eq!((declined.code, declined.class().0), (65004, "authorization_declined"));
    }

    #[test]
    fn a_refresh_token_keeps_the_factor_of_its_sign_in() {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let entra = entra();
        let factors = |token: &str| {
            let body = refresh(&entra, token, PARTNER_CENTER).unwrap();
            let payload = body["access_token"].as_str().unwrap().split('.').nth(1).unwrap();
            let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
            claims["amr"].clone()
        };
        assert_eq!(factors(&entra.new_refresh_token(true, false)), json!(["pwd", "mfa"]));
        assert_eq!(factors(&entra.new_refresh_token(false, false)), json!(["pwd"]));
    }

    #[test]
    fn knobs_refuse_the_app() {
        let entra = entra();
        let cc = [("grant_type", "client_credentials"), ("resource", CRM)];
        entra.set_knobs(Knobs { refuse_client: Some(7000222), ..Knobs::default() });
        assert_eq!(code(ask(&entra, Version::V1, &with(&cc))), 7000222);
        entra.set_knobs(Knobs { public_client: false, ..Knobs::default() });
        let device = [("grant_type", DEVICE_CODE_GRANT), ("client_id", CLIENT), ("device_code", "x")];
        assert_eq!(code(ask(&entra, Version::V2, &device)), 7000218);
        entra.set_knobs(Knobs { multi_tenant: true, ..Knobs::default() });
        assert_eq!(entra.check_tenant("organizations"), Ok(()));
    }

    #[test]
    fn an_id_token_says_who_signed_in() {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let entra = entra();
        let principal = entra.tokens.principal(entra.seed.user).unwrap();
        let claims = |version| {
            let token = entra.id_token(version, &principal, Some("n-1")).unwrap();
            let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
            serde_json::from_slice::<Value>(&payload).unwrap()
        };
        let v2 = claims(Version::V2);
        assert_eq!(v2["iss"], format!("{ORIGIN}/{TENANT}/v2.0"));
        assert_eq!((&v2["aud"], &v2["nonce"]), (&json!(CLIENT), &json!("n-1")));
        assert_eq!(v2["preferred_username"], "noor@fabrikam.example");
        assert_eq!(claims(Version::V1)["iss"], format!("https://sts.windows.net/{TENANT}/"));
    }
}
