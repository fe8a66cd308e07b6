//! The trigger: rows of a table were saved or deleted (Web API, change tracking).
//!
//! Dataverse tells the last state of each changed row, not each change; it tells one's own changes too, and in no
//! promised order.

use cosell_sdk::{CallContext, CallError, JsonSchema, Meaning, Poll, PollTrigger, TriggerEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::connection::Dataverse;
use crate::metadata::Table;
use crate::row::Row;
use crate::values::names;

/// Which changes start a run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowChangedWith {
    /// The table, by logical name or entity set name. Change tracking must be on for it.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The columns to read, by logical name; all when not given. A change of another column starts a run too.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub select: Option<Vec<String>>,
}

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was created or changed.
    Saved,
    /// It was deleted.
    Deleted,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RowChangedPayload {
    /// Logical name of the table.
    pub table: String,
    /// The row.
    pub id: String,
    /// What happened.
    pub change: Change,
    /// The row as it is now; null where it was deleted. Of a deleted row Dataverse tells the identifier and nothing else
    /// (Web API, change tracking): what a flow needs to know of it then, such as the row it belonged to, must have been
    /// kept before.
    pub row: Option<Row>,
}

/// Where to go on: the delta link without its host, what it was made for, and what to go by where it holds no longer.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    table: String,
    select: Option<Vec<String>>,
    link: String,
    /// The highest version of a row that is known.
    #[serde(default)]
    known: Option<u64>,
    /// The same one look earlier. Versions are given when rows are written, and rows are seen once their transaction has
    /// ended: a row may show later than one with a higher version.
    #[serde(default)]
    settled: Option<u64>,
}

/// Rows of a table were saved or deleted.
#[derive(Debug)]
pub struct RowChanged;

impl PollTrigger for RowChanged {
    type Connection = Dataverse;
    type With = RowChangedWith;
    type Payload = RowChangedPayload;

    const NAME: &'static str = "row_changed";
    const TITLE: &'static str = "When a row is saved or deleted";
    const DESCRIPTION: &'static str = "Starts a run for each row of a table that was created, changed or deleted since the last look. After an absence \
        longer than Dataverse remembers (seven days, unless set otherwise) all rows are read, and those with a newer \
        version start runs; what was deleted meanwhile is then not told.";

    async fn poll(dataverse: &Dataverse, with: RowChangedWith, cursor: Option<Value>) -> Result<Poll, CallError> {
        // Polling belongs to no run, so nobody reads what is noted here.
        let context = CallContext::new(Uuid::nil(), false);
        let table = dataverse.table(&with.table, &context).await?;
        // A cursor that was made for another table is as good as none.
        let cursor = cursor
            .and_then(|cursor| serde_json::from_value::<Cursor>(cursor).ok())
            .filter(|cursor| cursor.table == table.head.logical_name);
        let before = cursor.as_ref().and_then(|cursor| cursor.known);

        let (rows, link, known) = match cursor {
            None => {
                let (rows, link) = read_all(dataverse, &table, &with, &context).await?;
                let known = newest(&rows, before);
                (Vec::new(), link, known)
            }
            Some(cursor) => {
                let changes = match cursor.select == with.select {
                    true => read_changes(dataverse, &cursor.link, &context).await.map(Some),
                    // A link brings the columns that it was made for.
                    false => Ok(None),
                };
                match changes {
                    Ok(Some((rows, link))) => {
                        let known = newest(&rows, before);
                        (rows, link, known)
                    }
                    // A token is good for some days (seven, unless set otherwise), and what an old one is refused with
                    // is not documented. So whatever the refusal, all rows are read anew, and told where their version
                    // does not say that they are known: a change told twice does less harm than one lost.
                    Err(error) if error.meaning != Meaning::Rejected => return Err(error),
                    Ok(None) | Err(_) => {
                        let (mut rows, link) = read_all(dataverse, &table, &with, &context).await?;
                        let latest = newest(&rows, before);
                        rows.retain(|row| version(row).is_none_or(|version| Some(version) > cursor.settled));
                        (rows, link, latest)
                    }
                }
            }
        };
        let events = rows.iter().filter_map(|row| event(&table, row)).collect();
        let cursor =
            Cursor { table: table.head.logical_name.clone(), select: with.select, link, known, settled: before };
        Ok(Poll { events, cursor: json!(cursor) })
    }
}

/// The highest of these rows' versions, and of the one that is `known`.
fn newest(rows: &[Map<String, Value>], known: Option<u64>) -> Option<u64> {
    rows.iter().filter_map(version).max().max(known)
}

/// The version of a row: its etag is `W/"468026"`, a number that rises with every write in the organisation (Web API,
/// optimistic concurrency).
fn version(row: &Map<String, Value>) -> Option<u64> {
    row.get("@odata.etag")?.as_str()?.strip_prefix("W/\"")?.strip_suffix('"')?.parse().ok()
}

pub(crate) type Changes = (Vec<Map<String, Value>>, String);

/// All rows as they are, and the link to what changes from now on.
pub(crate) async fn read_all(
    dataverse: &Dataverse,
    table: &Table,
    with: &RowChangedWith,
    context: &CallContext,
) -> Result<Changes, CallError> {
    let mut request = dataverse.client.get(&[&table.head.set_name]);
    if let Some(select) = names::select(table, with.select.as_deref())? {
        request = request.query("$select", &select);
    }
    read_pages(dataverse, request, Some("odata.track-changes"), context).await?.ok_or_else(|| {
        CallError::rejected(
            "change_tracking_off",
            format!(
                "Dataverse tracks no changes of the table {}; turn change tracking on for it",
                table.head.logical_name
            ),
        )
    })
}

/// What changed since a link was given, and the next link.
pub(crate) async fn read_changes(
    dataverse: &Dataverse,
    link: &str,
    context: &CallContext,
) -> Result<Changes, CallError> {
    let request = dataverse.client.follow(link)?;
    read_pages(dataverse, request, None, context)
        .await?
        .ok_or_else(|| CallError::rejected("no_delta_link", "Dataverse gave no link to further changes"))
}

async fn read_pages(
    dataverse: &Dataverse,
    mut request: cosell_sdk::http::Request<'_>,
    preference: Option<&str>,
    context: &CallContext,
) -> Result<Option<Changes>, CallError> {
    let mut rows = Vec::new();
    loop {
        let page = dataverse.read_page(request, true, preference, context).await?;
        rows.extend(page.value);
        match (page.next_link, page.delta_link) {
            (Some(next), _) => request = dataverse.client.follow(&next)?,
            (None, Some(delta)) => return Ok(Some((rows, dataverse.client.without_host(&delta)?))),
            (None, None) => return Ok(None),
        }
    }
}

fn event(table: &Table, wire: &Map<String, Value>) -> Option<TriggerEvent> {
    let payload = payload(table, wire)?;
    let version = payload.row.as_ref().map_or("deleted", |row| row.etag.as_deref().unwrap_or_default());
    let dedup_key = format!("{} {version}", payload.id);
    Some(TriggerEvent { payload: json!(payload), dedup_key })
}

/// One changed row as flows see it; none where its identifier is missing.
pub(crate) fn payload(table: &Table, wire: &Map<String, Value>) -> Option<RowChangedPayload> {
    let text = |name: &str| wire.get(name).and_then(Value::as_str);
    // A deleted row comes as `{ "@odata.context": "…$deletedEntity", "id": …, "reason": "deleted" }`.
    let is_deleted = text("@odata.context").is_some_and(|context| context.ends_with("/$deletedEntity"));
    let (id, change) =
        if is_deleted { (text("id")?, Change::Deleted) } else { (text(&table.head.primary_id)?, Change::Saved) };
    Some(RowChangedPayload {
        table: table.head.logical_name.clone(),
        id: id.to_owned(),
        change,
        row: (change == Change::Saved).then(|| Row::from_wire(wire)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{ID, KEY, SET, open, script_metadata, stored};
    use cosell_sdk::Connection;
    use cosell_sdk::stub::{Reply, Stub};

    fn page(rows: Vec<Value>, link: &str, to: String) -> Reply {
        Reply::json(200, json!({ "value": rows, format!("@odata.{link}"): to }))
    }

    fn delta(stub: &Stub, token: &str) -> String {
        format!("{}{SET}?$select=name&$deltatoken={token}", stub.origin())
    }

    async fn poll(connection: &Connection, cursor: Option<Value>) -> Result<Poll, CallError> {
        connection.poll("row_changed", json!({ "table": "opportunities", "select": ["name"] }), cursor).await
    }

    fn changes(poll: &Poll) -> Vec<(Value, Value)> {
        poll.events.iter().map(|event| (event.payload["id"].clone(), event.payload["change"].clone())).collect()
    }

    #[tokio::test]
    async fn the_first_look_only_learns_where_to_begin() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let next = format!("{}{SET}?$skiptoken=2", stub.origin());
        let deleted = json!({ "@odata.context": "https://x/$metadata#opportunities/$deletedEntity", "id": KEY, "reason": "deleted" });
        stub.on(
            "GET",
            SET,
            [
                page(vec![stored()], "nextLink", next),
                page(vec![stored()], "deltaLink", delta(&stub, "919042%2108%2f22")),
                page(vec![stored(), deleted], "deltaLink", delta(&stub, "2")),
            ],
        );
        let connection = open(&stub);
        let first = poll(&connection, None).await.unwrap();
        assert_eq!(first.events, []);
        assert!(!first.cursor.to_string().contains("127.0.0.1"), "{}", first.cursor);

        let second = poll(&connection, Some(first.cursor)).await.unwrap();
        assert_eq!(changes(&second), [(json!(ID), json!("saved")), (json!(KEY), json!("deleted"))]);
        assert_eq!(second.events[0].payload["table"], "opportunity");
        assert_eq!(second.events[0].payload["row"]["name"], "Deal");
        assert_eq!(second.events[1].payload["row"], Value::Null);
        assert_eq!(second.events[0].dedup_key, format!("{ID} W/\"468026\""));

        let seen: Vec<_> = stub.requests().into_iter().filter(|seen| seen.target.starts_with(SET)).collect();
        let tracked = |index: usize| seen[index].header("prefer").unwrap().contains("odata.track-changes");
        assert_eq!([tracked(0), tracked(1), tracked(2)], [true, true, false]);
        assert_eq!(seen[0].target, format!("{SET}?$select=name"));
        assert_eq!(seen[2].target, format!("{SET}?$select=name&$deltatoken=919042%2108%2f22"));
    }

    fn row(id: &str, version: u32) -> Value {
        json!({ "@odata.etag": format!("W/\"{version}\""), "opportunityid": id, "name": "Deal" })
    }

    #[tokio::test]
    async fn after_an_expired_token_what_has_a_newer_version_is_told() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let expired = json!({ "error": { "code": "0x80044352", "message": "Version stamp associated with the client has expired." } });
        let mut without = row("unversioned", 0);
        without.as_object_mut().unwrap().remove("@odata.etag");
        stub.on(
            "GET",
            SET,
            [
                page(vec![row("a", 5), row("b", 9)], "deltaLink", delta(&stub, "1")),
                page(vec![row("b", 12)], "deltaLink", delta(&stub, "2")),
                Reply::json(400, expired.clone()),
                // `c` was written before the last look, and its transaction ended behind it.
                page(
                    vec![row("a", 5), row("b", 12), row("c", 11), row("d", 20), without],
                    "deltaLink",
                    delta(&stub, "3"),
                ),
                page(vec![], "deltaLink", delta(&stub, "4")),
                Reply::json(400, expired),
                page(vec![row("a", 5), row("b", 12), row("c", 11), row("d", 20)], "deltaLink", delta(&stub, "5")),
            ],
        );
        let connection = open(&stub);
        let mut cursor = None;
        let mut told: Vec<Vec<String>> = Vec::new();
        for _ in 0..5 {
            let poll = poll(&connection, cursor).await.unwrap();
            told.push(poll.events.iter().map(|event| event.payload["id"].as_str().unwrap().to_owned()).collect());
            cursor = Some(poll.cursor);
        }
        let expected: [&[&str]; 5] = [&[], &["b"], &["b", "c", "d", "unversioned"], &[], &[]];
        assert_eq!(told, expected.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()));
        assert!(cursor.unwrap()["link"].as_str().unwrap().ends_with("deltatoken=5"));
    }

    #[tokio::test]
    async fn other_columns_lose_no_change() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on(
            "GET",
            SET,
            [
                page(vec![row("a", 5)], "deltaLink", delta(&stub, "1")),
                page(vec![], "deltaLink", delta(&stub, "2")),
                page(vec![row("a", 5), row("b", 9)], "deltaLink", delta(&stub, "3")),
            ],
        );
        let connection = open(&stub);
        let first = poll(&connection, None).await.unwrap();
        let second = poll(&connection, Some(first.cursor)).await.unwrap();
        let with = json!({ "table": "opportunity", "select": ["name", "statecode"] });
        let third = connection.poll("row_changed", with, Some(second.cursor)).await.unwrap();
        assert_eq!(changes(&third), [(json!("b"), json!("saved"))]);
    }

    #[tokio::test]
    async fn a_service_that_is_down_does_not_lose_the_cursor() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", SET, [page(vec![], "deltaLink", delta(&stub, "1")), Reply::empty(503)]);
        let connection = open(&stub);
        let first = poll(&connection, None).await.unwrap();
        let error = poll(&connection, Some(first.cursor)).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::Retry { after: None });
    }

    #[tokio::test]
    async fn a_cursor_for_something_else_begins_anew_and_no_tracking_is_named() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on(
            "GET",
            SET,
            [page(vec![stored()], "deltaLink", delta(&stub, "1")), Reply::json(200, json!({ "value": [] }))],
        );
        let connection = open(&stub);
        let other = json!({ "table": "lead", "select": null, "link": "/x" });
        assert_eq!(poll(&connection, Some(other)).await.unwrap().events, []);
        assert_eq!(poll(&connection, None).await.unwrap_err().code, "change_tracking_off");
    }
}
