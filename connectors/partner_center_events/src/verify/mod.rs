//! Whether a call is really from Microsoft: the signature over its very bytes, by a certificate that is Microsoft's.
//!
//! Read in this order: this file (the whole check), `headers` (what is claimed), `address` (whether the certificate's
//! address may be asked at all), `chain` (whether the certificate is to be believed), `revocation` (whether
//! its authority took it back).

mod address;
mod chain;
mod headers;
mod revocation;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cosell_sdk::http::{Transport, download};
use cosell_sdk::{CallError, Incoming, Meaning, Refusal};
use rustls_pki_types::UnixTime;
use tokio::time::timeout;
use url::Url;

use crate::connection::Settings;
use chain::{Certificates, Trust};
use revocation::Lists;

pub use revocation::Revocation;

/// Largest certificate file read, in bytes.
const LARGEST: usize = 64 * 1024;
/// How long an event waits for a certificate, or for a list of revoked ones: whoever sends it waits as well.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How many certificates are remembered. There is one at a time, and a second while they change.
const REMEMBERED: usize = 16;

/// Checks signatures; remembers certificates that held.
#[derive(Debug)]
pub(crate) struct Verifier {
    hosts: Vec<String>,
    allow_http: bool,
    trust: Option<Trust>,
    lists: Lists,
    transport: Transport,
    remembered: Mutex<HashMap<Url, Arc<Certificates>>>,
}

impl Verifier {
    pub(crate) fn new(settings: &Settings, transport: Transport) -> Result<Self, CallError> {
        let trust = settings.trust_roots.as_deref().map(|pem| Trust::new(pem, &settings.organisation)).transpose()?;
        let lists = Lists::new(settings.revocation, settings.revocation_hosts.clone(), transport.clone());
        Ok(Self {
            hosts: settings.certificate_hosts.clone(),
            allow_http: settings.allow_http_certificates,
            trust,
            lists,
            transport,
            remembered: Mutex::default(),
        })
    }

    /// Checks a request's signature (Partner Center webhooks, how to authenticate the callback).
    ///
    /// # Errors
    /// `Unauthorized` with the reason; `TryAgain` where it cannot be decided now.
    pub(crate) async fn verify(&self, request: &Incoming, now: UnixTime) -> Result<(), Refusal> {
        let Some(trust) = &self.trust else {
            return Err(Refusal::TryAgain(
                "the connection has no `trust_roots`, so no signature can be verified; configure Microsoft's root \
                 certificates as PEM"
                    .to_owned(),
            ));
        };
        let claimed = headers::read(request)?;
        let url = address::vet(claimed.certificate_url, &self.hosts, self.allow_http)?;
        let certificates = match self.remembered(&url) {
            // A remembered one may have expired since; then there may be a newer one at the same address.
            Some(known) if trust.check(&known, now).is_ok() => known,
            _ => {
                let fetched = Arc::new(fetch(&url, &self.transport).await?);
                trust.check(&fetched, now)?;
                self.remember(url, Arc::clone(&fetched));
                fetched
            }
        };
        certificates.verify_signature(&request.body, &claimed.signature)?;
        // Last, so that nobody but who holds the key can have a list read.
        self.lists.check(trust, &certificates, now).await
    }

    fn remembered(&self, url: &Url) -> Option<Arc<Certificates>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    fn remember(&self, url: Url, certificates: Arc<Certificates>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(url, certificates);
    }
}

async fn fetch(url: &Url, transport: &Transport) -> Result<Certificates, Refusal> {
    let file = timeout(ANSWER_WITHIN, download(url, LARGEST, transport)).await;
    let file = file.map_err(|_| Refusal::TryAgain(format!("cannot read {url}: no answer in time")))?;
    let file = file.map_err(|error| match error.meaning {
        Meaning::Retry { .. } => Refusal::TryAgain(error.message),
        _ => Refusal::Unauthorized(error.message),
    })?;
    Certificates::read(&file)
}

/// A refusal with the reason.
fn unauthorized(reason: impl Into<String>) -> Refusal {
    Refusal::Unauthorized(reason.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{Microsoft, body, settings};
    use cosell_sdk::stub::{Reply, Stub};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    fn verifier(stub: &Stub, microsoft: &Microsoft) -> Verifier {
        Verifier::new(&serde_json::from_value(settings(stub, microsoft)).unwrap(), Transport::new(None).unwrap())
            .unwrap()
    }

    fn reason(result: Result<(), Refusal>) -> String {
        match result.unwrap_err() {
            Refusal::Unauthorized(reason) => reason,
            other => panic!("expected an unauthorized refusal, found {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_genuine_request_in_each_form_and_the_certificate_fetched_once() {
        let (stub, microsoft) = (Stub::start().await, Microsoft::new());
        microsoft.publish(&stub, Reply::bytes(200, "application/octet-stream", microsoft.der()));
        let verifier = verifier(&stub, &microsoft);
        let signature = microsoft.sign(body());
        for (header, value) in [
            ("authorization", format!("Signature {signature}")),
            ("authorization", format!("signature  {signature}")),
            ("x-ms-signature", format!("Signature {signature}")),
            ("x-ms-signature", signature.clone()),
        ] {
            let request = microsoft.request(&stub, header, &value, body());
            verifier.verify(&request, UnixTime::now()).await.unwrap();
        }
        assert_eq!(stub.requests().len(), 1);
    }

    #[tokio::test]
    async fn a_pem_file_does_too() {
        let (stub, microsoft) = (Stub::start().await, Microsoft::new());
        microsoft.publish(&stub, Reply::bytes(200, "application/x-x509-ca-cert", microsoft.pem()));
        verifier(&stub, &microsoft).verify(&microsoft.signed(&stub, body()), UnixTime::now()).await.unwrap();
    }

    #[tokio::test]
    async fn a_changed_body_does_not_hold() {
        let (stub, microsoft) = (Stub::start().await, Microsoft::new());
        microsoft.publish(&stub, Reply::bytes(200, "application/octet-stream", microsoft.der()));
        let mut request = microsoft.signed(&stub, body());
        request.body = [body(), b" "].concat().into();
        let reason = reason(verifier(&stub, &microsoft).verify(&request, UnixTime::now()).await);
        assert!(reason.contains("signature does not match"), "{reason}");
    }

    #[tokio::test]
    async fn somebody_elses_certificate_does_not_hold() {
        let (stub, microsoft, other) = (Stub::start().await, Microsoft::new(), Microsoft::new());
        other.publish(&stub, Reply::bytes(200, "application/octet-stream", other.der()));
        let reason = reason(verifier(&stub, &microsoft).verify(&other.signed(&stub, body()), UnixTime::now()).await);
        assert!(reason.contains("trust_roots"), "{reason}");
    }

    #[tokio::test]
    async fn an_expired_certificate_is_fetched_again_and_then_does_not_hold() {
        let (stub, microsoft) = (Stub::start().await, Microsoft::new());
        microsoft.publish(&stub, Reply::bytes(200, "application/octet-stream", microsoft.der()));
        let (verifier, request) = (verifier(&stub, &microsoft), microsoft.signed(&stub, body()));
        verifier.verify(&request, UnixTime::now()).await.unwrap();
        let later = UnixTime::since_unix_epoch(Duration::from_secs(200 * 365 * 24 * 3600));
        let reason = reason(verifier.verify(&request, later).await);
        assert!(reason.contains("Expired"), "{reason}");
        assert_eq!(stub.requests().len(), 2);
    }

    #[tokio::test]
    async fn what_the_certificate_host_answers_decides_whether_to_try_again() {
        let (stub, microsoft) = (Stub::start().await, Microsoft::new());
        let too_large = vec![0; LARGEST + 1];
        microsoft.publish(&stub, Reply::empty(503));
        microsoft.publish(&stub, Reply::hang_up());
        microsoft.publish(&stub, Reply::empty(404));
        microsoft.publish(&stub, Reply::empty(302).header("location", "/elsewhere"));
        microsoft.publish(&stub, Reply::bytes(200, "application/octet-stream", too_large));
        microsoft.publish(&stub, Reply::bytes(200, "application/octet-stream", "rubbish"));
        let (verifier, request) = (verifier(&stub, &microsoft), microsoft.signed(&stub, body()));
        for _ in 0..2 {
            assert!(matches!(verifier.verify(&request, UnixTime::now()).await, Err(Refusal::TryAgain(_))));
        }
        for part in ["404", "302", "larger than", "no certificate"] {
            let reason = reason(verifier.verify(&request, UnixTime::now()).await);
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_host_that_never_answers_is_not_waited_for_long() {
        let (stub, microsoft) = (Stub::start().await, Microsoft::new());
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = silent.local_addr().unwrap().to_string();
        let mut settings = settings(&stub, &microsoft);
        settings["certificate_hosts"] = serde_json::json!([host]);
        let verifier =
            Verifier::new(&serde_json::from_value(settings).unwrap(), Transport::new(None).unwrap()).unwrap();
        let mut request = microsoft.signed(&stub, body());
        request.headers[1].1 = format!("http://{host}/cert/dispatch.cer");
        let asked = Instant::now();
        let result = verifier.verify(&request, UnixTime::now()).await;
        assert!(matches!(result, Err(Refusal::TryAgain(_))), "{result:?}");
        assert!(asked.elapsed() <= ANSWER_WITHIN + Duration::from_millis(10), "{:?}", asked.elapsed());
    }

    #[tokio::test]
    async fn without_trust_roots_nothing_can_be_decided() {
        let (stub, microsoft) = (Stub::start().await, Microsoft::new());
        let mut settings = settings(&stub, &microsoft);
        settings["trust_roots"] = serde_json::Value::Null;
        let verifier =
            Verifier::new(&serde_json::from_value(settings).unwrap(), Transport::new(None).unwrap()).unwrap();
        let result = verifier.verify(&microsoft.signed(&stub, body()), UnixTime::now()).await;
        assert!(matches!(result, Err(Refusal::TryAgain(reason)) if reason.contains("trust_roots")));
        assert!(stub.requests().is_empty());
    }
}
