//! All flows, in the order in which they are turned on.

use std::collections::BTreeMap;

use cosell_compile::called_by;
use cosell_compile::documents::{Document, Origin};
use cosell_graph::started_by;
use cosell_model::flow::{Flow, TriggerSource};
use serde_json::{Value, json};

use crate::project::Project;
use crate::render::table::Table;

/// As a table; calls are shown by the numbers of the flows that are called.
pub(crate) fn for_people(project: &Project) -> String {
    let order = &project.compilation.order;
    let mut table = Table::new(["#", "Flow", "From", "State", "Started by", "Calls"]);
    for (number, flow) in project.compilation.in_order() {
        let called = called_by(flow);
        let numbers =
            order.iter().enumerate().filter(|(_, id)| called.contains(id)).map(|(at, _)| (at + 1).to_string());
        table.row(vec![
            number.to_string(),
            format!("{}\n{}", flow.id.value, flow.title),
            origin(&project.compilation.documents.flows, flow.id.value.as_str()).in_words().to_owned(),
            state(project, flow).to_owned(),
            flow.trigger.sources().map(|source| started_by(&source.kind)).collect::<Vec<_>>().join("\n"),
            numbers.collect::<Vec<_>>().join(", "),
        ]);
    }
    format!(
        "Flows in the order in which they are turned on: each stands behind those that it calls.\n{}",
        table.for_terminal()
    )
}

/// As a JSON array.
pub(crate) fn for_machines(project: &Project) -> Value {
    let flow = |(number, flow): (usize, &Flow)| {
        json!({
            "number": number,
            "name": flow.id.value,
            "title": flow.title,
            "from": origin(&project.compilation.documents.flows, flow.id.value.as_str()).as_str(),
            "state": state(project, flow),
            "trigger": trigger(&flow.trigger.main.kind),
            "also": flow.trigger.also.iter().map(|source| trigger(&source.kind)).collect::<Vec<_>>(),
            "calls": called_by(flow),
        })
    };
    Value::Array(project.compilation.in_order().map(flow).collect())
}

/// Where the flow or mapping `name` comes from.
pub(crate) fn origin(documents: &BTreeMap<String, Document>, name: &str) -> Origin {
    documents.get(name).map_or(Origin::Own, Document::comes_from)
}

/// Whether a flow runs.
pub(crate) fn state(project: &Project, flow: &Flow) -> &'static str {
    project.compilation.state(&flow.id.value, &project.configuration.off).as_str()
}

fn trigger(source: &TriggerSource) -> String {
    match source {
        TriggerSource::Manual => "manual".to_owned(),
        TriggerSource::Schedule => "schedule".to_owned(),
        TriggerSource::Http => "http".to_owned(),
        TriggerSource::Call => "call".to_owned(),
        TriggerSource::Connector(name) => name.to_string(),
    }
}
