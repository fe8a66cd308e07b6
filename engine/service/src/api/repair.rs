//! What a person does to a run: resume it, skip what cannot work, cancel it, start it anew.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use cosell_journal::read::Shown;
use cosell_model::{FlowId, Value};
use cosell_runtime::core::entry;
use cosell_runtime::dispatch::Revival;
use cosell_runtime::keep::root;
use cosell_runtime::memory::Engine;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Told;
use super::{Problem, Shared};

/// How a run begins once more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resume {
    /// In the version of the flows that it began in, and not in today's.
    pub original: bool,
}

/// What counts as done when a run begins once more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// Paths of steps, those of called runs behind the paths of their callers.
    pub steps: Vec<String>,
    /// As for resuming.
    #[serde(default)]
    pub original: bool,
}

/// A run that was begun, or is about to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// Its id.
    pub run: String,
}

/// What is answered where a run begins, or is about to.
pub(super) type Accepted = Result<(StatusCode, Json<Started>), Problem>;

pub(super) fn accepted(started: Result<Started, Problem>) -> Accepted {
    started.map(|started| (StatusCode::ACCEPTED, Json(started)))
}

pub(super) async fn resume(State(api): State<Shared>, Path(run): Path<String>, Told(resume): Told<Resume>) -> Accepted {
    accepted(api.resume(run, resume).await)
}

pub(super) async fn skip(State(api): State<Shared>, Path(run): Path<String>, Told(skip): Told<Skip>) -> Accepted {
    accepted(api.skip(run, skip).await)
}

pub(super) async fn cancel(State(api): State<Shared>, Path(run): Path<String>) -> Accepted {
    accepted(api.cancel(run).await)
}

pub(super) async fn resubmit(State(api): State<Shared>, Path(run): Path<String>) -> Accepted {
    accepted(api.resubmit(&run).await)
}

async fn revive(api: &Shared, run: String, revival: Revival) -> Result<Started, Problem> {
    api.dispatcher.admits()?;
    match api.dispatcher.revive(&run, revival).await {
        Ok(true) => Ok(Started { run }),
        Ok(false) => Err(Problem::conflict(format!("run {run} is under way, or about to be"))),
        Err(error) => Err(Problem::conflict(error.to_string())),
    }
}

/// Whether a run can begin once more.
fn over(shown: &Shown) -> Result<(), Problem> {
    let run = &shown.listed.run;
    if root(run) != run {
        let detail = format!("run {run} was called by another; resume the one that called it, {}", root(run));
        return Err(Problem::conflict(detail));
    }
    match shown.listed.outcome.as_deref() {
        None => Err(Problem::conflict(format!("run {run} is under way; it can be resumed once it has ended"))),
        Some("succeeded") => Err(Problem::conflict(format!(
            "run {run} succeeded, so there is nothing to resume; `resubmit` starts a new one"
        ))),
        Some(_) => Ok(()),
    }
}

/// The paths of all steps that called something, of the run and of those that it called.
async fn paths(api: &Shared, shown: &Shown) -> Result<BTreeSet<String>, Problem> {
    let run = &shown.listed.run;
    let mut paths: BTreeSet<String> = called(&shown.steps).map(str::to_owned).collect();
    for inner in &shown.called {
        let at = inner.run.strip_prefix(run.as_str()).unwrap_or_default().trim_start_matches('/');
        let inner = api.shown(&inner.run).await?;
        paths.extend(called(&inner.steps).map(|path| format!("{at}/{path}")));
    }
    Ok(paths)
}

fn called(steps: &[Value]) -> impl Iterator<Item = &str> {
    steps.iter().filter(|step| step.get("target").is_some()).filter_map(|step| step["path"].as_str())
}

pub(super) fn no_flow(engine: &Engine, flow: &FlowId) -> Problem {
    let known: Vec<&str> = engine.plans().map(|plan| plan.flow.as_str()).collect();
    let detail = format!("there is no flow `{flow}` that is on; there are {}", known.join(", "));
    Problem::new(StatusCode::NOT_FOUND, detail)
}

impl super::Api {
    /// Begins a run once more; what worked is not repeated.
    ///
    /// # Errors
    /// There is no such run, or it cannot begin once more.
    pub async fn resume(self: &Shared, run: String, Resume { original }: Resume) -> Result<Started, Problem> {
        over(&self.shown(&run).await?)?;
        revive(self, run, Revival { original, skipped: Vec::new() }).await
    }

    /// Begins a run once more, with steps that count as done.
    ///
    /// # Errors
    /// There is no such run, it cannot begin once more, or it has not called one of the steps.
    pub async fn skip(self: &Shared, run: String, Skip { steps, original }: Skip) -> Result<Started, Problem> {
        let shown = self.shown(&run).await?;
        over(&shown)?;
        let known = paths(self, &shown).await?;
        if let Some(unknown) = steps.iter().find(|step| !known.contains(*step)) {
            let known = known.into_iter().collect::<Vec<_>>().join("`, `");
            let detail = format!("the run has called no step `{unknown}`; it has called `{known}`");
            return Err(Problem::wrong(detail));
        }
        if steps.is_empty() {
            return Err(Problem::wrong("`steps` is empty: name the steps that count as done"));
        }
        revive(self, run, Revival { original, skipped: steps }).await
    }

    /// Cancels a run that waits or is under way.
    ///
    /// # Errors
    /// There is no such run, it has ended already, or another called it.
    pub async fn cancel(self: &Shared, run: String) -> Result<Started, Problem> {
        if root(&run) != run {
            let detail = format!("run {run} was called by another; cancel the one that called it, {}", root(&run));
            return Err(Problem::conflict(detail));
        }
        if self.dispatcher.cancel(&run).await? {
            return Ok(Started { run });
        }
        self.shown(&run).await?;
        Err(Problem::conflict(format!("run {run} has ended already")))
    }

    /// Starts a new run from what started this one.
    ///
    /// # Errors
    /// There is no such run, another called it, or its flow is no longer on or takes other inputs.
    pub async fn resubmit(self: &Shared, run: &str) -> Result<Started, Problem> {
        let shown = self.shown(run).await?;
        if root(run) != run {
            let detail = format!("run {run} was called by another; resubmit the one that called it, {}", root(run));
            return Err(Problem::conflict(detail));
        }
        self.start(&shown.listed.flow, shown.trigger, shown.inputs).await
    }

    /// Starts a run for a person, where its inputs fit.
    ///
    /// # Errors
    /// There is no such flow, or it takes other inputs.
    pub async fn start(self: &Shared, flow: &str, trigger: Value, inputs: Value) -> Result<Started, Problem> {
        self.dispatcher.admits()?;
        let flow = FlowId::new(flow);
        let engine = self.dispatcher.engine();
        let plan = engine.plan(&flow).ok_or_else(|| no_flow(&engine, &flow))?;
        entry::accept_inputs(plan, inputs.clone()).map_err(|failure| Problem::wrong(failure.message))?;
        entry::key(plan, &trigger, &inputs).map_err(|failure| Problem::wrong(failure.message))?;
        Ok(Started { run: self.dispatcher.start(&flow, trigger, inputs).await? })
    }
}
