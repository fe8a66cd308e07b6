//! `$select`, `$filter` and `$expand` on metadata, which is data of another kind than rows: JSON objects, compared as
//! they are. Enumerations compare by name, with or without their type; managed properties by their `Value`.

use serde_json::{Map, Value, json};

use crate::dataverse::address::split_outside_quotes;
use crate::dataverse::call::Options;
use crate::dataverse::errors::{Answer, BAD_REQUEST, Refusal};
use crate::dataverse::filter::lex::{Literal, Token, lex};

/// The children of an object behind one of its names.
pub(super) type Children<'a> = &'a dyn Fn(&Map<String, Value>, &str) -> Option<Value>;

/// Applies the options to a list.
pub(super) fn narrowed(rows: Vec<Value>, options: &Options, children: Children<'_>) -> Answer<Vec<Value>> {
    let condition = options.get("$filter").map(Condition::read).transpose()?;
    rows.into_iter()
        .map(object)
        .filter(|row| condition.as_ref().is_none_or(|condition| condition.holds(row)))
        .map(|row| Ok(Value::Object(shaped(row, options, children)?)))
        .collect()
}

/// Applies `$select` and `$expand` to one object.
pub(super) fn shaped(row: Map<String, Value>, options: &Options, children: Children<'_>) -> Answer<Map<String, Value>> {
    let mut expanded = Vec::new();
    if let Some(expand) = options.get("$expand") {
        let parts = split_outside_quotes(expand, ',')
            .ok_or_else(|| Refusal::bad(BAD_REQUEST, "Bad Request - Error in query syntax. Cannot read $expand."))?;
        for part in parts {
            let part = part.trim();
            let (name, inner) = part.split_once('(').unwrap_or((part, ""));
            let inner =
                Options::read(&split_outside_quotes(inner.trim_end_matches(')'), ';').unwrap_or_default().join("&"))?;
            let value = children(&row, name).ok_or_else(|| Refusal::outside(format!("$expand={part} on metadata")))?;
            let value = match value {
                Value::Array(rows) => Value::Array(narrowed(rows, &inner, &|_, _| None)?),
                Value::Object(object) => Value::Object(shaped(object, &inner, &|_, _| None)?),
                other => other,
            };
            expanded.push((name.to_owned(), value));
        }
    }
    let mut row = match options.get("$select") {
        None => row,
        Some(select) => {
            let wanted: Vec<&str> = select.split(',').map(str::trim).collect();
            if let Some(name) = wanted.iter().find(|name| !row.contains_key(**name)) {
                return Err(Refusal::outside(format!("the metadata property '{name}'")));
            }
            let keep = |name: &str| wanted.contains(&name) || matches!(name, "@odata.type" | "MetadataId");
            row.into_iter().filter(|(name, _)| keep(name)).collect()
        }
    };
    row.extend(expanded);
    Ok(row)
}

/// The members of a JSON object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Equal(String, Value),
    Text(String, String, String),
}

impl Condition {
    fn read(text: &str) -> Answer<Condition> {
        let mut reader = Reader { tokens: lex(text)?, at: 0, text };
        let condition = reader.expression(false)?;
        if reader.at == reader.tokens.len() { Ok(condition) } else { Err(reader.outside()) }
    }

    fn holds(&self, row: &Map<String, Value>) -> bool {
        match self {
            Condition::And(left, right) => left.holds(row) && right.holds(row),
            Condition::Or(left, right) => left.holds(row) || right.holds(row),
            Condition::Not(inner) => !inner.holds(row),
            Condition::Equal(name, value) => found(row, name).is_some_and(|have| same(have, value)),
            Condition::Text(function, name, text) => {
                let have = found(row, name).and_then(Value::as_str).unwrap_or_default().to_lowercase();
                match function.as_str() {
                    "startswith" => have.starts_with(text.as_str()),
                    "endswith" => have.ends_with(text.as_str()),
                    _ => have.contains(text.as_str()),
                }
            }
        }
    }
}

fn found<'a>(row: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let value = row.get(name)?;
    if rest.is_empty() { Some(value) } else { value.get(rest) }
}

fn same(have: &Value, wanted: &Value) -> bool {
    have == wanted || have.get("Value") == Some(wanted)
}

struct Reader<'a> {
    tokens: Vec<Token>,
    at: usize,
    text: &'a str,
}

impl Reader<'_> {
    fn outside(&self) -> Refusal {
        Refusal::outside(format!("$filter={} on metadata", self.text))
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, token: &Token) -> bool {
        let found = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(found);
        found
    }

    fn expression(&mut self, only_and: bool) -> Answer<Condition> {
        let mut left = self.operand()?;
        loop {
            if self.takes(&Token::Word("and".to_owned())) {
                left = Condition::And(Box::new(left), Box::new(self.operand()?));
            } else if !only_and && self.takes(&Token::Word("or".to_owned())) {
                left = Condition::Or(Box::new(left), Box::new(self.expression(true)?));
            } else {
                return Ok(left);
            }
        }
    }

    fn operand(&mut self) -> Answer<Condition> {
        match self.next() {
            Some(Token::Mark('(')) => {
                let inner = self.expression(false)?;
                if self.takes(&Token::Mark(')')) { Ok(inner) } else { Err(self.outside()) }
            }
            Some(Token::Word(word)) if word == "not" => Ok(Condition::Not(Box::new(self.operand()?))),
            Some(Token::Word(word)) if matches!(word.as_str(), "contains" | "startswith" | "endswith") => {
                let tokens = [self.next(), self.next(), self.next(), self.next(), self.next()];
                match tokens {
                    [
                        Some(Token::Mark('(')),
                        Some(Token::Word(name)),
                        Some(Token::Mark(',')),
                        Some(Token::Literal(Literal::Text(text))),
                        Some(Token::Mark(')')),
                    ] => Ok(Condition::Text(word, name, text.to_lowercase())),
                    _ => Err(self.outside()),
                }
            }
            Some(Token::Word(name)) => {
                let Some(Token::Word(operator)) = self.next() else {
                    return Err(self.outside());
                };
                let mut token = self.next();
                // An enumeration's value has its type before the quote.
                if let (Some(Token::Word(_)), Some(Token::Literal(Literal::Text(_)))) =
                    (&token, self.tokens.get(self.at))
                {
                    token = self.next();
                }
                let value = match token {
                    Some(Token::Literal(Literal::Text(text))) => json!(text),
                    Some(Token::Literal(Literal::Bool(value))) => json!(value),
                    Some(Token::Literal(Literal::Id(id))) => json!(id),
                    Some(Token::Literal(Literal::Null)) => Value::Null,
                    Some(Token::Literal(Literal::Number(number))) if number.fract() == 0.0 => json!(number as i64),
                    _ => return Err(self.outside()),
                };
                match operator.as_str() {
                    "eq" => Ok(Condition::Equal(name, value)),
                    "ne" => Ok(Condition::Not(Box::new(Condition::Equal(name, value)))),
                    _ => Err(self.outside()),
                }
            }
            _ => Err(self.outside()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn conditions_compare_texts_flags_enumerations_and_managed_properties() {
        let row = object(json!({
            "LogicalName": "account", "IsPrivate": false, "AttributeType": "String",
            "RequiredLevel": { "Value": "None" }, "ObjectTypeCode": 1,
        }));
        for (text, holds) in [
            ("LogicalName eq 'account'", true),
            ("IsPrivate eq false and (LogicalName eq 'x' or startswith(LogicalName,'ACC'))", true),
            ("AttributeType eq Microsoft.Dynamics.CRM.AttributeTypeCode'String'", true),
            ("RequiredLevel/Value eq 'None'", true),
            ("ObjectTypeCode eq 2", false),
            ("not (LogicalName ne 'account')", true),
        ] {
            assert_eq!(Condition::read(text).unwrap().holds(&row), holds, "{text}");
        }
        assert_eq!(Condition::read("ObjectTypeCode gt 2").err().unwrap().status.as_u16(), 501);
    }
}
