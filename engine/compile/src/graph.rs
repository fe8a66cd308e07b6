//! The order of steps, derived: what each waits for, and why.

use std::collections::BTreeMap;

use cosell_model::flow::{Step, StepKind};
use cosell_model::node::NodeKind;
use cosell_model::{Accepts, Diagnostic, Effect, Node, Span};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::layout::{Layout, Relation};
use crate::plan::{Because, BlockIx, Edge, StepIx};
use crate::read::fields::Findings;
use crate::resolve::Mentioned;
use crate::suggest::did_you_mean;

/// What every step waits for, by step.
///
/// A step waits for what its expressions mention, for what its `after` names, and, if it writes, for the nearest earlier
/// sibling that writes, unless its own `after` says otherwise. A mention into or out of a nested block counts for the
/// siblings that hold the two.
pub(crate) fn edges(
    layout: &Layout<'_>,
    mentioned: &[Vec<Mentioned>],
    effects: &[Effect],
    findings: &mut Findings,
) -> Vec<Vec<Edge>> {
    let mut edges: Vec<BTreeMap<StepIx, Edge>> = vec![BTreeMap::new(); layout.steps.len()];
    for (at, mentions) in mentioned.iter().enumerate() {
        let from = StepIx(u32::try_from(at).unwrap_or(u32::MAX));
        for mention in mentions {
            mention_edge(layout, from, mention, &mut edges, findings);
        }
    }
    for (at, place) in layout.steps.iter().enumerate() {
        after_edges(layout, StepIx(u32::try_from(at).unwrap_or(u32::MAX)), place.block, &mut edges[at], findings);
    }
    for block in &layout.blocks {
        write_order(layout, &block.steps, effects, &mut edges);
    }
    let edges: Vec<Vec<Edge>> = edges.into_iter().map(|map| map.into_values().collect()).collect();
    cycles(layout, &edges, findings);
    edges
}

fn mention_edge(
    layout: &Layout<'_>,
    from: StepIx,
    mention: &Mentioned,
    edges: &mut [BTreeMap<StepIx, Edge>],
    findings: &mut Findings,
) {
    match layout.relation(from, mention.step) {
        Relation::Siblings(waiting, awaited) => {
            // Whoever reads how a step ended waits for it however it ends; whoever reads what it yielded needs it.
            let accepts = if mention.outcome { Accepts::ANY } else { Accepts::SUCCEEDED };
            let edge = Edge { step: awaited, because: Because::Mentions, accepts };
            let known = edges[waiting.0 as usize].entry(awaited).or_insert(edge);
            if !mention.outcome {
                known.accepts = Accepts::SUCCEEDED;
            }
        }
        Relation::Inside => {
            findings.push(
                Diagnostic::error(
                    "mentions-holder",
                    "a step cannot mention a step that holds it",
                    mention.span,
                    "this holds the step",
                )
                .also(layout.span(mention.step), "the holder")
                .help("mention the steps beside this one, or what stands before the holder"),
            );
        }
        Relation::Around if from == mention.step => {
            findings.push(
                Diagnostic::error(
                    "mentions-itself",
                    "a step cannot mention itself",
                    mention.span,
                    "not known before it has run",
                )
                .help("to use an earlier round's result in a loop, let a step of its own hold it"),
            );
        }
        Relation::Around if !computed_last(layout.place(from).step, mention.span) => {
            findings.push(
                Diagnostic::error(
                    "mentions-held",
                    "a step cannot mention what it holds before that has run",
                    mention.span,
                    "always null",
                )
                .also(layout.span(mention.step), "the step it holds")
                .help("only its `output`, and the condition of an `until`, are computed when what it holds has ended"),
            );
        }
        // A mention of another branch was reported where it was looked up.
        Relation::Around | Relation::OtherBranch(_) => {}
    }
}

/// Whether `span` lies in a value of `holder` that is computed when what it holds has ended.
fn computed_last(holder: &Step, span: Span) -> bool {
    let condition = match &holder.kind {
        StepKind::Until { condition, .. } => Some(condition),
        _ => None,
    };
    holder.output.iter().chain(condition).any(|node| stands_in(node, span))
}

/// Whether `span` lies in `node`; by its leaves, because the parts of a merged value may stand in two files.
fn stands_in(node: &Node, span: Span) -> bool {
    match &node.kind {
        NodeKind::Map(entries) => entries.iter().any(|entry| stands_in(&entry.value, span)),
        NodeKind::List(items) => items.iter().any(|item| stands_in(item, span)),
        _ => node.span.file == span.file && node.span.start <= span.start && span.end <= node.span.end,
    }
}

fn after_edges(
    layout: &Layout<'_>,
    waiting: StepIx,
    block: BlockIx,
    edges: &mut BTreeMap<StepIx, Edge>,
    findings: &mut Findings,
) {
    for after in layout.place(waiting).step.after.iter().flatten() {
        let name = after.step.value.as_str();
        let siblings = || layout.blocks[block.0 as usize].steps.iter().map(|sibling| layout.id(*sibling).as_str());
        match layout.find(name) {
            None => findings.push(
                Diagnostic::error(
                    "unknown-step",
                    format!("there is no step `{name}`"),
                    after.step.span,
                    "unknown step",
                )
                .maybe_help(did_you_mean(name, siblings())),
            ),
            Some(step) if step == waiting => findings.push(Diagnostic::error(
                "waits-for-itself",
                format!("`{name}` waits for itself"),
                after.step.span,
                "itself",
            )),
            Some(step) if layout.place(step).block != block => findings.push(
                Diagnostic::error(
                    "after-not-sibling",
                    format!("`{name}` stands in another block"),
                    after.step.span,
                    "not a sibling",
                )
                .also(layout.span(step), "it stands here")
                .help("`after` names steps of the same block; name the step that holds it instead"),
            ),
            Some(step) => {
                edges.insert(step, Edge { step, because: Because::After, accepts: after.accepts });
            }
        }
    }
}

/// Each write waits for the one before it. A write with an `after` of its own stands beside the line: writes behind it
/// wait for it, and for the line as well.
fn write_order(layout: &Layout<'_>, siblings: &[StepIx], effects: &[Effect], edges: &mut [BTreeMap<StepIx, Edge>]) {
    let mut line: Vec<StepIx> = Vec::new();
    for step in siblings.iter().filter(|step| effects[step.0 as usize] == Effect::Write) {
        if layout.place(*step).step.after.is_none() {
            for earlier in line.drain(..) {
                let edge = Edge { step: earlier, because: Because::Order, accepts: Accepts::SUCCEEDED };
                edges[step.0 as usize].entry(earlier).or_insert(edge);
            }
        }
        line.push(*step);
    }
}

/// Reports every cycle, with the way round.
fn cycles(layout: &Layout<'_>, edges: &[Vec<Edge>], findings: &mut Findings) {
    let mut graph = DiGraph::<StepIx, ()>::new();
    let nodes: Vec<NodeIndex> =
        (0..edges.len()).map(|at| graph.add_node(StepIx(u32::try_from(at).unwrap_or(u32::MAX)))).collect();
    for (at, edges) in edges.iter().enumerate() {
        for edge in edges {
            graph.add_edge(nodes[at], nodes[edge.step.0 as usize], ());
        }
    }
    let mut found: Vec<Vec<StepIx>> = tarjan_scc(&graph)
        .into_iter()
        .filter(|component| component.len() > 1)
        .map(|component| component.into_iter().map(|node| graph[node]).collect())
        .collect();
    found.iter_mut().for_each(|component| component.sort_unstable());
    found.sort_unstable();
    for component in found {
        let way = way_round(&component, edges);
        let shown: Vec<&str> = way.iter().chain(way.first()).map(|step| layout.id(*step).as_str()).collect();
        let message = format!("these steps wait for each other: {}", shown.join(" → "));
        let mut finding =
            Diagnostic::error("cycle", message, layout.span(way[0]), why(layout, edges, way[0], way[1 % way.len()]));
        for (at, step) in way.iter().enumerate().skip(1) {
            finding = finding.also(layout.span(*step), why(layout, edges, *step, way[(at + 1) % way.len()]));
        }
        findings.push(finding.help(
            "take one of these ties away; `after` can also say that a write need not wait for the write before it",
        ));
    }
}

fn why(layout: &Layout<'_>, edges: &[Vec<Edge>], from: StepIx, to: StepIx) -> String {
    let id = layout.id(to);
    match edges[from.0 as usize].iter().find(|edge| edge.step == to).map(|edge| edge.because) {
        Some(Because::After) => format!("waits for `{id}`: its `after` says so"),
        Some(Because::Order) => format!("waits for `{id}`: both write, and it stands behind it"),
        _ => format!("waits for `{id}`: it, or a step in it, mentions it"),
    }
}

/// A way from the first step of a component back to it, always by the earliest step that has not been on it.
fn way_round(component: &[StepIx], edges: &[Vec<Edge>]) -> Vec<StepIx> {
    let start = component[0];
    let mut came_from: BTreeMap<StepIx, StepIx> = BTreeMap::new();
    let mut waiting = std::collections::VecDeque::from([start]);
    while let Some(step) = waiting.pop_front() {
        for edge in edges[step.0 as usize].iter().filter(|edge| component.contains(&edge.step)) {
            if edge.step == start {
                let mut way: Vec<StepIx> = std::iter::successors(Some(step), |s| came_from.get(s).copied()).collect();
                way.reverse();
                return way;
            }
            if edge.step != start && !came_from.contains_key(&edge.step) {
                came_from.insert(edge.step, step);
                waiting.push_back(edge.step);
            }
        }
    }
    component.to_vec()
}
