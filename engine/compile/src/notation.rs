//! How business systems write dates, amounts of money, country codes and GUIDs. Filters and mappings read them alike.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

/// A date, or an instant.
#[derive(Clone, Copy)]
pub(crate) enum Moment {
    /// A day, in no time zone.
    Date(Date),
    /// A point in time.
    Instant(Timestamp),
}

impl Moment {
    /// Reads `2026-11-02`, `2026-11-02T08:15:30Z`, or an instant without a zone, which counts as UTC.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(Self::Instant(instant));
        }
        // A date reads the beginning of anything longer, and would lose the time.
        if text.len() <= "2026-11-02".len() {
            return text.parse().ok().map(Self::Date);
        }
        let local = text.parse::<DateTime>().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| Self::Instant(zoned.timestamp()))
    }

    /// The day alone; an instant counts by its day in UTC.
    pub(crate) fn date(self) -> String {
        match self {
            Self::Date(date) => date.to_string(),
            Self::Instant(instant) => instant.to_zoned(TimeZone::UTC).date().to_string(),
        }
    }

    /// The instant in UTC; a day counts as its midnight.
    pub(crate) fn instant(self) -> String {
        match self {
            Self::Date(date) => format!("{date}T00:00:00Z"),
            Self::Instant(instant) => instant.to_string(),
        }
    }
}

/// `number` to so many decimals. Whole amounts are whole numbers, so that 84000 and 84000.0 are one value; nothing for
/// what is no finite number.
pub(crate) fn amount(number: f64, decimals: u32) -> Option<Value> {
    let scale = 10f64.powi(i32::try_from(decimals).unwrap_or(i32::MAX));
    let scaled = number * scale;
    // Beyond the exact range there are no decimals left to round.
    let rounded = if scaled.abs() < EXACT { scaled.round() / scale } else { number };
    plain_number(rounded)
}

/// Whole numbers below this are exact in floating point.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// `number` as JSON, whole where it is whole; nothing for infinity.
pub(crate) fn plain_number(number: f64) -> Option<Value> {
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within the exact range")]
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

/// A two-letter country code (ISO 3166-1 alpha-2) in capitals.
pub(crate) fn country(text: &str) -> Option<String> {
    let code = text.trim();
    (code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic())).then(|| code.to_ascii_uppercase())
}

/// A GUID in lower case, without braces.
pub(crate) fn guid(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    let hyphens = [8, 13, 18, 23];
    let right = bare.len() == 36
        && bare
            .bytes()
            .enumerate()
            .all(|(at, b)| if hyphens.contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() });
    right.then(|| bare.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn days_and_instants_are_told_apart() {
        for (text, date, instant) in [
            ("2026-11-02", "2026-11-02", "2026-11-02T00:00:00Z"),
            (" 2026-11-02T08:15:30Z ", "2026-11-02", "2026-11-02T08:15:30Z"),
            ("2026-11-02T08:15:30.000Z", "2026-11-02", "2026-11-02T08:15:30Z"),
            ("2026-11-02T23:30:00-05:00", "2026-11-03", "2026-11-03T04:30:00Z"),
            ("2026-11-02T08:15:30", "2026-11-02", "2026-11-02T08:15:30Z"),
            ("2026-11-02 08:15", "2026-11-02", "2026-11-02T08:15:00Z"),
        ] {
            let moment = Moment::read(text).unwrap();
            assert_eq!((moment.date().as_str(), moment.instant().as_str()), (date, instant), "{text}");
        }
        for wrong in ["", "soon", "2026-13-01", "02.11.2026", "2026-11-02T25:00:00Z", "2026-11-02 or so"] {
            assert!(Moment::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn amounts_are_rounded_and_whole_where_they_are_whole() {
        assert_eq!(amount(84_000.0, 2), Some(json!(84_000)));
        assert_eq!(amount(12.345_6, 2), Some(json!(12.35)));
        assert_eq!(amount(-0.001, 2), Some(json!(0)));
        assert_eq!(amount(1e300, 2), Some(json!(1e300)), "too large to have decimals, and not lost");
        assert_eq!(amount(f64::INFINITY, 2), None);
        assert_eq!(amount(f64::NAN, 2), None);
    }

    #[test]
    fn codes_and_guids_have_one_form() {
        assert_eq!(country(" de ").as_deref(), Some("DE"));
        assert_eq!([country("DEU"), country("4Z"), country("ä")], [None, None, None]);
        let guid_text = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
        assert_eq!(guid(&format!(" {{{}}} ", guid_text.to_uppercase())).as_deref(), Some(guid_text));
        for wrong in [
            "",
            "3f2504e04f8911d39a0c0305e82c3301",
            "{3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "zf2504e0-4f89-11d3-9a0c-0305e82c3301",
        ] {
            assert_eq!(guid(wrong), None, "{wrong}");
        }
    }
}
