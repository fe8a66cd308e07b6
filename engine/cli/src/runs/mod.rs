//! `cosell runs`: runs seen and repaired. Where the service runs it is asked; where it does not, its journal is read, which
//! is enough to look.
//!
//! [`list`] shows many, [`show`] one, [`watch`] what happens now; the rest is one request each.

mod list;
mod show;
mod watch;

pub(crate) use show::shown;

use clap::Subcommand;
use cosell_journal::waits::Place;
use cosell_sdk::Connector;
use cosell_service::api::{Letters, Resume, Skip, Started};
use serde_json::json;

use crate::project::Chosen;
use crate::reach::{Reach, Service, Source};
use crate::render::{DIM, styled};
use crate::{Ending, Trouble};

/// What to do with runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List runs, the newest first.
    List(list::Options),
    /// Show one run: its steps with their outcomes, and why it failed.
    Show(show::Options),
    /// Show what happens in a run until it has ended, or in all runs.
    Watch(watch::Options),
    /// Begin a run once more that has ended otherwise than well; what worked is not done again.
    Resume {
        /// The run.
        run: String,
        /// In the version of the flows that it began in, and not in today's.
        #[arg(long)]
        original: bool,
    },
    /// The same, with steps that count as done.
    Skip {
        /// The run.
        run: String,
        /// Paths of the steps, as `show` has them.
        #[arg(required = true)]
        steps: Vec<String>,
        /// In the version of the flows that it began in, and not in today's.
        #[arg(long)]
        original: bool,
    },
    /// Start a new run from what started this one, with today's flow.
    Resubmit {
        /// The run.
        run: String,
    },
    /// Cancel a run that waits or is under way.
    Cancel {
        /// The run.
        run: String,
    },
    /// List events that became no run, with their reasons.
    Dead {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Have an event become a run after all.
    Retry {
        /// Its number, as `dead` has it.
        number: u64,
    },
}

/// Does it.
pub(crate) async fn runs(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let reach = &options.reach;
    match &options.action {
        Action::List(options) => list::list(&reach.source(chosen, connectors).await?, options).await,
        Action::Show(options) => show::show(&reach.source(chosen, connectors).await?, options).await,
        Action::Watch(options) => watch::watch(&reach.service(chosen, connectors)?, options).await,
        Action::Dead { json } => dead(&reach.source(chosen, connectors).await?, *json).await,
        repair => act(&reach.service(chosen, connectors)?, repair).await,
    }
}

async fn act(service: &Service, action: &Action) -> Result<Ending, Trouble> {
    let (path, body, done) = match action {
        Action::Resume { run, original } => (of(run, "/resume"), json!(Resume { original: *original }), "goes on"),
        Action::Skip { run, steps, original } => {
            (of(run, "/skip"), json!(Skip { steps: steps.clone(), original: *original }), "goes on")
        }
        Action::Resubmit { run } => (of(run, "/resubmit"), json!({}), "was started"),
        Action::Cancel { run } => (of(run, "/cancel"), json!({}), "is being cancelled"),
        Action::Retry { number } => (format!("/inbox/{number}/retry"), json!({}), "was started"),
        Action::List(_) | Action::Show(_) | Action::Watch(_) | Action::Dead { .. } => return Ok(Ending::Done),
    };
    let Started { run } = service.post(&path, &body).await?;
    anstream::println!("run {run} {done}");
    anstream::eprintln!("{}", styled(DIM, format!("`cosell runs watch {run}` shows how it goes")));
    Ok(Ending::Done)
}

/// The path to a run in the API; the id of a called run has slashes.
fn of(run: &str, what: &str) -> String {
    format!("/runs/{}{what}", escaped(run))
}

fn escaped(run: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    run.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

async fn dead(source: &Source, as_json: bool) -> Result<Ending, Trouble> {
    let letters: Letters = match source {
        Source::Service(service) => service.get("/inbox", &()).await?,
        Source::Journal(reader) => Letters::read(reader, Place::Newest)?,
    };
    if as_json {
        anstream::println!("{:#}", json!(letters));
    } else {
        anstream::println!("{}", list::dead(&letters));
    }
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_called_runs_are_one_part_of_the_address() {
        assert_eq!(of("0197-a/rows[2]/call ü", ""), "/runs/0197-a%2Frows%5B2%5D%2Fcall%20%C3%BC");
    }
}
