//! Whether the address of a certificate may be asked at all. It stands in a request that anyone can send, so without
//! this check the receiver could be made to ask any address for a stranger.

use cosell_sdk::Refusal;
use url::Url;

use super::unauthorized;

/// Checks a certificate's address: `https`, one of `hosts` with its usual port (or the port that `hosts` names), and a
/// path of the form `/cert/NAME.cer`, nothing else.
pub(super) fn vet(text: &str, hosts: &[String], allow_http: bool) -> Result<Url, Refusal> {
    let refuse = |what: &str| unauthorized(format!("the certificate's address `{text}` {what}"));
    let url = Url::parse(text).map_err(|_| refuse("is not an address"))?;
    if !(url.scheme() == "https" || allow_http && url.scheme() == "http") {
        return Err(refuse("is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
        return Err(refuse("holds a user"));
    }
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    if !hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host)) {
        return Err(refuse(&format!("is on `{host}`, which is not among the certificate_hosts")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("holds a query or a fragment"));
    }
    let name = url.path().strip_prefix("/cert/").and_then(|rest| rest.strip_suffix(".cer"));
    if !name.is_some_and(|name| !name.is_empty() && !name.contains(['/', '%', '\\'])) {
        return Err(refuse("has another path than /cert/NAME.cer"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "3psostorageacct.blob.core.windows.net";

    fn allowed(text: &str, allow_http: bool) -> bool {
        vet(text, &[HOST.to_owned(), "127.0.0.1:8080".to_owned()], allow_http).is_ok()
    }

    #[test]
    fn the_usual_address() {
        assert!(allowed(&format!("https://{HOST}/cert/pcnotifications-dispatch.microsoft.com.cer"), false));
        assert!(allowed(&format!("HTTPS://{}:443/cert/a.cer", HOST.to_uppercase()), false));
        assert!(allowed("https://127.0.0.1:8080/cert/a.cer", false));
        assert!(allowed("http://127.0.0.1:8080/cert/a.cer", true));
    }

    #[test]
    fn everything_else() {
        for bad in [
            "http://HOST/cert/a.cer",
            "ftp://HOST/cert/a.cer",
            "https://HOST:8443/cert/a.cer",
            "https://HOST.evil.example/cert/a.cer",
            "https://evil.example/cert/a.cer",
            "https://evil.example\\@HOST/cert/a.cer",
            "https://HOST@evil.example/cert/a.cer",
            "https://user:x@HOST/cert/a.cer",
            "https://@HOST/cert/a.cer",
            "https://HOST/cert/a.cer?sig=x",
            "https://HOST/cert/a.cer#x",
            "https://HOST/other/a.cer",
            "https://HOST/cert/../other/a.cer",
            "https://HOST/cert/b/a.cer",
            "https://HOST/cert/%2e%2e%2fa.cer",
            "https://HOST/cert/.cer",
            "https://HOST/cert/a.pem",
            "https://127.0.0.1/cert/a.cer",
            "HOST/cert/a.cer",
            "",
        ] {
            assert!(!allowed(&bad.replace("HOST", HOST), false), "{bad}");
        }
    }
}
