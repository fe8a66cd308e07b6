//! What a command works on: the shipped flows, the user's own, the configuration, the connections.
//!
//! [`files`] are its files; [`dotenv`] the secrets beside it; [`draft`] the same while files are being written; [`version`] what its flows are compiled from, for later; this
//! file puts it all together.

mod dotenv;
pub(crate) mod draft;
pub(crate) mod files;
pub(crate) mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use cosell_compile::configuration::{self, Configuration, ConnectionEntry, Setting, off};
use cosell_compile::plan::{Action, Plan};
use cosell_compile::source::{Layer, SourceFile, Sources};
use cosell_compile::{Compilation, compile, did_you_mean, variables};
use cosell_console::Facts;
use cosell_model::catalogue::Limits;
use cosell_model::flow::Retry;
use cosell_model::span::FileId;
use cosell_model::{Catalogue, Diagnostic, FlowId, Severity, Span, Value};
use cosell_runtime::memory::Engine;
use cosell_sdk::settings::Secret;
use cosell_sdk::{CallError, Connection, Connector, settings};
use serde_json::json;

use crate::Trouble;
use crate::render::{diagnostic, marked};

/// Which configuration a command works with.
#[derive(Args, Debug)]
pub(crate) struct Chosen {
    /// The configuration to use.
    #[arg(long, global = true, value_name = "FILE", default_value = "cosell.yaml")]
    pub(crate) config: PathBuf,
    /// The environment to use, of those in the configuration.
    #[arg(long, global = true, value_name = "NAME", env = "COSELL_ENVIRONMENT")]
    pub(crate) environment: Option<String>,
}

/// The connection that is there also where none is configured, and its connector.
const STATE: &str = "state";

/// The environment variable that holds the key with which sign-ins are encrypted.
const TOKEN_KEY: &str = "COSELL_TOKEN_KEY";

/// Everything a command works on, compiled.
pub(crate) struct Project {
    pub(crate) compilation: Arc<Compilation>,
    /// What it was compiled against.
    pub(crate) catalogue: Catalogue,
    pub(crate) configuration: Arc<Configuration>,
    configuration_sources: Arc<Sources>,
    base: PathBuf,
    environment: dotenv::Variables,
    /// Whether connections are to stand-ins, whose sign-ins must not take the place of people's own.
    stands_in: bool,
}

impl Project {
    /// Loads the chosen configuration (none there is an empty one), the shipped flows, the user's own, and `more` files.
    ///
    /// # Errors
    /// What cannot be read at all. What is wrong inside flows is in the compilation.
    pub(crate) fn load(chosen: &Chosen, more: &[PathBuf], connectors: &[Connector]) -> Result<Self, Trouble> {
        let path = chosen.config.as_path();
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
        let environment = dotenv::Variables::beside(&base)?;
        let named = chosen.environment.clone().or_else(|| environment.get("COSELL_ENVIRONMENT"));
        let mut files = files::shipped();
        let file = SourceFile { path: path.display().to_string(), text, layer: Layer::Own };
        let (configuration, findings, configuration_sources) = configuration::read(file, named.as_deref());
        if !findings.is_empty() {
            return Err(Trouble::Findings(diagnostic::all(&findings, &configuration_sources)));
        }
        for folder in &configuration.flows {
            files::own(&base.join(folder), &mut files)?;
        }
        for file in more {
            files.push(files::read(file)?);
        }
        let project = Self::of(files, configuration, configuration_sources, connectors)?;
        Ok(Self { base, environment, ..project })
    }

    /// The shipped flows with connections to stand-ins.
    pub(crate) fn shipped_with(
        connections: BTreeMap<String, Value>,
        connectors: &[Connector],
    ) -> Result<Self, Trouble> {
        let text = json!({ "connections": connections }).to_string();
        // JSON is YAML.
        let (configuration, findings, sources) =
            configuration::read(SourceFile { path: "the demo's settings".to_owned(), text, layer: Layer::Own }, None);
        if !findings.is_empty() {
            return Err(Trouble::Findings(diagnostic::all(&findings, &sources)));
        }
        let project = Self::of(files::shipped(), configuration, sources, connectors)?;
        Ok(Self { stands_in: true, ..project })
    }

    /// The same project, with connections to stand-ins in the place of those that are configured.
    pub(crate) fn connected(mut self, connections: BTreeMap<String, Value>) -> Self {
        let entry = |(name, settings): (String, Value)| {
            let (connector, limits, span) = (name.clone(), Limits::default(), Span::new(FileId(0), 0, 0));
            (name, ConnectionEntry { connector, settings, limits, span })
        };
        let connections = connections.into_iter().map(entry).collect();
        self.configuration = Arc::new(Configuration { connections, ..(*self.configuration).clone() });
        self.stands_in = true;
        self
    }

    /// The same files compiled once more, with these values of variables over the configuration's.
    pub(crate) fn compiled_with(&self, values: &BTreeMap<String, Value>, connectors: &[Connector]) -> Compilation {
        let files = self.compilation.sources.iter().map(|(_, file)| file.clone()).collect();
        let set = self.configuration.variables.iter().map(|(name, set)| (name.clone(), set.value.clone()));
        let values = set.chain(values.clone()).collect();
        compile(files, &catalogue(connectors), &values)
    }

    fn of(
        files: Vec<SourceFile>,
        configuration: Configuration,
        configuration_sources: Sources,
        connectors: &[Connector],
    ) -> Result<Self, Trouble> {
        let values = configuration.variables.iter().map(|(name, set)| (name.clone(), set.value.clone())).collect();
        let catalogue = catalogue(connectors);
        let compilation = compile(files, &catalogue, &values);
        let wrong = wrong_settings(&configuration, &compilation);
        if !wrong.is_empty() {
            return Err(Trouble::Findings(diagnostic::all(&wrong, &configuration_sources)));
        }
        let (base, environment) = (PathBuf::new(), dotenv::Variables::default());
        let (compilation, configuration) = (Arc::new(compilation), Arc::new(configuration));
        let configuration_sources = Arc::new(configuration_sources);
        Ok(Self { compilation, catalogue, configuration, configuration_sources, base, environment, stands_in: false })
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
    /// their triggers need are opened where `listening` says so. One that listens waits for services that are down.
    ///
    /// # Errors
    /// A flow that is off; a connection that is not configured, or whose settings are wrong.
    pub(crate) fn engine(
        &self,
        flows: &[FlowId],
        listening: bool,
        connectors: &[Connector],
    ) -> Result<Engine, Trouble> {
        let plans = self.runnable(flows)?;
        let connections_of = |plan: &Arc<Plan>| {
            let sources = plan.trigger.sources.iter().filter(|_| listening);
            let called = connections_called(plan).map(|(name, _)| name.clone());
            sources.map(|source| source.connection.clone()).chain(called).collect::<Vec<_>>()
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
        let engine = Engine::new(plans, connections, self.retry());
        Ok(if listening { engine.patient() } else { engine })
    }

    /// What the console shows of it.
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            compilation: Arc::clone(&self.compilation),
            configuration: Arc::clone(&self.configuration),
            sources: Arc::clone(&self.configuration_sources),
        }
    }

    /// An engine that can run `flows` and everything they call, over whose connections nobody can be reached.
    ///
    /// # Errors
    /// A flow that is off.
    pub(crate) fn offline(&self, flows: &[FlowId], connectors: &[Connector]) -> Result<Engine, Trouble> {
        let plans = self.runnable(flows)?;
        let connections = unreachable(&plans, connectors)?;
        Ok(Engine::new(plans, connections, self.retry()))
    }

    /// The plans of `flows` and of everything they call.
    fn runnable(&self, flows: &[FlowId]) -> Result<BTreeMap<FlowId, Arc<Plan>>, Trouble> {
        if let Some((flow, place)) = flows.iter().find_map(|flow| Some((flow, self.off(flow)?))) {
            let finding = Diagnostic::error("flow-off", format!("flow `{flow}` is off"), place, "turned off here")
                .help("turn it on by taking it out of `off`");
            return Err(Trouble::Findings(diagnostic::all(&[finding], &self.configuration_sources)));
        }
        self.reachable(flows)
    }

    /// Where a flow is turned off; none where it is on.
    pub(crate) fn off(&self, flow: &FlowId) -> Option<Span> {
        self.configuration.off.get(flow.as_str()).copied()
    }

    /// A path that the configuration names, which is relative to it.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.base.join(relative)
    }

    /// Where the configuration sets a variable, as `file:line`; none where it leaves the default.
    pub(crate) fn set_at(&self, variable: &str) -> Option<String> {
        let set = self.configuration.variables.get(variable)?;
        let (line, _) = self.configuration_sources.line_column(set.span);
        Some(format!("{}:{line}", self.configuration_sources.file(set.span.file).path))
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

    /// Where the program keeps a file of its own, beside the configuration; each environment has its own.
    pub(crate) fn kept(&self, file: &str) -> PathBuf {
        let folder = self.base.join(".cosell");
        match &self.configuration.environment {
            Some(environment) => folder.join(environment).join(file),
            None => folder.join(file),
        }
    }

    /// How failed attempts are repeated.
    pub(crate) fn retry(&self) -> Retry {
        self.configuration.retry.clone().unwrap_or_default()
    }

    /// Opens a connection by its name.
    ///
    /// # Errors
    /// One that is not configured, or whose settings are wrong.
    pub(crate) fn open(&self, name: &str, connectors: &[Connector]) -> Result<Connection, Trouble> {
        let entry = self.configuration.connections.get(name);
        // What flows keep, unless the configuration has a connection of that name.
        if let (None, STATE, Some(state)) = (entry, name, connector_of(STATE, connectors)) {
            return state
                .open(json!({ "file": self.kept("state.jsonl") }))
                .map_err(|error| Trouble::new(error.message));
        }
        let Some(entry) = entry else {
            return Err(Trouble::new(format!(
                "no connection {} is configured, and it is needed\nhelp: add it under `connections` in the configuration",
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
        let environment = |name: &str| self.environment.get(name);
        let mut settings = settings::resolve(entry.settings.clone(), &self.base, &environment)
            .map_err(|error| wrong(format!("connection `{name}`: {}", error.message)))?;
        if let (STATE, Some(file)) = (&*entry.connector, settings.get("file").and_then(Value::as_str)) {
            settings["file"] = json!(self.base.join(file));
        }
        self.keep_sign_in(name, &mut settings);
        self.tell_address(name, connector, &mut settings);
        let limits = entry.limits.or(connector.description().limits);
        let open = connector.open(settings).map(|connection| connection.with_limits(limits));
        open.map_err(|error| wrong(format!("connection `{name}`: {}", error.message)))
    }

    /// Tells a connector whose connections have an `endpoint`, the address at which their events come in, where that is if
    /// the configuration does not say.
    fn tell_address(&self, name: &str, connector: &Connector, settings: &mut Value) {
        let known = connector.description().settings.pointer("/properties/endpoint").is_some();
        if let (true, Some(url), Value::Object(settings)) = (known, &self.configuration.service.public_url, settings) {
            settings.entry("endpoint").or_insert_with(|| json!(format!("{url}/hooks/{name}")));
        }
    }

    /// A secret, from where it is kept: `{ env: NAME }` or `{ file: PATH }`.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn secret(&self, place: &Value) -> Result<Secret, CallError> {
        let environment = |name: &str| self.environment.get(name);
        let found = settings::resolve(json!({ "secret": place }), &self.base, &environment)?;
        Ok(Secret::from(found["secret"].as_str().unwrap_or_default().to_owned()))
    }

    /// What whoever looks at runs or changes them must show; none where nobody may.
    ///
    /// # Errors
    /// It is not where the configuration says that it is kept, or it is empty.
    pub(crate) fn token(&self) -> Result<Option<Secret>, Trouble> {
        let Some(place) = &self.configuration.service.token else { return Ok(None) };
        let token =
            self.secret(place).map_err(|error| Trouble::new(format!("`token` under `service`: {}", error.message)))?;
        if token.matches("") {
            return Err(Trouble::new("`token` under `service` is empty: set it to a long random text"));
        }
        Ok(Some(token))
    }

    /// Where a connection acts for a person, says where that one's sign-in is kept, and how it is encrypted.
    fn keep_sign_in(&self, name: &str, settings: &mut Value) {
        let Some(Value::Object(sign_in)) = settings.get_mut("sign_in").filter(|_| !self.stands_in) else { return };
        if sign_in.get("person") != Some(&json!(true)) && !sign_in.contains_key("refresh_token") {
            return;
        }
        let file = match sign_in.get("token_file").and_then(Value::as_str) {
            Some(file) => self.base.join(file),
            None => self.kept("tokens").join(format!("{name}.json")),
        };
        sign_in.insert("token_file".to_owned(), json!(file));
        if let (false, Some(key)) = (sign_in.contains_key("token_key"), self.environment.get(TOKEN_KEY)) {
            sign_in.insert("token_key".to_owned(), json!(key));
        }
    }
}

fn catalogue(connectors: &[Connector]) -> Catalogue {
    Catalogue::new(connectors.iter().map(|connector| connector.description().clone()))
}

fn connector_of<'c>(name: &str, connectors: &'c [Connector]) -> Option<&'c Connector> {
    connectors.iter().find(|connector| connector.description().name == name)
}

/// The connections that a flow's steps call, each with its connector.
fn connections_called(plan: &Plan) -> impl Iterator<Item = (&String, &str)> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::Operation { connection, operation, .. } => Some((connection, &*operation.connector)),
        _ => None,
    })
}

/// Connections by name for all that these flows call, over which nobody can be reached.
///
/// # Errors
/// A connector that says wrongly how it is opened so.
pub(crate) fn unreachable(
    plans: &BTreeMap<FlowId, Arc<Plan>>,
    connectors: &[Connector],
) -> Result<BTreeMap<String, Connection>, Trouble> {
    let mut connections = BTreeMap::new();
    for (name, connector) in plans.values().flat_map(|plan| connections_called(plan)) {
        if let Some(connector) = connector_of(connector, connectors) {
            let open = connector.offline().map_err(|error| Trouble::new(error.message))?;
            connections.insert(name.clone(), open);
        }
    }
    Ok(connections)
}

/// What is wrong with values of variables, in whichever environment, and with turning flows off.
fn wrong_settings(configuration: &Configuration, compilation: &Compilation) -> Vec<Diagnostic> {
    let elsewhere = configuration.elsewhere.iter().map(|(name, set)| (name, set));
    let mut wrong: Vec<Diagnostic> = configuration
        .variables
        .iter()
        .chain(elsewhere)
        .filter_map(|(name, set)| wrong_variable(compilation, name, set))
        .chain(off::check(&configuration.off, &compilation.flows))
        .collect();
    wrong.sort_by_key(|finding| finding.primary.span);
    wrong.dedup();
    wrong
}

/// What is wrong with setting the variable `name`, at the place where it is set.
fn wrong_variable(compilation: &Compilation, name: &str, set: &Setting) -> Option<Diagnostic> {
    let error = variables::refuse(&compilation.variables, name, &set.value)?;
    let declared = compilation.variables.get(name).map(|variable| {
        let (line, _) = compilation.sources.line_column(variable.declared);
        let file = &compilation.sources.file(variable.declared.file).path;
        format!("{file}:{line} declares it as `{}`; its default is {}", variable.kind.as_str(), variable.default)
    });
    let finding = Diagnostic::error("wrong-variable", error.message, set.span, "this value");
    Some(finding.maybe_help(declared.or(error.help)))
}
