//! `cosell dry-run`: what a run would do. Reads are real, writes are predicted, and nothing is changed anywhere.
//!
//! This file runs; `event` is where the event comes from; `people` and `markdown` show what was found.

mod event;
mod markdown;
mod people;

use std::path::PathBuf;

use clap::Args;
use cosell_model::{FlowId, Outcome};
use cosell_runtime::preview::{Preview, Watching};
use cosell_sdk::Connector;

use crate::demo::{self, TwoDeals};
use crate::project::{Chosen, Project};
use crate::{Ending, Trouble};

/// What to run, and with what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The flow; with `--run`, `--referral`, `--opportunity` or `--sandbox` it need not be named.
    #[arg(required_unless_present_any = ["run", "referral", "opportunity", "sandbox"])]
    flow: Option<String>,
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
    /// Everything that was found, as one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// As Markdown, for a ticket or a review.
    #[arg(long)]
    markdown: bool,
}

/// Runs the flow dry, and shows what it would have done.
pub(crate) async fn dry_run(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    let mut source = event::Source::of(options, &project)?;
    let deals = if options.sandbox { Some(TwoDeals::start().await?) } else { None };
    let project = match &deals {
        Some(deals) => project.connected(demo::connections(deals.sandbox.addresses())),
        None => project,
    };
    if let Some(deals) = &deals {
        source = source.or_of(deals, options.flow.as_deref());
    }
    let flow = options.flow.as_deref().map_or_else(|| source.flow(), FlowId::new);
    let engine = project.engine(std::slice::from_ref(&flow), false, connectors)?.dry();
    let start = source.start(&engine, &flow).await?;
    let watching = Watching::new(&engine);
    let run = engine.run(&flow, start, &watching).await;
    let found = watching.found(run);
    if let Some(deals) = deals {
        deals.sandbox.stop().await;
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
