//! Conditions in OData's words (`$filter`), judged here: so a search in a dry run knows which of the foreseen records it
//! would find.
//!
//! It covers what the remote systems document: comparisons of a member with a value, `contains`, `startswith`, `endswith`,
//! `and`, `or`, `not` and parentheses. What it does not know is never guessed: it makes the answer unknown, unless the rest
//! of the condition decides.
//!
//! Read in this order: this file (what a condition is), `read` (from text), `judge` (does it hold).

mod judge;
mod read;

use jiff::Timestamp;
use uuid::Uuid;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(Node);

/// What a record holds in one member.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text. Case and trailing blanks do not count.
    Text(String),
    /// An identifier.
    Id(Uuid),
    /// An instant; a date is its midnight in UTC.
    Time(Timestamp),
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// A member by its path, compared with a value.
    Compare(String, Comparison, Literal),
    /// A part of a member's text.
    Part(String, Part, String),
    /// Something else, and what it is.
    Unknown(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Anywhere,
    Start,
    End,
}

#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Null,
    /// In quotes.
    Text(String),
    /// Without: a number, an identifier, a date or time, true or false.
    Word(String),
}

/// The instant of a text that is one, or the midnight in UTC of one that is a date.
pub fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let date: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

/// A text as texts are compared: without regard to case and trailing blanks.
pub fn folded(text: &str) -> String {
    text.trim_end_matches(' ').to_lowercase()
}
