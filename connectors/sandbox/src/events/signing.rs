//! The throw-away certificate authority and the keys that sign events.
//!
//! "Partner Center webhooks": the signature is RSA (PKCS#1 v1.5) over the SHA-256 of the raw body, and the certificate chains
//! to a Microsoft root with organisation "Microsoft Corporation". The address of the certificate travels with each event, so
//! that certificates can rotate.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    error::Unspecified,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::RSA_PKCS1_SHA256,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, DnType, IsCa, Issuer,
    KeyIdMethod, KeyUsagePurpose, PKCS_RSA_SHA256, RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
};
use serde::{Deserialize, Serialize};

/// Where the signing certificates are served, on the origin of the events stand-in.
pub(super) const CERTIFICATE_FOLDER: &str = "/cert/";
/// Where the root's list of revoked certificates is served, likewise.
pub(super) const REVOCATION_LIST: &str = "/pki/root.crl";
const DISPATCHER: &str = "pcnotifications-dispatch";
const MICROSOFT: &str = "Microsoft Corporation";
const STRANGER: &str = "Contoso Ltd";

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

/// What a new signing certificate is like. All but the first must be refused by a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Leaf {
    /// Good: below the root, of Microsoft, valid now.
    #[default]
    Good,
    /// No longer valid.
    Expired,
    /// Not yet valid.
    NotYetValid,
    /// Signed by itself.
    SelfSigned,
    /// Below a root that calls itself Microsoft's and is not the one that is trusted.
    OtherRoot,
    /// Below the root, but another organisation's.
    OtherOrganization,
    /// Another organisation's, with Microsoft's name in a part where a search for text would find it.
    SpoofedOrganization,
    /// Taken back: it stands on the root's list of revoked certificates.
    Revoked,
}

/// A key with its certificate.
#[derive(Debug)]
pub(super) struct Identity {
    /// Last part of the certificate's address.
    pub(super) name: String,
    /// The certificate, in DER.
    pub(super) certificate: Vec<u8>,
    key: Arc<KeyPair>,
}

impl Identity {
    /// The signature of `body`, in standard base64.
    pub(super) fn sign(&self, body: &[u8]) -> Result<String, Unspecified> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body, &mut signature)?;
        Ok(STANDARD.encode(signature))
    }
}

/// Signs events.
#[derive(Debug)]
pub(crate) struct Signer {
    issuer: Issuer<'static, rcgen::KeyPair>,
    root: String,
    /// Where each certificate says that the list is.
    revocation_list: String,
    /// Serial numbers of the certificates taken back.
    revoked: Mutex<Vec<u64>>,
    /// Every identity so far; the last one signs.
    identities: Mutex<Vec<Arc<Identity>>>,
}

impl Signer {
    /// Makes a root, and an RSA-2048 key with a certificate below it; all is served at `origin`.
    pub(crate) fn new(origin: &str) -> Result<Signer, SigningError> {
        let (issuer, root) = authority()?;
        let revocation_list = format!("{origin}{REVOCATION_LIST}");
        let signer = Signer { issuer, root, revocation_list, revoked: Mutex::default(), identities: Mutex::default() };
        signer.certify(Leaf::Good, first_key()?)?;
        Ok(signer)
    }

    /// Makes a new key with a certificate as `leaf` says, which signs from now on; the name of the certificate. The earlier
    /// certificates stay where they are.
    pub(crate) fn rotate(&self, leaf: Leaf) -> Result<String, SigningError> {
        self.certify(leaf, Arc::new(KeyPair::generate(KeySize::Rsa2048)?))
    }

    fn certify(&self, leaf: Leaf, key: Arc<KeyPair>) -> Result<String, SigningError> {
        let mut identities = self.identities();
        let number = identities.len() + 1;
        let serial = number as u64;
        let certificate = self.certificate(leaf, serial, &key)?;
        if leaf == Leaf::Revoked {
            self.revoked.lock().unwrap_or_else(PoisonError::into_inner).push(serial);
        }
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let name = format!("{DISPATCHER}{suffix}.microsoft.com.cer");
        identities.push(Arc::new(Identity { name: name.clone(), certificate, key }));
        Ok(name)
    }

    /// Who signs now.
    pub(super) fn current(&self) -> Option<Arc<Identity>> {
        self.identities().last().cloned()
    }

    /// The identity whose certificate is called `name`.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Identity>> {
        self.identities().iter().find(|identity| identity.name == name).cloned()
    }

    /// The root's list of revoked certificates, in DER (RFC 5280, section 5).
    pub(super) fn revocation_list(&self) -> Result<Vec<u8>, SigningError> {
        let revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2120, 1, 1),
            crl_number: SerialNumber::from(revoked.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(*serial),
                    revocation_time: date_time_ymd(2020, 1, 1),
                    reason_code: Some(RevocationReason::KeyCompromise),
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.der().to_vec())
    }

    /// The root certificate, in PEM.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    fn identities(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Identity>>> {
        self.identities.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn certificate(&self, leaf: Leaf, serial: u64, key: &KeyPair) -> Result<Vec<u8>, SigningError> {
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(key)?;
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.as_ref().into(), &PKCS_RSA_SHA256)?;
        let (organization, common_name) = match leaf {
            Leaf::OtherOrganization => (STRANGER, format!("{DISPATCHER}.microsoft.com")),
            Leaf::SpoofedOrganization => (STRANGER, format!("O={MICROSOFT}, CN={DISPATCHER}.microsoft.com")),
            _ => (MICROSOFT, format!("{DISPATCHER}.microsoft.com")),
        };
        let mut params = certificate(organization, &common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.serial_number = Some(SerialNumber::from(serial));
        params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![self.revocation_list.clone()] }];
        match leaf {
            Leaf::Expired => params.not_after = date_time_ymd(2021, 1, 1),
            Leaf::NotYetValid => params.not_before = date_time_ymd(2119, 1, 1),
            _ => {}
        }
        let signed = match leaf {
            Leaf::SelfSigned => params.self_signed(&key)?,
            Leaf::OtherRoot => params.signed_by(&key, &authority()?.0)?,
            _ => params.signed_by(&key, &self.issuer)?,
        };
        Ok(signed.der().to_vec())
    }
}

/// The key that all sandboxes of a process begin with, each below a root of its own: making one takes longer than all
/// else that a sandbox does when it begins.
fn first_key() -> Result<Arc<KeyPair>, SigningError> {
    static FIRST: Mutex<Option<Arc<KeyPair>>> = Mutex::new(None);
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = &*first {
        return Ok(Arc::clone(key));
    }
    let key = Arc::new(KeyPair::generate(KeySize::Rsa2048)?);
    *first = Some(Arc::clone(&key));
    Ok(key)
}

/// A new root, ready to sign, and its certificate in PEM.
fn authority() -> Result<(Issuer<'static, rcgen::KeyPair>, String), SigningError> {
    let key = rcgen::KeyPair::generate()?;
    let mut root = certificate(MICROSOFT, "Sandbox Root Certificate Authority");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pem = root.self_signed(&key)?.pem();
    Ok((Issuer::new(root, key), pem))
}

fn certificate(organization: &str, common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "US");
    params.distinguished_name.push(DnType::OrganizationName, organization);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use x509_parser::{pem::Pem, prelude::*};

    use super::*;

    /// Whether the leaf chains to the signer's root, is of Microsoft, and is valid now.
    fn judged(leaf: Leaf) -> (bool, bool, bool) {
        let signer = Signer::new("http://127.0.0.1:1").unwrap();
        let name = signer.rotate(leaf).unwrap();
        let identity = signer.named(&name).unwrap();
        let (_, certificate) = X509Certificate::from_der(&identity.certificate).unwrap();
        let pem = Pem::iter_from_buffer(signer.root().as_bytes()).next().unwrap().unwrap();
        let root = pem.parse_x509().unwrap();
        let key = aws_lc_rs::signature::UnparsedPublicKey::new(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1,
            &root.public_key().subject_public_key.data,
        );
        let chains = key.verify(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data).is_ok();
        let organization = certificate.subject().iter_organization().next().unwrap().as_str().unwrap() == MICROSOFT;
        (chains, organization, certificate.validity().is_valid())
    }

    #[test]
    fn each_leaf_is_wrong_in_its_own_way() {
        for (leaf, judgement) in [
            (Leaf::Good, (true, true, true)),
            (Leaf::Expired, (true, true, false)),
            (Leaf::NotYetValid, (true, true, false)),
            (Leaf::SelfSigned, (false, true, true)),
            (Leaf::OtherRoot, (false, true, true)),
            (Leaf::OtherOrganization, (true, false, true)),
            (Leaf::SpoofedOrganization, (true, false, true)),
        ] {
            assert_eq!(judged(leaf), judgement, "{leaf:?}");
        }
    }

    #[test]
    fn the_list_holds_what_was_taken_back() {
        let signer = Signer::new("http://127.0.0.1:1").unwrap();
        signer.rotate(Leaf::Revoked).unwrap();
        let identity = signer.current().unwrap();
        let (_, certificate) = X509Certificate::from_der(&identity.certificate).unwrap();
        let list = signer.revocation_list().unwrap();
        let (_, list) = CertificateRevocationList::from_der(&list).unwrap();
        let serials: Vec<_> = list.iter_revoked_certificates().map(|revoked| revoked.serial().clone()).collect();
        assert_eq!(serials, std::slice::from_ref(&certificate.tbs_certificate.serial));
        assert_eq!(list.issuer(), certificate.issuer());
    }

    #[test]
    fn a_rotation_leaves_the_old_certificate_in_place() {
        let signer = Signer::new("http://127.0.0.1:1").unwrap();
        let first = signer.current().unwrap();
        let name = signer.rotate(Leaf::Good).unwrap();
        assert_eq!(signer.current().unwrap().name, name);
        assert_eq!(signer.named(&first.name).unwrap().certificate, first.certificate);
        assert_ne!(signer.current().unwrap().certificate, first.certificate);
        assert!(signer.named("other.cer").is_none());
    }
}
