//! `cosell webhooks`: the registration by which Partner Center sends its events here.

use clap::{Args, Subcommand};
use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::memory::Start;
use cosell_runtime::record::Observer;
use cosell_sdk::{CallContext, CallError, Connection, Connector};
use serde_json::json;
use uuid::Uuid;

use crate::project::{Chosen, Project};
use crate::render::run::{Machines, People};
use crate::render::{BAD, GOOD, styled};
use crate::{Ending, Trouble};

/// The connection that is used.
pub(crate) const CONNECTION: &str = "partner_center_events";
/// The flow that registers.
const FLOW: &str = "partner-center-webhook-registration";
/// The event that a test sends.
const TEST: &str = "test-created";

/// What to do about the registration.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Have Partner Center send its events to this service.
    Register(Register),
    /// Show where Partner Center sends its events; it fails where that is not here.
    Show(Show),
    /// Have a test event sent, and wait until it has come.
    Test(Test),
}

/// What to register.
#[derive(Debug, Args)]
pub(crate) struct Register {
    /// The address that gets the events, by https; the one below the configuration's `public_url` when not given.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Take the place of another address: a tenant has one only.
    #[arg(long)]
    overwrite: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// How to show it.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// How to test it.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// How many seconds to wait for it, up to 300.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u16).range(0..=300))]
    wait: u16,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Registers, shows or tests.
pub(crate) async fn webhooks(chosen: &Chosen, command: &Command, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    let connection = project.open(CONNECTION, connectors)?;
    let done = match command {
        Command::Register(options) => return register(&project, &connection, options, connectors).await,
        Command::Show(options) => show(&connection, options).await,
        Command::Test(options) => test(&connection, options).await,
    };
    Ok(done.unwrap_or_else(failed))
}

fn failed(error: CallError) -> Ending {
    anstream::eprintln!("{}: {}", styled(BAD, "error"), error.message);
    Ending::Failed
}

async fn call(connection: &Connection, operation: &str, input: Value) -> Result<Value, CallError> {
    connection.call(operation, input, CallContext::new(Uuid::now_v7(), false)).await
}

async fn register(
    project: &Project,
    connection: &Connection,
    options: &Register,
    connectors: &[Connector],
) -> Result<Ending, Trouble> {
    let endpoint = match &options.endpoint {
        Some(endpoint) => json!(endpoint),
        None => match call(connection, "view_registration", json!({})).await {
            Ok(view) => view["endpoint"].clone(),
            Err(error) => return Ok(failed(error)),
        },
    };
    if endpoint.is_null() {
        return Err(Trouble::new(
            "no address to register\nhelp: give `--endpoint`, or set `public_url` under `service` in the configuration",
        ));
    }
    let flow = FlowId::new(FLOW);
    let engine = project.engine(std::slice::from_ref(&flow), false, connectors)?;
    let mut inputs = json!({ "endpoint": endpoint, "overwrite": options.overwrite });
    let declared = engine.plan(&flow).into_iter().flat_map(|plan| &plan.trigger.inputs);
    for input in declared {
        if let (Some(default), None) = (&input.default, inputs.get(&input.name)) {
            inputs[&input.name] = default.clone();
        }
    }
    let (people, machines) = (People, Machines::default());
    let observer: &dyn Observer = if options.json { &machines } else { &people };
    let run = engine.run(&flow, Start { trigger: Value::Null, inputs, ..Start::default() }, observer).await;
    if let (Some(failure), false) = (&run.failure, options.json) {
        anstream::eprintln!("{}: {failure}", styled(BAD, "error"));
    }
    Ok(if run.outcome == Outcome::Succeeded { Ending::Done } else { Ending::Failed })
}

async fn show(connection: &Connection, options: &Show) -> Result<Ending, CallError> {
    let view = call(connection, "view_registration", json!({})).await?;
    let wrong = drift(&view);
    if options.json {
        anstream::println!("{view:#}");
    } else {
        if let Some(url) = view["url"].as_str() {
            anstream::println!("{url}\n  {}", names(&view["events"]));
        }
        match &wrong {
            Some((what, help)) => anstream::println!("{} {what}\nhelp: {help}", styled(BAD, "✗")),
            None if view["ours"].is_null() => {
                anstream::println!(
                    "whether that is here cannot be told: the configuration has no `public_url` under `service`"
                );
            }
            None => anstream::println!("{} the events come here", styled(GOOD, "✓")),
        }
    }
    Ok(if wrong.is_none() { Ending::Done } else { Ending::Failed })
}

/// In what the registration differs from what this service needs, and what to do.
pub(crate) fn drift(view: &Value) -> Option<(String, String)> {
    if view["registered"] == false {
        let help = "register by `cosell webhooks register`".to_owned();
        return Some(("nothing is registered: no event comes".to_owned(), help));
    }
    if view["ours"] == false {
        let (url, endpoint) = (view["url"].as_str().unwrap_or_default(), view["endpoint"].as_str().unwrap_or_default());
        return Some((
            format!("the events go to `{url}`, not to `{endpoint}`"),
            "take them back by `cosell webhooks register --overwrite`; the other address then gets none any more"
                .to_owned(),
        ));
    }
    let missing = view["missing_events"].as_array().is_some_and(|missing| !missing.is_empty());
    missing.then(|| {
        let help = "add them by `cosell webhooks register`".to_owned();
        (format!("these events are not registered: {}", names(&view["missing_events"])), help)
    })
}

fn names(events: &Value) -> String {
    let names: Vec<&str> = events.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.join(", ")
}

async fn test(connection: &Connection, options: &Test) -> Result<Ending, CallError> {
    let view = call(connection, "view_registration", json!({})).await?;
    let takes_tests = view["events"].as_array().is_some_and(|events| events.iter().any(|event| event == TEST));
    let mut added = false;
    if let (Some(url), false) = (view["url"].as_str(), takes_tests) {
        call(connection, "register", json!({ "url": url, "events": [TEST] })).await?;
        added = true;
        if !options.json {
            anstream::println!("`{TEST}` was added to the registered events: without it no test event is sent");
        }
    }
    let validation = call(connection, "request_validation_event", json!({ "wait": options.wait })).await?;
    let attempts = validation["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    let came = attempts.iter().any(|attempt| attempt["response_code"] == "OK");
    if options.json {
        anstream::println!("{}", json!({ "came": came, "registration_changed": added, "validation": validation }));
    } else {
        for attempt in attempts {
            let text = |member: &str| attempt[member].as_str().unwrap_or_default().to_owned();
            let said = format!("  {}  {} {}", text("at"), text("response_code"), text("message"));
            anstream::println!("{}", said.trim_end());
        }
        let url = validation["url"].as_str().or(view["url"].as_str()).unwrap_or_default();
        if came {
            anstream::println!("{} the test event came to {url}", styled(GOOD, "✓"));
        } else {
            anstream::println!(
                "{} the test event has not come to {url}\nhelp: is the service running there, and reachable from the internet \
                 by that address?",
                styled(BAD, "✗")
            );
        }
    }
    Ok(if came { Ending::Done } else { Ending::Failed })
}
