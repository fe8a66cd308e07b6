//! One call: POST within 60 seconds, any 2xx is success, one more try after 502, 503 or 504 and never another. How it
//! went is told by a row of `asyncoperation`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use uuid::Uuid;

use super::{Acting, Job};
use crate::dataverse::cell::{Cell, Reference};
use crate::dataverse::errors::{Answer, INVALID_ARGUMENT, Refusal};
use crate::dataverse::store::{Row, Store};
use crate::dataverse::write::{self, Writer};

/// How long a receiver may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Beyond this a body is sent without its largest members.
const SIZE_LIMIT: usize = 256 * 1024;

/// How a web hook proves who calls.
#[derive(Debug)]
pub(super) enum Authentication {
    /// Not at all.
    None,
    /// `?code=key` in the address.
    Key(String),
    /// Headers of these names and values.
    Headers(Vec<(String, String)>),
    /// Pairs in the query of the address.
    Query(Vec<(String, String)>),
}

impl Authentication {
    /// `url` with what belongs into the address.
    pub(super) fn address(&self, url: &str) -> String {
        let pairs = match self {
            Authentication::Key(key) => &[("code".to_owned(), key.clone())][..],
            Authentication::Query(pairs) => pairs,
            Authentication::None | Authentication::Headers(_) => return url.to_owned(),
        };
        url::Url::parse(url).map_or_else(
            |_| url.to_owned(),
            |mut url| {
                url.query_pairs_mut().extend_pairs(pairs);
                url.into()
            },
        )
    }

    /// What belongs into the headers.
    pub(super) fn headers(self) -> Vec<(String, String)> {
        match self {
            Authentication::Headers(pairs) => pairs,
            _ => Vec::new(),
        }
    }
}

/// Reads the authentication of an end point. Several pairs are kept as `<settings><setting name="…" value="…"/></settings>`,
/// the way the registration tool writes them.
pub(super) fn authentication(endpoint: &Row) -> Answer<Authentication> {
    let value = endpoint.text("authvalue");
    let pairs = || {
        let text = value.unwrap_or_default();
        let invalid = || {
            let message = "authvalue holds <settings><setting name=\"…\" value=\"…\"/></settings> for this authtype.";
            Refusal::bad(INVALID_ARGUMENT, message)
        };
        let tree = roxmltree::Document::parse(text).map_err(|_| invalid())?;
        let settings = tree.descendants().filter(|node| node.has_tag_name("setting"));
        let pairs: Option<Vec<(String, String)>> = settings
            .map(|node| Some((node.attribute("name")?.to_owned(), node.attribute("value")?.to_owned())))
            .collect();
        pairs.filter(|pairs| !pairs.is_empty()).ok_or_else(invalid)
    };
    match endpoint.integer("authtype") {
        None => Ok(Authentication::None),
        Some(4) => match value {
            Some(key) => Ok(Authentication::Key(key.to_owned())),
            None => Err(Refusal::bad(INVALID_ARGUMENT, "A web hook with authtype 4 (Webhook Key) needs authvalue.")),
        },
        Some(5) => Ok(Authentication::Headers(pairs()?)),
        Some(6) => Ok(Authentication::Query(pairs()?)),
        Some(_) => Err(Refusal::outside("authentication of web hooks other than by key, headers or query")),
    }
}

/// What calls are made with. A redirect is an answer like another: it is not followed.
pub(in crate::dataverse) fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap_or_default()
}

/// Makes the call, and notes how it went.
pub(in crate::dataverse) async fn deliver(store: Arc<Mutex<Store>>, client: Client, job: Job, acting: Acting) {
    let (body, exceeded) = sized(&job.body);
    let mut outcome = call(&client, &job, &acting, &body, exceeded).await;
    if matches!(outcome, Err((Some(502..=504), _))) {
        outcome = call(&client, &job, &acting, &body, exceeded).await;
    }
    if outcome.is_ok() && job.auto_delete {
        return;
    }
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let noted = note(&mut store, &job, &acting, outcome.map_err(|(_, message)| message));
    store.commit();
    if let Err(refusal) = noted {
        tracing::warn!(message = refusal.message, "the outcome of a web hook could not be noted");
    }
}

/// The body, without its largest members where it is too long; true where they are gone.
fn sized(body: &Value) -> (String, bool) {
    let text = body.to_string();
    if text.len() <= SIZE_LIMIT {
        return (text, false);
    }
    let mut body = body.clone();
    if let Some(members) = body.as_object_mut() {
        for name in ["ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"] {
            members.remove(name);
        }
    }
    (body.to_string(), true)
}

async fn call(
    client: &Client,
    job: &Job,
    acting: &Acting,
    body: &str,
    exceeded: bool,
) -> Result<(), (Option<u16>, String)> {
    let mut request = client
        .post(&job.url)
        .timeout(TIME_LIMIT)
        .header("content-type", "application/json; charset=utf-8")
        .header("x-ms-dynamics-organization", &acting.host)
        .header("x-ms-dynamics-entity-name", &job.table)
        .header("x-ms-dynamics-request-name", job.message)
        .header("x-ms-correlation-request-id", acting.correlation.to_string());
    if exceeded {
        request = request.header("x-ms-dynamics-msg-size-exceeded", "true");
    }
    for (name, value) in &job.headers {
        request = request.header(name, value);
    }
    match request.body(body.to_owned()).send().await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => {
            let status = response.status().as_u16();
            Err((Some(status), format!("The web hook answered {status}; expected a status from 200 to 299.")))
        }
        Err(error) => Err((None, format!("The web hook could not be called: {}.", error.without_url()))),
    }
}

fn note(store: &mut Store, job: &Job, acting: &Acting, outcome: Result<(), String>) -> Answer<()> {
    let Some(table) = store.schema().table("asyncoperation") else {
        return Ok(());
    };
    let mut row = Row::new(Uuid::now_v7());
    let status = if outcome.is_ok() { 30 } else { 31 };
    row.set("name", Some(Cell::Text(job.name.clone())));
    // An asynchronous step is a system event.
    row.set("operationtype", Some(Cell::Integer(1)));
    row.set("messagename", Some(Cell::Text(job.message.to_owned())));
    row.set("primaryentitytype", Some(Cell::Text(job.table.clone())));
    row.set("message", outcome.err().map(Cell::Text));
    row.set("statecode", Some(Cell::Integer(3)));
    row.set("statuscode", Some(Cell::Integer(status)));
    row.set("createdon", Some(Cell::Instant(acting.now)));
    row.set("ownerid", Some(Cell::Reference(Reference { table: "systemuser", id: acting.user })));
    row.set("createdby", Some(Cell::Reference(Reference { table: "systemuser", id: acting.user })));
    row.set("owningextensionid", Some(Cell::Reference(Reference { table: "sdkmessageprocessingstep", id: job.step })));
    write::replace(store, Writer { user: acting.user, now: acting.now }, table, row)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn endpoint(kind: i64, value: &str) -> Row {
        let mut row = Row::new(Uuid::nil());
        row.set("authtype", Some(Cell::Integer(kind)));
        row.set("authvalue", Some(Cell::Text(value.to_owned())));
        row
    }

    #[test]
    fn each_kind_of_authentication_goes_where_it_belongs() {
        let settings = "<settings><setting name=\"a\" value=\"x y\" /></settings>";
        let url = "http://hooks.test/in?b=1";
        let key = authentication(&endpoint(4, "k&y")).unwrap();
        assert_eq!(key.address(url), "http://hooks.test/in?b=1&code=k%26y");
        let query = authentication(&endpoint(6, settings)).unwrap();
        assert_eq!(query.address(url), "http://hooks.test/in?b=1&a=x+y");
        let headers = authentication(&endpoint(5, settings)).unwrap();
        assert_eq!(headers.address(url), url);
        assert_eq!(headers.headers(), [("a".to_owned(), "x y".to_owned())]);
        assert_eq!(authentication(&endpoint(5, "a=b")).unwrap_err().status.as_u16(), 400);
        assert_eq!(authentication(&endpoint(1, "x")).unwrap_err().status.as_u16(), 501);
    }

    #[test]
    fn a_long_body_is_sent_without_its_largest_members() {
        let body =
            json!({ "MessageName": "Update", "InputParameters": ["x".repeat(SIZE_LIMIT)], "PostEntityImages": [] });
        let (text, exceeded) = sized(&body);
        assert!(exceeded);
        assert_eq!(text, "{\"MessageName\":\"Update\"}");
        assert!(!sized(&json!({ "MessageName": "Update" })).1);
    }
}
