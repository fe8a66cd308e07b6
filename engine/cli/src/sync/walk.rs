//! The walk: page by page, several records at once, each through the flow that an event would start.

use std::sync::Arc;
use std::time::Duration;

use cosell_runtime::memory::Engine;
use cosell_runtime::record::Observer;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::finished::{Finished, Verdict, finish};
use super::journal::Journal;
use super::progress::Progress;
use super::records::{Direction, Page, Position, Record, Source};
use crate::Trouble;

/// After so many failures one behind the other, something is wrong that the next record would meet as well: a service
/// is down, or a sign-in has expired.
const ENOUGH: usize = 10;

/// Why a walk stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Everything is walked.
    AtTheEnd,
    /// It was told to.
    Told,
    /// It cannot go on; why.
    Failing(String),
}

/// A walk.
pub(super) struct Walk {
    engine: Arc<Engine>,
    source: Source,
    journal: Journal,
    progress: Arc<Progress>,
    parallel: usize,
    stop: watch::Receiver<bool>,
    /// How many records failed since the last that did not.
    failures: usize,
}

impl Walk {
    /// A walk that works on `parallel` records at once, until `stop` says so.
    pub(super) fn new(
        engine: Arc<Engine>,
        source: Source,
        journal: Journal,
        progress: Arc<Progress>,
        parallel: usize,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { engine, source, journal, progress, parallel, stop, failures: 0 }
    }

    /// Walks on from the journal's position.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(super) async fn walk(&mut self) -> Result<Stopped, Trouble> {
        loop {
            let position = self.journal.position().clone();
            let mut stop = self.stop.clone();
            let waiting = Waiting(&self.progress);
            let page = tokio::select! {
                page = self.source.page(&position, &waiting) => page,
                // The sender lives as long as the walk.
                _ = stop.wait_for(|stop| *stop) => return Ok(Stopped::Told),
            };
            let Page { records, next, behind } = match page {
                Ok(page) => page,
                Err(error) => {
                    let what = position.direction.title();
                    return Ok(Stopped::Failing(format!("{what}: the next records cannot be read: {error}")));
                }
            };
            let records: Vec<Record> = records.into_iter().filter(|record| !self.journal.is_done(record)).collect();
            self.progress.page(position.direction, self.journal.tally(), records.len() + behind);
            if let Some(stopped) = self.page(position.direction, records).await? {
                return Ok(stopped);
            }
            match next.or_else(|| self.next_direction(position.direction)) {
                Some(next) => self.journal.go_to(next)?,
                None => return Ok(Stopped::AtTheEnd),
            }
        }
    }

    fn next_direction(&self, direction: Direction) -> Option<Position> {
        let next = self.journal.asked().directions().find(|next| *next > direction)?;
        Some(Position::at_the_beginning_of(next))
    }

    /// Runs a page's records; says why it stopped early, if it did.
    async fn page(&mut self, direction: Direction, records: Vec<Record>) -> Result<Option<Stopped>, Trouble> {
        let mut records = records.into_iter();
        let mut running: JoinSet<Finished> = JoinSet::new();
        let mut stopped = None;
        loop {
            while stopped.is_none() && running.len() < self.parallel {
                if *self.stop.borrow() {
                    stopped = Some(Stopped::Told);
                    break;
                }
                let Some(record) = records.next() else { break };
                let (engine, progress) = (Arc::clone(&self.engine), Arc::clone(&self.progress));
                running.spawn(async move { finish(&engine, direction, record, &progress).await });
            }
            // A task catches the panics of its run, so that it always ends with a record.
            let Some(Ok(finished)) = running.join_next().await else { return Ok(stopped) };
            let finished = self.journal.done(finished)?;
            self.progress.record(&finished, self.journal.tally());
            self.failures = if finished.result == Verdict::Failed { self.failures + 1 } else { 0 };
            if self.failures >= ENOUGH && stopped.is_none() {
                let why = finished.reason.unwrap_or_default();
                stopped =
                    Some(Stopped::Failing(format!("{ENOUGH} records failed one behind the other; the last: {why}")));
            }
        }
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// What it came to.
    pub(super) fn into_journal(self) -> Journal {
        self.journal
    }
}

/// Shows that a page is waited for.
struct Waiting<'w>(&'w Progress);

impl Observer for Waiting<'_> {
    fn retrying(&self, _: &str, _: usize, _: &str, _: u32, after: Duration, why: &str) {
        self.0.waiting(after, why);
    }
}
