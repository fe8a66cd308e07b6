//! A made-up Microsoft that signs events, well and badly.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RevokedCertParams, RsaKeySize,
    date_time_ymd,
};

/// Serial number of every signing certificate.
const SERIAL: [u8; 3] = [7, 7, 7];

/// An authority, and the key that events are signed with.
pub struct Microsoft {
    issuer: Issuer<'static, KeyPair>,
    /// The authority, as a receiver trusts it.
    pub root_pem: String,
    key: KeyPair,
}

/// A distinguished name.
pub fn name(organisation: &str, common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organisation);
    name.push(DnType::CommonName, common_name);
    name
}

/// A signing certificate as it should be; `list` is where its authority publishes what it revoked.
pub fn proper(list: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Microsoft Corporation", "dispatch");
    params.serial_number = Some(SERIAL.to_vec().into());
    params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![list.to_owned()] }];
    params.not_after = date_time_ymd(2100, 1, 1);
    params
}

impl Microsoft {
    pub fn new() -> Self {
        Self::with_root(name("Microsoft Corporation", "Root"))
    }

    pub fn with_root(root: DistinguishedName) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = root;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_pem = params.self_signed(&root_key).unwrap().pem();
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        Self { issuer: Issuer::new(params, root_key), root_pem, key }
    }

    /// A certificate for the signing key, by the authority.
    pub fn issue(&self, params: CertificateParams) -> Vec<u8> {
        params.signed_by(&self.key, &self.issuer).unwrap().der().to_vec()
    }

    /// A certificate for the signing key, by nobody else.
    pub fn issue_by_itself(&self, params: CertificateParams) -> Vec<u8> {
        params.self_signed(&self.key).unwrap().der().to_vec()
    }

    /// What the authority revoked: nothing, or every signing certificate.
    pub fn list(&self, revoked: bool) -> Vec<u8> {
        let certificate = RevokedCertParams {
            serial_number: SERIAL.to_vec().into(),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: vec![1].into(),
            issuing_distribution_point: None,
            revoked_certs: if revoked { vec![certificate] } else { Vec::new() },
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    /// The headers of an event with this body, whose certificate is at `certificate`.
    pub fn headers(&self, certificate: &str, body: &[u8]) -> Vec<(String, String)> {
        let key = RsaKeyPair::from_pkcs8(self.key.serialized_der()).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body, &mut signature).unwrap();
        let headers = [
            ("x-ms-signature", format!("Signature {}", STANDARD.encode(signature))),
            ("x-ms-signature-algorithm", "rsa-sha256".to_owned()),
            ("x-ms-certificate-url", certificate.to_owned()),
        ];
        headers.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

/// An event about a referral.
pub fn event(referral: &str) -> Vec<u8> {
    let uri = format!("https://api.partnercenter.microsoft.com/engagements/v1/referrals/{referral}");
    event_at(&uri)
}

/// An event about whatever is at an address.
pub fn event_at(uri: &str) -> Vec<u8> {
    let body = serde_json::json!({
        "EventName": "referral-updated", "ResourceUri": uri, "ResourceName": "referral", "AuditUri": null,
        "ResourceChangeUtcDate": "2026-11-02T08:15:31.0042519+00:00",
    });
    serde_json::to_vec_pretty(&body).unwrap()
}
