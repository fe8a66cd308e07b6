//! One run being driven: carries out what `advance` commands, and hands what happened over to be kept.
//!
//! This file drives; `calling` is what steps call.

mod calling;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cosell_compile::plan::{Action, Plan};
use cosell_model::flow::Sensitive;
use cosell_model::{Failure, Outcome, Value};
use cosell_sdk::{CallError, RequestRecord};
use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;

use crate::answer::Answer;
use crate::core::advance::advance;
use crate::core::event::{Address, Command, Consequences, Ended, Event, Happening, IllegalEvent, Timer};
use crate::core::state::RunState;
use crate::keep::{ClaimChange, Kept, NotKept, Past, Turn};
use crate::memory::{Claimed, Engine, Flows};
use crate::record::{HIDDEN, Observer, StepRecord};
use crate::running::Again;

/// How a run ended.
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    pub(crate) output: Value,
    pub(crate) failure: Option<Failure>,
}

/// How a run ended, with what it answered.
pub(crate) type Driven = (Finished, Option<(u16, Value, Value)>);

/// What work in progress reports when it ends, with the requests made for it.
pub(crate) type Reported = Result<(Happening, Vec<RequestRecord>), NotKept>;

/// What was done for a step, over all attempts.
#[derive(Default)]
struct Done {
    /// None where nothing was begun for it.
    since: Option<Timestamp>,
    input: Arc<Value>,
    attempts: u32,
    requests: Vec<RequestRecord>,
    last_error: String,
}

/// One run being driven.
pub(crate) struct Driving<'r> {
    pub(crate) engine: &'r Engine,
    flows: &'r Flows,
    pub(crate) plan: &'r Arc<Plan>,
    pub(crate) state: RunState,
    depth: usize,
    /// What the run's caller keeps out of records.
    sensitive: Sensitive,
    observer: &'r dyn Observer,
    in_progress: FuturesUnordered<BoxFuture<'r, Option<Reported>>>,
    handles: HashMap<Address, Vec<AbortHandle>>,
    /// The keys of scopes, had or waited for; they are free when the run ends, however it does.
    claims: HashMap<Address, Claimed>,
    done: HashMap<Address, Done>,
    pub(crate) answer: Option<(u16, Value, Value)>,
    /// How many turns were taken.
    pub(crate) turns: u32,
    /// What is different where the run had ended before.
    again: Arc<Again>,
    /// What worked in earlier lives, by the step's path.
    answers: BTreeMap<String, StepRecord>,
}

impl<'r> Driving<'r> {
    pub(crate) fn new(
        engine: &'r Engine,
        flows: &'r Flows,
        plan: &'r Arc<Plan>,
        state: RunState,
        observer: &'r dyn Observer,
    ) -> Self {
        Self {
            engine,
            flows,
            plan,
            state,
            depth: 0,
            sensitive: Sensitive::default(),
            observer,
            in_progress: FuturesUnordered::new(),
            handles: HashMap::new(),
            claims: HashMap::new(),
            done: HashMap::new(),
            answer: None,
            turns: 0,
            again: Arc::default(),
            answers: BTreeMap::new(),
        }
    }

    /// The same run, called by flows so deep, which keep this out of records; and as it is where it had ended before.
    pub(crate) fn within(mut self, depth: usize, sensitive: Sensitive, again: Arc<Again>) -> Self {
        (self.depth, self.sensitive, self.again) = (depth, sensitive, again);
        self
    }

    /// Drives the run to its end; `past` is what is kept of it already.
    pub(crate) async fn drive(mut self, past: Option<Past>) -> Result<Driven, NotKept> {
        if let Some(keeper) = self.engine.keeper().filter(|_| self.again.life > 0) {
            let answers = keeper.answers(self.state.id()).await?;
            self.answers = answers.into_iter().map(|answer| (answer.path.clone(), answer)).collect();
        }
        let mut happened = match past.filter(|past| !past.events.is_empty()) {
            Some(past) => match self.take_up(past).await? {
                Ok(happened) => happened,
                Err(finished) => return Ok((finished, self.answer.take())),
            },
            None => VecDeque::from([Happening::Begun]),
        };
        loop {
            while let Some(kind) = happened.pop_front() {
                let out = match self.turn(kind) {
                    Ok(out) => out,
                    Err(illegal) => return Ok(self.broken(illegal.to_string())),
                };
                for command in out.commands {
                    if let Some(finished) = self.carry_out(command) {
                        return Ok((finished, self.answer.take()));
                    }
                }
            }
            let next = tokio::select! {
                biased;
                // Called flows are given up with their caller.
                () = self.again.cancel.notified(), if self.depth == 0 => {
                    happened.push_back(Happening::Cancelled);
                    continue;
                }
                next = self.in_progress.next() => next,
            };
            match next {
                Some(Some(Ok((kind, requests)))) => {
                    self.note(&kind, requests);
                    happened.push_back(kind);
                }
                Some(Some(Err(error))) => {
                    self.engine.park(self.state.id());
                    return Err(error);
                }
                Some(None) => {}
                None => return Ok(self.broken("nothing is in progress, and the run has not ended".to_owned())),
            }
        }
    }

    fn broken(&mut self, message: String) -> Driven {
        let failure = Failure::new("engine_error", message);
        (Finished { outcome: Outcome::Failed, output: Value::Null, failure: Some(failure) }, self.answer.take())
    }

    /// Takes in one event, and hands it over to be kept with what follows.
    fn turn(&mut self, kind: Happening) -> Result<Consequences, IllegalEvent> {
        let mut out = Consequences::default();
        // What is taken in again must see the same times, so no event is earlier than the one before.
        let event = Event { at: Timestamp::now().max(self.state.now), kind };
        let kept = self.engine.keeper().is_some().then(|| event.clone());
        advance(self.plan, &mut self.state, event, &mut out)?;
        let steps: Vec<StepRecord> =
            std::mem::take(&mut out.ended).into_iter().map(|ended| self.write_down(ended)).collect();
        // What changes nothing, such as a time limit of a step that has ended, need not be known.
        if let (Some(keeper), Some(event)) = (self.engine.keeper(), kept)
            && !(steps.is_empty() && out.commands.is_empty())
        {
            let claims = self.claim_changes(&event.kind, &out.commands);
            let (run, number, event) = (self.state.id().to_owned(), self.turns, self.hide(event));
            keeper.turned(Turn { run, life: self.again.life, number, event, steps, claims });
            self.turns += 1;
        }
        Ok(out)
    }

    fn claim_changes(&self, kind: &Happening, commands: &[Command]) -> Vec<ClaimChange> {
        let path = |step: &Address| self.state.path(self.plan, *step);
        let had = match kind {
            Happening::Acquired { step } => Some(ClaimChange::Had(path(step))),
            _ => None,
        };
        let followed = commands.iter().filter_map(|command| match command {
            Command::Acquire { step, keys } => Some(ClaimChange::Asked(path(step), keys.clone())),
            Command::Release { step } => Some(ClaimChange::Released(path(step))),
            _ => None,
        });
        had.into_iter().chain(followed).collect()
    }

    /// An event as it may be kept.
    fn hide(&self, mut event: Event) -> Kept {
        let sensitive = |step: &Address| {
            let own = self.plan.step(step.step).sensitive;
            let called = self.sensitive.input || self.sensitive.output;
            Sensitive { input: own.input || called, output: own.output || called }
        };
        let mut hidden = false;
        match &mut event.kind {
            Happening::Succeeded { step, output, .. }
            | Happening::FlowEnded { step, output, outcome: Outcome::Succeeded, .. }
                if sensitive(step).output =>
            {
                *output = Value::Null;
                hidden = true;
            }
            Happening::Failed { step, error, .. } if sensitive(step).input => {
                *error = CallError::new(error.meaning, error.code.as_str(), HIDDEN);
            }
            _ => {}
        }
        Kept { event, hidden }
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

    /// Tells the observer of a step that has ended, and gives the record to keep.
    fn write_down(&mut self, ended: Ended) -> StepRecord {
        let step = self.plan.step(ended.step.step);
        let done = self.done.remove(&ended.step).unwrap_or_default();
        let target = match &step.action {
            Action::Operation { operation, .. } => Some(operation.to_string()),
            Action::Call { flow, .. } => Some(flow.to_string()),
            _ => None,
        };
        let attempts = match &step.action {
            Action::Operation { .. } | Action::Call { .. } => done.attempts,
            _ => u32::from(ended.skipped.is_none()),
        };
        if step.sensitive.output {
            self.engine.yielded(ended.output.as_deref());
        }
        let record = StepRecord {
            path: self.state.path(self.plan, ended.step),
            title: step.title.clone(),
            kind: step.action.kind().into(),
            target,
            outcome: ended.outcome,
            attempts,
            took: done.since.map_or(Duration::ZERO, |since| self.state.now.duration_since(since).unsigned_abs()),
            skipped: ended.skipped,
            failure: ended.failure,
            input: if step.sensitive.input { Arc::default() } else { done.input },
            output: ended.output.filter(|_| !step.sensitive.output).unwrap_or_default(),
            requests: done.requests,
        };
        self.observer.step_ended(self.state.id(), self.depth, &record);
        match self.sensitive {
            Sensitive { input: false, output: false } => record,
            // What comes from a sensitive input, or goes into a sensitive output, may be in everything between.
            _ => StepRecord { input: Arc::default(), output: Arc::default(), ..record },
        }
    }

    pub(crate) fn carry_out(&mut self, command: Command) -> Option<Finished> {
        match command {
            Command::Call { step, attempt, input, may_have_run } => {
                if let Some(output) = self.known(step, &input) {
                    self.noted(step, 0, input);
                    let known = Happening::Succeeded { step, attempt, output };
                    self.begin(step, std::future::ready(Ok((known, Vec::new()))).boxed());
                } else {
                    self.noted(step, attempt, Arc::clone(&input));
                    let call = self.call(step, attempt, input, may_have_run || self.again.life > 0);
                    self.begin(step, call);
                }
            }
            Command::CallFlow { step, input } => {
                if let Some(output) = self.known(step, &input) {
                    self.noted(step, 0, Arc::new(input));
                    let outcome = Outcome::Succeeded;
                    let known = Happening::FlowEnded { step, outcome, output, failure: None };
                    self.begin(step, std::future::ready(Ok((known, Vec::new()))).boxed());
                } else {
                    self.noted(step, 1, Arc::new(input.clone()));
                    let run = self.call_flow(step, input, self.again.life > 0);
                    self.begin(step, run);
                }
            }
            Command::SetTimer { step, timer, after } => {
                let waited = timer == Timer::Wait && self.answers.contains_key(&self.state.path(self.plan, step));
                let skips = match timer {
                    Timer::Wait => self.engine.dry || self.engine.hurried,
                    Timer::Retry(_) => self.engine.hurried,
                    _ => false,
                };
                let after = if waited || skips { Duration::ZERO } else { after };
                if let Timer::Retry(next) = timer {
                    let path = self.state.path(self.plan, step);
                    let why = self.done.get(&step).map_or("", |done| &done.last_error);
                    self.observer.retrying(self.state.id(), self.depth, &path, next, after, why);
                }
                let fired = async move {
                    tokio::time::sleep(after).await;
                    Ok((Happening::TimerFired { step, timer }, Vec::new()))
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

    pub(crate) fn noted(&mut self, step: Address, attempts: u32, input: Arc<Value>) {
        let done = self.done.entry(step).or_default();
        done.since.get_or_insert(self.state.now);
        (done.attempts, done.input) = (attempts, input);
    }

    /// What a step yields that need not be called: it worked in an earlier life with the same input, or a person wants it
    /// to be skipped.
    fn known(&self, step: Address, input: &Value) -> Option<Value> {
        if self.again.life == 0 {
            return None;
        }
        let path = self.state.path(self.plan, step);
        if self.again.skips(self.state.id(), &path) {
            return Some(Value::Null);
        }
        let target = match &self.plan.step(step.step).action {
            Action::Operation { operation, .. } => operation.to_string(),
            Action::Call { flow, .. } => flow.to_string(),
            _ => return None,
        };
        let answer = self.answers.get(&path)?;
        let same = answer.target.as_ref() == Some(&target) && *answer.input == *input;
        same.then(|| Value::clone(&answer.output))
    }

    /// Whether what a step is given is kept out of records.
    fn hides_input(&self, step: Address) -> bool {
        self.plan.step(step.step).sensitive.input || self.sensitive.input || self.sensitive.output
    }

    /// Whether what a step would change is kept out of previews: its input makes the new values, and a record that it
    /// would have read the old ones.
    fn hides_change(&self, step: Address) -> bool {
        self.hides_input(step) || self.plan.step(step.step).sensitive.output
    }

    fn abandon(&mut self, step: Address) {
        for handle in self.handles.remove(&step).into_iter().flatten() {
            handle.abort();
        }
    }

    fn acquire(&mut self, step: Address, keys: Vec<String>) {
        let path = self.state.path(self.plan, step);
        let shown = keys.join(", ");
        let claimed = self.engine.reserved(self.state.id(), &path);
        let (claim, told) = claimed.unwrap_or_else(|| self.engine.claim(keys));
        if told.clone().now_or_never().is_none() {
            tracing::debug!(run = self.state.id(), step = path, keys = shown, "waits for keys");
        }
        // The claim is dropped only with the run, or after this was abandoned.
        let acquired = told.clone().map(move |_| Ok((Happening::Acquired { step }, Vec::new())));
        self.begin(step, acquired.boxed());
        self.claims.insert(step, (claim, told));
    }

    /// Keeps keys that the scope has already.
    pub(crate) fn has_keys(&mut self, step: Address, keys: Vec<String>) {
        let path = self.state.path(self.plan, step);
        let claimed = self.engine.reserved(self.state.id(), &path);
        self.claims.insert(step, claimed.unwrap_or_else(|| self.engine.claim(keys)));
    }

    pub(crate) fn begin(&mut self, step: Address, work: BoxFuture<'r, Reported>) {
        let (handle, registration) = AbortHandle::new_pair();
        self.handles.entry(step).or_default().push(handle);
        self.in_progress.push(Abortable::new(work, registration).map(Result::ok).boxed());
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        for (step, claimed) in std::mem::take(&mut self.claims) {
            let path = self.state.path(self.plan, step);
            self.engine.hold(self.state.id(), path, claimed);
        }
    }
}
