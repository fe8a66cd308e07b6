//! The authorize endpoint: the integration user is always at the keyboard and signs in at once ("Auth code flow").

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use url::Url;
use uuid::Uuid;

use super::{
    errors::Refusal,
    request::{Form, Version},
    state::{DECLINED, Entra},
};

/// How the answer travels to the redirect address.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Query,
    Fragment,
    FormPost,
}

/// A redirect address of this machine needs no registration: its port is ignored ("Redirect URI restrictions", localhost).
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Entra {
    /// Answers an authorization request.
    pub(super) fn authorize(&self, version: Version, tenant: &str, form: &Form) -> Response {
        // Without an app and a redirect address that belong together, there is nobody to redirect to.
        match self.check_tenant(tenant).and_then(|()| self.redirect_uri(form)) {
            Ok(redirect_uri) => self.redirect(version, form, &redirect_uri),
            Err(refusal) => self.page(&refusal),
        }
    }

    fn redirect_uri(&self, form: &Form) -> Result<Url, Refusal> {
        self.check_client_id(form.require("client_id")?)?;
        let given = form.require("redirect_uri")?;
        let parsed = Url::parse(given).ok();
        let local = parsed.as_ref().and_then(Url::host_str).is_some_and(|host| LOCAL.contains(&host));
        match parsed {
            Some(url) if local || self.state().knobs.redirect_uris.iter().any(|known| known == given) => Ok(url),
            _ => Err(Refusal::new(
                50011,
                format!("The redirect URI '{given}' does not match the redirect URIs configured for the application."),
            )),
        }
    }

    fn redirect(&self, version: Version, form: &Form, redirect_uri: &Url) -> Response {
        let (mode, answer) = match mode(form) {
            Ok(mode) => (mode, self.answer(version, form)),
            Err(refusal) => (Mode::Query, Err(refusal)),
        };
        let mut fields = match answer {
            Ok(fields) => fields,
            Err(refusal) => {
                let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
                let timestamp = self.clock.now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
                vec![
                    ("error", refusal.class().0.to_owned()),
                    ("error_description", refusal.description(trace, correlation, &timestamp)),
                ]
            }
        };
        if let Some(state) = form.get("state") {
            fields.push(("state", state.to_owned()));
        }
        fields.push(("session_state", Uuid::new_v4().to_string()));
        deliver(mode, redirect_uri, &fields)
    }

    /// The fields of a success.
    fn answer(&self, version: Version, form: &Form) -> Result<Vec<(&'static str, String)>, Refusal> {
        let refused = self.state().knobs.refuse_sign_in;
        match refused {
            Some(DECLINED) => return Err(Refusal::new(DECLINED, "The user declined to sign in.")),
            Some(code) => return Err(Refusal::new(code, "The sign-in was refused, as the sandbox was told to.")),
            None => {}
        }
        let scopes = self.scopes(version, form, false)?;
        let code = self.new_code(form, form.require("redirect_uri")?, scopes)?;
        let mut fields = vec![("code", code)];
        if form.require("response_type")?.contains("id_token") {
            let nonce = form.require("nonce")?;
            let principal = self
                .tokens
                .principal(self.seed.user)
                .ok_or_else(|| Refusal::new(50034, "The user account does not exist in the directory."))?;
            fields.push(("id_token", self.id_token(version, &principal, Some(nonce))?));
        }
        Ok(fields)
    }

    /// What a person sees where nothing can be sent back to the app.
    fn page(&self, refusal: &Refusal) -> Response {
        let timestamp = self.clock.now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let text = escaped(&refusal.description(Uuid::new_v4(), Uuid::new_v4(), &timestamp));
        let page = format!(
            "<!DOCTYPE html><title>Sign in</title><h1>Sorry, but we're having trouble signing you in.</h1><p>{text}</p>"
        );
        (StatusCode::BAD_REQUEST, Html(page)).into_response()
    }
}

/// How to answer, from the response type and mode.
fn mode(form: &Form) -> Result<Mode, Refusal> {
    let kind = form.require("response_type")?;
    let hybrid = match kind.split_whitespace().collect::<Vec<_>>()[..] {
        ["code"] => false,
        ["code", "id_token"] | ["id_token", "code"] => true,
        _ => {
            let message = format!("The response_type '{kind}' is not enabled: use code, or code id_token.");
            return Err(Refusal::new(700054, message));
        }
    };
    match form.get("response_mode") {
        None if hybrid => Ok(Mode::Fragment),
        None => Ok(Mode::Query),
        Some("query") if !hybrid => Ok(Mode::Query),
        Some("fragment") => Ok(Mode::Fragment),
        Some("form_post") => Ok(Mode::FormPost),
        Some(other) => {
            let message = format!("The response_mode '{other}' does not go with the response_type '{kind}'.");
            Err(Refusal::new(70007, message))
        }
    }
}

fn deliver(mode: Mode, redirect_uri: &Url, fields: &[(&str, String)]) -> Response {
    let mut url = redirect_uri.clone();
    match mode {
        Mode::Query => {
            url.query_pairs_mut().extend_pairs(fields);
        }
        Mode::Fragment => {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            url.set_fragment(Some(&text));
        }
        Mode::FormPost => {
            let inputs: String = fields
                .iter()
                .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value)))
                .collect();
            return Html(format!(
                "<!DOCTYPE html><title>Working...</title><form method=\"POST\" name=\"hiddenform\" action=\"{}\">{inputs}\
                 <noscript><button>Submit</button></noscript></form><script>document.forms[0].submit();</script>",
                escaped(url.as_str())
            ))
            .into_response();
        }
    }
    let mut response = StatusCode::FOUND.into_response();
    if let Ok(location) = HeaderValue::from_str(url.as_str()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashMap;

    use super::*;
    use crate::entra::{
        Knobs,
        testing::{CLIENT, CRM, TENANT, entra, form},
    };

    const REDIRECT: &str = "http://localhost:8443/callback?kept=1";

    fn ask(entra: &Entra, more: &[(&str, &str)]) -> Response {
        let mut fields = HashMap::from([
            ("client_id", CLIENT),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("state", "a&b"),
            ("scope", "http://127.0.0.1:9/.default offline_access"),
        ]);
        fields.extend(more.iter().copied());
        let fields: Vec<_> = fields.into_iter().collect();
        entra.authorize(Version::V2, TENANT, &form(&fields))
    }

    fn location(response: &Response) -> Url {
        assert_eq!(response.status(), StatusCode::FOUND);
        Url::parse(response.headers()[header::LOCATION].to_str().unwrap()).unwrap()
    }

    fn query(response: &Response) -> HashMap<String, String> {
        location(response).query_pairs().into_owned().collect()
    }

    async fn text(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn the_code_comes_back_with_the_state() {
        let entra = entra();
        let answer = query(&ask(&entra, &[]));
        assert_eq!((answer["state"].as_str(), answer["kept"].as_str()), ("a&b", "1"));
        let redeemed = form(&[("code", &answer["code"]), ("redirect_uri", REDIRECT)]);
        assert_eq!(entra.redeem_code(&redeemed, true).unwrap().scopes.audience.as_deref(), Some(CRM));
    }

    #[tokio::test]
    async fn the_modes_differ_in_how_the_answer_travels() {
        let entra = entra();
        assert!(location(&ask(&entra, &[("response_mode", "fragment")])).fragment().unwrap().contains("code="));
        let hybrid = [("response_type", "code id_token"), ("nonce", "n")];
        assert!(location(&ask(&entra, &hybrid)).fragment().unwrap().contains("id_token="));
        let post = ask(&entra, &[("response_mode", "form_post")]);
        assert_eq!(post.status(), StatusCode::OK);
        let post = text(post).await;
        assert!(post.contains("name=\"code\"") && post.contains("value=\"a&amp;b\""), "{post}");
        for (mode, kind) in [("query", "code id_token"), ("carrier_pigeon", "code")] {
            let wrong = query(&ask(&entra, &[("response_mode", mode), ("response_type", kind)]));
            assert_eq!(wrong["error"], "invalid_request");
        }
        assert_eq!(query(&ask(&entra, &[("response_type", "token")]))["error"], "unsupported_response_type");
    }

    #[tokio::test]
    async fn nobody_is_redirected_to_a_stranger() {
        let entra = entra();
        for (field, value, code) in [
            ("redirect_uri", "https://evil.example/callback", "AADSTS50011"),
            ("redirect_uri", "https://localhost.evil.example/", "AADSTS50011"),
            ("client_id", "other", "AADSTS700016"),
        ] {
            let page = ask(&entra, &[(field, value)]);
            assert_eq!(page.status(), StatusCode::BAD_REQUEST);
            assert!(text(page).await.contains(code));
        }
        let registered = "https://flow.example/redirect";
        entra.set_knobs(Knobs { redirect_uris: vec![registered.to_owned()], ..Knobs::default() });
        assert!(query(&ask(&entra, &[("redirect_uri", registered)])).contains_key("code"));
    }

    #[test]
    fn a_refusal_is_told_to_the_app() {
        let entra = entra();
        entra.set_knobs(Knobs { refuse_sign_in: Some(65004), ..Knobs::default() });
        let answer = query(&ask(&entra, &[]));
        assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("access_denied", "a&b"));
        assert!(answer["error_description"].starts_with("AADSTS65004"));
        entra.reset();
        assert_eq!(
            query(&ask(&entra, &[("scope", "https://elsewhere.example/.default")]))["error"],
            "invalid_resource"
        );
    }
}
