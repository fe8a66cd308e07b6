//! Events that a receiver must refuse, made on purpose ("Partner Center webhooks", how to authenticate the callback).

use axum::http::{HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::delivery::{Message, SIGNATURE_HEADERS};

/// What is wrong with the events.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Forgery {
    /// A byte of the body is not the one that was signed.
    ChangedByte,
    /// The body says the same, written without indentation after it was signed.
    Reindented,
    /// The signature is announced as `rsa-sha1`.
    WeakAlgorithm,
    /// Neither header has the signature.
    NoSignature,
    /// No header says where the certificate is.
    NoCertificateUrl,
    /// No header says by which algorithm.
    NoAlgorithm,
    /// Both headers have a signature; that in `Authorization` is not one.
    BothHeaders,
    /// The signature's scheme is another.
    WrongScheme,
    /// The certificate's address is on another host.
    ForeignCertificateHost,
    /// The signature stands without its scheme, as an independent receiver reads it. This one may be taken.
    BareSignature,
}

impl Forgery {
    /// Spoils `message`.
    pub(super) fn apply(self, message: &mut Message) {
        let headers = &mut message.headers;
        let signed = SIGNATURE_HEADERS.into_iter().find(|name| headers.contains_key(*name)).unwrap_or_default();
        let signature = headers.get(signed).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let bare = signature.trim_start_matches("Signature ");
        match self {
            Forgery::ChangedByte => {
                // A letter of the event's name: the body stays JSON.
                if let Some(byte) = message.body.iter_mut().rev().find(|byte| byte.is_ascii_lowercase()) {
                    *byte = if *byte == b'x' { b'y' } else { b'x' };
                }
            }
            Forgery::Reindented => {
                if let Ok(value) = serde_json::from_slice::<serde_json::Value>(&message.body) {
                    message.body = value.to_string().into_bytes();
                }
            }
            Forgery::WeakAlgorithm => {
                headers.insert("x-ms-signature-algorithm", HeaderValue::from_static("rsa-sha1"));
            }
            Forgery::NoSignature => {
                headers.remove(signed);
            }
            Forgery::NoCertificateUrl => {
                headers.remove("x-ms-certificate-url");
            }
            Forgery::NoAlgorithm => {
                headers.remove("x-ms-signature-algorithm");
            }
            Forgery::BothHeaders => {
                if let Ok(value) = HeaderValue::from_str(&signature) {
                    headers.insert("x-ms-signature", value);
                }
                headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Signature AAAA"));
            }
            Forgery::WrongScheme => put(message, signed, &format!("Bearer {bare}")),
            Forgery::BareSignature => put(message, signed, bare),
            Forgery::ForeignCertificateHost => {
                put(message, "x-ms-certificate-url", "https://certificates.evil.example/cert/dispatch.cer");
            }
        }
    }
}

fn put(message: &mut Message, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        message.headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::HeaderMap;

    use super::*;

    fn message() -> Message {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-ms-signature", "Signature c2lnbmVk"),
            ("x-ms-certificate-url", "https://localhost/cert/a.cer"),
            ("x-ms-signature-algorithm", "rsa-sha256"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Message { headers, body: b"{\n    \"EventName\": \"referral-created\"\n}".to_vec() }
    }

    fn forged(forgery: Forgery) -> Message {
        let mut message = message();
        forgery.apply(&mut message);
        message
    }

    #[test]
    fn each_forgery_spoils_one_thing() {
        let good = message();
        let changed = forged(Forgery::ChangedByte);
        assert_eq!(changed.body.iter().zip(&good.body).filter(|(new, old)| new != old).count(), 1);
        assert!(serde_json::from_slice::<serde_json::Value>(&changed.body).is_ok());
        assert_eq!(forged(Forgery::Reindented).body, b"{\"EventName\":\"referral-created\"}");
        for (forgery, header, value) in [
            (Forgery::WeakAlgorithm, "x-ms-signature-algorithm", Some("rsa-sha1")),
            (Forgery::NoAlgorithm, "x-ms-signature-algorithm", None),
            (Forgery::NoCertificateUrl, "x-ms-certificate-url", None),
            (Forgery::NoSignature, "x-ms-signature", None),
            (Forgery::WrongScheme, "x-ms-signature", Some("Bearer c2lnbmVk")),
            (Forgery::BareSignature, "x-ms-signature", Some("c2lnbmVk")),
            (Forgery::BothHeaders, "authorization", Some("Signature AAAA")),
            (Forgery::BothHeaders, "x-ms-signature", Some("Signature c2lnbmVk")),
        ] {
            let spoiled = forged(forgery);
            assert_eq!(spoiled.headers.get(header).map(|value| value.to_str().unwrap()), value, "{forgery:?}");
            assert_eq!(spoiled.body, good.body);
        }
        let foreign = forged(Forgery::ForeignCertificateHost);
        assert!(foreign.headers["x-ms-certificate-url"].to_str().unwrap().contains("evil.example"));
    }
}
