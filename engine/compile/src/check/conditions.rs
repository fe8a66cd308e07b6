//! Conditions that are always true or always false: those that depend on nothing, and comparisons with what a value never is.

use std::ops::Range;

use cosell_model::flow::Case;
use cosell_model::{Diagnostic, Node, Outcome, Schema, Span};
use serde_json::Value;

use super::inputs::allowed;
use crate::expr::parse::{Mention, parse};
use crate::expr::path::Segment;
use crate::expr::template::{Template, truth};
use crate::expr::text::{Piece, split};
use crate::read::fields::{Findings, either};
use crate::resolve::Names;
use crate::shape::{Shape, reached};
use crate::suggest::did_you_mean;
use crate::values::is_whole;

/// Reports a condition that depends on nothing that a run brings, and on no variable. `true` and `false` themselves are
/// meant: that is how a step is turned off.
pub(crate) fn constant(node: &Node, compiled: &Template, what: &str, findings: &mut Findings) {
    let (Template::Constant(value), Some(source)) = (compiled, only_expression(node)) else { return };
    if parse(&source).is_ok_and(|parsed| parsed.mentions.is_empty()) {
        let always = truth(value);
        let message = format!("{what} is always {always}: it depends on nothing");
        findings.push(
            Diagnostic::error("constant-condition", message, node.span, format!("always {always}"))
                .help(format!("mention what it depends on; to say so on purpose, write `{always}`"))
                .warning(),
        );
    }
}

/// The source of a value that is one expression.
fn only_expression(node: &Node) -> Option<String> {
    let text = node.text()?;
    let pieces = split(text).ok().filter(|pieces| is_whole(pieces))?;
    match pieces.into_iter().next()? {
        Piece::Expression(range) => Some(text[range].to_owned()),
        Piece::Plain(_) => None,
    }
}

/// Reports a comparison of what is mentioned with a text that it never is: `inputs.do == 'creat_lead'`.
pub(crate) fn compared(
    source: &str,
    mention: &Mention,
    part: &dyn Fn(Range<usize>) -> Span,
    names: &Names<'_>,
    findings: &mut Findings,
) {
    let rest = source[mention.range.end..].trim_start();
    let Some(other) = rest.strip_prefix("==").or_else(|| rest.strip_prefix("!=")).map(str::trim_start) else { return };
    let Some(quote) = other.chars().next().filter(|char| matches!(char, '\'' | '"')) else { return };
    let Some(text) = other[1..].split(quote).next().filter(|text| !text.contains('\\')) else { return };
    let value = Value::String(text.to_owned());
    if let Some(known) = known(mention, names)
        && !known.contains(&value)
    {
        let begins = source.len() - other.len();
        let span = part(begins..begins + text.len() + 2);
        findings.push(never(&source[mention.range.clone()], text, &known, span));
    }
}

/// Reports cases of a `switch` that its value never is.
pub(crate) fn cases(on: &Node, cases: &[Case], names: &Names<'_>, findings: &mut Findings) {
    let Some(source) = only_expression(on) else { return };
    let Ok(parsed) = parse(&source) else { return };
    let [mention] = parsed.mentions.as_slice() else { return };
    let Some(known) = known(mention, names).filter(|_| parsed.is_mention) else { return };
    for case in cases.iter().filter(|case| !known.contains(&case.value.value)) {
        let shown = case.value.value.as_str().map_or_else(|| case.value.value.to_string(), str::to_owned);
        findings.push(never(&source, &shown, &known, case.value.span));
    }
}

fn never(what: &str, value: &str, known: &[Value], span: Span) -> Diagnostic {
    let names: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
    let help = did_you_mean(value, names.iter().copied()).unwrap_or_else(|| format!("it is {}", either(&names)));
    Diagnostic::error("never-equal", format!("`{}` is never `{value}`", what.trim()), span, "never equal")
        .help(help)
        .warning()
}

/// The only values that what is mentioned can have, where that is known.
fn known(mention: &Mention, names: &Names<'_>) -> Option<Vec<Value>> {
    let segments: Vec<&Segment> = mention.segments.iter().map(|(segment, _)| segment).collect();
    let in_schema = |schema: &Schema, path: &[&Segment]| allowed(schema, reached(schema, schema, path)?);
    match (mention.root.as_str(), segments.as_slice()) {
        ("inputs", [Segment::Key(name)]) => {
            names.flow.trigger.inputs.iter().find(|input| *input.name.value == **name)?.one_of.clone()
        }
        ("outcomes", [_, Segment::Key(word)]) if &**word == "outcome" => {
            let words = Outcome::NAMED_IN_AFTER.into_iter().chain([Outcome::Cancelled]);
            Some(words.map(|outcome| Value::String(outcome.as_str().to_owned())).collect())
        }
        ("trigger", path) => match names.trigger.as_slice() {
            [only] => in_schema(only.schema, path),
            _ => None,
        },
        ("steps", [Segment::Key(name), path @ ..]) => match &names.shapes[names.layout.find(name)?.0 as usize] {
            Shape::Schema(schema) => in_schema(schema, path),
            _ => None,
        },
        _ => None,
    }
}
