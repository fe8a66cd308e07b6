//! What happens in runs, while it happens, as server-sent events: first how the run is, then what follows, until it has ended.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use cosell_journal::read::Shown;
use futures::Stream;
use futures::stream::unfold;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{Problem, Shared};
use crate::watch::live::{Happened, Told};

type Events<S> = Sse<axum::response::sse::KeepAliveStream<S>>;

/// Whoever looks on, and what is known to them already.
struct Looking {
    api: Shared,
    /// The run; none for all of them.
    run: Option<String>,
    told: Receiver<Told>,
    /// To be said at once.
    ready: VecDeque<Event>,
    /// Steps that the run as it was first shown has already, by their paths.
    known: HashSet<String>,
    over: bool,
}

pub(super) async fn of_run(
    State(api): State<Shared>,
    Path(run): Path<String>,
) -> Result<Events<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    // Listens first, so that nothing falls between.
    let told = api.watch.live().listen();
    let shown = api.shown(&run).await?;
    let mut looking = Looking { api, run: Some(run), told, ready: VecDeque::new(), known: HashSet::new(), over: false };
    looking.show(&shown);
    Ok(looking.stream())
}

pub(super) async fn of_all(
    State(api): State<Shared>,
) -> Result<Events<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let told = api.watch.live().listen();
    let ready = VecDeque::new();
    Ok(Looking { api, run: None, told, ready, known: HashSet::new(), over: false }.stream())
}

fn event(name: &str, data: &impl Serialize) -> Event {
    // What our own types hold can always be written as JSON.
    Event::default().event(name).json_data(data).unwrap_or_default()
}

impl Looking {
    fn show(&mut self, shown: &Shown) {
        self.known = shown.steps.iter().filter_map(|step| Some(step["path"].as_str()?.to_owned())).collect();
        self.over = shown.listed.ended.is_some();
        self.ready.push_back(event("run", shown));
    }

    fn stream(self) -> Events<impl Stream<Item = Result<Event, Infallible>>> {
        let events = unfold(self, |mut looking| async move {
            let next = looking.next().await?;
            Some((Ok(next), looking))
        });
        Sse::new(events).keep_alive(KeepAlive::default())
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            match self.told.recv().await {
                Ok(told) => self.take(&told.0, &told.1),
                Err(RecvError::Lagged(_)) => self.catch_up().await?,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn take(&mut self, root: &str, happened: &Happened) {
        if self.run.as_deref().is_some_and(|run| run != root) {
            return;
        }
        match happened {
            Happened::RunBegan { run, .. } if run == root => self.known.clear(),
            Happened::StepEnded { run, step, .. }
                if run == root && step["path"].as_str().is_some_and(|path| self.known.remove(path)) =>
            {
                return;
            }
            _ => {}
        }
        self.over = self.run.as_deref().is_some_and(|run| happened.is_end_of(run));
        self.ready.push_back(event("happened", happened));
    }

    /// Some of what happened was missed.
    async fn catch_up(&mut self) -> Option<()> {
        let Some(run) = self.run.clone() else { return Some(()) };
        let shown = self.api.shown(&run).await.ok()?;
        self.show(&shown);
        Some(())
    }
}
