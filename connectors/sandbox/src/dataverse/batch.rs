//! `$batch`: several requests in one, some of them in change sets that happen as a whole or not at all ("Execute batch
//! operations using the Web API").
//!
//! Lines end with CR LF, as the documentation demands; the real service misreads other bodies, the sandbox refuses them.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::FutureExt;
use serde_json::Value;
use uuid::Uuid;

use super::errors::{Answer, BAD_REQUEST, Refusal};

/// Requests that one batch may hold.
const LIMIT: usize = 1000;

/// What a batch holds at one place.
#[derive(Debug)]
pub(super) enum Item {
    /// A request by itself.
    Single(Part),
    /// Requests that are one transaction.
    ChangeSet(Vec<Part>),
}

/// One request of a batch.
#[derive(Debug)]
pub(super) struct Part {
    /// `Content-ID`, by which later requests of the change set refer to this one's row.
    pub(super) id: Option<String>,
    /// HTTP method.
    pub(super) method: Method,
    /// The address as written: absolute, relative to the host or the service, or `$id…`.
    pub(super) address: String,
    /// Headers of the request.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: Bytes,
}

/// Reads the body of a batch.
pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Answer<Vec<Item>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = boundary(kind).ok_or_else(|| {
        malformed(format!("The Content-Type of a batch is multipart/mixed with a boundary, not '{kind}'."))
    })?;
    let text = std::str::from_utf8(body).map_err(|_| malformed("The body of the batch is not UTF-8."))?;
    let mut items = Vec::new();
    let mut count = 0;
    for part in parts(text, &boundary)? {
        let (headers, content) = head(part)?;
        let kind = content_type(&headers);
        if let Some(inner) = self::boundary(kind) {
            let mut set = Vec::new();
            for part in parts(content, &inner)? {
                let (headers, content) = head(part)?;
                let part = request(&headers, content)?;
                if part.id.is_none() {
                    return Err(malformed("Each request of a change set needs a Content-ID header."));
                }
                if part.method == Method::GET {
                    return Err(malformed("A change set cannot hold a GET request."));
                }
                set.push(part);
            }
            count += set.len();
            items.push(Item::ChangeSet(set));
        } else {
            count += 1;
            items.push(Item::Single(request(&headers, content)?));
        }
    }
    if count > LIMIT {
        return Err(malformed(format!("A batch can hold {LIMIT} requests at most; this one holds {count}.")));
    }
    Ok(items)
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::bad(BAD_REQUEST, message)
}

/// The boundary of a multipart type.
fn boundary(kind: &str) -> Option<String> {
    let (media, parameters) = kind.split_once(';')?;
    if !media.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// What stands between the boundaries. The line end before a boundary belongs to it.
fn parts<'a>(text: &'a str, boundary: &str) -> Answer<Vec<&'a str>> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at;
        at += line.len();
        let bare = line.trim_end_matches(['\r', '\n']).trim_end();
        let closing = bare.strip_prefix(delimiter.as_str());
        if !matches!(closing, Some("" | "--")) {
            continue;
        }
        if line.ends_with('\n') && !line.ends_with("\r\n") {
            return Err(malformed(
                "The lines of a batch end with CR LF; this one has a boundary line that ends with LF.",
            ));
        }
        if let Some(start) = start {
            parts.push(text[start..end].strip_suffix("\r\n").unwrap_or(&text[start..end]));
        }
        if closing == Some("--") {
            return Ok(parts);
        }
        start = Some(at);
    }
    Err(malformed(format!("The batch does not end with the closing boundary '{delimiter}--'.")))
}

/// The headers of a part, and what follows them.
fn head(part: &str) -> Answer<(HeaderMap, &str)> {
    // Line ends before the first header do no harm; clients write them.
    let part = part.trim_start_matches("\r\n");
    let (lines, content) = match part.split_once("\r\n\r\n") {
        Some((lines, content)) => (lines, content),
        None => (part.trim_end_matches("\r\n"), ""),
    };
    Ok((header_lines(lines)?, content))
}

fn header_lines(lines: &str) -> Answer<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines.split("\r\n").filter(|line| !line.is_empty()) {
        let unreadable = || malformed(format!("Cannot read the header line '{line}' in the batch."));
        let (name, value) = line.split_once(':').ok_or_else(unreadable)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| unreadable())?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| unreadable())?);
    }
    Ok(headers)
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn request(headers: &HeaderMap, content: &str) -> Answer<Part> {
    let kind = content_type(headers);
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/http") {
        return Err(malformed(format!("A request in a batch has the Content-Type application/http, not '{kind}'.")));
    }
    let content = content.trim_start_matches("\r\n");
    let (line, rest) = content.split_once("\r\n").unwrap_or((content, ""));
    let mut words = line.split_whitespace();
    let (Some(method), Some(address), Some("HTTP/1.1"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        // An address with spaces is not encoded; a service would read the words after it as something else.
        return Err(malformed(format!("Cannot read the request line '{line}'; expected METHOD address HTTP/1.1.")));
    };
    // A request without headers and body ends after its first line.
    let (lines, body) = match rest.strip_prefix("\r\n") {
        Some(body) => ("", body),
        None => rest.split_once("\r\n\r\n").unwrap_or((rest, "")),
    };
    let id = headers.get("content-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Part {
        id,
        method: Method::from_bytes(method.as_bytes()).map_err(|_| malformed(format!("No method: '{method}'.")))?,
        address: address.to_owned(),
        headers: header_lines(lines)?,
        body: Bytes::copy_from_slice(body.trim_end_matches("\r\n").as_bytes()),
    })
}

/// Addresses of the rows that the requests of a change set wrote, by Content-ID.
#[derive(Debug, Default)]
pub(super) struct References(BTreeMap<String, String>);

impl References {
    /// Remembers the row that `response` tells the address of.
    pub(super) fn note(&mut self, part: &Part, response: &Response) {
        let address = response.headers().get("odata-entityid").and_then(|value| value.to_str().ok());
        if let (Some(id), Some(address)) = (&part.id, address) {
            self.0.insert(id.clone(), address.to_owned());
        }
    }

    /// `text` with the reference at its beginning, such as `$1` or `/$1/name`, replaced by the row's address.
    fn resolved(&self, text: &str) -> Answer<Option<String>> {
        let Some(rest) = text.trim_start_matches('/').strip_prefix('$') else {
            return Ok(None);
        };
        let (id, below) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        if !id.starts_with(|char: char| char.is_ascii_digit()) {
            return Ok(None);
        }
        match self.0.get(id) {
            Some(address) => Ok(Some(format!("{address}{below}"))),
            None => Err(malformed(format!("Content-ID Reference: '${id}' does not exist in the batch context."))),
        }
    }

    /// The request's address below the host, and its body, with references replaced.
    pub(super) fn apply(&self, part: &Part, base: &str) -> Answer<(Uri, Bytes)> {
        let address = self.resolved(&part.address)?.unwrap_or_else(|| part.address.clone());
        let path = match address.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
            None if address.starts_with("/api/") => address,
            None => {
                let root = base.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
                format!("{}/{}", root.unwrap_or_default(), address.trim_start_matches('/'))
            }
        };
        let uri =
            encoded(&path).parse().map_err(|_| malformed(format!("Cannot read the address '{}'.", part.address)))?;
        let mut body = part.body.clone();
        if part.body.contains(&b'$')
            && let Ok(mut value) = serde_json::from_slice::<Value>(&part.body)
            && self.replace(&mut value)?
        {
            body = Bytes::from(value.to_string());
        }
        Ok((uri, body))
    }

    /// Replaces references in the values that name rows; true where there was one.
    fn replace(&self, value: &mut Value) -> Answer<bool> {
        let mut replaced = false;
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let names_row = name.ends_with("@odata.bind") || name == "@odata.id";
                    if let (true, Value::String(text)) = (names_row, &mut *value) {
                        if let Some(address) = self.resolved(text)? {
                            *text = address;
                            replaced = true;
                        }
                    } else {
                        replaced |= self.replace(value)?;
                    }
                }
            }
            Value::Array(values) => {
                for value in values {
                    replaced |= self.replace(value)?;
                }
            }
            _ => {}
        }
        Ok(replaced)
    }
}

/// An address that clients wrote into a body with characters that a request line would not carry.
fn encoded(path: &str) -> String {
    path.chars()
        .flat_map(|char| match char {
            '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => format!("%{:02X}", char as u32).chars().collect(),
            char if char.is_ascii() => vec![char],
            char => {
                url::form_urlencoded::byte_serialize(char.to_string().as_bytes()).collect::<String>().chars().collect()
            }
        })
        .collect()
}

/// The answers, in the order of the requests; those of a change set stand together.
#[derive(Debug, Default)]
pub(super) struct Answers {
    text: String,
    boundary: String,
    failed: bool,
}

impl Answers {
    /// No answers yet.
    pub(super) fn new() -> Answers {
        Answers { text: String::new(), boundary: format!("batchresponse_{}", Uuid::new_v4()), failed: false }
    }

    /// Adds the answer to a request by itself, or that of a failed change set.
    pub(super) fn single(&mut self, id: Option<&str>, response: Response) {
        self.failed |= response.status().is_client_error() || response.status().is_server_error();
        self.text.push_str(&format!("--{}\r\n{}", self.boundary, shown(id, response)));
    }

    /// Adds the answers to a change set.
    pub(super) fn change_set(&mut self, responses: Vec<(Option<String>, Response)>) {
        let inner = format!("changesetresponse_{}", Uuid::new_v4());
        self.text.push_str(&format!("--{}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n", self.boundary));
        for (id, response) in responses {
            self.text.push_str(&format!("--{inner}\r\n{}", shown(id.as_deref(), response)));
        }
        self.text.push_str(&format!("--{inner}--\r\n"));
    }

    /// True where an answer was an error.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// The answer to the batch: 400 where an error ended it, else 200.
    pub(super) fn into_response(self, continued: bool) -> Response {
        let status = if self.failed && !continued { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        let kind = format!("multipart/mixed; boundary={}", self.boundary);
        (status, [(header::CONTENT_TYPE, kind)], format!("{}--{}--\r\n", self.text, self.boundary)).into_response()
    }
}

/// A response as a part.
fn shown(id: Option<&str>, response: Response) -> String {
    let (parts, body) = response.into_parts();
    // The answers are whole already, so reading them does not wait.
    let body = to_bytes(body, usize::MAX).now_or_never().and_then(Result::ok).unwrap_or_default();
    let mut text = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n".to_owned();
    if let Some(id) = id {
        text.push_str(&format!("Content-ID: {id}\r\n"));
    }
    let reason = parts.status.canonical_reason().unwrap_or_default();
    text.push_str(&format!("\r\nHTTP/1.1 {} {reason}\r\n", parts.status.as_u16()));
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            let name = match name.as_str() {
                "odata-entityid" => "OData-EntityId",
                "content-type" => "Content-Type",
                "location" => "Location",
                "etag" => "ETag",
                other => other,
            };
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    text.push_str("OData-Version: 4.0\r\n\r\n");
    text.push_str(&String::from_utf8_lossy(&body));
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn items(body: &str) -> Answer<Vec<Item>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "multipart/mixed; boundary=\"b\"".parse().unwrap());
        read(&headers, &Bytes::from(body.replace('\n', "\r\n")))
    }

    const SINGLE: &str = "--b\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\n\
                          GET /api/data/v9.2/accounts?$top=1 HTTP/1.1\nAccept: application/json\n\n\n--b--\n";

    #[test]
    fn parts_are_read_with_headers_and_body() {
        let items = items(SINGLE).unwrap();
        let [Item::Single(part)] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!((part.method.as_str(), part.address.as_str()), ("GET", "/api/data/v9.2/accounts?$top=1"));
        assert_eq!(part.headers["accept"], "application/json");
        assert!(part.body.is_empty());
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        for (body, told) in [
            (SINGLE.replace("--b--\n", ""), "closing boundary"),
            (SINGLE.replace("application/http", "text/plain"), "application/http"),
            (SINGLE.replace(" HTTP/1.1", ""), "request line"),
            (
                "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: application/http\n\n\
                 DELETE /x HTTP/1.1\n\n\n--c--\n--b--\n"
                    .to_owned(),
                "Content-ID",
            ),
            (
                "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: application/http\nContent-ID: 1\n\n\
                 GET /x HTTP/1.1\n\n\n--c--\n--b--\n"
                    .to_owned(),
                "GET",
            ),
        ] {
            let refusal = items(&body).unwrap_err();
            assert_eq!((refusal.status.as_u16(), refusal.code), (400, BAD_REQUEST));
            assert!(refusal.message.contains(told), "{}", refusal.message);
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "multipart/mixed; boundary=b".parse().unwrap());
        let refusal = read(&headers, &Bytes::from(SINGLE)).unwrap_err();
        assert!(refusal.message.contains("CR LF"), "{}", refusal.message);
    }

    #[test]
    fn a_thousand_requests_and_no_more() {
        let part = SINGLE.replace("--b--\n", "");
        assert_eq!(items(&format!("{}--b--\n", part.repeat(1000))).unwrap().len(), 1000);
        assert!(items(&format!("{}--b--\n", part.repeat(1001))).is_err());
    }

    #[test]
    fn references_are_replaced_in_addresses_and_binds_only() {
        let mut references = References::default();
        references.0.insert("1".to_owned(), "http://crm.test/api/data/v9.2/accounts(7)".to_owned());
        let part = Part {
            id: None,
            method: Method::PATCH,
            address: "$1/name".to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::from(r#"{"name":"$1","parentaccountid@odata.bind":"$1"}"#),
        };
        let (uri, body) = references.apply(&part, "http://crm.test/api/data/v9.2").unwrap();
        assert_eq!(uri.to_string(), "/api/data/v9.2/accounts(7)/name");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["name"], "$1");
        assert_eq!(body["parentaccountid@odata.bind"], "http://crm.test/api/data/v9.2/accounts(7)");
        let refusal = References::default().apply(&part, "http://crm.test/api/data/v9.2").unwrap_err();
        assert_eq!(refusal.message, "Content-ID Reference: '$1' does not exist in the batch context.");
    }
}
