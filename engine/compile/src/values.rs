//! Values with expressions in them, compiled; see [`crate::resolve`] for the names in them.

use std::collections::BTreeMap;
use std::ops::Range;

use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Diagnostic, Node, Span, Value};

use crate::check::conditions;
use crate::expr::parse::{self, ExpressionError};
use crate::expr::path::{Path, Root, Scope};
use crate::expr::template::{Expression, Template, TextPart};
use crate::expr::text::{BraceError, Piece, bare_braces, split};
use crate::read::fields::Findings;
use crate::resolve::{Found, Mentioned, Names, ROOTS, Standpoint, find};
use crate::scalar::Places;
use crate::source::Sources;
use crate::suggest::did_you_mean;

/// Compiles `node`, reporting what is wrong and noting the steps it mentions.
pub(crate) fn template(
    node: &Node,
    at: Standpoint,
    names: &Names<'_>,
    mentioned: &mut Vec<Mentioned>,
    findings: &mut Findings,
) -> Template {
    Compiling { at, names, mentioned, findings }.value(node)
}

struct Compiling<'l, 'c> {
    at: Standpoint,
    names: &'l Names<'c>,
    mentioned: &'l mut Vec<Mentioned>,
    findings: &'l mut Findings,
}

impl Compiling<'_, '_> {
    fn value(&mut self, node: &Node) -> Template {
        match &node.kind {
            NodeKind::Text(text) => self.text(node, text),
            NodeKind::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
                if items.iter().all(is_constant) {
                    return Template::Constant(Value::Array(items.into_iter().map(constant).collect()));
                }
                Template::List(items)
            }
            NodeKind::Map(entries) => {
                let entries: Vec<_> = entries.iter().map(|entry| (self.key(entry), self.value(&entry.value))).collect();
                if entries.iter().all(|(_, value)| is_constant(value)) {
                    return Template::Constant(Value::Object(
                        entries.into_iter().map(|(key, value)| (key, constant(value))).collect(),
                    ));
                }
                Template::Map(entries)
            }
            _ => Template::Constant(node.to_value()),
        }
    }

    /// A key, in which variables may be mentioned: names of columns differ from one CRM to the next.
    fn key(&mut self, entry: &Entry) -> String {
        if !entry.key.value.contains("${{") {
            return entry.key.value.clone();
        }
        let node = Node { kind: NodeKind::Text(entry.key.value.clone()), span: entry.key.span };
        constant_text(&node, "a computed key", self.names.sources, self.names.variables, self.findings)
            .unwrap_or_default()
    }

    fn text(&mut self, node: &Node, text: &str) -> Template {
        let places = Places::new(text, self.names.sources.slice(node.span), node.span);
        let mut pieces = match split(text) {
            Ok(pieces) => pieces,
            Err(error) => {
                self.findings.push(brace_error(&places, error));
                return Template::Constant(Value::Null);
            }
        };
        self.bare_braces(text, &pieces, &places);
        if is_whole(&pieces) {
            pieces.truncate(1);
        }
        let count = pieces.len();
        let mut parts: Vec<TextPart> = pieces
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Plain(plain) => Some(TextPart::Plain(plain)),
                Piece::Expression(range) => self.expression(text, range, &places).map(TextPart::Expression),
            })
            .collect();
        if parts.len() < count {
            // Reported; nothing runs with this value.
            return Template::Constant(Value::Null);
        }
        match (count == 1, parts.pop()) {
            (true, Some(TextPart::Plain(plain))) => Template::Constant(Value::String(plain)),
            (true, Some(TextPart::Expression(only))) => match only.known() {
                Some(value) => Template::Constant(value.clone()),
                None => Template::Expression(only),
            },
            (_, last) => {
                parts.extend(last);
                self.fold(parts)
            }
        }
    }

    /// Text in which every expression is already known is plain text.
    fn fold(&mut self, parts: Vec<TextPart>) -> Template {
        let known = parts.iter().all(|part| match part {
            TextPart::Plain(_) => true,
            TextPart::Expression(expression) => expression.known().is_some(),
        });
        let template = Template::Text(parts);
        if !known {
            return template;
        }
        match template.render(&Nowhere) {
            Ok(text) => Template::Constant(text),
            Err(error) => {
                self.findings.push(always_fails(&error.message, error.span));
                Template::Constant(Value::Null)
            }
        }
    }

    /// Warns of `{{ steps.… }}` without its dollar, which stays as it is.
    fn bare_braces(&mut self, text: &str, pieces: &[Piece], places: &Places) {
        for range in bare_braces(text, pieces) {
            let inner = text[range.clone()].trim_matches(['{', '}']).trim();
            let root: String = inner.chars().take_while(char::is_ascii_alphanumeric).collect();
            if ROOTS.contains(&root.as_str()) && inner[root.len()..].starts_with(['.', '[']) {
                self.findings.push(
                    Diagnostic::error(
                        "bare-template",
                        "`{{ … }}` without a dollar is plain text",
                        places.part(range),
                        "not an expression",
                    )
                    .help(format!("write `${{{{ {inner} }}}}`"))
                    .warning(),
                );
            }
        }
    }

    fn expression(&mut self, text: &str, range: Range<usize>, places: &Places) -> Option<Expression> {
        let source = &text[range.clone()];
        let span = places.part(range.clone());
        let part = |inner: Range<usize>| places.part(range.start + inner.start..range.start + inner.end);
        let parsed = match parse::parse(source) {
            Ok(parsed) => parsed,
            Err(errors) => {
                self.findings.extend(errors.into_iter().map(|error| finding(error, &part)));
                return None;
            }
        };
        let before = self.findings.len();
        let mut constants = Vec::new();
        let mut paths = Vec::new();
        for mention in &parsed.mentions {
            match find(mention, &part, self.at, self.names, self.mentioned, self.findings) {
                Some(Found::Path(path)) => {
                    conditions::compared(source, mention, &part, self.names, self.findings);
                    paths.push(path);
                }
                Some(Found::Constant(value)) => {
                    // A variable's value is known now; it takes a path's place.
                    constants.push((paths.len(), value));
                    paths.push(Path { root: Root::Run, segments: Box::new([]) });
                }
                None => {}
            }
        }
        if self.findings[before..].iter().any(|finding| finding.severity == cosell_model::Severity::Error) {
            return None;
        }
        if parsed.is_mention {
            return Some(match constants.pop() {
                Some((_, value)) => Expression::constant(source, span, value),
                None => Expression::path(source, span, paths.pop()?),
            });
        }
        let known = constants.len() == paths.len();
        let expression = match Expression::engine(source, span, parsed.rewritten, paths, constants) {
            Ok(expression) => expression.at(self.names.sources.place(span)),
            Err(message) => {
                let message = format!("this expression cannot be read: {message}");
                self.findings.push(Diagnostic::error("expression-syntax", message, span, "here"));
                return None;
            }
        };
        if !known {
            return Some(expression);
        }
        // It needs nothing that only a run knows, so its value is known now.
        match expression.evaluate(&Nowhere) {
            Ok(value) => Some(Expression::constant(source, span, value.into_owned())),
            Err(error) => {
                self.findings.push(always_fails(&error.message, span));
                None
            }
        }
    }
}

fn is_constant(template: &Template) -> bool {
    matches!(template, Template::Constant(_))
}

fn constant(template: Template) -> Value {
    match template {
        Template::Constant(value) => value,
        _ => Value::Null,
    }
}

/// Whether a text is one expression and nothing else, not even space: then the value keeps its type. The line end that
/// a block (`|` or `>`) leaves behind does not count.
pub(crate) fn is_whole(pieces: &[Piece]) -> bool {
    match pieces {
        [Piece::Expression(_)] => true,
        [Piece::Expression(_), Piece::Plain(end)] => end.chars().all(|char| char == '\n'),
        _ => false,
    }
}

fn always_fails(message: &str, span: Span) -> Diagnostic {
    Diagnostic::error("expression-fails", format!("this expression always fails: {message}"), span, "fails")
        .help("it depends on nothing that a run brings, so it was computed now")
}

fn brace_error(places: &Places, error: BraceError) -> Diagnostic {
    match error {
        BraceError::Unclosed(open) => Diagnostic::error(
            "unclosed-expression",
            "`${{` is not closed",
            places.part(open..open + 3),
            "no `}}` follows",
        )
        .help("write `${{ … }}`; for the three characters themselves write `$${{`"),
        BraceError::Quote(at) => Diagnostic::error(
            "unclosed-quote",
            "a quote is not closed in this expression",
            places.part(at..at + 1),
            "opened here",
        )
        .help("close it with the same kind of quote; inside, write `\\'` or use the other kind"),
        BraceError::Empty(range) => {
            Diagnostic::error("empty-expression", "nothing stands between `${{` and `}}`", places.part(range), "empty")
                .help("name a value, such as `${{ trigger.id }}`, or leave the braces out")
        }
    }
}

fn finding(error: ExpressionError, part: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    Diagnostic::error(error.code, error.message, part(error.range), "here").maybe_help(error.help)
}

/// Text in which only variables may be mentioned, which `what` names.
pub(crate) fn constant_text(
    node: &Node,
    what: &str,
    sources: &Sources,
    variables: &BTreeMap<String, Value>,
    findings: &mut Findings,
) -> Option<String> {
    let text = crate::read::words::text(node, what, findings)?;
    let places = Places::new(&text, sources.slice(node.span), node.span);
    let pieces = match split(&text) {
        Ok(pieces) => pieces,
        Err(error) => {
            findings.push(brace_error(&places, error));
            return None;
        }
    };
    let mut constant = String::new();
    for piece in pieces {
        match piece {
            Piece::Plain(plain) => constant.push_str(&plain),
            Piece::Expression(range) => match variable(&text[range.clone()], what, variables) {
                Ok(value) => constant.push_str(value),
                Err(finding) => {
                    let span = places.part(range);
                    findings.push(finding(span));
                    return None;
                }
            },
        }
    }
    Some(constant)
}

/// The text of the variable that `source` mentions, or what is wrong with it, once its place is known.
fn variable<'v>(
    source: &str,
    what: &str,
    variables: &'v BTreeMap<String, Value>,
) -> Result<&'v str, impl FnOnce(Span) -> Diagnostic> {
    let name = source.strip_prefix("vars.").map(str::trim);
    let (code, message, label, help) = match name.map(|name| (name, variables.get(name))) {
        Some((_, Some(Value::String(value)))) if !value.is_empty() => return Ok(value),
        Some((name, Some(_))) => (
            "wrong-form",
            format!("variable `{name}` must be text here, and not empty"),
            "not text",
            format!("{what} is a name; set the variable to it"),
        ),
        Some((name, None)) => (
            "unknown-variable",
            format!("there is no variable `{name}`"),
            "unknown variable",
            did_you_mean(name, variables.keys().map(String::as_str))
                .unwrap_or_else(|| "declare it in a file of variables".to_owned()),
        ),
        None => (
            "not-constant",
            format!("{what} can only come from a variable"),
            "not a variable",
            "write `${{ vars.name }}`".to_owned(),
        ),
    };
    Err(move |span| Diagnostic::error(code, message, span, label).help(help))
}

/// No data at all, for values that need none.
struct Nowhere;

impl Scope for Nowhere {
    fn value(&self, _: Root) -> std::borrow::Cow<'_, Value> {
        std::borrow::Cow::Owned(Value::Null)
    }
}
