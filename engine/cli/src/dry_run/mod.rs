//! `cosell dry-run`: what a run would do. Reads are real, writes are predicted, and nothing is changed anywhere.
//!
//! This file runs, against connections or from what was recorded; `event` is where the event comes from; `people` and
//! `markdown` show what was found.

mod event;
mod markdown;
mod people;

use std::path::{Path, PathBuf};

use clap::Args;
use cosell_model::{FlowId, Outcome};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::preview::{Preview, Watching};
use cosell_runtime::recording::Recording;
use cosell_sdk::Connector;

use crate::demo::{self, TwoDeals};
use crate::project::{Chosen, Project};
use crate::{Ending, Trouble, run};

/// What to run, and with what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The flow; with `--run`, `--referral`, `--opportunity`, `--sandbox` or `--recorded` it need not be named.
    #[arg(required_unless_present_any = ["run", "referral", "opportunity", "sandbox", "recorded"])]
    flow: Option<String>,
    #[command(flatten)]
    from: From,
    /// What was recorded: its flow with its event, and nobody is called.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["flow", "source", "inputs", "sandbox"])]
    recorded: Option<PathBuf>,
    /// Everything that was found, as one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// As Markdown, for a ticket or a review.
    #[arg(long)]
    markdown: bool,
}

/// Where the event comes from, and against what it is run.
#[derive(Debug, Args)]
pub(crate) struct From {
    /// A JSON file with what the trigger brings.
    #[arg(long, value_name = "FILE", group = "source")]
    event: Option<PathBuf>,
    /// With what started this run, which the journal has.
    #[arg(long, value_name = "ID", group = "source")]
    run: Option<String>,
    /// As if an event about this referral had come.
    #[arg(long, value_name = "ID", group = "source")]
    referral: Option<String>,
    /// As if this opportunity had been saved.
    #[arg(long, value_name = "ID", group = "source")]
    opportunity: Option<String>,
    /// An input of a flow that is called or started by hand; may be given several times.
    #[arg(long = "input", value_name = "NAME=VALUE", conflicts_with = "source")]
    inputs: Vec<String>,
    /// Against stand-ins on this machine, which have two deals: one that Microsoft shares, and one of the CRM.
    #[arg(long)]
    sandbox: bool,
}

/// A dry run that can begin.
pub(crate) struct Ready {
    pub(crate) engine: Engine,
    pub(crate) flow: FlowId,
    pub(crate) start: Start,
    deals: Option<TwoDeals>,
}

impl Ready {
    /// Against connections or stand-ins; `make` makes a dry engine of one that could write.
    ///
    /// # Errors
    /// An event that cannot be had, a flow or a connection that is not there.
    pub(crate) async fn live(
        chosen: &Chosen,
        flow: Option<&str>,
        from: &From,
        make: impl FnOnce(Engine) -> Engine,
        connectors: &[Connector],
    ) -> Result<Self, Trouble> {
        let project = Project::load(chosen, &[], connectors)?;
        let mut source = event::Source::of(from, &project)?;
        let deals = if from.sandbox { Some(TwoDeals::start().await?) } else { None };
        let project = match &deals {
            Some(deals) => project.connected(demo::connections(deals.sandbox.addresses())),
            None => project,
        };
        if let Some(deals) = &deals {
            source = source.or_of(deals, flow);
        }
        let flow = flow.map_or_else(|| source.flow(), FlowId::new);
        let engine = make(project.engine(std::slice::from_ref(&flow), false, connectors)?);
        let is_event = matches!(source, event::Source::Named(_));
        let start = source.start(&engine, &flow).await?;
        if is_event && let Some(why) = run::unwanted(&engine, &flow, &start.trigger) {
            anstream::eprintln!("note: {why}; what follows is what would happen all the same");
        }
        Ok(Self { engine, flow, start, deals })
    }

    /// From what was recorded. Nobody is called, and no connection need be configured.
    ///
    /// # Errors
    /// A file that is no recording, or a flow that is not there.
    fn recorded(chosen: &Chosen, recording: &Recording, connectors: &[Connector]) -> Result<Self, Trouble> {
        let project = Project::load(chosen, &[], connectors)?;
        let flow = recording.flow.clone();
        let engine = project.offline(std::slice::from_ref(&flow), connectors)?.playing(recording);
        Ok(Self { engine, flow, start: recording.start(), deals: None })
    }

    /// Runs it to its end.
    pub(crate) async fn run(&mut self) -> Preview {
        let watching = Watching::new(&self.engine);
        let run = self.engine.run(&self.flow, self.start.clone(), &watching).await;
        let found = watching.found(run);
        if let Some(deals) = self.deals.take() {
            deals.sandbox.stop().await;
        }
        found
    }
}

/// Runs the flow dry, and shows what it would have done.
pub(crate) async fn dry_run(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let mut ready = match &options.recorded {
        Some(file) => Ready::recorded(chosen, &read(file)?, connectors)?,
        None => Ready::live(chosen, options.flow.as_deref(), &options.from, Engine::dry, connectors).await?,
    };
    let found = ready.run().await;
    if let Some(file) = &options.recorded {
        complete(file, &ready.engine)?;
    }
    if options.json {
        anstream::println!("{:#}", found.to_json());
    } else if options.markdown {
        anstream::print!("{}", markdown::page(&found));
    } else {
        anstream::print!("{}", people::page(&found));
    }
    Ok(ending(&found))
}

fn ending(found: &Preview) -> Ending {
    match found.outcome {
        Outcome::Succeeded if found.changes_anything() => Ending::Changes,
        Outcome::Succeeded => Ending::Done,
        _ => Ending::Failed,
    }
}

/// Reads a recording.
///
/// # Errors
/// Where it is none, and why.
pub(crate) fn read(file: &Path) -> Result<Recording, Trouble> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Trouble::new(format!("the recording `{shown}` cannot be read: {error}")))?;
    Recording::from_text(&text).map_err(|wrong| Trouble::new(format!("{shown}:{wrong}")))
}

/// What is foretold from a recording that lacks something is not what would happen.
fn complete(file: &Path, engine: &Engine) -> Result<(), Trouble> {
    let lacking = engine.lacking();
    if lacking.is_empty() {
        return Ok(());
    }
    let mut text = format!("{} does not have all that this run asks for:", file.display());
    for lacking in lacking {
        let message = lacking.message.replace('\n', "\n    ");
        text += &format!("\n  step `{}` of {}: {message}", lacking.step, lacking.flow);
    }
    Err(Trouble::new(text + "\nhelp: the flow, its variables or the file have changed since; record it again"))
}
