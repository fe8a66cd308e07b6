//! How a value looks on one side of a mapping.

use serde_json::Value;

use crate::expr::value::append;
use crate::notation::{self, Moment};

/// How values of a field look on its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Whatever it is, unchanged.
    Any,
    /// Text of at most so many characters, where there is a limit; empty text is no value.
    Text {
        /// The limit.
        length: Option<u32>,
    },
    /// A date without a time: `2026-11-02`.
    Date,
    /// An instant in UTC: `2026-11-02T00:00:00Z`.
    DateTime,
    /// A number with two decimals; text that shows a number counts as it.
    Money,
    /// A whole number.
    Integer,
    /// True or false; no value counts as false.
    Boolean,
    /// A two-letter country code in capitals.
    Country,
    /// A GUID in lower case.
    Guid,
}

impl Form {
    /// Every form with its word in YAML.
    pub const WORDS: [(&'static str, Form); 9] = [
        ("any", Form::Any),
        ("text", Form::Text { length: None }),
        ("date", Form::Date),
        ("datetime", Form::DateTime),
        ("money", Form::Money),
        ("integer", Form::Integer),
        ("boolean", Form::Boolean),
        ("country", Form::Country),
        ("guid", Form::Guid),
    ];

    /// Its word in YAML.
    pub fn word(self) -> &'static str {
        let same = |known: Form| std::mem::discriminant(&known) == std::mem::discriminant(&self);
        Self::WORDS.into_iter().find(|(_, known)| same(*known)).map_or("any", |(word, _)| word)
    }

    /// How long texts may be, where there is a limit.
    pub fn length(self) -> Option<u32> {
        match self {
            Form::Text { length } => length,
            _ => None,
        }
    }

    /// A value as found on this side, in the neutral form between the sides; null where there is none.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub(crate) fn read(self, value: &Value) -> Result<Value, String> {
        if self != Form::Any && is_empty(value) {
            return Ok(if self == Form::Boolean { Value::Bool(false) } else { Value::Null });
        }
        let read = match (self, value) {
            (Form::Any, value) => Some(value.clone()),
            (Form::Text { .. }, Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
                let mut text = String::new();
                append(&mut text, value).is_ok().then_some(Value::String(text))
            }
            (Form::Date | Form::DateTime, Value::String(text)) => Moment::read(text).map(|_| value.clone()),
            (Form::Money, Value::String(text)) => text.trim().parse().ok().and_then(notation::plain_number),
            (Form::Money, Value::Number(amount)) => amount.as_f64().and_then(notation::plain_number),
            (Form::Integer, Value::Number(number)) if number.is_f64() => {
                number.as_f64().and_then(notation::plain_number).filter(|number| !number.is_f64())
            }
            (Form::Integer, Value::Number(_)) | (Form::Boolean, Value::Bool(_)) => Some(value.clone()),
            (Form::Country, Value::String(text)) => notation::country(text).map(Value::String),
            (Form::Guid, Value::String(text)) => notation::guid(text).map(Value::String),
            _ => None,
        };
        read.ok_or_else(|| format!("{value} is not {}", self.describe()))
    }

    /// A neutral value as this side has it; null where there is none.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub(crate) fn write(self, value: &Value) -> Result<Value, String> {
        let value = self.read(value)?;
        Ok(match (self, &value) {
            (Form::Text { length: Some(length) }, Value::String(text)) => Value::String(cut(text, length)),
            (Form::Date, Value::String(text)) => {
                Moment::read(text).map_or(Value::Null, |moment| Value::String(moment.date()))
            }
            (Form::DateTime, Value::String(text)) => {
                Moment::read(text).map_or(Value::Null, |moment| Value::String(moment.instant()))
            }
            (Form::Money, Value::Number(amount)) => {
                amount.as_f64().and_then(|amount| notation::amount(amount, DECIMALS)).unwrap_or(value)
            }
            _ => value,
        })
    }

    /// In words, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Form::Any => "a value",
            Form::Text { .. } => "text",
            Form::Date => "a date",
            Form::DateTime => "a date or a time",
            Form::Money => "an amount of money",
            Form::Integer => "a whole number",
            Form::Boolean => "true or false",
            Form::Country => "a two-letter country code (ISO 3166-1 alpha-2), such as US",
            Form::Guid => "a GUID",
        }
    }
}

/// Decimals of an amount of money.
const DECIMALS: u32 = 2;

/// Whether a value is none: null, or text without anything to be seen in it.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// The first `length` characters, the last of them `…` where something is left out.
fn cut(text: &str, length: u32) -> String {
    let length = length as usize;
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(length.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GUID: &str = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";

    #[test]
    fn each_form_writes_what_it_can_read_and_says_what_it_cannot() {
        let cut = Form::Text { length: Some(4) };
        for (form, given, written) in [
            (Form::Any, json!({"a": [1]}), json!({"a": [1]})),
            (Form::Any, json!(""), json!("")),
            (cut, json!("grün"), json!("grün")),
            (cut, json!("grüner"), json!("grü…")),
            (cut, json!(5.0), json!("5")),
            (cut, json!(true), json!("true")),
            (cut, json!("  "), json!(null)),
            (Form::Date, json!("2026-11-02T23:30:00-05:00"), json!("2026-11-03")),
            (Form::Date, json!("2026-11-02"), json!("2026-11-02")),
            (Form::DateTime, json!("2026-11-02"), json!("2026-11-02T00:00:00Z")),
            (Form::DateTime, json!("2026-11-02T08:15:30.500+01:00"), json!("2026-11-02T07:15:30.5Z")),
            (Form::Money, json!("10000"), json!(10_000)),
            (Form::Money, json!(84_000.0), json!(84_000)),
            (Form::Money, json!(12.345_678), json!(12.35)),
            (Form::Integer, json!(3.0), json!(3)),
            (Form::Boolean, json!(null), json!(false)),
            (Form::Boolean, json!(true), json!(true)),
            (Form::Country, json!(" us "), json!("US")),
            (Form::Guid, json!(format!("{{{}}}", GUID.to_uppercase())), json!(GUID)),
            (Form::Guid, json!(null), json!(null)),
        ] {
            assert_eq!(form.write(&given), Ok(written), "{form:?} {given}");
        }
        for (form, given) in [
            (cut, json!(["x"])),
            (cut, json!({})),
            (Form::Date, json!("soon")),
            (Form::Date, json!(20_261_102)),
            (Form::DateTime, json!("2026-11-02T25:00")),
            (Form::Money, json!("much")),
            (Form::Money, json!("1e999")),
            (Form::Money, json!(true)),
            (Form::Integer, json!(3.5)),
            (Form::Integer, json!("3")),
            (Form::Boolean, json!("true")),
            (Form::Boolean, json!(0)),
            (Form::Country, json!("USA")),
            (Form::Guid, json!("OPP-20417")),
        ] {
            let message = form.read(&given).err().unwrap_or_default();
            assert!(
                message.contains(&given.to_string()) && message.contains(form.describe()),
                "{form:?} {given}: {message}"
            );
        }
    }

    #[test]
    fn what_is_written_is_written_again_as_it_is() {
        for (_, form) in Form::WORDS {
            for value in
                [json!("2026-11-02"), json!(12.345), json!("7.5"), json!("de"), json!(GUID), json!(true), json!("")]
            {
                if let Ok(once) = form.write(&value) {
                    assert_eq!(form.write(&once), Ok(once.clone()), "{form:?} {value}");
                }
            }
        }
    }
}
