//! What all requests go over: TLS with the system's authorities, and with those that a connection names beside them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::CallError;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Transports by the authorities they trust beside the system's. To read the system's takes some ten milliseconds, which
/// the connections of one program need not spend each.
static MADE: Mutex<BTreeMap<Option<String>, reqwest::Client>> = Mutex::new(BTreeMap::new());

/// What requests go over: no redirects, bounded waiting, nothing tried again. Cheap to clone; those with the same
/// authorities share their open connections.
#[derive(Clone, Debug)]
pub struct Transport(reqwest::Client);

impl Transport {
    /// A transport that trusts the system's authorities and those in `https_roots` (PEM, one or more), a connection's
    /// setting of that name.
    ///
    /// # Errors
    /// Text that is no certificate; a machine that cannot make TLS connections at all.
    pub fn new(https_roots: Option<&str>) -> Result<Self, CallError> {
        let key = https_roots.map(str::to_owned);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(&key) {
            return Ok(Self(known.clone()));
        }
        let client = make(https_roots)?;
        made.insert(key, client.clone());
        Ok(Self(client))
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.0
    }
}

fn make(https_roots: Option<&str>) -> Result<reqwest::Client, CallError> {
    let wrong = || {
        CallError::rejected(
            "invalid_https_roots",
            "setting `https_roots` holds no certificate; expected one or more as PEM, beginning with \
             -----BEGIN CERTIFICATE-----",
        )
    };
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("cosell/", env!("CARGO_PKG_VERSION")));
    if let Some(roots) = https_roots {
        let roots = reqwest::Certificate::from_pem_bundle(roots.as_bytes()).map_err(|_| wrong())?;
        if roots.is_empty() {
            return Err(wrong());
        }
        builder = builder.tls_certs_merge(roots);
    }
    builder
        .build()
        .map_err(|error| CallError::rejected("no_transport", format!("cannot prepare for TLS connections: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_no_certificate_is_named() {
        for text in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = Transport::new(Some(text)).unwrap_err();
            assert!(error.message.contains("TLS") || error.message.contains("`https_roots`"), "{}", error.message);
        }
    }
}
