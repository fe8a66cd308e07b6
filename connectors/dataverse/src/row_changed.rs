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
    pub table: String,
    /// The columns to read, by logical name; all when not given. A change of another column starts a run too.
    #[serde(default)]
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

/// Where to go on: the delta link without its host, and what it was made for.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    table: String,
    select: Option<Vec<String>>,
    link: String,
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
    const DESCRIPTION: &'static str =
        "Starts a run for each row of a table that was created, changed or deleted since the last look.";

    async fn poll(dataverse: &Dataverse, with: RowChangedWith, cursor: Option<Value>) -> Result<Poll, CallError> {
        // Polling belongs to no run, so nobody reads what is noted here.
        let context = CallContext::new(Uuid::nil(), false);
        let table = dataverse.table(&with.table, &context).await?;
        // A cursor that was made for another table or for other columns is as good as none.
        let cursor = cursor
            .and_then(|cursor| serde_json::from_value::<Cursor>(cursor).ok())
            .filter(|cursor| cursor.table == table.head.logical_name && cursor.select == with.select);

        let (rows, link) = match cursor {
            None => {
                let (_, link) = read_all(dataverse, &table, &with, &context).await?;
                (Vec::new(), link)
            }
            Some(cursor) => match read_changes(dataverse, &cursor.link, &context).await {
                // A token is good for some days (seven, unless set otherwise), and what an old one is refused with is
                // not documented. So whatever the refusal, all rows are read anew and reported: a change told twice
                // does less harm than one lost.
                Err(error) if error.meaning == Meaning::Rejected => {
                    read_all(dataverse, &table, &with, &context).await?
                }
                read => read?,
            },
        };
        let events = rows.iter().filter_map(|row| event(&table, row)).collect();
        let cursor = Cursor { table: table.head.logical_name.clone(), select: with.select, link };
        Ok(Poll { events, cursor: json!(cursor) })
    }
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

    #[tokio::test]
    async fn an_expired_token_reports_every_row() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let expired = json!({ "error": { "code": "0x80044352", "message": "Version stamp associated with the client has expired." } });
        stub.on(
            "GET",
            SET,
            [
                page(vec![stored()], "deltaLink", delta(&stub, "1")),
                Reply::json(400, expired),
                page(vec![stored()], "deltaLink", delta(&stub, "2")),
            ],
        );
        let connection = open(&stub);
        let first = poll(&connection, None).await.unwrap();
        let second = poll(&connection, Some(first.cursor)).await.unwrap();
        assert_eq!(changes(&second), [(json!(ID), json!("saved"))]);
        assert!(second.cursor["link"].as_str().unwrap().ends_with("deltatoken=2"));
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
        let other = json!({ "table": "opportunity", "select": null, "link": "/x" });
        assert_eq!(poll(&connection, Some(other)).await.unwrap().events, []);
        assert_eq!(poll(&connection, None).await.unwrap_err().code, "change_tracking_off");
    }
}
