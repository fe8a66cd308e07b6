//! Tokens of a filter.

use super::wrong;
use crate::partner_center::problem::Problem;

/// The smallest parts of a filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    Colon,
    Quoted(String),
    Word(String),
}

impl Token {
    /// As a message shows it.
    pub(super) fn shown(&self) -> &str {
        match self {
            Token::Open => "(",
            Token::Close => ")",
            Token::Colon => ":",
            Token::Quoted(text) | Token::Word(text) => text,
        }
    }
}

/// Splits a filter into its tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let used = match first {
            '(' => {
                found.push(Token::Open);
                1
            }
            ')' => {
                found.push(Token::Close);
                1
            }
            ':' => {
                found.push(Token::Colon);
                1
            }
            '\'' => {
                let (value, used) = quoted(rest)?;
                found.push(Token::Quoted(value));
                used
            }
            _ => {
                // A word that begins like a date keeps its colons; any other ends at one.
                let dated = first.is_ascii_digit();
                let end = |c: char| c.is_whitespace() || "()'".contains(c) || (c == ':' && !dated);
                let used = rest.find(end).unwrap_or(rest.len());
                found.push(Token::Word(rest[..used].to_owned()));
                used
            }
        };
        rest = rest[used..].trim_start();
    }
    Ok(found)
}

/// A quoted text at the start of `rest`, in which two quotes stand for one; and its length.
fn quoted(rest: &str) -> Result<(String, usize), Problem> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            value.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            value.push('\'');
        } else {
            return Ok((value, at + 1));
        }
    }
    Err(wrong("A text in the filter has no closing quote."))
}
