//! Change tracking: a token is the organisation's version and the instant it was given at. Reading with it gives the
//! rows whose version is higher, each in its last state, and the deletions since ("Use change tracking to synchronize
//! data").

use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::call::{Call, Options, PAGE_LIMIT};
use super::errors::{Answer, BAD_REQUEST, Refusal};
use super::query::View;
use super::read::{json_response, link, preferences_applied};
use super::schema::Table;
use super::show;
use super::store::{Grave, Row, Store, whole_seconds};

/// How long a token is good for (`ExpireChangeTrackingInDays`, 7 unless changed).
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The token that stands for the state of the organisation at `now`.
pub(super) fn token(store: &Store, now: Timestamp) -> String {
    format!("{}!{}", store.version(), whole_seconds(now))
}

/// Refuses the query options that change tracking does not take.
pub(super) fn check(options: &Options) -> Answer<()> {
    for name in ["$filter", "$orderby", "$expand", "$top"] {
        if let Some(value) = options.get(name) {
            let message =
                format!("The \"{name}={value}\" query parameter isn't supported when Change Tracking is enabled.");
            return Err(Refusal::bad(BAD_REQUEST, message));
        }
    }
    Ok(())
}

enum Entry<'a> {
    Changed(&'a Row),
    Deleted(&'a Grave),
}

impl Entry<'_> {
    fn version(&self) -> u64 {
        match self {
            Entry::Changed(row) => row.version,
            Entry::Deleted(grave) => grave.version,
        }
    }
}

fn since<'a>(store: &'a Store, table: &'static Table, token: &str, now: Timestamp) -> Answer<Vec<Entry<'a>>> {
    let malformed = || Refusal::bad(BAD_REQUEST, "The $deltatoken is malformed; follow deltaLink as it was given.");
    let (version, given) = token.split_once('!').ok_or_else(malformed)?;
    let version: u64 = version.parse().map_err(|_| malformed())?;
    let given: Timestamp = given.parse().map_err(|_| malformed())?;
    if now.duration_since(given) > RETENTION {
        return Err(Refusal::bad(
            "0x80044352",
            "Version stamp associated with the client has expired. Please perform a full sync.",
        ));
    }
    let changed = store.rows(table).filter(|row| row.version > version).map(Entry::Changed);
    let deleted = store.graves(table).filter(|grave| grave.version > version).map(Entry::Deleted);
    let mut entries: Vec<Entry<'_>> = changed.chain(deleted).collect();
    entries.sort_by_key(Entry::version);
    Ok(entries)
}

/// How many rows changed or went since `token`.
pub(super) fn count(store: &Store, table: &'static Table, token: &str, now: Timestamp) -> Answer<usize> {
    Ok(since(store, table, token, now)?.len())
}

/// The answer to a request that follows a delta link.
pub(super) fn changes(
    store: &Store,
    call: &Call,
    table: &'static Table,
    options: &Options,
    view: &View,
) -> Answer<Response> {
    check(options)?;
    let entries = since(store, table, options.get("$deltatoken").unwrap_or_default(), call.now)?;
    let limit = call.prefer.page.unwrap_or(PAGE_LIMIT);
    let page = &entries[..entries.len().min(limit)];
    let value: Vec<Value> = page
        .iter()
        .map(|entry| match entry {
            Entry::Changed(row) => Value::Object(show::row(store, table, row, view, &call.prefer)),
            Entry::Deleted(grave) => json!({
                "@odata.context": format!("{}/$metadata#{}/$deletedEntity", call.base, table.set),
                "id": grave.id,
                "reason": "deleted",
            }),
        })
        .collect();
    let mut object = Map::new();
    let context = format!("{}/$metadata#{}{}/$delta", call.base, table.set, view.context());
    object.insert("@odata.context".to_owned(), json!(context));
    object.insert("value".to_owned(), Value::Array(value));
    // Entries rise by version, so a page ends at a version, and the next one is simply what changed after it.
    let (name, token) = match page.last() {
        Some(last) if page.len() < entries.len() => {
            ("@odata.nextLink", format!("{}!{}", last.version(), whole_seconds(call.now)))
        }
        _ => ("@odata.deltaLink", token(store, call.now)),
    };
    object.insert(name.to_owned(), json!(link(call, "$deltatoken", &token)));
    let mut response = json_response(StatusCode::OK, &Value::Object(object));
    preferences_applied(call, &mut response);
    Ok(response)
}
