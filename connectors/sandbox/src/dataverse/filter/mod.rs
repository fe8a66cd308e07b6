//! `$filter`: `lex` cuts the text into tokens, `parse` makes a tree checked against the table, this file holds the tree
//! and evaluates it, `values` compares and knows the query functions, `periods` knows what "the last three days" are.
//!
//! Two choices follow the database below the real service: text compares without regard to case, and a comparison by
//! `ne`, or a negated one, holds for rows without a value.

pub(super) mod lex;
mod parse;
pub(super) mod periods;
mod values;

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::cell::{Cell, SortKey};
use super::query::Relation;
use super::schema::{Column, Table};
use super::store::{Row, Store};

pub(super) use parse::{parse, path};
pub(super) use values::{condition, text_key};

/// A condition on a row.
#[derive(Debug)]
pub(super) enum Filter {
    /// Both hold.
    And(Box<Filter>, Box<Filter>),
    /// One holds.
    Or(Box<Filter>, Box<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A column compares so with a value; none is null.
    Compare(Path, Comparison, Option<SortKey>),
    /// A text column matches a pattern with `%` and `_`, in lower case.
    Like(Path, String),
    /// A column holds one of the values.
    In(Path, Vec<SortKey>),
    /// A column lies between two values, both included.
    Between(Path, SortKey, SortKey),
    /// A day or instant lies in a period: from the first instant, before the second.
    During(Path, Timestamp, Timestamp),
    /// A column of several choices holds one of these.
    Contains(Path, Vec<i64>),
    /// Of the related rows some (or, if `all`, every one) meet the condition; without one, there is some row.
    Related { table: &'static Table, relation: Relation, all: bool, condition: Option<Box<Filter>> },
}

/// A column, possibly of a row that lookups lead to.
#[derive(Debug)]
pub(super) struct Path {
    /// Lookup columns to follow, with the table each must lead to.
    pub(super) lookups: Vec<(&'static Column, &'static str)>,
    /// The column in the end.
    pub(super) column: &'static Column,
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

impl Path {
    /// A column of the row itself.
    pub(super) fn direct(column: &'static Column) -> Path {
        Path { lookups: Vec::new(), column }
    }

    /// The value that the path leads to from `row`.
    pub(super) fn read<'a>(&self, store: &'a Store, row: &'a Row) -> Option<&'a Cell> {
        let mut row = row;
        for (column, table) in &self.lookups {
            let reference = row.get(column)?.reference().filter(|reference| reference.table == *table)?;
            row = store.follow(reference)?.1;
        }
        row.get(self.column)
    }
}

impl Filter {
    /// True where `row` meets the condition.
    pub(super) fn holds(&self, store: &Store, row: &Row) -> bool {
        match self {
            Filter::And(left, right) => left.holds(store, row) && right.holds(store, row),
            Filter::Or(left, right) => left.holds(store, row) || right.holds(store, row),
            Filter::Not(inner) => !inner.holds(store, row),
            Filter::Compare(path, comparison, value) => {
                let have = path.read(store, row).map(Cell::sort_key);
                match (have, value) {
                    (None, None) => *comparison == Comparison::Equal,
                    (None, Some(_)) | (Some(_), None) => *comparison == Comparison::NotEqual,
                    (Some(have), Some(value)) => comparison.accepts(have.order(value)),
                }
            }
            Filter::Like(path, pattern) => match path.read(store, row) {
                Some(Cell::Text(text)) => {
                    let text: Vec<char> = text.to_lowercase().chars().collect();
                    like(&text, &pattern.chars().collect::<Vec<_>>())
                }
                _ => false,
            },
            Filter::In(path, values) => path
                .read(store, row)
                .map(Cell::sort_key)
                .is_some_and(|have| values.iter().any(|value| have.order(value) == Ordering::Equal)),
            Filter::Between(path, low, high) => path
                .read(store, row)
                .map(Cell::sort_key)
                .is_some_and(|have| have.order(low) != Ordering::Less && have.order(high) != Ordering::Greater),
            Filter::During(path, from, before) => {
                let instant = path.read(store, row).and_then(|cell| match cell {
                    Cell::Instant(instant) => Some(*instant),
                    Cell::Day(day) => Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp()),
                    _ => None,
                });
                // A day counts as its first instant, and the day of the period's beginning belongs to it.
                let from = match path.read(store, row) {
                    Some(Cell::Day(_)) => start_of_day(*from),
                    _ => *from,
                };
                instant.is_some_and(|instant| from <= instant && instant < *before)
            }
            Filter::Contains(path, values) => match path.read(store, row) {
                Some(Cell::Text(text)) => {
                    text.split(',').any(|value| value.trim().parse().is_ok_and(|value: i64| values.contains(&value)))
                }
                _ => false,
            },
            Filter::Related { table, relation, all, condition } => {
                let mut related = relation.rows(store, table, row).into_iter().map(|(_, row)| row);
                match condition {
                    None => related.next().is_some(),
                    Some(condition) if *all => related.all(|row| condition.holds(store, row)),
                    Some(condition) => related.any(|row| condition.holds(store, row)),
                }
            }
        }
    }
}

impl Comparison {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::NotEqual => order != Ordering::Equal,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::GreaterOrEqual => order != Ordering::Less,
            Comparison::Less => order == Ordering::Less,
            Comparison::LessOrEqual => order != Ordering::Greater,
        }
    }
}

fn start_of_day(instant: Timestamp) -> Timestamp {
    let day = instant.to_zoned(TimeZone::UTC).date();
    day.to_zoned(TimeZone::UTC).map_or(instant, |start| start.timestamp())
}

/// Matches `text` against a pattern in which `%` stands for any characters and `_` for one.
fn like(text: &[char], pattern: &[char]) -> bool {
    let (mut at, mut pos) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(pos) {
            Some('%') => {
                retry = Some((at, pos));
                pos += 1;
            }
            Some(&wanted) if wanted == '_' || wanted == text[at] => {
                at += 1;
                pos += 1;
            }
            _ => match retry {
                Some((from, star)) => {
                    retry = Some((from + 1, star));
                    at = from + 1;
                    pos = star + 1;
                }
                None => return false,
            },
        }
    }
    pattern[pos..].iter().all(|char| *char == '%')
}

#[cfg(test)]
mod tests {
    #[test]
    fn patterns_match_like_the_database() {
        let like = |text: &str, pattern: &str| {
            super::like(&text.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())
        };
        assert!(like("cold storage", "%stor%"));
        assert!(like("cold", "c_ld"));
        assert!(like("aab", "%ab"));
        assert!(!like("cold", "old%"));
        assert!(like("", "%"));
        assert!(!like("", "_"));
    }
}
