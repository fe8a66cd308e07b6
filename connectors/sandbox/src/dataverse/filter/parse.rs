//! Reads a filter by precedence (`or` < `and` < `not`) and checks each name and value against the table.

use std::collections::BTreeMap;

use super::lex::{Literal, Token, lex};
use super::values::{condition, sort_key, syntax};
use super::{Comparison, Filter, Path};
use crate::dataverse::errors::{Answer, BAD_REQUEST, Refusal};
use crate::dataverse::query::{Relation, Scope};
use crate::dataverse::schema::{Kind, Table};

/// Nested parentheses beyond this are refused instead of exhausting the stack.
const DEPTH: usize = 100;

/// Reads `text` as a condition on rows of `table`.
pub(in crate::dataverse) fn parse(
    text: &str,
    scope: Scope<'_>,
    table: &'static Table,
    aliases: &BTreeMap<String, String>,
) -> Answer<Filter> {
    let mut parser = Parser { tokens: lex(text)?, at: 0, scope, table, variable: None, aliases };
    let filter = parser.expression(0, 0)?;
    match parser.next() {
        None => Ok(filter),
        Some(token) => Err(syntax(format!("{} is not expected here", show(&token)))),
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    scope: Scope<'a>,
    table: &'static Table,
    /// Inside `any` and `all`: the name that stands for the related row.
    variable: Option<String>,
    aliases: &'a BTreeMap<String, String>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn expect(&mut self, mark: char) -> Answer<()> {
        match self.next() {
            Some(Token::Mark(found)) if found == mark => Ok(()),
            other => Err(syntax(format!("expected '{mark}', found {}", other.as_ref().map_or("the end".into(), show)))),
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(found);
        found
    }

    /// Reads operands joined by operators that bind at least as tightly as `binding`: 0 is `or`, 1 is `and`.
    fn expression(&mut self, binding: u8, depth: usize) -> Answer<Filter> {
        let mut left = self.operand(depth)?;
        loop {
            if binding <= 1 && self.takes("and") {
                left = Filter::And(Box::new(left), Box::new(self.expression(2, depth)?));
            } else if binding == 0 && self.takes("or") {
                left = Filter::Or(Box::new(left), Box::new(self.expression(1, depth)?));
            } else {
                return Ok(left);
            }
        }
    }

    fn operand(&mut self, depth: usize) -> Answer<Filter> {
        if depth > DEPTH {
            return Err(syntax("the filter is nested too deeply".into()));
        }
        match self.next() {
            Some(Token::Mark('(')) => {
                let inner = self.expression(0, depth + 1)?;
                self.expect(')')?;
                Ok(inner)
            }
            Some(Token::Word(word)) if word == "not" => {
                // `not` binds tighter than `eq`: without parentheses it would negate the column.
                let call = matches!(self.tokens.get(self.at + 1), Some(Token::Mark('(')));
                if matches!(self.peek(), Some(Token::Word(_))) && !call {
                    return Err(Refusal::bad(
                        BAD_REQUEST,
                        "A unary operator with an incompatible type was detected. Put the condition after 'not' in parentheses.",
                    ));
                }
                Ok(Filter::Not(Box::new(self.operand(depth + 1)?)))
            }
            Some(Token::Word(word)) if matches!(self.peek(), Some(Token::Mark('('))) => self.function(&word),
            Some(Token::Word(word)) => self.comparison(&word),
            Some(Token::Literal(_)) => Err(Refusal::outside("a filter with the value before the column")),
            other => {
                Err(syntax(format!("expected a condition, found {}", other.as_ref().map_or("the end".into(), show))))
            }
        }
    }

    fn comparison(&mut self, name: &str) -> Answer<Filter> {
        let path = self.path(name)?;
        let operator = match self.next() {
            Some(Token::Word(word)) => word,
            _ => return Err(Refusal::outside("a filter that is no comparison, such as a column alone")),
        };
        let comparison = match operator.as_str() {
            "eq" => Comparison::Equal,
            "ne" => Comparison::NotEqual,
            "gt" => Comparison::Greater,
            "ge" => Comparison::GreaterOrEqual,
            "lt" => Comparison::Less,
            "le" => Comparison::LessOrEqual,
            "in" | "has" | "add" | "sub" | "mul" | "div" | "mod" => {
                return Err(Refusal::bad(
                    BAD_REQUEST,
                    format!("The operator '{operator}' is not supported in $filter by Dataverse."),
                ));
            }
            _ => return Err(syntax(format!("'{operator}' is not an operator"))),
        };
        let literal = self.literal()?;
        let value = match literal {
            Literal::Null => None,
            literal => Some(sort_key(path.column, &literal).ok_or_else(|| {
                let kind = match comparison {
                    Comparison::Equal => "Equal",
                    Comparison::NotEqual => "NotEqual",
                    Comparison::Greater => "GreaterThan",
                    Comparison::GreaterOrEqual => "GreaterThanOrEqual",
                    Comparison::Less => "LessThan",
                    Comparison::LessOrEqual => "LessThanOrEqual",
                };
                Refusal::bad(
                    BAD_REQUEST,
                    format!(
                        "A binary operator with incompatible types was detected. Found operand types '{}' and '{}' for \
                         operator kind '{kind}'.",
                        path.column.edm(),
                        literal.edm()
                    ),
                )
            })?),
        };
        Ok(Filter::Compare(path, comparison, value))
    }

    fn literal(&mut self) -> Answer<Literal> {
        match self.next() {
            Some(Token::Literal(literal)) => Ok(literal),
            Some(Token::Alias(alias)) => {
                let text = self
                    .aliases
                    .get(&alias)
                    .ok_or_else(|| syntax(format!("the parameter alias '{alias}' has no value")))?;
                match lex(text)?.as_slice() {
                    [Token::Literal(literal)] => Ok(literal.clone()),
                    _ => Err(syntax(format!("the parameter alias '{alias}' is not one value"))),
                }
            }
            Some(Token::Word(word)) if self.table.property(&word).is_some() => {
                Err(Refusal::outside("a filter that compares two columns"))
            }
            other => Err(syntax(format!("expected a value, found {}", other.as_ref().map_or("the end".into(), show)))),
        }
    }

    fn function(&mut self, name: &str) -> Answer<Filter> {
        self.expect('(')?;
        if let Some(function) = name.strip_prefix("Microsoft.Dynamics.CRM.") {
            return self.query_function(function);
        }
        for (operator, all) in [("/any", false), ("/all", true)] {
            if let Some(navigation) = name.strip_suffix(operator) {
                return self.lambda(navigation, all);
            }
        }
        if !matches!(name, "contains" | "startswith" | "endswith") {
            let message = format!("An unknown function with name '{name}' was found.");
            return Err(Refusal::bad(BAD_REQUEST, message));
        }
        let Some(Token::Word(column)) = self.next() else {
            return Err(syntax(format!("{name} expects a column first")));
        };
        let path = self.path(&column)?;
        self.expect(',')?;
        let literal = self.literal()?;
        self.expect(')')?;
        match (&path.column.kind, literal) {
            (Kind::Text { .. } | Kind::Memo { .. }, Literal::Text(text)) => {
                let text = text.to_lowercase();
                let pattern = match name {
                    "contains" => format!("%{text}%"),
                    "startswith" => format!("{text}%"),
                    _ => format!("%{text}"),
                };
                Ok(Filter::Like(path, pattern))
            }
            (_, literal) => Err(Refusal::bad(
                BAD_REQUEST,
                format!(
                    "No function signature for the function with name '{name}' matches the specified arguments: {}, {}.",
                    path.column.edm(),
                    literal.edm()
                ),
            )),
        }
    }

    /// `navigation/any(v:condition)`, with its opening parenthesis read already.
    fn lambda(&mut self, navigation: &str, all: bool) -> Answer<Filter> {
        if self.variable.is_some() {
            return Err(Refusal::outside("any or all inside any or all"));
        }
        let table = self.table;
        let relation = Relation::find(self.scope.store.schema(), table, navigation)?
            .ok_or_else(|| Refusal::unknown_property(table, navigation))?;
        if matches!(relation, Relation::One(..)) {
            return Err(syntax(format!("'{navigation}' leads to one row; any and all are for collections")));
        }
        if matches!(self.peek(), Some(Token::Mark(')'))) && !all {
            self.at += 1;
            return Ok(Filter::Related { table, relation, all, condition: None });
        }
        let Some(Token::Word(word)) = self.peek().cloned() else {
            return Err(syntax("expected a name and ':' after any( or all(".into()));
        };
        let (variable, rest) =
            word.split_once(':').ok_or_else(|| syntax("expected a name and ':' after any( or all(".into()))?;
        if rest.is_empty() {
            self.at += 1;
        } else {
            self.tokens[self.at] = Token::Word(rest.to_owned());
        }
        self.variable = Some(variable.to_owned());
        self.table = relation.target();
        let condition = self.expression(0, 1)?;
        self.table = table;
        self.variable = None;
        self.expect(')')?;
        Ok(Filter::Related { table, relation, all, condition: Some(Box::new(condition)) })
    }

    /// The Dataverse query functions; their values are always text.
    fn query_function(&mut self, name: &str) -> Answer<Filter> {
        self.parameter("PropertyName")?;
        let Literal::Text(column) = self.literal()? else {
            return Err(syntax("PropertyName is a text".into()));
        };
        let path = self.named_path(&column)?;
        let mut texts = Vec::new();
        if matches!(self.peek(), Some(Token::Mark(','))) {
            self.at += 1;
            if self.takes("PropertyValues") {
                self.expect('=')?;
                texts = self.texts()?;
            } else {
                self.parameter("PropertyValue")?;
                texts.push(match self.literal()? {
                    Literal::Text(text) => text,
                    Literal::Number(number) => number.to_string(),
                    _ => return Err(syntax("PropertyValue is a text or a number".into())),
                });
            }
        }
        self.expect(')')?;
        condition(name, path, &texts, self.scope)
    }

    fn texts(&mut self) -> Answer<Vec<String>> {
        self.expect('[')?;
        let mut texts = Vec::new();
        loop {
            let Literal::Text(text) = self.literal()? else {
                return Err(syntax("PropertyValues are texts".into()));
            };
            texts.push(text);
            match self.next() {
                Some(Token::Mark(',')) => {}
                Some(Token::Mark(']')) => return Ok(texts),
                _ => return Err(syntax("PropertyValues end with ']'".into())),
            }
        }
    }

    fn parameter(&mut self, name: &str) -> Answer<()> {
        if self.takes(name) { self.expect('=') } else { Err(syntax(format!("expected the parameter {name}"))) }
    }

    /// A column that a query function names; a lookup may go by its logical name.
    fn named_path(&self, text: &str) -> Answer<Path> {
        match self.table.column(text) {
            Some(column) if self.variable.is_none() => Ok(Path::direct(column)),
            _ => self.path(text),
        }
    }

    /// A column of the table, or `navigation/column` through lookups.
    fn path(&self, text: &str) -> Answer<Path> {
        let text = match &self.variable {
            None => text,
            Some(variable) => text
                .strip_prefix(variable.as_str())
                .and_then(|rest| rest.strip_prefix('/'))
                .ok_or_else(|| Refusal::outside(format!("'{text}' inside any or all; begin with '{variable}/'")))?,
        };
        path(self.scope, self.table, text)
    }
}

/// Reads `column`, or `navigation/column` through lookups, from rows of `table`.
pub(in crate::dataverse) fn path(scope: Scope<'_>, table: &'static Table, text: &str) -> Answer<Path> {
    let mut table = table;
    let mut lookups = Vec::new();
    let mut steps: Vec<&str> = text.split('/').collect();
    let last = steps.pop().unwrap_or_default();
    for step in steps {
        let (column, target) = table.navigation(step).ok_or_else(|| Refusal::unknown_property(table, step))?;
        table = scope
            .store
            .schema()
            .table(target.table)
            .ok_or_else(|| Refusal::outside(format!("the table '{}'", target.table)))?;
        lookups.push((column, target.table));
    }
    match table.property(last) {
        Some(column) => Ok(Path { lookups, column }),
        None if table.navigation(last).is_some() => Err(Refusal::outside(format!(
            "a filter on the navigation property '{last}'; compare the lookup column '_x_value'"
        ))),
        None => Err(Refusal::unknown_property(table, last)),
    }
}

fn show(token: &Token) -> String {
    match token {
        Token::Word(word) | Token::Alias(word) => format!("'{word}'"),
        Token::Literal(literal) => format!("a value of type {}", literal.edm()),
        Token::Mark(mark) => format!("'{mark}'"),
    }
}
