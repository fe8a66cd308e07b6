use std::collections::BTreeMap;

use cosell_sdk::http::Method;
use cosell_sdk::{CallContext, CallError, Change, Effect, JsonSchema, Operation, Prediction, Write};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::connection::Http;
use crate::request::Answer;

/// A method that may write.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum WriteMethod {
    /// Creates, or does.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl WriteMethod {
    fn method(self) -> Method {
        match self {
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// What to send.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendRequestInput {
    /// The method; reading is done by get and get_all.
    pub method: WriteMethod,
    /// The path below the connection's address, such as `/orders/{id}`.
    pub path: String,
    /// Values for the names in braces.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// The query, by name; a list is a member said several times.
    #[serde(default)]
    pub query: Map<String, Value>,
    /// Headers, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, sent as JSON; none when null or not given.
    #[serde(default)]
    pub body: Value,
    /// Statuses to take for an answer rather than an error, such as 404.
    #[serde(default)]
    pub allow: Vec<u16>,
}

/// Sends a request that may write.
#[derive(Debug)]
pub struct SendRequest;

impl Operation for SendRequest {
    type Connection = Http;
    type Input = SendRequestInput;
    type Output = Answer;

    const NAME: &'static str = "request";
    const TITLE: &'static str = "Send a request that writes";
    const DESCRIPTION: &'static str =
        "Sends a request by POST, PUT, PATCH or DELETE. A status that is no success is an error.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str =
        r#"{ "method": "POST", "path": "/orders", "body": { "customer": "Northwind", "total": 3 } }"#;

    async fn call(http: &Http, input: SendRequestInput, context: &CallContext) -> Result<Answer, CallError> {
        if context.may_have_run && http.idempotency_header.is_none() {
            return Err(CallError::rejected(
                "effect_unknown",
                format!(
                    "an earlier attempt at {} {} was interrupted, and nothing tells whether it took effect; look in the \
                     system, then resume or repeat the step by hand, or set the connection's `idempotency_header` if the \
                     system knows one",
                    input.method.method(),
                    input.path
                ),
            ));
        }
        let mut request =
            http.request(input.method.method(), &input.path, &input.parameters, &input.query, &input.headers)?;
        if let Some(name) = &http.idempotency_header {
            request = request.header(name.as_str().to_owned(), context.idempotency_key.to_string());
        }
        if !input.body.is_null() {
            request = request.json(input.body);
        }
        for status in input.allow {
            request = request.allow(status);
        }
        Answer::read(&request.send(context).await?)
    }
}

impl Write for SendRequest {
    const FINDS_OUT: &'static str = "With the setting `idempotency_header` the request is sent again with the same key, and the system sees to it that it counts once. Without it nothing can be found out, and the step is refused as `effect_unknown`.";

    async fn predict(http: &Http, input: SendRequestInput, _: &CallContext) -> Result<Prediction<Answer>, CallError> {
        let method = input.method.method();
        // Not sent: only whether it can be put together is of interest.
        let _ = http.request(method.clone(), &input.path, &input.parameters, &input.query, &input.headers)?;
        let change =
            Change { record: input.path.clone(), field: method.to_string(), old: Value::Null, new: input.body.clone() };
        let record = Answer { status: 200, headers: BTreeMap::new(), body: input.body };
        Ok(Prediction { record, changes: vec![change] })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;
    use uuid::Uuid;

    const KEY: Uuid = Uuid::from_u128(7);

    fn input() -> Value {
        json!({ "method": "POST", "path": "/orders", "body": { "total": 3 } })
    }

    async fn send(stub: &Stub, header: Option<&str>, may_have_run: bool) -> Result<Value, CallError> {
        let settings = json!({ "address": stub.origin(), "idempotency_header": header });
        let connection = crate::connector().open(settings).unwrap();
        connection.call("request", input(), CallContext::new(KEY, may_have_run)).await
    }

    #[tokio::test]
    async fn with_a_key_it_is_repeated_and_without_refused() {
        let stub = Stub::start().await;
        stub.on("POST", "/orders", [Reply::hang_up(), Reply::json(201, json!({ "id": 7 }))]);
        let header = Some("Idempotency-Key");
        assert_eq!(send(&stub, header, false).await.unwrap_err().meaning, Meaning::OutcomeUnknown);
        assert_eq!(send(&stub, header, true).await.unwrap()["status"], 201);
        for seen in stub.requests() {
            assert_eq!(seen.header("idempotency-key"), Some(KEY.to_string().as_str()));
            assert_eq!(seen.json(), json!({ "total": 3 }));
        }
        let error = send(&stub, None, true).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "effect_unknown"));
        assert_eq!(stub.requests().len(), 2);
        send(&stub, None, false).await.unwrap();
        assert_eq!(stub.requests()[2].header("idempotency-key"), None);
    }
}
