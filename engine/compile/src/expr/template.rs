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
    /// The file and line, as messages name them.
    place: String,
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
    /// The file and line; empty where they are not known.
    pub place: String,
}

/// How much of an expression an error repeats; its place shows the rest.
const REPEATED: usize = 60;

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.expression.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.char_indices().nth(REPEATED) {
            Some((end, _)) => write!(f, "`${{{{ {}… }}}}`", words[..end].trim_end())?,
            None => write!(f, "`${{{{ {words} }}}}`")?,
        }
        if !self.place.is_empty() {
            write!(f, " ({})", self.place)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Expression {
    /// An expression that is one path and nothing else.
    pub(crate) fn path(source: &str, span: Span, path: Path) -> Self {
        Self { source: source.to_owned(), span, place: String::new(), paths: vec![path], body: Body::Path }
    }

    /// An expression whose value is known now.
    pub(crate) fn constant(source: &str, span: Span, value: Value) -> Self {
        Self { source: source.to_owned(), span, place: String::new(), paths: Vec::new(), body: Body::Constant(value) }
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
        Ok(Self {
            source: source.to_owned(),
            span,
            place: String::new(),
            paths,
            body: Body::Engine { compiled: Box::new(compiled), names, constants },
        })
    }

    /// The same, standing at `place`: a file and line.
    pub(crate) fn at(mut self, place: String) -> Self {
        self.place = place;
        self
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
        EvaluationError {
            expression: self.source.clone(),
            message: message.to_owned(),
            span: self.span,
            place: self.place.clone(),
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::expr::path::{Root, Segment};
    use cosell_model::span::FileId;
    use serde_json::json;

    /// Everything is the trigger.
    struct Only(Value);

    impl Scope for Only {
        fn value(&self, _: Root) -> Cow<'_, Value> {
            Cow::Borrowed(&self.0)
        }
    }

    fn span(start: usize, end: usize) -> Span {
        Span::new(FileId(0), start, end)
    }

    fn trigger(names: &[&str]) -> Path {
        Path { root: Root::Trigger, segments: names.iter().map(|name| Segment::Key((*name).into())).collect() }
    }

    fn engine(source: &str, paths: Vec<Path>) -> Expression {
        Expression::engine(source, span(0, 1), source.to_owned(), paths, Vec::new()).unwrap()
    }

    #[test]
    fn a_mention_is_borrowed_from_the_run_s_data() {
        let data = Only(json!({ "a": { "b": [1, 2] } }));
        let mention = Template::Expression(Expression::path("trigger.a.b", span(0, 1), trigger(&["a", "b"])));
        assert!(matches!(mention.evaluate(&data).unwrap(), Cow::Borrowed(value) if *value == json!([1, 2])));
        let missing = Template::Expression(Expression::path("trigger.c", span(0, 1), trigger(&["c"])));
        assert_eq!(*missing.evaluate(&data).unwrap(), json!(null));
    }

    #[test]
    fn known_values_take_the_place_of_paths() {
        let paths = vec![trigger(&["x"]), trigger(&[]), trigger(&["y"])];
        let known = vec![(1, json!(10))];
        let sum = Expression::engine("…", span(0, 1), "_0 + _1 + _2".into(), paths, known).unwrap();
        assert_eq!(*sum.evaluate(&Only(json!({ "x": 1, "y": 100 }))).unwrap(), json!(111));
    }

    #[test]
    fn an_error_names_the_expression_and_its_place() {
        let text = Template::Text(vec![
            TextPart::Plain("x".into()),
            TextPart::Expression(Expression::path("trigger.a", span(3, 12), trigger(&["a"]))),
        ]);
        let error = text.render(&Only(json!({ "a": {} }))).unwrap_err();
        assert_eq!((error.span, error.expression.as_str()), (span(3, 12), "trigger.a"));
        assert_eq!(
            error.to_string(),
            "`${{ trigger.a }}`: a map cannot stand inside text; use `| join(', ')` or `| json`"
        );
        assert_eq!(text.place(), Some(span(3, 12)));
        let list = Template::List(vec![Template::Constant(json!(1)), Template::Map(vec![("k".into(), text)])]);
        assert_eq!(list.place(), Some(span(3, 12)));
        assert_eq!(Template::Constant(json!(1)).place(), None);
    }

    #[test]
    fn what_takes_too_much_says_what_to_do() {
        let hungry = engine("range(100000)|map('lookup', {}, range(100000))|map('list')|list", Vec::new());
        let message = hungry.evaluate(&Only(json!(null))).unwrap_err().message;
        assert_eq!(message, "it handles too much; split it, or let a loop go through the list");
        assert_eq!(
            *engine("1 + 1", Vec::new()).evaluate(&Only(json!(null))).unwrap(),
            json!(2),
            "the next one starts anew"
        );
    }

    #[test]
    fn what_is_empty_counts_as_false() {
        for empty in [json!(null), json!(false), json!(0), json!(0.0), json!(""), json!([]), json!({})] {
            assert!(!truth(&empty), "{empty}");
        }
        for something in
            [json!(true), json!(-1), json!(0.1), json!(" "), json!("false"), json!([null]), json!({ "a": null })]
        {
            assert!(truth(&something), "{something}");
        }
    }
}
