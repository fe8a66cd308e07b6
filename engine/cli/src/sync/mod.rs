//! `cosell sync`: walks all referrals, then all opportunities that are to be synced, with the flows that events start.
//!
//! [`records`] is what is walked, page by page; [`finished`] what became of a record; [`journal`] how far the walk is, in a
//! file; [`walk`] does it; [`tally`] counts; [`progress`] and [`report`] show it.

mod finished;
mod journal;
mod progress;
mod records;
mod report;
mod tally;
mod walk;

use std::sync::Arc;

use clap::Args;
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::Engine;
use cosell_sdk::Connector;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::watch;

use crate::end::End;
use crate::project::{Chosen, Project};
use crate::{Ending, Trouble};
use journal::{Asked, Journal};
use progress::Progress;
use records::Direction;
use records::Source;
use walk::{Stopped, Walk};

/// The file in which the position is kept.
const FILE: &str = "sync.jsonl";

/// What to walk, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only what was changed since then: a date, such as 2026-11-01 (UTC), or an instant, such as 2026-11-01T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Timestamp>,
    /// Only one of the two.
    #[arg(long, value_enum, value_name = "WHAT")]
    only: Option<Direction>,
    /// How many deals are worked on at once, up to 16.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    parallel: u8,
    /// Begin anew, rather than go on where an earlier walk stopped.
    #[arg(long)]
    restart: bool,
    /// One JSON object a record, and one for all at the end.
    #[arg(long)]
    json: bool,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let day = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp());
    // A date is looked for first: an instant could be made of it in no other way.
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10).and_then(day);
    date.or_else(|| text.parse().ok())
        .ok_or_else(|| "expected a date, such as 2026-11-01, or an instant, such as 2026-11-01T08:00:00Z".to_owned())
}

/// Walks; it fails where anything was refused or failed.
pub(crate) async fn sync(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    // Before anything is written: whoever sees the walk begin may end it at once.
    let mut end = End::new()?;
    let project = Project::load(chosen, &[], connectors)?;
    let sync_column = project.compilation.variables.get("sync_column").map(|variable| &variable.current);
    let sync_column = sync_column.and_then(Value::as_str).unwrap_or_default().to_owned();

    let asked = Asked { began: Timestamp::now(), since: options.since, only: options.only };
    let journal = Journal::open(&project.kept(FILE), asked, options.restart)?;
    let asked = journal.asked().clone();
    let flows: Vec<FlowId> = asked.directions().map(Direction::flow).collect();
    let engine = Arc::new(project.engine(&flows, false, connectors)?);
    let source = Source {
        partner_center: connection(&engine, "partner_center")?,
        dataverse: connection(&engine, "dataverse")?,
        engine: Arc::clone(&engine),
        sync_column,
        since: asked.since,
    };
    let progress = Progress::new(options.json);
    if journal.is_resumed() {
        progress.say(&report::going_on(&journal));
    }

    let (stop, stopped) = watch::channel(false);
    let mut walk = Walk::new(engine, source, journal, Arc::new(progress), options.parallel.into(), stopped);
    let stopped = {
        let progress = walk.progress();
        let walking = walk.walk();
        tokio::pin!(walking);
        loop {
            tokio::select! {
                stopped = &mut walking => break stopped?,
                () = end.wait() => {
                    // What was begun is best ended, but it may wait for a service that is down.
                    if stop.send_replace(true) {
                        break Stopped::Told;
                    }
                    progress.say("what was begun is ended first; interrupt once more to end at once");
                }
            }
        }
    };
    walk.progress().end();
    let journal = walk.into_journal();
    report::closing(journal.tally(), &asked, &stopped, options.json);
    let ending = match stopped {
        Stopped::Told => Ending::Interrupted,
        Stopped::Failing(_) => Ending::Failed,
        Stopped::AtTheEnd => {
            let wrong = journal.tally().wrong();
            journal.remove()?;
            if wrong == 0 { Ending::Done } else { Ending::Failed }
        }
    };
    Ok(ending)
}

/// The connection that the flows use for this connector; it may have a name of its own.
fn connection(engine: &Engine, connector: &str) -> Result<String, Trouble> {
    let found = engine.connection_for(connector).map(str::to_owned);
    found.ok_or_else(|| Trouble::new(format!("no flow that is run here uses the connector `{connector}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_instant_and_an_instant_itself() {
        assert_eq!(instant("2026-11-01").map(|at| at.to_string()), Ok("2026-11-01T00:00:00Z".to_owned()));
        assert_eq!(
            instant("2026-11-01T08:00:00+01:00").map(|at| at.to_string()),
            Ok("2026-11-01T07:00:00Z".to_owned())
        );
        for wrong in ["yesterday", "2026-11", "2026-11-01T08:00:00", "2026-13-01"] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }
}
