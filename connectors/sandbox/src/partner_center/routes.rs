//! The endpoints below `/v1.0/engagements`, their headers and media types.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, RawQuery, Request, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, patch as patched},
};
use serde_json::Value;
use uuid::Uuid;

use super::{access::Access, problem::Problem, referral::Referral, store::PartnerCenter};
use crate::core::log::{Actor, Change, Changes};

/// Where the API begins on its origin.
pub(crate) const BASE_PATH: &str = "/v1.0/engagements";

/// The stand-in's routes.
pub(crate) fn router(partner_center: Arc<PartnerCenter>) -> Router {
    Router::new()
        .route(&format!("{BASE_PATH}/referrals"), get(list).post(create))
        .route(&format!("{BASE_PATH}/referrals/{{id}}"), get(read).patch(patch).put(put))
        // The addresses by which Microsoft's connector tells its operations on deal registrations apart.
        .route(&format!("{BASE_PATH}/referrals/{{id}}/"), patched(patch))
        .route(&format!("{BASE_PATH}/referrals/{{id}}//"), patched(patch))
        .fallback(|| async { Problem::not_found("This address") })
        .method_not_allowed_fallback(|| async {
            let message = "This address does not take this method.";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalidRequest", message)
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&partner_center), enter))
        .with_state(partner_center)
}

/// Checks who calls and which media type they accept, and adds the headers that every answer has.
async fn enter(State(partner_center): State<Arc<PartnerCenter>>, mut request: Request, next: Next) -> Response {
    let client_request_id = request.headers().get("client-request-id").cloned();
    let admitted = partner_center.admit(request.headers()).and_then(|access| {
        check_accept(request.headers())?;
        Ok(access)
    });
    let mut response = match admitted {
        Ok(access) => {
            let actor = Actor(access.caller().name.clone());
            request.extensions_mut().insert(access);
            let mut response = next.run(request).await;
            response.extensions_mut().insert(actor);
            response
        }
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    let now = partner_center.clock.now().to_string();
    for (name, value) in [("request-id", Uuid::new_v4().to_string()), ("timestamp", now)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers.insert("x-ms-ags-diagnostic", HeaderValue::from_static("{\"ServerInfo\":{\"DataCenter\":\"Sandbox\"}}"));
    if let Some(id) = client_request_id {
        headers.insert("client-request-id", id);
    }
    response
}

fn check_accept(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    let takes_json = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim()).any(|range| {
        ["application/json", "application/*", "*/*"].iter().any(|known| known.eq_ignore_ascii_case(range))
    });
    if takes_json {
        return Ok(());
    }
    let message = "Only application/json can be answered: name it in the header Accept.";
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "invalidRequest", message))
}

fn json_body(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Value, Problem> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let message = format!("The content type must be application/json, not '{media_type}'.");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalidRequest", message));
    }
    let body = body.map_err(|error| {
        let message = format!("The body could not be taken: {}.", error.body_text());
        Problem::new(error.status(), "invalidRequest", message).at("body")
    })?;
    serde_json::from_slice(&body).map_err(|error| Problem::invalid("body", format!("The body is not JSON: {error}.")))
}

fn id_of(path: &str) -> Result<Uuid, Problem> {
    path.parse().map_err(|_| Problem::invalid("id", format!("'{path}' is not a referral id: expected a GUID.")))
}

fn if_match(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok())
}

fn document(partner_center: &PartnerCenter, mut referral: Referral, changes: Vec<Change>) -> Response {
    partner_center.switches().dress(&mut referral.0);
    with_etag(Json(&referral.0).into_response(), &referral, changes)
}

fn with_etag(mut response: Response, referral: &Referral, changes: Vec<Change>) -> Response {
    if let Ok(etag) = HeaderValue::from_str(referral.text("/eTag")) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response.extensions_mut().insert(Changes(changes));
    response
}

type Shared = State<Arc<PartnerCenter>>;
type Caller = axum::Extension<Access>;

async fn list(
    State(partner_center): Shared,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    partner_center.list(&caller, &query.unwrap_or_default()).map(Json)
}

async fn read(State(partner_center): Shared, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let referral = partner_center.open().get(id_of(&id)?).map_err(|problem| partner_center.unknown(problem))?.clone();
    if !caller.may_read(&referral) {
        return Err(Problem::denied("The user is not in the team of this referral."));
    }
    Ok(document(&partner_center, referral, Vec::new()))
}

async fn create(
    State(partner_center): Shared,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    caller.check_write()?;
    let (referral, changes) = partner_center.create(json_body(&headers, body)?)?;
    let mut response = document(&partner_center, referral, changes);
    if partner_center.switches().create_status == 201 {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

async fn patch(
    State(partner_center): Shared,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    caller.check_write()?;
    let (referral, changes) = partner_center.patch(id_of(&id)?, json_body(&headers, body)?, if_match(&headers))?;
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let wants_document =
        preferences.flat_map(|value| value.split(',')).any(|one| one.trim() == "return=representation");
    Ok(match wants_document {
        true => document(&partner_center, referral, changes),
        false => with_etag(StatusCode::NO_CONTENT.into_response(), &referral, changes),
    })
}

async fn put(
    State(partner_center): Shared,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    caller.check_write()?;
    let (referral, changes) = partner_center.put(id_of(&id)?, json_body(&headers, body)?, if_match(&headers))?;
    Ok(document(&partner_center, referral, changes))
}
