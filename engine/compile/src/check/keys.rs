//! Scopes with keys inside scopes with keys: two runs that take them in different orders would wait for each other, and
//! one that takes the same key twice would wait for itself.

use std::collections::BTreeMap;

use cosell_model::flow::{Block, Flow, Step, StepKind};
use cosell_model::{Diagnostic, FlowId, Span};

use crate::calls::{inside, walk};
use crate::read::fields::Findings;

/// A scope with keys that a flow runs into: where its key stands, and the flows called on the way there.
#[derive(Clone)]
struct Keyed {
    span: Span,
    way: Vec<String>,
}

/// Reports every keyed scope that stands, or runs through a call, inside another. `order` has every flow after all that
/// it calls.
pub(crate) fn nested(flows: &BTreeMap<FlowId, Flow>, order: &[FlowId], findings: &mut Findings) {
    let mut known: BTreeMap<&FlowId, Keyed> = BTreeMap::new();
    for flow in order.iter().filter_map(|id| flows.get(id)) {
        each(&flow.steps, &known, None, findings);
        let mut first = None;
        walk(&flow.steps, &mut |step| {
            if first.is_none() {
                first = keyed(step, &known);
            }
        });
        if let Some(mut first) = first {
            first.way.insert(0, format!("`{}`", flow.id.value));
            known.insert(&flow.id.value, first);
        }
    }
}

/// The keyed scope that `step` itself is, or calls.
fn keyed(step: &Step, known: &BTreeMap<&FlowId, Keyed>) -> Option<Keyed> {
    match &step.kind {
        StepKind::Scope { key: Some(key), .. } => {
            Some(Keyed { span: key.span, way: vec![format!("its scope `{}`", step.id.value)] })
        }
        StepKind::Call { flow, .. } => known.get(&flow.value).cloned(),
        _ => None,
    }
}

fn each(block: &Block, known: &BTreeMap<&FlowId, Keyed>, holder: Option<(&Step, Span)>, findings: &mut Findings) {
    for step in &block.steps {
        let own = keyed(step, known);
        if let (Some((holder, outer)), Some(own)) = (holder, &own) {
            findings.push(finding(step, own, holder, outer));
        }
        let holder = match &step.kind {
            StepKind::Scope { key: Some(key), .. } => Some((step, key.span)),
            _ => holder,
        };
        for block in inside(step) {
            each(block, known, holder, findings);
        }
    }
}

fn finding(step: &Step, own: &Keyed, holder: &Step, outer: Span) -> Diagnostic {
    let (span, message) = match &step.kind {
        StepKind::Call { flow, .. } => {
            let message = format!(
                "scope `{}` has keys, and what is called in it takes keys as well: {}",
                holder.id.value,
                own.way.join(" → ")
            );
            (flow.span, message)
        }
        _ => (
            own.span,
            format!("scope `{}` takes keys inside scope `{}`, which has keys", step.id.value, holder.id.value),
        ),
    };
    let mut finding = Diagnostic::error("keys-inside-keys", message, span, "may wait for ever")
        .also(outer, "keys are held from here");
    if span != own.span {
        finding = finding.also(own.span, "and taken here");
    }
    finding.help("a scope takes all its keys at once, so that nobody waits for each other: list them all in the outer `key`, or let the two stand one behind the other")
}
