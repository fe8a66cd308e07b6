//! From text to a condition: `or` binds least, then `and`, then `not`.

use std::iter::Peekable;
use std::vec::IntoIter;

use uuid::Uuid;

use super::{Comparison, Filter, Literal, Node, Part};

/// How deep parentheses may lie in each other.
const DEEPEST: usize = 64;

impl Filter {
    /// Reads a condition.
    ///
    /// # Errors
    /// Text that is no condition, with what is wrong about it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { tokens: tokens(text)?.into_iter().peekable(), depth: 0 };
        let node = reader.any()?;
        match reader.tokens.next() {
            None => Ok(Self(node)),
            Some(token) => Err(format!("{} is not expected there", token.shown())),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    Text(String),
    Word(String),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::Text(_) => "a text in quotes".to_owned(),
            Self::Word(word) => format!("`{word}`"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let (mut tokens, mut letters) = (Vec::new(), text.chars().peekable());
    while let Some(letter) = letters.next() {
        tokens.push(match letter {
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '\'' => {
                let mut text = String::new();
                loop {
                    match letters.next() {
                        Some('\'') if letters.next_if_eq(&'\'').is_some() => text.push('\''),
                        Some('\'') => break,
                        Some(letter) => text.push(letter),
                        None => return Err("a text in quotes does not end".to_owned()),
                    }
                }
                Token::Text(text)
            }
            letter if letter.is_whitespace() => continue,
            letter => {
                let mut word = String::from(letter);
                let goes_on = |letter: &char| !letter.is_whitespace() && !matches!(letter, '(' | ')' | ',' | '\'');
                while let Some(letter) = letters.next_if(goes_on) {
                    word.push(letter);
                }
                Token::Word(word)
            }
        });
    }
    Ok(tokens)
}

/// One side of a comparison.
enum Side {
    Member(String),
    Value(Literal),
    Unknown(String),
}

struct Reader {
    tokens: Peekable<IntoIter<Token>>,
    depth: usize,
}

impl Reader {
    fn any(&mut self) -> Result<Node, String> {
        let mut node = self.all()?;
        while self.word("or") {
            node = Node::Or(Box::new(node), Box::new(self.all()?));
        }
        Ok(node)
    }

    fn all(&mut self) -> Result<Node, String> {
        let mut node = self.one()?;
        while self.word("and") {
            node = Node::And(Box::new(node), Box::new(self.one()?));
        }
        Ok(node)
    }

    fn one(&mut self) -> Result<Node, String> {
        if self.depth == DEEPEST {
            return Err(format!("more than {DEEPEST} conditions lie in each other"));
        }
        self.depth += 1;
        let node = if self.word("not") {
            Node::Not(Box::new(self.one()?))
        } else if self.tokens.next_if_eq(&Token::Open).is_some() {
            let node = self.any()?;
            self.tokens.next_if_eq(&Token::Close).ok_or("a parenthesis is not closed")?;
            node
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn condition(&mut self) -> Result<Node, String> {
        let left = match self.tokens.next() {
            Some(Token::Word(name)) if self.tokens.peek() == Some(&Token::Open) => match self.call(&name)? {
                Ok(part) => return Ok(part),
                Err(unknown) => Side::Unknown(unknown),
            },
            token => side(token)?,
        };
        let Some(comparison) = self.comparison() else {
            return Ok(Node::Unknown(match left {
                Side::Member(name) => format!("`{name}` alone"),
                Side::Unknown(what) => what,
                Side::Value(_) => return Err("a value stands alone".to_owned()),
            }));
        };
        let right = match self.tokens.next() {
            Some(Token::Word(name)) if self.tokens.peek() == Some(&Token::Open) => {
                Side::Unknown(self.call(&name)?.err().unwrap_or(name))
            }
            token => side(token)?,
        };
        Ok(match (left, right) {
            (Side::Unknown(what), _) | (_, Side::Unknown(what)) => Node::Unknown(what),
            (Side::Member(name), Side::Value(value)) => Node::Compare(name, comparison, value),
            (Side::Value(value), Side::Member(name)) => Node::Compare(name, comparison.turned(), value),
            _ => Node::Unknown("a comparison that is not one of a member with a value".to_owned()),
        })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        [
            ("eq", Comparison::Eq),
            ("ne", Comparison::Ne),
            ("gt", Comparison::Gt),
            ("ge", Comparison::Ge),
            ("lt", Comparison::Lt),
            ("le", Comparison::Le),
        ]
        .into_iter()
        .find_map(|(word, comparison)| self.word(word).then_some(comparison))
    }

    /// A function's call: one that is known, or what it is.
    fn call(&mut self, name: &str) -> Result<Result<Node, String>, String> {
        let mut given = Vec::new();
        let mut open = 0;
        loop {
            let token = self.tokens.next().ok_or("a parenthesis is not closed")?;
            match token {
                Token::Open => open += 1,
                Token::Close => open -= 1,
                _ => {}
            }
            given.push(token);
            if open == 0 {
                break;
            }
        }
        let part = match name {
            "contains" => Part::Anywhere,
            "startswith" => Part::Start,
            "endswith" => Part::End,
            _ => return Ok(Err(format!("`{name}(…)`"))),
        };
        Ok(match given.as_slice() {
            [Token::Open, Token::Word(member), Token::Comma, Token::Text(text), Token::Close] => {
                Ok(Node::Part(member.clone(), part, text.clone()))
            }
            _ => Err(format!("`{name}(…)` of something else than a member and a text")),
        })
    }

    fn word(&mut self, wanted: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(word) if word == wanted)).is_some()
    }
}

fn side(token: Option<Token>) -> Result<Side, String> {
    match token {
        Some(Token::Text(text)) => Ok(Side::Value(Literal::Text(text))),
        Some(Token::Word(word)) if word == "null" => Ok(Side::Value(Literal::Null)),
        Some(Token::Word(word)) if word.starts_with('@') => Ok(Side::Unknown(format!("`{word}`"))),
        Some(Token::Word(word)) => {
            let is_value = matches!(word.as_str(), "true" | "false")
                || word.starts_with(|first: char| first.is_ascii_digit() || first == '-')
                || word.parse::<Uuid>().is_ok();
            Ok(if is_value { Side::Value(Literal::Word(word)) } else { Side::Member(word) })
        }
        Some(token) => Err(format!("{} is not expected there", token.shown())),
        None => Err("something is missing at the end".to_owned()),
    }
}

impl Comparison {
    /// The same with its sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            same => same,
        }
    }
}
