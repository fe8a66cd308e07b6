//! Reads: single rows with entity tags, collections with pages, counts, single properties, navigation.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::call::{Call, Options, PAGE_LIMIT};
use super::cell::{Cell, SortKey};
use super::errors::{Answer, BAD_REQUEST, Refusal};
use super::query::{Relation, View};
use super::schema::{Column, Table};
use super::store::{Row, Store};
use super::{delta, fetch, show};

/// Where the next page starts: after the row with these positions in the ordering, the id last.
#[derive(Serialize, Deserialize)]
struct SkipToken {
    after: Vec<SortKey>,
    /// The delta token that the last page shall carry, where changes are tracked.
    delta: Option<String>,
}

/// `GET /set(id)`.
pub(super) fn single(store: &Store, call: &Call, table: &'static Table, row: &Row) -> Answer<Response> {
    let view = View::read(call.scope(store), &call.options()?, table)?;
    if view.filter.is_some() || !view.order.is_empty() || view.top.is_some() || view.count {
        let message = "Only $select and $expand can be applied to a single row.";
        return Err(Refusal::bad(BAD_REQUEST, message));
    }
    // A 304 cannot speak for expanded rows or annotations, which change without this row's version.
    if view.expand.is_empty()
        && call.prefer.annotations.is_empty()
        && call.header("if-none-match") == Some(row.etag().as_str())
    {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    Ok(entity(store, call, table, row, &view, StatusCode::OK))
}

/// A response that carries one row.
pub(super) fn entity(
    store: &Store,
    call: &Call,
    table: &'static Table,
    row: &Row,
    view: &View,
    status: StatusCode,
) -> Response {
    let context = format!("{}/$metadata#{}{}/$entity", call.base, table.set, view.context());
    let mut object = Map::new();
    object.insert("@odata.context".to_owned(), json!(context));
    object.extend(show::row(store, table, row, view, &call.prefer));
    let mut response = json_response(status, &Value::Object(object));
    if let Ok(etag) = HeaderValue::from_str(&row.etag()) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    preferences_applied(call, &mut response);
    response
}

/// `GET /set`, and collections behind navigation properties: `rows` before the query narrows them.
pub(super) fn collection(store: &Store, call: &Call, table: &'static Table, rows: Vec<&Row>) -> Answer<Response> {
    let options = call.options()?;
    if let Some(xml) = options.get("fetchXml") {
        if options.system.len() > 1 {
            return Err(Refusal::bad(BAD_REQUEST, "fetchXml cannot be combined with other query options."));
        }
        return fetch::answer(store, call, table, xml);
    }
    let view = View::read(call.scope(store), &options, table)?;
    if view.top.is_some() && call.prefer.page.is_some() {
        let message = "$top cannot be combined with the preference odata.maxpagesize; use one of them.";
        return Err(Refusal::bad(BAD_REQUEST, message));
    }
    let token = skip_token(&options)?;
    if options.get("$deltatoken").is_some() {
        return delta::changes(store, call, table, &options, &view);
    }
    let tracked = match &token {
        Some(token) => token.delta.clone(),
        None if call.prefer.track_changes => {
            delta::check(&options)?;
            Some(delta::token(store, call.now))
        }
        None => None,
    };
    let rows = sorted(store, rows, &view);
    let total = rows.len();
    let start = token.as_ref().map_or(0, |token| {
        rows.partition_point(|row| compare(&position(store, row, &view), &token.after, &view).is_le())
    });
    let limit = view.top.or(call.prefer.page).unwrap_or(PAGE_LIMIT);
    let page: Vec<Value> = rows
        .iter()
        .skip(start)
        .take(limit)
        .map(|row| Value::Object(show::row(store, table, row, &view, &call.prefer)))
        .collect();
    let last = rows.get(start + limit - 1).filter(|_| view.top.is_none() && start + limit < total);

    let mut object = Map::new();
    object
        .insert("@odata.context".to_owned(), json!(format!("{}/$metadata#{}{}", call.base, table.set, view.context())));
    if view.count {
        object.insert("@odata.count".to_owned(), json!(total.min(PAGE_LIMIT)));
    }
    if call.prefer.wants("Microsoft.Dynamics.CRM.totalrecordcount") {
        let shown = if view.count { json!(total.min(PAGE_LIMIT)) } else { json!(-1) };
        object.insert("@Microsoft.Dynamics.CRM.totalrecordcount".to_owned(), shown);
        let exceeded = view.count && total > PAGE_LIMIT;
        object.insert("@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded".to_owned(), json!(exceeded));
    }
    object.insert("value".to_owned(), Value::Array(page));
    if let Some(last) = last {
        let token = SkipToken { after: position(store, last, &view), delta: tracked };
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default());
        object.insert("@odata.nextLink".to_owned(), json!(link(call, "$skiptoken", &text)));
    } else if let Some(delta) = tracked {
        object.insert("@odata.deltaLink".to_owned(), json!(link(call, "$deltatoken", &delta)));
    }
    let mut response = json_response(StatusCode::OK, &Value::Object(object));
    preferences_applied(call, &mut response);
    Ok(response)
}

/// `GET …/$count`: the number of rows as text.
pub(super) fn count(store: &Store, call: &Call, table: &'static Table, rows: Vec<&Row>) -> Answer<Response> {
    let options = call.options()?;
    let view = View::read(call.scope(store), &options, table)?;
    let total = match options.get("$deltatoken") {
        Some(token) => delta::count(store, table, token, call.now)?,
        None => sorted(store, rows, &view).len(),
    };
    Ok(total.min(PAGE_LIMIT).to_string().into_response())
}

/// `GET /set(id)/column`, or its raw value.
pub(super) fn property(call: &Call, table: &Table, row: &Row, column: &Column, raw: bool) -> Response {
    let Some(cell) = row.get(column) else {
        return StatusCode::NO_CONTENT.into_response();
    };
    if raw {
        return match cell.to_json() {
            Value::String(text) => text.into_response(),
            other => other.to_string().into_response(),
        };
    }
    let context = format!("{}/$metadata#{}({})/{}", call.base, table.set, row.id, column.property());
    json_response(StatusCode::OK, &json!({ "@odata.context": context, "value": cell.to_json() }))
}

/// `GET /set(id)/navigation`, or with `$ref` only the addresses of the rows.
pub(super) fn navigation(
    store: &Store,
    call: &Call,
    table: &'static Table,
    row: &Row,
    relation: Relation,
    only_references: bool,
) -> Answer<Response> {
    let address = |table: &Table, row: &Row| format!("{}/{}({})", call.base, table.set, row.id);
    match relation {
        Relation::One(_, target) => {
            let related = relation.rows(store, table, row).first().map(|(_, row)| *row);
            match related {
                None => Ok(StatusCode::NO_CONTENT.into_response()),
                Some(related) if only_references => {
                    let context = format!("{}/$metadata#$ref", call.base);
                    let body = json!({ "@odata.context": context, "@odata.id": address(target, related) });
                    Ok(json_response(StatusCode::OK, &body))
                }
                Some(related) => single(store, call, target, related),
            }
        }
        Relation::Many(target, _) | Relation::Linked(target, ..) => {
            let rows: Vec<&Row> = relation.rows(store, table, row).into_iter().map(|(_, row)| row).collect();
            if !only_references {
                return collection(store, call, target, rows);
            }
            let context = format!("{}/$metadata#Collection($ref)", call.base);
            let ids: Vec<Value> = rows.iter().map(|row| json!({ "@odata.id": address(target, row) })).collect();
            Ok(json_response(StatusCode::OK, &json!({ "@odata.context": context, "value": ids })))
        }
    }
}

/// The rows that meet the view's condition, in its order; rows that tie keep the order of their ids.
pub(super) fn sorted<'a>(store: &'a Store, rows: Vec<&'a Row>, view: &View) -> Vec<&'a Row> {
    let mut keyed: Vec<_> = rows
        .into_iter()
        .filter(|row| view.filter.as_ref().is_none_or(|filter| filter.holds(store, row)))
        .map(|row| (position(store, row, view), row))
        .collect();
    keyed.sort_by(|(left, _), (right, _)| compare(left, right, view));
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// The place of `row` in the view's ordering. A lookup sorts by the name of the row it points at.
fn position(store: &Store, row: &Row, view: &View) -> Vec<SortKey> {
    let mut keys: Vec<SortKey> = view
        .order
        .iter()
        .map(|(path, _)| match path.read(store, row) {
            None => SortKey::Null,
            Some(Cell::Reference(reference)) => store
                .follow(*reference)
                .and_then(|(table, target)| target.text(table.primary_name))
                .map_or(SortKey::Null, |name| SortKey::Text(name.to_lowercase())),
            Some(cell) => cell.sort_key(),
        })
        .collect();
    keys.push(SortKey::Text(row.id.to_string()));
    keys
}

fn compare(left: &[SortKey], right: &[SortKey], view: &View) -> std::cmp::Ordering {
    for (at, (left, right)) in left.iter().zip(right).enumerate() {
        let order = left.order(right);
        let falls = view.order.get(at).is_some_and(|(_, falls)| *falls);
        let order = if falls { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    std::cmp::Ordering::Equal
}

fn skip_token(options: &Options) -> Answer<Option<SkipToken>> {
    let Some(text) = options.get("$skiptoken") else {
        return Ok(None);
    };
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let token = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    token
        .map(Some)
        .ok_or_else(|| Refusal::bad(BAD_REQUEST, "The $skiptoken is malformed; follow nextLink as it was given."))
}

/// The address of this request with option `name` set to `value`, and without older tokens.
pub(super) fn link(call: &Call, name: &str, value: &str) -> String {
    let keep = call.query.split('&').filter(|pair| {
        let option = pair.split('=').next().unwrap_or_default();
        let option = super::address::decode(option);
        !pair.is_empty() && option != "$skiptoken" && option != "$deltatoken"
    });
    let query: String = keep.map(|pair| format!("{pair}&")).collect();
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    format!("{}/{}?{query}{name}={encoded}", call.base, call.path)
}

/// A JSON answer as the Web API labels it.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json; odata.metadata=minimal")];
    (status, kind, body.to_string()).into_response()
}

/// Tells which preferences were honoured.
pub(super) fn preferences_applied(call: &Call, response: &mut Response) {
    let mut applied = Vec::new();
    if call.prefer.representation && call.method != axum::http::Method::GET {
        applied.push("return=representation".to_owned());
    }
    if !call.prefer.annotations.is_empty() {
        applied.push(format!("odata.include-annotations=\"{}\"", call.prefer.annotations.join(",")));
    }
    if let Some(page) = call.prefer.page {
        applied.push(format!("odata.maxpagesize={page}"));
    }
    if call.prefer.track_changes {
        applied.push("odata.track-changes".to_owned());
    }
    if let Ok(value) = HeaderValue::from_str(&applied.join(","))
        && !applied.is_empty()
    {
        response.headers_mut().insert("preference-applied", value);
    }
}
