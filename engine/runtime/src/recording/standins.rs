//! Stand-ins: what stands in the place of a person's data or a secret, the same for the same wherever it occurs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::people::{Of, addresses};

/// What stands in for what. Stand-ins are numbered in the order in which they are asked for, so that the same data always
/// get the same.
#[derive(Clone, Debug, Default)]
pub(super) struct StandIns {
    /// Those that replace what they stand for in any text, by what that is.
    texts: BTreeMap<String, String>,
    /// Those of secrets, however short.
    hidden: BTreeMap<String, String>,
    /// How many there are of each kind, by what is the same however it is written.
    numbers: BTreeMap<&'static str, BTreeMap<String, usize>>,
}

/// Shortest secret that is replaced in any text: what is shorter stands in too many for other reasons.
const SHORTEST: usize = 4;

impl StandIns {
    fn number(&mut self, kind: &'static str, what: &str) -> usize {
        let of_kind = self.numbers.entry(kind).or_default();
        let next = of_kind.len() + 1;
        *of_kind.entry(what.to_owned()).or_insert(next)
    }

    /// How many there are of a kind: `given`, `family`, `address`, `telephone`, `hidden`.
    pub(super) fn count(&self, kind: &str) -> usize {
        self.numbers.get(kind).map_or(0, BTreeMap::len)
    }

    /// A person's name or telephone number.
    pub(super) fn person(&mut self, of: Of, text: &str) {
        let text = text.trim();
        match of {
            Of::Telephone => self.telephone(text),
            _ if !text.chars().any(char::is_alphabetic) || text.contains('@') => {}
            Of::Given => self.name("given", text),
            Of::Family => self.name("family", text),
            Of::Full => {
                let by_comma = text.split_once(',').map(|(family, given)| (given.trim(), family.trim()));
                match by_comma.or_else(|| text.split_once(char::is_whitespace)) {
                    Some((given, family)) => {
                        self.name("given", given);
                        self.name("family", family.trim());
                    }
                    None => self.name("given", text),
                }
            }
        }
    }

    fn name(&mut self, kind: &'static str, text: &str) {
        if text.is_empty() || self.texts.contains_key(text) {
            return;
        }
        let number = self.number(kind, text);
        let stand_in = if kind == "given" { format!("Given{number}") } else { format!("Family{number}") };
        // As text within a query, an apostrophe is written twice (OData 4.0, URL conventions).
        if text.contains('\'') {
            self.texts.insert(text.replace('\'', "''"), stand_in.clone());
        }
        self.texts.insert(text.to_owned(), stand_in);
    }

    /// The same digits are the same number, however they are grouped.
    fn telephone(&mut self, text: &str) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return;
        }
        let number = self.number("telephone", &digits);
        let mut new = format!("{number:0width$}", width = digits.len()).chars().collect::<Vec<_>>().into_iter();
        let mut stand_in: String =
            text.chars().map(|c| if c.is_ascii_digit() { new.next().unwrap_or('0') } else { c }).collect();
        stand_in.extend(new);
        self.texts.insert(text.to_owned(), stand_in);
    }

    /// The e-mail addresses in a text. Their domains stay: they tell the company, and flows look at them.
    pub(super) fn addresses_in(&mut self, text: &str) {
        for address in addresses(text) {
            let Some((_, domain)) = address.rsplit_once('@') else { continue };
            let number = self.number("address", &address.to_lowercase());
            self.texts.insert(address.to_owned(), format!("person-{number}@{domain}"));
        }
    }

    /// Something that must not be told, of which only the form is kept.
    pub(super) fn hidden(&mut self, text: &str) {
        let number = self.number("hidden", text);
        let stand_in = if Uuid::parse_str(text).is_ok() {
            Uuid::from_u128(0x4000_8000_0000_0000_0000 + number as u128).to_string()
        } else if text.parse::<Timestamp>().is_ok() {
            "2000-01-01T00:00:00Z".to_owned()
        } else if text.parse::<Date>().is_ok() {
            "2000-01-01".to_owned()
        } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("{number:0width$}", width = text.len())
        } else {
            format!("hidden-{number}")
        };
        if text.chars().count() >= SHORTEST {
            self.texts.insert(text.to_owned(), stand_in.clone());
        }
        self.hidden.insert(text.to_owned(), stand_in);
    }

    /// What replaces them all in texts.
    pub(super) fn replacer(&self) -> Replacer<'_> {
        // A name in small letters is a word like others, and replaced only where it is all there is to a field.
        let anywhere = |text: &str| text.chars().any(|c| !c.is_ascii_lowercase());
        let is_name = |stand_in: &str| stand_in.starts_with("Given") || stand_in.starts_with("Family");
        let texts = self.texts.iter().filter(|(text, stand_in)| !is_name(stand_in) || anywhere(text));
        let mut texts: Vec<(&str, &str)> = texts.map(|(text, stand_in)| (text.as_str(), stand_in.as_str())).collect();
        texts.sort_by_key(|(text, _)| (std::cmp::Reverse(text.len()), *text));
        Replacer { texts }
    }

    /// What stands in for exactly this text.
    pub(super) fn of(&self, text: &str) -> Option<&str> {
        self.texts.get(text).map(String::as_str)
    }

    /// What stands in for exactly this text, where it is a secret.
    pub(super) fn of_hidden(&self, text: &str) -> Option<&str> {
        self.hidden.get(text).map(String::as_str)
    }
}

/// Puts stand-ins into texts.
pub(super) struct Replacer<'s> {
    /// The longest first.
    texts: Vec<(&'s str, &'s str)>,
}

impl Replacer<'_> {
    /// The text with stand-ins for all that stand in it as words of their own.
    pub(super) fn replaced(&self, text: &str) -> String {
        let (mut out, mut rest, mut before) = (String::with_capacity(text.len()), text, None::<char>);
        while let Some(next) = rest.chars().next() {
            let begins = before.is_none_or(|before| !before.is_alphanumeric()) || !next.is_alphanumeric();
            let ends = |token: &str| {
                let (last, behind) = (token.chars().next_back(), rest[token.len()..].chars().next());
                !last.is_some_and(char::is_alphanumeric) || behind.is_none_or(|behind| !behind.is_alphanumeric())
            };
            let found = self.texts.iter().find(|(token, _)| begins && rest.starts_with(token) && ends(token));
            match found {
                Some((token, stand_in)) => {
                    out.push_str(stand_in);
                    before = token.chars().next_back();
                    rest = &rest[token.len()..];
                }
                None => {
                    out.push(next);
                    before = Some(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        out
    }
}
