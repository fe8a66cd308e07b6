//! YAML to [`Node`]: the only place that knows YAML.
//!
//! Two readers look at the same text. The event parser knows where everything stands and guards against hostile files
//! (depth, size, duplicate keys); `serde_yaml` decides what each scalar means, by the rules people know from other tools
//! (`no` and `012` are text). Their trees have the same shape, so they are walked together.

use std::collections::HashMap;

use cosell_model::node::{Entry, NodeKind};
use cosell_model::span::FileId;
use cosell_model::{Diagnostic, Node, Span, Spanned};
use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Number, Value};

/// How deep a file may nest. The deepest shipped flow nests 24 levels.
const MAX_DEPTH: usize = 96;
/// How many values a file may hold; a flow of a thousand steps holds some 10,000.
const MAX_NODES: usize = 200_000;

/// A value as YAML.
pub(crate) fn written(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}

/// Reads one file.
///
/// # Errors
/// The first thing that keeps it from being read as YAML.
pub(crate) fn parse(file: FileId, text: &str) -> Result<Node, Diagnostic> {
    let shape = Shapes::read(file, text)?;
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| {
        let at = boundary(text, error.location().map_or(0, |location| location.index()));
        not_yaml(Span::new(file, at, at), &error.to_string())
    })?;
    join(shape, value)
}

fn not_yaml(span: Span, what: &str) -> Diagnostic {
    Diagnostic::error("not-yaml", format!("this file is not YAML: {what}"), span, "here")
}

/// The last place at or before `at` where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A tree that knows only places.
struct Shape {
    span: Span,
    kind: ShapeKind,
}

enum ShapeKind {
    Scalar { text: String, plain: bool },
    List(Vec<Shape>),
    Map(Vec<(Shape, Shape)>),
}

struct Shapes<'t> {
    file: FileId,
    text: &'t str,
    events: Parser<'t, granit_parser::StrInput<'t>>,
    nodes: usize,
}

impl<'t> Shapes<'t> {
    fn read(file: FileId, text: &'t str) -> Result<Shape, Diagnostic> {
        let options = granit_parser::options! { emit_comments: false };
        let mut shapes = Shapes { file, text, events: Parser::new_from_str_with_options(text, options), nodes: 0 };
        let mut document = None;
        while let Some((event, span)) = shapes.next()? {
            match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
                _ if document.is_some() => {
                    let message = "a file holds one document, and this is a second one";
                    return Err(Diagnostic::error("second-document", message, span, "second document")
                        .help("put it into a file of its own"));
                }
                event => document = Some(shapes.node(event, span, 0)?),
            }
        }
        document.ok_or_else(|| {
            Diagnostic::error("empty-file", "this file is empty", Span::new(file, 0, 0), "")
                .help("a flow begins with `flow: its-name`, a mapping with `mapping: its-name`")
        })
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Diagnostic> {
        match self.events.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => {
                let range = span.byte_range().unwrap_or(0..0);
                Ok(Some((event, Span::new(self.file, range.start, range.end))))
            }
            Some(Err(error)) => {
                let at = boundary(self.text, error.marker().byte_offset().unwrap_or(0));
                Err(self.syntax_error(at, &error.info()))
            }
        }
    }

    fn syntax_error(&self, at: usize, what: &str) -> Diagnostic {
        let line_start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        if let Some(tab) = line[..indent].find('\t') {
            let span = Span::new(self.file, line_start + tab, line_start + tab + 1);
            return not_yaml(span, what).help("YAML is indented with spaces; this line holds a tab");
        }
        let end = at + self.text[at..].chars().next().filter(|char| *char != '\n').map_or(0, char::len_utf8);
        let finding = not_yaml(Span::new(self.file, at, end), what);
        if what.contains("quoted scalar") || what.contains("unexpected end of stream") {
            finding.help("a quote or a bracket before this may not be closed")
        } else if what.contains("mapping values") || what.contains("':'") {
            finding.help("text that holds `: ` needs quotes; or a bracket before this is not closed")
        } else {
            finding
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Shape, Diagnostic> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            let limit = if depth > MAX_DEPTH {
                format!("nests deeper than {MAX_DEPTH} levels")
            } else {
                format!("holds more than {MAX_NODES} values")
            };
            return Err(Diagnostic::error(
                "too-large",
                format!("this file {limit}"),
                span,
                "the limit is reached here",
            )
            .help("split the flow: another flow can be called with `call`"));
        }
        if let Event::Scalar(_, _, _, Some(tag))
        | Event::SequenceStart(_, _, Some(tag))
        | Event::MappingStart(_, _, Some(tag)) = &event
        {
            return Err(Diagnostic::error(
                "yaml-tag",
                format!("tags such as `{}` are not used here", tag.original()),
                span,
                "tagged value",
            )
            .help("leave the tag out; quote the value to make it text"));
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let kind = ShapeKind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                Ok(Shape { span, kind })
            }
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Some((Event::SequenceEnd, end)) => {
                            return Ok(Shape { span: self.until(span, end), kind: ShapeKind::List(items) });
                        }
                        Some((event, span)) => items.push(self.node(event, span, depth + 1)?),
                        None => return Err(not_yaml(span, "a list does not end")),
                    }
                }
            }
            Event::MappingStart(..) => self.map(span, depth),
            Event::Alias(_) => {
                Err(Diagnostic::error("yaml-alias", "anchors and aliases are not used here", span, "alias")
                    .help("write the value out, or name it once with a `let` step"))
            }
            _ => Err(not_yaml(span, "a value was expected")),
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Shape, Diagnostic> {
        let mut entries: Vec<(Shape, Shape)> = Vec::new();
        let mut places: HashMap<String, Span> = HashMap::new();
        loop {
            let (event, span) = self.next()?.ok_or_else(|| not_yaml(start, "a map does not end"))?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Shape { span: self.until(start, span), kind: ShapeKind::Map(entries) });
            }
            let key = self.node(event, span, depth + 1)?;
            let ShapeKind::Scalar { text, .. } = &key.kind else {
                return Err(self.key_that_is_no_name(start, key.span));
            };
            if text == "<<" {
                return Err(Diagnostic::error("yaml-merge", "merge keys are not used here", key.span, "merge key")
                    .help("a user's file of the same name is merged over a shipped one: see overlays"));
            }
            if let Some(earlier) = places.insert(text.clone(), key.span) {
                return Err(Diagnostic::error(
                    "duplicate-key",
                    format!("`{text}` stands twice in one map"),
                    key.span,
                    "again here",
                )
                .also(earlier, "first here")
                .help("names are unique in their map; rename or remove one"));
            }
            let (event, span) = self.next()?.ok_or_else(|| not_yaml(start, "a map does not end"))?;
            let value = self.node(event, span, depth + 1)?;
            entries.push((key, value));
        }
    }

    fn key_that_is_no_name(&self, map: Span, key: Span) -> Diagnostic {
        let rest = &self.text[map.start as usize..];
        if rest.starts_with("{{") {
            let end = rest.find("}}").map_or(key.end as usize, |at| map.start as usize + at + 2);
            let inner = self.text[map.start as usize..end].trim_matches(['{', '}']).trim().to_owned();
            return Diagnostic::error(
                "bare-template",
                "YAML reads `{{ … }}` as a map",
                Span::new(self.file, map.start as usize, end),
                "not an expression",
            )
            .help(format!("write `${{{{ {inner} }}}}`: with the dollar, YAML leaves it alone"));
        }
        Diagnostic::error("key-not-text", "a key must be a name", key, "a list or a map cannot be a key")
    }

    /// From the start of `from` to where the block that ends at `end` really ends: the event behind a block may stand
    /// after blank lines.
    fn until(&self, from: Span, end: Span) -> Span {
        let end = (end.end as usize).max(from.start as usize).min(self.text.len());
        let trimmed = self.text[from.start as usize..end].trim_end().len();
        Span::new(self.file, from.start as usize, from.start as usize + trimmed)
    }
}

/// Walks both trees together.
fn join(shape: Shape, value: serde_yaml::Value) -> Result<Node, Diagnostic> {
    let span = shape.span;
    let kind = match (shape.kind, value) {
        (ShapeKind::List(shapes), serde_yaml::Value::Sequence(values)) if shapes.len() == values.len() => {
            NodeKind::List(shapes.into_iter().zip(values).map(|(s, v)| join(s, v)).collect::<Result<_, _>>()?)
        }
        (ShapeKind::Map(shapes), serde_yaml::Value::Mapping(values)) if shapes.len() == values.len() => {
            let entries = shapes.into_iter().zip(values).map(|((key, shape), (key_value, value))| {
                let ShapeKind::Scalar { text, plain } = key.kind else {
                    return Err(disagreement(key.span));
                };
                let key_value = if plain { scalar(key_value, key.span)?.1 } else { Value::String(text.clone()) };
                Ok(Entry { key: Spanned::new(text, key.span), key_value, value: join(shape, value)? })
            });
            NodeKind::Map(entries.collect::<Result<_, _>>()?)
        }
        (ShapeKind::Scalar { .. }, value) => scalar(value, span)?.0,
        _ => return Err(disagreement(span)),
    };
    Ok(Node { kind, span })
}

fn scalar(value: serde_yaml::Value, span: Span) -> Result<(NodeKind, Value), Diagnostic> {
    Ok(match value {
        serde_yaml::Value::Null => (NodeKind::Null, Value::Null),
        serde_yaml::Value::Bool(truth) => (NodeKind::Bool(truth), Value::Bool(truth)),
        serde_yaml::Value::String(text) => (NodeKind::Text(text.clone()), Value::String(text)),
        serde_yaml::Value::Number(number) => {
            let number = number
                .as_i64()
                .map(Number::from)
                .or_else(|| number.as_u64().map(Number::from))
                .or_else(|| number.as_f64().and_then(Number::from_f64))
                .ok_or_else(|| {
                    Diagnostic::error(
                        "not-a-number",
                        "infinity and not-a-number cannot be sent anywhere",
                        span,
                        "this number",
                    )
                    .help("quote it to make it text")
                })?;
            (NodeKind::Number(number.clone()), Value::Number(number))
        }
        _ => return Err(disagreement(span)),
    })
}

fn disagreement(span: Span) -> Diagnostic {
    Diagnostic::error("not-yaml", "this part of the file can be read in two ways", span, "ambiguous")
        .help("quote the value, or write it over several lines")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Node, Diagnostic> {
        parse(FileId(0), text)
    }

    #[test]
    fn scalars_mean_what_business_data_needs() {
        let node = read("a: no\nb: 012\nc: 1_000\nd: 3\ne: 3.5\nf: true\ng: ~\nh: '7'\n").unwrap();
        let expected = json!({"a": "no", "b": "012", "c": "1_000", "d": 3, "e": 3.5, "f": true, "g": null, "h": "7"});
        assert_eq!(node.to_value(), expected);
    }

    #[test]
    fn every_value_knows_its_bytes() {
        let text = "ä: ö\nsteps:\n  a: 'x y'\n  b: [1, two]\n";
        let node = read(text).unwrap();
        let at = |node: &Node| text[node.span.range()].to_owned();
        assert_eq!(at(node.get("ä").unwrap()), "ö");
        assert_eq!(at(node.get("steps").unwrap().get("a").unwrap()), "'x y'");
        assert_eq!(at(node.get("steps").unwrap()), "a: 'x y'\n  b: [1, two]");
        assert_eq!(at(&node.get("steps").unwrap().get("b").unwrap().items().unwrap()[1]), "two");
    }

    #[test]
    fn hostile_and_mistaken_files_get_a_code_each() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        for (text, code) in [
            ("", "empty-file"),
            ("a: 1\na: 2\n", "duplicate-key"),
            ("a: {{ steps.x }}\n", "bare-template"),
            ("a: &x 1\nb: *x\n", "yaml-alias"),
            ("a:\n  <<: {b: 1}\n", "yaml-merge"),
            ("a: !!str 1\n", "yaml-tag"),
            ("a: !list [1]\n", "yaml-tag"),
            ("!flow\na: 1\n", "yaml-tag"),
            ("a: 1\n---\nb: 2\n", "second-document"),
            ("a: [1\n", "not-yaml"),
            ("a:\n\tb: 1\n", "not-yaml"),
            (deep.as_str(), "too-large"),
            ("a: .inf\n", "not-a-number"),
            ("? [a]\n: 1\n", "key-not-text"),
        ] {
            assert_eq!(read(text).map_err(|d| d.code).unwrap_err(), code, "{text}");
        }
    }
}
