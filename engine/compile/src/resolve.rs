//! Values with expressions, looked up: every name is found or reported.

use std::collections::BTreeMap;

use cosell_model::flow::Flow;
use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Diagnostic, Node, Schema, Span};
use serde_json::Value;

use crate::expr::parse::{self, ExpressionError, Mention};
use crate::expr::path::{Path, Root, Scope, Segment, StepRef, member};
use crate::expr::template::{Expression, Template, TextPart};
use crate::expr::text::{BraceError, Piece, split};
use crate::layout::{Layout, Relation};
use crate::plan::{RegionIx, StepIx};
use crate::read::fields::{Findings, list};
use crate::shape::Shape;
use crate::source::Sources;
use crate::suggest::did_you_mean;

/// Everything that names are looked up in.
pub(crate) struct Names<'c> {
    pub(crate) sources: &'c Sources,
    pub(crate) flow: &'c Flow,
    pub(crate) layout: &'c Layout<'c>,
    /// Current values of all variables.
    pub(crate) variables: &'c BTreeMap<String, Value>,
    /// What the trigger brings.
    pub(crate) trigger: Option<&'c Schema>,
    /// What each step yields.
    pub(crate) shapes: Vec<Shape<'c>>,
}

/// Where a value stands, as far as names go.
#[derive(Clone, Copy)]
pub(crate) struct Standpoint {
    /// The step whose value it is; none for the flow's own key, output and trigger.
    pub(crate) step: Option<StepIx>,
    /// The region whose data it sees.
    pub(crate) region: RegionIx,
    /// Whether steps can be mentioned at all: not before the run has begun.
    pub(crate) steps: bool,
}

/// A step that a value mentions.
#[derive(Clone, Copy)]
pub(crate) struct Mentioned {
    pub(crate) step: StepIx,
    pub(crate) span: Span,
    /// Whether its outcome is mentioned, rather than its output.
    pub(crate) outcome: bool,
}

/// Compiles `node`, reporting what is wrong and noting the steps it mentions.
pub(crate) fn template(
    node: &Node,
    at: Standpoint,
    names: &Names<'_>,
    mentioned: &mut Vec<Mentioned>,
    findings: &mut Findings,
) -> Template {
    match &node.kind {
        NodeKind::Text(text) => text_template(node, text, at, names, mentioned, findings),
        NodeKind::List(items) => {
            let items: Vec<_> = items.iter().map(|item| template(item, at, names, mentioned, findings)).collect();
            if items.iter().all(|item| matches!(item, Template::Constant(_))) {
                return Template::Constant(node.to_value());
            }
            Template::List(items)
        }
        NodeKind::Map(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|entry| {
                    let key = key(entry, names, findings);
                    (key, template(&entry.value, at, names, mentioned, findings))
                })
                .collect();
            if entries.iter().all(|(_, value)| matches!(value, Template::Constant(_))) {
                let constant = |value| match value {
                    Template::Constant(value) => value,
                    _ => Value::Null,
                };
                return Template::Constant(Value::Object(entries.into_iter().map(|(k, v)| (k, constant(v))).collect()));
            }
            Template::Map(entries)
        }
        _ => Template::Constant(node.to_value()),
    }
}

/// A key, in which variables may be mentioned: names of columns differ from one CRM to the next.
fn key(entry: &Entry, names: &Names<'_>, findings: &mut Findings) -> String {
    if !entry.key.value.contains("${{") {
        return entry.key.value.clone();
    }
    let node = Node { kind: NodeKind::Text(entry.key.value.clone()), span: entry.key.span };
    constant_text(&node, "a computed key", names.variables, findings).unwrap_or_default()
}

fn text_template(
    node: &Node,
    text: &str,
    at: Standpoint,
    names: &Names<'_>,
    mentioned: &mut Vec<Mentioned>,
    findings: &mut Findings,
) -> Template {
    let pieces = match split(text) {
        Ok(pieces) => pieces,
        Err(error) => {
            findings.push(brace_error(node.span, error));
            return Template::Constant(Value::Null);
        }
    };
    let mut finder = Finder::new(names.sources, node.span);
    let mut parts: Vec<TextPart> = pieces
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Plain(plain) => Some(TextPart::Plain(plain)),
            Piece::Expression(range) => {
                let source = &text[range];
                let span = finder.find(source);
                expression(source, span, at, names, mentioned, findings).map(TextPart::Expression)
            }
        })
        .collect();
    match (parts.len(), parts.pop()) {
        (1, Some(TextPart::Plain(plain))) => Template::Constant(Value::String(plain)),
        (1, Some(TextPart::Expression(only))) if is_whole(text) => match only.known() {
            Some(value) => Template::Constant(value.clone()),
            None => Template::Expression(only),
        },
        (_, Some(last)) => {
            parts.push(last);
            fold(parts)
        }
        _ => Template::Constant(Value::Null),
    }
}

/// Text in which every expression is already known is plain text.
fn fold(parts: Vec<TextPart>) -> Template {
    let known = parts.iter().all(|part| match part {
        TextPart::Plain(_) => true,
        TextPart::Expression(expression) => expression.known().is_some(),
    });
    let template = Template::Text(parts);
    match known.then(|| template.render(&Nowhere)) {
        Some(Ok(text)) => Template::Constant(text),
        _ => template,
    }
}

/// Whether the text is `${{ … }}` and nothing else, not even space: then the value keeps its type.
fn is_whole(text: &str) -> bool {
    text.starts_with("${{") && text.ends_with("}}")
}

fn brace_error(span: Span, error: BraceError) -> Diagnostic {
    match error {
        BraceError::Unclosed(_) => Diagnostic::error("unclosed-expression", "`${{` is not closed", span, "no `}}` follows")
            .help("write `${{ … }}`; for the three characters themselves write `$${{`"),
        BraceError::Empty(_) => Diagnostic::error("empty-expression", "nothing stands between `${{` and `}}`", span, "empty")
            .help("name a value, such as `${{ trigger.id }}`, or leave the braces out"),
    }
}

/// Finds where expressions stand in the file: their text is the same there, unless YAML escapes hide it.
struct Finder<'s> {
    raw: &'s str,
    from: usize,
    span: Span,
}

impl<'s> Finder<'s> {
    fn new(sources: &'s Sources, span: Span) -> Self {
        Self { raw: sources.slice(span), from: 0, span }
    }

    fn find(&mut self, source: &str) -> Span {
        // Behind the next `${{`, so that a short expression is not found in the text before it.
        let open = self.raw[self.from..].find("${{").map_or(self.from, |at| self.from + at + 3);
        match self.raw.get(open..).and_then(|rest| rest.find(source)) {
            Some(at) => {
                let start = open + at;
                self.from = start + source.len();
                self.span.part(start, start + source.len())
            }
            None => self.span,
        }
    }
}

fn expression(
    source: &str,
    span: Span,
    at: Standpoint,
    names: &Names<'_>,
    mentioned: &mut Vec<Mentioned>,
    findings: &mut Findings,
) -> Option<Expression> {
    let exact = names.sources.slice(span) == source;
    let part = |range: std::ops::Range<usize>| if exact { span.part(range.start, range.end) } else { span };
    let parsed = match parse::parse(source) {
        Ok(parsed) => parsed,
        Err(errors) => {
            findings.extend(errors.into_iter().map(|error| finding(error, &part)));
            return None;
        }
    };
    let before = findings.len();
    let mut constants = Vec::new();
    let mut paths = Vec::new();
    for mention in &parsed.mentions {
        match find(mention, &part, at, names, mentioned, findings) {
            Some(Found::Path(path)) => paths.push(path),
            Some(Found::Constant(value)) => {
                // A variable's value is known now; it takes a path's place.
                constants.push((paths.len(), value));
                paths.push(Path { root: Root::Run, segments: Box::new([Segment::Key("".into())]) });
            }
            None => {}
        }
    }
    if findings.len() > before {
        return None;
    }
    if parsed.is_mention {
        return Some(match constants.pop() {
            Some((_, value)) => Expression::constant(source, span, value),
            None => Expression::path(source, span, paths.pop()?),
        });
    }
    match Expression::engine(source, span, parsed.rewritten, paths, constants) {
        Ok(expression) => Some(expression),
        Err(message) => {
            findings.push(Diagnostic::error("expression-syntax", format!("this expression cannot be read: {message}"), span, "here"));
            None
        }
    }
}

fn finding(error: ExpressionError, part: &dyn Fn(std::ops::Range<usize>) -> Span) -> Diagnostic {
    Diagnostic::error(error.code, error.message, part(error.range), "here").maybe_help(error.help)
}

enum Found {
    Path(Path),
    Constant(Value),
}

/// The names in scope, for messages.
const ROOTS: [&str; 8] = ["trigger", "inputs", "steps", "outcomes", "vars", "item", "index", "run"];

fn find(
    mention: &Mention,
    part: &dyn Fn(std::ops::Range<usize>) -> Span,
    at: Standpoint,
    names: &Names<'_>,
    mentioned: &mut Vec<Mentioned>,
    findings: &mut Findings,
) -> Option<Found> {
    let span = part(mention.range.clone());
    let rest = |skip: usize| mention.segments.iter().skip(skip).map(|(segment, _)| segment.clone()).collect::<Box<[_]>>();
    let places = |skip: usize| mention.segments.iter().skip(skip).map(|(s, range)| (s, part(range.clone()))).collect::<Vec<_>>();
    let path = |root, skip| Some(Found::Path(Path { root, segments: rest(skip) }));
    match mention.root.as_str() {
        "trigger" => {
            if let Some(schema) = names.trigger {
                Shape::Schema(schema).check("`trigger`", &places(0), findings);
            }
            path(Root::Trigger, 0)
        }
        "run" => {
            Shape::Members(&["id", "flow", "started_at", "now"]).check("`run`", &places(0), findings);
            path(Root::Run, 0)
        }
        "inputs" => {
            let known: Vec<&str> = names.flow.trigger.inputs.iter().map(|input| input.name.value.as_str()).collect();
            named("input", "inputs", mention, &known, span, part, findings)?;
            path(Root::Inputs, 0)
        }
        "vars" => {
            let known: Vec<&str> = names.variables.keys().map(String::as_str).collect();
            let name = named("variable", "vars", mention, &known, span, part, findings)?;
            let value = names.variables.get(name)?;
            Some(Found::Constant(member(value, &rest(1)).clone()))
        }
        root @ ("item" | "index") => {
            if names.layout.regions[at.region.0 as usize].outer.is_none() {
                findings.push(
                    Diagnostic::error("outside-loop", format!("`{root}` is only known inside a loop"), span, "not in a loop")
                        .help("`for_each` gives each round its `item` and its `index`"),
                );
                return None;
            }
            path(if root == "item" { Root::Item(0) } else { Root::Index(0) }, 0)
        }
        root @ ("steps" | "outcomes") => {
            let known: Vec<&str> = names.layout.ids().collect();
            let name = named("step", root, mention, &known, span, part, findings)?;
            let step = names.layout.find(name)?;
            let reference = step_reference(step, name, at, names, span, findings)?;
            let outcome = root == "outcomes";
            if outcome {
                Shape::Members(&["outcome", "error", "reason"]).check(&format!("`outcomes.{name}`"), &places(1), findings);
            } else {
                names.shapes[step.0 as usize].check(&format!("`steps.{name}`"), &places(1), findings);
            }
            mentioned.push(Mentioned { step, span, outcome });
            path(if outcome { Root::Outcome(reference) } else { Root::Step(reference) }, 1)
        }
        other => {
            let is_step = names.layout.find(other).is_some();
            let is_variable = names.variables.contains_key(other);
            let help = if is_step {
                Some(format!("`{other}` is a step: write `steps.{other}`"))
            } else if is_variable {
                Some(format!("`{other}` is a variable: write `vars.{other}`"))
            } else {
                did_you_mean(other, ROOTS).or_else(|| Some(format!("the names known here are {}", list(&ROOTS))))
            };
            findings.push(Diagnostic::error("unknown-name", format!("there is no `{other}` here"), span, "unknown name").maybe_help(help));
            None
        }
    }
}

/// The name behind `steps.`, `vars.` or `inputs.`, which must be known.
fn named<'m>(
    kind: &str,
    root: &str,
    mention: &'m Mention,
    known: &[&str],
    span: Span,
    part: &dyn Fn(std::ops::Range<usize>) -> Span,
    findings: &mut Findings,
) -> Option<&'m str> {
    let Some((Segment::Key(name), range)) = mention.segments.first() else {
        findings.push(
            Diagnostic::error("name-needed", format!("`{root}` alone is not a value"), span, "a name must follow")
                .help(format!("write `{root}.` and the {kind}'s name")),
        );
        return None;
    };
    if !known.contains(&&**name) {
        let code = match kind {
            "step" => "unknown-step",
            "input" => "unknown-input",
            _ => "unknown-variable",
        };
        let help = did_you_mean(name, known.iter().copied()).or_else(|| match (kind, known) {
            ("step", _) => None,
            (_, []) => Some(format!("this flow has no {kind}s")),
            _ => Some(format!("there are {}", list(known))),
        });
        findings.push(
            Diagnostic::error(code, format!("there is no {kind} `{name}`"), part(range.clone()), format!("unknown {kind}"))
                .maybe_help(help),
        );
        return None;
    }
    Some(name)
}

fn step_reference(
    step: StepIx,
    name: &str,
    at: Standpoint,
    names: &Names<'_>,
    span: Span,
    findings: &mut Findings,
) -> Option<StepRef> {
    let place = names.layout.place(step);
    if !at.steps {
        findings.push(
            Diagnostic::error("too-early", "no step has run yet when this is computed", span, "too early")
                .help("only `trigger`, `inputs`, `vars` and `run` are known here"),
        );
        return None;
    }
    let Some(loops_out) = names.layout.loops_out(at.region, place.region) else {
        findings.push(
            Diagnostic::error("inside-loop", format!("step `{name}` lies in a loop and runs once per round"), span, "which round?")
                .also(names.layout.span(step), "this step")
                .help("give the loop an `output`, and mention the loop: it is the list of all rounds' outputs"),
        );
        return None;
    };
    if let Some(from) = at.step
        && let Relation::OtherBranch(branching) = names.layout.relation(from, step)
    {
        findings.push(
            Diagnostic::error("other-branch", format!("step `{name}` lies in another branch, which never runs together with this one"), span, "always null")
                .also(names.layout.span(branching), "the branches are here"),
        );
        return None;
    }
    Some(StepRef { loops_out, slot: place.slot })
}

/// Text in which only variables may be mentioned.
pub(crate) fn constant_text(node: &Node, what: &str, variables: &BTreeMap<String, Value>, findings: &mut Findings) -> Option<String> {
    let text = crate::read::words::text(node, what, findings)?;
    let pieces = match split(&text) {
        Ok(pieces) => pieces,
        Err(error) => {
            findings.push(brace_error(node.span, error));
            return None;
        }
    };
    let mut constant = String::new();
    for piece in pieces {
        match piece {
            Piece::Plain(plain) => constant.push_str(&plain),
            Piece::Expression(range) => {
                let source = &text[range];
                let name = source.strip_prefix("vars.").map(str::trim);
                match name.and_then(|name| variables.get(name)) {
                    Some(Value::String(value)) => constant.push_str(value),
                    Some(_) => {
                        findings.push(Diagnostic::error("wrong-form", format!("the variable in `{source}` must be text here"), node.span, "not text"));
                        return None;
                    }
                    None => {
                        let help = name.and_then(|name| did_you_mean(name, variables.keys().map(String::as_str)));
                        let message = match name {
                            Some(name) => format!("there is no variable `{name}`"),
                            None => "only a variable can stand here".to_owned(),
                        };
                        findings.push(
                            Diagnostic::error("unknown-variable", message, node.span, "unknown variable")
                                .help(help.unwrap_or_else(|| "write `${{ vars.name }}`".to_owned())),
                        );
                        return None;
                    }
                }
            }
        }
    }
    Some(constant)
}

/// No data at all, for values that need none.
pub(crate) struct Nowhere;

impl Scope for Nowhere {
    fn value(&self, _: Root) -> std::borrow::Cow<'_, Value> {
        std::borrow::Cow::Owned(Value::Null)
    }
}
