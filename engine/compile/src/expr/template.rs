//! A whole value with expressions in it, compiled.

use std::borrow::Cow;
use std::fmt;

use cosell_model::Span;
use minijinja::value::Value as EngineValue;
use serde_json::{Map, Value};

use super::budget;
use super::environment::ENVIRONMENT;
use super::parse::placeholder;
use super::path::{Path, Scope};
use super::value::{append, to_engine, to_json};

/// A value with expressions in it, compiled. What holds none is already the value.
#[derive(Debug)]
pub enum Template {
    /// No expression anywhere inside.
    Constant(Value),
    /// Exactly one expression: its value keeps its type.
    Expression(Expression),
    /// Expressions with text around them: always text.
    Text(Vec<TextPart>),
    /// A list.
    List(Vec<Template>),
    /// A map.
    Map(Vec<(String, Template)>),
}

/// A part of a text.
#[derive(Debug)]
pub enum TextPart {
    /// Plain text.
    Plain(String),
    /// An expression; null gives nothing, a list or a map is an error.
    Expression(Expression),
}

/// One compiled expression.
pub struct Expression {
    source: String,
    /// Where it stands in its file.
    pub span: Span,
    paths: Vec<Path>,
    body: Body,
}

enum Body {
    /// It is the first path and nothing else.
    Path,
    /// It was computed when compiling.
    Constant(Value),
    /// It needs the engine, which gets the paths' values under short names.
    Engine {
        compiled: Box<minijinja::Expression<'static, 'static>>,
        names: Vec<String>,
        /// Values known when compiling, by the number of the path whose place they take.
        constants: Vec<(usize, EngineValue)>,
    },
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{{ {} }}}}", self.source)
    }
}

/// An expression that could not be computed.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationError {
    /// The expression.
    pub expression: String,
    /// Why.
    pub message: String,
    /// Where it stands.
    pub span: Span,
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`${{{{ {} }}}}`: {}", self.expression, self.message)
    }
}

impl Expression {
    /// An expression that is one path and nothing else.
    pub(crate) fn path(source: &str, span: Span, path: Path) -> Self {
        Self { source: source.to_owned(), span, paths: vec![path], body: Body::Path }
    }

    /// An expression whose value is known now.
    pub(crate) fn constant(source: &str, span: Span, value: Value) -> Self {
        Self { source: source.to_owned(), span, paths: Vec::new(), body: Body::Constant(value) }
    }

    /// An expression for the engine: `rewritten` mentions `paths` by their short names; `constants` are values known
    /// already, each with the number of the path whose place it takes.
    ///
    /// # Errors
    /// What the engine says, where it cannot compile it.
    pub(crate) fn engine(
        source: &str,
        span: Span,
        rewritten: String,
        paths: Vec<Path>,
        constants: Vec<(usize, Value)>,
    ) -> Result<Self, String> {
        let compiled = ENVIRONMENT
            .compile_expression_owned(rewritten)
            .map_err(|error| error.detail().unwrap_or("syntax error").to_owned())?;
        let names = (0..paths.len()).map(placeholder).collect();
        let constants = constants.iter().map(|(at, value)| (*at, to_engine(value))).collect();
        Ok(Self { source: source.to_owned(), span, paths, body: Body::Engine { compiled: Box::new(compiled), names, constants } })
    }

    /// Its value, where that is known without a run.
    pub(crate) fn known(&self) -> Option<&Value> {
        match &self.body {
            Body::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// The expression as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its value.
    ///
    /// # Errors
    /// What could not be computed, and why.
    pub fn evaluate<'s>(&'s self, scope: &'s dyn Scope) -> Result<Cow<'s, Value>, EvaluationError> {
        match &self.body {
            Body::Path => Ok(self.paths[0].get(scope)),
            Body::Constant(value) => Ok(Cow::Borrowed(value)),
            Body::Engine { compiled, names, constants } => {
                let value = |(number, path): (usize, &Path)| {
                    let constant = constants.iter().find(|(at, _)| *at == number);
                    constant.map_or_else(|| to_engine(&path.get(scope)), |(_, value)| value.clone())
                };
                let values = self.paths.iter().enumerate().map(value);
                let context = EngineValue::from_pairs(names.iter().map(String::as_str).zip(values));
                budget::renew();
                let value = compiled.eval(context).and_then(|value| to_json(&value));
                value.map(Cow::Owned).map_err(|error| self.error(&engine_message(&error)))
            }
        }
    }

    fn error(&self, message: &str) -> EvaluationError {
        EvaluationError { expression: self.source.clone(), message: message.to_owned(), span: self.span }
    }
}

fn engine_message(error: &minijinja::Error) -> String {
    match (error.kind(), error.detail()) {
        (minijinja::ErrorKind::OutOfFuel, _) => {
            "it handles too much; split it, or let a loop go through the list".to_owned()
        }
        // What the engine calls "undefined" is null here.
        (_, Some(detail)) => detail.replace("undefined", "null"),
        (kind, None) => kind.to_string(),
    }
}

impl Template {
    /// The value with every expression computed.
    ///
    /// # Errors
    /// The first expression that could not be computed.
    pub fn render(&self, scope: &dyn Scope) -> Result<Value, EvaluationError> {
        Ok(match self {
            Template::Constant(value) => value.clone(),
            Template::Expression(expression) => expression.evaluate(scope)?.into_owned(),
            Template::Text(parts) => Value::String(render_text(parts, scope)?),
            Template::List(items) => {
                Value::Array(items.iter().map(|item| item.render(scope)).collect::<Result<_, _>>()?)
            }
            Template::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    map.insert(key.clone(), value.render(scope)?);
                }
                Value::Object(map)
            }
        })
    }

    /// The value, borrowed where it stands in the run's data as it is.
    ///
    /// # Errors
    /// The first expression that could not be computed.
    pub fn evaluate<'s>(&'s self, scope: &'s dyn Scope) -> Result<Cow<'s, Value>, EvaluationError> {
        match self {
            Template::Constant(value) => Ok(Cow::Borrowed(value)),
            Template::Expression(expression) => expression.evaluate(scope),
            other => other.render(scope).map(Cow::Owned),
        }
    }

    /// Where the first expression in it stands.
    pub fn place(&self) -> Option<Span> {
        match self {
            Template::Constant(_) => None,
            Template::Expression(expression) => Some(expression.span),
            Template::Text(parts) => parts.iter().find_map(|part| match part {
                TextPart::Plain(_) => None,
                TextPart::Expression(expression) => Some(expression.span),
            }),
            Template::List(items) => items.iter().find_map(Template::place),
            Template::Map(entries) => entries.iter().find_map(|(_, value)| value.place()),
        }
    }

    /// Whether the value counts as true: null, false, 0, and empty text, lists and maps do not.
    ///
    /// # Errors
    /// The first expression that could not be computed.
    pub fn is_true(&self, scope: &dyn Scope) -> Result<bool, EvaluationError> {
        Ok(truth(&*self.evaluate(scope)?))
    }
}

/// Whether a value counts as true.
pub fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn render_text(parts: &[TextPart], scope: &dyn Scope) -> Result<String, EvaluationError> {
    let mut text = String::new();
    for part in parts {
        match part {
            TextPart::Plain(plain) => text.push_str(plain),
            TextPart::Expression(expression) => {
                let value = expression.evaluate(scope)?;
                append(&mut text, &value).map_err(|what| {
                    expression.error(&format!("{what} cannot stand inside text; use `| join(', ')` or `| json`"))
                })?;
            }
        }
    }
    Ok(text)
}
