//! Runs from their beginning to their end: begun, gone on with, begun once more; kept or parked.

use std::sync::Arc;

use cosell_model::flow::Sensitive;
use cosell_model::{Failure, FlowId, Outcome, Value};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::Notify;
use tracing::Instrument;
use uuid::Uuid;

use crate::core::entry::accept_inputs;
use crate::core::state::RunState;
use crate::driving::{Driving, Finished};
use crate::keep::{Began, NotKept, Past, root};
use crate::memory::{Engine, Flows, Start};
use crate::record::{Observer, RunRecord};

/// How deep flows may call flows; the compiler refuses circles, so this is a second guard.
const MAX_DEPTH: usize = 16;

/// What is different where a run had ended before, for itself and all that it calls.
#[derive(Debug, Default)]
pub(crate) struct Again {
    /// How often it had.
    pub(crate) life: u32,
    /// Paths from the outermost run, with those of called flows behind their callers'.
    pub(crate) skipped: Vec<String>,
    /// Told when the run is to be cancelled.
    pub(crate) cancel: Arc<Notify>,
}

impl Again {
    /// Whether a person wants this step of this run to be skipped.
    pub(crate) fn skips(&self, run: &str, path: &str) -> bool {
        let called = run.split_once('/').map(|(_, called)| called);
        let full = called.map_or_else(|| path.to_owned(), |called| format!("{called}/{path}"));
        self.skipped.contains(&full)
    }
}

/// A run to be driven to its end.
pub(crate) struct Going<'r> {
    pub(crate) id: String,
    pub(crate) flow: &'r FlowId,
    pub(crate) key: Option<String>,
    pub(crate) start: Start,
    pub(crate) depth: usize,
    /// What its caller keeps out of records.
    pub(crate) sensitive: Sensitive,
    /// What is kept of it already.
    pub(crate) past: Option<Past>,
    pub(crate) again: Arc<Again>,
}

impl Engine {
    /// Runs `flow` to its end, under a new id. What cannot be kept fails it. Dry runs share one id, since that of a run
    /// makes those of its records: so what they foretell is the same each time.
    pub async fn run(&self, flow: &FlowId, start: Start, observer: &dyn Observer) -> RunRecord {
        let id = if self.dry { Uuid::nil() } else { Uuid::now_v7() }.to_string();
        let (began, left_out) = (Timestamp::now(), start.left_out);
        match self.begin(id.clone(), flow, None, start, observer).await {
            Ok(run) => run,
            Err(error) => {
                let finished = Finished::failed(Failure::new("not_kept", error.to_string()));
                finished.record(&id, flow, left_out, began, None)
            }
        }
    }

    /// Begins a run and drives it to its end. `id` is unique among all runs; `key` is that of the line it stands in.
    ///
    /// # Errors
    /// What happened could not be kept. The run stops, keeps its keys, and waits to be [gone on with](Self::go_on).
    pub async fn begin(
        &self,
        id: String,
        flow: &FlowId,
        key: Option<String>,
        start: Start,
        observer: &dyn Observer,
    ) -> Result<RunRecord, NotKept> {
        let sensitive = Sensitive::default();
        let again = Arc::new(Again { cancel: self.cancellable(&id), ..Again::default() });
        let going = Going { id, flow, key, start, depth: 0, sensitive, past: None, again };
        self.driven(&self.flows, going, observer).await
    }

    /// Begins a run once more that has ended: what worked, and is given the same again, is not repeated, and what is to be
    /// `skipped` counts as done. In the version of the flows it began in, or else in today's.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin); there is no such run, or that version is not known.
    pub async fn revive(
        &self,
        run: &str,
        original: bool,
        skipped: Vec<String>,
        observer: &dyn Observer,
    ) -> Result<RunRecord, NotKept> {
        let past = match &self.keeper {
            Some(keeper) => keeper.past(run).await?,
            None => None,
        };
        let began = past.ok_or_else(|| NotKept(format!("there is no run {run}")))?.began;
        let flows = if original { self.flows_of(&began)? } else { &self.flows };
        let again = Arc::new(Again { life: began.life + 1, skipped, cancel: self.cancellable(run) });
        let start = Start { trigger: began.trigger, inputs: began.inputs, left_out: began.left_out };
        let (id, key, sensitive) = (began.run, began.key, Sensitive::default());
        let going = Going { id, flow: &began.flow, key, start, depth: 0, sensitive, past: None, again };
        self.driven(flows, going, observer).await
    }

    /// Whether a run that has ended can begin once more.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn may_revive(&self, run: &str, original: bool) -> Result<(), NotKept> {
        let Some(keeper) = &self.keeper else { return Err(NotKept("runs are not kept".to_owned())) };
        let past = keeper.past(run).await?.ok_or_else(|| NotKept(format!("there is no run {run}")))?;
        let flows = if original { self.flows_of(&past.began)? } else { &self.flows };
        let flow = &past.began.flow;
        if flows.plans.contains_key(flow) {
            Ok(())
        } else {
            Err(NotKept(format!("there is no flow `{flow}` any more")))
        }
    }

    /// From now on the run can be cancelled; gives what it is told by.
    pub(crate) fn cancellable(&self, run: &str) -> Arc<Notify> {
        Arc::clone(self.held().cancels.entry(run.to_owned()).or_default())
    }

    /// The run does not begin after all.
    pub(crate) fn not_cancellable(&self, run: &str) {
        self.held().cancels.remove(run);
    }

    /// The flows as they were when a run began.
    fn flows_of(&self, began: &Began) -> Result<&Flows, NotKept> {
        let version = &began.version;
        let flows = if *version == self.flows.version { Some(&self.flows) } else { self.older.get(version) };
        flows.ok_or_else(|| {
            NotKept(format!(
                "run {} began in a version of the flows ({version}) that is not known any more; cancel it, or start it anew",
                began.run
            ))
        })
    }

    /// Goes on with a run if it was begun before, else begins it.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin) and [`go_on`](Self::go_on).
    pub async fn resume(
        &self,
        id: String,
        flow: &FlowId,
        key: Option<String>,
        start: Start,
        observer: &dyn Observer,
    ) -> Result<RunRecord, NotKept> {
        let past = match &self.keeper {
            Some(keeper) => keeper.past(&id).await?,
            None => None,
        };
        match past {
            Some(past) => self.go_on(past, observer).await,
            None => self.begin(id, flow, key, start, observer).await,
        }
    }

    /// Drives a run to its end that was begun before, in the version of the flows it began in.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin); also where that version is not known.
    pub async fn go_on(&self, past: Past, observer: &dyn Observer) -> Result<RunRecord, NotKept> {
        let flows = self.flows_of(&past.began)?;
        let began = past.began.clone();
        let start = Start { trigger: began.trigger, inputs: began.inputs, left_out: began.left_out };
        let (id, key, sensitive) = (began.run, began.key, Sensitive::default());
        let flow = began.flow;
        let again = Arc::new(Again { life: began.life, skipped: began.skipped, cancel: self.cancellable(&id) });
        let going = Going { id, flow: &flow, key, start, depth: 0, sensitive, past: Some(past), again };
        self.driven(flows, going, observer).await
    }

    async fn driven(&self, flows: &Flows, going: Going<'_>, observer: &dyn Observer) -> Result<RunRecord, NotKept> {
        let id = going.id.clone();
        self.held().parked.remove(&id);
        let driven = self.run_as(flows, going, observer).await;
        let driven = match (driven, &self.keeper) {
            (Ok(run), Some(keeper)) => keeper.settled_in_time(&id).await.map(|()| run),
            (driven, _) => driven,
        };
        match &driven {
            Ok(run) => {
                // A run that went another way than before may have left some.
                let mut held = self.held();
                held.claims.retain(|(run, _), _| root(run) != id);
                held.cancels.remove(&id);
                drop(held);
                observer.run_ended(0, run);
            }
            Err(error) => {
                tracing::error!(run = id, %error, "a run is parked");
                self.park(&id);
            }
        }
        driven
    }

    /// From now on the run, and all that it called, keeps the keys it has although nobody drives it.
    pub(crate) fn park(&self, run: &str) {
        self.held().parked.insert(root(run).to_owned());
    }

    /// Drives a run to its end; the caller tells the observer where it is the outermost.
    pub(crate) fn run_as<'r>(
        &'r self,
        flows: &'r Flows,
        going: Going<'r>,
        observer: &'r dyn Observer,
    ) -> BoxFuture<'r, Result<RunRecord, NotKept>> {
        let span = tracing::info_span!("run", run = going.id, flow = %going.flow);
        async move {
            let began = going.past.as_ref().map_or_else(Timestamp::now, |past| past.began.at);
            let (id, flow, depth, left_out) = (going.id.clone(), going.flow, going.depth, going.start.left_out);
            observer.run_began(&id, flow, depth);
            let mut watched = Watched { engine: self, id: &id, flow, depth, left_out, began, observer, over: false };
            let plan = flows.plans.get(flow);
            if let (Some(keeper), None) = (&self.keeper, &going.past) {
                keeper.began(Began {
                    run: id.clone(),
                    flow: flow.clone(),
                    version: flows.version.clone(),
                    plan: plan.map(|plan| plan.hash).unwrap_or_default(),
                    key: going.key.clone(),
                    trigger: going.start.trigger.clone(),
                    inputs: if depth == 0 { going.start.inputs.clone() } else { Value::Null },
                    left_out,
                    life: going.again.life,
                    skipped: if depth == 0 { going.again.skipped.clone() } else { Vec::new() },
                    at: began,
                });
            }
            let hides_output = going.sensitive.output;
            let (finished, answer) = match plan {
                None => (
                    Finished::failed(Failure::new("unknown_flow", format!("there is no flow `{flow}` that could run"))),
                    None,
                ),
                Some(_) if depth > MAX_DEPTH => {
                    (Finished::failed(Failure::new("too_deep", "flows call flows too deep")), None)
                }
                Some(plan) => match accept_inputs(plan, going.start.inputs) {
                    Err(failure) => (Finished::failed(failure), None),
                    Ok(inputs) => {
                        let retry = flows.default_retry.clone();
                        let state = RunState::new(id.clone(), going.start.trigger, inputs, retry);
                        let driving = Driving::new(self, flows, plan, state, observer).within(
                            depth,
                            going.sensitive,
                            going.again,
                        );
                        driving.drive(going.past).await?
                    }
                },
            };
            watched.over = true;
            let record = finished.record(&id, flow, left_out, began, answer);
            if let Some(keeper) = &self.keeper {
                let hidden = hides_output.then(|| RunRecord { output: Value::Null, answer: None, ..record.clone() });
                keeper.ended(hidden.as_ref().unwrap_or(&record));
            }
            if depth > 0 {
                observer.run_ended(depth, &record);
            } else {
                let (outcome, took) = (record.outcome.as_str(), record.took);
                match &record.failure {
                    None => tracing::info!(outcome, ?took, "ended"),
                    Some(why) => tracing::warn!(outcome, ?took, step = why.step, %why, "ended"),
                }
            }
            Ok(record)
        }
        .instrument(span)
        .boxed()
    }
}

impl Finished {
    fn failed(failure: Failure) -> Self {
        Self { outcome: Outcome::Failed, output: Value::Null, failure: Some(failure) }
    }

    fn record(
        self,
        id: &str,
        flow: &FlowId,
        left_out: u32,
        began: Timestamp,
        answer: Option<(u16, Value, Value)>,
    ) -> RunRecord {
        let took = Timestamp::now().duration_since(began).unsigned_abs();
        let Finished { outcome, output, failure } = self;
        RunRecord { id: id.to_owned(), flow: flow.clone(), outcome, left_out, output, failure, answer, began, took }
    }
}

/// A run whose observer is told that it ended also where it is given up before, and will not be gone on with.
struct Watched<'r> {
    engine: &'r Engine,
    id: &'r str,
    flow: &'r FlowId,
    depth: usize,
    left_out: u32,
    began: Timestamp,
    observer: &'r dyn Observer,
    over: bool,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let waits =
            self.engine.keeper.is_some() && (self.depth == 0 || self.engine.held().parked.contains(root(self.id)));
        if !self.over && !waits {
            let given_up = Finished { outcome: Outcome::Cancelled, output: Value::Null, failure: None };
            let run = given_up.record(self.id, self.flow, self.left_out, self.began, None);
            self.observer.run_ended(self.depth, &run);
        }
    }
}
