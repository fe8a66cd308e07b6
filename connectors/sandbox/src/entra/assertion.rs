//! Certificates in place of a secret: a JWT that the app's certificate signed ("Application authentication with
//! certificates", RFC 7523).

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, PKCS_RSA_SHA256, date_time_ymd};
use serde_json::{Value, json};
use x509_parser::{pem::Pem, prelude::X509Certificate};

use super::{errors::Refusal, state::Entra};

/// How far the clocks of app and service may differ, in seconds.
const TOLERANCE: i64 = 300;

/// A certificate registered for the app.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    /// SHA-1 and SHA-256 of its DER, as assertions name it.
    thumbprints: [String; 2],
    /// The public key, as PKCS#1.
    key: Vec<u8>,
    valid: (i64, i64),
}

impl Certificate {
    fn read(pem: &str) -> Result<Certificate, String> {
        let pem = Pem::iter_from_buffer(pem.as_bytes())
            .next()
            .and_then(Result::ok)
            .ok_or("certificate_pem holds no certificate in PEM form")?;
        let certificate: X509Certificate<'_> =
            pem.parse_x509().map_err(|error| format!("the certificate cannot be read: {error}"))?;
        let thumbprint = |algorithm| URL_SAFE_NO_PAD.encode(digest(algorithm, &pem.contents));
        let validity = certificate.validity();
        Ok(Certificate {
            thumbprints: [thumbprint(&SHA1_FOR_LEGACY_USE_ONLY), thumbprint(&SHA256)],
            key: certificate.public_key().subject_public_key.data.to_vec(),
            valid: (validity.not_before.timestamp(), validity.not_after.timestamp()),
        })
    }

    fn hex(&self, which: usize) -> String {
        let bytes = URL_SAFE_NO_PAD.decode(&self.thumbprints[which]).unwrap_or_default();
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

impl Entra {
    /// Registers the certificate in `pem` for the app; its thumbprints.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn register_certificate(&self, pem: &str) -> Result<Value, String> {
        let certificate = Certificate::read(pem)?;
        let shown = json!({ "thumbprint": certificate.hex(0), "thumbprint_sha256": certificate.hex(1) });
        self.state().certificates.push(certificate);
        Ok(shown)
    }

    /// Makes a certificate with its key, and registers it.
    ///
    /// # Errors
    ///
    /// Why none could be made.
    pub(crate) fn new_certificate(&self) -> Result<Value, String> {
        let failed = |error: &dyn std::fmt::Display| format!("no certificate could be made: {error}");
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|error| failed(&error))?;
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).map_err(|error| failed(&error))?;
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.as_ref().into(), &PKCS_RSA_SHA256)
            .map_err(|error| failed(&error))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "cosell (application)");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2120, 1, 1);
        let certificate = params.self_signed(&key).map_err(|error| failed(&error))?.pem();
        let mut shown = self.register_certificate(&certificate)?;
        shown["certificate_pem"] = json!(certificate);
        shown["private_key_pem"] = json!(key.serialize_pem());
        Ok(shown)
    }

    /// Checks an assertion: signed by a registered certificate, by this app, for this service, and now. The app cannot know
    /// simulated time, so the machine's counts.
    pub(super) fn check_assertion(&self, assertion: &str) -> Result<(), Refusal> {
        let unsigned = || Refusal::new(700027, "The client assertion failed signature validation.");
        let (signed, signature) = assertion.rsplit_once('.').ok_or_else(unsigned)?;
        let (header, payload) = signed.split_once('.').ok_or_else(unsigned)?;
        let part = |text: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok() };
        let (header, claims) = part(header).zip(part(payload)).ok_or_else(unsigned)?;
        let now = Timestamp::now().as_second();

        let names = [header["x5t"].as_str(), header["x5t#S256"].as_str()];
        let named = |one: &Certificate| {
            names
                .iter()
                .zip(&one.thumbprints)
                .any(|(name, own)| name.is_some_and(|name| name.trim_end_matches('=') == own))
        };
        let certificate = self.state().certificates.iter().find(|one| named(one)).cloned().ok_or_else(|| {
            Refusal::new(700027, "The client assertion is signed by a certificate that is not registered for the app.")
        })?;
        let algorithm = match header["alg"].as_str() {
            Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
            Some("PS256") => &RSA_PSS_2048_8192_SHA256,
            _ => return Err(Refusal::new(700027, "The client assertion must be signed by RS256 or PS256.")),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| unsigned())?;
        UnparsedPublicKey::new(algorithm, &certificate.key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| unsigned())?;
        if !(certificate.valid.0..=certificate.valid.1).contains(&now) {
            return Err(Refusal::new(700027, "The certificate of the client assertion is not valid now."));
        }

        if [&claims["iss"], &claims["sub"]].iter().any(|claim| **claim != self.seed.client_id) {
            return Err(Refusal::new(700021, "The client assertion's iss and sub must be the app's id."));
        }
        let own = format!("{}/", self.origin);
        if !claims["aud"].as_str().is_some_and(|audience| audience.starts_with(&own)) {
            return Err(Refusal::new(700023, "The client assertion's aud must be the token endpoint."));
        }
        // Numbers of any kind (RFC 7519, NumericDate): MSAL for Python writes fractions of a second.
        let started = claims["nbf"].as_f64().is_none_or(|start| start <= (now + TOLERANCE) as f64);
        let ended = claims["exp"].as_f64().is_none_or(|end| end + TOLERANCE as f64 <= now as f64);
        if !started || ended {
            return Err(Refusal::new(700024, "The client assertion is not within its valid time range."));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_lc_rs::{rand::SystemRandom, signature::RSA_PKCS1_SHA256};

    use super::*;
    use crate::entra::testing::{CLIENT, ORIGIN, entra};

    struct App {
        key: KeyPair,
        thumbprint: String,
    }

    /// An app with a certificate that `entra` knows.
    fn app(entra: &Entra) -> App {
        let made = entra.new_certificate().unwrap();
        let pem = made["private_key_pem"].as_str().unwrap();
        let pem = Pem::iter_from_buffer(pem.as_bytes()).next().unwrap().unwrap();
        let bytes: Vec<u8> = made["thumbprint"]
            .as_str()
            .unwrap()
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        App { key: KeyPair::from_pkcs8(&pem.contents).unwrap(), thumbprint: URL_SAFE_NO_PAD.encode(bytes) }
    }

    impl App {
        fn assertion(&self, changed: Value) -> String {
            let now = Timestamp::now().as_second();
            let mut claims = json!({
                "iss": CLIENT, "sub": CLIENT, "aud": format!("{ORIGIN}/x/oauth2/v2.0/token"), "nbf": now, "exp": now + 600,
            });
            claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
            let header = json!({ "alg": "RS256", "typ": "JWT", "x5t": self.thumbprint });
            let text = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(header.to_string()),
                URL_SAFE_NO_PAD.encode(claims.to_string())
            );
            let mut signature = vec![0; self.key.public_modulus_len()];
            self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
            format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    #[test]
    fn an_assertion_is_checked_whole() {
        let entra = entra();
        let app = app(&entra);
        let code = |assertion: &str| entra.check_assertion(assertion).map_err(|refusal| refusal.code);
        let now = Timestamp::now().as_second();
        assert_eq!(code(&app.assertion(json!({}))), Ok(()));
        assert_eq!(code(&app.assertion(json!({ "nbf": now as f64 - 0.5, "exp": now as f64 + 0.5 }))), Ok(()));
        assert_eq!(code(&app.assertion(json!({ "exp": null }))), Err(700024));
        assert_eq!(code(&app.assertion(json!({ "sub": "other" }))), Err(700021));
        assert_eq!(code(&app.assertion(json!({ "aud": "https://login.microsoftonline.com/x" }))), Err(700023));
        assert_eq!(code(&app.assertion(json!({ "exp": now - TOLERANCE }))), Err(700024));
        assert_eq!(code(&app.assertion(json!({ "nbf": now + TOLERANCE + 60 }))), Err(700024));
        assert_eq!(code("nonsense"), Err(700027));
        let (good, other) = (app.assertion(json!({})), app.assertion(json!({ "jti": "2" })));
        let mixed = format!("{}.{}", good.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
        assert_eq!(code(&mixed), Err(700027));
        entra.state().certificates.clear();
        assert_eq!(code(&good), Err(700027));
    }

    #[test]
    fn only_a_certificate_is_registered() {
        assert!(entra().register_certificate("nonsense").unwrap_err().contains("PEM"));
    }
}
