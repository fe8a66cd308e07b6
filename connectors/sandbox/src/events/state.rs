//! The registration, the knobs, and raising an event.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use super::{Leaf, Signer, delivery::Delivery, forging::Forgery, signing::CERTIFICATE_FOLDER, validation::Validation};
use crate::core::{clock::Clock, tokens::Tokens};

/// Base of the resource addresses in events. The referral they name is served elsewhere (`api.partner.microsoft.com`); the
/// documentation's samples have this form all the same.
pub(super) const RESOURCE_BASE: &str = "https://api.partnercenter.microsoft.com";

/// Every event name a registration may list ("Partner Center webhook events").
pub(super) const EVENT_NAMES: [&str; 23] = [
    "test-created",
    "referral-created",
    "referral-updated",
    "related-referral-created",
    "related-referral-updated",
    "subscription-updated",
    "subscription-active",
    "usagerecords-thresholdExceeded",
    "invoice-ready",
    "azure-fraud-event-detected",
    "reseller-relationship-accepted-by-customer",
    "indirect-reseller-relationship-accepted-by-customer",
    "dap-admin-relationship-approved",
    "dap-admin-relationship-terminated",
    "dap-admin-relationship-terminated-by-microsoft",
    "granular-admin-relationship-approved",
    "granular-admin-relationship-activated",
    "granular-admin-relationship-terminated",
    "granular-admin-relationship-expired",
    "granular-admin-access-assignment-created",
    "granular-admin-access-assignment-activated",
    "granular-admin-access-assignment-updated",
    "granular-admin-access-assignment-deleted",
];

/// What the web hook was registered for; one per partner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registration {
    /// Where events go.
    pub(super) url: String,
    /// Names of the events wanted.
    pub(super) events: Vec<String>,
    /// True: the signature travels in `x-ms-signature`. False: in `Authorization`.
    pub(super) own_header: bool,
    /// Made by the stand-in.
    pub(super) subscriber: Uuid,
}

/// What a test may set (`PUT /events`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Knobs {
    /// How many more times each event is sent after the first.
    pub(crate) duplicate: u32,
    /// How many of the next events are lost.
    pub(crate) drop_next: u32,
    /// Sends each second event before the one raised before it.
    pub(crate) reorder_pairs: bool,
    /// Pause before the second attempt, in milliseconds of real time. The documentation gives no spacing.
    pub(crate) first_retry_ms: u64,
    /// Each later pause is this many times the one before.
    pub(crate) retry_growth: u64,
    /// Writes the members' names in the OpenAPI file's case (`eventName`) instead of the samples' (`EventName`).
    pub(crate) camel_case: bool,
    /// Makes every event one that a receiver must refuse.
    pub(crate) forgery: Option<Forgery>,
}

impl Default for Knobs {
    fn default() -> Self {
        Knobs {
            duplicate: 0,
            drop_next: 0,
            reorder_pairs: false,
            first_retry_ms: 500,
            retry_growth: 2,
            camel_case: false,
            forgery: None,
        }
    }
}

/// Something that happened, before it becomes a delivery.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// `referral-created` and so on.
    pub(crate) name: &'static str,
    /// The referral it is about.
    pub(crate) referral: Uuid,
    /// When it happened.
    pub(crate) at: Timestamp,
}

/// The events stand-in.
#[derive(Debug)]
pub(crate) struct Events {
    pub(super) clock: Arc<Clock>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) signer: Signer,
    /// Where certificates are served, with a slash at the end.
    pub(super) certificates: String,
    pub(super) partner: Uuid,
    pub(super) client: reqwest::Client,
    queue: UnboundedSender<Delivery>,
    state: Mutex<State>,
}

/// The part that changes.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) registration: Option<Registration>,
    pub(super) knobs: Knobs,
    /// Counts resets: deliveries of an earlier generation are forgotten.
    pub(super) generation: u64,
    /// Deliveries that neither arrived nor were given up.
    pub(super) waiting: usize,
    pub(super) validations: HashMap<Uuid, Validation>,
}

/// The body of an event; the order and case of members are those of the documentation's samples.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    event_name: &'a str,
    resource_uri: &'a str,
    resource_name: &'a str,
    audit_uri: Option<&'a str>,
    #[serde(serialize_with = "offset_form")]
    resource_change_utc_date: Timestamp,
}

/// Seven digits and an offset, unlike the `Z` of referrals.
fn offset_form<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&at.strftime("%Y-%m-%dT%H:%M:%S.%7f+00:00"))
}

impl Events {
    /// A stand-in served at `origin`, for the partner with organisation id `partner`.
    pub(crate) fn new(
        origin: &str,
        partner: Uuid,
        clock: Arc<Clock>,
        tokens: Arc<Tokens>,
        signer: Signer,
        queue: UnboundedSender<Delivery>,
    ) -> Events {
        Events {
            clock,
            tokens,
            signer,
            certificates: format!("{origin}{CERTIFICATE_FOLDER}"),
            partner,
            // A redirect would carry an event to where nobody registered.
            client: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap_or_default(),
            queue,
            state: Mutex::default(),
        }
    }

    /// Forgets the registration, the knobs and everything under way.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        *state = State { generation: state.generation + 1, ..State::default() };
    }

    /// The registration, for the state file.
    pub(crate) fn registration(&self) -> Option<Registration> {
        self.state().registration.clone()
    }

    /// Puts back the registration of an earlier run.
    pub(crate) fn restore(&self, registration: Option<Registration>) {
        self.state().registration = registration;
    }

    /// Tells the partner, where it registered for such events.
    pub(crate) fn raise(&self, event: &Event) {
        let uri = format!("{RESOURCE_BASE}/engagements/v1/referrals/{}", event.referral);
        self.send(event.name, "referral", &uri, event.at, None);
    }

    /// Puts the deliveries of one event into the queue; `validation` is the test event they belong to.
    pub(super) fn send(&self, name: &str, resource: &str, uri: &str, at: Timestamp, validation: Option<Uuid>) {
        let body = Body {
            event_name: name,
            resource_uri: uri,
            resource_name: resource,
            audit_uri: None,
            resource_change_utc_date: at,
        };
        let mut state = self.state();
        if !state.registration.as_ref().is_some_and(|registration| registration.events.iter().any(|one| one == name)) {
            return;
        }
        if state.knobs.drop_next > 0 {
            state.knobs.drop_next -= 1;
            return;
        }
        for _ in 0..=state.knobs.duplicate {
            let delivery =
                Delivery { generation: state.generation, body: indented(&body, state.knobs.camel_case), validation };
            // The queue's other end lives as long as the sandbox: a failure means that it is stopping.
            if self.queue.send(delivery).is_ok() {
                state.waiting += 1;
            }
        }
    }

    /// Signs by a new certificate from now on; its address.
    ///
    /// # Errors
    ///
    /// Why none could be made.
    pub(crate) fn rotate(&self, leaf: Leaf) -> Result<String, String> {
        let name = self.signer.rotate(leaf).map_err(|error| error.to_string())?;
        Ok(format!("{}{name}", self.certificates))
    }

    /// How many deliveries neither arrived nor were given up.
    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// The knobs as they stand.
    pub(crate) fn knobs(&self) -> Knobs {
        self.state().knobs.clone()
    }

    /// Sets the knobs.
    pub(crate) fn set_knobs(&self, knobs: Knobs) {
        self.state().knobs = knobs;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Indented by four as in the documentation's sample, so that a receiver which writes the JSON anew before it checks the
/// signature is found out.
fn indented(body: &Body<'_>, camel_case: bool) -> Vec<u8> {
    // Strings and a time always have a JSON form.
    let mut members = serde_json::to_value(body).unwrap_or_default();
    if let Value::Object(own) = &mut members
        && camel_case
    {
        *own = std::mem::take(own).into_iter().map(|(name, value)| (camel(&name), value)).collect();
    }
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // A vector takes every byte.
    let written = members.serialize(&mut serializer);
    debug_assert!(written.is_ok());
    bytes
}

/// `EventName` as `eventName`.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_documented_form() {
        let body = Body {
            event_name: "referral-updated",
            resource_uri: "https://api.partnercenter.microsoft.com/engagements/v1/referrals/c0a7a7d0",
            resource_name: "referral",
            audit_uri: None,
            resource_change_utc_date: Timestamp::constant(1_793_607_331, 4_251_900),
        };
        let expected = "{\n    \"EventName\": \"referral-updated\",\n    \"ResourceUri\": \
            \"https://api.partnercenter.microsoft.com/engagements/v1/referrals/c0a7a7d0\",\n    \"ResourceName\": \
            \"referral\",\n    \"AuditUri\": null,\n    \"ResourceChangeUtcDate\": \
            \"2026-11-02T08:15:31.0042519+00:00\"\n}";
        assert_eq!(String::from_utf8_lossy(&indented(&body, false)), expected);
        let camel = String::from_utf8_lossy(&indented(&body, true)).into_owned();
        assert!(camel.contains("\"resourceChangeUtcDate\"") && camel.contains("\"auditUri\": null"), "{camel}");
    }
}
