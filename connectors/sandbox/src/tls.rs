//! HTTPS: a certificate authority made for this one run, and the acceptor that serves below it.
//!
//! Microsoft's own clients refuse plain HTTP. The authority's key is never written anywhere, so trusting its certificate
//! opens nothing once the sandbox has ended. Only HTTP/1.1 is offered (ALPN): a fault that cuts a connection must cut it,
//! and in HTTP/2 it could only reset a stream.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// Life of both certificates in days: below the 825 that some systems allow a server certificate.
const DAYS: i64 = 800;

/// The certificates of the HTTPS servers could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// One of the certificates.
    #[error("the certificate of the HTTPS servers could not be made")]
    Certificate(#[from] rcgen::Error),
    /// The server's configuration.
    #[error("the HTTPS servers could not be configured")]
    Configuration(#[from] rustls::Error),
}

/// What serving HTTPS takes.
#[derive(Clone)]
pub(crate) struct Tls {
    /// Takes connections.
    pub(crate) acceptor: TlsAcceptor,
    /// The authority's certificate, for clients to trust.
    pub(crate) authority_pem: String,
}

impl Tls {
    /// Makes an authority, and a server certificate below it for `localhost` and `127.0.0.1`.
    pub(crate) fn new() -> Result<Tls, TlsError> {
        let authority_key = KeyPair::generate()?;
        let mut authority = certificate("cosell sandbox, made for one run", vec![])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate()?;
        let mut server = certificate("localhost", vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Strict verifiers (Python 3.13 and later) demand it.
        server.use_authority_key_identifier_extension = true;
        let server = server.signed_by(&key, &issuer)?;

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut configuration = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], key)?;
        configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(configuration)), authority_pem: authority_certificate.pem() })
    }
}

fn certificate(common_name: &str, names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let day = |days: i64| {
        let day = Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_add(days.days());
        date_time_ymd(day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
    };
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = day(-1);
    params.not_after = day(DAYS);
    Ok(params)
}
