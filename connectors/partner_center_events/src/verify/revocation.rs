//! Whether a signing certificate was revoked: by the list that its authority publishes where the certificate says (RFC 5280,
//! CRL distribution points). Lists are signed, so it does not matter that they usually come by plain http.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cosell_sdk::http::{Transport, download};
use cosell_sdk::{JsonSchema, Refusal};
use rustls_pki_types::UnixTime;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use url::Url;
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::chain::{Certificates, Standing, Trust};
use super::{ANSWER_WITHIN, unauthorized};

/// Largest list read, in bytes; the lists of Microsoft's authorities are far smaller.
const LARGEST: usize = 8 * 1024 * 1024;
/// How long a list is used; authorities publish new ones every few days.
const KEPT_FOR: Duration = Duration::from_secs(3600);
/// How long is waited after a list could not be read.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// Whether revoked certificates are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// Not at all.
    Off,
    /// What is known to be revoked is refused; where it cannot be found out, the event is accepted and the log says so.
    #[default]
    Soft,
    /// Only what is known not to be revoked is accepted.
    Hard,
}

/// Looks for revoked certificates.
#[derive(Debug)]
pub(super) struct Lists {
    revocation: Revocation,
    hosts: Vec<String>,
    transport: Transport,
    kept: Mutex<HashMap<Url, Kept>>,
}

#[derive(Debug)]
struct Kept {
    until: Instant,
    list: Result<Arc<CertRevocationList<'static>>, String>,
}

/// Why it cannot be said whether a certificate was revoked.
enum Unknown {
    /// It may be known later.
    Now(String),
    /// The certificate itself gives no way to find out.
    Ever(String),
}

impl Lists {
    pub(super) fn new(revocation: Revocation, hosts: Vec<String>, transport: Transport) -> Self {
        Self { revocation, hosts, transport, kept: Mutex::default() }
    }

    /// Checks a certificate that is trusted otherwise.
    ///
    /// # Errors
    /// `Unauthorized` where it was revoked, or cannot be checked and must be; `TryAgain` where it cannot be checked now.
    pub(super) async fn check(&self, trust: &Trust, certificates: &Certificates, now: UnixTime) -> Result<(), Refusal> {
        if self.revocation == Revocation::Off {
            return Ok(());
        }
        let unknown = match self.look(trust, certificates, now).await {
            Ok(Standing::Good) => return Ok(()),
            Ok(Standing::Revoked) => return Err(unauthorized("the signing certificate was revoked by its authority")),
            Ok(Standing::Unknown(what)) => {
                Unknown::Now(format!("the list of revoked certificates cannot be used: {what}"))
            }
            Err(unknown) => unknown,
        };
        match (self.revocation, unknown) {
            (Revocation::Hard, Unknown::Now(why)) => Err(Refusal::TryAgain(why)),
            (Revocation::Hard, Unknown::Ever(why)) => Err(unauthorized(why)),
            (_, Unknown::Now(why)) => {
                tracing::warn!(why, "whether a signing certificate was revoked is not known");
                Ok(())
            }
            // Nothing will change about it, so it is not worth a warning with each event.
            (_, Unknown::Ever(why)) => {
                tracing::debug!(why, "whether a signing certificate was revoked is not known");
                Ok(())
            }
        }
    }

    async fn look(&self, trust: &Trust, certificates: &Certificates, now: UnixTime) -> Result<Standing, Unknown> {
        let addresses = certificates.revocation_lists();
        let is_allowed = |url: &Url| {
            let host = url.host_str().unwrap_or_default();
            let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            matches!(url.scheme(), "http" | "https") && self.hosts.iter().any(|known| known.eq_ignore_ascii_case(&host))
        };
        let Some(url) = addresses.iter().filter_map(|text| Url::parse(text).ok()).find(is_allowed) else {
            return Err(Unknown::Ever(if addresses.is_empty() {
                "the signing certificate names no list of revoked certificates".to_owned()
            } else {
                format!(
                    "the signing certificate's lists ({}) are on none of the revocation_hosts",
                    addresses.join(", ")
                )
            }));
        };
        let list = self.list(url).await.map_err(Unknown::Now)?;
        Ok(trust.standing(certificates, &list, now))
    }

    /// The list at `url`; others who want it wait for it.
    async fn list(&self, url: Url) -> Result<Arc<CertRevocationList<'static>>, String> {
        let mut kept = self.kept.lock().await;
        if let Some(known) = kept.get(&url).filter(|known| Instant::now() < known.until) {
            return known.list.clone();
        }
        let list = fetch(&url, &self.transport).await.map(Arc::new);
        let life = if list.is_ok() { KEPT_FOR } else { TRIED_AGAIN_AFTER };
        kept.insert(url, Kept { until: Instant::now() + life, list: list.clone() });
        list
    }
}

async fn fetch(url: &Url, transport: &Transport) -> Result<CertRevocationList<'static>, String> {
    let file = timeout(ANSWER_WITHIN, download(url, LARGEST, transport)).await;
    let file = file.map_err(|_| format!("cannot read {url}: no answer in time"))?.map_err(|error| error.message)?;
    let list = OwnedCertRevocationList::from_der(&file);
    list.map(CertRevocationList::from).map_err(|error| format!("{url} is no list of revoked certificates ({error:?})"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{Microsoft, body, settings};
    use crate::verify::Verifier;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    const LIST: &str = "/pki/root.crl";

    /// What becomes of a genuine event whose certificate names a list, where that answers so.
    async fn verdict(
        how: &str,
        hosts: bool,
        names_list: bool,
        reply: impl FnOnce(&Microsoft) -> Reply,
    ) -> (String, usize) {
        let (stub, mut microsoft) = (Stub::start().await, Microsoft::new());
        if names_list {
            microsoft.name_list(&format!("{}{LIST}", stub.origin()));
        }
        microsoft.publish(&stub, Reply::bytes(200, "application/octet-stream", microsoft.der()));
        stub.on("GET", LIST, [reply(&microsoft)]);
        let mut settings = settings(&stub, &microsoft);
        settings["revocation"] = json!(how);
        if hosts {
            settings["revocation_hosts"] = json!([stub.origin().trim_start_matches("http://")]);
        }
        let verifier =
            Verifier::new(&serde_json::from_value(settings).unwrap(), Transport::new(None).unwrap()).unwrap();
        let mut said = String::new();
        for _ in 0..2 {
            said = match verifier.verify(&microsoft.signed(&stub, body()), UnixTime::now()).await {
                Ok(()) => "accepted".to_owned(),
                Err(Refusal::Unauthorized(why)) => format!("refused: {why}"),
                Err(Refusal::TryAgain(why)) => format!("later: {why}"),
                Err(other) => panic!("{other:?}"),
            };
        }
        (said, stub.requests().iter().filter(|seen| seen.line() == format!("GET {LIST}")).count())
    }

    fn list(revoked: bool) -> impl FnOnce(&Microsoft) -> Reply {
        move |microsoft| Reply::bytes(200, "application/pkix-crl", microsoft.list(revoked))
    }

    #[tokio::test]
    async fn what_the_authority_revoked_is_refused_and_the_list_read_once() {
        for how in ["soft", "hard"] {
            assert_eq!(verdict(how, true, true, list(false)).await, ("accepted".to_owned(), 1));
            let (said, asked) = verdict(how, true, true, list(true)).await;
            assert!(said.starts_with("refused") && said.contains("revoked"), "{said}");
            assert_eq!(asked, 1);
        }
        assert_eq!(verdict("off", true, true, list(true)).await, ("accepted".to_owned(), 0));
    }

    #[tokio::test]
    async fn what_cannot_be_found_out_is_accepted_unless_it_must_be_known() {
        type Answer = fn(&Microsoft) -> Reply;
        let busy: Answer = |_| Reply::empty(503);
        let rubbish: Answer = |_| Reply::bytes(200, "application/pkix-crl", "rubbish");
        let foreign: Answer = |_| Reply::bytes(200, "application/pkix-crl", Microsoft::new().list(true));
        for answer in [busy, rubbish, foreign] {
            assert_eq!(verdict("soft", true, true, answer).await.0, "accepted");
            let (said, asked) = verdict("hard", true, true, answer).await;
            assert!(said.starts_with("later"), "{said}");
            assert_eq!(asked, 1, "a list that cannot be read is not asked for with each event");
        }
        for (hosts, names_list) in [(false, true), (true, false)] {
            assert_eq!(verdict("soft", hosts, names_list, list(true)).await, ("accepted".to_owned(), 0));
            let (said, asked) = verdict("hard", hosts, names_list, list(true)).await;
            assert!(said.starts_with("refused") && asked == 0, "{said}");
        }
    }
}
