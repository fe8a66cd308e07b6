//! Error bodies of the token endpoint ("Microsoft identity platform: error codes").

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// A refusal by the token endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    /// The AADSTS number.
    pub(super) code: u32,
    /// What a person reads.
    pub(super) message: String,
}

impl Refusal {
    /// A refusal with `code`, explained by `message`.
    pub(super) fn new(code: u32, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into() }
    }

    /// A parameter that the request lacks.
    pub(super) fn missing(parameter: &str) -> Refusal {
        Refusal::new(900144, format!("The request body must contain the following parameter: '{parameter}'."))
    }

    /// The OAuth `error` and the HTTP status that belong to the code.
    pub(super) fn class(&self) -> (&'static str, StatusCode) {
        match self.code {
            7000215 | 7000218 | 7000222 => ("invalid_client", StatusCode::UNAUTHORIZED),
            700016 | 50194 => ("unauthorized_client", StatusCode::BAD_REQUEST),
            500011 => ("invalid_resource", StatusCode::BAD_REQUEST),
            70011 | 700022 | 1002012 => ("invalid_scope", StatusCode::BAD_REQUEST),
            70003 => ("unsupported_grant_type", StatusCode::BAD_REQUEST),
            70016 => ("authorization_pending", StatusCode::BAD_REQUEST),
            70018 => ("bad_verification_code", StatusCode::BAD_REQUEST),
            70019 => ("expired_token", StatusCode::BAD_REQUEST),
            50074 | 50076 | 50079 => ("interaction_required", StatusCode::BAD_REQUEST),
            65001 => ("consent_required", StatusCode::BAD_REQUEST),
            90055 => ("temporarily_unavailable", StatusCode::TOO_MANY_REQUESTS),
            90006 | 90024 | 90033 => ("temporarily_unavailable", StatusCode::SERVICE_UNAVAILABLE),
            50173 | 54005 | 70000 | 70008 | 70043 | 700082 | 700084 => ("invalid_grant", StatusCode::BAD_REQUEST),
            _ => ("invalid_request", StatusCode::BAD_REQUEST),
        }
    }

    /// The whole answer, dated `now`.
    pub(super) fn into_response(self, now: Timestamp) -> Response {
        let (error, status) = self.class();
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let body = json!({
            "error": error,
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
                self.code, self.message
            ),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
