use std::collections::BTreeMap;

use cosell_sdk::http::Method;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::connection::Http;
use crate::request::Answer;

/// Where an answer says how to go on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NextPage {
    /// In the header `Link`, as the relation `next` (RFC 8288).
    #[default]
    LinkHeader,
    /// In the body, as a link at this dotted path, such as `paging.next`.
    Body(String),
}

/// What to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetAllInput {
    /// The path below the connection's address, such as `/orders`.
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
    /// Where the items of a page are in its body: a dotted path such as `data.items`. When not given, the body is the
    /// list.
    #[serde(default)]
    pub items: String,
    /// Where an answer says how to go on.
    #[serde(default)]
    pub next: NextPage,
    /// How many pages at most. More of them are an error rather than a list that is silently short.
    #[serde(default = "default_max_pages")]
    pub max_pages: u32,
}

fn default_max_pages() -> u32 {
    50
}

/// Items read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Items {
    /// The items of all pages, in their order.
    pub items: Vec<Value>,
}

/// Reads a list, page by page.
#[derive(Debug)]
pub struct GetAll;

impl Operation for GetAll {
    type Connection = Http;
    type Input = GetAllInput;
    type Output = Items;

    const NAME: &'static str = "get_all";
    const TITLE: &'static str = "Read all pages of a list";
    const DESCRIPTION: &'static str =
        "Reads a list to its end by the links to further pages, which must stay below the connection's address.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{
        "path": "/orders", "query": { "status": "open" }, "items": "data.items", "next": { "body": "paging.next" }
    }"#;

    async fn call(http: &Http, input: GetAllInput, context: &CallContext) -> Result<Items, CallError> {
        let first = || http.request(Method::GET, &input.path, &input.parameters, &input.query, &input.headers);
        let mut request = first()?;
        let mut all = Vec::new();
        for _ in 0..input.max_pages {
            let answer = Answer::read(&request.send(context).await?)?;
            match at(&answer.body, &input.items) {
                Some(Value::Array(items)) => all.extend(items.iter().cloned()),
                // A list without items may be left out.
                None | Some(Value::Null) if !input.items.is_empty() => {}
                _ => {
                    return Err(CallError::rejected(
                        "no_list",
                        format!("the answer has no list at `{}`; correct `items`", input.items),
                    ));
                }
            }
            let next = match &input.next {
                NextPage::LinkHeader => answer.headers.get("link").and_then(|header| next_of(header)),
                NextPage::Body(path) => at(&answer.body, path).and_then(Value::as_str).filter(|link| !link.is_empty()),
            };
            let Some(next) = next else { return Ok(Items { items: all }) };
            request = http.client.follow(next)?;
            for (name, value) in &input.headers {
                request = request.header(name.clone(), value);
            }
        }
        Err(CallError::rejected(
            "too_many_pages",
            format!("there are more than {} pages; narrow the query, or raise `max_pages`", input.max_pages),
        ))
    }
}

/// The value at a dotted path; the whole for an empty one.
fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|name| !name.is_empty()).try_fold(body, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    })
}

/// The link with the relation `next` in a `Link` header.
fn next_of(header: &str) -> Option<&str> {
    header.split('<').skip(1).find_map(|part| {
        let (link, parameters) = part.split_once('>')?;
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split(' ').any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        is_next.then_some(link)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;
    use uuid::Uuid;

    async fn get_all(stub: &Stub, input: Value) -> Result<Value, CallError> {
        let connection = crate::connector().open(json!({ "address": stub.origin() })).unwrap();
        connection.call("get_all", input, CallContext::new(Uuid::nil(), false)).await
    }

    #[tokio::test]
    async fn pages_by_the_body_and_by_the_header() {
        let stub = Stub::start().await;
        let page = |items: Value, next: Value| Reply::json(200, json!({ "data": { "items": items }, "next": next }));
        stub.on("GET", "/a", [page(json!([1, 2]), json!("/a?page=2"))]);
        stub.on("GET", "/a?page=2", [page(json!(null), json!(""))]);
        let input =
            json!({ "path": "/a", "items": "data.items", "next": { "body": "next" }, "headers": { "X-T": "1" } });
        assert_eq!(get_all(&stub, input).await.unwrap()["items"], json!([1, 2]));
        assert!(stub.requests().iter().all(|seen| seen.header("x-t") == Some("1")));

        let link = format!("<{0}/first>; rel=\"first\", <{0}/b?page=2>; rel=\"next\"", stub.origin());
        stub.on("GET", "/b", [Reply::json(200, json!([1])).header("link", &link)]);
        stub.on("GET", "/b?page=2", [Reply::json(200, json!([2]))]);
        assert_eq!(get_all(&stub, json!({ "path": "/b" })).await.unwrap()["items"], json!([1, 2]));
    }

    #[tokio::test]
    async fn no_list_endless_pages_and_links_elsewhere_are_errors() {
        let stub = Stub::start().await;
        stub.on(
            "GET",
            "/a",
            [Reply::json(200, json!({ "items": [], "next": "/a", "away": "https://elsewhere.example/" }))],
        );
        for (input, code) in [
            (json!({ "path": "/a" }), "no_list"),
            (json!({ "path": "/a", "items": "items", "next": { "body": "next" }, "max_pages": 2 }), "too_many_pages"),
            (json!({ "path": "/a", "items": "items", "next": { "body": "away" } }), "foreign_link"),
        ] {
            assert_eq!(get_all(&stub, input).await.unwrap_err().code, code);
        }
    }
}
