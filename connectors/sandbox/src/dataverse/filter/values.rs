//! Values in conditions: how they compare with those of a column, and the conditions that the Dataverse query functions
//! make of them, which FetchXML has under other names.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::lex::{Literal, Token, lex};
use super::{Comparison, Filter, Path, periods};
use crate::dataverse::cell::{Cell, SortKey};
use crate::dataverse::errors::{Answer, BAD_REQUEST, Refusal};
use crate::dataverse::query::Scope;
use crate::dataverse::schema::{Column, Kind};

/// The condition that the query function `name` puts on `path`.
pub(in crate::dataverse) fn condition(name: &str, path: Path, values: &[String], scope: Scope<'_>) -> Answer<Filter> {
    let key = |text: &String| {
        text_key(path.column, text).ok_or_else(|| {
            syntax(format!("'{text}' is not a value of the column '{}' ({})", path.column.logical, path.column.edm()))
        })
    };
    let number = |text: &String| text.parse::<i64>().ok();
    let on = |text: &String| -> Answer<periods::Period> {
        let day = text.get(..10).and_then(|day| day.parse::<Date>().ok());
        let start = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok()).map(|start| start.timestamp());
        let start = start.ok_or_else(|| syntax(format!("'{text}' is not a date")))?;
        Ok((start, start.saturating_add(SignedDuration::from_hours(24)).unwrap_or(start)))
    };
    let temporal = matches!(path.column.kind, Kind::Date | Kind::DateTime);
    let not = |filter| Filter::Not(Box::new(filter));
    Ok(match (name, values) {
        ("In", [_, ..]) => {
            let keys = values.iter().map(key).collect::<Answer<_>>()?;
            Filter::In(path, keys)
        }
        ("NotIn", [_, ..]) => {
            let keys = values.iter().map(key).collect::<Answer<_>>()?;
            not(Filter::In(path, keys))
        }
        ("Between", [low, high]) => {
            let (low, high) = (key(low)?, key(high)?);
            Filter::Between(path, low, high)
        }
        ("NotBetween", [low, high]) => {
            let (low, high) = (key(low)?, key(high)?);
            not(Filter::Between(path, low, high))
        }
        ("Between" | "NotBetween", _) => return Err(syntax(format!("{name} takes two values"))),
        ("ContainValues" | "DoesNotContainValues", [_, ..]) => {
            if !matches!(path.column.kind, Kind::Choices(_)) {
                return Err(syntax(format!("{name} is for columns of several choices")));
            }
            let numbers: Option<Vec<i64>> = values.iter().map(number).collect();
            let numbers = numbers.ok_or_else(|| syntax(format!("the values of {name} are numbers")))?;
            let contains = Filter::Contains(path, numbers);
            if name == "ContainValues" { contains } else { not(contains) }
        }
        ("EqualUserId", []) => Filter::Compare(path, Comparison::Equal, Some(Cell::Id(scope.user).sort_key())),
        ("NotEqualUserId", []) => Filter::Compare(path, Comparison::NotEqual, Some(Cell::Id(scope.user).sort_key())),
        ("On", [day]) if temporal => {
            let (from, before) = on(day)?;
            Filter::During(path, from, before)
        }
        ("NotOn", [day]) if temporal => {
            let (from, before) = on(day)?;
            not(Filter::During(path, from, before))
        }
        ("OnOrAfter", [day]) if temporal => {
            let (from, _) = on(day)?;
            Filter::During(path, from, Timestamp::MAX)
        }
        ("OnOrBefore", [day]) if temporal => {
            let (_, before) = on(day)?;
            Filter::During(path, Timestamp::MIN, before)
        }
        _ => {
            let x = values.first().and_then(number).filter(|x| *x > 0);
            if periods::takes_number(name) && x.is_none() {
                return Err(syntax(format!("{name} takes a PropertyValue, a whole number above 0")));
            }
            match periods::period(name, x, scope.now) {
                Some((from, before)) if temporal => Filter::During(path, from, before),
                Some(_) => return Err(syntax(format!("{name} is for columns of dates"))),
                None => return Err(Refusal::outside(format!("the query function Microsoft.Dynamics.CRM.{name}"))),
            }
        }
    })
}

/// The position that a value written as text has among the values of `column`.
pub(in crate::dataverse) fn text_key(column: &Column, text: &str) -> Option<SortKey> {
    if matches!(column.kind, Kind::Text { .. } | Kind::Memo { .. }) {
        return sort_key(column, &Literal::Text(text.to_owned()));
    }
    if let (Kind::Boolean { .. }, "1" | "0") = (&column.kind, text) {
        return Some(Cell::Bool(text == "1").sort_key());
    }
    match lex(text.trim_matches(['{', '}'])).ok()?.as_slice() {
        [Token::Literal(literal)] => sort_key(column, literal),
        _ => None,
    }
}

/// The position of `literal` among the values of `column`, if it is of a type that compares with them.
pub(super) fn sort_key(column: &Column, literal: &Literal) -> Option<SortKey> {
    let key = match (&column.kind, literal) {
        (Kind::Text { .. } | Kind::Memo { .. } | Kind::Choices(_), Literal::Text(text)) => {
            Cell::Text(text.clone()).sort_key()
        }
        (
            Kind::Integer { .. }
            | Kind::Version
            | Kind::Money { .. }
            | Kind::Decimal { .. }
            | Kind::Double { .. }
            | Kind::Choice(_)
            | Kind::State
            | Kind::Status,
            Literal::Number(value),
        ) => SortKey::Number(*value),
        (Kind::Boolean { .. }, Literal::Bool(value)) => Cell::Bool(*value).sort_key(),
        (Kind::PrimaryKey | Kind::Guid | Kind::Lookup(_), Literal::Id(id)) => Cell::Id(*id).sort_key(),
        (Kind::Date, Literal::Day(day)) => Cell::Day(*day).sort_key(),
        (Kind::Date, Literal::Instant(instant)) => SortKey::Text(instant.to_string()),
        (Kind::DateTime, Literal::Instant(instant)) => Cell::Instant(*instant).sort_key(),
        (Kind::DateTime, Literal::Day(day)) => {
            let midnight = day.to_datetime(Time::midnight()).to_zoned(TimeZone::UTC).ok()?;
            Cell::Instant(midnight.timestamp()).sort_key()
        }
        _ => return None,
    };
    Some(key)
}

/// The refusal of a filter that cannot be read.
pub(super) fn syntax(what: String) -> Refusal {
    Refusal::bad(BAD_REQUEST, format!("Bad Request - Error in query syntax. In $filter: {what}."))
}
