//! The stand-in driven through its router, below sign-in: `rows` (create, read, update, delete, conditions), `queries` and
//! `fetch`, `tracking`, `actions`, `batches`, `refusals`, `metadata` and `definitions`, `hooks` (calls out, limits,
//! impersonation), and `people` (sign-in, the log, work in the CRM).

#![allow(clippy::unwrap_used)]

mod actions;
mod batches;
mod definitions;
mod fetch;
mod hooks;
mod metadata;
mod people;
mod queries;
mod refusals;
mod rows;
mod tracking;

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::Extension;
use axum::http::{HeaderMap, Request};
use axum::{Router, body};
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

use super::Dataverse;
use crate::core::clock::Clock;
use crate::core::log::{Change, Changes};
use crate::core::tokens::{Caller, Tokens};

/// An organisation, and one caller of its Web API.
struct Crm {
    state: Arc<Dataverse>,
    router: Router,
    clock: Arc<Clock>,
}

/// An answer, read to its end.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
    changes: Vec<Change>,
}

const ORIGIN: &str = "http://crm.test";
const BASE: &str = "http://crm.test/api/data/v9.2";

impl Crm {
    fn new() -> Crm {
        let clock = Arc::new(Clock::default());
        // Keys take long to make, and no test here looks at them.
        static TOKENS: LazyLock<Arc<Tokens>> = LazyLock::new(|| Arc::new(Tokens::new().unwrap()));
        let tokens = Arc::clone(&TOKENS);
        let state = Arc::new(Dataverse::new(ORIGIN.to_owned(), clock.clone(), tokens));
        let caller = Caller {
            name: "Noor Haddad".to_owned(),
            id: Uuid::from_u128(0xA11),
            app_only: false,
            roles: Vec::new(),
            mfa: false,
        };
        let router = super::resources(state.clone()).layer(Extension(caller));
        Crm { state, router, clock }
    }

    /// Sends a request; `address` is below the service root, or a full link as an answer gave it.
    async fn send(&self, method: &str, address: &str, headers: &[(&str, &str)], body: Option<Value>) -> Reply {
        let mut headers = headers.to_vec();
        if body.is_some() {
            headers.push(("content-type", "application/json; charset=utf-8"));
        }
        self.send_raw(method, address, &headers, body.map_or_else(String::new, |body| body.to_string())).await
    }

    /// Sends a request with a body of any kind.
    async fn send_raw(&self, method: &str, address: &str, headers: &[(&str, &str)], body: String) -> Reply {
        let path = address.strip_prefix(ORIGIN).map_or_else(|| format!("/api/data/v9.2/{address}"), str::to_owned);
        let mut request = Request::builder().method(method).uri(path.replace(' ', "%20"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body::to_bytes(body, usize::MAX).await.unwrap();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::String(String::from_utf8(bytes.to_vec()).unwrap())),
            changes: parts.extensions.get::<Changes>().cloned().unwrap_or_default().0,
        }
    }

    /// Waits until all web hooks under way have ended.
    async fn settled(&self) {
        let mut hooks = std::mem::take(&mut *self.state.hooks.lock().unwrap());
        while hooks.join_next().await.is_some() {}
    }

    async fn get(&self, address: &str) -> Reply {
        self.send("GET", address, &[], None).await
    }

    async fn post(&self, address: &str, body: Value) -> Reply {
        self.send("POST", address, &[], Some(body)).await
    }

    async fn patch(&self, address: &str, body: Value) -> Reply {
        self.send("PATCH", address, &[], Some(body)).await
    }

    /// Creates a row and gives its address below the service root.
    async fn created(&self, set: &str, body: Value) -> String {
        let reply = self.post(set, body).await;
        assert_eq!(reply.status, 204, "{}", reply.body);
        reply.address()
    }

    /// The id of the row of `set` that `filter` finds.
    async fn id(&self, set: &str, filter: &str) -> String {
        let reply = self.get(&format!("{set}?$filter={filter}")).await;
        let row =
            reply.rows().first().unwrap_or_else(|| panic!("no row of {set} with {filter}: {}", reply.body)).clone();
        let key =
            row.as_object().unwrap().keys().find(|key| key.ends_with("id") && !key.starts_with('_')).unwrap().clone();
        row[key].as_str().unwrap().to_owned()
    }
}

impl Reply {
    /// The address of the written row, below the service root.
    fn address(&self) -> String {
        let address = self.header("odata-entityid");
        address.strip_prefix(&format!("{BASE}/")).unwrap().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn rows(&self) -> &Vec<Value> {
        self.body["value"].as_array().unwrap_or_else(|| panic!("no rows: {}", self.body))
    }

    /// Status and code of a refusal.
    fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["error"]["code"].as_str().unwrap_or_default())
    }

    /// Column `name` of all rows, as text.
    fn texts(&self, name: &str) -> Vec<&str> {
        self.rows().iter().map(|row| row[name].as_str().unwrap_or("-")).collect()
    }
}

/// An address's id: what stands in its last parentheses.
fn id_in(address: &str) -> &str {
    address.rsplit_once('(').unwrap().1.trim_end_matches(')')
}
