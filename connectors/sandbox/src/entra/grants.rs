//! What each grant type gives: client credentials, refresh token, device code.

use axum::http::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    errors::Refusal,
    request::{Form, Version},
    state::Entra,
};
use crate::core::tokens::AccessToken;

const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Who signed in, and whether a refresh token comes along.
struct SignIn {
    principal: Uuid,
    refresh_token: Option<String>,
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
        // A device is a public client: it sends no secret.
        if grant == DEVICE_CODE_GRANT {
            self.check_client_id(form.require("client_id")?)?;
        } else {
            self.check_client(headers, form)?;
        }
        match grant {
            "client_credentials" => {
                let audience = self.audience(version, form, app_only)?;
                self.grant(version, audience, SignIn { principal: self.seed.app, refresh_token: None })
            }
            "refresh_token" => {
                let old = form.require("refresh_token")?;
                let audience = self.audience(version, form, app_only)?;
                let successor = self.rotate(old)?;
                // v2 hands out a refresh token only to those who ask for offline_access ("Auth code flow", scope).
                let refresh_token = (version == Version::V1 || form.offline_access()).then_some(successor);
                self.grant(version, audience, SignIn { principal: self.seed.user, refresh_token })
            }
            DEVICE_CODE_GRANT => {
                let approved = self.redeem_device_code(form.require("device_code")?)?;
                let refresh_token = approved.offline_access.then(|| self.new_refresh_token());
                self.grant(version, &approved.audience, SignIn { principal: self.seed.user, refresh_token })
            }
            other => Err(Refusal::new(70003, format!("The app requested an unsupported grant type '{other}'."))),
        }
    }

    /// The body of a success. v1 writes its numbers as strings ("Enable the secure application model", token reply).
    fn grant(&self, version: Version, audience: &str, sign_in: SignIn) -> Result<Value, Refusal> {
        let knobs = self.knobs();
        let now = self.clock.now();
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
                mfa: knobs.mfa,
                issued_at: now,
                seconds: knobs.access_token_seconds,
            })
            .map_err(|_| Refusal::new(90033, "A transient error has occurred: the token could not be signed."))?;
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
                Version::V2 => json!(format!("{audience}/user_impersonation")),
            };
        }
        if let Some(refresh_token) = sign_in.refresh_token {
            body["refresh_token"] = json!(refresh_token);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use axum::http::StatusCode;
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        core::{
            clock::Clock,
            tokens::{Principal, Tokens},
        },
        entra::{Knobs, PARTNER_CENTER, PARTNER_CENTER_EVENTS, Seed},
    };

    const CRM: &str = "http://127.0.0.1:9";
    const TENANT: &str = "00000000-0000-0000-0000-000000000001";

    fn entra() -> Entra {
        let (clock, tokens) = (Arc::new(Clock::default()), Arc::new(Tokens::new().unwrap()));
        let (app, user) = (Uuid::from_u128(2), Uuid::from_u128(3));
        let principal = |id, user_name: Option<&str>| Principal {
            id,
            name: "N".to_owned(),
            user_name: user_name.map(str::to_owned),
            roles: vec![],
        };
        tokens.enrol(principal(app, None));
        tokens.enrol(principal(user, Some("noor@fabrikam.example")));
        let seed = Seed {
            tenant: Uuid::from_u128(1),
            domain: "fabrikam.example",
            client_id: "app".to_owned(),
            client_secret: "s+c=r/t &".to_owned(),
            app,
            user,
        };
        Entra::new(seed, CRM, clock, tokens)
    }

    fn ask(entra: &Entra, version: Version, fields: &[(&str, &str)]) -> Result<Value, Refusal> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        entra.token(version, TENANT, &HeaderMap::new(), &Form::read(body.as_bytes()))
    }

    const SECRET: [(&str, &str); 2] = [("client_id", "app"), ("client_secret", "s+c=r/t &")];

    fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        SECRET.iter().chain(more).copied().collect()
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
        let first = entra.new_refresh_token();
        let answer = refresh(&entra, &first, PARTNER_CENTER).unwrap();
        let second = answer["refresh_token"].as_str().unwrap();
        assert_ne!(second, first);
        assert!(refresh(&entra, second, PARTNER_CENTER_EVENTS).is_ok());
        assert!(refresh(&entra, &first, PARTNER_CENTER).is_ok());
    }

    #[test]
    fn a_refresh_token_dies_of_disuse_or_by_order() {
        let entra = entra();
        let token = entra.new_refresh_token();
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
        let device = Form::read(b"scope=https://api.partner.microsoft.com/.default+offline_access");
        let device = entra.new_device_code(&device).unwrap();
        let poll = || {
            let fields = [("grant_type", DEVICE_CODE_GRANT), ("client_id", "app"), ("device_code", device.as_str())];
            ask(&entra, Version::V2, &fields)
        };
        assert_eq!(code(poll()), 70016);
        assert!(poll().unwrap()["refresh_token"].is_string());
        assert_eq!(code(poll()), 70018);
    }
}
