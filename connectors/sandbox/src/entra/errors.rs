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
    /// The OAuth `error`, where it is not the code's usual one.
    error: Option<&'static str>,
}

/// The tenant is throttled: the one code that comes with 429.
const THROTTLED: u32 = 90055;

/// Which codes belong to which OAuth `error`; every other one is an `invalid_request`. The documentation lists the two
/// columns apart, so the pairs are read from the descriptions of the codes.
const CLASSES: [(&str, &[u32]); 15] = [
    ("invalid_client", &[70002, 700021, 700023, 700024, 700025, 700027, 7000215, 7000218, 7000222]),
    ("unauthorized_client", &[50194, 700011, 700016]),
    (
        "invalid_grant",
        &[
            50020, 50034, 50053, 50055, 50057, 50089, 50105, 50126, 50173, 50196, 53000, 53001, 53003, 54005, 70000,
            70008, 70043, 501481, 530032, 530035, 700005, 700082, 700084,
        ],
    ),
    ("interaction_required", &[50072, 50074, 50076, 50078, 50079]),
    ("consent_required", &[65001, 90094]),
    ("access_denied", &[65004]),
    ("invalid_resource", &[50001, 65005, 500011, 650057]),
    ("invalid_scope", &[28002, 70011, 700022, 1002012]),
    ("unsupported_grant_type", &[70003]),
    ("unsupported_response_type", &[700054]),
    ("authorization_pending", &[70016]),
    ("bad_verification_code", &[70018]),
    ("expired_token", &[70019]),
    ("temporarily_unavailable", &[90006, 90024, 90033, THROTTLED]),
    ("server_error", &[90000]),
];

impl Refusal {
    /// A refusal with `code`, explained by `message`.
    pub(super) fn new(code: u32, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into(), error: None }
    }

    /// A parameter that the request lacks.
    pub(super) fn missing(parameter: &str) -> Refusal {
        Refusal::new(900144, format!("The request body must contain the following parameter: '{parameter}'."))
    }

    /// Neither secret nor certificate where one is needed.
    pub(super) fn no_credential() -> Refusal {
        Refusal::new(
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    }

    /// The same refusal under another OAuth `error` than its code usually has.
    pub(super) fn named(self, error: &'static str) -> Refusal {
        Refusal { error: Some(error), ..self }
    }

    /// The OAuth `error` and the HTTP status that belong to the code.
    pub(super) fn class(&self) -> (&'static str, StatusCode) {
        let row = CLASSES.iter().find(|(_, codes)| codes.contains(&self.code));
        let error = self.error.or(row.map(|(error, _)| *error)).unwrap_or("invalid_request");
        let status = match error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" if self.code == THROTTLED => StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        (error, status)
    }

    /// The text of `error_description`, with ids made up on the way.
    pub(super) fn description(&self, trace: Uuid, correlation: Uuid, timestamp: &str) -> String {
        format!(
            "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
            self.code, self.message
        )
    }

    /// The whole answer, dated `now`.
    pub(super) fn into_response(self, now: Timestamp) -> Response {
        let (error, status) = self.class();
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let body = json!({
            "error": error,
            "error_description": self.description(trace, correlation, &timestamp),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_code_has_its_error() {
        for (error, status, codes) in [
            ("invalid_client", 401, &[70002, 7000215, 7000218, 7000222, 700025][..]),
            ("unauthorized_client", 400, &[50194, 700016, 700011]),
            ("invalid_grant", 400, &[50020, 50034, 50053, 50055, 50057, 50089, 50105, 50126, 50173, 50196, 501481]),
            ("invalid_grant", 400, &[53000, 53001, 53003, 530032, 530035, 54005, 700005]),
            ("invalid_grant", 400, &[70000, 70008, 700082, 700084, 70043]),
            ("interaction_required", 400, &[50072, 50074, 50076, 50078, 50079]),
            ("consent_required", 400, &[65001, 90094]),
            ("access_denied", 400, &[65004]),
            ("invalid_resource", 400, &[50001, 500011, 650057, 65005]),
            ("invalid_scope", 400, &[70011, 28002, 700022]),
            ("authorization_pending", 400, &[70016]),
            ("bad_verification_code", 400, &[70018]),
            ("expired_token", 400, &[70019]),
            ("temporarily_unavailable", 429, &[90055]),
            ("temporarily_unavailable", 503, &[90033, 90006, 90024]),
            ("invalid_request", 400, &[50011, 90002, 901002, 900144]),
        ] {
            for code in codes {
                let (found, answered) = Refusal::new(*code, "").class();
                assert_eq!((found, answered.as_u16()), (error, status), "AADSTS{code}");
            }
        }
    }

    #[test]
    fn the_body_has_the_documented_members() {
        let now = Timestamp::constant(1_793_606_400, 0);
        let response = Refusal::new(700082, "Too long unused.").into_response(now);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let body = futures::executor::block_on(axum::body::to_bytes(response.into_body(), 4096)).unwrap_or_default();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        assert_eq!(body["error"], "invalid_grant");
        assert_eq!(body["error_codes"], json!([700082]));
        assert_eq!(body["timestamp"], "2026-11-02 08:00:00Z");
        assert!(body["error_description"].as_str().is_some_and(|text| text.starts_with("AADSTS700082: Too long")));
        for id in ["trace_id", "correlation_id"] {
            assert!(body[id].as_str().is_some_and(|id| id.parse::<Uuid>().is_ok()));
        }
        assert!(Refusal::new(90055, "").into_response(now).headers().contains_key(header::RETRY_AFTER));
    }
}
