//! A request as the rest of the module sees it: segments, options, preferences, body. A batch would make one of these
//! per part.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::address::{self, Segment};
use super::errors::{Answer, BAD_PAYLOAD, BAD_REQUEST, Refusal};
use super::query::Scope;
use super::store::Store;

/// The largest page, and the largest number a count shows.
pub(super) const PAGE_LIMIT: usize = 5000;

/// A request.
#[derive(Debug)]
pub(super) struct Call {
    /// HTTP method.
    pub(super) method: Method,
    /// The service root with version, without a slash at the end.
    pub(super) base: String,
    /// The path below the service root as sent.
    pub(super) path: String,
    /// The path below the service root, read.
    pub(super) segments: Vec<Segment>,
    /// The query as sent.
    pub(super) query: String,
    /// Headers.
    pub(super) headers: HeaderMap,
    /// The `Prefer` header, read.
    pub(super) prefer: Prefer,
    /// Body.
    pub(super) body: Bytes,
    /// The systemuser who calls.
    pub(super) user: Uuid,
    /// When it arrived, in simulated time.
    pub(super) now: Timestamp,
}

/// The preferences that the stand-in knows; others are ignored, as HTTP wants it (RFC 7240).
#[derive(Debug, Default, PartialEq)]
pub(super) struct Prefer {
    /// `return=representation`.
    pub(super) representation: bool,
    /// Patterns of annotations to include.
    pub(super) annotations: Vec<String>,
    /// `odata.maxpagesize`.
    pub(super) page: Option<usize>,
    /// `odata.track-changes`.
    pub(super) track_changes: bool,
    /// `odata.continue-on-error`.
    pub(super) continue_on_error: bool,
}

impl Prefer {
    /// Reads all `Prefer` headers.
    pub(super) fn read(headers: &HeaderMap) -> Answer<Prefer> {
        let mut prefer = Prefer::default();
        for value in headers.get_all("prefer") {
            let text = value.to_str().map_err(|_| Refusal::bad(BAD_REQUEST, "The Prefer header is not text."))?;
            for item in split_outside_double_quotes(text) {
                let (name, value) = item.split_once('=').unwrap_or((item, ""));
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "return" => prefer.representation = value == "representation",
                    "odata.include-annotations" => {
                        prefer.annotations = value.split(',').map(|pattern| pattern.trim().to_owned()).collect();
                    }
                    "odata.maxpagesize" => {
                        let size = value.parse::<usize>().ok().filter(|size| *size > 0).ok_or_else(|| {
                            Refusal::bad(
                                BAD_REQUEST,
                                format!("odata.maxpagesize is '{value}'; expected 1 to {PAGE_LIMIT}."),
                            )
                        })?;
                        prefer.page = Some(size.min(PAGE_LIMIT));
                    }
                    "odata.track-changes" => prefer.track_changes = true,
                    "odata.continue-on-error" => prefer.continue_on_error = value != "false",
                    _ => {}
                }
            }
        }
        Ok(prefer)
    }

    /// True where the annotation `name` was asked for.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.annotations.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => pattern == name,
        })
    }
}

fn split_outside_double_quotes(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, char) in text.char_indices() {
        match char {
            '"' => quoted = !quoted,
            ',' | ';' if !quoted => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

impl Call {
    /// Checks the headers that every request must get right.
    pub(super) fn check_headers(&self) -> Answer<()> {
        for name in ["odata-version", "odata-maxversion"] {
            if let Some(value) = self.header(name)
                && !matches!(value, "4.0" | "4.01")
            {
                return Err(Refusal::bad(BAD_REQUEST, format!("The {name} header is '{value}'; expected 4.0.")));
            }
        }
        if let Some(accept) = self.header("accept")
            && !accept.split(',').any(|part| {
                let media = part.split(';').next().unwrap_or_default().trim();
                matches!(media, "*/*" | "application/*" | "application/json" | "text/plain" | "")
                    || (media == "application/xml" && self.path == "$metadata")
            })
        {
            return Err(Refusal {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                code: "0x0",
                message: format!(
                    "A supported MIME type could not be found that matches the acceptable MIME types for the request. The \
                     supported type(s) 'application/json' do not match any of the acceptable MIME types '{accept}'."
                ),
            });
        }
        Ok(())
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Answer<Map<String, Value>> {
        let kind = self.header(header::CONTENT_TYPE.as_str()).ok_or_else(|| {
            Refusal::bad(BAD_REQUEST, "A request with a body needs the Content-Type header 'application/json'.")
        })?;
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            return Err(Refusal {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                code: BAD_REQUEST,
                message: format!("The Content-Type '{kind}' is not supported; expected application/json."),
            });
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(Refusal::bad(BAD_PAYLOAD, "The payload is not a JSON object.")),
            Err(error) => Err(Refusal::bad(
                BAD_PAYLOAD,
                format!(
                    "Error identified in Payload provided by the user for Entity :'', For more information on this error \
                     please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : \
                     Microsoft.OData.ODataException: {error}"
                ),
            )),
        }
    }

    /// What queries of this request are evaluated against.
    pub(super) fn scope<'a>(&self, store: &'a Store) -> Scope<'a> {
        Scope { store, now: self.now, user: self.user }
    }

    /// The options of the query.
    pub(super) fn options(&self) -> Answer<Options> {
        Options::read(&self.query)
    }
}

/// The options of a query, not yet checked against a table.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// Values of the `$` options by name.
    pub(super) system: BTreeMap<String, String>,
    /// Parameter aliases with their `@`.
    pub(super) aliases: BTreeMap<String, String>,
}

/// The options that the stand-in reads.
const KNOWN: &[&str] =
    &["$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken", "$deltatoken", "$id", "fetchXml"];

impl Options {
    /// Reads a query string.
    pub(super) fn read(query: &str) -> Answer<Options> {
        let mut options = Options::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (address::decode(&name.replace('+', " ")), address::decode(&value.replace('+', " ")));
            if name.starts_with('@') {
                options.aliases.insert(name, value);
                continue;
            }
            match name.as_str() {
                known if KNOWN.contains(&known) => {
                    if options.system.insert(name.clone(), value).is_some() {
                        return Err(Refusal::bad(
                            BAD_REQUEST,
                            format!("The query option {name} is there more than once."),
                        ));
                    }
                }
                "$apply" | "savedQuery" | "userQuery" | "sql" => {
                    return Err(Refusal::outside(format!("the query option {name}")));
                }
                _ => {
                    let message = format!("The query parameter {name} is not supported");
                    return Err(Refusal::bad(BAD_REQUEST, message));
                }
            }
        }
        Ok(options)
    }

    /// The value of option `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.system.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn several_preferences_share_one_header() {
        let mut headers = HeaderMap::new();
        let value =
            "odata.include-annotations=\"OData.*,Microsoft.Dynamics.CRM.lookuplogicalname\", odata.maxpagesize=3";
        headers.insert("prefer", value.parse().unwrap());
        let prefer = Prefer::read(&headers).unwrap();
        assert_eq!(prefer.page, Some(3));
        assert!(prefer.wants("OData.Community.Display.V1.FormattedValue"));
        assert!(prefer.wants("Microsoft.Dynamics.CRM.lookuplogicalname"));
        assert!(!prefer.wants("Microsoft.Dynamics.CRM.associatednavigationproperty"));
    }

    #[test]
    fn a_page_is_from_1_to_5000_rows() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", format!("odata.maxpagesize={value}").parse().unwrap());
            Prefer::read(&headers)
        };
        assert_eq!(with("9000").unwrap().page, Some(5000));
        assert!(with("0").is_err());
    }

    #[test]
    fn unknown_options_are_refused_and_unserved_ones_are_outside() {
        assert_eq!(Options::read("$skip=3").unwrap_err().status.as_u16(), 400);
        assert_eq!(Options::read("colour=red").unwrap_err().status.as_u16(), 400);
        assert_eq!(Options::read("$apply=x").unwrap_err().status.as_u16(), 501);
        assert_eq!(Options::read("$filter=name%20eq+@p&@p='a%26b'").unwrap().aliases["@p"], "'a&b'");
    }
}
