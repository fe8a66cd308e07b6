//! Plain web hooks: a request to `/in/{path}` starts the flow whose trigger `http` has that path.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use cosell_model::{FlowId, Value};
use cosell_runtime::answer::Answer;
use cosell_runtime::dispatch::{Busy, Dispatcher};
use cosell_runtime::keep::NotKept;
use cosell_runtime::memory::Engine;
use cosell_sdk::settings::Secret;
use cosell_sdk::{CallError, TriggerEvent};
use serde_json::{Map, json};
use uuid::Uuid;

use crate::hooks::busy;

/// How large a request's body may be, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// How long a run may take to answer; Power Automate's limit for a request that waits.
const PATIENCE: Duration = Duration::from_secs(120);

/// The web hooks of flows, by path.
#[derive(Clone, Debug, Default)]
pub struct Entrances {
    by_path: Arc<BTreeMap<String, Vec<Entrance>>>,
}

#[derive(Debug)]
struct Entrance {
    flow: FlowId,
    methods: Vec<String>,
    headers: Vec<String>,
    secret: Option<Secret>,
    /// Whether the flow answers by itself.
    responds: bool,
}

impl Entrances {
    /// Those of the engine's flows. `secret` finds a secret where a flow says that it is kept: `{ env: NAME }` or
    /// `{ file: PATH }`.
    ///
    /// # Errors
    /// A secret that is not there.
    pub fn of(engine: &Engine, secret: impl Fn(&Value) -> Result<Secret, CallError>) -> Result<Self, CallError> {
        let mut by_path: BTreeMap<String, Vec<Entrance>> = BTreeMap::new();
        for plan in engine.plans() {
            let Some(entrance) = &plan.trigger.entrance else { continue };
            let secret = entrance.secret.as_ref().map(&secret).transpose().map_err(|error| CallError {
                message: format!("flow `{}`, the secret of its trigger: {}", plan.flow, error.message),
                ..error
            })?;
            by_path.entry(entrance.path.clone()).or_default().push(Entrance {
                flow: plan.flow.clone(),
                methods: entrance.methods.clone(),
                headers: entrance.headers.clone(),
                secret,
                responds: plan.responds(),
            });
        }
        Ok(Self { by_path: Arc::new(by_path) })
    }
}

/// Those that there are at the time.
#[derive(Clone)]
pub(crate) struct Shared(Arc<RwLock<Entrances>>);

impl Shared {
    pub(crate) fn new(entrances: Entrances) -> Self {
        Self(Arc::new(RwLock::new(entrances)))
    }

    pub(crate) fn replace(&self, entrances: Entrances) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = entrances;
    }

    fn now(&self) -> Entrances {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The routes to them.
    pub(crate) fn routes(&self, dispatcher: Dispatcher) -> Router {
        Router::new()
            .route("/in/{*path}", any(enter))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state((self.clone(), dispatcher))
    }
}

async fn enter(
    State((entrances, dispatcher)): State<(Shared, Dispatcher)>,
    Path(path): Path<String>,
    Query(query): Query<Map<String, Value>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let entrances = entrances.now();
    let Some(here) = entrances.by_path.get(&path) else { return StatusCode::NOT_FOUND.into_response() };
    let takes = |entrance: &&Entrance| entrance.methods.iter().any(|known| known == method.as_str());
    let Some(entrance) = here.iter().find(takes) else {
        let methods: Vec<&str> = here.iter().flat_map(|entrance| &entrance.methods).map(String::as_str).collect();
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, methods.join(", "))]).into_response();
    };
    if !entrance.admits(&headers) {
        tracing::warn!(path, "request without the right secret");
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    if let Err(why) = dispatcher.admits() {
        return busy(why);
    }
    let Some(body) = read(&headers, &body) else { return StatusCode::BAD_REQUEST.into_response() };
    let value = |name: &String| Some((name.clone(), json!(headers.get(name)?.to_str().ok()?)));
    let chosen: Map<String, Value> = entrance.headers.iter().filter_map(value).collect();
    let payload = json!({ "method": method.as_str(), "headers": chosen, "query": query, "body": body });
    let event = TriggerEvent { payload, dedup_key: Uuid::now_v7().to_string() };
    if !entrance.responds {
        return match dispatcher.dispatch(&entrance.flow, event).await {
            Ok(()) => StatusCode::ACCEPTED.into_response(),
            Err(error) => not_taken(&path, &error),
        };
    }
    let asked = match dispatcher.ask(&entrance.flow, event).await {
        Ok(Some(asked)) => asked,
        Ok(None) => return StatusCode::ACCEPTED.into_response(),
        Err(error) => return not_taken(&path, &error),
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => answered(answer),
        Ok(Err(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "the run ended without an answer").into_response(),
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, "the run goes on, and has not answered yet").into_response(),
    }
}

fn not_taken(path: &str, error: &NotKept) -> Response {
    tracing::error!(path, %error, "a request cannot be taken");
    busy(Busy::Stopping)
}

impl Entrance {
    /// Whether these headers show the secret, compared in a time that tells nothing of it.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(secret) = &self.secret else { return true };
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        shown.is_some_and(|shown| secret.matches(shown))
    }
}

/// JSON where the request says so or does not say what it is, text otherwise; null where there is nothing.
fn read(headers: &HeaderMap, body: &Bytes) -> Option<Value> {
    if body.is_empty() {
        return Some(Value::Null);
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    if kind.split(';').next().is_some_and(|kind| kind.trim().ends_with("json")) {
        return serde_json::from_slice(body).ok();
    }
    String::from_utf8(body.to_vec()).ok().map(Value::String)
}

fn answered(answer: Answer) -> Response {
    let mut response = match answer.body {
        Value::Null => Body::empty().into_response(),
        Value::String(text) => text.into_response(),
        body => Json(body).into_response(),
    };
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers.as_object().into_iter().flatten() {
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        match (HeaderName::try_from(name), value) {
            (Ok(name), Some(value)) => drop(response.headers_mut().insert(name, value)),
            _ => tracing::warn!(name, "this header of an answer cannot be sent"),
        }
    }
    response
}
