//! What lists of flows say of each: their order, whether they are on, and what they use.

use std::collections::{BTreeMap, BTreeSet};

use cosell_model::flow::{Flow, StepKind};
use cosell_model::{FlowId, Span};

use crate::Compilation;
use crate::calls::{called_by, walk};
use crate::variables::{Variable, mentioned_in};

/// Whether a flow runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    On,
    /// The configuration turns it off.
    Off,
    /// It, or something that it needs, has errors: then it can neither be on nor off.
    HasErrors,
}

impl State {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            State::On => "on",
            State::Off => "off",
            State::HasErrors => "has errors",
        }
    }
}

impl Compilation {
    /// All flows with their numbers, in the order in which they are turned on: each behind those that it calls.
    pub fn in_order(&self) -> impl Iterator<Item = (usize, &Flow)> {
        self.order.iter().filter_map(|id| self.flows.get(id)).enumerate().map(|(at, flow)| (at + 1, flow))
    }

    /// Whether a flow runs, where the configuration turns these off.
    pub fn state(&self, flow: &FlowId, off: &BTreeMap<String, Span>) -> State {
        if off.contains_key(flow.as_str()) {
            State::Off
        } else if self.plans.contains_key(flow) {
            State::On
        } else {
            State::HasErrors
        }
    }

    /// The flows that call a flow.
    pub fn callers<'c>(&'c self, flow: &'c FlowId) -> impl Iterator<Item = &'c Flow> {
        self.in_order().map(|(_, other)| other).filter(|other| called_by(other).contains(flow))
    }

    /// The names of the mappings that a flow uses, each once, in the order of the file.
    pub fn mappings_of<'c>(&self, flow: &'c Flow) -> Vec<&'c str> {
        let mut used = Vec::new();
        walk(&flow.steps, &mut |step| {
            let (StepKind::Map { mapping, .. } | StepKind::Compare { mapping, .. } | StepKind::Merge { mapping, .. }) =
                &step.kind
            else {
                return;
            };
            if !used.contains(&mapping.value.as_str()) {
                used.push(&mapping.value);
            }
        });
        used
    }

    /// The variables that a flow mentions itself, or through the mappings that it uses.
    pub fn variables_of(&self, flow: &Flow) -> Vec<(&str, &Variable)> {
        let own = self.documents.flows.get(flow.id.value.as_str());
        let mappings = self.mappings_of(flow).into_iter().filter_map(|name| self.documents.mappings.get(name));
        let mut names = BTreeSet::new();
        own.into_iter().chain(mappings).for_each(|document| mentioned_in(&document.node, &mut names));
        let all = self.variables.iter().map(|(name, variable)| (name.as_str(), variable));
        all.filter(|(name, _)| names.contains(name)).collect()
    }
}
