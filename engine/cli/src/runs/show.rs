//! One run.

use std::collections::BTreeMap;

use clap::Args;
use cosell_journal::past::Whole;
use cosell_journal::read::Shown;
use serde_json::json;

use super::of;
use crate::reach::Source;
use crate::render::past::whole;
use crate::{Ending, Trouble};

/// Which run, and how much of it.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The run.
    run: String,
    /// Also what everything was given and yielded, and steps whose branch was not taken.
    #[arg(long, short)]
    verbose: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Shows it.
pub(super) async fn show(source: &Source, options: &Options) -> Result<Ending, Trouble> {
    let run = shown(source, &options.run).await?;
    if options.json {
        anstream::println!("{:#}", json!(run));
        return Ok(Ending::Done);
    }
    anstream::println!("{}", whole(&with_called(source, run).await?, options.verbose));
    Ok(Ending::Done)
}

async fn with_called(source: &Source, run: Shown) -> Result<Whole, Trouble> {
    let mut called = BTreeMap::new();
    for listed in &run.called {
        called.insert(listed.run.clone(), shown(source, &listed.run).await?);
    }
    Ok(Whole { run, called })
}

/// One run.
///
/// # Errors
/// There is none of this id, or it cannot be read.
pub(crate) async fn shown(source: &Source, run: &str) -> Result<Shown, Trouble> {
    match source {
        Source::Service(service) => service.get(&of(run, ""), &()).await,
        Source::Journal(reader) => reader.run(run)?.ok_or_else(|| {
            Trouble::new(format!("there is no run `{run}`; it may have been deleted because of its age"))
        }),
    }
}
