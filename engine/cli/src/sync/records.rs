//! What is walked: the records of one side, page by page, in the order in which they were created.
//!
//! When a record was created never changes, so what the walk itself writes moves nothing that lies before it. When it was
//! last changed would: a record that was written to would come again at the end.

use std::sync::Arc;

use clap::ValueEnum;
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::Engine;
use cosell_runtime::record::Observer;
use cosell_sdk::CallError;
use cosell_service::occasion::{OPPORTUNITIES, REFERRALS, opportunity_event, referral_event};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

/// How many records are asked for at a time: the Referrals API's own page.
const PAGE: usize = 100;

/// Which side's records are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// Referrals, to the CRM.
    Referrals,
    /// Opportunities that are to be synced, to Partner Center.
    Opportunities,
}

impl Direction {
    /// In the order in which they are walked: a deal that both sides have is then known to be one before its opportunity's
    /// turn comes.
    pub(super) const ALL: [Self; 2] = [Self::Referrals, Self::Opportunities];

    /// The flow that its records are run through.
    pub(crate) fn flow(self) -> FlowId {
        FlowId::new(match self {
            Self::Referrals => REFERRALS,
            Self::Opportunities => OPPORTUNITIES,
        })
    }

    /// For people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Referrals => "Referrals to Dynamics 365",
            Self::Opportunities => "Opportunities to Partner Center",
        }
    }
}

/// A record, and what a trigger would bring about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    pub(super) trigger: Value,
}

/// How far the walk is: all records created before are done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) direction: Direction,
    /// Records created before are done; none at the beginning.
    pub(super) from: Option<Timestamp>,
    /// How many referrals lie before it in the list.
    pub(super) passed: usize,
}

impl Position {
    /// Where a direction begins.
    pub(super) fn at_the_beginning_of(direction: Direction) -> Self {
        Self { direction, from: None, passed: 0 }
    }
}

/// Some records.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    /// May hold records that came on an earlier page.
    pub(super) records: Vec<Record>,
    /// Where the next page begins; none where this is the last.
    pub(super) next: Option<Position>,
    /// How many records lie behind this page, as far as the service says.
    pub(super) behind: usize,
}

/// Where records come from.
pub(super) struct Source {
    pub(super) engine: Arc<Engine>,
    /// Name of the connection to Partner Center.
    pub(super) partner_center: String,
    /// Name of the connection to Dataverse.
    pub(super) dataverse: String,
    /// Column that says whether an opportunity is to be synced.
    pub(super) sync_column: String,
    /// Only what was changed since then.
    pub(super) since: Option<Timestamp>,
}

impl Source {
    /// The page at `position`.
    ///
    /// # Errors
    /// What the service says, once patience is at its end.
    pub(super) async fn page(&self, position: &Position, observer: &dyn Observer) -> Result<Page, CallError> {
        match position.direction {
            Direction::Referrals => self.referrals(position, observer).await,
            Direction::Opportunities => self.opportunities(position, observer).await,
        }
    }

    /// Partner Center can neither compare `createdDateTime` nor be told where to begin otherwise than by a number
    /// (Referrals API, get a list of referrals).
    async fn referrals(&self, position: &Position, observer: &dyn Observer) -> Result<Page, CallError> {
        // The last referral of the page before comes again. Where it does not, the list has become shorter meanwhile, and
        // what is looked for lies further ahead.
        let mut skip = position.passed.saturating_sub(1);
        loop {
            let input = json!({
                "order_by": "createdDateTime asc",
                "select": "id,name,type,organizationId,createdDateTime,updatedDateTime",
                "filter": self.since.map(|since| format!("updatedDateTime ge {since}")),
                "top": PAGE, "skip": skip, "count": true,
            });
            let found = self.engine.read(&self.partner_center, "list_referrals", input, observer).await?;
            let referrals = items(&found, "referrals");
            let created_at = referrals.iter().map(|referral| created(referral, "createdDateTime"));
            let created_at = created_at.collect::<Result<Vec<_>, _>>()?;
            let is_joined = created_at.first().zip(position.from).is_some_and(|(first, from)| *first <= from);
            if skip > 0 && !is_joined {
                skip = skip.saturating_sub(PAGE);
                continue;
            }
            let last = created_at.last().copied().filter(|_| referrals.len() >= PAGE);
            let next = last.map(|last| Position { from: Some(last), passed: skip + referrals.len(), ..*position });
            let behind = behind(&found, skip + referrals.len());
            // Microsoft's side of a deal is looked at together with ours.
            let ours = referrals.iter().zip(created_at).filter(|(referral, _)| referral["organizationId"] != "msft");
            let records = ours.map(|(referral, created_at)| self::referral(referral, created_at)).collect();
            return Ok(Page { records, next, behind });
        }
    }

    /// Dataverse skips nothing, but compares `createdon`, which it shows in whole seconds (Web API, query data).
    async fn opportunities(&self, position: &Position, observer: &dyn Observer) -> Result<Page, CallError> {
        let from = position.from.map(|from| format!("createdon ge {from}"));
        let (mut found, mut created_at) = self.rows(from, Some(PAGE), observer).await?;
        let is_last = items(&found, "rows").len() < PAGE;
        let mut behind = behind(&found, created_at.len());
        let mut from = created_at.last().copied();
        // Rows that were imported together may have been created in the same second, more of them than fit a page. They
        // all come at once then, or the next page would be this one again.
        if let (false, Some(second)) = (is_last, from.filter(|last| created_at.first() == Some(last))) {
            let next = second + SignedDuration::from_secs(1);
            let within = format!("createdon ge {second} and createdon lt {next}");
            let on_page = created_at.len();
            (found, created_at) = self.rows(Some(within), None, observer).await?;
            behind = (behind + on_page).saturating_sub(created_at.len());
            from = Some(next);
        }
        let rows = items(&found, "rows").iter().zip(created_at);
        let records = rows.map(|(row, created_at)| opportunity(row, created_at)).collect();
        let next = (!is_last).then_some(Position { from, ..*position });
        Ok(Page { records, next, behind })
    }

    /// Rows that are to be synced and meet a condition, and when each was created.
    async fn rows(
        &self,
        condition: Option<String>,
        top: Option<usize>,
        observer: &dyn Observer,
    ) -> Result<(Value, Vec<Timestamp>), CallError> {
        let since = self.since.map(|since| format!("modifiedon ge {since}"));
        let filter: Vec<String> = since.into_iter().chain(condition).collect();
        let to_be_synced = Map::from_iter([(self.sync_column.clone(), Value::Bool(true))]);
        let input = json!({
            "table": "opportunity", "where": to_be_synced, "order_by": "createdon asc", "top": top, "count": true,
            "filter": (!filter.is_empty()).then(|| filter.join(" and ")),
        });
        let found = self.engine.read(&self.dataverse, "list_rows", input, observer).await?;
        let created_at = items(&found, "rows").iter().map(|row| created(row, "createdon"));
        let created_at = created_at.collect::<Result<_, _>>()?;
        Ok((found, created_at))
    }
}

fn items<'f>(found: &'f Value, member: &str) -> &'f [Value] {
    found[member].as_array().map_or(&[], Vec::as_slice)
}

/// What lies behind `passed` records, where the service counts so far: a count may be of the page only (Referrals API), and
/// ends at 5000 (Dataverse).
fn behind(found: &Value, passed: usize) -> usize {
    let count = found["count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    count.saturating_sub(passed)
}

fn text(record: &Value, member: &str) -> String {
    record[member].as_str().unwrap_or_default().to_owned()
}

fn created(record: &Value, member: &str) -> Result<Timestamp, CallError> {
    record[member].as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        let message = format!("a record came whose `{member}` is no point in time, but {}", record[member]);
        CallError::rejected("not_in_order", message)
    })
}

fn referral(referral: &Value, created_at: Timestamp) -> Record {
    Record { id: text(referral, "id"), name: text(referral, "name"), created_at, trigger: referral_event(referral) }
}

fn opportunity(row: &Value, created_at: Timestamp) -> Record {
    Record { id: text(row, "opportunityid"), name: text(row, "name"), created_at, trigger: opportunity_event(row) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use cosell_runtime::record::Nobody;
    use cosell_sdk::{CallContext, Connect, Connector, Effect, Operation};

    /// A service with records that were created in these seconds, in order.
    struct Service(Vec<i64>);

    impl Connect for Service {
        type Settings = Map<String, Value>;

        fn connect(settings: Self::Settings) -> Result<Self, CallError> {
            Ok(Self(serde_json::from_value(settings["seconds"].clone()).unwrap()))
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn number(input: &Map<String, Value>, member: &str) -> Option<usize> {
        input[member].as_u64().map(|number| number as usize)
    }

    struct ListReferrals;

    impl Operation for ListReferrals {
        type Connection = Service;
        type Input = Map<String, Value>;
        type Output = Value;
        const NAME: &'static str = "list_referrals";
        const TITLE: &'static str = "List";
        const DESCRIPTION: &'static str = "Lists";
        const EFFECT: Effect = Effect::Read;

        async fn call(service: &Service, input: Self::Input, _: &CallContext) -> Result<Value, CallError> {
            let all = service
                .0
                .iter()
                .enumerate()
                .map(|(id, second)| json!({ "id": id.to_string(), "createdDateTime": at(*second) }));
            let page = all.skip(number(&input, "skip").unwrap()).take(number(&input, "top").unwrap());
            Ok(json!({ "referrals": page.collect::<Vec<_>>(), "count": service.0.len() }))
        }
    }

    struct ListRows;

    impl Operation for ListRows {
        type Connection = Service;
        type Input = Map<String, Value>;
        type Output = Value;
        const NAME: &'static str = "list_rows";
        const TITLE: &'static str = "List";
        const DESCRIPTION: &'static str = "Lists";
        const EFFECT: Effect = Effect::Read;

        async fn call(service: &Service, input: Self::Input, _: &CallContext) -> Result<Value, CallError> {
            let filter = input["filter"].as_str().unwrap_or_default();
            let bound =
                |word: &str| Some(filter.split_once(word)?.1.split(' ').next().unwrap().parse::<Timestamp>().unwrap());
            let (from, to) = (bound("createdon ge "), bound("createdon lt "));
            let is_meant = |(_, second): &(usize, &i64)| {
                from.is_none_or(|from| at(**second) >= from) && to.is_none_or(|to| at(**second) < to)
            };
            let rows = service.0.iter().enumerate().filter(is_meant);
            let rows = rows.map(|(id, second)| json!({ "opportunityid": id.to_string(), "createdon": at(*second) }));
            let rows: Vec<Value> = rows.take(number(&input, "top").unwrap_or(usize::MAX)).collect();
            Ok(json!({ "rows": rows, "count": service.0.len().min(5000) }))
        }
    }

    fn source(seconds: &[i64]) -> Source {
        let connector = Connector::new::<Service>("service", "Service", "Lists")
            .operation::<ListReferrals>()
            .operation::<ListRows>()
            .build();
        let connections =
            BTreeMap::from([("service".to_owned(), connector.open(json!({ "seconds": seconds })).unwrap())]);
        let name = "service".to_owned();
        Source {
            engine: Arc::new(Engine::new(BTreeMap::new(), connections, Default::default())),
            partner_center: name.clone(),
            dataverse: name,
            sync_column: "sync".to_owned(),
            since: None,
        }
    }

    /// The ids from a position to the end, and how many pages it took.
    async fn walk(source: &Source, mut position: Position) -> (BTreeSet<usize>, usize) {
        let (mut ids, mut pages) = (BTreeSet::new(), 0);
        loop {
            let page = source.page(&position, &Nobody).await.unwrap();
            pages += 1;
            assert!(pages < 50, "it does not come to an end");
            ids.extend(page.records.iter().map(|record| record.id.parse::<usize>().unwrap()));
            match page.next {
                Some(next) => position = next,
                None => return (ids, pages),
            }
        }
    }

    #[tokio::test]
    async fn however_many_were_created_in_one_second_all_are_walked() {
        let spread: Vec<i64> = (0..350).collect();
        let at_once = vec![7; 350];
        let at_the_edge: Vec<i64> = (0..350).map(|id| if id < 99 { 1 } else { 2 }).collect();
        let in_bursts: Vec<i64> = (0..350).map(|id| id / 100).collect();
        for seconds in [spread, at_once, at_the_edge, in_bursts, vec![1; 100], vec![1; 101], vec![]] {
            let source = source(&seconds);
            for direction in Direction::ALL {
                let (ids, pages) = walk(&source, Position::at_the_beginning_of(direction)).await;
                assert_eq!(ids, (0..seconds.len()).collect(), "{direction:?}");
                assert!(pages <= seconds.len() / 50 + 2, "{pages} pages for {} records", seconds.len());
            }
        }
    }

    #[tokio::test]
    async fn a_list_that_became_shorter_is_looked_through_further_ahead() {
        let seconds: Vec<i64> = (0..400).collect();
        let source = source(&seconds);
        for passed in [201, 240, 320, 900] {
            let position = Position { direction: Direction::Referrals, from: Some(at(199)), passed };
            let (ids, _) = walk(&source, position).await;
            assert!(ids.is_superset(&(200..400).collect()), "{passed} were passed");
        }
    }

    #[tokio::test]
    async fn what_lies_behind_a_page_is_known() {
        let source = source(&(0..350).map(|id| id / 200).collect::<Vec<_>>());
        let first = Position::at_the_beginning_of(Direction::Referrals);
        let page = source.page(&first, &Nobody).await.unwrap();
        assert_eq!((page.records.len(), page.behind), (100, 250));
        let page = source.page(&page.next.unwrap(), &Nobody).await.unwrap();
        assert_eq!((page.records.len(), page.behind), (100, 151), "one came again");
        let first = Position::at_the_beginning_of(Direction::Opportunities);
        let page = source.page(&first, &Nobody).await.unwrap();
        assert_eq!((page.records.len(), page.behind), (200, 150), "all of the first second");
    }
}
