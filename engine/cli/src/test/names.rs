//! Names of records in a test: what stands in `<angle brackets>` for an identifier that nobody can know before.

use cosell_compile::did_you_mean;
use cosell_model::node::NodeKind;
use cosell_model::{Node, Span, Value};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, json};

/// What makes the kind of a record in Partner Center; those of the CRM are of their table's.
pub(super) const REFERRAL: &str = "referral";

/// What the sandbox has from the beginning (its seed): name, table, identifier.
const SEED: [(&str, &str, &str); 10] = [
    ("noor", "systemuser", "c05e1100-0000-4000-8000-000100000001"),
    ("sam", "systemuser", "c05e1100-0000-4000-8000-000100000002"),
    ("dollar", "transactioncurrency", "c05e1100-0000-4000-8000-000200000001"),
    ("euro", "transactioncurrency", "c05e1100-0000-4000-8000-000200000002"),
    ("northwind", "account", "c05e1100-0000-4000-8000-000300000001"),
    ("lakeshore", "account", "c05e1100-0000-4000-8000-000300000002"),
    ("iris", "contact", "c05e1100-0000-4000-8000-000400000001"),
    ("tom", "contact", "c05e1100-0000-4000-8000-000400000002"),
    ("coldtrack", "msft_solutiondetail", "c05e1100-0000-4000-8000-000500000001"),
    ("dockplan", "msft_solutiondetail", "c05e1100-0000-4000-8000-000500000002"),
];

/// How far a moment may lie from the test and still be called `<now>`.
const NEAR: SignedDuration = SignedDuration::from_mins(30);

/// A record that has a name.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    /// Its table, or `referral`.
    pub(super) kind: String,
    pub(super) id: String,
}

/// Something in a test that cannot be done, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    pub(super) place: Span,
    pub(super) message: String,
}

impl Mistake {
    pub(super) fn new(place: Span, message: impl Into<String>) -> Self {
        Self { place, message: message.into() }
    }
}

/// All records that have names.
pub(super) struct Names {
    records: Vec<Named>,
}

/// Into what a name in a value turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    /// Its identifier.
    Id,
    /// What the connector takes for a lookup: `{ table: identifier }`.
    Lookup,
}

impl Names {
    /// The names of what is there from the beginning.
    pub(super) fn new() -> Self {
        let named = |(name, kind, id): (&str, &str, &str)| Named {
            name: name.to_owned(),
            kind: kind.to_owned(),
            id: id.to_owned(),
        };
        Self { records: SEED.map(named).to_vec() }
    }

    /// Names a record.
    pub(super) fn add(&mut self, name: &str, kind: &str, id: &str) {
        self.records.push(Named { name: name.to_owned(), kind: kind.to_owned(), id: id.to_owned() });
    }

    /// A free name that begins so: `opportunity`, `opportunity_2`.
    pub(super) fn free(&self, begins: &str) -> String {
        let taken = |name: &str| self.records.iter().any(|record| record.name == name);
        if !taken(begins) {
            return begins.to_owned();
        }
        (2..).map(|number: u32| format!("{begins}_{number}")).find(|name| !taken(name)).unwrap_or_default()
    }

    /// The record of this identifier.
    pub(super) fn of(&self, id: &str) -> Option<&Named> {
        self.records.iter().find(|record| record.id == id)
    }

    /// All records of a kind, in the order in which they were named.
    pub(super) fn all<'n>(&'n self, kind: &'n str) -> impl Iterator<Item = &'n Named> {
        self.records.iter().filter(move |record| record.kind == kind)
    }

    /// The record of this name, which is mentioned at `place`.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn find(&self, name: &str, place: Span) -> Result<&Named, Mistake> {
        self.records.iter().find(|record| record.name == name).ok_or_else(|| {
            let near = did_you_mean(name, self.records.iter().map(|record| record.name.as_str()));
            let made: Vec<&str> = self.records.iter().skip(SEED.len()).map(|record| record.name.as_str()).collect();
            let help = near.unwrap_or_else(|| match made.as_slice() {
                [] => "name it under `given`".to_owned(),
                made => format!("by now there are {}", made.join(", ")),
            });
            Mistake::new(place, format!("no record is called `{name}`; {help}"))
        })
    }

    /// A value of a test with the identifiers of the records that it names.
    ///
    /// # Errors
    /// A name that no record has.
    pub(super) fn resolve(&self, node: &Node, into: As) -> Result<Value, Mistake> {
        Ok(match &node.kind {
            NodeKind::Text(text) => self.text(text, node.span, into)?,
            NodeKind::List(items) => {
                Value::Array(items.iter().map(|item| self.resolve(item, into)).collect::<Result<_, _>>()?)
            }
            NodeKind::Map(entries) => {
                let entries = entries.iter().map(|entry| {
                    let key = self.text(&entry.key.value, entry.key.span, As::Id)?;
                    Ok((key.as_str().unwrap_or_default().to_owned(), self.resolve(&entry.value, into)?))
                });
                Value::Object(entries.collect::<Result<Map<_, _>, Mistake>>()?)
            }
            _ => node.to_value(),
        })
    }

    fn text(&self, text: &str, place: Span, into: As) -> Result<Value, Mistake> {
        if let (As::Lookup, Some(name)) = (into, whole(text)) {
            let Named { kind, id, .. } = self.find(name, place)?;
            return Ok(if kind == REFERRAL { json!(id) } else { json!({ kind: id }) });
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, name, behind)) = first_name(rest) {
            out.push_str(before);
            out.push_str(&self.find(name, place)?.id);
            rest = behind;
        }
        Ok(Value::String(out + rest))
    }

    /// A value that was found, with names in the place of identifiers, and of the present.
    pub(super) fn shown(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.shown_text(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.shown(item)).collect()),
            // A lookup as rows hold it.
            Value::Object(lookup) if lookup.contains_key("table") && lookup.get("id").is_some_and(Value::is_string) => {
                self.shown(&lookup["id"])
            }
            Value::Object(members) => {
                members.iter().map(|(name, value)| (self.shown_text(name), self.shown(value))).collect()
            }
            other => other.clone(),
        }
    }

    fn shown_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if text.len() >= 36 {
            for record in &self.records {
                if text.contains(&record.id) {
                    text = text.replace(&record.id, &format!("<{}>", record.name));
                }
            }
        }
        present(&text)
    }
}

/// The name in a text that is nothing else.
fn whole(text: &str) -> Option<&str> {
    first_name(text).filter(|(before, _, behind)| before.is_empty() && behind.is_empty()).map(|(_, name, _)| name)
}

/// What stands before the first `<name>` of a text, the name, and what stands behind it.
fn first_name(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('<').find_map(|(at, _)| {
        let (name, behind) = text[at + 1..].split_once('>')?;
        (cosell_model::ids::is_identifier(name)).then_some((&text[..at], name, behind))
    })
}

/// The text with `<now>` in the place of moments near now, however they are written.
fn present(text: &str) -> String {
    const DATE: usize = "2026-11-02T08:15".len();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let moment = rest.get(..DATE).and_then(moment);
        let taken = match moment {
            Some(moment) if (Timestamp::now().duration_since(moment)).abs() < NEAR => {
                let behind = rest[DATE..].find(|c: char| !c.is_ascii_digit() && !":.Z".contains(c));
                out.push_str("<now>");
                DATE + behind.unwrap_or(rest.len() - DATE)
            }
            _ => {
                let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                out.push_str(&rest[..digits]);
                digits
            }
        };
        rest = &rest[taken..];
    }
    out + rest
}

fn moment(text: &str) -> Option<Timestamp> {
    let (day, time) = text.split_once([' ', 'T'])?;
    (time.len() == 5).then(|| format!("{day}T{time}:00Z").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_found_in_texts() {
        assert_eq!(first_name("a < b <deal>."), Some(("a < b ", "deal", ".")));
        assert_eq!((whole("<deal>"), whole("<deal> "), whole("<Deal>")), (Some("deal"), None, None));
    }

    #[test]
    fn the_present_is_no_particular_moment() {
        let now = Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string();
        assert_eq!(present(&format!("{now} UTC - Sent.")), "<now> UTC - Sent.");
        assert_eq!(present(&format!("{}:12.345Z", now.replace(' ', "T"))), "<now>");
        let other = "2027-02-26T00:00:00Z, 12 of 2027-02-26, 7";
        assert_eq!(present(other), other);
    }
}
