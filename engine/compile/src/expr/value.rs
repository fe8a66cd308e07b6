//! Values on their way into the engine and out of it, and how they read as text.
//!
//! The engine knows two kinds of nothing. Here there is one: null goes in as the engine's "undefined", so that a member
//! that is missing and one that is null are equal, and both are empty in text.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::{Map, Number, Value as Json};

use super::budget;

/// A plain value as the engine holds it.
pub(crate) fn to_engine(value: &Json) -> Value {
    match value {
        Json::Null => Value::UNDEFINED,
        Json::Bool(truth) => Value::from(*truth),
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Value::from(number),
            (_, Some(number), _) => Value::from(number),
            (_, _, number) => Value::from(number.unwrap_or(0.0)),
        },
        Json::Array(items) => Value::from(items.iter().map(to_engine).collect::<Vec<_>>()),
        Json::Object(map) => Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), to_engine(value)))),
    }
}

/// The engine's value as a plain one.
pub(crate) fn to_json(value: &Value) -> Result<Json, Error> {
    budget::spend(1)?;
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => Json::Number(number(value)?),
        ValueKind::String => Json::String(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Seq | ValueKind::Iterable => {
            Json::Array(value.try_iter()?.map(|item| to_json(&item)).collect::<Result<_, _>>()?)
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter()? {
                map.insert(
                    key.as_str().map_or_else(|| key.to_string(), str::to_owned),
                    to_json(&value.get_item(&key)?)?,
                );
            }
            Json::Object(map)
        }
        _ => return Err(invalid(value.to_string())),
    })
}

fn number(value: &Value) -> Result<Number, Error> {
    let whole = || value.as_i64().map(Number::from).or_else(|| u64::try_from(value.clone()).ok().map(Number::from));
    let number =
        if value.is_integer() { whole() } else { f64::try_from(value.clone()).ok().and_then(Number::from_f64) };
    number.ok_or_else(|| invalid(format!("the number {value} is too large")))
}

/// Adds a value to text by the language's own rules: null is nothing, `true` is `true`, 5.0 is `5`.
pub(crate) fn append(text: &mut String, value: &Json) -> Result<(), &'static str> {
    match value {
        Json::Null => {}
        Json::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Json::String(inner) => text.push_str(inner),
        Json::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            // Never with an exponent: 1e22 is no amount that a CRM would take.
            Some(broken) => text.push_str(&broken.to_string()),
            None => text.push_str(&number.to_string()),
        },
        Json::Array(_) => return Err("a list"),
        Json::Object(_) => return Err("a map"),
    }
    Ok(())
}

/// The engine's value as text, by the same rules. `what` says who asks, for the message.
pub(crate) fn text_of(value: &Value, what: &str) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
        return Err(invalid(format!("{what} takes text, and this is {}", kind(value))));
    }
    let mut text = String::new();
    append(&mut text, &to_json(value)?).map_err(invalid)?;
    Ok(text)
}

/// What a value is, in words for people.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => "null",
        ValueKind::Bool => "true or false",
        ValueKind::Number => "a number",
        ValueKind::String => "text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "no value",
    }
}

/// Whether a value is null.
pub(crate) fn absent(value: &Value) -> bool {
    value.is_undefined() || value.is_none()
}

/// An error of an expression.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}
