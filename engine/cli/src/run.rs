//! `cosell run`: one flow, once, to its end.

use std::path::{Path, PathBuf};

use clap::Args;
use cosell_model::flow::ValueType;
use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::core::entry;
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::Observer;
use cosell_sdk::Connector;
use serde_json::Map;

use crate::project::{Chosen, Project};
use crate::render::run::{Machines, People};
use crate::{Ending, Trouble};

/// What to run, and with what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The flow.
    flow: String,
    /// A JSON file with what the trigger brings.
    #[arg(long, value_name = "FILE", conflicts_with = "inputs")]
    event: Option<PathBuf>,
    /// Also where the event would not start the flow by itself, because of the `when` of its trigger.
    #[arg(long, requires = "event")]
    anyway: bool,
    /// An input of a flow that is called or started by hand; may be given several times.
    #[arg(long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Runs the flow; it fails where the run does not succeed.
pub(crate) async fn run(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    let flow = FlowId::new(options.flow.as_str());
    let engine = project.engine(std::slice::from_ref(&flow), false, connectors)?;
    let trigger = options.event.as_deref().map_or(Ok(Value::Null), event)?;
    if options.event.is_some()
        && !options.anyway
        && let Some(why) = unwanted(&engine, &flow, &trigger)
    {
        return Err(Trouble::new(format!("{why}, so nothing was run\nhelp: `--anyway` runs the flow all the same")));
    }
    let inputs = Value::Object(inputs(&options.inputs, &kinds(&engine, &flow))?);
    let start = Start { trigger, inputs, ..Start::default() };
    let (people, machines) = (People, Machines::default());
    let observer: &dyn Observer = if options.json { &machines } else { &people };
    let run = engine.run(&flow, start, observer).await;
    if let (Some(failure), false) = (&run.failure, options.json) {
        let step = failure.step.as_ref().map_or(String::new(), |step| format!("step `{step}`: "));
        anstream::eprintln!("error: {step}{failure}");
    }
    Ok(if run.outcome == Outcome::Succeeded { Ending::Done } else { Ending::Failed })
}

/// Why an event would not start a flow by itself; none where it would.
pub(crate) fn unwanted(engine: &Engine, flow: &FlowId, trigger: &Value) -> Option<String> {
    match entry::is_wanted(engine.plan(flow)?, trigger) {
        Ok(true) => None,
        Ok(false) => {
            Some(format!("the event would not start `{flow}`: the `when` of its trigger does not hold for it"))
        }
        Err(failure) => Some(format!(
            "the event would not start `{flow}`: whether the `when` of its trigger holds cannot be computed: {}",
            failure.message
        )),
    }
}

/// What the trigger brings, from a file.
pub(crate) fn event(path: &Path) -> Result<Value, Trouble> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Trouble::new(format!("the event `{}` cannot be read: {error}", path.display())))?;
    serde_json::from_str(&text).map_err(|error| {
        Trouble::new(format!("the event {}:{}:{} is not JSON: {error}", path.display(), error.line(), error.column()))
    })
}

/// The inputs that a flow declares, with their types.
pub(crate) fn kinds(engine: &Engine, flow: &FlowId) -> Vec<(String, ValueType)> {
    let inputs = engine.plan(flow).into_iter().flat_map(|plan| &plan.trigger.inputs);
    inputs.map(|input| (input.name.clone(), input.kind)).collect()
}

/// `name=value`; the value is read as the declared type wants it: text as it stands, the rest as JSON.
pub(crate) fn inputs(given: &[String], kinds: &[(String, ValueType)]) -> Result<Map<String, Value>, Trouble> {
    let mut inputs = Map::new();
    for pair in given {
        let (name, text) = pair
            .split_once('=')
            .ok_or_else(|| Trouble::new(format!("`--input {pair}` is not of the form name=value")))?;
        let kind = kinds.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        let kind = kind.unwrap_or(ValueType::Any);
        let value = kind.parse(text).map_err(|error| {
            Trouble::new(format!("input `{name}` is {}, and `{text}` is not: {error}", kind.as_str()))
        })?;
        inputs.insert(name.to_owned(), value);
    }
    Ok(inputs)
}
