//! What a dry run found: what would change, field by field, and how it comes about, step by step.

use cosell_model::flow::Flow;
use cosell_model::{Outcome, Value};
use cosell_runtime::preview::{Foreseen, Preview, Written, words};
use maud::{Markup, html};

use crate::facts::Facts;
use crate::page::{address, badge, brief, foreign, heads, outcome};

/// How many steps are shown.
const STEPS: usize = 500;

pub(super) fn body(facts: &Facts, flow: &Flow, found: &Preview) -> Markup {
    let told: Vec<&Foreseen> = words::told(found).collect();
    let writing: Vec<&Foreseen> =
        told.iter().copied().filter(|step| step.changes.as_ref().is_some_and(|changes| !changes.is_empty())).collect();
    html! {
        p { (outcome(Some(found.outcome.as_str()))) " " (badge("calm", "○", "dry run: nothing was changed anywhere")) }
        p.lead { (words::totals(&found.totals)) }
        @if let Some(failure) = &found.failure {
            p.notice.bad {
                "It would fail: "
                @if let Some(step) = &failure.step { "step " code { (step) } ": " }
                (foreign(failure))
            }
        }
        p.actions {
            a.button href=(address(&["flows", flow.id.value.as_str(), "dry-run"], &[])) { "Another dry run" }
            a.button href=(address(&["flows", flow.id.value.as_str()], &[])) { "To the flow" }
        }
        @if !writing.is_empty() {
            h2 id="changes" { "What would change" }
            @for step in &writing { (written(facts, step)) }
        }
        h2 id="steps" { "Steps" }
        div.table.broad role="region" aria-labelledby="steps" tabindex="0" {
            table {
                caption { "In the order of the flows' files" }
                (heads(["Step", "Flow", "Does", "Outcome", "Why"]))
                tbody { @for step in told.iter().take(STEPS) { (row(step)) } }
            }
        }
        @if told.len() > STEPS {
            p.hint { "And " (told.len() - STEPS) " more. " code { "cosell dry-run --json" } " tells all of them." }
        }
    }
}

/// The changes that a step would make, record by record.
fn written(facts: &Facts, step: &Foreseen) -> Markup {
    let changes = step.changes.as_deref().unwrap_or_default();
    html! {
        h3 { (foreign(&step.title)) " " code.soft { (step.flow) "/" (step.path) } }
        @for of_record in changes.chunk_by(|one, next| one.change.record == next.change.record) {
            div.table.broad.roomy role="region" aria-label={ (step.flow) "/" (step.path) ": " (of_record[0].change.record) } tabindex="0" {
                table {
                    caption { (foreign(&of_record[0].change.record)) }
                    (heads(["Field", "Now", "Would be", "Made by"]))
                    tbody { @for written in of_record { (field(facts, written)) } }
                }
            }
        }
    }
}

fn field(facts: &Facts, Written { change, row }: &Written) -> Markup {
    html! {
        tr {
            th scope="row" { (foreign(&change.field)) }
            td { @if change.old.is_null() { (shown(&change.old)) } @else { del { (shown(&change.old)) } } }
            td { @if change.new.is_null() { (shown(&change.new)) } @else { ins { (shown(&change.new)) } } }
            td {
                @if let Some(row) = row {
                    @if facts.compilation.mappings.contains_key(&row.mapping) {
                        a href={ (address(&["mappings", &row.mapping], &[])) "#row-" (row.row) } { code { (words::row(row)) } }
                    } @else { code { (words::row(row)) } }
                }
            }
        }
    }
}

/// A lookup by its name, anything else as everywhere.
fn shown(value: &Value) -> Markup {
    match value {
        Value::Object(_) => foreign(words::value(value)),
        value => brief(value),
    }
}

fn row(step: &Foreseen) -> Markup {
    let why = match (&step.skipped, &step.failure, &step.changes) {
        (Some(reason), ..) => Some(foreign(reason)),
        (None, Some(failure), _) if failure.step.as_ref().is_none_or(|of| *of == step.path) => Some(foreign(failure)),
        (None, None, Some(changes)) if changes.is_empty() => Some(html! { "would change nothing" }),
        (None, None, Some(changes)) => {
            let fields = cosell_model::words::counted(changes.len(), "field");
            Some(badge("warn", "✎", format!("would change {fields}")))
        }
        _ => None,
    };
    html! {
        tr class=[(step.outcome == Outcome::Skipped).then_some("quiet")] {
            th scope="row" {
                (foreign(&step.title))
                @if step.title != step.path { div.hint { code { (step.path) } } }
            }
            td { code { (step.flow) } }
            td { code { (step.target.as_ref().unwrap_or(&step.kind)) } }
            td { (outcome(Some(step.outcome.as_str()))) }
            td {
                @if let Some(why) = why { (why) }
                @for remark in &step.remarks { div.hint { (foreign(remark)) } }
            }
        }
    }
}
