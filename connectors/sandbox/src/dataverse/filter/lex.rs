//! Tokens of a filter.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::dataverse::errors::{Answer, BAD_REQUEST, Refusal};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::dataverse) enum Token {
    /// A word: an operator, a name, a path.
    Word(String),
    /// A parameter alias with its `@`.
    Alias(String),
    /// A value.
    Literal(Literal),
    /// One of `( ) [ ] , =`.
    Mark(char),
}

/// A value written in a filter.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::dataverse) enum Literal {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// Text in quotes.
    Text(String),
    /// A guid without quotes.
    Id(Uuid),
    /// A day without quotes.
    Day(Date),
    /// An instant without quotes.
    Instant(Timestamp),
}

impl Literal {
    /// Name of the Edm type, for messages.
    pub(in crate::dataverse) fn edm(&self) -> &'static str {
        match self {
            Literal::Null => "null",
            Literal::Bool(_) => "Edm.Boolean",
            Literal::Number(value) if value.fract() == 0.0 => "Edm.Int32",
            Literal::Number(_) => "Edm.Single",
            Literal::Text(_) => "Edm.String",
            Literal::Id(_) => "Edm.Guid",
            Literal::Day(_) => "Edm.Date",
            Literal::Instant(_) => "Edm.DateTimeOffset",
        }
    }

    /// Reads a value that is not in quotes.
    fn bare(text: &str) -> Option<Literal> {
        Some(match text {
            "null" => Literal::Null,
            "true" => Literal::Bool(true),
            "false" => Literal::Bool(false),
            _ => {
                if text.len() == 36
                    && let Ok(id) = Uuid::try_parse(text)
                {
                    Literal::Id(id)
                } else if let Ok(number) = text.parse::<f64>()
                    && text.starts_with(|char: char| char.is_ascii_digit() || char == '-')
                {
                    Literal::Number(number)
                } else if let Ok(instant) = text.parse() {
                    Literal::Instant(instant)
                } else if text.len() == 10
                    && let Ok(day) = text.parse()
                {
                    Literal::Day(day)
                } else {
                    return None;
                }
            }
        })
    }
}

/// Cuts `text` into tokens. Text stands in single quotes, doubled inside; the values of query functions may stand in
/// double quotes.
pub(in crate::dataverse) fn lex(text: &str) -> Answer<Vec<Token>> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&char) = chars.get(at) {
        match char {
            _ if char.is_whitespace() => at += 1,
            '(' | ')' | '[' | ']' | ',' | '=' => {
                tokens.push(Token::Mark(char));
                at += 1;
            }
            '\'' | '"' => {
                let (value, after) = quoted(&chars, at)?;
                tokens.push(Token::Literal(Literal::Text(value)));
                at = after;
            }
            _ => {
                let start = at;
                while chars.get(at).is_some_and(|char| !char.is_whitespace() && !"()[],='\"".contains(*char)) {
                    at += 1;
                }
                let word: String = chars[start..at].iter().collect();
                tokens.push(match Literal::bare(&word) {
                    Some(literal) => Token::Literal(literal),
                    None if word.starts_with('@') => Token::Alias(word),
                    None => Token::Word(word),
                });
            }
        }
    }
    Ok(tokens)
}

fn quoted(chars: &[char], start: usize) -> Answer<(String, usize)> {
    let quote = chars[start];
    let mut value = String::new();
    let mut at = start + 1;
    while let Some(&char) = chars.get(at) {
        if char != quote {
            value.push(char);
            at += 1;
        } else if chars.get(at + 1) == Some(&quote) {
            value.push(quote);
            at += 2;
        } else {
            return Ok((value, at + 1));
        }
    }
    let message = format!("There is an unterminated string literal at position {} of the filter.", start + 1);
    Err(Refusal::bad(BAD_REQUEST, message))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_are_told_from_words() {
        let tokens = lex("name eq 'it''s' and createdon ge 2024-01-01T00:00:00Z or n le -1.5").unwrap();
        assert_eq!(tokens[2], Token::Literal(Literal::Text("it's".into())));
        assert!(matches!(tokens[6], Token::Literal(Literal::Instant(_))));
        assert_eq!(tokens[10], Token::Literal(Literal::Number(-1.5)));
        assert!(matches!(lex("2024-01-01").unwrap()[0], Token::Literal(Literal::Day(_))));
        assert!(matches!(lex("00000000-0000-0000-0000-000000000001").unwrap()[0], Token::Literal(Literal::Id(_))));
        assert!(lex("name eq 'open").is_err());
    }
}
