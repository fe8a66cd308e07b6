//! Which request is answered by what.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::actions::{self, Closing};
use super::address::{self, Located, Segment, Selector};
use super::call::Call;
use super::cell::{Cell, Reference};
use super::errors::{Answer, BAD_REQUEST, Refusal};
use super::payload::{self, Purpose, Values};
use super::query::{Relation, View};
use super::schema::{Column, Table};
use super::store::{Row, Store};
use super::write::{self, Writer};
use super::{bulk, metadata, read};

const ACTION_PREFIX: &str = "Microsoft.Dynamics.CRM.";

/// Answers `call` in the open transaction of `store`; the caller commits it, or undoes it after a refusal.
pub(super) fn serve(store: &mut Store, call: &Call) -> Answer<Response> {
    call.check_headers()?;
    let Some((first, rest)) = call.segments.split_first() else {
        return service(store, call);
    };
    match first.name.as_str() {
        "WhoAmI" => {
            only(call, &[Method::GET])?;
            Ok(who_am_i(call))
        }
        name if metadata::ROOTS.contains(&name) => metadata::serve(store, call),
        "BulkDelete" => {
            only(call, &[Method::POST])?;
            bulk::delete(store, call)
        }
        "WinOpportunity" | "LoseOpportunity" => {
            only(call, &[Method::POST])?;
            let closing = if first.name == "WinOpportunity" { Closing::Won } else { Closing::Lost };
            actions::close(store, writer(call), &call.base, closing, &call.object()?)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        "QualifyLead" => Err(unresolved()),
        "$batch" => Err(Refusal::bad(BAD_REQUEST, "A batch cannot hold a batch.")),
        set => {
            let table = address::table(store.schema(), set)?;
            match &first.key {
                None => rows(store, call, table, rest),
                Some(key) => row(store, call, table, key, rest),
            }
        }
    }
}

/// `/set…`
fn rows(store: &mut Store, call: &Call, table: &'static Table, rest: &[Segment]) -> Answer<Response> {
    match rest {
        [] if call.method == Method::GET => read::collection(store, call, table, store.rows(table).collect()),
        [] if call.method == Method::POST => create(store, call, table),
        [] => Err(Refusal::method()),
        [Segment { name, key: None }] if name == "$count" => {
            only(call, &[Method::GET])?;
            read::count(store, call, table, store.rows(table).collect())
        }
        [Segment { name, key: None | Some(Selector::Empty) }] if bulk::ACTIONS.contains(&name.as_str()) => {
            only(call, &[Method::POST])?;
            bulk::many(store, call, table, &name[ACTION_PREFIX.len()..])
        }
        [Segment { name, .. }, ..] if name.starts_with(ACTION_PREFIX) => {
            Err(Refusal::outside(format!("the message '{name}' on '{}'", table.set)))
        }
        [Segment { name, .. }, ..] => Err(Refusal::missing_segment(name)),
    }
}

/// `/set(key)…`
fn row(store: &mut Store, call: &Call, table: &'static Table, key: &Selector, rest: &[Segment]) -> Answer<Response> {
    let located = address::locate(store, table, key)?;
    if rest.is_empty() && call.method == Method::PATCH {
        return upsert(store, call, table, located);
    }
    let id = match located {
        Located { id: Some(id), exists: true, .. } => id,
        Located { id: Some(id), .. } => return Err(Refusal::missing_row(table, id)),
        Located { id: None, .. } => return Err(Refusal::missing_key(table)),
    };
    let found = store.get(table, id).cloned().ok_or_else(|| Refusal::missing_row(table, id))?;
    match rest {
        [] => match call.method {
            Method::GET => read::single(store, call, table, &found),
            Method::DELETE => {
                match_version(call, &found)?;
                write::delete(store, writer(call), table, id)?;
                Ok(StatusCode::NO_CONTENT.into_response())
            }
            _ => Err(Refusal::method()),
        },
        [Segment { name, key: None }] if name.starts_with(ACTION_PREFIX) => {
            only(call, &[Method::POST])?;
            bound_action(store, call, table, id, &name[ACTION_PREFIX.len()..])
        }
        [Segment { name, .. }] if name == "QualifyLead" => Err(unresolved()),
        [segment @ Segment { name, key }, rest @ ..] => {
            // A lookup's navigation property may be named like its column; the column itself is `_x_value`.
            if let Some(relation) = Relation::find(store.schema(), table, name)? {
                return related(store, call, table, &found, segment, relation, rest);
            }
            let column = table.property(name).ok_or_else(|| Refusal::missing_segment(name))?;
            let raw = matches!(rest, [Segment { name, key: None }] if name == "$value");
            if key.is_some() || !(rest.is_empty() || raw) {
                return Err(Refusal::missing_segment(name));
            }
            single_column(store, call, table, &found, column, raw)
        }
    }
}

fn single_column(
    store: &mut Store,
    call: &Call,
    table: &'static Table,
    row: &Row,
    column: &'static Column,
    raw: bool,
) -> Answer<Response> {
    let mut body = match call.method {
        Method::GET => return Ok(read::property(call, table, row, column, raw)),
        Method::PUT if !raw => call.object()?,
        Method::DELETE if !raw => serde_json::Map::new(),
        _ => return Err(Refusal::method()),
    };
    match_version(call, row)?;
    let value = if call.method == Method::PUT {
        body.remove("value").ok_or_else(|| Refusal::bad(BAD_REQUEST, "Expected the body {\"value\": …}."))?
    } else {
        Value::Null
    };
    let mut body = serde_json::Map::new();
    body.insert(column.property(), value);
    let values = payload::read(store, &call.base, table, &body, Purpose::Update)?;
    write::update(store, writer(call), table, row.id, values)?;
    Ok(changed(call, table, row.id, StatusCode::NO_CONTENT.into_response()))
}

/// `/set(key)/navigation…`, where `segment` is the navigation property.
fn related(
    store: &mut Store,
    call: &Call,
    table: &'static Table,
    row: &Row,
    segment: &Segment,
    relation: Relation,
    rest: &[Segment],
) -> Answer<Response> {
    let Segment { key, .. } = segment;
    let step = match rest {
        [] => None,
        [Segment { name, key: None }] => Some(name.as_str()),
        _ => return Err(Refusal::outside(format!("the address '{}'", call.path))),
    };
    match (&call.method, step, relation) {
        (&Method::GET, None, _) if key.is_none() => read::navigation(store, call, table, row, relation, false),
        (&Method::GET, Some("$ref"), _) if key.is_none() => read::navigation(store, call, table, row, relation, true),
        (&Method::GET, Some("$count"), Relation::Many(target, _) | Relation::Linked(target, ..)) if key.is_none() => {
            let rows = relation.rows(store, table, row).into_iter().map(|(_, row)| row).collect();
            read::count(store, call, target, rows)
        }
        (&Method::GET, Some(column), Relation::One(lookup, target)) if key.is_none() => {
            let column = target.property(column).ok_or_else(|| Refusal::missing_segment(column))?;
            let reference = row.get(lookup).and_then(Cell::reference).filter(|to| to.table == target.logical);
            match reference.and_then(|reference| store.get(target, reference.id)) {
                Some(other) => Ok(read::property(call, target, other, column, false)),
                None => Ok(StatusCode::NO_CONTENT.into_response()),
            }
        }
        (&Method::PUT, Some("$ref"), Relation::One(column, target)) if key.is_none() => {
            let reference = referred(store, call, target)?;
            point(store, call, table, row.id, column, Some(reference))
        }
        (&Method::DELETE, Some("$ref"), Relation::One(column, target)) if key.is_none() => {
            match row.get(column).and_then(Cell::reference) {
                Some(reference) if reference.table == target.logical => point(store, call, table, row.id, column, None),
                _ => Ok(StatusCode::NO_CONTENT.into_response()),
            }
        }
        (&Method::POST, Some("$ref"), Relation::Many(target, column)) if key.is_none() => {
            let other = referred(store, call, target)?;
            let back = Reference { table: &table.logical, id: row.id };
            point(store, call, target, other.id, column, Some(back))
        }
        (&Method::POST, Some("$ref"), Relation::Linked(target, link, end)) if key.is_none() => {
            let other = referred(store, call, target)?;
            if store.set_link(link, end, row.id, other.id, true) {
                return Err(Refusal::duplicate());
            }
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        (&Method::DELETE, Some("$ref"), Relation::Linked(target, link, end)) => {
            let other = named(store, call, target, segment)?;
            if !store.set_link(link, end, row.id, other, false) {
                return Err(Refusal::missing_row(target, other));
            }
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        (&Method::DELETE, Some("$ref"), Relation::Many(target, column)) => {
            let id = named(store, call, target, segment)?;
            let back = Cell::Reference(Reference { table: &table.logical, id: row.id });
            if store.get(target, id).and_then(|other| other.get(column)) != Some(&back) {
                return Err(Refusal::missing_row(target, id));
            }
            point(store, call, target, id, column, None)
        }
        _ => Err(Refusal::outside(format!("{} on the address '{}'", call.method, call.path))),
    }
}

/// The row to disassociate: named in the segment's key, or by `?$id=`.
fn named(store: &Store, call: &Call, target: &'static Table, segment: &Segment) -> Answer<Uuid> {
    let located = match (&segment.key, call.options()?.get("$id")) {
        (Some(key), None) => address::locate(store, target, key)?,
        (None, Some(id)) => {
            let reference = address::reference(store, &call.base, id)?;
            return Ok(reference.id);
        }
        _ => {
            let message = format!("Name the row to disassociate: …/{}(id)/$ref.", segment.name);
            return Err(Refusal::bad(BAD_REQUEST, message));
        }
    };
    match located {
        Located { id: Some(id), exists: true, .. } => Ok(id),
        Located { id: Some(id), .. } => Err(Refusal::missing_row(target, id)),
        Located { id: None, .. } => Err(Refusal::missing_key(target)),
    }
}

/// The row that the body of a `$ref` request names.
fn referred(store: &Store, call: &Call, target: &Table) -> Answer<Reference> {
    let body = call.object()?;
    let address = body.get("@odata.id").and_then(Value::as_str);
    let address = address.ok_or_else(|| Refusal::bad(BAD_REQUEST, "Expected the body {\"@odata.id\": \"…\"}."))?;
    if !address.contains("://") {
        let message = format!("The @odata.id '{address}' is not a full URL of a row.");
        return Err(Refusal::bad(BAD_REQUEST, message));
    }
    let reference = address::reference(store, &call.base, address)?;
    if reference.table == target.logical {
        return Ok(reference);
    }
    let message = format!("'{address}' is a row of '{}'; expected one of '{}'.", reference.table, target.logical);
    Err(Refusal::bad(BAD_REQUEST, message))
}

fn point(
    store: &mut Store,
    call: &Call,
    table: &'static Table,
    id: Uuid,
    column: &'static Column,
    to: Option<Reference>,
) -> Answer<Response> {
    write::update(store, writer(call), table, id, vec![(column, to.map(Cell::Reference))])?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn bound_action(store: &mut Store, call: &Call, table: &'static Table, id: Uuid, action: &str) -> Answer<Response> {
    if (table.logical.as_str(), action) != ("lead", "QualifyLead") {
        return Err(Refusal::outside(format!("the message '{action}' on '{}'", table.set)));
    }
    let created = actions::qualify(store, writer(call), id, &call.object()?)?;
    let context = format!("{}/$metadata#Collection({ACTION_PREFIX}crmbaseentity)", call.base);
    Ok(read::json_response(StatusCode::OK, &json!({ "@odata.context": context, "value": created })))
}

fn create(store: &mut Store, call: &Call, table: &'static Table) -> Answer<Response> {
    if table.logical == "opportunityclose" {
        return Err(Refusal::outside("creating an opportunityclose directly; use WinOpportunity or LoseOpportunity"));
    }
    let body = call.object()?;
    let values = payload::read(store, &call.base, table, &body, Purpose::Create)?;
    let id = write::create(store, writer(call), table, values, None)?;
    written(store, call, table, id, StatusCode::CREATED)
}

/// `PATCH /set(key)`: an update, or a creation where the row is missing, unless a condition forbids one of them
/// ("Perform conditional operations").
fn upsert(store: &mut Store, call: &Call, table: &'static Table, located: Located) -> Answer<Response> {
    let body = call.object()?;
    let only_create = match call.header("if-none-match") {
        None | Some("null") => false,
        Some("*") => true,
        Some(other) => {
            return Err(Refusal::bad(BAD_REQUEST, format!("If-None-Match: {other} on an update; expected '*'.")));
        }
    };
    if let (true, Some(id)) = (located.exists, located.id) {
        if only_create {
            return Err(Refusal::duplicate());
        }
        if let Some(row) = store.get(table, id) {
            match_version(call, row)?;
        }
        let mut body = body;
        // The key may come along as long as it repeats the address.
        if let Some(given) = body.remove(&table.primary_id)
            && given.as_str().and_then(|given| Uuid::try_parse(given).ok()) != Some(id)
        {
            let message = format!("The '{}' in the payload is not the one in the address.", table.primary_id);
            return Err(Refusal::bad(BAD_REQUEST, message));
        }
        let values = payload::read(store, &call.base, table, &body, Purpose::Update)?;
        write::update(store, writer(call), table, id, values)?;
        return written(store, call, table, id, StatusCode::OK);
    }
    if call.header("if-match").is_some() {
        return Err(match located.id {
            Some(id) => Refusal::missing_row(table, id),
            None => Refusal::missing_key(table),
        });
    }
    let mut values: Values = payload::read(store, &call.base, table, &body, Purpose::Create)?;
    for (column, cell) in located.columns {
        if !values.iter().any(|(given, _)| given.logical == column.logical) {
            values.push((column, Some(cell)));
        }
    }
    let id = write::create(store, writer(call), table, values, located.id)?;
    written(store, call, table, id, StatusCode::CREATED)
}

/// The answer to a create or update: the row with `status` where the client prefers it, else only its address.
fn written(store: &Store, call: &Call, table: &'static Table, id: Uuid, status: StatusCode) -> Answer<Response> {
    let row = store.get(table, id).ok_or_else(|| Refusal::missing_row(table, id))?;
    let response = if call.prefer.representation {
        let mut view = View::read(call.scope(store), &call.options()?, table)?;
        if call.method == Method::PATCH {
            // Documented: $expand is ignored on an update.
            view.expand.clear();
        }
        read::entity(store, call, table, row, &view, status)
    } else {
        StatusCode::NO_CONTENT.into_response()
    };
    Ok(changed(call, table, id, response))
}

/// Adds the address of the written row.
fn changed(call: &Call, table: &Table, id: Uuid, mut response: Response) -> Response {
    if let Ok(address) = HeaderValue::from_str(&format!("{}/{}({id})", call.base, table.set)) {
        response.headers_mut().insert(header::LOCATION, address.clone());
        response.headers_mut().insert("odata-entityid", address);
    }
    response
}

fn match_version(call: &Call, row: &Row) -> Answer<()> {
    match call.header("if-match") {
        None | Some("*") => Ok(()),
        Some(tag) if tag == row.etag() => Ok(()),
        Some(tag) if tag.starts_with("W/\"") && tag.ends_with('"') => Err(Refusal::stale()),
        Some(tag) => Err(Refusal::bad(BAD_REQUEST, format!("If-Match: {tag} is not an entity tag; expected W/\"…\"."))),
    }
}

fn writer(call: &Call) -> Writer {
    Writer { user: call.user, now: call.now }
}

fn only(call: &Call, methods: &[Method]) -> Answer<()> {
    if methods.contains(&call.method) { Ok(()) } else { Err(Refusal::method()) }
}

fn unresolved() -> Refusal {
    let message = "Request message has unresolved parameters. A bound action is called by its full name, such as \
                   Microsoft.Dynamics.CRM.QualifyLead.";
    Refusal::bad(BAD_REQUEST, message)
}

fn service(store: &Store, call: &Call) -> Answer<Response> {
    only(call, &[Method::GET])?;
    let sets: Vec<Value> = store
        .schema()
        .tables()
        .map(|table| json!({ "name": table.set, "kind": "EntitySet", "url": table.set }))
        .collect();
    let context = format!("{}/$metadata", call.base);
    Ok(read::json_response(StatusCode::OK, &json!({ "@odata.context": context, "value": sets })))
}

fn who_am_i(call: &Call) -> Response {
    read::json_response(
        StatusCode::OK,
        &json!({
            "@odata.context": format!("{}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse", call.base),
            "BusinessUnitId": super::platform_id(&call.base, "businessunit"),
            "UserId": call.user,
            "OrganizationId": super::platform_id(&call.base, "organization"),
        }),
    )
}
