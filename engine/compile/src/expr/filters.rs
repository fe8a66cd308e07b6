//! The filters that mappings between business systems need, beside the engine's own.
//!
//! Null never arrives here, unless a filter says otherwise: what is not there cannot be converted, and stays not there
//! (see [`super::environment`]).

use minijinja::Error;
use minijinja::value::{Rest, Value, ValueKind};
use serde_json::Value as Json;

use super::value::{absent, invalid, kind, text_of, to_engine, to_json};
use super::{budget, jsonpath as paths};
use crate::notation::{self, Moment};

fn text<'v>(value: &'v Value, filter: &str) -> Result<&'v str, Error> {
    value.as_str().ok_or_else(|| invalid(format!("`{filter}` takes text, and this is {}", kind(value))))
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

/// `x | bool`: whether `x` counts as true; null does not.
pub(crate) fn bool(value: Value) -> bool {
    value.is_true()
}

/// `x | string`: `x` as text, as it would stand in text.
pub(crate) fn string(value: Value) -> Result<String, Error> {
    text_of(&value, "`string`")
}

/// `x | int`: a whole number; broken ones are cut, text is read; `x | int(0)` gives 0 where it shows no number.
pub(crate) fn int(value: Value, otherwise: Option<Value>) -> Result<Value, Error> {
    if value.is_integer() {
        return Ok(value);
    }
    if let Some(whole) = value.as_str().and_then(|text| text.trim().parse::<i64>().ok()) {
        return Ok(Value::from(whole));
    }
    let whole = shown_number(&value).filter(|number| number.abs() < 9e18);
    #[expect(clippy::cast_possible_truncation, reason = "within the range, and cut on purpose")]
    let whole = whole.map(|number| Value::from(number as i64));
    whole.or(otherwise).ok_or_else(|| no_number("int", &value))
}

/// `x | float`: a number, whole ones too as broken ones; text is read; `x | float(0)` gives 0 where it shows no number.
pub(crate) fn float(value: Value, otherwise: Option<Value>) -> Result<Value, Error> {
    shown_number(&value).map(Value::from).or(otherwise).ok_or_else(|| no_number("float", &value))
}

/// The number that a value is, or shows as text; true is 1.
fn shown_number(value: &Value) -> Option<f64> {
    let number = match (value.kind(), value.as_str()) {
        (_, Some(text)) => text.trim().parse().ok(),
        (ValueKind::Bool, _) => Some(f64::from(u8::from(value.is_true()))),
        (ValueKind::Number, _) => f64::try_from(value.clone()).ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

fn no_number(filter: &str, value: &Value) -> Error {
    let given = value.as_str().map_or_else(|| kind(value).to_owned(), |text| format!("`{text}`"));
    invalid(format!("`{filter}` takes a number, or text that shows one, and this is {given}"))
}

/// `x | replace('a', 'b')`: the text with every `a` made a `b`.
pub(crate) fn replace(value: Value, from: Value, to: Value) -> Result<Value, Error> {
    let (full, from, to) = (text(&value, "replace")?, text_of(&from, "`replace`")?, text_of(&to, "`replace`")?);
    if from.is_empty() {
        return Err(invalid("`replace` takes the text to replace, and this is empty"));
    }
    let found = full.matches(&from).count();
    budget::spend((found * to.len()) as u64)?;
    Ok(Value::from(full.replace(&from, &to)))
}

/// `list | join(', ')`: the items as text, one behind the other; null items are empty.
pub(crate) fn join(value: Value, separator: Option<Value>) -> Result<Value, Error> {
    let separator = separator.map_or(Ok(String::new()), |separator| text_of(&separator, "`join`"))?;
    let mut joined = String::new();
    for (at, item) in value.try_iter()?.enumerate() {
        let item = text_of(&item, "an item of `join`")?;
        budget::spend((item.len() + separator.len()) as u64)?;
        if at > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&item);
    }
    Ok(Value::from(joined))
}

fn moment(value: &Value, filter: &str) -> Result<Option<Moment>, Error> {
    let text = text(value, filter)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let moment = Moment::read(text).ok_or_else(|| {
        invalid(format!("`{text}` is not a date or a time; expected a form such as 2026-11-02 or 2026-11-02T08:15:30Z"))
    });
    moment.map(Some)
}

/// `x | date`: the date alone, `2026-11-02`; an instant counts by its date in UTC. Empty text is null.
pub(crate) fn date(value: Value) -> Result<Value, Error> {
    Ok(moment(&value, "date")?.map_or(Value::UNDEFINED, |moment| Value::from(moment.date())))
}

/// `x | datetime`: the instant in UTC, `2026-11-02T00:00:00Z`; a date alone counts as its midnight. Empty text is null.
pub(crate) fn datetime(value: Value) -> Result<Value, Error> {
    Ok(moment(&value, "datetime")?.map_or(Value::UNDEFINED, |moment| Value::from(moment.instant())))
}

/// `x | money`: a number with two decimals; text such as `"10000"` is read as the number it shows. Empty text is null.
pub(crate) fn money(value: Value, decimals: Option<u32>) -> Result<Value, Error> {
    if value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(Value::UNDEFINED);
    }
    let number = shown_number(&value).filter(|_| value.kind() != ValueKind::Bool);
    let amount = number.and_then(|number| notation::amount(number, decimals.unwrap_or(2).min(10)));
    amount.map(|amount| to_engine(&amount)).ok_or_else(|| invalid(format!("`{value}` is not an amount of money")))
}

/// `x | shorten(300)`: at most so many characters; a longer text ends in `…`.
pub(crate) fn shorten(value: Value, length: usize) -> Result<Value, Error> {
    let full = text(&value, "shorten")?;
    if full.chars().count() <= length {
        return Ok(value);
    }
    let kept: String = full.chars().take(length.saturating_sub(1)).collect();
    Ok(Value::from(kept.trim_end().to_owned() + if length == 0 { "" } else { "…" }))
}

/// `x | without('✔', '✖')`: the text with these marks, and the space beside them, taken off both ends.
pub(crate) fn without(value: Value, marks: Rest<String>) -> Result<Value, Error> {
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
    let address = text(&value, "last_segment")?;
    let path = address.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    Ok(Value::from(path.rsplit('/').next().unwrap_or_default()))
}

/// `x | country`: a two-letter country code in capitals, or null where `x` is none.
pub(crate) fn country(value: Value) -> Value {
    value.as_str().and_then(notation::country).map_or(Value::UNDEFINED, Value::from)
}

/// `x | guid`: a GUID in lower case without braces, or null where `x` is none.
pub(crate) fn guid(value: Value) -> Value {
    value.as_str().and_then(notation::guid).map_or(Value::UNDEFINED, Value::from)
}

/// `x | lookup({'Won': 3, 'Lost': 5})`: what the table says for `x`; an error, or the second argument, where it says nothing.
pub(crate) fn lookup(value: Value, table: Value, otherwise: Option<Value>) -> Result<Value, Error> {
    if table.kind() != ValueKind::Map {
        return Err(invalid(format!("`lookup` takes a map as its table, and this is {}", kind(&table))));
    }
    let keys: Vec<Value> = table.try_iter()?.collect();
    budget::spend(keys.len() as u64)?;
    if keys.contains(&value) {
        return table.get_item(&value);
    }
    otherwise.ok_or_else(|| {
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        invalid(format!("the table has no `{value}`; it has {}", keys.join(", ")))
    })
}

/// `a | merge(b)`: the map `a` with the members of `b` over it; null counts as an empty map, on either side.
pub(crate) fn merge(value: Value, over: Value) -> Result<Value, Error> {
    let mut merged = members(&value, "merge")?;
    merged.extend(members(&over, "merge")?);
    Ok(to_engine(&Json::Object(merged)))
}

fn members(value: &Value, filter: &str) -> Result<serde_json::Map<String, Json>, Error> {
    match to_json(value)? {
        Json::Null => Ok(serde_json::Map::new()),
        Json::Object(map) => Ok(map),
        _ => Err(invalid(format!("`{filter}` takes a map, and this is {}", kind(value)))),
    }
}

/// `x | omit('a', 'b')`: the map without these members.
pub(crate) fn omit(value: Value, names: Rest<String>) -> Result<Value, Error> {
    let mut map = members(&value, "omit")?;
    map.retain(|key, _| !names.contains(key));
    Ok(to_engine(&Json::Object(map)))
}

/// `x | pick('a', 'b')`: just these members of the map, as far as it has them.
pub(crate) fn pick(value: Value, names: Rest<String>) -> Result<Value, Error> {
    let mut map = members(&value, "pick")?;
    map.retain(|key, _| names.contains(key));
    Ok(to_engine(&Json::Object(map)))
}

/// `x | json`: `x` as compact JSON text; null too.
pub(crate) fn json(value: Value) -> Result<String, Error> {
    Ok(to_json(&value)?.to_string())
}

/// `x | parse_json`: the value that JSON text holds.
pub(crate) fn parse_json(value: Value) -> Result<Value, Error> {
    let parsed: Json = serde_json::from_str(text(&value, "parse_json")?)
        .map_err(|error| invalid(format!("this text is not JSON: {error}")))?;
    Ok(to_engine(&parsed))
}

/// `x | jsonpath('$.a[*].b')`: the list of everything the path selects; an empty list for null.
pub(crate) fn jsonpath(value: Value, path: &str) -> Result<Value, Error> {
    let found = paths::select(path, &to_json(&value)?).map_err(invalid)?;
    Ok(to_engine(&Json::Array(found)))
}

/// `x | jsonpath_first('$.a[*].b')`: the first thing the path selects, or null.
pub(crate) fn jsonpath_first(value: Value, path: &str) -> Result<Value, Error> {
    let found = paths::select(path, &to_json(&value)?).map_err(invalid)?;
    Ok(found.first().map_or(Value::UNDEFINED, to_engine))
}
