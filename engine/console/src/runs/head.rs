//! What a run is, why it failed, and what can be done with it.

use cosell_journal::past::{Act, Advice};
use cosell_journal::read::Shown;
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::Engine;
use maud::{Markup, html};

use super::parts::{flow, key, life, line, short, took};
use crate::facts::Facts;
use crate::page::{address, badge, foreign, moment, outcome};

/// What can be done with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) resume: bool,
    pub(super) skip: bool,
    pub(super) resubmit: bool,
    pub(super) cancel: bool,
}

impl Offers {
    pub(super) fn of(engine: &Engine, run: &Shown) -> Self {
        let known = engine.plan(&FlowId::new(run.listed.flow.as_str())).is_some();
        let over = run.listed.ended.is_some();
        let resume = over && run.listed.outcome.as_deref() != Some("succeeded");
        Self { resume, skip: resume && run.steps.iter().any(is_skippable), resubmit: over && known, cancel: !over }
    }
}

/// Whether a step can count as done although it is not: it called something, and did not work. Where one of a called run
/// is, so is the one that called.
pub(super) fn is_skippable(step: &Value) -> bool {
    step.get("target").is_some_and(Value::is_string)
        && matches!(step["outcome"].as_str(), Some("failed" | "timed_out" | "cancelled"))
}

/// A page that does something with a run, after a question.
pub(super) fn act(run: &str, what: &str) -> String {
    address(&["runs", run, what], &[])
}

/// The buttons; `before` is the run before of the same key.
pub(super) fn actions(shown: &Shown, offers: Offers, before: Option<&str>) -> Markup {
    let (run, flow) = (shown.listed.run.as_str(), shown.listed.flow.as_str());
    html! {
        p.actions {
            @if offers.resume {
                a.button.primary href=(act(run, "resume")) { "Resume…" }
            }
            @if offers.skip { a.button href=(act(run, "skip")) { "Skip steps and resume…" } }
            @if offers.cancel { a.button href=(act(run, "cancel")) { "Cancel…" } }
            @if offers.resubmit {
                a.button href=(act(run, "resubmit")) { "Resubmit…" }
                a.button href=(address(&["flows", flow, "dry-run"], &[("run", run)])) { "Dry run" }
            }
            @if let Some(before) = before {
                a.button href=(address(&["runs", "compare"], &[("left", before), ("right", run)])) { "Compare with the run before" }
            }
            a.button href=(act(run, "json")) download { "Download JSON" }
        }
    }
}

/// Its data.
pub(super) fn facts(run: &Shown, facts: &Facts, today: &str) -> Markup {
    let listed = &run.listed;
    html! {
        dl.facts {
            dt { "Outcome" } dd { (outcome(listed.outcome.as_deref())) @if let Some(life) = life(listed) { " " (badge("calm", "↻", life)) } }
            dt { "Flow" } dd { (flow(facts, &listed.flow)) }
            @if let Some(name) = &listed.key { dt { "Key" } dd { (key(name)) } }
            dt { "Began" } dd { (moment(listed.began)) }
            @if let Some(ended) = listed.ended {
                dt { "Ended" } dd { (moment(ended)) @if let Some(took) = took(listed) { ", after " (took) } }
            }
            @if run.left_out > 0 { dt { "Stands for" } dd { (run.left_out + 1) " events that came in a burst" } }
            @if !run.skipped.is_empty() {
                dt { "Counts as done" }
                dd { @for (at, step) in run.skipped.iter().enumerate() { @if at > 0 { ", " } code { (foreign(step)) } } }
            }
            dt { "Version" }
            dd {
                code { (foreign(short(&run.version))) }
                @if run.version == today { " (today’s flows)" } @else { " (the flows have been changed since)" }
            }
            dt { "Run" } dd { code { (foreign(&listed.run)) } }
        }
    }
}

/// Why it failed, and what to do.
pub(super) fn why(run: &Shown, advice: &[Advice]) -> Markup {
    let failure = super::parts::failure(&run.listed);
    html! {
        @if let Some(failure) = failure {
            section.card.failure aria-labelledby="why" {
                h2 id="why" { "Why it failed" }
                p.notice.bad {
                    @if let Some(step) = &failure.step {
                        "Step " a href=(address(&["runs", &run.listed.run], &[("open", step)])) { code { (foreign(step)) } } ": "
                    }
                    (foreign(line(&failure.message, 2_000))) " (" code { (foreign(&failure.code)) } ")"
                }
                ul {
                    @for Advice { when, act, then } in advice {
                        li { (sentence(when)) ", " (link(act)) @if !then.is_empty() { " " (then) } "." }
                    }
                }
            }
        }
    }
}

fn link(to: &Act) -> Markup {
    html! {
        @match to {
            Act::Resume(run) => a href=(act(run, "resume")) { "resuming the run" },
            Act::Skip(run, step) => {
                a href=(address(&["runs", run, "skip"], &[("step", step)])) { "resume it with the step counting as done" }
            }
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
