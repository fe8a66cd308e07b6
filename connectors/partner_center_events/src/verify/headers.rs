//! What a request claims: its signature, the algorithm, and where the certificate is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cosell_sdk::{Incoming, Refusal};

use super::unauthorized;

/// What is claimed.
#[derive(Debug)]
pub(super) struct Claimed<'a> {
    pub(super) signature: Vec<u8>,
    pub(super) certificate_url: &'a str,
}

/// Reads the claims. The signature comes in `Authorization: Signature …` or in `X-MS-Signature`, as the registration
/// asked for; in both at once it would be open which one counts, so that is refused.
pub(super) fn read(request: &Incoming) -> Result<Claimed<'_>, Refusal> {
    let signature = match (one(request, "authorization")?, one(request, "x-ms-signature")?) {
        (Some(_), Some(_)) => {
            return Err(unauthorized("both `Authorization` and `X-MS-Signature` are there; expected one of them"));
        }
        (None, None) => {
            return Err(unauthorized("no signature: neither `Authorization` nor `X-MS-Signature` is there"));
        }
        (Some(header), None) => in_scheme(header)?
            .ok_or_else(|| unauthorized("`Authorization` holds no scheme; expected `Signature` and the signature"))?,
        (None, Some(header)) => in_scheme(header)?.unwrap_or(header.trim()),
    };
    let signature = STANDARD.decode(signature).map_err(|_| unauthorized("the signature is not base64"))?;

    let algorithm = one(request, "x-ms-signature-algorithm")?
        .ok_or_else(|| unauthorized("no algorithm: `X-MS-Signature-Algorithm` is missing"))?;
    if !algorithm.trim().eq_ignore_ascii_case("rsa-sha256") {
        return Err(unauthorized(format!("the signature algorithm is `{algorithm}`; only rsa-sha256 is accepted")));
    }
    let certificate_url = one(request, "x-ms-certificate-url")?
        .ok_or_else(|| unauthorized("no certificate: `X-MS-Certificate-Url` is missing"))?;
    Ok(Claimed { signature, certificate_url })
}

/// The text after the scheme `Signature`; none where there is no scheme at all.
fn in_scheme(header: &str) -> Result<Option<&str>, Refusal> {
    match header.trim().split_once(char::is_whitespace) {
        None => Ok(None),
        Some((scheme, signature)) if scheme.eq_ignore_ascii_case("signature") => Ok(Some(signature.trim())),
        Some(_) => Err(unauthorized("the signature's scheme is not `Signature`")),
    }
}

/// The header of this name, which must not come twice.
fn one<'a>(request: &'a Incoming, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = request.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str());
    let first = values.next();
    if values.next().is_some() {
        return Err(unauthorized(format!("the header `{name}` is there more than once")));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bytes::Bytes;

    const URL: (&str, &str) = ("x-ms-certificate-url", "https://example.com/cert/a.cer");
    const ALGORITHM: (&str, &str) = ("x-ms-signature-algorithm", "rsa-sha256");
    const SIGNATURE: (&str, &str) = ("x-ms-signature", "c2ln");

    fn reason(headers: &[(&str, &str)]) -> String {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match read(&Incoming { headers, body: Bytes::new() }) {
            Ok(claimed) => format!("{} {}", String::from_utf8(claimed.signature).unwrap(), claimed.certificate_url),
            Err(Refusal::Unauthorized(reason)) => reason,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_claims() {
        assert_eq!(reason(&[URL, ALGORITHM, SIGNATURE]), "sig https://example.com/cert/a.cer");
        assert!(reason(&[URL, ("x-ms-signature-algorithm", "RSA-SHA256"), SIGNATURE]).starts_with("sig"));
    }

    #[test]
    fn each_defect_by_itself() {
        for (headers, part) in [
            (&[URL, ALGORITHM][..], "no signature"),
            (&[URL, ALGORITHM, SIGNATURE, ("authorization", "Signature c2ln")], "both"),
            (&[URL, ALGORITHM, SIGNATURE, ("authorization", "Bearer x")], "both"),
            (&[URL, ALGORITHM, ("authorization", "Bearer c2ln")], "scheme is not"),
            (&[URL, ALGORITHM, ("authorization", "c2ln")], "no scheme"),
            (&[URL, ALGORITHM, ("x-ms-signature", "Digest c2ln")], "scheme is not"),
            (&[URL, ALGORITHM, ("x-ms-signature", "c2l")], "not base64"),
            (&[URL, ALGORITHM, SIGNATURE, SIGNATURE], "more than once"),
            (&[ALGORITHM, SIGNATURE], "`X-MS-Certificate-Url` is missing"),
            (&[URL, SIGNATURE], "`X-MS-Signature-Algorithm` is missing"),
            (&[URL, ("x-ms-signature-algorithm", "rsa-sha1"), SIGNATURE], "only rsa-sha256"),
            (&[URL, ("x-ms-signature-algorithm", "rsa-sha256-x"), SIGNATURE], "only rsa-sha256"),
        ] {
            let reason = reason(headers);
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }
}
