//! Which flow calls which: what follows for their effects and for the order to turn them on.

use std::collections::BTreeMap;

use cosell_model::flow::{Block, Flow, Step, StepKind};
use cosell_model::{Catalogue, Diagnostic, Effect, FlowId, Span};
use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::read::fields::Findings;

/// Calls among flows.
pub(crate) struct Calls {
    /// Every flow after all that it calls: the order to turn them on.
    pub(crate) order: Vec<FlowId>,
    /// What each flow does to the world, through everything it calls.
    pub(crate) effects: BTreeMap<FlowId, Effect>,
}

/// Follows the calls among `flows`; flows that call each other in a circle are reported.
pub(crate) fn follow(flows: &BTreeMap<FlowId, Flow>, catalogue: &Catalogue, findings: &mut Findings) -> Calls {
    let mut graph = DiGraph::<&FlowId, Span>::new();
    let nodes: BTreeMap<&FlowId, NodeIndex> = flows.keys().map(|id| (id, graph.add_node(id))).collect();
    for (id, flow) in flows {
        walk(&flow.steps, &mut |step| {
            if let StepKind::Call { flow: called, .. } = &step.kind
                && let Some(called_node) = nodes.get(&called.value)
            {
                graph.add_edge(*called_node, nodes[id], called.span);
            }
        });
    }
    circles(&graph, findings);
    let order: Vec<FlowId> = match toposort(&graph, None) {
        Ok(order) => order.into_iter().map(|node| graph[node].clone()).collect(),
        Err(_) => flows.keys().cloned().collect(),
    };
    let mut effects: BTreeMap<FlowId, Effect> = BTreeMap::new();
    for id in &order {
        let writes = flows[id].steps.steps.iter().any(|step| step_effect(step, catalogue, &effects) == Effect::Write);
        effects.insert(id.clone(), if writes { Effect::Write } else { Effect::Read });
    }
    Calls { order, effects }
}

fn circles(graph: &DiGraph<&FlowId, Span>, findings: &mut Findings) {
    for component in tarjan_scc(graph) {
        let inside: Vec<_> = graph
            .edge_indices()
            .filter(|edge| {
                let ends = graph.edge_endpoints(*edge);
                ends.is_some_and(|(from, to)| component.contains(&from) && component.contains(&to))
            })
            .map(|edge| graph[edge])
            .collect();
        let Some((first, rest)) = inside.split_first() else { continue };
        let mut names: Vec<&str> = component.iter().map(|node| graph[*node].as_str()).collect();
        names.sort_unstable();
        let message = format!("flows call each other in a circle: {}", names.join(", "));
        let mut finding = Diagnostic::error("call-circle", message, *first, "a call in the circle")
            .help("a flow cannot come back to itself; use a loop, or split off what both need into a third flow");
        for span in rest {
            finding = finding.also(*span, "and another");
        }
        findings.push(finding);
    }
}

/// Every flow that `flow` calls itself, each once, in the order of the file.
pub fn called_by(flow: &Flow) -> Vec<FlowId> {
    let mut called = Vec::new();
    walk(&flow.steps, &mut |step| {
        if let StepKind::Call { flow, .. } = &step.kind
            && !called.contains(&flow.value)
        {
            called.push(flow.value.clone());
        }
    });
    called
}

/// Visits every step of a block, from the outside in.
pub(crate) fn walk<'f>(block: &'f Block, visit: &mut impl FnMut(&'f Step)) {
    for step in &block.steps {
        visit(step);
        inside(step).into_iter().for_each(|block| walk(block, visit));
    }
}

/// The blocks that a step holds, in the order of the file.
pub(crate) fn inside(step: &Step) -> Vec<&Block> {
    match &step.kind {
        StepKind::Scope { body, .. } | StepKind::ForEach { body, .. } | StepKind::Until { body, .. } => vec![body],
        StepKind::If { then, otherwise, .. } => vec![then, otherwise],
        StepKind::Switch { cases, default, .. } => cases.iter().map(|case| &case.block).chain([default]).collect(),
        _ => Vec::new(),
    }
}

/// What a step, with everything in it, does to the world. Waiting, answering and stopping keep their place among the
/// writes: where they stand in the file matters. What is not known counts as a write.
pub(crate) fn step_effect(step: &Step, catalogue: &Catalogue, flows: &BTreeMap<FlowId, Effect>) -> Effect {
    let writes_inside = || {
        inside(step)
            .into_iter()
            .flat_map(|block| &block.steps)
            .any(|step| step_effect(step, catalogue, flows) == Effect::Write)
    };
    let writes = match &step.kind {
        StepKind::Use { operation, .. } => {
            catalogue.operation(&operation.value).is_none_or(|operation| operation.effect == Effect::Write)
        }
        StepKind::Call { flow, .. } => flows.get(&flow.value).is_none_or(|effect| *effect == Effect::Write),
        StepKind::Scope { .. }
        | StepKind::If { .. }
        | StepKind::Switch { .. }
        | StepKind::ForEach { .. }
        | StepKind::Until { .. } => writes_inside(),
        StepKind::Let(_) | StepKind::Map { .. } | StepKind::Compare { .. } | StepKind::Merge { .. } => false,
        StepKind::Wait(_) | StepKind::Respond { .. } | StepKind::Stop { .. } => true,
    };
    if writes { Effect::Write } else { Effect::Read }
}
