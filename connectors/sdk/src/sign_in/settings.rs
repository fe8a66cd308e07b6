//! What the configuration says of a sign-in.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::CertificateSettings;
use crate::error::CallError;
use crate::http::Address;
use crate::settings::Secret;

/// How to sign in with Microsoft Entra.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntraSettings {
    /// Address of the sign-in service.
    #[serde(default = "default_authority")]
    pub authority: String,
    /// The tenant: its identifier, or one of its domains.
    pub tenant: String,
    /// Application (client) identifier of the app registration.
    pub client_id: String,
    /// Client secret of the app registration. Give this or `certificate`; neither of them where a person signs in to a
    /// public client.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// Certificate of the app registration, in place of a client secret.
    #[serde(default)]
    pub certificate: Option<CertificateSettings>,
    /// Whether the application acts for a person, who signs in by `cosell login` with the connection's name. Otherwise it
    /// acts as itself.
    #[serde(default)]
    pub person: bool,
    /// Refresh token of the person for whom the application acts, from a sign-in elsewhere with multi-factor
    /// authentication. Every use yields a newer one, which is kept in `token_file` and used from then on, until another is
    /// configured here or the person signs in by `cosell login`.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// File that keeps the person's sign-in, relative to the configuration. Only its owner may read it. When not given, it
    /// is `.cosell/tokens/CONNECTION.json` beside the configuration.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Key with which the sign-in is encrypted in its file: 32 random bytes as base64. When not given, it is the environment
    /// variable `COSELL_TOKEN_KEY`; without that either, the file's permissions alone protect it.
    #[serde(default)]
    pub token_key: Option<Secret>,
}

fn default_authority() -> String {
    "https://login.microsoftonline.com".to_owned()
}

impl EntraSettings {
    /// Whether the application acts for a person.
    pub(super) fn is_for_a_person(&self) -> bool {
        self.person || self.refresh_token.is_some()
    }

    /// An address of the tenant's.
    pub(super) fn below(&self, segments: &[&str]) -> Result<Url, CallError> {
        let authority = Address::new("sign_in.authority", &self.authority)?;
        Ok(authority.below(&[&[self.tenant.as_str()], segments].concat()))
    }
}
