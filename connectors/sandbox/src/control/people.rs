//! People at work: a Microsoft seller on the other side, somebody of the partner in the portal, and somebody in the CRM.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{patch, post, put},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::read;
use crate::{
    core::log::{Actor, Change, Changes},
    partner_center::{Answer, Problem},
    world::World,
};

/// Who acts for the partner when the request does not say.
const USUAL_USER: &str = "Sam Ito";
/// Who acts for Microsoft.
const SELLER: &str = "Microsoft seller";

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/seller/referrals", post(share))
        .route("/seller/referrals/{id}", patch(change))
        .route("/seller/engagements/{id}/accept", post(accept))
        .route("/seller/engagements/{id}/decline", post(decline))
        .route("/partner/referrals", post(create))
        .route("/partner/referrals/{id}", patch(edit))
        .route("/crm/rows/{set}", post(create_row).get(rows))
        .route("/crm/rows/{set}/{id}", patch(update_row))
        .route("/crm/metadata/{*path}", post(define))
        .route("/crm/required/{table}/{column}", put(require))
        .with_state(world)
}

fn done(body: Value, actor: &str, changes: Vec<Change>) -> Response {
    let mut response = Json(body).into_response();
    response.extensions_mut().insert(Actor(actor.to_owned()));
    response.extensions_mut().insert(Changes(changes));
    response
}

async fn share(State(world): State<Arc<World>>, body: Bytes) -> Result<Response, Problem> {
    let (referral, changes) = world.partner_center.share(read::<Map<_, _>>(&body)?)?;
    Ok(done(referral.into_document(), SELLER, changes))
}

async fn change(State(world): State<Arc<World>>, Path(id): Path<Uuid>, body: Bytes) -> Result<Response, Problem> {
    let (referral, changes) = world.partner_center.change(id, read::<Map<_, _>>(&body)?)?;
    Ok(done(referral.into_document(), SELLER, changes))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Reason {
    status_reason: Option<String>,
}

async fn accept(State(world): State<Arc<World>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let (referral, changes) = world.partner_center.answer(&id, Answer::Accept, None)?;
    Ok(done(referral.into_document(), SELLER, changes))
}

async fn decline(State(world): State<Arc<World>>, Path(id): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let reason: Reason = read(&body)?;
    let (referral, changes) = world.partner_center.answer(&id, Answer::Decline, reason.status_reason.as_deref())?;
    Ok(done(referral.into_document(), SELLER, changes))
}

/// Somebody of the partner makes a deal in the portal, or asks Microsoft into one: what a create of the API takes.
async fn create(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Result<Response, Problem> {
    let (referral, changes) = world.partner_center.create(read(&body)?)?;
    Ok(done(referral.into_document(), user(&headers), changes))
}

async fn edit(
    State(world): State<Arc<World>>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (referral, changes) = world.partner_center.edit(id, read::<Map<_, _>>(&body)?)?;
    Ok(done(referral.into_document(), user(&headers), changes))
}

fn user(headers: &HeaderMap) -> &str {
    headers.get("x-user").and_then(|value| value.to_str().ok()).unwrap_or(USUAL_USER)
}

fn refused(body: Value) -> Response {
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

async fn create_row(
    State(world): State<Arc<World>>,
    Path(set): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let user = user(&headers);
    Ok(match world.dataverse.create_as(user, &set, read(&body)?) {
        Ok((id, changes)) => done(json!({ "id": id }), user, changes),
        Err(body) => refused(body),
    })
}

async fn update_row(
    State(world): State<Arc<World>>,
    Path((set, id)): Path<(String, Uuid)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let user = user(&headers);
    Ok(match world.dataverse.update_as(user, &set, id, read(&body)?) {
        Ok(changes) => done(json!({ "id": id }), user, changes),
        Err(body) => refused(body),
    })
}

/// An administrator defines a table, a column, a relationship or a choice: what a POST to the metadata API takes.
async fn define(
    State(world): State<Arc<World>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let user = user(&headers);
    Ok(match world.dataverse.define_as(user, &path, body) {
        Ok(changes) => done(json!({}), user, changes),
        Err(body) => refused(body),
    })
}

/// From now on rows without a value in the column are refused.
async fn require(
    State(world): State<Arc<World>>,
    Path((table, column)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let user = user(&headers);
    Ok(match world.dataverse.require(user, &table, &column) {
        Ok(changes) => done(json!({}), user, changes),
        Err(body) => refused(body),
    })
}

async fn rows(State(world): State<Arc<World>>, Path(set): Path<String>) -> Json<Vec<Value>> {
    Json(world.dataverse.rows(&set))
}
