//! The users of the organisation: who stands for a caller, and for whom a caller may act.

use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::cell::Cell;
use super::errors::{Answer, Refusal};
use super::payload::{self, Purpose};
use super::store::{Row, Store};
use super::write::{self, Writer};
use crate::core::tokens::Caller;

/// The `accessmode` of a user that stands for an application.
const NON_INTERACTIVE: i64 = 4;

/// The systemuser that stands for `caller`: by object id, else a user of that full name without one, else a new row.
pub(super) fn user_of(store: &mut Store, caller: &Caller, now: Timestamp) -> Answer<Uuid> {
    let table = store.schema().table("systemuser").ok_or_else(|| Refusal::outside("users"))?;
    let object_id = Cell::Id(caller.id);
    let by_object = store.rows(table).find(|row| row.cells.get("azureactivedirectoryobjectid") == Some(&object_id));
    if let Some(row) = by_object {
        return Ok(row.id);
    }
    let free = |row: &&Row| {
        row.text("fullname") == Some(&caller.name) && !row.cells.contains_key("azureactivedirectoryobjectid")
    };
    let known = store.rows(table).find(free).map(|row| row.id);
    let id = match known {
        Some(id) => id,
        None => new_user(store, &caller.name, now)?,
    };
    if let Some(mut row) = store.get(table, id).cloned() {
        row.set("azureactivedirectoryobjectid", Some(object_id));
        if caller.app_only {
            row.set("accessmode", Some(Cell::Integer(NON_INTERACTIVE)));
        }
        write::replace(store, Writer { user: id, now }, table, row)?;
    }
    Ok(id)
}

/// The systemuser with full name `name`, made where there is none.
pub(super) fn user_named(store: &mut Store, name: &str, now: Timestamp) -> Answer<Uuid> {
    let table = store.schema().table("systemuser").ok_or_else(|| Refusal::outside("users"))?;
    let known = store.rows(table).find(|row| row.text("fullname") == Some(name)).map(|row| row.id);
    match known {
        Some(id) => Ok(id),
        None => new_user(store, name, now),
    }
}

fn new_user(store: &mut Store, name: &str, now: Timestamp) -> Answer<Uuid> {
    let table = store.schema().table("systemuser").ok_or_else(|| Refusal::outside("users"))?;
    let (first, last) = name.split_once(' ').unwrap_or(("", name));
    let texts = [("firstname", first), ("lastname", last), ("domainname", name)];
    let body = texts.into_iter().map(|(column, text)| (column.to_owned(), json!(text))).collect();
    let values = payload::read(store, "", table, &body, Purpose::Create)?;
    let id = Uuid::now_v7();
    write::create(store, Writer { user: id, now }, table, values, Some(id))
}

/// The user that a request is made for, where its headers name one ("Impersonate another user using the Web API").
pub(super) fn impersonated(store: &Store, caller: &Caller, headers: &HeaderMap) -> Answer<Option<Uuid>> {
    let named =
        |header: &str| headers.get(header).map(|value| value.to_str().ok().and_then(|id| Uuid::try_parse(id).ok()));
    let (wanted, column) = match (named("callerobjectid"), named("mscrmcallerid")) {
        (None, None) => return Ok(None),
        (Some(object), _) => (object, "azureactivedirectoryobjectid"),
        (None, Some(user)) => (user, "systemuserid"),
    };
    let refusal = |code, message: String| Refusal { status: StatusCode::FORBIDDEN, code, message };
    if !caller.roles.iter().any(|role| role == "System Administrator" || role == "Delegate") {
        let message = "Principal user is missing prvActOnBehalfOfAnotherUser privilege; it comes with the roles Delegate and \
                       System Administrator.";
        return Err(refusal("0x80040220", message.to_owned()));
    }
    let table = store.schema().table("systemuser").ok_or_else(|| Refusal::outside("users"))?;
    let found = wanted.and_then(|id| store.rows(table).find(|row| row.cells.get(column) == Some(&Cell::Id(id))));
    match found {
        Some(row) => Ok(Some(row.id)),
        None => Err(refusal("0x80072560", "The user to impersonate is not a member of the organization.".to_owned())),
    }
}
