//! Reading a token request: form fields, the client's credentials, the resource it asks for.

use std::collections::HashMap;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{errors::Refusal, state::Entra};

/// Scopes of OpenID Connect, which belong to no resource.
const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// What stands for any tenant in a path.
pub(super) const ALIASES: [&str; 2] = ["common", "organizations"];
/// RFC 7523, 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

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

    /// Whether scope `wanted` is asked for.
    fn has_scope(&self, wanted: &str) -> bool {
        self.get("scope").is_some_and(|scope| scope.split_whitespace().any(|one| one == wanted))
    }

    /// Whether the answer is to say whose account it is (`client_info=1`, as Microsoft's libraries send it).
    pub(super) fn client_info(&self) -> bool {
        self.get("client_info") == Some("1")
    }
}

/// What a request asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scopes {
    /// The resource, where one is named.
    pub(super) audience: Option<String>,
    /// Whether a refresh token is wanted: v1 always gives one, v2 to those who ask ("Auth code flow", scope).
    pub(super) offline_access: bool,
    /// Whether an id token is wanted: v1 always gives one.
    pub(super) openid: bool,
}

impl Scopes {
    /// The resource, which must have been named by now.
    pub(super) fn require(&self, version: Version) -> Result<&str, Refusal> {
        let parameter = if version == Version::V1 { "resource" } else { "scope" };
        self.audience.as_deref().ok_or_else(|| Refusal::missing(parameter))
    }
}

impl Entra {
    /// Checks the tenant in the path: its id, its domain, or what stands for any tenant where the app may be used there.
    pub(super) fn check_tenant(&self, tenant: &str) -> Result<(), Refusal> {
        self.find_tenant(tenant)?;
        if ALIASES.contains(&tenant) && !self.state().knobs.multi_tenant {
            return Err(Refusal::new(50194, "The application is single-tenant: use its tenant instead of /common."));
        }
        Ok(())
    }

    /// Checks that the tenant in the path exists, or stands for any.
    pub(super) fn find_tenant(&self, tenant: &str) -> Result<(), Refusal> {
        if tenant.parse() == Ok(self.seed.tenant) || tenant == self.seed.domain || ALIASES.contains(&tenant) {
            return Ok(());
        }
        Err(Refusal::new(90002, format!("Tenant '{tenant}' not found. Check the tenant's id or domain.")))
    }

    /// Checks who the app is: by secret, in the form or as basic credentials (RFC 6749, 2.3.1), or by an assertion that its
    /// certificate signed. False where it proves nothing, as a public client does.
    pub(super) fn check_client(&self, headers: &HeaderMap, form: &Form) -> Result<bool, Refusal> {
        let basic = basic_credentials(headers);
        let (id, secret) = match &basic {
            Some((id, secret)) => (id.as_str(), Some(secret.as_str())),
            None => (form.require("client_id")?, form.get("client_secret")),
        };
        self.check_client_id(id)?;
        let (refused, public) = {
            let state = self.state();
            (state.knobs.refuse_client, state.knobs.public_client)
        };
        let assertion = form.get("client_assertion");
        if let Some(code) = refused.filter(|_| secret.is_some() || assertion.is_some()) {
            return Err(Refusal::new(code, "The app was refused, as the sandbox was told to."));
        }
        match (secret, assertion) {
            (Some(secret), _) if secret == self.seed.client_secret => Ok(true),
            (Some(_), _) => Err(Refusal::new(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent is the client secret value, form-encoded.",
            )),
            (None, Some(assertion)) => {
                if form.require("client_assertion_type")? != ASSERTION_TYPE {
                    let message = format!("The parameter 'client_assertion_type' must be '{ASSERTION_TYPE}'.");
                    return Err(Refusal::new(900144, message));
                }
                self.check_assertion(assertion).map(|()| true)
            }
            (None, None) if public => Ok(false),
            (None, None) => Err(Refusal::no_credential()),
        }
    }

    /// Checks that the app is registered in the tenant.
    pub(super) fn check_client_id(&self, id: &str) -> Result<(), Refusal> {
        if id == self.seed.client_id {
            return Ok(());
        }
        Err(Refusal::new(700016, format!("Application with identifier '{id}' was not found in the directory.")))
    }

    /// What the request asks for.
    pub(super) fn scopes(&self, version: Version, form: &Form, app_only: bool) -> Result<Scopes, Refusal> {
        let resource = match version {
            Version::V1 => form.get("resource"),
            Version::V2 => scope_resource(form, app_only)?,
        };
        let known = |resource: &str| {
            let wanted = resource.trim_end_matches('/');
            self.audiences.iter().find(|audience| *audience == wanted).cloned().ok_or_else(|| {
                Refusal::new(500011, format!("The resource principal named {resource} was not found in the tenant."))
            })
        };
        Ok(Scopes {
            audience: resource.map(known).transpose()?,
            offline_access: version == Version::V1 || form.has_scope("offline_access"),
            openid: version == Version::V1 || form.has_scope("openid"),
        })
    }
}

/// The one resource that the scopes of a v2 request name, if any.
fn scope_resource(form: &Form, app_only: bool) -> Result<Option<&str>, Refusal> {
    if form.get("resource").is_some() {
        return Err(Refusal::new(901002, "The 'resource' request parameter is not supported. Use 'scope'."));
    }
    let mut found = None;
    let scopes = form.get("scope").unwrap_or_default();
    for scope in scopes.split_whitespace().filter(|scope| !OPENID_SCOPES.contains(scope)) {
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
    Ok(found)
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
