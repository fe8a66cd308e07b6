//! Everything that can be asked. The routes and the OpenAPI document are made from this list, so that they say the same.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use cosell_journal::read::Shown;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Begin, Flows, Letters, Page, Problem, Resume, Shared, Skip, Started, Status};
use super::{access, events, flows, inbox, openapi, repair, runs, status};
use crate::watch::live::Happened;

/// Where the API is.
pub(super) const BASE: &str = "/api/v1";

/// How large a request's body may be, in bytes: an event of a web hook that is given by hand.
const MAX_BODY: usize = 1024 * 1024;

/// Makes the schema of a type.
type Makes = fn(&mut SchemaGenerator) -> Schema;

/// Something that can be asked.
pub(super) struct Ask {
    pub(super) method: Method,
    /// Below [`BASE`].
    pub(super) path: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What its query may hold, as the properties of an object.
    pub(super) query: Option<Makes>,
    pub(super) body: Option<Makes>,
    pub(super) status: StatusCode,
    pub(super) media: &'static str,
    /// What it gives.
    pub(super) answer: Makes,
    /// Other statuses that it may answer, besides those that everything may.
    pub(super) problems: &'static [u16],
    route: fn() -> MethodRouter<Shared>,
}

fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

fn inline<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    T::json_schema(schemas)
}

/// A question that changes nothing.
fn look(path: &'static str, name: &'static str, title: &'static str, answer: Makes, route: Routed) -> Ask {
    let (method, status, media) = (Method::GET, StatusCode::OK, "application/json");
    Ask { method, path, name, title, query: None, body: None, status, media, answer, problems: &[], route }
}

type Routed = fn() -> MethodRouter<Shared>;

/// Something to be done, of which the run is told.
fn act(path: &'static str, name: &'static str, title: &'static str, route: Routed) -> Ask {
    let (method, status) = (Method::POST, StatusCode::ACCEPTED);
    Ask { method, status, problems: &[404, 409, 422, 429], ..look(path, name, title, of::<Started>, route) }
}

/// All of them.
pub(super) fn all() -> Vec<Ask> {
    vec![
        Ask {
            query: Some(inline::<runs::Wanted>),
            problems: &[400],
            ..look("/runs", "listRuns", "Runs that nobody called, the newest first", of::<Page>, || get(runs::list))
        },
        Ask {
            problems: &[404],
            ..look("/runs/{run}", "showRun", "One run with its steps", of::<Shown>, || get(runs::show))
        },
        Ask {
            media: "text/event-stream",
            problems: &[404],
            ..look(
                "/runs/{run}/events",
                "watchRun",
                "What happens in a run, until it has ended",
                of::<Happened>,
                || get(events::of_run),
            )
        },
        Ask {
            media: "text/event-stream",
            ..look("/events", "watchRuns", "What happens in all runs", of::<Happened>, || get(events::of_all))
        },
        Ask {
            body: Some(of::<Resume>),
            ..act("/runs/{run}/resume", "resumeRun", "Begin a run once more; what worked is not repeated", || {
                post(repair::resume)
            })
        },
        Ask {
            body: Some(of::<Skip>),
            ..act("/runs/{run}/skip", "skipSteps", "Begin a run once more, with steps that count as done", || {
                post(repair::skip)
            })
        },
        act("/runs/{run}/cancel", "cancelRun", "Cancel a run that waits or is under way", || post(repair::cancel)),
        act("/runs/{run}/resubmit", "resubmitRun", "Start a new run from what started this one", || {
            post(repair::resubmit)
        }),
        look("/flows", "listFlows", "The flows that are on", of::<Flows>, || get(flows::list)),
        Ask {
            body: Some(of::<Begin>),
            ..act("/flows/{flow}/runs", "startRun", "Start a run by hand", || post(flows::start))
        },
        Ask {
            query: Some(inline::<inbox::Wanted>),
            problems: &[400],
            ..look("/inbox", "listDeadLetters", "Events that became no run, the newest first", of::<Letters>, || {
                get(inbox::list)
            })
        },
        act("/inbox/{number}/retry", "retryDeadLetter", "Have an event become a run after all", || post(inbox::retry)),
        look("/status", "status", "How the service is", of::<Status>, || get(status::status)),
        look("/openapi.json", "document", "This document", of::<serde_json::Map<String, serde_json::Value>>, || {
            get(openapi::document)
        }),
    ]
}

/// The routes, for those who show the token.
pub(super) fn routes(api: &Shared) -> Router {
    let router = all().into_iter().fold(Router::new(), |router, ask| router.route(ask.path, (ask.route)()));
    let unknown = |request: Request| async move {
        let detail = format!("there is no {}; {BASE}/openapi.json lists what there is", request.uri().path());
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    let no_method = |request: Request| async move {
        let detail = format!("{} cannot be asked with {}", request.uri().path(), request.method());
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    };
    router
        .fallback(unknown)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(api), access::check))
        .with_state(Arc::clone(api))
}
