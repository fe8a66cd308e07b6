//! Where requests may go: below one base address, and nowhere else.

use std::fmt::Write as _;

use url::{Host, Url};

use crate::error::CallError;

/// The base address of a remote system. Everything asked of it is below this address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads an address from the settings. It must be `https`; plain `http` is for the loopback address alone, where a
    /// stand-in of the remote system listens.
    ///
    /// # Errors
    /// What is wrong with `text`, naming the setting `member`.
    pub fn new(member: &str, text: &str) -> Result<Self, CallError> {
        let wrong = |what: &str| {
            CallError::rejected(
                "invalid_address",
                format!("setting `{member}` is `{text}`: {what}; expected something like https://example.com/path"),
            )
        };
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !(url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url)) {
            return Err(wrong("it must begin with https:// (http:// only on the loopback address)"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it must not hold a user or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it must not hold a query or a fragment"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Scheme, host and port, as in `https://org.crm4.dynamics.com`.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Host and port.
    pub(super) fn authority(&self) -> &str {
        self.0.authority()
    }

    /// The path, without a slash at its end.
    pub(super) fn path(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }

    /// The whole address, without a slash at its end.
    pub(super) fn base(&self) -> String {
        self.0.as_str().trim_end_matches('/').to_owned()
    }

    /// The address with these path segments added, each escaped.
    pub(crate) fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Resolves a link that the remote system gave. The host must be ours and the scheme becomes ours, whatever the
    /// link says; so a link can neither lead a token elsewhere nor strip its encryption.
    pub(crate) fn resolve(&self, link: &str) -> Result<Url, CallError> {
        let foreign = |what: &str| {
            CallError::rejected(
                "foreign_link",
                format!("the remote system gave a link that {what}: expected one below {}", self.0),
            )
        };
        let mut url = self.0.join(link).map_err(|_| foreign("is not an address"))?;
        // `set_scheme` would drop a port that is the new scheme's default, so the port is compared first.
        let port_matches = match url.port() {
            Some(port) => Some(port) == self.0.port_or_known_default(),
            None => self.0.port().is_none(),
        };
        if url.host() != self.0.host() || !port_matches {
            return Err(foreign(&format!("leads to `{}`", url.host_str().unwrap_or("no host"))));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(foreign("holds credentials"));
        }
        if url.set_scheme(self.0.scheme()).is_err() || url.set_port(self.0.port()).is_err() {
            return Err(foreign("has an unusual scheme"));
        }
        url.set_fragment(None);
        Ok(url)
    }

    /// Whether a resolved address lies below this one.
    pub(crate) fn holds(&self, url: &Url) -> bool {
        let base = self.0.path().trim_end_matches('/');
        url.path().strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Adds `name=value` to an address's query. A space becomes `%20`: not every OData service reads `+` as a space.
pub(crate) fn add_query(url: &mut Url, name: &str, value: &str) {
    let mut query = url.query().map(|query| format!("{query}&")).unwrap_or_default();
    let escaped: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let _ = write!(query, "{name}={}", escaped.replace('+', "%20"));
    url.set_query(Some(&query));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn plain_http_is_for_the_loopback_address() {
        for good in
            ["https://api.partner.microsoft.com/v1.0", "http://127.0.0.1:8080/x", "http://localhost", "http://[::1]:1/"]
        {
            assert!(Address::new("address", good).is_ok(), "{good}");
        }
        for bad in
            ["http://example.com", "ftp://localhost", "https://u:p@example.com", "https://example.com/?a=b", "text"]
        {
            let error = Address::new("address", bad).unwrap_err();
            assert!(error.message.contains("`address`") && error.message.contains(bad), "{}", error.message);
        }
    }

    #[test]
    fn segments_cannot_leave_the_base() {
        let base = Address::new("address", "https://example.com/v1.0/").unwrap();
        assert_eq!(base.below(&["a/../b", "c?d#e"]).as_str(), "https://example.com/v1.0/a%2F..%2Fb/c%3Fd%23e");
        assert_eq!(base.below(&["accounts(accountnumber='A')"]).path(), "/v1.0/accounts(accountnumber='A')");
    }

    #[test]
    fn links_keep_to_our_host_and_scheme() {
        let base = Address::new("address", "https://example.com/v1.0").unwrap();
        assert_eq!(
            base.resolve("http://example.com/v1.0/x?y=%20z").unwrap().as_str(),
            "https://example.com/v1.0/x?y=%20z"
        );
        assert_eq!(base.resolve("/v1.0/x").unwrap().as_str(), "https://example.com/v1.0/x");
        for bad in
            ["https://evil.example/v1.0", "//evil.example/x", "https://example.com:444/x", "https://a:b@example.com/"]
        {
            assert_eq!(base.resolve(bad).unwrap_err().code, "foreign_link", "{bad}");
        }
        let local = Address::new("address", "http://127.0.0.1:81/v1.0").unwrap();
        assert_eq!(local.resolve("https://127.0.0.1:81/a").unwrap().as_str(), "http://127.0.0.1:81/a");
        assert!(local.resolve("http://127.0.0.1/a").is_err());
    }

    #[test]
    fn below_means_whole_segments() {
        let base = Address::new("address", "https://example.com/v1.0").unwrap();
        assert!(base.holds(&base.resolve("/v1.0/x").unwrap()));
        assert!(!base.holds(&base.resolve("/v1.0x").unwrap()));
        assert!(!base.holds(&base.resolve("/v1.0/../admin").unwrap()));
    }

    #[test]
    fn query_values_are_escaped() {
        let mut url = Url::parse("https://example.com/").unwrap();
        add_query(&mut url, "$filter", "name eq 'A&B + ü'");
        add_query(&mut url, "$top", "1");
        assert_eq!(url.query(), Some("$filter=name%20eq%20%27A%26B%20%2B%20%C3%BC%27&$top=1"));
    }
}
