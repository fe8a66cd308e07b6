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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::context::CallContext;
    use crate::error::Meaning;
    use crate::http::{Client, Request, Transport};
    use crate::sign_in::SignIn;
    use crate::stub::{Reply, Stub};
    use crate::tape::{NOT_RECORDED, Tape};

    /// A client that signs in with the stub, wherever it sends its requests.
    fn client(stub: &Stub, address: &str) -> Client {
        let transport = Transport::new(None).unwrap();
        let settings = serde_json::from_value(stub.sign_in()).unwrap();
        let sign_in = SignIn::new(&settings, "https://api.example.com", &transport).unwrap();
        Client::new("Example", Address::new("address", address).unwrap(), Arc::new(sign_in), &transport)
    }

    async fn send(request: Request<'_>, tape: &Tape) -> Result<Response, CallError> {
        let context = CallContext::new(Uuid::nil(), false).taped(tape.clone());
        let came = request.allow(404).send(&context).await;
        let counted = came.as_ref().err().is_none_or(|error| error.code != NOT_RECORDED);
        assert_eq!((context.asked().len(), context.request_count()), (1, usize::from(counted)));
        came
    }

    fn ask<'c>(client: &'c Client, what: &str) -> Request<'c> {
        client.get(&["rows", what]).query("$filter", "name eq 'A & B'")
    }

    #[tokio::test]
    async fn what_was_kept_is_played_under_another_address_without_a_token() {
        let stub = Stub::start().await;
        let live = client(&stub, &format!("{}/base", stub.origin()));
        let next = format!("{}/base/rows?page=2", stub.origin());
        let page = Reply::json(200, json!({ "value": [1.5], "next": next, "whose": stub.origin() }));
        let page = page.header("etag", "7").header("set-cookie", "secret").header("retry-after", "3");
        stub.on("GET", "/base/rows/page", [page]);
        stub.on("GET", "/base/rows/text", [Reply::bytes(200, "text/plain", "plain")]);
        stub.on("GET", "/base/rows/gone", [Reply::json(404, json!({ "error": "no" }))]);
        stub.on("GET", "/base/rows/empty", [Reply::empty(204)]);
        stub.on(
            "GET",
            "/base/rows/refused",
            [Reply::json(400, json!({ "error": { "code": "bad", "message": "no" } }))],
        );
        stub.on("GET", "/base/rows/broken", [Reply::hang_up()]);
        let kept = Tape::keeping();
        let all = ["page", "text", "gone", "empty", "refused", "broken"];
        let mut came = Vec::new();
        for what in all {
            came.push(send(ask(&live, what), &kept).await);
        }
        let text = serde_json::to_string(&kept.answers()).unwrap();
        assert!(!text.contains("127.0.0.1") && !text.contains("secret") && !text.contains("token-1"), "{text}");
        assert_eq!(kept.asked()[4], "GET /rows/refused?$filter=name eq 'A & B'");

        let tokens = stub.token_requests().len();
        let tape = Tape::playing(kept.answers());
        let elsewhere = client(&stub, "https://elsewhere.example/other");
        for (what, came) in all.iter().zip(came) {
            match (came, send(ask(&elsewhere, what), &tape).await) {
                (Ok(came), Ok(played)) => {
                    assert_eq!((came.status, came.is_json()), (played.status, played.is_json()), "{what}");
                    let here =
                        came.text().replace(&format!("{}/base", stub.origin()), "https://elsewhere.example/other");
                    let here = here.replace(&stub.origin(), "https://elsewhere.example/other");
                    assert_eq!(played.text(), here, "{what}");
                }
                (Err(came), Err(played)) => {
                    assert_eq!((came.meaning, came.code), (played.meaning, played.code), "{what}");
                }
                (came, played) => panic!("{what} came as {came:?} and is played as {played:?}"),
            }
        }
        let page = send(ask(&elsewhere, "page"), &tape).await.unwrap();
        assert_eq!((page.header("etag"), page.header("set-cookie")), (Some("7"), None));
        let link = page.json::<Value>().unwrap()["next"].as_str().unwrap().to_owned();
        let error = send(elsewhere.follow(&link).unwrap(), &tape).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.message.as_str()), (NOT_RECORDED, "GET /rows?page=2"));
        assert_eq!(error.meaning, Meaning::Rejected);
        assert_eq!(stub.token_requests().len(), tokens, "nobody signs in to play");
    }

    #[tokio::test]
    async fn what_lies_elsewhere_is_kept_as_well() {
        let context = |tape: &Tape| CallContext::new(Uuid::nil(), false).taped(tape.clone());
        let kept = Tape::keeping();
        assert_eq!(context(&kept).outside("KEY a", async { Ok(json!([7])) }).await, Ok(json!([7])));
        let refused = || async { Err(CallError::rejected("locked", "it is locked")) };
        context(&kept).outside("KEY b", refused()).await.unwrap_err();
        let tape = Tape::playing(kept.answers());
        let nobody = async { panic!("nobody looks while a tape plays") };
        assert_eq!(context(&tape).outside("KEY a", nobody).await, Ok(json!([7])));
        assert_eq!(context(&tape).outside("KEY b", refused()).await.unwrap_err().code, "locked");
        assert_eq!(context(&tape).outside("KEY c", async { Ok(Value::Null) }).await.unwrap_err().code, NOT_RECORDED);
    }
}
