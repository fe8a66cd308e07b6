//! Reading a token request: form fields, the client's credentials, the resource it asks for.

use std::collections::HashMap;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{errors::Refusal, state::Entra};

/// Scopes of OpenID Connect, which belong to no resource.
const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Which of the two token endpoints was called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Version {
    /// `/oauth2/token`: `resource=`, numbers as strings.
    V1,
    /// `/oauth2/v2.0/token`: `scope=`.
    V2,
}

/// The form fields of a request.
#[derive(Debug)]
pub(super) struct Form(HashMap<String, String>);

impl Form {
    /// Reads an `application/x-www-form-urlencoded` body.
    pub(super) fn read(body: &[u8]) -> Form {
        Form(url::form_urlencoded::parse(body).into_owned().collect())
    }

    /// A field that may be absent; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A field that must be there.
    pub(super) fn require(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing(name))
    }

    /// Whether a v2 request asks for a refresh token.
    pub(super) fn offline_access(&self) -> bool {
        self.get("scope").is_some_and(|scope| scope.split(' ').any(|one| one == "offline_access"))
    }
}

impl Entra {
    /// Checks the tenant in the path: its id or its domain.
    pub(super) fn check_tenant(&self, tenant: &str) -> Result<(), Refusal> {
        if tenant.parse() == Ok(self.seed.tenant) || tenant == self.seed.domain {
            return Ok(());
        }
        if ["common", "organizations"].contains(&tenant) {
            return Err(Refusal::new(50194, "The application is single-tenant: use its tenant instead of /common."));
        }
        Err(Refusal::new(90002, format!("Tenant '{tenant}' not found.")))
    }

    /// Checks the client's id and secret, given in the form or as basic credentials (RFC 6749, 2.3.1).
    pub(super) fn check_client(&self, headers: &HeaderMap, form: &Form) -> Result<(), Refusal> {
        let basic = basic_credentials(headers);
        let (id, secret) = match &basic {
            Some((id, secret)) => (id.as_str(), Some(secret.as_str())),
            None => (form.require("client_id")?, form.get("client_secret")),
        };
        self.check_client_id(id)?;
        match secret {
            None => Err(Refusal::new(7000218, "The request body must contain 'client_assertion' or 'client_secret'.")),
            Some(secret) if secret == self.seed.client_secret => Ok(()),
            Some(_) => Err(Refusal::new(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent is the client secret value, form-encoded.",
            )),
        }
    }

    /// Checks that the app is registered in the tenant.
    pub(super) fn check_client_id(&self, id: &str) -> Result<(), Refusal> {
        if id == self.seed.client_id {
            return Ok(());
        }
        Err(Refusal::new(700016, format!("Application with identifier '{id}' was not found in the directory.")))
    }

    /// The audience that the request asks for.
    pub(super) fn audience(&self, version: Version, form: &Form, app_only: bool) -> Result<&str, Refusal> {
        let resource = match version {
            Version::V1 => form.require("resource")?,
            Version::V2 => scope_resource(form, app_only)?,
        };
        let wanted = resource.trim_end_matches('/');
        self.audiences.iter().map(String::as_str).find(|audience| *audience == wanted).ok_or_else(|| {
            Refusal::new(500011, format!("The resource principal named {resource} was not found in the tenant."))
        })
    }
}

/// The one resource that the scopes of a v2 request name.
fn scope_resource(form: &Form, app_only: bool) -> Result<&str, Refusal> {
    if form.get("resource").is_some() {
        return Err(Refusal::new(901002, "The 'resource' request parameter is not supported. Use 'scope'."));
    }
    let mut found = None;
    for scope in form.require("scope")?.split_whitespace().filter(|scope| !OPENID_SCOPES.contains(scope)) {
        let (resource, name) = scope
            .rsplit_once('/')
            .ok_or_else(|| Refusal::new(70011, format!("The provided value for scope {scope} is not valid.")))?;
        if app_only && name != ".default" {
            return Err(Refusal::new(
                1002012,
                format!("Client credential flows must have a scope value with /.default suffixed, not {scope}."),
            ));
        }
        if found.is_some_and(|earlier| earlier != resource) {
            return Err(Refusal::new(700022, "The scope contains more than one resource: ask for one at a time."));
        }
        found = Some(resource);
    }
    found.ok_or_else(|| Refusal::new(70011, "The provided scope names no resource."))
}

/// Client id and secret of a basic `Authorization` header; each is form-encoded inside it.
fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.replace('=', "%3D").as_bytes())
        .next()
        .map(|(key, _)| key.into_owned())
        .unwrap_or_default()
}
