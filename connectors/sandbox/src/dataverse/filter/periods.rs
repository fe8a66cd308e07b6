//! The periods that query functions name relative to today, such as `LastXDays` (Web API query function reference).
//! Days are days in UTC; a week begins on Sunday.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// An instant from which, and one before which, the period lies.
pub(in crate::dataverse) type Period = (Timestamp, Timestamp);

/// The period `name`, with the number `x` that stands for the X in it; none where the sandbox does not know it.
pub(in crate::dataverse) fn period(name: &str, x: Option<i64>, now: Timestamp) -> Option<Period> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let days = |from: i64, before: i64| Some((midnight(today, from)?, midnight(today, before)?));
    let week = -i64::from(today.weekday().to_sunday_zero_offset());
    let later = |hours: i64| now.checked_add(hours.hours()).ok();
    match (name, x) {
        ("Today", None) => days(0, 1),
        ("Yesterday", None) => days(-1, 0),
        ("Tomorrow", None) => days(1, 2),
        ("Last7Days", None) => Some((midnight(today, -7)?, now)),
        ("Next7Days", None) => Some((now, midnight(today, 8)?)),
        ("ThisWeek", None) => days(week, week + 7),
        ("LastWeek", None) => days(week - 7, week),
        ("NextWeek", None) => days(week + 7, week + 14),
        ("ThisMonth", None) => months(today, 0, 1),
        ("LastMonth", None) => months(today, -1, 0),
        ("NextMonth", None) => months(today, 1, 2),
        ("ThisYear", None) => months(january(today)?, 0, 12),
        ("LastYear", None) => months(january(today)?, -12, 0),
        ("NextYear", None) => months(january(today)?, 12, 24),
        ("LastXHours", Some(x)) => Some((later(x.checked_neg()?)?, now)),
        ("NextXHours", Some(x)) => Some((now, later(x)?)),
        ("LastXDays", Some(x)) => Some((midnight(today, x.checked_neg()?)?, now)),
        ("NextXDays", Some(x)) => Some((now, midnight(today, x.checked_add(1)?)?)),
        ("LastXWeeks", Some(x)) => Some((midnight(today, x.checked_mul(-7)?)?, now)),
        ("NextXWeeks", Some(x)) => Some((now, midnight(today, x.checked_mul(7)?.checked_add(1)?)?)),
        ("OlderThanXDays", Some(x)) => Some((Timestamp::MIN, midnight(today, x.checked_neg()?)?)),
        _ => None,
    }
}

/// True where `name` takes a number.
pub(in crate::dataverse) fn takes_number(name: &str) -> bool {
    name.contains('X')
}

fn midnight(day: Date, offset: i64) -> Option<Timestamp> {
    // Beyond this the calendar ends; the check also keeps the span itself within what it can hold.
    let span = (-3_000_000..=3_000_000).contains(&offset).then(|| offset.days())?;
    Some(day.checked_add(span).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn january(day: Date) -> Option<Date> {
    Date::new(day.year(), 1, 1).ok()
}

fn months(day: Date, from: i64, before: i64) -> Option<Period> {
    let first = day.first_of_month();
    let start = |offset: i64| midnight(first.checked_add(offset.months()).ok()?, 0);
    Some((start(from)?, start(before)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn periods_begin_at_midnight_and_reach_until_now_or_the_end_of_a_day() {
        // A Wednesday.
        let now: Timestamp = "2026-03-18T15:00:00Z".parse().unwrap();
        for (name, x, from, before) in [
            ("Today", None, "2026-03-18T00:00:00Z", "2026-03-19T00:00:00Z"),
            ("LastXDays", Some(2), "2026-03-16T00:00:00Z", "2026-03-18T15:00:00Z"),
            ("NextXDays", Some(2), "2026-03-18T15:00:00Z", "2026-03-21T00:00:00Z"),
            ("ThisWeek", None, "2026-03-15T00:00:00Z", "2026-03-22T00:00:00Z"),
            ("LastMonth", None, "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("ThisYear", None, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            let found = period(name, x, now).unwrap();
            assert_eq!((found.0.to_string(), found.1.to_string()), (from.to_owned(), before.to_owned()), "{name}");
        }
        assert!(period("Today", Some(1), now).is_none());
        assert!(period("InFiscalYear", Some(2026), now).is_none());
        assert!(period("LastXDays", Some(i64::MIN), now).is_none());
    }
}
