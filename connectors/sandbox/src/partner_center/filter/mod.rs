//! `$filter`: the part of OData 4.01 that the Referrals API takes, on the properties it lets filter by.
//!
//! Properties and forms: "Get the list of leads and opportunities". Identifiers are taken with and without quotes, as the
//! documentation writes both. `lex` splits the text, this file reads and applies it.

mod lex;

use jiff::Timestamp;
use serde_json::Value;

use self::lex::{Token, tokens};
use super::{problem::Problem, referral::Referral};

/// Deepest nesting of parentheses and `not`.
const DEEPEST: usize = 50;

/// A filter as read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Both(Box<Filter>, Box<Filter>),
    Either(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare(Property, Operator, Literal),
}

/// What may be filtered by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Property {
    EngagementId,
    /// A member compared as text.
    Text(&'static str),
    Updated,
    /// An address of the partner's team: `email` or `team/any(t:t/email …)`.
    TeamEmail,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Text(String),
    Instant(Timestamp),
}

/// Properties compared as text, with where they are.
const TEXTS: [(&str, &str); 6] = [
    ("status", "/status"),
    ("substatus", "/substatus"),
    ("qualification", "/qualification"),
    ("type", "/type"),
    ("direction", "/direction"),
    ("customerProfile/address/country", "/customerProfile/address/country"),
];

impl Filter {
    /// Reads a `$filter` option.
    pub(super) fn read(text: &str) -> Result<Filter, Problem> {
        let mut reader = Reader { tokens: tokens(text)?, next: 0, depth: 0 };
        let filter = reader.either()?;
        match reader.peek() {
            None => Ok(filter),
            Some(token) => Err(wrong(format!("Unexpected '{}' after the end of the filter.", token.shown()))),
        }
    }

    /// Whether `referral` fits.
    pub(super) fn fits(&self, referral: &Referral) -> bool {
        match self {
            Filter::Both(left, right) => left.fits(referral) && right.fits(referral),
            Filter::Either(left, right) => left.fits(referral) || right.fits(referral),
            Filter::Not(inner) => !inner.fits(referral),
            Filter::Compare(Property::TeamEmail, operator, literal) => {
                referral.list("/team").iter().any(|member| compare(&member["email"], *operator, literal))
            }
            Filter::Compare(property, operator, literal) => {
                compare(referral.at(property.pointer()), *operator, literal)
            }
        }
    }

    /// The one engagement that every fitting referral belongs to, where the filter says so. Such a filter also finds the
    /// referrals of the engagement's other side ("Get the list…", related referrals).
    pub(super) fn engagement(&self) -> Option<&str> {
        match self {
            Filter::Compare(Property::EngagementId, Operator::Eq, Literal::Text(id)) => Some(id),
            Filter::Both(left, right) => left.engagement().or_else(|| right.engagement()),
            _ => None,
        }
    }
}

impl Property {
    fn read(name: &str) -> Result<Property, Problem> {
        match name {
            "engagementId" => Ok(Property::EngagementId),
            "updatedDateTime" => Ok(Property::Updated),
            "email" => Ok(Property::TeamEmail),
            _ => {
                let text = TEXTS.iter().find(|(text, _)| *text == name).map(|(_, pointer)| Property::Text(pointer));
                text.ok_or_else(|| wrong(format!("Referrals cannot be filtered by '{name}'.")))
            }
        }
    }

    fn pointer(self) -> &'static str {
        match self {
            Property::EngagementId => "/engagementId",
            Property::Text(pointer) => pointer,
            Property::Updated => "/updatedDateTime",
            Property::TeamEmail => "/team",
        }
    }
}

fn compare(value: &Value, operator: Operator, literal: &Literal) -> bool {
    let order = match literal {
        Literal::Null => return (operator == Operator::Eq) == value.is_null(),
        Literal::Text(text) => value.as_str().map(|own| own.to_ascii_lowercase().cmp(&text.to_ascii_lowercase())),
        Literal::Instant(at) => value.as_str().and_then(|own| own.parse::<Timestamp>().ok()).map(|own| own.cmp(at)),
    };
    // OData: a comparison with null is false, except that null differs from every value.
    let Some(order) = order else { return operator == Operator::Ne };
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Ne => order.is_ne(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
    }
}

struct Reader {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Result<Token, Problem> {
        let token = self.peek().cloned().ok_or_else(|| wrong("The filter ends too early."))?;
        self.next += 1;
        Ok(token)
    }

    /// Takes the next token where it is the word `wanted`.
    fn word(&mut self, wanted: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(word)) if word == wanted);
        self.next += usize::from(is);
        is
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), Problem> {
        let token = self.take()?;
        if token == *wanted {
            return Ok(());
        }
        Err(wrong(format!("Expected '{}' in the filter, found '{}'.", wanted.shown(), token.shown())))
    }

    fn either(&mut self) -> Result<Filter, Problem> {
        let mut left = self.both()?;
        while self.word("or") {
            left = Filter::Either(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Filter, Problem> {
        let mut left = self.one()?;
        while self.word("and") {
            left = Filter::Both(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Filter, Problem> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(wrong("The filter is nested too deep."));
        }
        let filter = if self.word("not") {
            Filter::Not(Box::new(self.one()?))
        } else if self.peek() == Some(&Token::Open) {
            self.next += 1;
            let inner = self.either()?;
            self.expect(&Token::Close)?;
            inner
        } else if self.word("team/any") {
            self.any()?
        } else {
            let Token::Word(name) = self.take()? else { return Err(wrong("Expected a property name in the filter.")) };
            self.comparison(Property::read(&name)?)?
        };
        self.depth -= 1;
        Ok(filter)
    }

    /// The rest of `team/any(t:t/email eq '…')`.
    fn any(&mut self) -> Result<Filter, Problem> {
        self.expect(&Token::Open)?;
        let variable = self.take()?.shown().to_owned();
        self.expect(&Token::Colon)?;
        if !self.word(&format!("{variable}/email")) {
            return Err(wrong(format!("Team members can be filtered by {variable}/email only.")));
        }
        let filter = self.comparison(Property::TeamEmail)?;
        self.expect(&Token::Close)?;
        Ok(filter)
    }

    fn comparison(&mut self, property: Property) -> Result<Filter, Problem> {
        let operator = match self.take()?.shown() {
            "eq" => Operator::Eq,
            "ne" => Operator::Ne,
            "gt" => Operator::Gt,
            "ge" => Operator::Ge,
            "lt" => Operator::Lt,
            "le" => Operator::Le,
            other => return Err(wrong(format!("'{other}' is no comparison: use eq, ne, gt, ge, lt or le."))),
        };
        let literal = match (property, self.take()?) {
            (_, Token::Word(word)) if word == "null" => Literal::Null,
            (Property::Updated, Token::Word(word)) => Literal::Instant(instant(&word)?),
            (Property::Updated, token) => {
                return Err(wrong(format!(
                    "updatedDateTime needs an unquoted point in time, not '{}'.",
                    token.shown()
                )));
            }
            (_, Token::Quoted(text)) => Literal::Text(text),
            (Property::EngagementId, Token::Word(word)) if uuid::Uuid::try_parse(&word).is_ok() => Literal::Text(word),
            (_, token) => {
                return Err(wrong(format!("Expected a quoted text in the filter, found '{}'.", token.shown())));
            }
        };
        let ordered = !matches!(operator, Operator::Eq | Operator::Ne);
        if ordered && !matches!(literal, Literal::Instant(_)) {
            return Err(wrong("Only updatedDateTime can be compared by gt, ge, lt and le."));
        }
        Ok(Filter::Compare(property, operator, literal))
    }
}

/// A point in time, or a date, which means its start in UTC.
fn instant(word: &str) -> Result<Timestamp, Problem> {
    word.parse::<Timestamp>()
        .or_else(|_| format!("{word}T00:00:00Z").parse())
        .map_err(|_| wrong(format!("'{word}' is not a point in time such as 2026-11-02T08:15:30Z.")))
}

fn wrong(message: impl Into<String>) -> Problem {
    Problem::invalid("$filter", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    const ENGAGEMENT: &str = "0d2f6f1b-6e61-4d7c-8f52-8b7d1f3e5a20";

    fn referral() -> Referral {
        Referral(json!({
            "engagementId": ENGAGEMENT, "status": "New", "substatus": "Received", "direction": "Incoming",
            "qualification": "SalesQualified", "type": "Shared", "updatedDateTime": "2026-11-02T08:15:30.1234567Z",
            "customerProfile": { "address": { "country": "O'L" } },
            "team": [{ "email": "noor@fabrikam.example" }, { "email": null }],
        }))
    }

    fn fits(filter: &str) -> bool {
        Filter::read(filter).unwrap().fits(&referral())
    }

    #[test]
    fn what_fits() {
        for filter in [
            "status eq 'New'",
            "status eq 'New' and substatus ne 'Pending'",
            "status eq 'Closed' or (direction eq 'Incoming' and type eq 'Shared')",
            "not (status eq 'Closed')",
            "not status eq 'Closed' and qualification eq 'SalesQualified'",
            "customerProfile/address/country eq 'O''L'",
            "team/any(t:t/email eq 'noor@fabrikam.example')",
            "email eq 'noor@fabrikam.example'",
            "engagementId eq '0d2f6f1b-6e61-4d7c-8f52-8b7d1f3e5a20'",
            "engagementId eq 0d2f6f1b-6e61-4d7c-8f52-8b7d1f3e5a20",
            "updatedDateTime ge 2026-11-02",
            "updatedDateTime gt 2026-11-02T08:15:30.1234566Z and updatedDateTime le 2026-11-02T08:15:30.1234567Z",
            "status ne null",
        ] {
            assert!(fits(filter), "{filter}");
        }
    }

    #[test]
    fn what_does_not_fit() {
        for filter in [
            "status eq 'Closed'",
            "status eq 'Closed' or type eq 'Shared' and direction eq 'Outgoing'",
            "team/any(t:t/email eq 'sam@fabrikam.example')",
            "updatedDateTime lt 2026-11-02T08:15:30Z",
            "status eq null",
        ] {
            assert!(!fits(filter), "{filter}");
        }
    }

    #[test]
    fn what_is_refused() {
        for filter in [
            "",
            "status",
            "status eq",
            "status eq New",
            "status eq 'New",
            "status like 'New'",
            "status gt 'New'",
            "externalReferenceId eq 'OPP-1'",
            "name eq 'x'",
            "updatedDateTime ge '2026-11-02T08:15:30Z'",
            "updatedDateTime ge yesterday",
            "(status eq 'New'",
            "status eq 'New')",
            "team/any(t:t/firstName eq 'Noor')",
            "contains(name,'x')",
        ] {
            assert!(Filter::read(filter).is_err(), "{filter}");
        }
        assert!(Filter::read(&"(".repeat(100_000)).is_err());
    }

    #[test]
    fn the_engagement_asked_for_is_known() {
        let engagement = |filter: &str| Filter::read(filter).unwrap().engagement().map(str::to_owned);
        let equal = format!("engagementId eq {ENGAGEMENT}");
        assert_eq!(engagement(&format!("status eq 'New' and {equal}")).as_deref(), Some(ENGAGEMENT));
        assert_eq!(engagement(&format!("status eq 'New' or {equal}")), None);
        assert_eq!(engagement(&format!("not ({equal})")), None);
    }
}
