//! The throw-away certificate authority and the key that signs every event.
//!
//! "Partner Center webhooks": the signature is RSA (PKCS#1 v1.5) over the SHA-256 of the raw body, and the certificate chains
//! to a Microsoft root with organisation "Microsoft Corporation".

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    error::Unspecified,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::RSA_PKCS1_SHA256,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyUsagePurpose, PKCS_RSA_SHA256, date_time_ymd,
};

/// Where the signing certificate is served, on the origin of the events stand-in.
pub(crate) const CERTIFICATE_PATH: &str = "/cert/pcnotifications-dispatch.microsoft.com.cer";

/// The keys or certificates of the event signatures could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningError {
    /// The RSA key.
    #[error("the RSA key of the event signatures could not be made")]
    Key(#[from] Unspecified),
    /// One of the certificates.
    #[error("the certificate of the event signatures could not be made")]
    Certificate(#[from] rcgen::Error),
}

/// Signs events.
#[derive(Debug)]
pub(crate) struct Signer {
    key: KeyPair,
    certificate: Vec<u8>,
    root: String,
}

impl Signer {
    /// Makes a root, and an RSA-2048 key with a certificate below it.
    pub(crate) fn new() -> Result<Signer, SigningError> {
        let root_key = rcgen::KeyPair::generate()?;
        let mut root = certificate("Sandbox Root Certificate Authority");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_pem = root.self_signed(&root_key)?.pem();
        let issuer = Issuer::new(root, root_key);

        let key = KeyPair::generate(KeySize::Rsa2048)?;
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&key)?;
        let leaf_key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.as_ref().into(), &PKCS_RSA_SHA256)?;
        let mut leaf = certificate("pcnotifications-dispatch.microsoft.com");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let leaf = leaf.signed_by(&leaf_key, &issuer)?;
        Ok(Signer { key, certificate: leaf.der().to_vec(), root: root_pem })
    }

    /// The signature of `body`, in standard base64.
    pub(super) fn sign(&self, body: &[u8]) -> Result<String, Unspecified> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body, &mut signature)?;
        Ok(STANDARD.encode(signature))
    }

    /// The signing certificate, in DER.
    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The root certificate, in PEM.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }
}

fn certificate(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "US");
    params.distinguished_name.push(DnType::OrganizationName, "Microsoft Corporation");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}
