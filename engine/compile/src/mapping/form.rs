//! How a value looks on one side of a mapping.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

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
    /// A number with so many decimals; text that shows a number counts as it.
    Money {
        /// How many.
        decimals: u8,
    },
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
        ("money", Form::Money { decimals: 2 }),
        ("integer", Form::Integer),
        ("boolean", Form::Boolean),
        ("country", Form::Country),
        ("guid", Form::Guid),
    ];

    /// A value as found on this side, in the neutral form between the sides; null where there is none.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub(crate) fn read(self, value: &Value) -> Result<Value, String> {
        match (self, value) {
            (Form::Boolean, Value::Null) => Ok(Value::Bool(false)),
            (_, Value::Null) => Ok(Value::Null),
            (Form::Any, value) => Ok(value.clone()),
            (_, Value::String(text)) if text.trim().is_empty() => Ok(Value::Null),
            (Form::Money { .. }, Value::String(text)) => number(text.trim().parse().ok(), value),
            (Form::Money { .. }, Value::Number(amount)) => number(amount.as_f64(), value),
            (Form::Date | Form::DateTime, Value::String(text)) => {
                moment(text).map(|_| value.clone()).ok_or_else(|| format!("{value} is not a date or a time"))
            }
            (Form::Integer, Value::Number(n)) if n.is_i64() || n.is_u64() => Ok(value.clone()),
            (Form::Boolean, Value::Bool(_)) | (Form::Text { .. }, Value::String(_)) => Ok(value.clone()),
            (Form::Text { .. }, Value::Number(_) | Value::Bool(_)) => Ok(Value::String(value.to_string())),
            (Form::Country, Value::String(text)) => country(text).map(Value::String).ok_or_else(|| {
                format!("{value} is not a two-letter country code (ISO 3166-1 alpha-2), such as US")
            }),
            (Form::Guid, Value::String(text)) => Ok(Value::String(text.trim().trim_matches(['{', '}']).to_ascii_lowercase())),
            _ => Err(format!("{value} is not {}", self.describe())),
        }
    }

    /// A neutral value as this side has it.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub(crate) fn write(self, value: Value) -> Result<Value, String> {
        match (self, &value) {
            (_, Value::Null) | (Form::Any, _) => Ok(value),
            (Form::Text { length: Some(length) }, Value::String(text)) => Ok(Value::String(cut(text, length))),
            (Form::Text { .. }, Value::Number(_) | Value::Bool(_)) => Ok(Value::String(value.to_string())),
            (Form::Date, Value::String(text)) => moment(text)
                .map(|moment| Value::String(moment.date().to_string()))
                .ok_or_else(|| format!("{value} is not a date or a time")),
            (Form::DateTime, Value::String(text)) => moment(text)
                .map(|moment| Value::String(moment.instant()))
                .ok_or_else(|| format!("{value} is not a date or a time")),
            (Form::Money { decimals }, Value::Number(amount)) => {
                let scale = 10f64.powi(i32::from(decimals));
                number(amount.as_f64().map(|amount| (amount * scale).round() / scale), &value)
            }
            (Form::Money { .. } | Form::Country, _) => self.read(&value),
            (Form::Text { .. } | Form::Guid, Value::String(_))
            | (Form::Boolean, Value::Bool(_)) => Ok(value),
            (Form::Integer, Value::Number(n)) if n.is_i64() || n.is_u64() => Ok(value),
            _ => Err(format!("{value} is not {}", self.describe())),
        }
    }

    /// In words, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Form::Any => "a value",
            Form::Text { .. } => "text",
            Form::Date => "a date",
            Form::DateTime => "a date and time",
            Form::Money { .. } => "an amount of money",
            Form::Integer => "a whole number",
            Form::Boolean => "true or false",
            Form::Country => "a two-letter country code",
            Form::Guid => "a GUID",
        }
    }
}

/// A date, or an instant.
#[derive(Clone, Copy)]
enum Moment {
    Date(Date),
    Instant(Timestamp),
}

impl Moment {
    fn date(self) -> Date {
        match self {
            Moment::Date(date) => date,
            Moment::Instant(instant) => instant.to_zoned(TimeZone::UTC).date(),
        }
    }

    fn instant(self) -> String {
        match self {
            Moment::Date(date) => format!("{date}T00:00:00Z"),
            Moment::Instant(instant) => instant.to_string(),
        }
    }
}

fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(Moment::Instant(instant));
    }
    if text.len() <= 10 {
        return text.parse::<Date>().ok().map(Moment::Date);
    }
    let local = text.parse::<DateTime>().ok()?;
    local.to_zoned(TimeZone::UTC).ok().map(|zoned| Moment::Instant(zoned.timestamp()))
}

fn country(text: &str) -> Option<String> {
    let code = text.trim();
    (code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic())).then(|| code.to_ascii_uppercase())
}

/// Whole amounts are whole numbers, so that 84000 and 84000.0 are one value.
fn number(number: Option<f64>, value: &Value) -> Result<Value, String> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = number.filter(|n| n.is_finite()).ok_or_else(|| format!("{value} is not an amount of money"))?;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within the exact range")]
    let exact = (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64);
    Ok(exact.map_or_else(|| Number::from_f64(number).map_or(Value::Null, Value::Number), Value::from))
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
