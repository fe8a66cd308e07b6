//! A certificate in place of a client secret: the application signs what it says of itself (Microsoft identity
//! platform, application authentication certificate credentials).

use std::fmt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::CallError;
use crate::settings::Secret;

/// How long an assertion is good for.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// A certificate of the app registration, with its key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateSettings {
    /// The certificate as PEM, as it was uploaded to the app registration. Write `{file: PATH}` to keep it in a file.
    #[schemars(schema_with = "crate::settings::text_or_reference")]
    pub certificate: String,
    /// Its RSA key as PEM (PKCS#8 or PKCS#1).
    pub private_key: Secret,
}

/// A certificate ready to sign with.
pub(super) struct Certificate {
    key: KeyPair,
    thumbprint: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.thumbprint)
    }
}

impl Certificate {
    pub(super) fn new(settings: &CertificateSettings) -> Result<Self, CallError> {
        let wrong = |member: &str, expected: &str| {
            CallError::rejected(
                "invalid_certificate",
                format!("setting `sign_in.certificate.{member}` cannot be used: expected {expected}"),
            )
        };
        let certificate = CertificateDer::from_pem_slice(settings.certificate.as_bytes())
            .map_err(|_| wrong("certificate", "a certificate as PEM, beginning with -----BEGIN CERTIFICATE-----"))?;
        let expected = "an RSA key of at least 2048 bits as PEM, beginning with -----BEGIN PRIVATE KEY-----";
        let key = PrivateKeyDer::from_pem_slice(settings.private_key.expose().as_bytes());
        let key = match key.map_err(|_| wrong("private_key", expected))? {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(wrong("private_key", expected)),
        };
        // Entra finds the certificate by this thumbprint of the whole; nothing is kept safe by it.
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate));
        Ok(Self { key: key.map_err(|_| wrong("private_key", expected))?, thumbprint })
    }

    /// The application's statement that it is `client_id`, for the token endpoint `audience`.
    pub(super) fn assertion(&self, client_id: &str, audience: &str, now: Timestamp) -> Result<Secret, CallError> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "x5t": self.thumbprint });
        let claims = json!({
            "aud": audience, "iss": client_id, "sub": client_id, "jti": Uuid::new_v4(),
            "nbf": now.as_second(), "exp": (now + LIFE).as_second()
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| CallError::rejected("signing_failed", "the certificate's key cannot sign; check the key"))?;
        Ok(Secret::from(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    fn settings() -> CertificateSettings {
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        CertificateSettings { certificate: certificate.pem(), private_key: Secret::from(key.serialize_pem()) }
    }

    #[test]
    fn the_assertion_names_the_application_and_is_signed() {
        let certificate = Certificate::new(&settings()).unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let assertion = certificate.assertion("app", "https://login.example/token", now).unwrap();
        let (text, signature) = assertion.expose().rsplit_once('.').unwrap();
        let parts: Vec<Value> = text
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!((&parts[0]["alg"], &parts[0]["x5t"]), (&json!("RS256"), &json!(certificate.thumbprint)));
        assert_eq!((&parts[1]["iss"], &parts[1]["sub"]), (&json!("app"), &json!("app")));
        assert_eq!(parts[1]["aud"], "https://login.example/token");
        assert_eq!((&parts[1]["nbf"], &parts[1]["exp"]), (&json!(1_800_000_000), &json!(1_800_000_600)));
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, certificate.key.public_key().as_ref())
            .verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        assert!(!format!("{certificate:?}").contains("key"), "{certificate:?}");
    }

    #[test]
    fn what_is_no_certificate_or_key_is_named() {
        let good = settings();
        for (settings, member) in [
            (CertificateSettings { certificate: "x".to_owned(), ..good.clone() }, "`sign_in.certificate.certificate`"),
            (
                CertificateSettings { private_key: Secret::from("x".to_owned()), ..good },
                "`sign_in.certificate.private_key`",
            ),
        ] {
            let error = Certificate::new(&settings).unwrap_err();
            assert_eq!(error.code, "invalid_certificate");
            assert!(error.message.contains(member), "{}", error.message);
        }
    }
}
