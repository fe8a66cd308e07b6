//! The referrals of both organisations, committing a write, and expiry.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    changes,
    problem::Problem,
    referral::{Referral, instant},
    switches::{RelatedId, Switches},
};
use crate::{
    core::{clock::Clock, log::Change, tokens::Tokens},
    events::{Event, Events},
};

/// Microsoft's organisation id ("Referral resources", InvitedBy).
pub(super) const MICROSOFT: &str = "msft";
/// An invited side has 14 days to answer, then the referral expires ("Manage leads").
const DAYS_TO_ANSWER: i64 = 14;

/// The partner that calls the API.
#[derive(Clone, Debug)]
pub(crate) struct Organization {
    /// Organisation id.
    pub(crate) id: Uuid,
    /// Name.
    pub(crate) name: String,
    /// Partner location that owns its referrals.
    pub(crate) mpn_id: String,
}

/// The Partner Center stand-in.
#[derive(Debug)]
pub(crate) struct PartnerCenter {
    /// Where its API is served, including `/v1.0/engagements`.
    pub(super) base: String,
    pub(super) partner: Organization,
    pub(super) clock: Arc<Clock>,
    pub(super) tokens: Arc<Tokens>,
    events: Arc<Events>,
    pub(super) switches: Mutex<Switches>,
    store: Mutex<Store>,
}

/// The part that changes.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// By id, in order of creation.
    pub(super) referrals: IndexMap<Uuid, Referral>,
    /// Number of the last eTag.
    versions: u32,
}

/// The referrals, as the state file keeps them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    referrals: Vec<Value>,
    versions: u32,
}

impl PartnerCenter {
    /// A stand-in served at `base`, without a referral.
    pub(crate) fn new(
        base: String,
        partner: Organization,
        clock: Arc<Clock>,
        tokens: Arc<Tokens>,
        events: Arc<Events>,
    ) -> PartnerCenter {
        PartnerCenter { base, partner, clock, tokens, events, switches: Mutex::default(), store: Mutex::default() }
    }

    /// Forgets every referral, and puts the switches back.
    pub(crate) fn reset(&self) {
        *self.lock() = Store::default();
        *self.switches.lock().unwrap_or_else(PoisonError::into_inner) = Switches::default();
    }

    /// Every referral of both organisations, in order of creation.
    pub(crate) fn all(&self) -> Vec<Value> {
        self.open().referrals.values().map(|referral| referral.0.clone()).collect()
    }

    /// Every referral, for the state file.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let store = self.lock();
        Snapshot {
            referrals: store.referrals.values().map(|referral| referral.0.clone()).collect(),
            versions: store.versions,
        }
    }

    /// Puts back the referrals of an earlier run, which may have been served elsewhere.
    pub(crate) fn restore(&self, snapshot: Snapshot) {
        let mut store = self.lock();
        store.versions = snapshot.versions;
        store.referrals = snapshot
            .referrals
            .into_iter()
            .map(|document| {
                let mut referral = Referral(document);
                self.address(&mut referral);
                (referral.id(), referral)
            })
            .collect();
    }

    /// Closes what was not answered in time.
    pub(crate) fn expire(&self) {
        drop(self.open());
    }

    /// The store, once everything due has expired: every read and write begins here.
    pub(super) fn open(&self) -> MutexGuard<'_, Store> {
        let mut store = self.lock();
        let now = self.clock.now();
        let due = |referral: &&Referral| {
            let expires = || referral.text("/expirationDateTime").parse::<Timestamp>();
            referral.text("/status") == "New" && expires().is_ok_and(|expires| expires <= now)
        };
        let expired: Vec<Referral> = store.referrals.values().filter(due).cloned().collect();
        for old in expired {
            let mut new = old.clone();
            new.set("/status", json!("Closed"));
            new.set("/substatus", json!("Expired"));
            self.commit(&mut store, &old, new);
        }
        store
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True where the partner owns `referral`; otherwise Microsoft does.
    pub(super) fn owns(&self, referral: &Referral) -> bool {
        referral.text("/organizationId").parse() == Ok(self.partner.id)
    }

    /// Stores a new referral, which gets everything that the service itself sets, and tells the partner.
    pub(super) fn insert(&self, store: &mut Store, mut referral: Referral, owner: Owner) -> (Referral, Vec<Change>) {
        let now = self.clock.now();
        let id = Uuid::new_v4();
        if referral.engagement().is_empty() {
            referral.set("/engagementId", json!(Uuid::new_v4()));
        }
        let (organization, name, mpn_id) = match owner {
            Owner::Partner => (json!(self.partner.id), json!(self.partner.name), json!(self.partner.mpn_id)),
            Owner::Microsoft => (json!(MICROSOFT), json!("Microsoft"), Value::Null),
        };
        referral.set("/id", json!(id));
        self.address(&mut referral);
        referral.set("/organizationId", organization);
        referral.set("/organizationName", name);
        referral.set("/mpnId", mpn_id);
        referral.set("/createdDateTime", instant(now));
        referral.set("/updatedDateTime", instant(now));
        referral.set("/eTag", self.next_etag(store, now));
        match referral.text("/status") {
            "New" => {
                let expires = now + SignedDuration::from_hours(24 * DAYS_TO_ANSWER);
                referral.set("/expirationDateTime", instant(expires));
            }
            _ => referral.set("/acceptedDateTime", instant(now)),
        }
        let changes = changes::between(None, &referral);
        store.referrals.insert(id, referral.clone());
        self.tell(store, &referral, "referral-created", "related-referral-created", now);
        (referral, changes)
    }

    /// Sets the members that say where the referral is served. The context's address, the raw spaces and the missing quotes
    /// are the live service's own.
    fn address(&self, referral: &mut Referral) {
        let (base, id, engagement) = (&self.base, referral.id(), referral.engagement());
        let links = json!({
            "relatedReferrals": {
                "uri": format!("{base}/referrals?$filter=engagementId eq {engagement}"), "method": "GET",
            },
            "self": { "uri": format!("{base}/referrals/{id}"), "method": "GET" },
        });
        referral.set("/@odata.context", json!(format!("{base}/referrals/$metadata#Referrals/$entity")));
        referral.set("/links", links);
    }

    /// Replaces `old` by `new`: a new eTag, the dates that follow from the status, and an event, even where no value changed.
    pub(super) fn commit(&self, store: &mut Store, old: &Referral, mut new: Referral) -> (Referral, Vec<Change>) {
        let now = self.clock.now();
        new.set("/updatedDateTime", instant(now));
        new.set("/eTag", self.next_etag(store, now));
        if old.text("/status") != new.text("/status") {
            new.set("/expirationDateTime", Value::Null);
            match new.text("/status") {
                "Active" => new.set("/acceptedDateTime", instant(now)),
                "Closed" => new.set("/closedDateTime", instant(now)),
                _ => {}
            }
        }
        let changes = changes::between(Some(old), &new);
        store.referrals.insert(new.id(), new.clone());
        self.tell(store, &new, "referral-updated", "related-referral-updated", now);
        (new, changes)
    }

    /// Raises `own` for a referral of the partner and `related` for one of Microsoft's in the same engagement. The
    /// documentation does not say whose id a related event carries: a switch does.
    fn tell(&self, store: &Store, referral: &Referral, own: &'static str, related: &'static str, at: Timestamp) {
        let mut event = Event { name: own, referral: referral.id(), at };
        if !self.owns(referral) {
            event.name = related;
            let partners = || store.engagement(referral.engagement()).find(|other| self.owns(other)).map(Referral::id);
            if self.switches().related_event_id == RelatedId::Own {
                event.referral = partners().unwrap_or(event.referral);
            }
        }
        self.events.raise(&event);
    }

    fn next_etag(&self, store: &mut Store, now: Timestamp) -> Value {
        store.versions += 1;
        // The double quotes are part of the value ("Referral resources", eTag).
        json!(format!("\"0a{:06x}-0000-0100-0000-{:08x}0000\"", store.versions, now.as_second()))
    }
}

/// Whose referral a new one is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Owner {
    /// The calling partner.
    Partner,
    /// Microsoft, as the other side of an engagement.
    Microsoft,
}

impl Store {
    /// The referral with `id`.
    pub(super) fn get(&self, id: Uuid) -> Result<&Referral, Problem> {
        self.referrals.get(&id).ok_or_else(|| Problem::not_found(&format!("Referral {id}")))
    }

    /// The referrals of one engagement.
    pub(super) fn engagement(&self, id: &str) -> impl Iterator<Item = &Referral> {
        self.referrals.values().filter(move |referral| referral.engagement().eq_ignore_ascii_case(id))
    }
}
