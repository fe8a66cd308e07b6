//! Discovery: what a client library reads before it signs anybody in ("OpenID Connect on the Microsoft identity
//! platform", instance discovery as Microsoft's libraries use it).

use serde_json::{Value, json};
use url::Url;

use super::{
    errors::Refusal,
    request::{ALIASES, Form, Version},
    state::Entra,
};

impl Entra {
    /// The OpenID configuration of `tenant`.
    pub(super) fn configuration(&self, version: Version, tenant: &str) -> Result<Value, Refusal> {
        self.find_tenant(tenant)?;
        let own = self.seed.tenant.to_string();
        // What stands for any tenant keeps its name in the addresses, and leaves the issuer's tenant open.
        let (name, issuer_tenant) =
            if ALIASES.contains(&tenant) { (tenant, "{tenantid}") } else { (own.as_str(), own.as_str()) };
        let base = format!("{}/{name}", self.origin);
        let (oauth, keys, issuer) = match version {
            Version::V1 => {
                (format!("{base}/oauth2"), "discovery/keys", format!("https://sts.windows.net/{issuer_tenant}/"))
            }
            Version::V2 => {
                (format!("{base}/oauth2/v2.0"), "discovery/v2.0/keys", format!("{}/{issuer_tenant}/v2.0", self.origin))
            }
        };
        Ok(json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{oauth}/authorize"),
            "token_endpoint": format!("{oauth}/token"),
            "device_authorization_endpoint": format!("{oauth}/devicecode"),
            "jwks_uri": format!("{base}/{keys}"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code", "code id_token"],
            "grant_types_supported": [
                "authorization_code", "refresh_token", "client_credentials",
                "urn:ietf:params:oauth:grant-type:device_code",
            ],
            "code_challenge_methods_supported": ["plain", "S256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": [
                "sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "oid", "ver",
            ],
            "request_uri_parameter_supported": false,
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        }))
    }

    /// Which hosts are one and the same: here, only the one asked.
    pub(super) fn instance(&self, form: &Form) -> Result<Value, Refusal> {
        let endpoint = form.require("authorization_endpoint")?;
        let asked = Url::parse(endpoint).ok();
        let host = Url::parse(&self.origin).ok().and_then(|own| {
            // Microsoft's libraries name hosts with their port.
            let port = own.port().map(|port| format!(":{port}")).unwrap_or_default();
            Some(format!("{}{port}", own.host_str()?))
        });
        let (Some(asked), Some(host)) = (asked, host) else {
            return Err(Refusal::new(50049, format!("Unknown or invalid instance '{endpoint}'.")));
        };
        if asked.origin().ascii_serialization() != self.origin {
            return Err(
                Refusal::new(50049, format!("Unknown or invalid instance '{endpoint}'.")).named("invalid_instance")
            );
        }
        let tenant = asked.path_segments().and_then(|mut parts| parts.next()).unwrap_or("common").to_owned();
        self.find_tenant(&tenant)?;
        Ok(json!({
            "tenant_discovery_endpoint":
                format!("{}/{tenant}/v2.0/.well-known/openid-configuration", self.origin),
            "api-version": "1.1",
            "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::entra::testing::{ORIGIN, TENANT, entra, form};

    #[test]
    fn every_tenant_name_has_its_configuration() {
        let entra = entra();
        let v2 = |tenant: &str| entra.configuration(Version::V2, tenant).unwrap();
        for name in [TENANT, "fabrikam.example"] {
            assert_eq!(v2(name)["issuer"], format!("{ORIGIN}/{TENANT}/v2.0"));
            assert_eq!(v2(name)["token_endpoint"], format!("{ORIGIN}/{TENANT}/oauth2/v2.0/token"));
        }
        for name in ["common", "organizations"] {
            assert_eq!(v2(name)["issuer"], format!("{ORIGIN}/{{tenantid}}/v2.0"));
            assert_eq!(v2(name)["authorization_endpoint"], format!("{ORIGIN}/{name}/oauth2/v2.0/authorize"));
        }
        let v1 = entra.configuration(Version::V1, TENANT).unwrap();
        assert_eq!(v1["issuer"], format!("https://sts.windows.net/{TENANT}/"));
        assert_eq!(v1["token_endpoint"], format!("{ORIGIN}/{TENANT}/oauth2/token"));
        assert_eq!(entra.configuration(Version::V2, "elsewhere").unwrap_err().code, 90002);
    }

    #[test]
    fn the_instance_knows_itself_only() {
        let entra = entra();
        let ask = |endpoint: &str| entra.instance(&form(&[("authorization_endpoint", endpoint)]));
        let found = ask(&format!("{ORIGIN}/{TENANT}/oauth2/v2.0/authorize")).unwrap();
        assert_eq!(found["metadata"][0]["aliases"], json!(["localhost:8"]));
        assert!(found["tenant_discovery_endpoint"].as_str().unwrap().starts_with(&format!("{ORIGIN}/{TENANT}/")));
        let stranger = ask("https://login.evil.example/common/oauth2/v2.0/authorize").unwrap_err();
        assert_eq!(stranger.class().0, "invalid_instance");
    }
}
