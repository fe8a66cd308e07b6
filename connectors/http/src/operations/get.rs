use std::collections::BTreeMap;

use cosell_sdk::http::Method;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::connection::Http;
use crate::request::Answer;

/// What to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetInput {
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
    /// Statuses to take for an answer rather than an error, such as 404.
    #[serde(default)]
    pub allow: Vec<u16>,
}

/// Reads something.
#[derive(Debug)]
pub struct Get;

impl Operation for Get {
    type Connection = Http;
    type Input = GetInput;
    type Output = Answer;

    const NAME: &'static str = "get";
    const TITLE: &'static str = "Read by GET";
    const DESCRIPTION: &'static str = "Reads what is at a path. A status that is no success is an error.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str =
        r#"{ "path": "/orders/{id}", "parameters": { "id": 7 }, "query": { "fields": "total" } }"#;

    async fn call(http: &Http, input: GetInput, context: &CallContext) -> Result<Answer, CallError> {
        let mut request = http.request(Method::GET, &input.path, &input.parameters, &input.query, &input.headers)?;
        for status in input.allow {
            request = request.allow(status);
        }
        Answer::read(&request.send(context).await?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cosell_sdk::CallContext;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};
    use uuid::Uuid;

    #[tokio::test]
    async fn path_query_and_headers_go_out_and_any_body_comes_back() {
        let stub = Stub::start().await;
        stub.on(
            "GET",
            "/api/orders/a%2Fb",
            [
                Reply::json(200, json!({ "total": 3 })).header("x-page", "1"),
                Reply::bytes(200, "text/plain", "three"),
                Reply::empty(404),
            ],
        );
        let settings = json!({ "address": format!("{}/api/", stub.origin()) });
        let connection = crate::connector().open(settings).unwrap();
        let mut bodies = Vec::new();
        for _ in 0..3 {
            let input = json!({
                "path": "/orders/{id}", "parameters": { "id": "a/b" }, "query": { "f": ["x", "y z"], "n": null },
                "headers": { "X-Trace": "1" }, "allow": [404]
            });
            let answer = connection.call("get", input, CallContext::new(Uuid::nil(), false)).await.unwrap();
            bodies.push((answer["status"].clone(), answer["body"].clone()));
        }
        assert_eq!(
            bodies,
            [(json!(200), json!({ "total": 3 })), (json!(200), json!("three")), (json!(404), Value::Null),]
        );
        let seen = &stub.requests()[0];
        assert_eq!(seen.target, "/api/orders/a%2Fb?f=x&f=y%20z");
        assert_eq!((seen.header("x-trace"), seen.header("accept")), (Some("1"), Some("application/json")));
        let input = json!({ "path": "/x", "headers": { "Authorization": "x" } });
        let error = connection.call("get", input, CallContext::new(Uuid::nil(), false)).await.unwrap_err();
        assert_eq!(error.code, "reserved_header");
    }
}
