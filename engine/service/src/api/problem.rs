//! What the API says where it cannot do what was asked: problem details (RFC 9457).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use cosell_runtime::dispatch::Busy;
use cosell_runtime::keep::NotKept;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The status in words.
    pub title: String,
    /// What is wrong, and what to do next.
    pub detail: String,
}

/// The media type of a [`Problem`].
pub(crate) const PROBLEM: &str = "application/problem+json";

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or_default().to_owned();
        Self { status: status.as_u16(), title, detail: detail.into() }
    }

    /// That there is no run of this id.
    pub fn no_run(run: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("there is no run `{run}`; it may have been deleted because of its age"),
        )
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    pub(crate) fn wrong(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self.status {
            401 => Some((WWW_AUTHENTICATE, "Bearer")),
            429 | 503 => Some((RETRY_AFTER, "30")),
            _ => None,
        }
    }
}

impl From<NotKept> for Problem {
    fn from(error: NotKept) -> Self {
        tracing::error!(%error, "the API cannot use the journal");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::Full => Self::new(StatusCode::TOO_MANY_REQUESTS, "too many runs wait already; try again later"),
            Busy::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the service is about to end; try again later")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(CONTENT_TYPE, PROBLEM)], Json(&self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(PROBLEM));
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
        }
        response
    }
}
