//! What follows from the order of steps: steps that can never run, and writes that may meet on one record.

use cosell_model::flow::StepKind;
use cosell_model::{Accepts, Diagnostic, Effect, Node, Outcome};

use crate::layout::Layout;
use crate::plan::{Action, Because, Edge, StepIx, StepPlan};
use crate::read::fields::Findings;

/// Checks the steps of a flow.
pub(crate) fn check(layout: &Layout<'_>, steps: &[StepPlan], findings: &mut Findings) {
    for (at, step) in steps.iter().enumerate() {
        never_runs(layout, steps, at, step, findings);
    }
    races(layout, steps, findings);
    rounds(layout, steps, findings);
}

/// Where a step accepts only outcomes that another never has, or stands behind what always ends the run.
fn never_runs(layout: &Layout<'_>, steps: &[StepPlan], at: usize, step: &StepPlan, findings: &mut Findings) {
    let written = layout.steps[at].step;
    for edge in &step.waits_for {
        let awaited = &steps[edge.step.0 as usize];
        let finding = |why: &str, label: &str| {
            let after = written.after.iter().flatten().find(|after| after.step.value == awaited.id);
            let place = after.map_or(written.id.span, |after| after.step.span);
            let message = format!("step `{}` never runs: {why}", step.id);
            Diagnostic::error("never-runs", message, place, label).also(layout.span(edge.step), "this step").warning()
        };
        let ends_the_run = matches!(awaited.action, Action::Stop { .. }) && always_starts(steps, edge.step);
        if ends_the_run {
            let why = format!("the run always ends at `{}`, which it waits for", awaited.id);
            findings.push(finding(&why, "behind the end").help("give the `stop` a `when`, or put it last"));
            return;
        }
        if edge.because == Because::After && !possible(steps, edge.step).any(|outcome| edge.accepts.contains(outcome)) {
            let why = format!("`{}` is never {}", awaited.id, edge.accepts);
            findings.push(finding(&why, "never so").help(
                "a step is skipped where it has a `when`, or waits for something; it times out where it has a `timeout`, \
                 or holds or calls others",
            ));
        }
    }
}

/// How a step can end.
fn possible(steps: &[StepPlan], step: StepIx) -> impl Iterator<Item = Outcome> {
    let plan = &steps[step.0 as usize];
    let never_skipped = plan.when.is_none() && plan.waits_for.is_empty();
    let holds_or_calls = matches!(
        plan.action,
        Action::Call { .. }
            | Action::Scope { .. }
            | Action::If { .. }
            | Action::Switch { .. }
            | Action::ForEach { .. }
            | Action::Until { .. }
    );
    let never_late = plan.timeout.is_none() && !holds_or_calls;
    Outcome::NAMED_IN_AFTER.into_iter().filter(move |outcome| match outcome {
        Outcome::Skipped => !never_skipped,
        Outcome::TimedOut => !never_late,
        _ => true,
    })
}

/// Whether nothing but a failure can keep a step from starting.
fn always_starts(steps: &[StepPlan], step: StepIx) -> bool {
    let plan = &steps[step.0 as usize];
    plan.when.is_none()
        && plan
            .waits_for
            .iter()
            .all(|edge| edge.accepts.contains(Outcome::Succeeded) && always_starts(steps, edge.step))
}

/// Two writes of one record, of which neither waits for the other.
fn races(layout: &Layout<'_>, steps: &[StepPlan], findings: &mut Findings) {
    for (at, step) in steps.iter().enumerate() {
        let Some(record) = record(layout, steps, at) else { continue };
        let rivals = (0..at).filter(|other| {
            steps[*other].block == step.block
                && self::record(layout, steps, *other).as_ref() == Some(&record)
                && !waits(steps, at, *other)
                && !waits(steps, *other, at)
                && !exclude(steps, at, *other)
        });
        for rival in rivals {
            let other = &steps[rival].id;
            let message = format!("`{other}` and `{}` write the same record, and neither waits for the other", step.id);
            findings.push(
                Diagnostic::error(
                    "racing-writes",
                    message,
                    layout.steps[at].step.id.span,
                    "writes it at the same time",
                )
                .also(layout.steps[rival].step.id.span, "as this step does")
                .help(format!(
                    "let one wait: `after: {other}`; without an `after` of their own, writes keep the file's order"
                ))
                .warning(),
            );
        }
    }
}

/// What a write without a condition writes: the operation's connection, and the inputs that name the record.
fn record<'f>(layout: &Layout<'f>, steps: &[StepPlan], at: usize) -> Option<(String, Option<String>, String)> {
    let Action::Operation { connection, effect: Effect::Write, .. } = &steps[at].action else { return None };
    let StepKind::Use { with: Some(with), .. } = &layout.steps[at].step.kind else { return None };
    if steps[at].when.is_some() {
        return None;
    }
    let text = |node: &Node| node.to_value().to_string();
    Some((connection.clone(), with.get("table").map(text), text(with.get("id")?)))
}

/// Whether a step waits for another, directly or through others.
fn waits(steps: &[StepPlan], step: usize, other: usize) -> bool {
    let mut seen = vec![false; steps.len()];
    let mut left = vec![step];
    while let Some(at) = left.pop() {
        for edge in &steps[at].waits_for {
            let next = edge.step.0 as usize;
            if next == other {
                return true;
            }
            if !std::mem::replace(&mut seen[next], true) {
                left.push(next);
            }
        }
    }
    false
}

/// Whether only one of two steps can run, because something must have ended in one way for the one, and in another for the
/// other.
fn exclude(steps: &[StepPlan], one: usize, other: usize) -> bool {
    let (ours, theirs) = (demands(steps, one), demands(steps, other));
    let meet = |a: Accepts, b: Accepts| Outcome::NAMED_IN_AFTER.into_iter().any(|o| a.contains(o) && b.contains(o));
    ours.iter().any(|(step, accepts)| theirs.iter().any(|(same, others)| step == same && !meet(*accepts, *others)))
}

/// How others must have ended for a step to run.
fn demands(steps: &[StepPlan], step: usize) -> Vec<(StepIx, Accepts)> {
    let mut demands: Vec<(StepIx, Accepts)> = Vec::new();
    let mut left = vec![step];
    while let Some(at) = left.pop() {
        for Edge { step, accepts, .. } in &steps[at].waits_for {
            if demands.contains(&(*step, *accepts)) {
                continue;
            }
            demands.push((*step, *accepts));
            if !accepts.contains(Outcome::Skipped) {
                left.push(step.0 as usize);
            }
        }
    }
    demands
}

/// A write that every one of several rounds at once makes to the same record.
fn rounds(layout: &Layout<'_>, steps: &[StepPlan], findings: &mut Findings) {
    for (at, step) in steps.iter().enumerate() {
        let Action::ForEach { parallel, region, .. } = &step.action else { continue };
        if *parallel == 1 {
            continue;
        }
        for inner in layout.regions[region.0 as usize].slots.iter().map(|slot| slot.0 as usize) {
            let Some((_, _, id)) = record(layout, steps, inner) else { continue };
            let of_round = |slot: &StepIx| id.contains(&format!("steps.{}", steps[slot.0 as usize].id));
            let slots = &layout.regions[region.0 as usize].slots;
            if ["item", "index"].iter().any(|name| id.contains(name)) || slots.iter().any(of_round) {
                continue;
            }
            let message = format!("up to {parallel} rounds at once write the same record in `{}`", steps[inner].id);
            findings.push(
                Diagnostic::error("racing-writes", message, layout.steps[inner].step.id.span, "the same in each round")
                    .also(layout.steps[at].step.id.span, "rounds run side by side")
                    .help("name the record by `item`, or leave out `parallel`")
                    .warning(),
            );
        }
    }
}
