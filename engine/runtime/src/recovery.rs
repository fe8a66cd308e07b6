//! Going on with a run: its kept events are taken in again, and what they left to do is done.
//!
//! What was commanded and has its answer is not carried out again. What has none is: attempts by an event of their own
//! ([`Happening::Interrupted`]), after which writes find out first; a timer with what is left of its time; a called flow
//! with its own past; keys with the claim that is held for the scope.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cosell_compile::plan::Action;
use cosell_model::{Effect, Outcome, Value};
use cosell_sdk::Meaning;
use jiff::Timestamp;

use crate::core::advance::advance;
use crate::core::event::{Address, Command, Consequences, Event, Happening, Timer};
use crate::core::retry;
use crate::driving::{Driving, Finished};
use crate::keep::{Kept, NotKept, Past};

/// What was commanded and has no answer.
#[derive(Default)]
struct Open {
    calls: BTreeMap<Address, Arc<Value>>,
    flows: BTreeMap<Address, Value>,
    /// With the time at which each is due.
    timers: BTreeMap<(Address, Timer), Timestamp>,
    /// Whether the scope has its keys.
    keys: BTreeMap<Address, (Vec<String>, bool)>,
    finished: Option<Finished>,
}

impl<'r> Driving<'r> {
    /// Takes in what is kept, and goes on with what is open. Gives what happens next, or how the run ended already.
    ///
    /// # Errors
    /// The past is not one of this plan, or an output that is not kept cannot be had again.
    pub(crate) async fn take_up(&mut self, past: Past) -> Result<Result<VecDeque<Happening>, Finished>, NotKept> {
        let run = self.state.id().to_owned();
        if past.began.plan != self.plan.hash {
            return Err(NotKept(format!(
                "run {run} began with another version of flow `{}` than is known under that name; cancel it, or start it anew",
                self.plan.flow
            )));
        }
        let mut open = Open::default();
        for kept in past.events {
            let event = self.whole(kept, &open).await?;
            let at = event.at;
            open.answered(&event.kind);
            let mut out = Consequences::default();
            advance(self.plan, &mut self.state, event, &mut out).map_err(|illegal| {
                NotKept(format!(
                    "the journal of run {run} does not fit its flow ({illegal}): another version of the program wrote it, \
                     or the file is damaged; run `cosell journal check`"
                ))
            })?;
            self.turns += 1;
            for command in out.commands {
                match &command {
                    Command::Call { step, attempt, input, .. } => self.noted(*step, *attempt, Arc::clone(input)),
                    Command::CallFlow { step, input } => self.noted(*step, 1, Arc::new(input.clone())),
                    _ => {}
                }
                match command {
                    Command::Respond { status, headers, body } => self.answer = Some((status, headers, body)),
                    command => open.add(at, command),
                }
            }
        }
        tracing::info!(run, events = self.turns, "a run goes on");
        Ok(self.go_on(open))
    }

    fn go_on(&mut self, open: Open) -> Result<VecDeque<Happening>, Finished> {
        if let Some(finished) = open.finished {
            return Err(finished);
        }
        self.forget_claims(&open);
        for (step, (keys, had)) in open.keys {
            if had {
                self.has_keys(step, keys);
            } else {
                self.carry_out(Command::Acquire { step, keys });
            }
        }
        for ((step, timer), due) in open.timers {
            let after = due.duration_since(Timestamp::now()).try_into().unwrap_or(Duration::ZERO);
            self.carry_out(Command::SetTimer { step, timer, after });
        }
        for (step, input) in open.flows {
            let run = self.call_flow(step, input, true);
            self.begin(step, run);
        }
        Ok(if open.calls.is_empty() { VecDeque::new() } else { VecDeque::from([Happening::Interrupted]) })
    }

    /// Gives up keys that are held for flows that are called no more.
    fn forget_claims(&self, open: &Open) {
        let called: Vec<String> = open
            .flows
            .keys()
            .map(|step| format!("{}/{}", self.state.id(), self.state.path(self.plan, *step)))
            .collect();
        let goes_on = |run: &str| called.iter().any(|called| run == called || run.starts_with(&format!("{called}/")));
        self.engine.forget_claims(self.state.id(), goes_on);
    }

    /// The event with the output that was not kept of it, for which whoever gave it is asked once more.
    async fn whole(&mut self, kept: Kept, open: &Open) -> Result<Event, NotKept> {
        let Kept { mut event, hidden } = kept;
        if !hidden {
            return Ok(event);
        }
        match &mut event.kind {
            Happening::Succeeded { step, attempt, output } => {
                let input = open.calls.get(step).cloned().unwrap_or_default();
                *output = self.call_again(*step, *attempt, input).await?;
            }
            Happening::FlowEnded { step, output, .. } => {
                let inputs = open.flows.get(step).cloned().unwrap_or_default();
                let ended = self.call_flow(*step, inputs, true);
                if let (Happening::FlowEnded { outcome: Outcome::Succeeded, output: again, .. }, _) = ended.await? {
                    *output = again;
                }
            }
            _ => {}
        }
        Ok(event)
    }

    /// Calls an operation that worked before, for its output; as patient as the step is.
    async fn call_again(&mut self, step: Address, attempt: u32, input: Arc<Value>) -> Result<Value, NotKept> {
        let plan = self.plan.step(step.step);
        let wrote = matches!(plan.action, Action::Operation { effect: Effect::Write, .. });
        let policy = plan.retry.clone().unwrap_or_else(|| self.state.default_retry.clone());
        let path = self.state.path(self.plan, step);
        let mut again = 1;
        loop {
            let call = self.call(step, attempt, Arc::clone(&input), wrote);
            let error = match call.await? {
                (Happening::Succeeded { output, .. }, _) => return Ok(output),
                (Happening::Failed { error, .. }, _) => error,
                _ => return Ok(Value::Null),
            };
            let asked = match error.meaning {
                Meaning::Retry { after } => after,
                Meaning::OutcomeUnknown => None,
                Meaning::SignIn | Meaning::Conflict | Meaning::Rejected => return Err(self.lost(&path, &error)),
            };
            if again > policy.count {
                return Err(self.lost(&path, &error));
            }
            tokio::time::sleep(retry::wait(&policy, again, retry::seed(&[self.state.id(), &path]), asked)).await;
            again += 1;
        }
    }

    fn lost(&self, path: &str, error: &cosell_sdk::CallError) -> NotKept {
        NotKept(format!(
            "run {} cannot go on: what step `{path}` yielded is sensitive and therefore not kept, and asking again failed: {error}",
            self.state.id()
        ))
    }
}

impl Open {
    fn answered(&mut self, kind: &Happening) {
        match kind {
            Happening::Succeeded { step, .. } | Happening::Failed { step, .. } => drop(self.calls.remove(step)),
            Happening::FlowEnded { step, .. } => drop(self.flows.remove(step)),
            Happening::TimerFired { step, timer } => drop(self.timers.remove(&(*step, *timer))),
            Happening::Acquired { step } => {
                if let Some((_, had)) = self.keys.get_mut(step) {
                    *had = true;
                }
            }
            Happening::Begun | Happening::Interrupted | Happening::Cancelled => {}
        }
    }

    fn add(&mut self, at: Timestamp, command: Command) {
        match command {
            Command::Call { step, input, .. } => drop(self.calls.insert(step, input)),
            Command::CallFlow { step, input } => drop(self.flows.insert(step, input)),
            Command::SetTimer { step, timer, after } => {
                let due = at.saturating_add(after).unwrap_or(Timestamp::MAX);
                self.timers.insert((step, timer), due);
            }
            Command::Acquire { step, keys } => drop(self.keys.insert(step, (keys, false))),
            Command::Release { step } => {
                self.keys.remove(&step);
                self.abandon(step);
            }
            Command::Abandon { step } => self.abandon(step),
            Command::Finish { outcome, output, failure } => {
                self.finished = Some(Finished { outcome, output, failure });
            }
            Command::Respond { .. } => {}
        }
    }

    fn abandon(&mut self, step: Address) {
        self.calls.remove(&step);
        self.flows.remove(&step);
        self.timers.retain(|(of, _), _| *of != step);
    }
}
