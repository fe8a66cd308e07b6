//! What a command works on: the shipped flows, the user's own, the configuration, the connections.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cosell_compile::configuration::{self, Configuration};
use cosell_compile::plan::{Action, Plan};
use cosell_compile::source::{Layer, SourceFile, Sources};
use cosell_compile::{Compilation, compile, did_you_mean};
use cosell_model::{Catalogue, Diagnostic, FlowId, Severity, Value};
use cosell_runtime::memory::Engine;
use cosell_sdk::{Connection, Connector, settings};
use rust_embed::RustEmbed;
use serde_json::json;

use crate::Trouble;
use crate::render::{diagnostic, marked};

/// The flows, mappings and variables that come with the program.
#[derive(RustEmbed)]
#[folder = "../../flows"]
#[include = "*.yaml"]
struct Shipped;

/// The connection that is there also where none is configured, and its connector.
const STATE: &str = "state";

/// Everything a command works on, compiled.
pub(crate) struct Project {
    pub(crate) compilation: Compilation,
    configuration: Configuration,
    configuration_sources: Sources,
    base: PathBuf,
}

impl Project {
    /// Loads the configuration at `path` (none there is an empty one), the shipped flows, the user's own, and `more` files.
    ///
    /// # Errors
    /// What cannot be read at all. What is wrong inside flows is in the compilation.
    pub(crate) fn load(path: &Path, more: &[PathBuf], connectors: &[Connector]) -> Result<Self, Trouble> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && path == Path::new("cosell.yaml") => {
                String::new()
            }
            Err(error) => {
                return Err(Trouble::new(format!("the configuration `{}` cannot be read: {error}", path.display())));
            }
        };
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut files = shipped();
        let (configuration, findings, configuration_sources) =
            configuration::read(SourceFile { path: path.display().to_string(), text, layer: Layer::Own });
        if !findings.is_empty() {
            return Err(Trouble::Findings(diagnostic::all(&findings, &configuration_sources)));
        }
        for folder in &configuration.flows {
            own(&base.join(folder), &mut files)?;
        }
        for file in more {
            files.push(read(file)?);
        }
        Self::of(files, configuration, configuration_sources, base, connectors)
    }

    /// The shipped flows with settings made by the program itself.
    pub(crate) fn shipped_with(
        connections: BTreeMap<String, Value>,
        connectors: &[Connector],
    ) -> Result<Self, Trouble> {
        let text = json!({ "connections": connections }).to_string();
        // JSON is YAML.
        let (configuration, findings, sources) =
            configuration::read(SourceFile { path: "the demo's settings".to_owned(), text, layer: Layer::Own });
        if !findings.is_empty() {
            return Err(Trouble::Findings(diagnostic::all(&findings, &sources)));
        }
        Self::of(shipped(), configuration, sources, PathBuf::new(), connectors)
    }

    fn of(
        files: Vec<SourceFile>,
        configuration: Configuration,
        configuration_sources: Sources,
        base: PathBuf,
        connectors: &[Connector],
    ) -> Result<Self, Trouble> {
        let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
        let values = configuration.variables.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
        let compilation = compile(files, &catalogue, &values);
        let wrong: Vec<Diagnostic> = compilation
            .settings
            .iter()
            .filter_map(|error| {
                let (_, span) = configuration.variables.get(&error.name)?;
                Some(Diagnostic::error("wrong-variable", error.message.clone(), *span, "this value"))
            })
            .collect();
        if !wrong.is_empty() {
            return Err(Trouble::Findings(diagnostic::all(&wrong, &configuration_sources)));
        }
        Ok(Self { compilation, configuration, configuration_sources, base })
    }

    /// The compilation's errors as one text; none where there are none.
    pub(crate) fn errors(&self) -> Option<String> {
        let errors: Vec<Diagnostic> = self
            .compilation
            .diagnostics
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .cloned()
            .collect();
        (!errors.is_empty()).then(|| diagnostic::all(&errors, &self.compilation.sources))
    }

    /// An engine that can run `flows` and everything they call, with the connections that these need; those that only
    /// their triggers need are opened where `listening` says so.
    ///
    /// # Errors
    /// A connection that is not configured, or whose settings are wrong.
    pub(crate) fn engine(
        &self,
        flows: &[FlowId],
        listening: bool,
        connectors: &[Connector],
    ) -> Result<Engine, Trouble> {
        let plans = self.reachable(flows)?;
        let connections_of = |plan: &Arc<Plan>| {
            let trigger = plan.trigger.connection.clone().filter(|_| listening);
            trigger.into_iter().chain(connections_called(plan)).collect::<Vec<_>>()
        };
        let mut connections = BTreeMap::new();
        let mut wrong = Vec::new();
        for name in plans.values().flat_map(connections_of).collect::<BTreeSet<_>>() {
            match self.open(&name, connectors) {
                Ok(connection) => drop(connections.insert(name, connection)),
                Err(trouble) => wrong.push(trouble.text()),
            }
        }
        if !wrong.is_empty() {
            return Err(Trouble::Findings(wrong.join("\n\n")));
        }
        let retry = self.configuration.retry.clone().unwrap_or_default();
        Ok(Engine::new(plans, connections, retry))
    }

    fn reachable(&self, flows: &[FlowId]) -> Result<BTreeMap<FlowId, Arc<Plan>>, Trouble> {
        let mut plans = BTreeMap::new();
        let mut wanted: Vec<FlowId> = flows.to_vec();
        while let Some(id) = wanted.pop() {
            if plans.contains_key(&id) {
                continue;
            }
            let Some(plan) = self.compilation.plans.get(&id) else {
                return Err(match self.errors() {
                    Some(errors) if self.compilation.order.contains(&id) => Trouble::Findings(errors),
                    _ => {
                        let known: Vec<String> = self.compilation.plans.keys().map(|id| format!("  {id}")).collect();
                        let near = did_you_mean(id.as_str(), self.compilation.plans.keys().map(FlowId::as_str));
                        let help = near.map_or(String::new(), |near| format!("\nhelp: {near}"));
                        Trouble::new(format!("there is no flow `{id}`; there are\n{}{help}", known.join("\n")))
                    }
                });
            };
            wanted.extend(plan.calls().cloned());
            plans.insert(id, Arc::clone(plan));
        }
        Ok(plans)
    }

    /// Where the program keeps a file of its own, beside the configuration.
    pub(crate) fn kept(&self, file: &str) -> PathBuf {
        self.base.join(".cosell").join(file)
    }

    fn open(&self, name: &str, connectors: &[Connector]) -> Result<Connection, Trouble> {
        let entry = self.configuration.connections.get(name);
        // What flows keep, unless the configuration has a connection of that name.
        if let (None, STATE, Some(state)) = (entry, name, connector_of(STATE, connectors)) {
            return state
                .open(json!({ "file": self.kept("state.jsonl") }))
                .map_err(|error| Trouble::new(error.message));
        }
        let Some(entry) = entry else {
            return Err(Trouble::new(format!(
                "no connection {} is configured, and the flow needs it\nhelp: add it under `connections` in the configuration",
                marked(name)
            )));
        };
        let wrong = |message: String| {
            let finding = Diagnostic::error("wrong-connection", message, entry.span, "this connection");
            Trouble::Findings(diagnostic::all(&[finding], &self.configuration_sources))
        };
        let connector = connector_of(&entry.connector, connectors).ok_or_else(|| {
            let known: Vec<&str> = connectors.iter().map(|connector| connector.description().name.as_str()).collect();
            wrong(format!("there is no connector `{}`; there are {}", entry.connector, known.join(", ")))
        })?;
        let environment = |name: &str| std::env::var(name).ok();
        let mut settings = settings::resolve(entry.settings.clone(), &self.base, &environment)
            .map_err(|error| wrong(format!("connection `{name}`: {}", error.message)))?;
        if let (STATE, Some(file)) = (&*entry.connector, settings.get("file").and_then(Value::as_str)) {
            settings["file"] = json!(self.base.join(file));
        }
        connector.open(settings).map_err(|error| wrong(format!("connection `{name}`: {}", error.message)))
    }
}

fn connector_of<'c>(name: &str, connectors: &'c [Connector]) -> Option<&'c Connector> {
    connectors.iter().find(|connector| connector.description().name == name)
}

fn connections_called(plan: &Plan) -> impl Iterator<Item = String> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::Operation { connection, .. } => Some(connection.clone()),
        _ => None,
    })
}

fn shipped() -> Vec<SourceFile> {
    let mut names: Vec<_> = Shipped::iter().collect();
    names.sort_unstable();
    names
        .into_iter()
        .filter_map(|name| {
            let text = String::from_utf8(Shipped::get(&name)?.data.into_owned()).ok()?;
            Some(SourceFile { path: format!("flows/{name}"), text, layer: Layer::Shipped })
        })
        .collect()
}

/// All YAML files in a folder and below it, by name.
fn own(folder: &Path, files: &mut Vec<SourceFile>) -> Result<(), Trouble> {
    let unreadable =
        |error: std::io::Error| Trouble::new(format!("the folder `{}` cannot be read: {error}", folder.display()));
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(unreadable)?;
    entries.sort_unstable();
    for entry in entries {
        if entry.is_dir() {
            own(&entry, files)?;
        } else if entry.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(read(&entry)?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<SourceFile, Trouble> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Trouble::new(format!("the file `{}` cannot be read: {error}", path.display())))?;
    Ok(SourceFile { path: path.display().to_string(), text, layer: Layer::Own })
}
