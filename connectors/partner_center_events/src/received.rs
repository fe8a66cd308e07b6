//! The trigger: Partner Center reports that a referral was created or changed.

use std::fmt;

use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Incoming, JsonSchema, Refusal, Registration, WebhookTrigger};
use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::connection::PartnerCenterEvents;

/// What happened (Partner Center webhook events).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A referral was created.
    ReferralCreated,
    /// A referral was changed, by anyone: one's own changes come back too.
    ReferralUpdated,
    /// Another referral of the same engagement was created.
    RelatedReferralCreated,
    /// Another referral of the same engagement was changed.
    RelatedReferralUpdated,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ReferralCreated, Self::ReferralUpdated, Self::RelatedReferralCreated, Self::RelatedReferralUpdated];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReferralCreated => "referral-created",
            Self::ReferralUpdated => "referral-updated",
            Self::RelatedReferralCreated => "related-referral-created",
            Self::RelatedReferralUpdated => "related-referral-updated",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which events start a run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceivedWith {
    /// The events; all four when not given.
    #[serde(default = "all")]
    pub events: Vec<Event>,
}

fn all() -> Vec<Event> {
    Event::ALL.to_vec()
}

/// An event. It says that something happened, not what: read the referral.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedPayload {
    /// What happened.
    pub event: Event,
    /// The referral. For the related events it is not documented whose: one's own, or the other one.
    pub referral_id: String,
    /// When it happened.
    pub changed_at: String,
}

/// Partner Center reports an event.
#[derive(Debug)]
pub struct Received;

impl WebhookTrigger for Received {
    type Connection = PartnerCenterEvents;
    type With = ReceivedWith;
    type Payload = ReceivedPayload;

    const NAME: &'static str = "received";
    const TITLE: &'static str = "When Partner Center reports an event";
    const DESCRIPTION: &'static str =
        "Starts a run for each event about a referral. Events may come more than once and out of order.";

    async fn receive(
        connection: &PartnerCenterEvents,
        request: &Incoming,
    ) -> Result<Vec<(ReceivedPayload, String)>, Refusal> {
        connection.verifier.verify(request, UnixTime::now()).await?;
        Ok(read(&request.body)?
            .map(|payload| {
                let dedup_key = format!("{} {} {}", payload.event, payload.referral_id, payload.changed_at);
                (payload, dedup_key)
            })
            .into_iter()
            .collect())
    }

    fn wants(with: &ReceivedWith, payload: &ReceivedPayload) -> bool {
        with.events.contains(&payload.event)
    }

    /// A tenant has one address only: whether ours takes the place of another, people decide.
    async fn registered(
        connection: &PartnerCenterEvents,
        flows: &[ReceivedWith],
        url: &str,
    ) -> Result<Registration, CallError> {
        // Looking belongs to no run, so nobody reads what is noted here.
        let context = CallContext::new(Uuid::nil(), false);
        // Where a proxy in between has an address of its own, the connection says so.
        let here = connection.endpoint.as_deref().unwrap_or(url);
        let wanted = Event::ALL.iter().filter(|event| flows.iter().any(|flow| flow.events.contains(event)));
        Ok(match connection.registration(&context).await? {
            None => Registration::Nowhere,
            Some(found) if found.url != here => Registration::Elsewhere { url: found.url },
            Some(found) => {
                let missing = wanted.map(|event| event.name().to_owned()).filter(|name| !found.events.contains(name));
                let missing: Vec<String> = missing.collect();
                if missing.is_empty() { Registration::Here } else { Registration::Partly { missing } }
            }
        })
    }
}

/// Reads a verified body; none for events that are not about referrals, such as the test event.
fn read(body: &[u8]) -> Result<Option<ReceivedPayload>, Refusal> {
    let malformed = |what: &str| Refusal::Malformed(format!("the event {what}"));
    let body: Value = serde_json::from_slice(body).map_err(|error| malformed(&format!("is not JSON: {error}")))?;
    let name = member(&body, "EventName").ok_or_else(|| malformed("has no EventName"))?;
    let Some(event) = Event::ALL.into_iter().find(|event| event.name() == name) else { return Ok(None) };
    let uri = member(&body, "ResourceUri").ok_or_else(|| malformed("has no ResourceUri"))?;
    let referral_id =
        referral_id(uri).ok_or_else(|| malformed(&format!("has the ResourceUri `{uri}`, which ends in no GUID")))?;
    let changed_at =
        member(&body, "ResourceChangeUtcDate").ok_or_else(|| malformed("has no ResourceChangeUtcDate"))?.to_owned();
    Ok(Some(ReceivedPayload { event, referral_id: referral_id.to_string(), changed_at }))
}

/// A text member in either casing: samples write `EventName`, the published interface description `eventName`.
fn member<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.as_object()?.iter().find(|(member, _)| member.eq_ignore_ascii_case(name))?.1.as_str()
}

/// The identifier at the end of a resource's address. Nothing else of it is to be relied on: host and path are not
/// those of the Referrals API.
fn referral_id(uri: &str) -> Option<Uuid> {
    let path = uri.split(['?', '#']).next()?;
    guid("ResourceUri", path.trim_end_matches('/').rsplit('/').next()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{Microsoft, REGISTRATION, body, connect, settings};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    const ID: &str = "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10";

    #[tokio::test]
    async fn a_signed_event_is_verified_read_and_keyed() {
        let (stub, microsoft) = (Stub::start().await, Microsoft::new());
        microsoft.publish(&stub, Reply::bytes(200, "application/octet-stream", microsoft.der()));
        let connection = crate::connector().open(settings(&stub, &microsoft)).unwrap();
        let events = connection.receive("received", microsoft.signed(&stub, body())).await.unwrap();
        let changed_at = "2026-11-02T08:15:31.0042519+00:00";
        assert_eq!(events.len(), 1);
        assert_eq!(
            events[0].payload,
            json!({ "event": "referral-updated", "referral_id": ID, "changed_at": changed_at })
        );
        assert_eq!(events[0].dedup_key, format!("referral-updated {ID} {changed_at}"));

        let wants = |with: Value| connection.wants("received", &with, &events[0].payload).unwrap();
        assert!(wants(json!({})));
        assert!(wants(json!({ "events": ["referral-updated"] })));
        assert!(!wants(json!({ "events": ["referral-created"] })));

        // The test event is verified like any other, and starts nothing.
        let test = br#"{"EventName":"test-created","ResourceUri":null}"#;
        assert_eq!(connection.receive("received", microsoft.signed(&stub, test)).await.unwrap(), []);
        let mut forged = microsoft.signed(&stub, test);
        forged.body = body().to_vec().into();
        assert!(matches!(connection.receive("received", forged).await, Err(Refusal::Unauthorized(_))));
    }

    #[tokio::test]
    async fn whom_the_events_go_to_is_found_out() {
        let stub = Stub::start().await;
        let found =
            |url: &str, events: &[&str]| Reply::json(200, json!({ "WebhookUrl": url, "WebhookEvents": events }));
        let (here, elsewhere) = ("https://a.example/x", "https://b.example/x");
        let both = ["referral-created", "referral-updated", "test-created"];
        let replies = [
            found(here, &both),
            found(here, &both[..1]),
            found(elsewhere, &both),
            Reply::empty(404),
            Reply::empty(503),
        ];
        stub.on("GET", REGISTRATION, replies);
        let connection = connect(&stub);
        let flows = || both[..2].iter().map(|event| json!({ "events": [event] })).collect();
        for expected in [
            Registration::Here,
            Registration::Partly { missing: vec!["referral-updated".to_owned()] },
            Registration::Elsewhere { url: elsewhere.to_owned() },
            Registration::Nowhere,
        ] {
            assert_eq!(connection.registered("received", flows(), here).await.unwrap(), expected);
        }
        assert!(connection.registered("received", flows(), here).await.is_err());
        assert_eq!(connection.register("received", &[json!({})], here).unwrap(), [], "people decide");
    }

    #[test]
    fn members_in_either_casing() {
        let body = json!({ "eventName": "referral-created", "resourceUri": format!("https://any.example/x/{ID}/?a=b"), "resourceChangeUtcDate": "t" });
        let payload = read(body.to_string().as_bytes()).unwrap().unwrap();
        assert_eq!(
            (payload.event, payload.referral_id.as_str(), payload.changed_at.as_str()),
            (Event::ReferralCreated, ID, "t")
        );
    }

    #[test]
    fn foreign_events_are_none_and_broken_ones_malformed() {
        assert_eq!(read(br#"{"EventName":"invoice-ready","ResourceUri":"https://x/1"}"#), Ok(None));
        for (body, part) in [
            ("{", "not JSON"),
            ("{}", "no EventName"),
            (r#"{"EventName":"referral-created"}"#, "no ResourceUri"),
            (r#"{"EventName":"referral-created","ResourceUri":"https://x/c0a7a7d0/../etc"}"#, "no GUID"),
            (
                &format!(r#"{{"EventName":"referral-created","ResourceUri":"https://x/{ID}"}}"#),
                "no ResourceChangeUtcDate",
            ),
        ] {
            let Err(Refusal::Malformed(reason)) = read(body.as_bytes()) else { panic!("{body}") };
            assert!(reason.contains(part), "{reason}");
        }
    }
}
