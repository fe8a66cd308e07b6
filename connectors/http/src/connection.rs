//! A connection to a system: its address, and how to authenticate.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cosell_sdk::http::{Address, Client, Credentials, HeaderName, Transport};
use cosell_sdk::settings::Secret;
use cosell_sdk::sign_in::SignIn;
use cosell_sdk::{CallError, Connect, JsonSchema};
use serde::Deserialize;

/// Settings of a connection to any system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Base address of the API, such as `https://erp.fabrikam.example/api/v2`. Every request goes below it.
    pub address: String,
    /// How to authenticate; not at all when not given.
    #[serde(default)]
    pub authentication: Authentication,
    /// Authorities whose certificates are trusted for HTTPS beside the system's own (PEM, one or more), such as that of a
    /// proxy in between. Write `{file: PATH}` to keep them in a file.
    #[serde(default)]
    #[schemars(schema_with = "cosell_sdk::settings::text_or_reference")]
    pub https_roots: Option<String>,
    /// Header in which the system takes an idempotency key, such as `Idempotency-Key`: requests with one key have their
    /// effect once. Without it, a write that was interrupted is not repeated.
    #[serde(default)]
    pub idempotency_header: Option<String>,
}

/// How to authenticate.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Authentication {
    /// Not at all.
    #[default]
    None,
    /// By user and password (RFC 7617).
    Basic(Basic),
    /// By a token that stays the same.
    Bearer(Bearer),
    /// By a key in a header or in the query.
    ApiKey(ApiKey),
    /// By a token for client credentials (RFC 6749, section 4.4), renewed in time.
    OauthClientCredentials(OauthClientCredentials),
}

/// User and password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A token that stays the same.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bearer {
    /// The token.
    pub token: Secret,
}

/// A key, and where it goes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The key.
    pub key: Secret,
    /// Header that takes it, such as `X-Api-Key`. Give this or `query`.
    #[serde(default)]
    pub header: Option<String>,
    /// Member of the query that takes it. A header is better: addresses end up in logs.
    #[serde(default)]
    pub query: Option<String>,
}

/// Client credentials.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthClientCredentials {
    /// Address of the token endpoint.
    pub token_address: String,
    /// Client identifier.
    pub client_id: String,
    /// Client secret.
    pub client_secret: Secret,
    /// What to ask for, where the service wants to be told.
    #[serde(default)]
    pub scope: Option<String>,
}

/// A connection to any system.
#[derive(Debug)]
pub struct Http {
    pub(crate) client: Client,
    pub(crate) idempotency_header: Option<HeaderName>,
}

impl Connect for Http {
    type Settings = Settings;

    const OFFLINE: &'static str = r#"{ "address": "https://recorded.invalid" }"#;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        let address = Address::new("address", &settings.address)?;
        let transport = Transport::new(settings.https_roots.as_deref())?;
        let credentials = credentials(settings.authentication, &transport)?;
        let idempotency_header =
            settings.idempotency_header.as_deref().map(|name| header("idempotency_header", name)).transpose()?;
        Ok(Self {
            client: Client::with_credentials("The system", address, credentials, &transport),
            idempotency_header,
        })
    }

    fn client(&self) -> Option<&Client> {
        Some(&self.client)
    }
}

fn credentials(authentication: Authentication, transport: &Transport) -> Result<Credentials, CallError> {
    let authorization = |value: String| Credentials::Header(HeaderName::from_static("authorization"), value.into());
    Ok(match authentication {
        Authentication::None => Credentials::None,
        Authentication::Basic(Basic { user, password }) => {
            authorization(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
        }
        Authentication::Bearer(Bearer { token }) => authorization(format!("Bearer {}", token.expose())),
        Authentication::ApiKey(ApiKey { key, header: Some(name), query: None }) => {
            Credentials::Header(header("authentication.api_key.header", &name)?, key)
        }
        Authentication::ApiKey(ApiKey { key, header: None, query: Some(name) }) => Credentials::Query(name, key),
        Authentication::ApiKey(_) => {
            return Err(CallError::rejected(
                "where_to_put_the_key",
                "setting `authentication.api_key` needs either `header` or `query`; give one of them",
            ));
        }
        Authentication::OauthClientCredentials(oauth) => {
            let address = Address::new("authentication.oauth_client_credentials.token_address", &oauth.token_address)?;
            let sign_in =
                SignIn::client_credentials(&address, oauth.client_id, oauth.client_secret, oauth.scope, transport);
            Credentials::Token(Arc::new(sign_in))
        }
    })
}

fn header(setting: &str, name: &str) -> Result<HeaderName, CallError> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        CallError::rejected("invalid_header", format!("setting `{setting}` is `{name}`, which is no name of a header"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cosell_sdk::CallContext;
    use cosell_sdk::stub::{Reply, Seen, Stub};
    use serde_json::{Value, json};
    use uuid::Uuid;

    async fn seen(stub: &Stub, authentication: Value) -> Seen {
        let settings = json!({ "address": stub.origin(), "authentication": authentication });
        let connection = crate::connector().open(settings).unwrap();
        let context = CallContext::new(Uuid::nil(), false);
        connection.call("get", json!({ "path": "/x" }), context).await.unwrap();
        stub.requests().pop().unwrap()
    }

    #[tokio::test]
    async fn each_way_to_authenticate() {
        let stub = Stub::start().await;
        stub.on("GET", "/x", [Reply::json(200, json!({}))]);
        stub.on("POST", "/token", [Reply::json(200, json!({ "access_token": "t", "expires_in": 60 }))]);
        assert_eq!(seen(&stub, json!("none")).await.header("authorization"), None);
        for (authentication, name, value) in [
            (json!({ "basic": { "user": "u", "password": "p" } }), "authorization", "Basic dTpw"),
            (json!({ "bearer": { "token": "t" } }), "authorization", "Bearer t"),
            (json!({ "api_key": { "key": "k", "header": "X-Key" } }), "x-key", "k"),
            (
                json!({ "oauth_client_credentials": {
                    "token_address": format!("{}/token", stub.origin()), "client_id": "c", "client_secret": "s&", "scope": "a b"
                } }),
                "authorization",
                "Bearer t",
            ),
        ] {
            assert_eq!(seen(&stub, authentication).await.header(name), Some(value));
        }
        let asked = stub.requests().into_iter().find(|seen| seen.target == "/token").unwrap().body;
        assert_eq!(asked, "client_id=c&grant_type=client_credentials&client_secret=s%26&scope=a+b");
        let query = seen(&stub, json!({ "api_key": { "key": "k&", "query": "key" } })).await;
        assert_eq!(query.target, "/x?key=k%26");
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let open = |settings: Value| crate::connector().open(settings).err().unwrap();
        let address = "https://erp.fabrikam.example";
        for (settings, code) in [
            (json!({ "address": "http://erp.fabrikam.example" }), "invalid_address"),
            (json!({ "address": address, "authentication": { "api_key": { "key": "k" } } }), "where_to_put_the_key"),
            (json!({ "address": address, "idempotency_header": "a b" }), "invalid_header"),
        ] {
            assert_eq!(open(settings).code, code);
        }
    }
}
