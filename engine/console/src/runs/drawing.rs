//! A run as a picture of its flow.

use std::collections::{HashMap, HashSet};

use cosell_graph::picture::Node;
use cosell_graph::{Ran, Within, of_plan};
use cosell_model::Outcome;
use cosell_runtime::keep::root;
use cosell_runtime::record::StepRecord;
use maud::{Markup, PreEscaped};

use super::seen::{Inner, Kind, State, Step};
use crate::page::{DRAWN, address};

/// The picture of a run; `shown` are the steps that the page has, to which it leads, and to pages of their own for the others.
/// None where the flow is not known, or too large.
pub(super) fn drawn(inner: &Inner, shown: &[Step], prefix: &str) -> Option<Markup> {
    let plan = inner.plan.as_ref()?;
    let steps: Vec<StepRecord> = inner.records.iter().map(|record| (**record).clone()).collect();
    let listed = &inner.listed;
    let ran = Ran { run: &listed.run, outcome: listed.outcome.as_deref(), steps: &steps };
    let mut places = HashMap::new();
    shown.iter().for_each(|step| note(step, &mut places));
    let ended: HashSet<&str> = inner.records.iter().map(|record| record.path.as_str()).collect();
    let link = |node: &Node| match places.get(node.name.as_str()) {
        Some(step) => Some(format!("#step-{}", step.path)),
        None => ended
            .contains(node.name.as_str())
            .then(|| address(&["runs", root(&listed.run)], &[("open", &format!("{}{}", inner.prefix, node.name))])),
    };
    let picture = of_plan(plan).with_run(&ran).folded(DRAWN)?;
    Some(PreEscaped(picture.svg_within(&Within { prefix, link: &link })))
}

/// Notes where each step of a flow stands on the page; of several rounds, the one that failed, or else the first.
fn note<'s>(step: &'s Step, places: &mut HashMap<&'s str, &'s Step>) {
    let failed = |step: &Step| matches!(step.state, State::Ended(Outcome::Failed | Outcome::TimedOut));
    let known = places.entry(&step.id).or_insert(step);
    if failed(step) && !failed(known) {
        *known = step;
    }
    let within = step.below.iter().filter(|group| !matches!(group.kind, Kind::Called(_)));
    within.flat_map(|group| &group.steps).for_each(|step| note(step, places));
}
