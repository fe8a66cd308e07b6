//! What a refusal of the token endpoint asks a person to do.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{CallError, Meaning};
use crate::http::scrub_text;

/// What helps when Entra gives no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The person must sign in again, with multi-factor authentication.
    Interactive,
    /// The person or an administrator must consent.
    Consent,
    /// The app registration or the settings are wrong.
    Configure,
    /// An administrator must act on the account or a policy.
    Admin,
    /// The client secret has expired.
    Rotate,
    /// The sign-in took too long, was declined, or its code was used already: it must begin anew.
    Restart,
    /// Nothing but time.
    BackOff,
}

impl Remedy {
    fn advice(self) -> &'static str {
        match self {
            Self::Interactive => "sign in again interactively with multi-factor authentication, by `cosell login`",
            Self::Consent => "grant the application its permissions (admin consent in Entra), then sign in again",
            Self::Configure => "correct the app registration or this connection's sign_in settings",
            Self::Admin => "ask an administrator of the tenant: the account or a policy stands in the way",
            Self::Rotate => "the client secret has expired: create a new one and configure it",
            Self::Restart => "start the sign-in again, and complete it in time",
            Self::BackOff => "the sign-in service asks to slow down; it is tried again later",
        }
    }
}

/// The remedy for a refusal: by the first known number of `error_codes` (Microsoft Entra authentication error codes,
/// AADSTS), else by the OAuth `error`.
pub fn remedy(error: &str, codes: &[u64]) -> Remedy {
    codes.iter().find_map(|code| by_code(*code)).unwrap_or(match error {
        "invalid_grant" | "interaction_required" => Remedy::Interactive,
        "consent_required" | "access_denied" => Remedy::Consent,
        "expired_token" | "bad_verification_code" | "authorization_declined" => Remedy::Restart,
        "temporarily_unavailable" | "server_error" | "authorization_pending" | "slow_down" => Remedy::BackOff,
        _ => Remedy::Configure,
    })
}

fn by_code(code: u64) -> Option<Remedy> {
    Some(match code {
        50072 | 50074 | 50076 | 50078 | 50079 | 50089 | 50173 | 70000 | 70008 | 70043 | 700_082 => Remedy::Interactive,
        65001 | 65004 | 90094 => Remedy::Consent,
        50001 | 50011 | 50020 | 50034 | 50194 | 500_011 | 501_481 | 65005 | 650_057 | 70002 | 70011 | 28002
        | 700_005 | 700_011 | 700_016 | 700_022 | 700_025 | 700_084 | 7_000_215 | 7_000_218 | 90002 | 901_002 => {
            Remedy::Configure
        }
        50053 | 50055 | 50057 | 50105 | 50126 | 53000 | 53001 | 53003 | 530_032 | 530_035 => Remedy::Admin,
        7_000_222 => Remedy::Rotate,
        54005 | 70018 | 70019 => Remedy::Restart,
        50196 | 70016 | 90006 | 90024 | 90033 | 90055 => Remedy::BackOff,
        _ => return None,
    })
}

/// The error for an answer that refuses a token.
pub(super) fn refusal(status: u16, body: &Value, after: Option<Duration>) -> CallError {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(scrub_text);
    let error = body.get("error").and_then(Value::as_str).unwrap_or("no error code");
    let codes: Vec<u64> =
        body.get("error_codes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64).collect();
    let remedy = remedy(error, &codes);
    let meaning = if remedy == Remedy::BackOff { Meaning::Retry { after } } else { Meaning::SignIn };
    // Only the first sentence speaks of the cause; trace ids follow, which go to the details.
    let description = body.get("error_description").and_then(Value::as_str).unwrap_or(error);
    let description = scrub_text(description.split(" Trace ID:").next().unwrap_or_default().trim());
    let code = codes.first().map_or_else(|| error.to_owned(), |code| format!("AADSTS{code}"));
    CallError::new(
        meaning,
        code,
        format!("the sign-in service gives no token: {description} What to do: {}", remedy.advice()),
    )
    .details(json!({ "status": status, "error": scrub_text(error), "trace_id": text("trace_id"),
            "correlation_id": text("correlation_id") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number that the documentation tells something about (Microsoft Entra authentication error codes).
    #[test]
    fn each_known_number_has_its_remedy() {
        for (expected, codes) in [
            (Remedy::Interactive, &[50072, 50074, 50076, 50078, 50079, 50089, 50173, 70000, 70008, 70043, 700_082][..]),
            (Remedy::Consent, &[65001, 65004, 90094]),
            (
                Remedy::Configure,
                &[
                    28002, 50001, 50011, 50020, 50034, 50194, 65005, 70002, 70011, 90002, 500_011, 501_481, 650_057,
                    700_005, 700_011, 700_016, 700_022, 700_025, 700_084, 901_002, 7_000_215, 7_000_218,
                ],
            ),
            (Remedy::Admin, &[50053, 50055, 50057, 50105, 50126, 53000, 53001, 53003, 530_032, 530_035]),
            (Remedy::Rotate, &[7_000_222]),
            (Remedy::Restart, &[54005, 70018, 70019]),
            (Remedy::BackOff, &[50196, 70016, 90006, 90024, 90033, 90055]),
        ] {
            for code in codes {
                assert_eq!(by_code(*code), Some(expected), "AADSTS{code}");
            }
        }
        assert_eq!(by_code(1), None);
    }

    #[test]
    fn numbers_come_before_the_general_error() {
        for (error, codes, expected) in [
            ("invalid_grant", &[50076][..], Remedy::Interactive),
            ("invalid_grant", &[53003], Remedy::Admin),
            ("invalid_grant", &[65001], Remedy::Consent),
            ("invalid_grant", &[700_084], Remedy::Configure),
            ("invalid_grant", &[1, 70043], Remedy::Interactive),
            ("invalid_client", &[7_000_222], Remedy::Rotate),
            ("invalid_client", &[7_000_215], Remedy::Configure),
            ("invalid_request", &[90055], Remedy::BackOff),
            ("invalid_grant", &[54005], Remedy::Restart),
            ("authorization_pending", &[70016], Remedy::BackOff),
            ("expired_token", &[], Remedy::Restart),
            ("invalid_grant", &[], Remedy::Interactive),
            ("temporarily_unavailable", &[], Remedy::BackOff),
            ("unauthorized_client", &[], Remedy::Configure),
        ] {
            assert_eq!(remedy(error, codes), expected, "{error} {codes:?}");
        }
    }
}
