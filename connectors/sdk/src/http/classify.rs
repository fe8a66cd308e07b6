//! What a failed request means: one table for all connectors.

use std::time::Duration;

use cosell_model::Effect;
use jiff::Timestamp;

use crate::error::Meaning;

/// The longest wait that is taken from an answer. A service that asks for more is asked again after a day: what it says may be
/// a slip, and nobody would notice a connection that rests for years.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made, so nothing was sent.
    NotConnected,
    /// The connection broke, or time ran out, after the request may have been sent.
    Broken,
    /// An answer of success that cannot be read: half of it, not JSON, or not of the expected form.
    Unreadable,
    /// An answer with a status that is no success, after a refused token was renewed.
    Status(u16),
}

/// What a failure means for the engine.
///
/// | failure | read | write |
/// |---|---|---|
/// | not connected | retry | retry |
/// | broken after sending | retry | outcome unknown |
/// | success that cannot be read | retry | outcome unknown |
/// | 429, 503 | retry, after what the answer says | the same |
/// | 408 and 5xx but 501 and 503 | retry, after what the answer says | outcome unknown |
/// | 401, 403 | sign in | sign in |
/// | 409, 412 | conflict | conflict |
/// | anything else | rejected | rejected |
pub fn meaning(effect: Effect, failure: Failure, after: Option<Duration>) -> Meaning {
    match failure {
        Failure::NotConnected => Meaning::Retry { after: None },
        Failure::Broken | Failure::Unreadable => unknown(effect, None),
        Failure::Status(429 | 503) => Meaning::Retry { after },
        Failure::Status(401 | 403) => Meaning::SignIn,
        Failure::Status(409 | 412) => Meaning::Conflict,
        Failure::Status(501) => Meaning::Rejected,
        Failure::Status(408 | 500..=599) => unknown(effect, after),
        Failure::Status(_) => Meaning::Rejected,
    }
}

fn unknown(effect: Effect, after: Option<Duration>) -> Meaning {
    match effect {
        Effect::Read => Meaning::Retry { after },
        Effect::Write => Meaning::OutcomeUnknown,
    }
}

/// Reads a `Retry-After` header: seconds, or an HTTP date (RFC 9110, section 10.2.3). It is a day at most.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO).min(LONGEST))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const RETRY: Meaning = Meaning::Retry { after: None };
    const AFTER: Option<Duration> = Some(Duration::from_secs(7));
    const RETRY_AFTER: Meaning = Meaning::Retry { after: AFTER };

    #[test]
    fn row_by_row() {
        use Meaning::{Conflict, OutcomeUnknown, Rejected, SignIn};
        for (failure, read, write) in [
            (Failure::NotConnected, RETRY, RETRY),
            (Failure::Broken, RETRY, OutcomeUnknown),
            (Failure::Unreadable, RETRY, OutcomeUnknown),
            (Failure::Status(429), RETRY_AFTER, RETRY_AFTER),
            (Failure::Status(503), RETRY_AFTER, RETRY_AFTER),
            (Failure::Status(408), RETRY_AFTER, OutcomeUnknown),
            (Failure::Status(500), RETRY_AFTER, OutcomeUnknown),
            (Failure::Status(502), RETRY_AFTER, OutcomeUnknown),
            (Failure::Status(504), RETRY_AFTER, OutcomeUnknown),
            (Failure::Status(509), RETRY_AFTER, OutcomeUnknown),
            (Failure::Status(401), SignIn, SignIn),
            (Failure::Status(403), SignIn, SignIn),
            (Failure::Status(409), Conflict, Conflict),
            (Failure::Status(412), Conflict, Conflict),
            (Failure::Status(302), Rejected, Rejected),
            (Failure::Status(400), Rejected, Rejected),
            (Failure::Status(404), Rejected, Rejected),
            (Failure::Status(422), Rejected, Rejected),
            (Failure::Status(501), Rejected, Rejected),
        ] {
            assert_eq!(meaning(Effect::Read, failure, AFTER), read, "read, {failure:?}");
            assert_eq!(meaning(Effect::Write, failure, AFTER), write, "write, {failure:?}");
        }
    }

    #[test]
    fn retry_after_in_both_forms() {
        let now: Timestamp = "2026-11-02T08:00:00Z".parse().unwrap();
        assert_eq!(retry_after("57", now), Some(Duration::from_secs(57)));
        assert_eq!(retry_after("Mon, 02 Nov 2026 08:01:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Mon, 02 Nov 2026 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn nobody_is_made_to_wait_for_ever() {
        let now: Timestamp = "2026-11-02T08:00:00Z".parse().unwrap();
        for header in ["18446744073709551615", "86401", "Thu, 30 Dec 9999 00:00:00 GMT"] {
            assert_eq!(retry_after(header, now), Some(LONGEST), "{header}");
        }
        assert_eq!(retry_after("99999999999999999999", now), None);
    }
}
