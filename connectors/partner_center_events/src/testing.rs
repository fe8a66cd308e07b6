//! What the tests of this crate share: a made-up Microsoft that signs.
#![allow(clippy::unwrap_used)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cosell_sdk::stub::{Reply, Stub};
use cosell_sdk::{CallContext, CallError, Connection, Incoming};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize,
};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const REGISTRATION: &str = "/webhooks/v1/registration";
const CERTIFICATE: &str = "/cert/dispatch.cer";

/// A distinguished name.
pub(crate) fn name(organisation: &str, common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organisation);
    name.push(DnType::CommonName, common_name);
    name
}

pub(crate) struct Microsoft {
    root: Issuer<'static, KeyPair>,
    root_pem: String,
    key: KeyPair,
    leaf: rcgen::Certificate,
}

const SERIAL: [u8; 3] = [7, 7, 7];

/// The signing certificate.
fn dispatch() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Microsoft Corporation", "dispatch");
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    params.serial_number = Some(SERIAL.to_vec().into());
    params
}

fn authority(name: DistinguishedName) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Microsoft {
    pub(crate) fn new() -> Self {
        Self::with_root(name("Microsoft Corporation", "Test Root"))
    }

    pub(crate) fn with_root(root_name: DistinguishedName) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let params = authority(root_name);
        let root_pem = params.self_signed(&root_key).unwrap().pem();
        let root = Issuer::new(params, root_key);
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let leaf = dispatch().signed_by(&key, &root).unwrap();
        Self { root, root_pem, key, leaf }
    }

    /// Has the signing certificate name a list of revoked certificates.
    pub(crate) fn name_list(&mut self, address: &str) {
        let mut params = dispatch();
        params.crl_distribution_points = vec![rcgen::CrlDistributionPoint { uris: vec![address.to_owned()] }];
        self.leaf = params.signed_by(&self.key, &self.root).unwrap();
    }

    /// The root's list of revoked certificates; whether the signing one is among them.
    pub(crate) fn list(&self, revoked: bool) -> Vec<u8> {
        let certificate = rcgen::RevokedCertParams {
            serial_number: SERIAL.to_vec().into(),
            revocation_time: rcgen::date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2026, 1, 1),
            next_update: rcgen::date_time_ymd(2100, 1, 1),
            crl_number: vec![1].into(),
            issuing_distribution_point: None,
            revoked_certs: if revoked { vec![certificate] } else { Vec::new() },
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        list.signed_by(&self.root).unwrap().der().to_vec()
    }

    /// The root, as a receiver trusts it.
    pub(crate) fn root_pem(&self) -> String {
        self.root_pem.clone()
    }

    /// The signing certificate.
    pub(crate) fn der(&self) -> Vec<u8> {
        self.leaf.der().to_vec()
    }

    /// The signing certificate.
    pub(crate) fn pem(&self) -> String {
        self.leaf.pem()
    }

    /// Another certificate for the same key.
    pub(crate) fn issue(&self, subject: DistinguishedName) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject;
        params.signed_by(&self.key, &self.root).unwrap().der().to_vec()
    }

    /// A signing certificate issued by an authority below the root, and that authority's.
    pub(crate) fn issue_by_intermediate(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = authority(name("Microsoft Corporation", "Issuing authority"));
        let between = params.signed_by(&key, &self.root).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::default();
        params.distinguished_name = name("Microsoft Corporation", "dispatch");
        (params.signed_by(&self.key, &issuer).unwrap().pem(), between)
    }

    /// What the certificate host answers next.
    pub(crate) fn publish(&self, stub: &Stub, reply: Reply) {
        stub.on("GET", CERTIFICATE, [reply]);
    }

    /// The signature of a body, as base64.
    pub(crate) fn sign(&self, body: &[u8]) -> String {
        let key = RsaKeyPair::from_pkcs8(self.key.serialized_der()).unwrap();
        assert_eq!(key.public_modulus_len(), KeySize::Rsa2048.len());
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body, &mut signature).unwrap();
        STANDARD.encode(signature)
    }

    /// A request with a signature in a header.
    pub(crate) fn request(&self, stub: &Stub, header: &str, value: &str, body: &[u8]) -> Incoming {
        let headers = [
            (header, value.to_owned()),
            ("x-ms-certificate-url", format!("{}{CERTIFICATE}", stub.origin())),
            ("x-ms-signature-algorithm", "rsa-sha256".to_owned()),
        ];
        Incoming {
            headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            body: bytes::Bytes::copy_from_slice(body),
        }
    }

    /// A genuine request.
    pub(crate) fn signed(&self, stub: &Stub, body: &[u8]) -> Incoming {
        self.request(stub, "x-ms-signature", &self.sign(body), body)
    }
}

/// Settings that trust this Microsoft, at this stub.
pub(crate) fn settings(stub: &Stub, microsoft: &Microsoft) -> Value {
    json!({
        "address": stub.origin(),
        "sign_in": stub.sign_in(),
        "certificate_hosts": [stub.origin().trim_start_matches("http://")],
        "allow_http_certificates": true,
        "trust_roots": microsoft.root_pem()
    })
}

pub(crate) fn body() -> &'static [u8] {
    br#"{
    "EventName": "referral-updated",
    "ResourceUri": "https://api.partnercenter.microsoft.com/engagements/v1/referrals/c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10",
    "ResourceName": "referral",
    "AuditUri": null,
    "ResourceChangeUtcDate": "2026-11-02T08:15:31.0042519+00:00"
}"#
}

pub(crate) fn connect(stub: &Stub) -> Connection {
    crate::connector().open(json!({ "address": stub.origin(), "sign_in": stub.sign_in() })).unwrap()
}

pub(crate) async fn call(connection: &Connection, operation: &str, input: Value) -> Result<Value, CallError> {
    connection.call(operation, input, CallContext::new(Uuid::nil(), false)).await
}
