//! The stand-in of Dataverse: the Web API v9.2 over an organisation in memory.
//!
//! It is a judge, so it is strict: what it serves, it serves with the status, code and text of the real service, and
//! what it does not serve it refuses with status 501 and "Not in the sandbox".
//!
//! To be read in this order: `schema` (the tables), `cell` and `store` (rows), `call` and `address` (what a request
//! says), `route` (what answers it); then for writes `payload`, `write`, `bulk` and `actions`, for reads `query`, `filter`,
//! `read`, `fetch`, `show` and `delta`; then `metadata`, `batch`, `users`, `webhooks` and `limits`. `people` is for
//! who works without the Web API; `errors` makes the refusals, `seed` a fresh organisation.

mod actions;
mod address;
mod batch;
mod bulk;
mod call;
mod cell;
mod delta;
mod errors;
mod fetch;
mod filter;
mod limits;
mod metadata;
mod payload;
mod people;
mod query;
mod read;
mod route;
mod schema;
mod seed;
mod show;
mod store;
#[cfg(test)]
mod tests;
mod users;
mod webhooks;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use self::batch::References;
use self::call::{Call, Prefer};
use self::cell::Cell;
use self::errors::{Answer, Refusal};
use self::limits::Budget;
pub(crate) use self::limits::Limits;
use self::schema::Kind;
use self::store::{Row, Store, Touched};
use self::users::{impersonated, user_of};
use self::webhooks::Acting;
use crate::core::clock::Clock;
use crate::core::log::{Actor, Change, Changes};
use crate::core::tokens::{Caller, TokenRefusal, Tokens};

/// The largest body that is read.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The organisation.
#[derive(Debug)]
pub(crate) struct Dataverse {
    origin: String,
    clock: Arc<Clock>,
    tokens: Arc<Tokens>,
    store: Arc<Mutex<Store>>,
    budget: Mutex<Budget>,
    /// Web hooks under way; they end with the organisation.
    hooks: Mutex<JoinSet<()>>,
    /// Calls them; made when there is one to call, since reading the machine's certificates takes its time.
    client: OnceLock<reqwest::Client>,
}

impl Dataverse {
    /// A seeded organisation that is reached, and named as audience of tokens, at `origin`.
    pub(crate) fn new(origin: String, clock: Arc<Clock>, tokens: Arc<Tokens>) -> Dataverse {
        let store = Arc::new(Mutex::new(seed::store(clock.now())));
        let (budget, hooks, client) = (Mutex::default(), Mutex::default(), OnceLock::new());
        Dataverse { origin, clock, tokens, store, budget, hooks, client }
    }

    /// Puts the organisation back to its seed.
    pub(crate) fn reset(&self) {
        *self.hooks.lock().unwrap_or_else(PoisonError::into_inner) = JoinSet::new();
        *self.lock() = seed::store(self.clock.now());
        self.set_limits(Limits::default());
    }

    /// What each user may ask within five minutes.
    pub(crate) fn limits(&self) -> Limits {
        self.budget().limits
    }

    /// Sets what each user may ask within five minutes, and forgets what was asked.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.budget().set(limits);
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn base(&self) -> String {
        format!("{}/api/data/v9.2", self.origin)
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acting(&self, user: Uuid, initiating: Uuid, now: Timestamp) -> Acting {
        let base = self.base();
        Acting {
            user,
            initiating,
            now,
            host: self.origin.split_once("://").map_or("", |(_, host)| host).to_owned(),
            organisation: platform_id(&base, "organization"),
            business_unit: platform_id(&base, "businessunit"),
            correlation: Uuid::new_v4(),
        }
    }

    /// Finds out who calls, and counts the request; gives the answer of a request that is not let in.
    fn admit(&self, caller: &Caller, headers: &HeaderMap) -> Result<Acting, Box<Response>> {
        let mut store = self.lock();
        let now = self.clock.now();
        let initiating = user_of(&mut store, caller, now).inspect(|_| {
            store.commit();
        });
        let initiating = initiating.map_err(|refusal| Box::new(refusal.into_response()))?;
        let user = impersonated(&store, caller, headers).map_err(|refusal| Box::new(refusal.into_response()))?;
        self.budget().begin(initiating, now)?;
        Ok(self.acting(user.unwrap_or(initiating), initiating, now))
    }

    /// Answers one request.
    fn answer(&self, acting: &Acting, parts: Parts, body: Bytes) -> Response {
        let mut store = self.lock();
        if parts.method == Method::POST && parts.uri.path().ends_with("/$batch") {
            return self.batch(&mut store, acting, &parts.headers, &body).unwrap_or_else(IntoResponse::into_response);
        }
        self.transact(&mut store, acting, parts, body)
    }

    /// Answers one request in a transaction of its own.
    fn transact(&self, store: &mut Store, acting: &Acting, parts: Parts, body: Bytes) -> Response {
        let outcome = self.call(acting.user, acting.now, parts, body).and_then(|call| route::serve(store, &call));
        match self.finish(store, outcome, acting) {
            Ok((mut response, changes)) => {
                response.extensions_mut().insert(Changes(changes));
                response
            }
            Err(refusal) => refusal.into_response(),
        }
    }

    /// Answers a batch.
    fn batch(&self, store: &mut Store, acting: &Acting, headers: &HeaderMap, body: &Bytes) -> Answer<Response> {
        let items = batch::read(headers, body)?;
        let continued = Prefer::read(headers)?.continue_on_error;
        let mut answers = batch::Answers::new();
        let mut all = Vec::new();
        for item in items {
            match item {
                batch::Item::Single(part) => {
                    let mut response = match References::default().apply(&part, &self.base()) {
                        Ok((uri, body)) => self.transact(store, acting, inner(&part, uri), body),
                        Err(refusal) => refusal.into_response(),
                    };
                    all.extend(response.extensions_mut().remove::<Changes>().into_iter().flat_map(|changes| changes.0));
                    answers.single(part.id.as_deref(), response);
                }
                batch::Item::ChangeSet(parts) => {
                    let mut failed = None;
                    let outcome = self.change_set(store, acting, &parts, &mut failed);
                    match self.finish(store, outcome, acting) {
                        Ok((responses, changes)) => {
                            all.extend(changes);
                            answers.change_set(responses);
                        }
                        Err(refusal) => answers.single(failed.as_deref(), refusal.into_response()),
                    }
                }
            }
            if answers.failed() && !continued {
                break;
            }
        }
        let mut response = answers.into_response(continued);
        response.extensions_mut().insert(Changes(all));
        Ok(response)
    }

    /// Answers the requests of a change set in the open transaction; `failed` tells which one ended it.
    fn change_set(
        &self,
        store: &mut Store,
        acting: &Acting,
        parts: &[batch::Part],
        failed: &mut Option<String>,
    ) -> Answer<Vec<(Option<String>, Response)>> {
        let mut references = References::default();
        let mut responses = Vec::new();
        for part in parts {
            failed.clone_from(&part.id);
            let (uri, body) = references.apply(part, &self.base())?;
            let call = self.call(acting.user, acting.now, inner(part, uri), body)?;
            let response = route::serve(store, &call)?;
            references.note(part, &response);
            responses.push((part.id.clone(), response));
        }
        Ok(responses)
    }

    /// Ends the transaction: keeps it, tells the changes and calls the web hooks, or undoes it.
    fn finish<T>(&self, store: &mut Store, outcome: Answer<T>, acting: &Acting) -> Answer<(T, Vec<Change>)> {
        let value = match outcome {
            Ok(value) => value,
            Err(refusal) => {
                store.rollback();
                return Err(refusal);
            }
        };
        let touched = store.commit();
        let mut hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        for job in webhooks::jobs(store, &touched, acting) {
            hooks.spawn(webhooks::deliver(
                Arc::clone(&self.store),
                self.client.get_or_init(webhooks::client).clone(),
                job,
                acting.clone(),
            ));
        }
        while hooks.try_join_next().is_some() {}
        Ok((value, touched.iter().flat_map(changes).collect()))
    }

    fn call(&self, user: Uuid, now: Timestamp, parts: Parts, body: Bytes) -> Answer<Call> {
        let raw = parts.uri.path();
        let below = raw.strip_prefix("/api/data/").ok_or_else(|| Refusal::missing_segment(raw))?;
        let (version, path) = below.split_once('/').unwrap_or((below, ""));
        if !matches!(version, "v9.0" | "v9.1" | "v9.2") {
            return Err(Refusal::outside(format!("the version '{version}' of the Web API; use v9.2")));
        }
        Ok(Call {
            method: parts.method,
            base: format!("{}/api/data/{version}", self.origin),
            path: path.to_owned(),
            segments: address::path(path)?,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            prefer: Prefer::read(&parts.headers)?,
            headers: parts.headers,
            body,
            user,
            now,
        })
    }
}

/// The Web API of `state`.
pub(crate) fn router(state: Arc<Dataverse>) -> Router {
    resources(state.clone())
        .layer(middleware::from_fn_with_state(state, sign_in))
        .layer(middleware::map_response(stamp))
}

/// The resources, for callers that are known already.
fn resources(state: Arc<Dataverse>) -> Router {
    Router::new().fallback(handle).with_state(state)
}

async fn handle(State(state): State<Arc<Dataverse>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(caller) = parts.extensions.remove::<Caller>() else {
        return unauthorized("The request has no caller.");
    };
    let acting = match state.admit(&caller, &parts.headers) {
        Ok(acting) => acting,
        Err(response) => return *response,
    };
    let body = to_bytes(body, BODY_LIMIT).await;
    let started = Instant::now();
    let mut response = match body {
        Ok(body) => state.answer(&acting, parts, body),
        Err(_) => Refusal {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: errors::BAD_REQUEST,
            message: format!("The body could not be read, or is larger than {BODY_LIMIT} bytes."),
        }
        .into_response(),
    };
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let mut budget = state.budget();
    budget.end(acting.initiating, micros);
    budget.left(acting.initiating).stamp(response.headers_mut());
    response.extensions_mut().insert(Actor(caller.name));
    response
}

/// Lets requests in whose token names this organisation.
async fn sign_in(State(state): State<Arc<Dataverse>>, mut request: Request, next: Next) -> Response {
    match state.tokens.verify(request.headers(), &state.origin, state.clock.now()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => unauthorized(match refusal {
            TokenRefusal::Missing => "The request has no bearer token.",
            TokenRefusal::Invalid => "The token was not issued by the sandbox.",
            TokenRefusal::Expired => "The token has expired.",
            TokenRefusal::WrongAudience => "The token is for another audience than this organisation.",
        }),
    }
}

fn unauthorized(message: &str) -> Response {
    let body = json!({ "error": { "code": "0x80072560", "message": message } });
    let mut response = read::json_response(StatusCode::UNAUTHORIZED, &body);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Headers that every answer carries.
async fn stamp(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-ms-service-request-id", id);
    }
    response
}

/// The head of a request inside a batch.
fn inner(part: &batch::Part, uri: Uri) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = part.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = part.headers.clone();
    request.into_parts().0
}

/// An id of the organisation that follows from its address.
fn platform_id(base: &str, name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{base}/{name}").as_bytes())
}

/// The differences a transaction made to one row. Columns that only the platform writes are left out: they change with
/// every write.
fn changes(touched: &Touched) -> Vec<Change> {
    let Some(row) = touched.after.as_ref().or(touched.before.as_ref()) else {
        return Vec::new();
    };
    let table = touched.table;
    let value = |row: &Option<Row>, name: &str| {
        row.as_ref().and_then(|row| row.cells.get(name)).map_or(Value::Null, Cell::to_json)
    };
    table
        .columns
        .iter()
        .filter(|column| column.create || column.update)
        .filter(|column| !matches!(column.kind, Kind::PrimaryKey))
        .filter_map(|column| {
            let old = value(&touched.before, &column.logical);
            let new = value(&touched.after, &column.logical);
            (old != new).then(|| Change {
                record: format!("{} {}", table.logical, row.id),
                title: row.text(table.primary_name).unwrap_or_default().to_owned(),
                field: column.logical.clone(),
                old,
                new,
            })
        })
        .collect()
}
