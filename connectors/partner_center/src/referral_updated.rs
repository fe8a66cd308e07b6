//! The trigger: referrals were created or changed, found by asking (Referrals API, get a list of referrals).
//!
//! An event may be lost, and whoever was away gets none. This finds what events should have told: everything that was
//! updated since the last look, in the order of the updates. Only the service's own times are compared.

use std::collections::BTreeSet;

use cosell_sdk::{CallContext, CallError, JsonSchema, Poll, PollTrigger, TriggerEvent};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::connection::{ListQuery, PartnerCenter};
use crate::referral::Referral;

/// How many pages are read at one time; what is left comes with the next look.
const MAX_PAGES: usize = 20;

/// Which referrals start a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferralUpdatedWith {
    /// OData filter that referrals must pass as well, such as `status ne 'Closed'`.
    #[serde(default)]
    pub filter: Option<String>,
    /// How many seconds before the newest known update to look again each time: some updates show later than others, and
    /// the service's clocks differ. What was told is not told again.
    #[serde(default = "two_minutes")]
    pub overlap_seconds: u32,
}

fn two_minutes() -> u32 {
    120
}

/// What happened, by the names of `partner_center_events.received`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Update {
    /// A referral was created or changed, and there is no other side.
    ReferralUpdated,
    /// The same of a shared deal, of which the other side may have changed as well.
    RelatedReferralUpdated,
}

/// An update. It says that something happened, not what: read the referral.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReferralUpdatedPayload {
    /// What happened.
    pub event: Update,
    /// The referral.
    pub referral_id: String,
    /// When it happened.
    pub changed_at: String,
}

/// How far everything is known.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// The newest update that is known; none where there was no referral at all.
    newest: Option<Timestamp>,
    /// The updates since shortly before it, which were told, or were there when the first look was taken.
    known: BTreeSet<(Timestamp, String)>,
}

impl Cursor {
    /// Takes in an update; false where it is known.
    fn take(&mut self, at: Timestamp, id: &str) -> bool {
        self.newest = self.newest.max(Some(at));
        self.known.insert((at, id.to_owned()))
    }

    /// From when on to look.
    fn since(&self, overlap: SignedDuration) -> Option<Timestamp> {
        self.newest.map(|newest| newest.checked_sub(overlap).unwrap_or(Timestamp::MIN))
    }
}

/// Referrals were created or changed.
#[derive(Debug)]
pub struct ReferralUpdated;

impl PollTrigger for ReferralUpdated {
    type Connection = PartnerCenter;
    type With = ReferralUpdatedWith;
    type Payload = ReferralUpdatedPayload;

    const NAME: &'static str = "referral_updated";
    const TITLE: &'static str = "When a referral was created or changed";
    const DESCRIPTION: &'static str = "Starts a run for each referral of one's own that was created or changed since the last look: beside \
        `partner_center_events.received` in `also`, it finds what events failed to tell. A change on Microsoft's side of a \
        shared deal is found where it shows in one's own referral.";

    async fn poll(
        connection: &PartnerCenter,
        with: ReferralUpdatedWith,
        cursor: Option<Value>,
    ) -> Result<Poll, CallError> {
        // Asking belongs to no run, so nobody reads what is noted here.
        let context = CallContext::new(Uuid::nil(), false);
        let overlap = SignedDuration::from_secs(with.overlap_seconds.into());
        let known = cursor.and_then(|cursor| serde_json::from_value(cursor).ok());
        let (mut cursor, events) = match known {
            None => (first_look(connection, &with, overlap, &context).await?, Vec::new()),
            Some(cursor) => look(connection, &with, cursor, overlap, &context).await?,
        };
        if let Some(since) = cursor.since(overlap) {
            cursor.known.retain(|(at, _)| *at >= since);
        }
        Ok(Poll { events, cursor: json!(cursor) })
    }
}

fn query(with: &ReferralUpdatedWith, since: Option<Timestamp>, order: &str) -> ListQuery {
    let since = since.map(|since| format!("updatedDateTime ge {since}"));
    let filter = match (&with.filter, since) {
        (Some(filter), Some(since)) => Some(format!("({filter}) and {since}")),
        (filter, since) => since.or_else(|| filter.clone()),
    };
    ListQuery {
        filter,
        order_by: Some(format!("updatedDateTime {order}")),
        select: Some("id,type,updatedDateTime".to_owned()),
        ..ListQuery::default()
    }
}

/// Which referral, and when it was updated. One without either cannot be told; a list by times has none.
fn update(referral: &Referral) -> Option<(Timestamp, &str)> {
    Some((referral.updated_date_time.as_ref()?.parse().ok()?, referral.id.as_deref()?))
}

/// What is there already: it starts no run.
async fn first_look(
    connection: &PartnerCenter,
    with: &ReferralUpdatedWith,
    overlap: SignedDuration,
    context: &CallContext,
) -> Result<Cursor, CallError> {
    let mut cursor = Cursor::default();
    let mut page = connection.page(&query(with, None, "desc"), context).await?;
    loop {
        for (at, id) in page.value.iter().filter_map(update) {
            if cursor.since(overlap).is_some_and(|since| at < since) {
                return Ok(cursor);
            }
            cursor.take(at, id);
        }
        let Some(link) = &page.next_link else { return Ok(cursor) };
        page = connection.next_page(link, context).await?;
    }
}

/// What was updated since, in the order of the updates.
///
/// A referral that is updated while pages are read moves to the end, so that the others move up, and one of them from the
/// next page to the one that was read. So pages are not followed: each is asked for by the time at which the one before
/// ended. Only where a page is all of one moment does its link lead on.
async fn look(
    connection: &PartnerCenter,
    with: &ReferralUpdatedWith,
    mut cursor: Cursor,
    overlap: SignedDuration,
    context: &CallContext,
) -> Result<(Cursor, Vec<TriggerEvent>), CallError> {
    let mut events = Vec::new();
    let mut since = cursor.since(overlap);
    let mut page = connection.page(&query(with, since, "asc"), context).await?;
    for number in 1.. {
        let updates: Vec<_> = page.value.iter().filter_map(|referral| Some((update(referral)?, referral))).collect();
        for ((at, id), referral) in &updates {
            if cursor.take(*at, id) {
                events.push(event(*at, id, referral));
            }
        }
        let Some(link) = &page.next_link else { break };
        let last = updates.last().map(|((at, _), _)| *at);
        let in_order = updates.is_sorted_by_key(|((at, _), _)| *at);
        page = if in_order && last > since {
            if number >= MAX_PAGES {
                break;
            }
            since = last;
            connection.page(&query(with, since, "asc"), context).await?
        } else {
            connection.next_page(link, context).await?
        };
    }
    Ok((cursor, events))
}

fn event(at: Timestamp, id: &str, referral: &Referral) -> TriggerEvent {
    let shared = referral.kind.as_deref() == Some("Shared");
    let payload = ReferralUpdatedPayload {
        event: if shared { Update::RelatedReferralUpdated } else { Update::ReferralUpdated },
        referral_id: id.to_owned(),
        changed_at: referral.updated_date_time.clone().unwrap_or_default(),
    };
    TriggerEvent { payload: json!(payload), dedup_key: format!("{id} {at}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{BASE, connect};
    use cosell_sdk::Connection;
    use cosell_sdk::stub::{Reply, Stub};

    fn referral(id: &str, second: u32) -> Value {
        json!({ "id": id, "type": "Shared", "updatedDateTime": format!("2026-11-02T08:15:{second:02}.5Z") })
    }

    fn page(referrals: &[(&str, u32)], more: bool) -> Reply {
        let value: Vec<Value> = referrals.iter().map(|(id, second)| referral(id, *second)).collect();
        let link = more.then_some("/v1.0/engagements/referrals?$skiptoken=x");
        Reply::json(200, json!({ "value": value, "@odata.nextLink": link }))
    }

    async fn stub(pages: impl IntoIterator<Item = Reply>) -> (Stub, Connection) {
        let stub = Stub::start().await;
        stub.on("GET", &format!("{BASE}/referrals"), pages);
        let connection = connect(&stub);
        (stub, connection)
    }

    /// One more look, with ten seconds of overlap; who was updated.
    async fn look(connection: &Connection, cursor: &mut Option<Value>) -> Vec<String> {
        let with = json!({ "overlap_seconds": 10, "filter": "status ne 'Closed' or type eq 'Shared'" });
        let poll = connection.poll("referral_updated", with, cursor.take()).await.unwrap();
        *cursor = Some(poll.cursor);
        poll.events.iter().map(|event| event.payload["referral_id"].as_str().unwrap().to_owned()).collect()
    }

    /// From when on each request asked, decoded as far as it is of interest; or the link that it followed.
    fn asked(stub: &Stub) -> Vec<String> {
        let after = |line: &str, mark: &str| line.split_once(mark).map(|(_, rest)| rest.to_owned());
        let since = |line: &String| {
            let since = after(line, "updatedDateTime%20ge%20")?;
            Some(since.split('&').next()?.replace("%3A", ":"))
        };
        stub.lines().iter().map(|line| since(line).or_else(|| after(line, "referrals?")).unwrap()).collect()
    }

    #[tokio::test]
    async fn what_is_there_starts_nothing_and_what_comes_starts_one_run_each() {
        let (stub, connection) = stub([
            page(&[("c", 30), ("b", 25), ("a", 5)], true),
            page(&[("b", 25), ("c", 30)], false),
            // `late` was updated before `c`, and shows only now; `b` was updated again.
            page(&[("late", 24), ("c", 30), ("b", 50)], false),
            page(&[("b", 50)], false),
        ])
        .await;
        let mut cursor = None;
        let empty: [&str; 0] = [];
        assert_eq!(look(&connection, &mut cursor).await, empty);
        assert_eq!(look(&connection, &mut cursor).await, empty);
        assert_eq!(look(&connection, &mut cursor).await, ["late", "b"]);
        assert_eq!(look(&connection, &mut cursor).await, empty);
        let kept = cursor.unwrap()["known"].clone();
        assert_eq!(kept, json!([["2026-11-02T08:15:50.5Z", "b"]]), "no more is kept than is needed");
        let since = |second: u32| format!("2026-11-02T08:15:{second}.5Z");
        assert_eq!(asked(&stub)[1..], [since(20), since(20), since(40)]);
        assert!(stub.lines()[1].contains("%28status%20ne%20%27Closed%27%20or%20type%20eq%20%27Shared%27%29%20and%20"));
        assert!(stub.lines()[1].ends_with("&$orderby=updatedDateTime%20asc&$select=id%2Ctype%2CupdatedDateTime"));
    }

    #[tokio::test]
    async fn an_update_between_two_pages_hides_no_referral() {
        let (stub, connection) = stub([
            page(&[], false),
            page(&[("a", 10), ("b", 20)], true),
            page(&[("b", 20), ("c", 30), ("d", 30)], true),
            // All of one moment: only the link leads on.
            page(&[("c", 30), ("d", 30)], true),
            page(&[("e", 30), ("a", 40)], false),
        ])
        .await;
        let mut cursor = None;
        look(&connection, &mut cursor).await;
        assert_eq!(look(&connection, &mut cursor).await, ["a", "b", "c", "d", "e", "a"]);
        let since = |second: u32| format!("2026-11-02T08:15:{second}.5Z");
        assert_eq!(asked(&stub)[2..], [since(20), since(30), "$skiptoken=x".to_owned()]);
    }

    #[tokio::test]
    async fn a_list_in_no_order_is_followed_link_by_link() {
        let (stub, connection) =
            stub([page(&[], false), page(&[("a", 20), ("b", 10)], true), page(&[("c", 15)], false)]).await;
        let mut cursor = None;
        look(&connection, &mut cursor).await;
        assert_eq!(look(&connection, &mut cursor).await, ["a", "b", "c"]);
        assert_eq!(asked(&stub)[2], "$skiptoken=x");
    }

    #[tokio::test]
    async fn a_long_absence_is_made_up_for_in_several_looks() {
        let pages = (0..=MAX_PAGES as u32).map(|at| page(&[("a", at), ("b", at + 1)], at < MAX_PAGES as u32));
        let (_stub, connection) = stub(std::iter::once(page(&[], false)).chain(pages)).await;
        let mut cursor = None;
        look(&connection, &mut cursor).await;
        let seen = look(&connection, &mut cursor).await.len();
        assert_eq!(seen, 2 * MAX_PAGES);
        assert_eq!(look(&connection, &mut cursor).await, ["a", "b"]);
    }

    #[tokio::test]
    async fn the_payload_is_that_of_an_event() {
        let (_stub, connection) = stub([page(&[], false), page(&[("a", 1)], false)]).await;
        let first = connection.poll("referral_updated", json!({}), None).await.unwrap();
        let poll = connection.poll("referral_updated", json!({}), Some(first.cursor)).await.unwrap();
        let at = "2026-11-02T08:15:01.5Z";
        let payload = json!({ "event": "related-referral-updated", "referral_id": "a", "changed_at": at });
        assert_eq!(poll.events, [TriggerEvent { payload, dedup_key: format!("a {at}") }]);
    }
}
