//! Whether the service lives, whether it is ready, and what it measures: for whatever watches over it, which needs no token.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use cosell_runtime::dispatch::Busy;
use serde_json::json;

use super::status::Kept;
use super::{Problem, Shared};
use crate::watch::metrics::Standing;

/// The text format of OpenMetrics, which Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process lives.
pub(super) async fn health() -> Response {
    Json(json!({ "status": "lives" })).into_response()
}

/// Events can be taken: the journal can be written to, there are flows, and the service is not about to end.
pub(super) async fn ready(State(api): State<Shared>) -> Result<Response, Problem> {
    if api.dispatcher.admits() == Err(Busy::Stopping) {
        return Err(Busy::Stopping.into());
    }
    if api.dispatcher.engine().plans().next().is_none() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no flow is on"));
    }
    api.journal.writable().await?;
    Ok(Json(json!({ "status": "ready" })).into_response())
}

pub(super) async fn metrics(State(api): State<Shared>) -> Result<Response, Problem> {
    let Kept { waits, journal_bytes: bytes, .. } = api.read(|reader| Ok(Kept::read(reader)?)).await?;
    let standing = Standing { in_memory: api.dispatcher.under_way(), waits, bytes };
    let text = api.watch.metrics().text(standing);
    let text = text.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
