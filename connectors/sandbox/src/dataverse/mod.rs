//! The stand-in of Dataverse: the Web API v9.2 over an organisation in memory.
//!
//! It is a judge, so it is strict: what it serves, it serves with the status, code and text of the real service, and
//! what it does not serve it refuses with status 501 and "Not in the sandbox".
//!
//! To be read in this order: `schema` (the tables), `cell` and `store` (rows), `call` and `address` (what a request
//! says), `route` (what answers it); then for writes `payload`, `write` and `actions`, for reads `query`, `filter`,
//! `read`, `show` and `delta`, and `metadata`. `errors` makes the refusals, `seed` a fresh organisation.

mod actions;
mod address;
mod call;
mod cell;
mod delta;
mod errors;
mod filter;
mod metadata;
mod payload;
mod query;
mod read;
mod route;
mod schema;
mod seed;
mod show;
mod store;
#[cfg(test)]
mod tests;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use self::call::{Call, Prefer};
use self::cell::Cell;
use self::errors::{Answer, Refusal};
use self::payload::Purpose;
use self::schema::{Kind, Table};
use self::store::{Row, Store, Touched};
use self::write::Writer;
use crate::core::clock::Clock;
use crate::core::log::{Actor, Change, Changes};
use crate::core::tokens::{Caller, TokenRefusal, Tokens};

/// The `accessmode` of a user that stands for an application.
const NON_INTERACTIVE: i64 = 4;

/// The largest body that is read.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The organisation.
#[derive(Debug)]
pub(crate) struct Dataverse {
    origin: String,
    clock: Arc<Clock>,
    tokens: Arc<Tokens>,
    store: Mutex<Store>,
}

impl Dataverse {
    /// A seeded organisation that is reached, and named as audience of tokens, at `origin`.
    pub(crate) fn new(origin: String, clock: Arc<Clock>, tokens: Arc<Tokens>) -> Dataverse {
        let store = Mutex::new(seed::store(clock.now()));
        Dataverse { origin, clock, tokens, store }
    }

    /// Puts the organisation back to its seed.
    pub(crate) fn reset(&self) {
        *self.lock() = seed::store(self.clock.now());
    }

    /// Creates a row of entity set `set` as `user`, by full name, would in the CRM, and gives its id.
    ///
    /// # Errors
    ///
    /// The error body the Web API would answer with.
    pub(crate) fn create_as(&self, user: &str, set: &str, body: Value) -> Result<(Uuid, Vec<Change>), Value> {
        self.work_as(user, set, body, |store, writer, table, body| {
            let values = payload::read(store, &self.base(), table, body, Purpose::Create)?;
            write::create(store, writer, table, values, None)
        })
    }

    /// Changes the row `id` of entity set `set` as `user`, by full name, would in the CRM.
    ///
    /// # Errors
    ///
    /// The error body the Web API would answer with.
    pub(crate) fn update_as(&self, user: &str, set: &str, id: Uuid, body: Value) -> Result<Vec<Change>, Value> {
        let done = self.work_as(user, set, body, |store, writer, table, body| {
            let values = payload::read(store, &self.base(), table, body, Purpose::Update)?;
            write::update(store, writer, table, id, values)
        });
        done.map(|((), changes)| changes)
    }

    /// All rows of entity set `set` with all columns, as the Web API shows them; none where there is no such set.
    pub(crate) fn rows(&self, set: &str) -> Vec<Value> {
        let store = self.lock();
        let Some(table) = schema::table_of_set(set) else {
            return Vec::new();
        };
        let (view, prefer) = (query::View::default(), Prefer::default());
        store.rows(table).map(|row| Value::Object(show::row(&store, table, row, &view, &prefer))).collect()
    }

    fn work_as<T>(
        &self,
        user: &str,
        set: &str,
        body: Value,
        work: impl FnOnce(&mut Store, Writer, &'static Table, &Map<String, Value>) -> Answer<T>,
    ) -> Result<(T, Vec<Change>), Value> {
        let mut store = self.lock();
        let now = self.clock.now();
        let outcome = address::table(set).and_then(|table| {
            let Value::Object(body) = &body else {
                return Err(Refusal::bad(errors::BAD_PAYLOAD, "The payload is not a JSON object."));
            };
            let user = user_named(&mut store, user, now)?;
            store.commit();
            work(&mut store, Writer { user, now }, table, body)
        });
        finish(&mut store, outcome).map_err(|refusal| refusal.body())
    }

    fn base(&self) -> String {
        format!("{}/api/data/v9.2", self.origin)
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request of `caller`.
    fn answer(&self, caller: &Caller, parts: Parts, body: Bytes) -> Response {
        let mut store = self.lock();
        let now = self.clock.now();
        let outcome = user_of(&mut store, caller, now).and_then(|user| {
            store.commit();
            let call = self.call(user, now, parts, body)?;
            route::serve(&mut store, &call)
        });
        let mut response = match finish(&mut store, outcome) {
            Ok((mut response, changes)) => {
                response.extensions_mut().insert(Changes(changes));
                response
            }
            Err(refusal) => refusal.into_response(),
        };
        response.extensions_mut().insert(Actor(caller.name.clone()));
        response
    }

    fn call(&self, user: Uuid, now: jiff::Timestamp, parts: Parts, body: Bytes) -> Answer<Call> {
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
    match to_bytes(body, BODY_LIMIT).await {
        Ok(body) => state.answer(&caller, parts, body),
        Err(_) => Refusal {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: errors::BAD_REQUEST,
            message: format!("The body could not be read, or is larger than {BODY_LIMIT} bytes."),
        }
        .into_response(),
    }
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

/// Headers that every answer carries. The budgets are those of an organisation nobody else uses.
async fn stamp(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        ("odata-version", "4.0"),
        ("x-ms-ratelimit-burst-remaining-xrm-requests", "5999"),
        ("x-ms-ratelimit-time-remaining-xrm-requests", "1,200.00"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-ms-service-request-id", id);
    }
    response
}

/// Ends the transaction: keeps it and tells the changes, or undoes it.
fn finish<T>(store: &mut Store, outcome: Answer<T>) -> Answer<(T, Vec<Change>)> {
    match outcome {
        Ok(value) => {
            let changes = store.commit().iter().flat_map(changes).collect();
            Ok((value, changes))
        }
        Err(refusal) => {
            store.rollback();
            Err(refusal)
        }
    }
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

/// The systemuser that stands for `caller`: by object id, else a user of that full name without one, else a new row.
fn user_of(store: &mut Store, caller: &Caller, now: jiff::Timestamp) -> Answer<Uuid> {
    let table = schema::table("systemuser").ok_or_else(|| Refusal::outside("users"))?;
    let object_id = Cell::Id(caller.id);
    let by_object = store.rows(table).find(|row| row.cells.get("azureactivedirectoryobjectid") == Some(&object_id));
    if let Some(row) = by_object {
        return Ok(row.id);
    }
    let free = |row: &&Row| {
        row.text("fullname") == Some(&caller.name) && !row.cells.contains_key("azureactivedirectoryobjectid")
    };
    let known = store.rows(table).find(free).map(|row| row.id);
    let id = match known {
        Some(id) => id,
        None => new_user(store, &caller.name, now)?,
    };
    if let Some(mut row) = store.get(table, id).cloned() {
        row.set("azureactivedirectoryobjectid", Some(object_id));
        if caller.app_only {
            row.set("accessmode", Some(Cell::Integer(NON_INTERACTIVE)));
        }
        write::replace(store, Writer { user: id, now }, table, row)?;
    }
    Ok(id)
}

/// The systemuser with full name `name`, made where there is none.
fn user_named(store: &mut Store, name: &str, now: jiff::Timestamp) -> Answer<Uuid> {
    let table = schema::table("systemuser").ok_or_else(|| Refusal::outside("users"))?;
    let known = store.rows(table).find(|row| row.text("fullname") == Some(name)).map(|row| row.id);
    match known {
        Some(id) => Ok(id),
        None => new_user(store, name, now),
    }
}

fn new_user(store: &mut Store, name: &str, now: jiff::Timestamp) -> Answer<Uuid> {
    let table = schema::table("systemuser").ok_or_else(|| Refusal::outside("users"))?;
    let (first, last) = name.split_once(' ').unwrap_or(("", name));
    let texts = [("firstname", first), ("lastname", last), ("domainname", name)];
    let body = texts.into_iter().map(|(column, text)| (column.to_owned(), json!(text))).collect();
    let values = payload::read(store, "", table, &body, Purpose::Create)?;
    let id = Uuid::now_v7();
    write::create(store, Writer { user: id, now }, table, values, Some(id))
}
