//! `cosell serve`: the flows, day and night.
//!
//! What arrives is in the journal before its sender is told so, and what was under way when the program ended, however it
//! did, goes on when it begins again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cosell_journal::Journal;
use cosell_journal::upkeep::Retention;
use cosell_model::FlowId;
use cosell_model::flow::TriggerSource;
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::record::Nobody;
use cosell_sdk::Connector;
use cosell_service::entrances::Entrances;
use cosell_service::hooks::Hooks;
use cosell_service::polls::Polls;

use crate::end::End;
use crate::journal::FILE;
use crate::project::{Chosen, Project, version};
use crate::{Ending, Trouble};

/// How often old runs are looked for.
const UPKEEP: Duration = Duration::from_secs(3600);

/// How to serve.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where web hooks are listened for; put a reverse proxy with TLS before it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    /// How often triggers that ask do so, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// How long runs may go on when told to end, in seconds; what has not ended by then goes on at the next start.
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    grace: u64,
    /// How long runs that have ended are kept, in days.
    #[arg(long, value_name = "DAYS", default_value = "90")]
    keep_days: u32,
    /// How much is kept at most, in megabytes; beyond it, what ended first goes first.
    #[arg(long, value_name = "MEGABYTES", default_value = "4096")]
    keep_megabytes: u32,
}

/// Serves until told to end.
pub(crate) async fn serve(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    // Before anything is printed: whoever reads that the service is ready may end it at once.
    let mut end = End::new()?;
    let project = Project::load(chosen, &[], connectors)?;
    if let Some(errors) = project.errors() {
        return Err(Trouble::Findings(errors));
    }
    let flows = listening(&project);
    let journal = Journal::open(&project.kept(FILE))?;
    let dispatcher = dispatcher(&project, &flows, &journal, connectors).await?;
    let hooks = Hooks::listen(options.listen, dispatcher.clone(), Entrances::default())
        .await
        .map_err(|error| Trouble::new(format!("web hooks cannot be listened for at {}: {error}", options.listen)))?;
    dispatcher.take_up()?;
    let polls = Polls::begin(&dispatcher, Duration::from_secs(options.every));
    let upkeep = tokio::spawn(upkeep(journal.clone(), options.retention()));
    anstream::println!("Ready: {} flows, web hooks at {}", flows.len(), hooks.url("<connection>"));

    end.wait().await;
    // From here on nothing new is taken.
    drop((hooks, polls));
    upkeep.abort();
    let grace = tokio::time::sleep(Duration::from_secs(options.grace));
    tokio::select! {
        () = dispatcher.idle() => {}
        () = grace => {}
        () = end.wait() => {}
    }
    journal.flushed().await?;
    Ok(Ending::Done)
}

/// Every flow that is on and begins by a connector's trigger.
fn listening(project: &Project) -> Vec<FlowId> {
    let plans = project.compilation.plans.values();
    plans
        .filter(|plan| matches!(plan.trigger.source, TriggerSource::Connector(_)))
        .map(|plan| plan.flow.clone())
        .filter(|flow| project.off(flow).is_none())
        .collect()
}

/// What runs them, kept by the journal, with the versions that runs under way began in.
async fn dispatcher(
    project: &Project,
    flows: &[FlowId],
    journal: &Journal,
    connectors: &[Connector],
) -> Result<Dispatcher, Trouble> {
    let (name, source) = project.version();
    journal.keep_version(&name, &source).await?;
    let earlier = journal.reader().versions()?.into_iter().filter(|(other, _)| *other != name);
    let earlier = earlier.filter_map(|(name, source)| version::earlier(name, source, connectors)).collect();
    let keeper = Arc::new(journal.clone());
    let engine = project.engine(flows, true, connectors)?.kept_by(keeper.clone(), name, earlier);
    engine.reserve(journal.reader().reserved()?);
    Ok(Dispatcher::with_inbox(Arc::new(engine), Arc::new(Nobody), keeper, Room::default()))
}

/// Deletes what need not be kept any longer, over and over.
async fn upkeep(journal: Journal, retention: Retention) {
    loop {
        match journal.retain(retention).await {
            Ok(0) => {}
            Ok(runs) => tracing::info!(runs, "old runs deleted"),
            Err(error) => tracing::error!(%error, "old runs could not be deleted"),
        }
        tokio::time::sleep(UPKEEP).await;
    }
}

impl Options {
    fn retention(&self) -> Retention {
        Retention {
            age: Duration::from_secs(u64::from(self.keep_days) * 24 * 3600),
            bytes: i64::from(self.keep_megabytes) * 1_000_000,
        }
    }
}
