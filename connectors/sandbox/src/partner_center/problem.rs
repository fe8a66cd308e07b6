//! Refusals and their body ("Referrals API response codes", error object).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A refusal by the Referrals API.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The part of the request that is to blame.
    target: Option<String>,
    /// More specific codes, outermost first.
    inner: Vec<(&'static str, &'static str)>,
    /// Answered without a body.
    bare: bool,
}

impl Problem {
    /// A refusal with `status` and the documented error `code`.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into(), target: None, inner: Vec::new(), bare: false }
    }

    /// 400: the request is wrong at `target`.
    pub(crate) fn invalid(target: impl Into<String>, message: impl Into<String>) -> Problem {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalidRequest", message);
        Problem { target: Some(target.into()), ..problem }
    }

    /// The same refusal, with the part of the request that is to blame.
    pub(super) fn at(self, target: &str) -> Problem {
        Problem { target: Some(target.to_owned()), ..self }
    }

    /// 404.
    pub(crate) fn not_found(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "itemNotFound", format!("{what} does not exist."))
    }

    /// 403.
    pub(crate) fn denied(message: &str) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "accessDenied", message)
    }

    /// 412. The inner codes are the documented one and the one that users of the live service report.
    pub(super) fn stale() -> Problem {
        Problem {
            target: Some("ETag".to_owned()),
            inner: vec![
                ("resourceModified", "The referral was changed since it was last read. Read it again."),
                ("99918", "Etag value did not Match"),
            ],
            ..Problem::new(StatusCode::PRECONDITION_FAILED, "preconditionFailed", "The If-Match condition is not met.")
        }
    }

    /// 403 by which Conditional Access demands more of the sign-in; the code is misspelt in the documentation as well.
    pub(super) fn claims_challenge() -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "insufficent_claims", "Conditional Access demands a new sign-in.")
    }

    /// 401 in the older form for a token without a second factor: status line and header, no body.
    pub(super) fn mfa_required_by_header() -> Problem {
        Problem { bare: true, ..Problem::new(StatusCode::UNAUTHORIZED, "900421", "MFA required") }
    }

    /// 401 for a token without a second factor.
    pub(super) fn mfa_required() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "900421", "MFA required: sign in again with a second factor.")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut error = json!({ "code": self.code, "message": self.message, "target": self.target });
        let mut place = &mut error;
        for (code, message) in self.inner {
            place["innerError"] = json!({ "code": code, "message": message });
            place = &mut place["innerError"];
        }
        let mut response = match self.bare {
            true => self.status.into_response(),
            false => (self.status, Json(json!({ "error": error }))).into_response(),
        };
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
