//! What a flow does, step by step, as a list in which blocks lie within the steps that hold them.

use cosell_compile::documents::Document;
use cosell_compile::plan::Plan;
use cosell_model::flow::{Block, Flow, Step, StepKind, Wait};
use cosell_model::{Effect, Node};
use maud::{Markup, html};

use super::changes;
use crate::facts::Facts;
use crate::page::{address, badge, foreign};

/// What a list is made from.
struct Listing<'l> {
    facts: &'l Facts,
    plan: Option<&'l Plan>,
    changed: Vec<&'l str>,
}

/// All steps of a flow; those that a user's file changes have a mark.
pub(super) fn list(facts: &Facts, flow: &Flow, document: Option<&Document>) -> Markup {
    let plan = facts.compilation.plans.get(&flow.id.value).map(|plan| &**plan);
    Listing { facts, plan, changed: changes::steps(document) }.block(&flow.steps)
}

/// What is written there, on one line: a text without its quotes, the items of a list beside each other.
pub(super) fn written(facts: &Facts, node: &Node) -> String {
    match (node.text(), node.items()) {
        (Some(text), _) => text.to_owned(),
        (_, Some(items)) => items.iter().map(|item| written(facts, item)).collect::<Vec<_>>().join(", "),
        _ => facts.compilation.sources.slice(node.span).to_owned(),
    }
}

impl Listing<'_> {
    fn block(&self, block: &Block) -> Markup {
        html! { ol.doing { @for step in &block.steps { (self.step(step)) } } }
    }

    fn step(&self, step: &Step) -> Markup {
        let id = step.id.value.as_str();
        let changed = self.changed.contains(&id);
        let writes = self
            .plan
            .and_then(|plan| plan.find(id).map(|at| plan.step(at)))
            .is_some_and(|step| step.effect == Effect::Write);
        let inner = self.blocks(&step.kind);
        html! {
            li id={ "step-" (id) } class=[changed.then_some("changed")] {
                div {
                    strong { (foreign(step.title.as_deref().unwrap_or(id))) } " "
                    @if step.title.is_some() { code.soft { (id) } " " }
                    @if writes { (badge("busy", "✎", "writes")) " " }
                    @if changed { (badge("warn", "◆", "changed by your file")) " " }
                    @if step.sensitive.input || step.sensitive.output { (badge("calm", "●", "sensitive")) }
                }
                div.does {
                    (self.does(&step.kind))
                    @if let Some(when) = &step.when { ", when " code { (written(self.facts, when)) } }
                    @for after in step.after.iter().flatten() {
                        ", after " a href={ "#step-" (after.step.value) } { code { (after.step.value) } } " (" (after.accepts) ")"
                    }
                }
                @if let Some(description) = &step.description { div.hint { (foreign(description)) } }
                @for (label, block) in inner {
                    @if !block.steps.is_empty() {
                        @if !label.is_empty() { div.branch { (foreign(label)) } }
                        (self.block(block))
                    }
                }
            }
        }
    }

    fn does(&self, kind: &StepKind) -> Markup {
        let code = |node: &Node| html! { code { (written(self.facts, node)) } };
        match kind {
            StepKind::Use { operation, connection, .. } => html! {
                "calls " code { (operation.value) }
                @if let Some(connection) = connection { " on " code { (connection.value) } }
            },
            StepKind::Call { flow, .. } => html! {
                "runs the flow " a href=(address(&["flows", flow.value.as_str()], &[])) { code { (flow.value) } }
            },
            StepKind::Map { mapping, from } => html! {
                "turns " code { (from.name.value) } " into the other side of " (mapped(&mapping.value))
            },
            StepKind::Compare { mapping, to, .. } => html! {
                "finds what must change in " code { (to.name.value) } " by " (mapped(&mapping.value))
            },
            StepKind::Merge { mapping, .. } => html! {
                "finds what must change on either side by " (mapped(&mapping.value))
            },
            StepKind::Scope { key, .. } => html! {
                "groups steps" @if let Some(key) = key { ", one at a time by " (code(key)) }
            },
            StepKind::If { condition, .. } => html! { "if " (code(condition)) },
            StepKind::Switch { on, .. } => html! { "by the value of " (code(on)) },
            StepKind::ForEach { items, parallel, .. } => html! {
                "for each of " (code(items)) @if *parallel > 1 { ", " (parallel) " at once" }
            },
            StepKind::Until { condition, count, .. } => html! {
                "until " (code(condition)) ", at most " (cosell_model::words::counted(*count as usize, "round"))
            },
            StepKind::Let(_) => html! { "names values" },
            StepKind::Wait(Wait::For(time)) => html! { "waits " (code(time)) },
            StepKind::Wait(Wait::Until(time)) => html! { "waits until " (code(time)) },
            StepKind::Respond { .. } => html! { "answers whoever started the run" },
            StepKind::Stop { outcome, .. } => html! { "ends the run as " (outcome) },
        }
    }

    /// The blocks that a step holds, with when they run; empty where there is only one.
    fn blocks<'s>(&self, kind: &'s StepKind) -> Vec<(String, &'s Block)> {
        match kind {
            StepKind::Scope { body, .. } | StepKind::ForEach { body, .. } | StepKind::Until { body, .. } => {
                vec![(String::new(), body)]
            }
            StepKind::If { then, otherwise, .. } => vec![("then".to_owned(), then), ("else".to_owned(), otherwise)],
            StepKind::Switch { cases, default, .. } => {
                let cases = cases.iter().map(|case| (format!("case {}", case.value.value), &case.block));
                cases.chain([("default".to_owned(), default)]).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn mapped(mapping: &str) -> Markup {
    html! { a href=(address(&["mappings", mapping], &[])) { code { (mapping) } } }
}
