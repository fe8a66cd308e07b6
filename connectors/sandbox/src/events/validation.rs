//! Test events: the caller asks for one and then reads how its delivery went.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Events, routes::Refusal, state::RESOURCE_BASE};
use crate::core::faults::too_many_requests;

/// "Partner Center webhooks": the validation endpoint is throttled to two requests a minute.
const PER_MINUTE: usize = 2;
/// Results are kept for seven days.
const KEPT_DAYS: i64 = 7;

/// One test event.
#[derive(Clone, Debug)]
pub(super) struct Validation {
    requested: Timestamp,
    callback: String,
    /// True once the event arrived or was given up.
    pub(super) completed: bool,
    attempts: Vec<Attempt>,
}

/// One attempt to deliver it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// What the receiver answered; none when it could not be reached.
    pub(super) status: Option<StatusCode>,
    /// When.
    pub(super) at: Timestamp,
}

impl Attempt {
    fn wire(self) -> Value {
        // A .NET status name: "OK", "InternalServerError".
        let name = self.status.and_then(|status| status.canonical_reason()).unwrap_or_default().replace(' ', "");
        json!({
            "responseCode": name,
            "responseMessage": if self.status.is_some() { "" } else { "The callback could not be reached." },
            "systemError": self.status.is_none(),
            "dateTimeUtc": self.at.strftime("%Y-%m-%dT%H:%M:%S.%7f").to_string(),
        })
    }
}

impl Events {
    /// Sends a test event to the registered address; its correlation id.
    pub(super) fn request_validation(&self) -> Result<Uuid, Refusal> {
        let now = self.clock.now();
        let id = Uuid::new_v4();
        {
            let mut state = self.state();
            let registration = state.registration.as_ref().ok_or_else(Refusal::no_registration)?;
            if !registration.events.iter().any(|event| event == "test-created") {
                return Err(Refusal::bad_request("Register for the event test-created before asking for one."));
            }
            let callback = registration.url.clone();
            let recent = state.validations.values().map(|one| (now - one.requested.min(now)).get_seconds());
            let recent: Vec<i64> = recent.filter(|age| *age < 60).collect();
            if recent.len() >= PER_MINUTE {
                let oldest = recent.iter().max().copied().unwrap_or_default();
                return Err(Refusal::throttled((60 - oldest).unsigned_abs(), too_many_requests));
            }
            let validation = Validation { requested: now, callback, completed: false, attempts: Vec::new() };
            state.validations.insert(id, validation);
        }
        let uri = format!("{RESOURCE_BASE}/webhooks/v1/registration/validationEvents/{id}");
        self.send("test-created", "test", &uri, now, Some(id));
        Ok(id)
    }

    /// How the delivery of a test event went.
    pub(super) fn validation(&self, id: Uuid) -> Option<Value> {
        let state = self.state();
        let validation = state.validations.get(&id)?;
        if validation.requested + SignedDuration::from_hours(24 * KEPT_DAYS) <= self.clock.now() {
            return None;
        }
        Some(json!({
            "correlationId": id,
            "partnerId": self.partner,
            "status": if validation.completed { "completed" } else { "pending" },
            "callbackUrl": validation.callback,
            "results": validation.attempts.iter().map(|attempt| attempt.wire()).collect::<Vec<_>>(),
        }))
    }

    pub(super) fn note_attempt(&self, id: Uuid, attempt: Attempt) {
        if let Some(validation) = self.state().validations.get_mut(&id) {
            validation.attempts.push(attempt);
        }
    }
}
