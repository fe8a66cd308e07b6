//! A flow as a picture.

use cosell_compile::expr::template::Template;
use cosell_compile::plan::{Action, Because, Plan, StepPlan};
use cosell_model::flow::TriggerSource;
use cosell_model::{Accepts, Effect};

use crate::picture::{Edge, Group, Node, Picture, Tie};

/// The steps of a flow, with what each waits for.
pub fn of_plan(plan: &Plan) -> Picture {
    let nodes = plan.steps.iter().map(|step| node(plan, step)).collect();
    let mut edges = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        for edge in &step.waits_for {
            let tie = match edge.because {
                Because::Mentions if edge.accepts == Accepts::ANY => Tie::Ending,
                Because::Mentions => Tie::Data,
                Because::Order => Tie::Order,
                Because::After => Tie::After(edge.accepts),
            };
            edges.push(Edge { from: edge.step.0 as usize, to: at, tie });
        }
    }
    edges.sort_by_key(|edge| (edge.to, edge.from));
    Picture {
        name: Some(plan.flow.to_string()),
        title: plan.title.clone(),
        notes: vec![format!("Started by {}", started_by(plan))],
        nodes,
        root: plan
            .blocks
            .first()
            .map(|block| block.steps.iter().map(|step| step.0 as usize).collect())
            .unwrap_or_default(),
        edges,
    }
}

fn started_by(plan: &Plan) -> String {
    match &plan.trigger.source {
        TriggerSource::Connector(_) => {
            let names: Vec<&str> = plan.trigger.sources.iter().map(|source| source.name.as_str()).collect();
            names.join(" and ")
        }
        built_in => crate::calls::started_by(built_in),
    }
}

fn node(plan: &Plan, step: &StepPlan) -> Node {
    let what = match &step.action {
        Action::Operation { connection, operation, .. } if *connection != *operation.connector => {
            format!("use {operation} on {connection}")
        }
        Action::Operation { operation, .. } => format!("use {operation}"),
        Action::Call { flow, .. } => format!("call {flow}"),
        Action::Map { mapping, .. } | Action::Compare { mapping, .. } | Action::Merge { mapping, .. } => {
            format!("{} {}", step.action.kind(), mapping.name)
        }
        Action::Stop { outcome, .. } => format!("stop {outcome}"),
        other => other.kind().to_owned(),
    };
    let depends = match &step.action {
        Action::If { condition, .. } => Some(("if", condition)),
        Action::Switch { on, .. } => Some(("on", on)),
        Action::ForEach { items, .. } => Some(("of", items)),
        Action::Until { condition, .. } => Some(("until", condition)),
        _ => None,
    };
    let when = step.when.as_ref().map(|when| ("when", when));
    let details = when.into_iter().chain(depends).filter_map(|(word, value)| Some(format!("{word} {}", words(value)?)));
    Node {
        name: step.id.to_string(),
        title: (step.title != step.id.as_str()).then(|| step.title.clone()),
        what,
        details: details.collect(),
        writes: step.effect == Effect::Write,
        yours: false,
        groups: groups(plan, &step.action),
        happened: None,
    }
}

/// The blocks that a step holds; those without steps are left out.
fn groups(plan: &Plan, action: &Action) -> Vec<Group> {
    let blocks = match action {
        Action::If { then, otherwise, .. } => vec![("then".to_owned(), *then), ("else".to_owned(), *otherwise)],
        Action::Switch { cases, default, .. } => {
            let cases = cases.iter().map(|(value, block)| (format!("case {value}"), *block));
            cases.chain([("default".to_owned(), *default)]).collect()
        }
        other => other.blocks().into_iter().map(|block| (String::new(), block)).collect(),
    };
    let group =
        |(label, block)| Group { label, nodes: plan.block(block).steps.iter().map(|step| step.0 as usize).collect() };
    blocks.into_iter().map(group).filter(|group| !group.nodes.is_empty()).collect()
}

/// What is written there, where it is short enough to say: an expression, or a value without any.
fn words(value: &Template) -> Option<String> {
    match value {
        Template::Expression(expression) => Some(expression.source().split_whitespace().collect::<Vec<_>>().join(" ")),
        Template::Constant(value) => Some(value.to_string()),
        Template::Text(_) | Template::List(_) | Template::Map(_) => None,
    }
}
