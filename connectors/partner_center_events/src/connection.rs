//! A connection to Partner Center's webhooks.

use std::sync::Arc;

use cosell_sdk::http::{Address, Client, Transport};
use cosell_sdk::sign_in::{EntraSettings, SignIn};
use cosell_sdk::{CallError, Connect, JsonSchema};
use serde::Deserialize;

use crate::verify::{Revocation, Verifier};

/// Settings of a connection to Partner Center's webhooks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Base address of the API for registrations. It is another host than the Referrals API's.
    #[serde(default = "default_address")]
    pub address: String,
    /// Whom the token is for.
    #[serde(default = "default_audience")]
    pub audience: String,
    /// How to sign in, for the registration. Receiving events needs no sign-in.
    pub sign_in: EntraSettings,
    /// Authorities whose certificates are trusted for HTTPS beside the system's own (PEM, one or more), such as that of a
    /// proxy in between. Write `{file: PATH}` to keep them in a file.
    #[serde(default)]
    #[schemars(schema_with = "cosell_sdk::settings::text_or_reference")]
    pub https_roots: Option<String>,
    /// The public address at which events come in, such as `https://sync.fabrikam.example/hooks/partner_center_events`: what
    /// `cosell webhooks` registers, and holds the registration against. Where it is not given, the one below the service's
    /// `public_url`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Hosts from which signing certificates are fetched, with a port only where it is not the usual one.
    #[serde(default = "default_certificate_hosts")]
    pub certificate_hosts: Vec<String>,
    /// Fetch signing certificates by plain http too. Only for the sandbox; never set it in earnest.
    #[serde(default)]
    pub allow_http_certificates: bool,
    /// Certificates (PEM, one or more) to which signing certificates must chain: Microsoft's roots, and the authorities
    /// between them and the signing certificate, which the certificate host does not send along. Without them no event
    /// is accepted. Write `{file: PATH}` to keep them in a file.
    #[serde(default)]
    #[schemars(schema_with = "cosell_sdk::settings::text_or_reference")]
    pub trust_roots: Option<String>,
    /// Organisation that must stand in the signing certificate's subject and issuer.
    #[serde(default = "default_organisation")]
    pub organisation: String,
    /// Whether it is looked up that the signing certificate was not revoked, in the list that its authority publishes.
    #[serde(default)]
    pub revocation: Revocation,
    /// Hosts from which such lists are fetched, with a port only where it is not the usual one.
    #[serde(default = "default_revocation_hosts")]
    pub revocation_hosts: Vec<String>,
}

fn default_address() -> String {
    "https://api.partnercenter.microsoft.com".to_owned()
}

fn default_audience() -> String {
    "https://api.partnercenter.microsoft.com".to_owned()
}

fn default_certificate_hosts() -> Vec<String> {
    vec!["3psostorageacct.blob.core.windows.net".to_owned()]
}

/// Where Microsoft's own authorities and DigiCert's, which issued for Microsoft before, publish their lists (inferred: no
/// documentation names them for events).
fn default_revocation_hosts() -> Vec<String> {
    ["www.microsoft.com", "crl.microsoft.com", "crl3.digicert.com", "crl4.digicert.com"].map(str::to_owned).to_vec()
}

fn default_organisation() -> String {
    "Microsoft Corporation".to_owned()
}

/// A connection to Partner Center's webhooks.
#[derive(Debug)]
pub struct PartnerCenterEvents {
    pub(crate) client: Client,
    pub(crate) verifier: Verifier,
    pub(crate) endpoint: Option<String>,
}

impl Connect for PartnerCenterEvents {
    type Settings = Settings;

    const OFFLINE: &'static str = r#"{
        "address": "https://recorded.invalid",
        "sign_in": { "tenant": "recorded", "client_id": "recorded", "client_secret": "recorded" }
    }"#;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        let address = Address::new("address", &settings.address)?;
        let transport = Transport::new(settings.https_roots.as_deref())?;
        let sign_in = Arc::new(SignIn::new(&settings.sign_in, &settings.audience, &transport)?);
        Ok(Self {
            client: Client::new("Partner Center (webhooks)", address, sign_in, &transport),
            verifier: Verifier::new(&settings, transport)?,
            endpoint: settings.endpoint,
        })
    }

    fn client(&self) -> Option<&Client> {
        Some(&self.client)
    }
}
