//! `cosell doctor`: is everything there that the flows need? It only reads.
//!
//! [`finding`] is what it says; [`connections`] asks each connection, [`tables`] the CRM's tables and columns, [`machine`]
//! looks at this machine.

mod connections;
mod finding;
mod machine;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::Args;
use cosell_compile::plan::{Action, Plan};
use cosell_model::Severity;
use cosell_sdk::Connector;
use serde_json::Value;

use crate::project::{Chosen, Project};
use crate::{Ending, Trouble};
use finding::{Finding, Level, show};

/// How to say it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// One JSON array.
    #[arg(long)]
    json: bool,
}

/// Looks at everything; errors make it fail.
pub(crate) async fn doctor(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    let mut findings = vec![configuration(&project)];
    let needs = Needs::of(&project);
    for name in &needs.connections {
        let connector = project.configuration.connections.get(name).map_or(name.as_str(), |entry| &entry.connector);
        let (opened, found) = connections::look(&project, name, connector, connectors).await;
        findings.extend(found);
        if let (Some(connection), "dataverse") = (opened, connector) {
            findings.extend(tables::look(&project, name, &connection, &needs).await);
        }
    }
    findings.extend(machine::look(&project));

    let is_wrong = findings.iter().any(|finding| finding.level == Level::Error);
    if options.json {
        let all: Vec<Value> = findings.iter().map(Finding::for_machines).collect();
        anstream::println!("{:#}", Value::Array(all));
    } else {
        show(&findings);
    }
    Ok(if is_wrong { Ending::Failed } else { Ending::Done })
}

fn configuration(project: &Project) -> Finding {
    let compilation = &project.compilation;
    let errors = compilation.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let counted = format!("{} flows, {} of them off", compilation.order.len(), project.configuration.off.len());
    if errors == 0 {
        return Finding::ok("flows", "configuration", counted);
    }
    Finding::error("flows", "configuration", format!("{counted}; {errors} errors"))
        .remedy("`cosell check` shows them, with file, line and column")
}

/// What the flows that are on need.
struct Needs {
    /// Connections, by name; also those that are configured and not needed.
    connections: BTreeSet<String>,
    /// Tables, by the connection that knows them.
    tables: BTreeMap<String, BTreeSet<String>>,
    /// Tables whose changes start flows, likewise.
    tracked: BTreeMap<String, BTreeSet<String>>,
}

impl Needs {
    fn of(project: &Project) -> Self {
        let mut needs = Self {
            connections: project.configuration.connections.keys().cloned().collect(),
            tables: BTreeMap::new(),
            tracked: BTreeMap::new(),
        };
        let is_on = |plan: &&Arc<Plan>| project.off(&plan.flow).is_none();
        for plan in project.compilation.plans.values().filter(is_on) {
            for source in &plan.trigger.sources {
                needs.connections.insert(source.connection.clone());
                if let Some(table) = source.with["table"].as_str() {
                    needs.tracked.entry(source.connection.clone()).or_default().insert(table.to_owned());
                }
            }
            for step in &plan.steps {
                let Action::Operation { connection, input, .. } = &step.action else { continue };
                needs.connections.insert(connection.clone());
                needs.tables.entry(connection.clone()).or_default().extend(tables::named(input));
            }
        }
        needs
    }
}
