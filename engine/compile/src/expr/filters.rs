//! The filters that mappings between business systems need, beside the engine's own.
//!
//! All of them pass null through: what is not there cannot be converted, and stays not there.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use minijinja::value::{Rest, Serde, Value};
use minijinja::{Error, ErrorKind};
use serde_json::Value as Json;

/// A plain value as the engine holds it.
pub(crate) fn to_engine(value: &Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(*truth),
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Value::from(number),
            (_, Some(number), _) => Value::from(number),
            (_, _, number) => Value::from(number.unwrap_or(0.0)),
        },
        compound => Value::from(Serde(compound)),
    }
}

/// The engine's value as a plain one; what is undefined is null.
pub(crate) fn to_json(value: &Value) -> Result<Json, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(Json::Null);
    }
    if let Some(text) = value.as_str() {
        return Ok(Json::String(text.to_owned()));
    }
    serde_json::to_value(value)
        .map_err(|error| invalid(format!("this value cannot be written as JSON: {error}")))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn absent(value: &Value) -> bool {
    value.is_undefined() || value.is_none()
}

fn text<'v>(value: &'v Value, filter: &str) -> Result<&'v str, Error> {
    value.as_str().ok_or_else(|| invalid(format!("`{filter}` takes text, and this is {}", value.kind())))
}

/// `is null`: null, or a member that is missing.
pub(crate) fn is_null(value: &Value) -> bool {
    absent(value)
}

/// `is defined`: there, and not null.
pub(crate) fn is_present(value: &Value) -> bool {
    !absent(value)
}

/// `x | default('a')`: `x`, or `a` where `x` is null or missing; with `true`, also where `x` is empty or false.
pub(crate) fn default(value: Value, other: Value, also_empty: Option<bool>) -> Value {
    let empty = absent(&value) || also_empty.unwrap_or(false) && !value.is_true();
    if empty { other } else { value }
}

fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()))
        .or_else(|| text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()))
}

fn no_date(text: &str) -> Error {
    invalid(format!("`{text}` is not a date or a time; expected a form such as 2026-11-02 or 2026-11-02T08:15:30Z"))
}

/// `x | date`: the date alone, `2026-11-02`; an instant counts by its date in UTC.
pub(crate) fn date(value: Value) -> Result<Value, Error> {
    if absent(&value) || value.as_str() == Some("") {
        return Ok(Value::from(()));
    }
    let text = text(&value, "date")?;
    let instant = instant(text).ok_or_else(|| no_date(text))?;
    Ok(Value::from(instant.to_zoned(TimeZone::UTC).date().to_string()))
}

/// `x | datetime`: the instant in UTC, `2026-11-02T00:00:00Z`; a date alone counts as its midnight.
pub(crate) fn datetime(value: Value) -> Result<Value, Error> {
    if absent(&value) || value.as_str() == Some("") {
        return Ok(Value::from(()));
    }
    let text = text(&value, "datetime")?;
    Ok(Value::from(instant(text).ok_or_else(|| no_date(text))?.to_string()))
}

/// `x | money`: a number with two decimals; text such as `"10000"` is read as the number it shows.
pub(crate) fn money(value: Value, decimals: Option<u32>) -> Result<Value, Error> {
    let number = match value.as_str() {
        _ if absent(&value) => return Ok(value),
        Some(text) => text.trim().parse::<f64>().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    let number = number.filter(|n| n.is_finite()).ok_or_else(|| invalid(format!("`{value}` is not an amount of money")))?;
    let scale = 10f64.powi(i32::try_from(decimals.unwrap_or(2).min(10)).unwrap_or(2));
    Ok(whole_if_whole((number * scale).round() / scale))
}

/// Whole amounts are whole numbers, so that 84000 and 84000.0 compare and print alike.
fn whole_if_whole(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within the exact range")]
        return Value::from(number as i64);
    }
    Value::from(number)
}

/// `x | shorten(300)`: at most so many characters; a longer text ends in `…`.
pub(crate) fn shorten(value: Value, length: usize) -> Result<Value, Error> {
    if absent(&value) {
        return Ok(value);
    }
    let full = text(&value, "shorten")?;
    if full.chars().count() <= length {
        return Ok(value);
    }
    let kept: String = full.chars().take(length.saturating_sub(1)).collect();
    Ok(Value::from(kept.trim_end().to_owned() + if length == 0 { "" } else { "…" }))
}

/// `x | without('✔', '✖')`: the text with these marks, and the space beside them, taken off both ends.
pub(crate) fn without(value: Value, marks: Rest<String>) -> Result<Value, Error> {
    if absent(&value) {
        return Ok(value);
    }
    let mut rest = text(&value, "without")?.trim();
    loop {
        let before = rest;
        for mark in marks.iter().filter(|mark| !mark.is_empty()) {
            rest = rest.strip_prefix(mark.as_str()).unwrap_or(rest);
            rest = rest.strip_suffix(mark.as_str()).unwrap_or(rest).trim();
        }
        if rest == before {
            return Ok(Value::from(rest));
        }
    }
}

/// `x | last_segment`: what stands behind the last `/` of an address.
pub(crate) fn last_segment(value: Value) -> Result<Value, Error> {
    if absent(&value) {
        return Ok(value);
    }
    let address = text(&value, "last_segment")?;
    let path = address.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    Ok(Value::from(path.rsplit('/').next().unwrap_or_default()))
}

/// `x | country`: a two-letter country code in capitals, or null where `x` is none.
pub(crate) fn country(value: Value) -> Value {
    match value.as_str().map(str::trim) {
        Some(code) if code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()) => {
            Value::from(code.to_ascii_uppercase())
        }
        _ => Value::from(()),
    }
}

/// `x | guid`: a GUID in lower case without braces, or null where `x` is none.
pub(crate) fn guid(value: Value) -> Value {
    let Some(text) = value.as_str() else { return Value::from(()) };
    let bare = text.trim().trim_start_matches('{').trim_end_matches('}').to_ascii_lowercase();
    let hyphens = [8, 13, 18, 23];
    let right = bare.len() == 36
        && bare.bytes().enumerate().all(|(at, b)| if hyphens.contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() });
    if right { Value::from(bare) } else { Value::from(()) }
}

/// `x | lookup({'Won': 3, 'Lost': 5})`: what the table says for `x`; an error, or the second argument, where it says nothing.
pub(crate) fn lookup(value: Value, table: Value, otherwise: Option<Value>) -> Result<Value, Error> {
    if absent(&value) {
        return Ok(Value::from(()));
    }
    let found = table.get_item(&value).ok().filter(|found| !found.is_undefined());
    found.or(otherwise).ok_or_else(|| {
        let keys: Vec<String> = table.try_iter().map(|keys| keys.map(|k| k.to_string()).collect()).unwrap_or_default();
        invalid(format!("the table has no `{value}`; it has {}", keys.join(", ")))
    })
}

/// `a | merge(b)`: the map `a` with the members of `b` over it.
pub(crate) fn merge(value: Value, over: Value) -> Result<Value, Error> {
    let mut merged = match to_json(&value)? {
        Json::Null => serde_json::Map::new(),
        Json::Object(map) => map,
        _ => return Err(invalid(format!("`merge` takes a map, and this is {}", value.kind()))),
    };
    match to_json(&over)? {
        Json::Null => {}
        Json::Object(map) => merged.extend(map),
        _ => return Err(invalid(format!("`merge` takes a map to put over it, and that is {}", over.kind()))),
    }
    Ok(to_engine(&Json::Object(merged)))
}

/// `x | omit('a', 'b')`: the map without these members.
pub(crate) fn omit(value: Value, names: Rest<String>) -> Result<Value, Error> {
    match to_json(&value)? {
        Json::Null => Ok(Value::from(())),
        Json::Object(mut map) => {
            map.retain(|key, _| !names.contains(key));
            Ok(to_engine(&Json::Object(map)))
        }
        _ => Err(invalid(format!("`omit` takes a map, and this is {}", value.kind()))),
    }
}

/// `x | json`: `x` as compact JSON text.
pub(crate) fn json(value: Value) -> Result<String, Error> {
    Ok(to_json(&value)?.to_string())
}

/// `x | parse_json`: the value that JSON text holds.
pub(crate) fn parse_json(value: Value) -> Result<Value, Error> {
    if absent(&value) {
        return Ok(value);
    }
    let parsed: Json = serde_json::from_str(text(&value, "parse_json")?).map_err(|e| invalid(format!("not JSON: {e}")))?;
    Ok(to_engine(&parsed))
}

/// `x | jsonpath('$.a[*].b')`: the list of everything the path selects.
pub(crate) fn jsonpath(value: Value, path: &str) -> Result<Value, Error> {
    let found = super::jsonpath::select(path, &to_json(&value)?).map_err(invalid)?;
    Ok(to_engine(&Json::Array(found)))
}

/// `x | jsonpath_first('$.a[*].b')`: the first thing the path selects, or null.
pub(crate) fn jsonpath_first(value: Value, path: &str) -> Result<Value, Error> {
    let found = super::jsonpath::select(path, &to_json(&value)?).map_err(invalid)?;
    Ok(found.first().map_or_else(|| Value::from(()), to_engine))
}
