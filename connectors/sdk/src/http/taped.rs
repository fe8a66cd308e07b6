//! Requests while a tape runs: how each is named on it, what is kept of an answer, and how a kept one is an answer again.

use std::collections::BTreeMap;

use bytes::Bytes;
use cosell_model::Effect;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::address::Address;
use super::response::Response;
use crate::error::CallError;
use crate::tape::Answer;

/// Stands for the connection's address in what is kept, so that a recording neither tells it nor depends on it.
const ANYWHERE: &str = "https://recorded.invalid";

/// Headers that are kept: those that say something of the body, and of where to go on. Others may hold secrets, or differ
/// from one time to the next.
const KEPT: [&str; 4] = ["etag", "link", "location", "retry-after"];

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a request asks, as a person reads it: method, address below the connection's, query, and body where it has one.
pub(super) fn asked(address: &Address, method: &str, url: &Url, body: Option<&[u8]>) -> String {
    let below = url.path().strip_prefix(address.path()).unwrap_or(url.path());
    let mut asked = format!("{method} {}", unescaped(below));
    for (number, (name, value)) in url.query_pairs().enumerate() {
        asked.push(if number == 0 { '?' } else { '&' });
        asked.push_str(&format!("{name}={value}"));
    }
    if let Some(body) = body {
        asked.push(' ');
        asked.push_str(&String::from_utf8_lossy(body));
    }
    without_address(&asked, address)
}

fn unescaped(path: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(path.len()), path.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match behind.get(..2).filter(|_| *first == b'%').and_then(hex) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is kept of an answer.
pub(super) fn kept(response: &Response, address: &Address, describes: bool) -> Answer {
    let mut headers: BTreeMap<String, String> = response
        .headers()
        .filter(|(name, _)| KEPT.contains(name))
        .map(|(name, value)| (name.to_owned(), without_address(value, address)))
        .collect();
    let json = response.is_json().then(|| serde_json::from_slice(&response.body).ok()).flatten();
    let body = json.unwrap_or_else(|| {
        let content_type = response.header("content-type").filter(|_| !response.is_empty());
        headers.extend(content_type.map(|value| ("content-type".to_owned(), value.to_owned())));
        if response.is_empty() { Value::Null } else { Value::String(response.text()) }
    });
    let body = each_text(body, &|text| without_address(&text, address));
    Answer { status: Some(response.status), headers, body, failure: None, describes }
}

/// What is kept where no answer came.
pub(super) fn failed(mut error: CallError, address: &Address) -> Answer {
    error.message = without_address(&error.message, address);
    Answer { failure: Some(error), ..Answer::default() }
}

/// An answer that was kept, as if it had come now.
///
/// # Errors
/// Why none had come.
pub(super) fn played(
    answer: Answer,
    address: &Address,
    effect: Effect,
    title: &'static str,
) -> Result<Response, CallError> {
    if let Some(failure) = answer.failure {
        return Err(failure);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        let value = HeaderValue::from_str(&with_address(value, address));
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
            headers.insert(name, value);
        }
    }
    let body = each_text(answer.body, &|text| with_address(&text, address));
    let body = match (headers.contains_key(CONTENT_TYPE), body) {
        (true, Value::String(text)) => Bytes::from(text),
        (_, Value::Null) => Bytes::new(),
        (_, body) => {
            headers.insert(CONTENT_TYPE, JSON);
            Bytes::from(body.to_string())
        }
    };
    Ok(Response { status: answer.status.unwrap_or(200), headers, body, effect, title })
}

fn without_address(text: &str, address: &Address) -> String {
    let hosts = ["https", "http"].map(|scheme| format!("{scheme}://{}", address.authority()));
    let text = text.replace(&address.base(), ANYWHERE);
    hosts.iter().fold(text, |text, host| text.replace(host, ANYWHERE))
}

fn with_address(text: &str, address: &Address) -> String {
    text.replace(ANYWHERE, &address.base())
}

fn each_text(value: Value, change: &dyn Fn(String) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => items.into_iter().map(|item| each_text(item, change)).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, each_text(value, change))).collect(),
        other => other,
    }
}
