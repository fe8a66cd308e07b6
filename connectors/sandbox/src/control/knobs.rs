//! What a test may turn: the clock, fault rules, Entra ID, events, Dataverse's limits.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{bad_request, read};
use crate::{
    core::faults::{ACTIONS, Action, Rule},
    dataverse, entra, events,
    partner_center::{Problem, Switches},
    world::World,
};

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/clock", post(advance_clock))
        .route("/faults", get(faults).put(set_faults).delete(clear_faults))
        .route("/faults/held", get(held))
        .route("/entra", put(set_entra))
        .route("/entra/certificates", post(register_certificate))
        .route("/events", put(set_events))
        .route("/events/certificates", post(rotate_certificate))
        .route("/dataverse/limits", get(limits).put(set_limits))
        .route("/partner_center", put(set_partner_center))
        .with_state(world)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: i64,
}

/// Moves the clock; what falls due on the way expires at once.
async fn advance_clock(State(world): State<Arc<World>>, body: Bytes) -> Result<Json<Value>, Problem> {
    // The year 3000: beyond any test, and well within what a timestamp can hold.
    const FARTHEST: i64 = 32_503_680_000;
    let Advance { advance_seconds } = read(&body)?;
    let room = FARTHEST - world.clock.now().as_second();
    if !(0..=room).contains(&advance_seconds) {
        return Err(bad_request(format!(
            "advance_seconds must be from 0 to {room}: the clock ends with the year 2999."
        )));
    }
    world.clock.advance(advance_seconds);
    world.partner_center.expire();
    Ok(Json(json!({ "now": world.clock.now() })))
}

async fn faults(State(world): State<Arc<World>>) -> Json<Value> {
    Json(world.faults.report())
}

/// Replaces all rules.
async fn set_faults(State(world): State<Arc<World>>, body: Bytes) -> Result<Json<Value>, Problem> {
    let rules: Vec<Rule> = read::<Vec<Value>>(&body)?.into_iter().map(rule).collect::<Result<_, _>>()?;
    world.faults.set(rules);
    Ok(Json(world.faults.report()))
}

fn rule(value: Value) -> Result<Rule, Problem> {
    const SYSTEMS: [&str; 4] = ["entra", "partner_center", "partner_center_events", "dataverse"];
    // By itself first: an action of no known form gives a poor message from inside a rule.
    if serde_json::from_value::<Action>(value["action"].clone()).is_err() {
        return Err(bad_request(format!("A fault's action must be {ACTIONS}, not {}.", value["action"])));
    }
    let rule: Rule =
        serde_json::from_value(value).map_err(|error| bad_request(format!("A fault rule cannot be used: {error}.")))?;
    if let Some(system) = rule.system.as_deref().filter(|system| !SYSTEMS.contains(system)) {
        return Err(bad_request(format!("A fault's system must be one of {}, not '{system}'.", SYSTEMS.join(", "))));
    }
    if matches!(&rule.action, Action::Answer(answer) if !(200..=599).contains(&answer.status)) {
        return Err(bad_request("A fault's status must be from 200 to 599.".to_owned()));
    }
    Ok(rule)
}

async fn clear_faults(State(world): State<Arc<World>>) -> Json<Value> {
    world.faults.set(Vec::new());
    Json(world.faults.report())
}

/// Answers once the rules in force hold a request.
async fn held(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({ "held": world.faults.held().await }))
}

/// Sets the knobs named in the body; the others keep their defaults.
async fn set_entra(State(world): State<Arc<World>>, body: Bytes) -> Result<Json<entra::Knobs>, Problem> {
    world.entra.set_knobs(read(&body)?);
    Ok(Json(world.entra.knobs()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Certificate {
    #[serde(default)]
    certificate_pem: Option<String>,
}

/// Registers a certificate for the app; makes one, with its key, where none is given.
async fn register_certificate(State(world): State<Arc<World>>, body: Bytes) -> Result<Json<Value>, Problem> {
    let Certificate { certificate_pem } = read(&body)?;
    let shown = match certificate_pem {
        Some(pem) => world.entra.register_certificate(&pem),
        None => world.entra.new_certificate(),
    };
    shown.map(Json).map_err(bad_request)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    #[serde(default)]
    kind: events::Leaf,
}

/// Signs events by a new key from now on; the earlier certificates stay where they are.
async fn rotate_certificate(State(world): State<Arc<World>>, body: Bytes) -> Result<Json<Value>, Problem> {
    let Rotation { kind } = read(&body)?;
    let certificate_url = world.events.rotate(kind).map_err(bad_request)?;
    Ok(Json(json!({ "certificate_url": certificate_url })))
}

/// Sets the switches named in the body; the others keep their defaults.
async fn set_partner_center(State(world): State<Arc<World>>, body: Bytes) -> Result<Json<Switches>, Problem> {
    world.partner_center.set_switches(read(&body)?)?;
    Ok(Json(world.partner_center.switches()))
}

/// What each user of Dataverse may ask within five minutes.
async fn limits(State(world): State<Arc<World>>) -> Json<dataverse::Limits> {
    Json(world.dataverse.limits())
}

/// Sets the limits named in the body, the others to their defaults, and forgets what was asked so far.
async fn set_limits(State(world): State<Arc<World>>, body: Bytes) -> Result<Json<dataverse::Limits>, Problem> {
    world.dataverse.set_limits(read(&body)?);
    Ok(Json(world.dataverse.limits()))
}

/// Sets the knobs named in the body; the others keep their defaults.
async fn set_events(State(world): State<Arc<World>>, body: Bytes) -> Result<Json<events::Knobs>, Problem> {
    world.events.set_knobs(read(&body)?);
    Ok(Json(world.events.knobs()))
}
