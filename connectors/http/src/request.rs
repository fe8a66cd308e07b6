//! What a request is made of: an address template filled in, a query, headers.

use std::collections::BTreeMap;

use cosell_sdk::http::{Method, Request, Response};
use cosell_sdk::{CallError, JsonSchema};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::connection::Http;

/// Headers that belong to the connection.
const OURS: [&str; 5] = ["authorization", "host", "content-length", "transfer-encoding", "connection"];

/// What the system answered.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body: its value where it is JSON, else its text; null where it is empty.
    pub body: Value,
}

impl Answer {
    /// Reads a response.
    ///
    /// # Errors
    /// A body that says it is JSON and is not.
    pub fn read(response: &Response) -> Result<Self, CallError> {
        let body = match (response.is_empty(), response.is_json()) {
            (true, _) => Value::Null,
            (false, true) => response.json()?,
            (false, false) => Value::String(response.text()),
        };
        let headers = response.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { status: response.status, headers, body })
    }
}

impl Http {
    /// A request for a path such as `/orders/{id}`, whose names in braces are replaced by `parameters`.
    ///
    /// # Errors
    /// Parameters that are missing, left over, or no plain values; headers that belong to the connection.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        parameters: &Map<String, Value>,
        query: &Map<String, Value>,
        headers: &BTreeMap<String, String>,
    ) -> Result<Request<'_>, CallError> {
        let segments = fill_in(path, parameters)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let mut request = self.client.request(method, &segments);
        for (name, value) in query {
            // A list is a member said several times; null is one left out.
            let values = match value {
                Value::Null => Vec::new(),
                Value::Array(values) => values.iter().collect(),
                value => vec![value],
            };
            for value in values {
                request = request.query(name, &text("query", name, value)?);
            }
        }
        if !headers.keys().any(|name| name.eq_ignore_ascii_case("accept")) {
            request = request.header("accept", "application/json");
        }
        for (name, value) in headers {
            if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
                return Err(CallError::rejected(
                    "reserved_header",
                    format!("`headers` holds `{name}`, which the connection sets; leave it out"),
                ));
            }
            request = request.header(name.clone(), value);
        }
        Ok(request)
    }
}

/// The segments of a path, with names in braces replaced. A value fills one segment or a part of it, and is escaped.
fn fill_in(path: &str, parameters: &Map<String, Value>) -> Result<Vec<String>, CallError> {
    let wrong = |what: String| CallError::rejected("wrong_path", format!("`path` is `{path}`: {what}"));
    if path.contains(['?', '#']) || path.contains("://") {
        return Err(wrong("it must be a path alone; give the query as `query`".to_owned()));
    }
    let mut used = Vec::new();
    let mut segments = Vec::new();
    for template in path.trim_start_matches('/').split('/') {
        let (mut segment, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| wrong("a brace is not closed".to_owned()))?;
            let value = parameters.get(name).ok_or_else(|| wrong(format!("`parameters` has no `{name}`")))?;
            let value = text("parameters", name, value)?;
            if value.is_empty() {
                return Err(wrong(format!("the parameter `{name}` is empty")));
            }
            segment.push_str(before);
            segment.push_str(&value);
            used.push(name);
            rest = after;
        }
        segment.push_str(rest);
        if matches!(segment.as_str(), "." | "..") {
            return Err(wrong("it must not lead upwards".to_owned()));
        }
        segments.push(segment);
    }
    if let Some(unused) = parameters.keys().find(|name| !used.contains(&name.as_str())) {
        return Err(wrong(format!("it has no {{{unused}}} for the parameter `{unused}`")));
    }
    // An address of nothing but a slash is the base address itself.
    if segments == [""] {
        segments.clear();
    }
    Ok(segments)
}

fn text(member: &str, name: &str, value: &Value) -> Result<String, CallError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(CallError::rejected(
            "wrong_value",
            format!("`{member}.{name}` is {value}; expected a text, a number, or true or false"),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    fn filled(path: &str, parameters: Value) -> Result<Vec<String>, String> {
        fill_in(path, parameters.as_object().unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn names_in_braces_are_replaced() {
        assert_eq!(filled("/orders/{id}", json!({ "id": 7 })).unwrap(), ["orders", "7"]);
        assert_eq!(filled("o({id},{k})/x", json!({ "id": "a/b", "k": true })).unwrap(), ["o(a/b,true)", "x"]);
        assert_eq!(filled("/", json!({})).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (path, parameters, part) in [
            ("/a/{id}", json!({}), "no `id`"),
            ("/a", json!({ "id": 1 }), "no {id}"),
            ("/a/{id", json!({ "id": 1 }), "not closed"),
            ("/a/{id}", json!({ "id": "" }), "empty"),
            ("/a/{id}", json!({ "id": ".." }), "upwards"),
            ("/a/{id}", json!({ "id": [] }), "expected a text"),
            ("/a?b=c", json!({}), "a path alone"),
            ("https://elsewhere.example/a", json!({}), "a path alone"),
        ] {
            let message = filled(path, parameters).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }
}
