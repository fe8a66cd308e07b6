//! The control API: plain JSON, no sign-in, loopback only. To be read in this order: `people` (a Microsoft seller, somebody
//! of the partner in the portal or in the CRM), `knobs` (clock, faults, Entra ID, Partner Center's switches, events), `insight` (log, status, reset).

mod insight;
mod knobs;
mod people;

use std::sync::Arc;

use axum::{Router, body::Bytes, http::StatusCode};
use serde::de::DeserializeOwned;

use crate::{partner_center::Problem, world::World};

/// All control routes.
pub(crate) fn router(world: Arc<World>) -> Router {
    let people = world.gated("control", people::router(Arc::clone(&world)));
    people.merge(knobs::router(Arc::clone(&world))).merge(insight::router(world))
}

/// Reads a JSON body; an empty one counts as `{}`.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| Problem::invalid("body", format!("The body cannot be used: {error}.")))
}

/// 400 with an explanation of what would be right.
fn bad_request(message: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalidRequest", message)
}
