//! `cosell serve`: the flows, day and night.
//!
//! What arrives is in the journal before its sender is told so, and what was under way when the program ended, however it
//! did, goes on when it begins again.
//!
//! This file is the service from its start to its end; [`flowing`] what it runs, which may be replaced while it does.

mod flowing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cosell_compile::configuration::service::{KEEP_DAYS, KEEP_MEGABYTES, LOOPBACK};
use cosell_console::Console;
use cosell_journal::Journal;
use cosell_journal::upkeep::Retention;
use cosell_sdk::Connector;
use cosell_service::api::Api;
use cosell_service::hooks::{Hooks, Listening, tls};
use cosell_service::watch::Watch;

use crate::end::{End, Reload};
use crate::journal::FILE;
use crate::logs::Format;
use crate::project::{Chosen, Project};
use crate::{Ending, Trouble};
use flowing::Flowing;

/// How often old runs are looked for.
const UPKEEP: Duration = Duration::from_secs(3600);

/// How to serve.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where to listen, instead of what the configuration says under `service`, or else 127.0.0.1:7070.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// How soon triggers that ask do so again while there is news, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// How long runs may go on when told to end, in seconds; what has not ended by then goes on at the next start.
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    grace: u64,
    /// How the log at standard error is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) log_format: Format,
}

/// Serves until told to end.
pub(crate) async fn serve(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    // Before anything is printed: whoever reads that the service is ready may end it at once.
    let mut end = End::new()?;
    let mut reload = Reload::new()?;
    let project = load(chosen, connectors)?;
    let service = &project.configuration.service;
    let listen = options.listen.or(service.listen).unwrap_or(LOOPBACK);
    let retention = Retention {
        age: Duration::from_secs(u64::from(service.keep_days.unwrap_or(KEEP_DAYS)) * 24 * 3600),
        bytes: i64::from(service.keep_megabytes.unwrap_or(KEEP_MEGABYTES)) * 1_000_000,
    };
    let tls = match &service.tls {
        Some(files) => {
            Some(tls(&project.path(&files.certificate), &project.path(&files.key)).await.map_err(|error| {
                Trouble::new(format!(
                    "TLS cannot be spoken with the certificate `{}` and the key `{}`: {error}",
                    files.certificate, files.key
                ))
            })?)
        }
        None => None,
    };
    let journal = Journal::open(&project.kept(FILE))?;
    let watch = Watch::default();
    let dispatcher = flowing::dispatcher(&project, &journal, &watch, connectors).await?;
    let entrances = flowing::entrances(&project, &dispatcher.engine())?;
    let api = Arc::new(Api::new(dispatcher.clone(), &journal, &watch, project.token()?)?);
    let console = Console::new(Arc::clone(&api), project.facts());
    let how = Listening { entrances, api: Some(api), pages: console.pages(), tls };
    let hooks = Hooks::listen(listen, dispatcher.clone(), how)
        .await
        .map_err(|error| Trouble::new(format!("{listen} cannot be listened at: {error}")))?;
    dispatcher.take_up()?;
    let every = Duration::from_secs(options.every);
    let mut flowing = Flowing::begin(&project, &dispatcher, &watch, every);
    let upkeep = tokio::spawn(upkeep(journal.clone(), retention));
    anstream::println!("Ready: {} flows, at {}", dispatcher.engine().plans().count(), hooks.origin());

    loop {
        tokio::select! {
            () = end.wait() => break,
            () = reload.wait() => {}
        }
        match reloaded(chosen, &journal, &hooks, &dispatcher, connectors).await {
            Ok(project) => {
                flowing = flowing.again(&project, &dispatcher, &watch, every);
                console.replace(project.facts());
                tracing::info!(flows = dispatcher.engine().plans().count(), "the configuration was read again");
            }
            Err(trouble) => tracing::error!("the configuration stays as it was: {}", trouble.text()),
        }
    }
    // From here on nothing new is taken.
    dispatcher.stop();
    drop(flowing);
    upkeep.abort();
    let grace = tokio::time::sleep(Duration::from_secs(options.grace));
    tokio::select! {
        () = dispatcher.idle() => {}
        () = grace => tracing::info!(runs = dispatcher.under_way(), "these go on at the next start"),
        () = end.wait() => {}
    }
    drop(hooks);
    journal.flushed().await?;
    Ok(Ending::Done)
}

fn load(chosen: &Chosen, connectors: &[Connector]) -> Result<Project, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    match project.errors() {
        Some(errors) => Err(Trouble::Findings(errors)),
        None => Ok(project),
    }
}

/// Puts what the files say now in the place of what they said before; or nothing, where something is wrong with it.
async fn reloaded(
    chosen: &Chosen,
    journal: &Journal,
    hooks: &Hooks,
    dispatcher: &cosell_runtime::dispatch::Dispatcher,
    connectors: &[Connector],
) -> Result<Project, Trouble> {
    let project = load(chosen, connectors)?;
    let engine = flowing::engine(&project, journal, connectors).await?;
    let entrances = flowing::entrances(&project, &engine)?;
    dispatcher.replace(engine);
    hooks.replace(entrances);
    Ok(project)
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
