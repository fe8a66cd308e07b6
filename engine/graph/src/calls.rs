//! All flows as a picture: which calls which.

use cosell_compile::called_by;
use cosell_model::flow::{Flow, TriggerSource};

use crate::picture::{Edge, Node, Picture, Tie};

/// A flow among all.
pub struct Member<'f> {
    /// The flow.
    pub flow: &'f Flow,
    /// Whether it is on.
    pub state: &'f str,
    /// Whether it, or a flow it calls, writes.
    pub writes: bool,
}

/// Flows in the order in which they are turned on, with a line from each to those that it calls.
pub fn of_flows(members: &[Member<'_>]) -> Picture {
    let mut edges = Vec::new();
    let nodes = members.iter().enumerate().map(|(at, member)| {
        let called = called_by(member.flow);
        let numbers = members.iter().enumerate().filter(|(_, other)| called.contains(&other.flow.id.value));
        edges.extend(numbers.map(|(to, _)| Edge { from: at, to, tie: Tie::Calls }));
        let sources: Vec<String> = member.flow.trigger.sources().map(|source| started_by(&source.kind)).collect();
        Node {
            name: member.flow.id.value.to_string(),
            title: (member.flow.title != member.flow.id.value.as_str()).then(|| member.flow.title.clone()),
            what: format!("{}. {}", at + 1, member.state),
            details: vec![format!("started by {}", sources.join(" and "))],
            writes: member.writes,
            yours: false,
            groups: Vec::new(),
            happened: None,
        }
    });
    let nodes: Vec<Node> = nodes.collect();
    edges.sort_by_key(|edge| (edge.to, edge.from));
    Picture {
        name: None,
        title: "All flows".to_owned(),
        notes: vec!["Numbered in the order in which they are turned on: each behind those that it calls".to_owned()],
        root: (0..nodes.len()).collect(),
        nodes,
        edges,
    }
}

/// What starts a flow, in words.
pub fn started_by(source: &TriggerSource) -> String {
    match source {
        TriggerSource::Manual => "a person".to_owned(),
        TriggerSource::Schedule => "the clock".to_owned(),
        TriggerSource::Http => "a web hook".to_owned(),
        TriggerSource::Call => "other flows".to_owned(),
        TriggerSource::Connector(name) => name.to_string(),
    }
}
