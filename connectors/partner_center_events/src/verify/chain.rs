//! Whether a certificate is to be believed: it chains to a trusted root, is valid today, and is the organisation's.

use cosell_sdk::{CallError, Refusal};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256;
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::unauthorized;

/// Certificates as published: the signing one first, then those above it, if any.
#[derive(Debug)]
pub(super) struct Certificates(Vec<CertificateDer<'static>>);

impl Certificates {
    /// Reads a certificate file, DER or PEM: both have been published.
    pub(super) fn read(file: &[u8]) -> Result<Self, Refusal> {
        let certificates = if file.trim_ascii_start().starts_with(b"-----BEGIN") {
            CertificateDer::pem_slice_iter(file)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| unauthorized("the certificate file is damaged PEM"))?
        } else {
            vec![CertificateDer::from(file.to_vec())]
        };
        let first = certificates.first().ok_or_else(|| unauthorized("the certificate file holds no certificate"))?;
        X509Certificate::from_der(first).map_err(|_| unauthorized("the certificate file holds no certificate"))?;
        Ok(Self(certificates))
    }

    /// Checks a signature over `body`: RSA, PKCS#1 v1.5, SHA-256. The documentation's sample verifies with .NET's
    /// `RSACryptoServiceProvider`, which knows no other padding.
    pub(super) fn verify_signature(&self, body: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        self.signing()?
            .verify_signature(RSA_PKCS1_2048_8192_SHA256, body, signature)
            .map_err(|error| unauthorized(format!("the signature does not match the body ({error:?})")))
    }

    /// Where the signing certificate's authority publishes what it revoked.
    pub(super) fn revocation_lists(&self) -> Vec<String> {
        let Ok((_, certificate)) = X509Certificate::from_der(&self.0[0]) else { return Vec::new() };
        let mut addresses = Vec::new();
        for extension in certificate.extensions() {
            let ParsedExtension::CRLDistributionPoints(points) = extension.parsed_extension() else { continue };
            for point in points.iter() {
                let Some(DistributionPointName::FullName(names)) = &point.distribution_point else { continue };
                addresses.extend(names.iter().filter_map(|name| match name {
                    GeneralName::URI(address) => Some((*address).to_owned()),
                    _ => None,
                }));
            }
        }
        addresses
    }

    fn signing(&self) -> Result<EndEntityCert<'_>, Refusal> {
        EndEntityCert::try_from(&self.0[0])
            .map_err(|error| unauthorized(format!("the signing certificate cannot be used ({error:?})")))
    }
}

/// Whom to believe.
#[derive(Debug)]
pub(super) struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    organisation: String,
}

impl Trust {
    /// Reads trusted certificates.
    pub(super) fn new(pem: &str, organisation: &str) -> Result<Self, CallError> {
        let wrong = |what: &str| {
            CallError::rejected(
                "invalid_trust_roots",
                format!("setting `trust_roots` {what}; expected one or more certificates as PEM"),
            )
        };
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| wrong("is damaged PEM"))?;
        if certificates.is_empty() {
            return Err(wrong("holds no certificate"));
        }
        let anchors = certificates
            .iter()
            .map(|certificate| webpki::anchor_from_trusted_cert(certificate).map(|anchor| anchor.to_owned()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&format!("holds a certificate that cannot be read ({error:?})")))?;
        Ok(Self { anchors, organisation: organisation.to_owned() })
    }

    /// Checks chain, dates and organisation.
    pub(super) fn check(&self, certificates: &Certificates, now: UnixTime) -> Result<(), Refusal> {
        self.chain(certificates, now, None)?.map_err(|error| {
            unauthorized(format!(
                "the signing certificate does not chain to the trust_roots or is not valid today ({error:?})"
            ))
        })?;
        let (_, certificate) = X509Certificate::from_der(&certificates.0[0])
            .map_err(|_| unauthorized("the signing certificate cannot be read"))?;
        // Where a certificate says what its key is for, it must be signatures (RFC 5280, key usage).
        if certificate.key_usage().is_ok_and(|usage| usage.is_some_and(|usage| !usage.value.digital_signature())) {
            return Err(unauthorized("the signing certificate's key is not for signatures"));
        }
        for (name, what) in [(certificate.subject(), "subject"), (certificate.issuer(), "issuer")] {
            if !is_of(name, &self.organisation) {
                return Err(unauthorized(format!(
                    "the signing certificate's {what} is `{name}`, not of `{}`",
                    self.organisation
                )));
            }
        }
        Ok(())
    }

    /// What `list` says of the signing certificate. Of the authorities above it, those that matter are trusted by name.
    pub(super) fn standing(
        &self,
        certificates: &Certificates,
        list: &CertRevocationList<'static>,
        now: UnixTime,
    ) -> Standing {
        let lists = [list];
        let options = RevocationOptionsBuilder::new(&lists).map(|builder| {
            builder
                .with_depth(RevocationCheckDepth::EndEntity)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        match options.map(|options| self.chain(certificates, now, Some(options))) {
            Ok(Ok(Ok(()))) => Standing::Good,
            Ok(Ok(Err(webpki::Error::CertRevoked))) => Standing::Revoked,
            Ok(Ok(Err(error))) => Standing::Unknown(format!("{error:?}")),
            Ok(Err(_)) | Err(_) => Standing::Unknown("the certificate cannot be read".to_owned()),
        }
    }

    /// Follows the certificate up to a trusted one.
    fn chain(
        &self,
        certificates: &Certificates,
        now: UnixTime,
        revocation: Option<RevocationOptions<'_>>,
    ) -> Result<Result<(), webpki::Error>, Refusal> {
        let signing = certificates.signing()?;
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let between = &certificates.0[1..];
        Ok(signing.verify_for_usage(algorithms, &self.anchors, between, now, AnyUsage, revocation, None).map(drop))
    }
}

/// What a list says of a certificate.
#[derive(Debug, PartialEq)]
pub(super) enum Standing {
    /// It was not revoked.
    Good,
    /// It was.
    Revoked,
    /// The list does not tell: it is out of date, or somebody else's.
    Unknown(String),
}

/// Compares the organisation as the attribute it is: text that merely contains it, in a common name say, does not count.
fn is_of(name: &X509Name<'_>, organisation: &str) -> bool {
    name.iter_organization().any(|attribute| attribute.as_str().is_ok_and(|text| text == organisation))
}

/// What the signing certificates are issued for is not documented, so any purpose will do; the organisation decides.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{Microsoft, name};

    fn check(microsoft: &Microsoft, certificates: &[u8]) -> String {
        let trust = Trust::new(&microsoft.root_pem(), "Microsoft Corporation").unwrap();
        match Certificates::read(certificates).and_then(|read| trust.check(&read, UnixTime::now())) {
            Ok(()) => "holds".to_owned(),
            Err(Refusal::Unauthorized(reason)) => reason,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_organisation_itself_counts() {
        let microsoft = Microsoft::new();
        assert_eq!(check(&microsoft, &microsoft.der()), "holds");
        let spoofed = microsoft.issue(name("Fabrikam", "O=Microsoft Corporation"));
        assert!(check(&microsoft, &spoofed).contains("subject"), "{}", check(&microsoft, &spoofed));
    }

    #[test]
    fn the_issuer_counts_too() {
        let other = Microsoft::with_root(name("Fabrikam", "Root"));
        assert!(check(&other, &other.der()).contains("issuer"));
    }

    #[test]
    fn a_certificate_that_signs_itself_does_not_count() {
        let (microsoft, other) = (Microsoft::new(), Microsoft::new());
        assert!(check(&microsoft, other.root_pem().as_bytes()).contains("does not chain"));
    }

    #[test]
    fn certificates_between_come_with_the_file() {
        let microsoft = Microsoft::new();
        let (leaf, between) = microsoft.issue_by_intermediate();
        assert!(check(&microsoft, leaf.as_bytes()).contains("does not chain"));
        assert_eq!(check(&microsoft, format!("{leaf}{between}").as_bytes()), "holds");
    }

    #[test]
    fn unusable_roots_are_named() {
        for bad in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = Trust::new(bad, "x").unwrap_err();
            assert!(
                error.code == "invalid_trust_roots" && error.message.contains("`trust_roots`"),
                "{}",
                error.message
            );
        }
    }
}
