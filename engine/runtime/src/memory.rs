//! The driver in memory: carries out commands at once, and remembers nothing beyond the run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use cosell_compile::plan::{Action, Plan};
use cosell_model::flow::Retry;
use cosell_model::{Failure, FlowId, Outcome, Value};
use cosell_sdk::{CallContext, CallError, Connection, Poll, RequestRecord};
use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use uuid::Uuid;

use crate::answer::Answer;
use crate::core::advance::advance;
use crate::core::entry::accept_inputs;
use crate::core::event::{Address, Command, Consequences, Ended, Event, Happening};
use crate::core::state::RunState;
use crate::gate::Gate;
use crate::keys::{Claim, Keys};
use crate::record::{Observer, RunRecord, StepRecord};

/// How deep flows may call flows; the compiler refuses circles, so this is a second guard.
const MAX_DEPTH: usize = 16;

/// The flows and connections of a program, ready to run.
pub struct Engine {
    plans: BTreeMap<FlowId, Arc<Plan>>,
    gates: BTreeMap<String, Gate>,
    default_retry: Retry,
    keys: Keys,
}

/// What a run begins with.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// What started it: `trigger` in the flow.
    pub trigger: Value,
    /// Its inputs, as given.
    pub inputs: Value,
    /// How many events `trigger` stands for besides: those of a burst that came before.
    pub left_out: u32,
}

impl Engine {
    /// An engine over `plans`, whose operations go to `connections` by name; `default_retry` is for steps that do not
    /// say how they are retried.
    pub fn new(
        plans: BTreeMap<FlowId, Arc<Plan>>,
        connections: BTreeMap<String, Connection>,
        default_retry: Retry,
    ) -> Self {
        let gates = connections.into_iter().map(|(name, open)| (name.clone(), Gate::new(&name, open))).collect();
        Self { plans, gates, default_retry, keys: Keys::default() }
    }

    /// The same engine, whose calls wait for a service that is down, however long, instead of spending their attempts:
    /// for what runs day and night.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.gates = self.gates.into_iter().map(|(name, gate)| (name, gate.patient())).collect();
        self
    }

    /// The same engine with another default for retries.
    #[must_use]
    pub fn with_default_retry(mut self, default_retry: Retry) -> Self {
        self.default_retry = default_retry;
        self
    }

    /// How steps are retried that do not say it themselves.
    pub(crate) fn default_retry(&self) -> &Retry {
        &self.default_retry
    }

    /// The flow's plan.
    pub fn plan(&self, flow: &FlowId) -> Option<&Arc<Plan>> {
        self.plans.get(flow)
    }

    /// All plans, by name.
    pub fn plans(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.plans.values()
    }

    /// The connection of this name.
    pub fn connection(&self, name: &str) -> Option<&Connection> {
        self.gates.get(name).map(Gate::connection)
    }

    /// The connection of this name, with the line of those who call.
    pub(crate) fn gate(&self, name: &str) -> Option<&Gate> {
        self.gates.get(name)
    }

    /// Asks a connection's trigger what happened, within the connection's limits.
    ///
    /// # Errors
    /// Whatever goes wrong, with what it means; `unknown_connection` where there is none of this name.
    pub async fn poll(
        &self,
        connection: &str,
        trigger: &str,
        with: Value,
        cursor: Option<Value>,
        observer: &dyn Observer,
    ) -> Result<Poll, CallError> {
        match self.gates.get(connection) {
            Some(gate) => gate.poll(trigger, with, cursor, observer).await,
            None => Err(unknown_connection(connection)),
        }
    }

    /// Runs `flow` to its end, under a new id.
    pub async fn run(&self, flow: &FlowId, start: Start, observer: &dyn Observer) -> RunRecord {
        self.run_as(Uuid::now_v7().to_string(), flow, start, 0, observer).await
    }

    fn run_as<'r>(
        &'r self,
        id: String,
        flow: &'r FlowId,
        start: Start,
        depth: usize,
        observer: &'r dyn Observer,
    ) -> BoxFuture<'r, RunRecord> {
        async move {
            let began = Timestamp::now();
            observer.run_began(&id, flow, depth);
            let left_out = start.left_out;
            let mut watched = Watched { id: &id, flow, depth, began, left_out, observer, ended: false };
            let not_begun =
                |failure| Finished { outcome: Outcome::Failed, output: Value::Null, failure: Some(failure) };
            let (finished, answer) = match self.plans.get(flow) {
                None => {
                    (not_begun(Failure::new("unknown_flow", format!("there is no flow `{flow}` that could run"))), None)
                }
                Some(_) if depth > MAX_DEPTH => {
                    (not_begun(Failure::new("too_deep", "flows call flows too deep")), None)
                }
                Some(plan) => match accept_inputs(plan, start.inputs) {
                    Err(failure) => (not_begun(failure), None),
                    Ok(inputs) => {
                        let state = RunState::new(id.clone(), start.trigger, inputs, self.default_retry.clone());
                        Driving::new(self, plan, state, depth, observer).drive().await
                    }
                },
            };
            watched.end(finished, answer)
        }
        .boxed()
    }
}

/// A run whose observer is told that it ended, also where it is given up before.
struct Watched<'r> {
    id: &'r str,
    flow: &'r FlowId,
    depth: usize,
    began: Timestamp,
    left_out: u32,
    observer: &'r dyn Observer,
    ended: bool,
}

impl Watched<'_> {
    fn end(&mut self, finished: Finished, answer: Option<(u16, Value, Value)>) -> RunRecord {
        self.ended = true;
        let record = RunRecord {
            id: self.id.to_owned(),
            flow: self.flow.clone(),
            outcome: finished.outcome,
            left_out: self.left_out,
            output: finished.output,
            failure: finished.failure,
            answer,
            began: self.began,
            took: Timestamp::now().duration_since(self.began).unsigned_abs(),
        };
        self.observer.run_ended(self.depth, &record);
        record
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Finished { outcome: Outcome::Cancelled, output: Value::Null, failure: None }, None);
        }
    }
}

struct Finished {
    outcome: Outcome,
    output: Value,
    failure: Option<Failure>,
}

/// What work in progress reports when it ends, with the requests made for it.
type Reported = (Happening, Vec<RequestRecord>);

/// What was done for a step, over all attempts.
#[derive(Default)]
struct Done {
    attempts: u32,
    requests: Vec<RequestRecord>,
    last_error: String,
}

/// One run being driven.
struct Driving<'r> {
    engine: &'r Engine,
    plan: &'r Arc<Plan>,
    state: RunState,
    depth: usize,
    observer: &'r dyn Observer,
    in_progress: FuturesUnordered<BoxFuture<'r, Option<Reported>>>,
    handles: HashMap<Address, Vec<AbortHandle>>,
    /// The keys of scopes, had or waited for; they are free when the run ends, however it does.
    claims: HashMap<Address, Claim>,
    done: HashMap<Address, Done>,
    answer: Option<(u16, Value, Value)>,
}

impl<'r> Driving<'r> {
    fn new(engine: &'r Engine, plan: &'r Arc<Plan>, state: RunState, depth: usize, observer: &'r dyn Observer) -> Self {
        Self {
            engine,
            plan,
            state,
            depth,
            observer,
            in_progress: FuturesUnordered::new(),
            handles: HashMap::new(),
            claims: HashMap::new(),
            done: HashMap::new(),
            answer: None,
        }
    }

    async fn drive(mut self) -> (Finished, Option<(u16, Value, Value)>) {
        let mut happened = VecDeque::from([Happening::Begun]);
        loop {
            while let Some(kind) = happened.pop_front() {
                let mut out = Consequences::default();
                let event = Event { at: Timestamp::now(), kind };
                if let Err(illegal) = advance(self.plan, &mut self.state, event, &mut out) {
                    let failure = Failure::new("engine_error", illegal.to_string());
                    return (
                        Finished { outcome: Outcome::Failed, output: Value::Null, failure: Some(failure) },
                        self.answer,
                    );
                }
                for ended in out.ended {
                    self.write_down(ended);
                }
                for command in out.commands {
                    if let Some(finished) = self.carry_out(command) {
                        return (finished, self.answer);
                    }
                }
            }
            match self.in_progress.next().await {
                Some(Some((kind, requests))) => {
                    self.note(&kind, requests);
                    happened.push_back(kind);
                }
                Some(None) => {}
                None => {
                    let failure = Failure::new("engine_error", "nothing is in progress, and the run has not ended");
                    return (
                        Finished { outcome: Outcome::Failed, output: Value::Null, failure: Some(failure) },
                        self.answer,
                    );
                }
            }
        }
    }

    fn note(&mut self, kind: &Happening, requests: Vec<RequestRecord>) {
        let (Happening::Succeeded { step, .. } | Happening::Failed { step, .. } | Happening::FlowEnded { step, .. }) =
            kind
        else {
            return;
        };
        let step = *step;
        let done = self.done.entry(step).or_default();
        done.requests.extend(requests);
        if let Happening::Failed { error, .. } = kind {
            done.last_error = error.to_string();
            tracing::debug!(run = self.state.id(), step = self.state.path(self.plan, step), %error, "attempt failed");
        }
    }

    fn write_down(&mut self, ended: Ended) {
        let step = self.plan.step(ended.step.step);
        let done = self.done.remove(&ended.step).unwrap_or_default();
        let target = match &step.action {
            Action::Operation { operation, .. } => Some(operation.to_string()),
            Action::Call { flow, .. } => Some(flow.to_string()),
            _ => None,
        };
        let record = StepRecord {
            path: self.state.path(self.plan, ended.step),
            title: step.title.clone(),
            kind: step.action.kind(),
            target,
            outcome: ended.outcome,
            attempts: if ended.skipped.is_some() { 0 } else { done.attempts.max(1) },
            skipped: ended.skipped,
            failure: ended.failure,
            output: ended.output.filter(|_| !step.sensitive.output).unwrap_or_default(),
            requests: done.requests,
        };
        self.observer.step_ended(self.state.id(), self.depth, &record);
    }

    fn carry_out(&mut self, command: Command) -> Option<Finished> {
        match command {
            Command::Call { step, attempt, input, may_have_run } => {
                self.done.entry(step).or_default().attempts = attempt;
                let call = self.call(step, attempt, input, may_have_run);
                self.begin(step, call);
            }
            Command::CallFlow { step, input } => self.call_flow(step, input),
            Command::SetTimer { step, timer, after } => {
                if let crate::core::event::Timer::Retry(next) = timer {
                    let path = self.state.path(self.plan, step);
                    let why = self.done.get(&step).map_or("", |done| &done.last_error);
                    self.observer.retrying(self.state.id(), self.depth, &path, next, after, why);
                }
                let fired = async move {
                    tokio::time::sleep(after).await;
                    (Happening::TimerFired { step, timer }, Vec::new())
                };
                self.begin(step, fired.boxed());
            }
            Command::Acquire { step, keys } => self.acquire(step, keys),
            Command::Release { step } => {
                self.claims.remove(&step);
                self.abandon(step);
            }
            Command::Abandon { step } => self.abandon(step),
            Command::Respond { status, headers, body } => {
                let answer = Answer { status, headers, body };
                self.observer.answered(self.state.id(), self.depth, &answer);
                self.answer = Some((answer.status, answer.headers, answer.body));
            }
            Command::Finish { outcome, output, failure } => return Some(Finished { outcome, output, failure }),
        }
        None
    }

    fn abandon(&mut self, step: Address) {
        for handle in self.handles.remove(&step).into_iter().flatten() {
            handle.abort();
        }
    }

    fn acquire(&mut self, step: Address, keys: Vec<String>) {
        let shown = keys.join(", ");
        let (claim, mut told) = self.engine.keys.claim(keys);
        self.claims.insert(step, claim);
        if !matches!(told.try_recv(), Ok(None)) {
            return self.begin(step, std::future::ready((Happening::Acquired { step }, Vec::new())).boxed());
        }
        tracing::info!(run = self.state.id(), step = self.state.path(self.plan, step), keys = shown, "waits for keys");
        let told = async move {
            // The claim is dropped only with the run, or after this was abandoned.
            let _ = told.await;
            (Happening::Acquired { step }, Vec::new())
        };
        self.begin(step, told.boxed());
    }

    fn begin(&mut self, step: Address, work: BoxFuture<'r, Reported>) {
        let (handle, registration) = AbortHandle::new_pair();
        self.handles.entry(step).or_default().push(handle);
        self.in_progress.push(Abortable::new(work, registration).map(Result::ok).boxed());
    }

    fn call(&self, step: Address, attempt: u32, input: Arc<Value>, may_have_run: bool) -> BoxFuture<'r, Reported> {
        let Action::Operation { connection, operation, .. } = &self.plan.step(step.step).action else {
            return Box::pin(std::future::pending());
        };
        let path = self.state.path(self.plan, step);
        let key = idempotency_key(self.state.id(), &path);
        let (gate, observer) = (self.engine.gate(connection), self.observer);
        async move {
            let context = CallContext::new(key, may_have_run);
            let called = match gate {
                Some(gate) => {
                    let input = Arc::unwrap_or_clone(input);
                    gate.call(&operation.operation, input, context.clone(), observer).await
                }
                None => Err(unknown_connection(connection)),
            };
            let kind = match called {
                Ok(output) => Happening::Succeeded { step, attempt, output },
                Err(error) => Happening::Failed { step, attempt, error },
            };
            (kind, context.requests())
        }
        .boxed()
    }

    fn call_flow(&mut self, step: Address, inputs: Value) {
        let plan: &'r Plan = self.plan;
        let Action::Call { flow, .. } = &plan.step(step.step).action else { return };
        let id = format!("{}/{}", self.state.id(), self.state.path(self.plan, step));
        let start = Start { inputs, ..Start::default() };
        let run = self.engine.run_as(id, flow, start, self.depth + 1, self.observer);
        let ended = run.map(move |run| {
            let kind = Happening::FlowEnded { step, outcome: run.outcome, output: run.output, failure: run.failure };
            (kind, Vec::new())
        });
        self.begin(step, ended.boxed());
    }
}

pub(crate) fn unknown_connection(name: &str) -> CallError {
    let message = format!("no connection `{name}` is configured; add it under `connections` in cosell.yaml");
    CallError::rejected("unknown_connection", message)
}

/// The key of a step's effect: the same in every attempt, another for every run and step.
pub fn idempotency_key(run: &str, path: &str) -> Uuid {
    const COSELL: Uuid = Uuid::from_u128(0x6f1d_7c1e_4c0a_5f0e_9b57_3a1c_0e5e_11aa);
    Uuid::new_v5(&COSELL, format!("{run}\n{path}").as_bytes())
}
