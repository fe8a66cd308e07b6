//! From a flow as written to its plan; [`trigger`] does so for what starts it.

pub(crate) mod trigger;

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_model::flow::{Flow, Side, Step, StepKind, Wait};
use cosell_model::node::NodeKind;
use cosell_model::{Catalogue, Diagnostic, Effect, FlowId, Node, Spanned};
use serde_json::Value;

use crate::calls::step_effect;
use crate::check::{conditions, forms, inputs, order};
use crate::expr::template::Template;
use crate::graph;
use crate::layout::Layout;
use crate::mapping::Mapping;
use crate::plan::{Action, BlockPlan, Plan, RegionIx, RegionPlan, StepIx, StepPlan};
use crate::read::fields::{Findings, list};
use crate::resolve::{Mentioned, Names, Standpoint};
use crate::shape::{Shape, merged};
use crate::source::Sources;
use crate::suggest::did_you_mean;
use crate::values;

/// What a flow is compiled against.
pub(crate) struct Surroundings<'c> {
    pub(crate) sources: &'c Sources,
    pub(crate) catalogue: &'c Catalogue,
    pub(crate) flows: &'c BTreeMap<FlowId, Flow>,
    /// All mappings; nothing for those that could not be read.
    pub(crate) mappings: &'c BTreeMap<String, Option<Arc<Mapping>>>,
    pub(crate) variables: &'c BTreeMap<String, Value>,
    /// What each flow does to the world, through everything it calls.
    pub(crate) effects: &'c BTreeMap<FlowId, Effect>,
}

/// Compiles `flow`; the plan can be used only where no finding is an error.
pub(crate) fn lower(flow: &Flow, hash: u64, around: &Surroundings<'_>, findings: &mut Findings) -> Plan {
    let layout = Layout::of(flow, findings);
    let mapping = |name: &str| around.mappings.get(name)?.as_deref();
    let shapes = layout.steps.iter().map(|place| shape(place.step, around.catalogue, around.flows, &mapping)).collect();
    let names = Names {
        sources: around.sources,
        flow,
        layout: &layout,
        variables: around.variables,
        trigger: trigger::brought(flow, around.catalogue),
        shapes,
    };
    let effects: Vec<Effect> =
        layout.steps.iter().map(|place| step_effect(place.step, around.catalogue, around.effects)).collect();
    let mut lowering = Lowering { around, names: &names, mentioned: vec![Vec::new(); layout.steps.len()], findings };

    let actions: Vec<_> = (0..layout.steps.len()).map(|at| lowering.step(StepIx(at as u32))).collect();
    let trigger = lowering.trigger(flow);
    let before = Standpoint { step: None, region: RegionIx(0), steps: false };
    let ended = Standpoint { steps: true, ..before };
    let key = flow.key.as_ref().map(|node| lowering.own(node, before));
    let output = flow.output.as_ref().map(|node| lowering.own(node, ended));
    let mentioned = lowering.mentioned;

    let edges = graph::edges(&layout, &mentioned, &effects, findings);
    let steps = assemble(&layout, actions, edges, &effects);
    order::check(&layout, &steps, findings);
    let blocks = layout.blocks.iter().map(|block| {
        let awaited = |step: &StepIx| !steps[step.0 as usize].awaited_by.is_empty();
        BlockPlan {
            holder: block.holder,
            steps: block.steps.clone(),
            leaves: block.steps.iter().copied().filter(|s| !awaited(s)).collect(),
        }
    });
    let blocks = blocks.collect();
    let regions = layout.regions.iter().map(|region| RegionPlan { outer: region.outer, slots: region.slots.clone() });
    let effect = around.effects.get(&flow.id.value).copied().unwrap_or(Effect::Write);
    Plan {
        flow: flow.id.value.clone(),
        title: flow.title.clone(),
        hash,
        trigger,
        key,
        debounce: flow.debounce,
        parallel: flow.parallel,
        output,
        blocks,
        regions: regions.collect(),
        steps,
        effect,
    }
}

/// What a lowered step consists of.
struct Parts {
    when: Option<Template>,
    action: Action,
    output: Option<Template>,
}

fn assemble(
    layout: &Layout<'_>,
    parts: Vec<Parts>,
    edges: Vec<Vec<crate::plan::Edge>>,
    effects: &[Effect],
) -> Vec<StepPlan> {
    let mut awaited_by: Vec<Vec<StepIx>> = vec![Vec::new(); layout.steps.len()];
    for (at, edges) in edges.iter().enumerate() {
        for edge in edges {
            awaited_by[edge.step.0 as usize].push(StepIx(at as u32));
        }
    }
    let together = layout.steps.iter().zip(parts).zip(edges.into_iter().zip(awaited_by)).zip(effects);
    together
        .map(|(((place, parts), (waits_for, awaited_by)), effect)| StepPlan {
            id: place.step.id.value.clone(),
            title: place.step.title.clone().unwrap_or_else(|| place.step.id.value.to_string()),
            block: place.block,
            region: place.region,
            slot: place.slot,
            waits_for,
            awaited_by,
            when: parts.when,
            retry: place.step.retry.clone(),
            timeout: place.step.timeout,
            sensitive: place.step.sensitive,
            effect: *effect,
            action: parts.action,
            output: parts.output,
        })
        .collect()
}

fn keys(node: &Node) -> Vec<String> {
    node.entries().unwrap_or_default().iter().map(|entry| entry.key.value.clone()).collect()
}

fn yields(output: Option<&Node>) -> Shape<'static> {
    match output.map(|node| (node, &node.kind)) {
        None => Shape::Nothing("a step that holds others yields nothing by itself: give it an `output`"),
        Some((node, NodeKind::Map(_))) => Shape::Named(keys(node)),
        Some(_) => Shape::Unknown,
    }
}

/// What is known of what a step yields.
pub(crate) fn shape<'c>(
    step: &Step,
    catalogue: &'c Catalogue,
    flows: &BTreeMap<FlowId, Flow>,
    known: &dyn Fn(&str) -> Option<&'c Mapping>,
) -> Shape<'c> {
    match &step.kind {
        StepKind::Use { operation, .. } => {
            catalogue.operation(&operation.value).map_or(Shape::Unknown, |operation| Shape::Schema(&operation.output))
        }
        StepKind::Call { flow, .. } => match flows.get(&flow.value).map(|flow| &flow.output) {
            Some(Some(output)) if output.entries().is_some() => Shape::Named(keys(output)),
            _ => Shape::Unknown,
        },
        // A step that could not be read is a `let` of nothing.
        StepKind::Let(values) if values.entries().is_none() => Shape::Unknown,
        StepKind::Let(values) => Shape::Named(keys(values)),
        StepKind::Compare { .. } => Shape::Members(&["equal", "changes", "differences"]),
        StepKind::Merge { mapping, .. } => {
            known(&mapping.value).map_or(Shape::Unknown, |mapping| Shape::Made(merged(mapping)))
        }
        StepKind::Scope { .. } | StepKind::If { .. } | StepKind::Switch { .. } | StepKind::Until { .. } => {
            yields(step.output.as_ref())
        }
        StepKind::ForEach { .. } if step.output.is_some() => Shape::Unknown,
        StepKind::ForEach { .. } => yields(None),
        StepKind::Wait(_) | StepKind::Respond { .. } | StepKind::Stop { .. } => {
            Shape::Nothing("a step of this kind yields nothing")
        }
        StepKind::Map { .. } => Shape::Unknown,
    }
}

struct Lowering<'l, 'c> {
    around: &'l Surroundings<'c>,
    names: &'l Names<'c>,
    mentioned: Vec<Vec<Mentioned>>,
    findings: &'l mut Findings,
}

impl Lowering<'_, '_> {
    /// A value of the flow itself.
    fn own(&mut self, node: &Node, at: Standpoint) -> Template {
        values::template(node, at, self.names, &mut Vec::new(), self.findings)
    }

    /// A value of a step, seen from `region`.
    fn value(&mut self, node: &Node, step: StepIx, region: RegionIx) -> Template {
        let at = Standpoint { step: Some(step), region, steps: true };
        values::template(node, at, self.names, &mut self.mentioned[step.0 as usize], self.findings)
    }

    /// The same for a condition, which is told where it is always the same.
    fn condition(&mut self, node: &Node, what: &str, step: StepIx, region: RegionIx) -> Template {
        let compiled = self.value(node, step, region);
        conditions::constant(node, &compiled, what, self.findings);
        compiled
    }

    fn step(&mut self, ix: StepIx) -> Parts {
        let place = self.names.layout.place(ix);
        let (step, region, holds) = (place.step, place.region, place.holds.clone());
        let inner = holds.first().map_or(region, |block| self.names.layout.blocks[block.0 as usize].region);
        forms::step(step, self.findings);
        let when = step.when.as_ref().map(|node| self.condition(node, "`when`", ix, region));
        let optional = |this: &mut Self, node: &Option<Node>| node.as_ref().map(|node| this.value(node, ix, region));
        let action = match &step.kind {
            StepKind::Use { operation, connection, with } => {
                let description = self.around.catalogue.operation(&operation.value);
                match description {
                    Some(known) => inputs::operation(
                        &known.input,
                        with.as_ref(),
                        operation.span,
                        &format!("`{}`", operation.value),
                        self.findings,
                    ),
                    None => self.findings.push(unknown_offer(self.around.catalogue, operation, "operation")),
                }
                Action::Operation {
                    connection: connection
                        .as_ref()
                        .map_or_else(|| operation.value.connector.to_string(), |name| name.value.clone()),
                    operation: operation.value.clone(),
                    input: optional(self, with)
                        .unwrap_or_else(|| Template::Constant(Value::Object(serde_json::Map::new()))),
                    effect: description.map_or(Effect::Write, |known| known.effect),
                }
            }
            StepKind::Call { flow, with } => {
                inputs::call(self.around.flows, flow, with.as_ref(), self.findings);
                let input =
                    optional(self, with).unwrap_or_else(|| Template::Constant(Value::Object(serde_json::Map::new())));
                Action::Call { flow: flow.value.clone(), input }
            }
            StepKind::Scope { key, .. } => Action::Scope { key: optional(self, key), body: holds[0] },
            StepKind::If { condition, .. } => Action::If {
                condition: self.condition(condition, "`if`", ix, region),
                then: holds[0],
                otherwise: holds[1],
            },
            StepKind::Switch { on, cases, .. } => {
                conditions::cases(on, cases, self.names, self.findings);
                Action::Switch {
                    on: self.value(on, ix, region),
                    cases: cases.iter().zip(&holds).map(|(case, block)| (case.value.value.clone(), *block)).collect(),
                    default: holds[cases.len()],
                }
            }
            StepKind::ForEach { items, parallel, .. } => Action::ForEach {
                items: self.value(items, ix, region),
                parallel: *parallel,
                body: holds[0],
                region: inner,
            },
            StepKind::Until { condition, count, time, fail_at_limit, .. } => Action::Until {
                condition: self.condition(condition, "`until`", ix, inner),
                count: *count,
                time: *time,
                fail_at_limit: *fail_at_limit,
                body: holds[0],
                region: inner,
            },
            StepKind::Let(values) => Action::Let(self.value(values, ix, region)),
            StepKind::Map { mapping, from } => {
                let record = self.value(&from.record, ix, region);
                let (mapping, side) = self.mapping(mapping, from);
                Action::Map { mapping, from: side.unwrap_or(0), record }
            }
            StepKind::Compare { mapping, from, to } => {
                let leading = self.value(&from.record, ix, region);
                let following = self.value(&to.record, ix, region);
                let (mapping, side) = self.mapping(mapping, from);
                self.other_side(&mapping, side, to);
                Action::Compare { mapping, from: side.unwrap_or(0), leading, following }
            }
            StepKind::Merge { mapping, from, to, agreed, changed } => {
                let records = [from, to].map(|side| self.value(&side.record, ix, region));
                let times: Vec<_> = changed.iter().map(|side| self.value(&side.record, ix, region)).collect();
                let agreed = optional(self, agreed);
                let (mapping, side) = self.mapping(mapping, from);
                self.other_side(&mapping, side, to);
                let from = side.unwrap_or(0);
                let [leading, following] = records;
                let records = if from == 0 { [leading, following] } else { [following, leading] };
                let mut last = [None, None];
                for (side, time) in changed.iter().zip(times) {
                    match mapping.side(&side.name.value) {
                        Some(at) => last[at] = Some(time),
                        None if mapping.rows.is_empty() => {}
                        None => self.findings.push(unknown_side(&mapping, side)),
                    }
                }
                Action::Merge { mapping, from, records, agreed, changed: last }
            }
            StepKind::Wait(Wait::For(time)) => Action::WaitFor(self.value(time, ix, region)),
            StepKind::Wait(Wait::Until(instant)) => Action::WaitUntil(self.value(instant, ix, region)),
            StepKind::Respond { status, headers, body } => Action::Respond {
                status: optional(self, status),
                headers: optional(self, headers),
                body: optional(self, body),
            },
            StepKind::Stop { outcome, code, message } => {
                if inner_loop(self.names.layout, region) {
                    self.findings.push(
                        Diagnostic::error(
                            "stop-in-loop",
                            "a run cannot be stopped from inside a loop",
                            step.id.span,
                            "in a loop",
                        )
                        .help("let the loop yield what it found, and stop behind it"),
                    );
                }
                Action::Stop { outcome: *outcome, code: optional(self, code), message: optional(self, message) }
            }
        };
        let output = step.output.as_ref().map(|node| self.value(node, ix, inner));
        Parts { when, action, output }
    }

    /// The mapping of this name, and which of its sides `from` is.
    fn mapping(&mut self, name: &Spanned<String>, from: &Side) -> (Arc<Mapping>, Option<usize>) {
        let nothing = || {
            Arc::new(Mapping {
                name: name.value.clone(),
                title: String::new(),
                sides: Default::default(),
                records: [None, None],
                rows: Vec::new(),
            })
        };
        let mapping = match self.around.mappings.get(&name.value) {
            Some(Some(mapping)) => mapping,
            // It was reported where it stands.
            Some(None) => return (nothing(), None),
            None => {
                let known = || self.around.mappings.keys().map(String::as_str);
                let help = did_you_mean(&name.value, known())
                    .unwrap_or_else(|| format!("the mappings are {}", list(&known().collect::<Vec<_>>())));
                let message = format!("there is no mapping `{}`", name.value);
                self.findings
                    .push(Diagnostic::error("unknown-mapping", message, name.span, "unknown mapping").help(help));
                return (nothing(), None);
            }
        };
        let side = mapping.side(&from.name.value);
        if side.is_none() {
            self.findings.push(unknown_side(mapping, from));
        }
        (Arc::clone(mapping), side)
    }

    fn other_side(&mut self, mapping: &Mapping, from: Option<usize>, to: &Side) {
        if mapping.sides[0].is_empty() {
            return;
        }
        match mapping.side(&to.name.value) {
            None => self.findings.push(unknown_side(mapping, to)),
            Some(side) if Some(side) == from => self.findings.push(
                Diagnostic::error(
                    "same-side",
                    "both records are of the same side",
                    to.name.span,
                    "the same side again",
                )
                .help(format!("the other side of `{}` is `{}`", mapping.name, mapping.sides[1 - side])),
            ),
            Some(_) => {}
        }
    }
}

fn inner_loop(layout: &Layout<'_>, region: RegionIx) -> bool {
    layout.regions[region.0 as usize].outer.is_some()
}

fn unknown_side(mapping: &Mapping, side: &Side) -> Diagnostic {
    let message = format!("mapping `{}` has no side `{}`", mapping.name, side.name.value);
    Diagnostic::error("unknown-side", message, side.name.span, "unknown side")
        .help(format!("its sides are {}", list(&mapping.sides)))
}

fn unknown_offer(catalogue: &Catalogue, name: &Spanned<cosell_model::OperationName>, kind: &str) -> Diagnostic {
    let code = if kind == "trigger" { "unknown-trigger" } else { "unknown-operation" };
    let finding = |message: String| Diagnostic::error(code, message, name.span, format!("unknown {kind}"));
    match catalogue.connector(&name.value.connector) {
        None => {
            let all: Vec<&str> = catalogue.connectors().map(|connector| connector.name.as_str()).collect();
            let help = did_you_mean(&name.value.connector, all.iter().copied())
                .unwrap_or_else(|| format!("the connectors are {}", list(&all)));
            finding(format!("there is no connector `{}`", name.value.connector)).help(help)
        }
        Some(connector) => {
            let names: Vec<&str> = if kind == "trigger" {
                connector.triggers.iter().map(|t| t.name.as_str()).collect()
            } else {
                connector.operations.iter().map(|o| o.name.as_str()).collect()
            };
            let near = crate::suggest::nearest(&name.value.operation, names.iter().copied());
            finding(format!("there is no {kind} `{}`", name.value)).help(near.map_or_else(
                || format!("`{}` has {}", connector.name, list(&names)),
                |near| format!("did you mean `{}.{near}`?", connector.name),
            ))
        }
    }
}
