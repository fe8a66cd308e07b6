//! A run, while it happens: one line a step, as it ends.

use std::sync::Mutex;
use std::time::Duration;

use cosell_model::outcome::SkipReason;
use cosell_model::{FlowId, Outcome};
use cosell_runtime::record::{Observer, RunRecord, StepRecord};
use jiff::Timestamp;
use serde_json::json;

use super::{BAD, DIM, GOOD, STRONG, counted, styled};
use cosell_model::spans::took;

/// Prints runs for people.
pub(crate) struct People;

/// One word and one sign per outcome, so that colour is never the only carrier.
pub(crate) fn sign(outcome: Outcome) -> String {
    match outcome {
        Outcome::Succeeded => styled(GOOD, "✓"),
        Outcome::Failed => styled(BAD, "✗"),
        Outcome::TimedOut => styled(BAD, "⧖"),
        Outcome::Skipped => styled(DIM, "·"),
        Outcome::Cancelled => styled(DIM, "⊘"),
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

/// A step in one line: how it ended, what it is, and what there is to say of it.
pub(crate) fn step_line(step: &StepRecord, path: &str) -> String {
    let target = step.target.as_deref().map_or_else(|| step.kind.clone().into_owned(), str::to_owned);
    let title = if step.title == step.path { String::new() } else { format!("  {}", step.title) };
    let mut notes = Vec::new();
    if let Some(reason) = &step.skipped {
        notes.push(format!("skipped: {reason}"));
    } else if step.outcome != Outcome::Succeeded {
        notes.push(step.outcome.to_string());
    }
    if step.attempts > 1 {
        notes.push(format!("{} attempts", step.attempts));
    }
    if !step.requests.is_empty() {
        let in_requests = step.requests.iter().map(|request| request.took).sum();
        notes.push(format!("{}, {}", counted(step.requests.len(), "request"), took(in_requests)));
    }
    let notes = if notes.is_empty() { String::new() } else { styled(DIM, format!("  ({})", notes.join("; "))) };
    format!("{} {path} {}{title}{notes}", sign(step.outcome), styled(DIM, target))
}

impl Observer for People {
    fn run_began(&self, run: &str, flow: &FlowId, depth: usize) {
        let id = if depth == 0 { styled(DIM, format!(" run {run}")) } else { String::new() };
        anstream::println!("{}{}{id}", indent(depth), styled(STRONG, flow));
    }

    fn step_ended(&self, _: &str, depth: usize, step: &StepRecord) {
        if step.skipped == Some(SkipReason::NotTaken) {
            return;
        }
        anstream::println!("{}  {}", indent(depth), step_line(step, &step.path));
        if let (Some(failure), true) =
            (&step.failure, step.failure.as_ref().is_some_and(|f| f.step.as_deref() == Some(&step.path)))
        {
            for line in failure.to_string().lines() {
                anstream::println!("{}    {}", indent(depth), styled(BAD, line));
            }
        }
    }

    fn retrying(&self, _: &str, depth: usize, step: &str, next: u32, after: Duration, why: &str) {
        let line = format!("{step}: {why}; attempt {next} follows in {}", took(after));
        anstream::println!("{}  {} {}", indent(depth), styled(DIM, "…"), styled(DIM, line));
    }

    fn connection_paused(&self, connection: &str, until: Timestamp, why: &str) {
        let line = format!("{connection} is not called before {until:.0}: {why}");
        anstream::println!("  {} {}", styled(DIM, "…"), styled(DIM, line));
    }

    fn connection_resumed(&self, connection: &str) {
        anstream::println!("  {} {}", styled(DIM, "…"), styled(DIM, format!("{connection} is called again")));
    }

    fn run_ended(&self, depth: usize, run: &RunRecord) {
        if depth > 0 {
            return;
        }
        anstream::println!("{} {} in {}", sign(run.outcome), styled(STRONG, run.outcome), took(run.took));
        if !run.output.is_null() {
            anstream::println!("{:#}", run.output);
        }
    }
}

/// Prints runs for machines: one JSON object a line.
#[derive(Default)]
pub(crate) struct Machines {
    line: Mutex<()>,
}

impl Machines {
    fn print(&self, value: &serde_json::Value) {
        let _one_line_at_a_time = self.line.lock();
        anstream::println!("{value}");
    }
}

impl Observer for Machines {
    fn run_began(&self, run: &str, flow: &FlowId, _: usize) {
        self.print(&json!({ "event": "run_began", "run": run, "flow": flow }));
    }

    fn step_ended(&self, run: &str, _: usize, step: &StepRecord) {
        self.print(&json!({ "event": "step_ended", "run": run, "step": step }));
    }

    fn retrying(&self, run: &str, _: usize, step: &str, next: u32, after: Duration, why: &str) {
        let after = after.as_secs_f64();
        self.print(&json!({ "event": "retrying", "run": run, "step": step, "next_attempt": next, "after_seconds": after, "why": why }));
    }

    fn connection_paused(&self, connection: &str, until: Timestamp, why: &str) {
        self.print(&json!({ "event": "connection_paused", "connection": connection, "until": until, "why": why }));
    }

    fn connection_resumed(&self, connection: &str) {
        self.print(&json!({ "event": "connection_resumed", "connection": connection }));
    }

    fn run_ended(&self, _: usize, run: &RunRecord) {
        self.print(&json!({ "event": "run_ended", "run": run }));
    }
}
