//! What a test may look at, and starting over.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{core::log::Entry, world::World};

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/log", get(log))
        .route("/referrals", get(referrals))
        .route("/status", get(status))
        .route("/reset", post(reset))
        .with_state(world)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct After {
    after: u64,
}

async fn log(State(world): State<Arc<World>>, Query(query): Query<After>) -> Json<Vec<Entry>> {
    Json(world.log.since(query.after))
}

/// Every referral of both organisations.
async fn referrals(State(world): State<Arc<World>>) -> Json<Vec<Value>> {
    Json(world.partner_center.all())
}

async fn status(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({
        "addresses": world.addresses,
        "now": world.clock.now(),
        "events_waiting": world.events.waiting(),
    }))
}

async fn reset(State(world): State<Arc<World>>) -> Json<Value> {
    world.reset();
    Json(json!({}))
}
