//! Whether a condition holds.

use std::cmp::Ordering;

use super::{Comparison, Filter, Held, Literal, Node, Part, folded, instant};

/// Whether it holds, or why nobody can say.
type Verdict = Result<bool, String>;

impl Filter {
    /// Whether it holds for a record. `member` tells what the record holds in a member, or why that is not known.
    ///
    /// # Errors
    /// It depends on something that is not known, which it names.
    pub fn holds(&self, member: &dyn Fn(&str) -> Result<Held, String>) -> Result<bool, String> {
        judge(&self.0, member, false)
    }
}

fn judge(node: &Node, member: &dyn Fn(&str) -> Result<Held, String>, negated: bool) -> Verdict {
    match node {
        Node::And(left, right) => decided(judge(left, member, negated), || judge(right, member, negated), false),
        Node::Or(left, right) => decided(judge(left, member, negated), || judge(right, member, negated), true),
        Node::Not(node) => judge(node, member, !negated).map(|holds| !holds),
        Node::Compare(name, comparison, value) => match (member(name)?, value) {
            (held, Literal::Null) => match comparison {
                Comparison::Eq => Ok(held == Held::Null),
                Comparison::Ne => Ok(held != Held::Null),
                _ => Err(format!("`{name}` is put in order with null")),
            },
            (Held::Null, _) => of_nothing(name, *comparison == Comparison::Ne || negated),
            (held, Literal::Text(text)) => compared(name, &held, *comparison, text),
            (held, Literal::Word(word)) => compared(name, &held, *comparison, word),
        },
        Node::Part(name, part, text) => match member(name)? {
            Held::Null => of_nothing(name, negated),
            // A database may take both for any letter.
            Held::Text(_) if text.contains(['%', '_', '[']) => Err(format!("`{name}` is searched with a wildcard")),
            Held::Text(held) => {
                let (held, text) = (held.to_lowercase(), text.to_lowercase());
                Ok(match part {
                    Part::Anywhere => held.contains(&text),
                    Part::Start => held.starts_with(&text),
                    Part::End => held.ends_with(&text),
                })
            }
            _ => Err(format!("`{name}` is no text")),
        },
        Node::Unknown(what) => Err(format!("{what} is not judged here")),
    }
}

/// Both verdicts in one: either alone decides where it says `decisive`.
fn decided(left: Verdict, right: impl FnOnce() -> Verdict, decisive: bool) -> Verdict {
    if left == Ok(decisive) {
        return left;
    }
    let right = right();
    if right == Ok(decisive) { right } else { left.and(right) }
}

/// A comparison with a value where a record holds nothing. It does not hold; but services do not agree on whether its
/// contrary does.
fn of_nothing(name: &str, contrary: bool) -> Verdict {
    if contrary { Err(format!("`{name}` is empty, and what differs from a value is asked for")) } else { Ok(false) }
}

fn compared(name: &str, held: &Held, comparison: Comparison, value: &str) -> Verdict {
    let unlike = || format!("`{name}` is compared with a value of another kind");
    let ordering = match held {
        Held::Text(held) => match folded(held) == folded(value) {
            true => Ordering::Equal,
            false if matches!(comparison, Comparison::Eq | Comparison::Ne) => Ordering::Less,
            // Where a letter stands in the order depends on the language.
            false => return Err(format!("the texts of `{name}` are put in order")),
        },
        Held::Number(held) => value.parse().ok().and_then(|value| held.partial_cmp(&value)).ok_or_else(unlike)?,
        Held::Time(held) => held.cmp(&instant(value).ok_or_else(unlike)?),
        Held::Id(held) => held.cmp(&value.parse().map_err(|_| unlike())?),
        Held::Bool(held) => held.cmp(&value.parse().map_err(|_| unlike())?),
        Held::Null => return of_nothing(name, comparison == Comparison::Ne),
    };
    Ok(match comparison {
        Comparison::Eq => ordering.is_eq(),
        Comparison::Ne => ordering.is_ne(),
        Comparison::Gt => ordering.is_gt(),
        Comparison::Ge => ordering.is_ge(),
        Comparison::Lt => ordering.is_lt(),
        Comparison::Le => ordering.is_le(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn member(name: &str) -> Result<Held, String> {
        Ok(match name {
            "name" => Held::Text("O'Neill & Söhne  ".to_owned()),
            "value" => Held::Number(5000.0),
            "open" => Held::Bool(true),
            "id" => Held::Id("c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10".parse().unwrap()),
            "day" => Held::Time(instant("2027-01-29").unwrap()),
            "none" => Held::Null,
            other => return Err(format!("`{other}` is not known")),
        })
    }

    fn verdict(text: &str) -> Verdict {
        Filter::read(text).unwrap().holds(&member)
    }

    #[test]
    fn what_holds_and_what_does_not() {
        for text in [
            "name eq 'o''NEILL & SÖHNE'",
            "name ne 'other'",
            "contains(name,'neill')",
            "startswith(name, 'O''') and endswith(name,'Söhne  ')",
            "value gt 4999.5 and value le 5000 and value ne 1",
            "5000 le value",
            "open eq true",
            "id eq C0A7A7D0-55B0-4C39-9A0E-0F6A1D6C9A10",
            "day eq 2027-01-29T01:00:00+01:00 and day lt 2027-01-30",
            "none eq null and name ne null",
            "not (value eq 1) and (none eq 'x' or value eq 5000)",
            "value eq 1 and value eq 2 or value eq 5000",
        ] {
            assert_eq!(verdict(text), Ok(true), "{text}");
            assert_ne!(verdict(&format!("not ({text}) and value eq 5000")), Ok(true), "{text}");
        }
        for text in ["name eq 'other'", "none gt 5", "contains(none,'x')", "name eq null", "value lt 5000"] {
            assert_eq!(verdict(text), Ok(false), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_unless_the_rest_decides() {
        for (text, why) in [
            ("other eq 1", "`other` is not known"),
            ("Microsoft.Dynamics.CRM.Today(PropertyName='day')", "`Microsoft.Dynamics.CRM.Today(…)`"),
            ("people/any(p: p/name eq 'x' and (p/age gt 1))", "`people/any(…)`"),
            ("length(name) gt 5", "`length(…)`"),
            ("value eq length(name)", "`length(…)`"),
            ("contains(tolower(name),'x')", "something else"),
            ("name eq @p", "`@p`"),
            ("name gt 'a'", "put in order"),
            ("none ne 'x'", "empty"),
            ("not (none eq 'x')", "empty"),
            ("not contains(none,'x')", "empty"),
            ("contains(name,'O%l')", "wildcard"),
            ("value eq much or other eq 1", "a comparison"),
            ("value eq 'much'", "another kind"),
        ] {
            let told = verdict(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
            assert_eq!(verdict(&format!("value eq 1 and ({text})")), Ok(false), "{text}");
            assert_eq!(verdict(&format!("({text}) or value eq 5000")), Ok(true), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let deep = format!("{}value eq 1{}", "(".repeat(70), ")".repeat(70));
        for text in
            ["", "name eq", "name eq 'x", "(value eq 1", "value eq 1)", "f(x", "'x'", "name eq 'x' value", &deep]
        {
            assert!(Filter::read(text).is_err(), "{text}");
        }
    }
}
