//! Names in expressions: every one is found or reported.

use std::collections::BTreeMap;
use std::ops::Range;

use cosell_model::flow::Flow;
use cosell_model::{Diagnostic, Schema, Span};
use serde_json::Value;

use crate::expr::parse::Mention;
use crate::expr::path::{Path, Root, Segment, StepRef, member};
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
    /// What each of the things that start the flow brings.
    pub(crate) trigger: Vec<Brought<'c>>,
    /// What each step yields.
    pub(crate) shapes: Vec<Shape<'c>>,
}

/// What `trigger` holds.
pub(crate) struct Brought<'c> {
    /// What it is called in messages.
    pub(crate) what: String,
    pub(crate) schema: &'c Schema,
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

/// What a mention leads to.
pub(crate) enum Found {
    /// To a run's data.
    Path(Path),
    /// To a value that is known now.
    Constant(Value),
}

/// The names in scope, for messages.
pub(crate) const ROOTS: [&str; 8] = ["trigger", "inputs", "steps", "outcomes", "vars", "item", "index", "run"];

/// Looks up one mention.
pub(crate) fn find(
    mention: &Mention,
    part: &dyn Fn(Range<usize>) -> Span,
    at: Standpoint,
    names: &Names<'_>,
    mentioned: &mut Vec<Mentioned>,
    findings: &mut Findings,
) -> Option<Found> {
    let span = part(mention.range.clone());
    let rest =
        |skip: usize| mention.segments.iter().skip(skip).map(|(segment, _)| segment.clone()).collect::<Box<[_]>>();
    let places =
        |skip: usize| mention.segments.iter().skip(skip).map(|(s, range)| (s, part(range.clone()))).collect::<Vec<_>>();
    let path = |root, skip| Some(Found::Path(Path { root, segments: rest(skip) }));
    match mention.root.as_str() {
        "trigger" => {
            // Whatever starts the flow must bring what is mentioned.
            for Brought { what, schema } in &names.trigger {
                Shape::Schema(schema).check(what, span, &places(0), findings);
            }
            path(Root::Trigger, 0)
        }
        "run" => {
            Shape::Members(&["id", "flow", "started_at", "now"]).check("`run`", span, &places(0), findings);
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
                    Diagnostic::error(
                        "outside-loop",
                        format!("`{root}` is only known inside a loop"),
                        span,
                        "not in a loop",
                    )
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
                Shape::Members(&["outcome", "error", "reason"]).check(
                    &format!("`outcomes.{name}`"),
                    span,
                    &places(1),
                    findings,
                );
            } else {
                names.shapes[step.0 as usize].check(&format!("`steps.{name}`"), span, &places(1), findings);
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
            findings.push(
                Diagnostic::error("unknown-name", format!("there is no `{other}` here"), span, "unknown name")
                    .maybe_help(help),
            );
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
    part: &dyn Fn(Range<usize>) -> Span,
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
            (_, []) => Some(format!("this flow has no {kind}s")),
            // A long list is not read.
            _ => (known.len() <= 12).then(|| format!("the {kind}s are {}", list(known))),
        });
        findings.push(
            Diagnostic::error(
                code,
                format!("there is no {kind} `{name}`"),
                part(range.clone()),
                format!("unknown {kind}"),
            )
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
            Diagnostic::error(
                "inside-loop",
                format!("step `{name}` lies in a loop and runs once per round"),
                span,
                "which round?",
            )
            .also(names.layout.span(step), "this step")
            .help("give the loop an `output`, and mention the loop: it is the list of all rounds' outputs"),
        );
        return None;
    };
    if let Some(from) = at.step
        && let Relation::OtherBranch(branching) = names.layout.relation(from, step)
    {
        findings.push(
            Diagnostic::error(
                "other-branch",
                format!("step `{name}` lies in another branch, which never runs together with this one"),
                span,
                "always null",
            )
            .also(names.layout.span(branching), "the branches are here")
            .help("give the step with the branches an `output`, and mention it behind them"),
        );
        return None;
    }
    Some(StepRef { loops_out, slot: place.slot })
}
