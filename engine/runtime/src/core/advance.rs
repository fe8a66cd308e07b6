//! The function: what happened in, what to do out.

use std::collections::VecDeque;

use cosell_compile::plan::{Action, BlockIx, Plan, RegionIx, StepPlan};
use cosell_model::{Effect, Failure, Outcome};
use cosell_sdk::{CallError, Meaning};

use super::event::{Address, Command, Consequences, Event, Happening, IllegalEvent, Timer};
use super::retry;
use super::settle::Conclusion;
use super::state::{RunState, Status};
use super::view::View;

/// Takes in one event: brings `state` forward and adds to `out` what follows from it.
///
/// An event about something that has already ended, or about an earlier attempt, changes nothing: events may come twice
/// and late.
///
/// # Errors
/// An event that cannot have happened to this run; `state` is then unchanged.
pub fn advance(plan: &Plan, state: &mut RunState, event: Event, out: &mut Consequences) -> Result<(), IllegalEvent> {
    check(plan, state, &event.kind)?;
    if state.ended.is_some() {
        return Ok(());
    }
    // A clock that is set back, or an event that comes late, does not turn the run's time back.
    state.now = state.now.max(event.at);
    let mut turn = Turn { plan, state, out, ready: VecDeque::new() };
    turn.take(event.kind);
    while let Some(step) = turn.ready.pop_front() {
        turn.start(step);
    }
    Ok(())
}

/// Refuses what cannot have happened to this run.
fn check(plan: &Plan, state: &RunState, kind: &Happening) -> Result<(), IllegalEvent> {
    let begun = !state.frames.is_empty();
    if begun == matches!(kind, Happening::Begun) {
        return Err(IllegalEvent::NotBegun);
    }
    let Some((at, attempt)) = kind.concerns() else { return Ok(()) };
    let frame = state.frames.get(at.frame as usize).map(|frame| frame.region);
    let step = plan.steps.get(at.step.0 as usize).filter(|step| Some(step.region) == frame);
    let step = step.ok_or(IllegalEvent::UnknownStep(at))?;
    if !kind.can_happen_to(step) {
        return Err(IllegalEvent::WrongKind(at));
    }
    match state.live_slot(plan, at) {
        Some(slot) if slot.attempt < attempt => Err(IllegalEvent::TooEarly(at)),
        _ => Ok(()),
    }
}

impl Happening {
    /// The step it is about, and the attempt that must have begun before.
    fn concerns(&self) -> Option<(Address, u32)> {
        match self {
            Happening::Succeeded { step, attempt, .. } | Happening::Failed { step, attempt, .. } => {
                Some((*step, (*attempt).max(1)))
            }
            Happening::TimerFired { step, timer: Timer::Retry(attempt) } => {
                Some((*step, attempt.saturating_sub(1).max(1)))
            }
            Happening::FlowEnded { step, .. } | Happening::Acquired { step } | Happening::TimerFired { step, .. } => {
                Some((*step, 1))
            }
            Happening::Begun | Happening::Interrupted | Happening::Cancelled => None,
        }
    }

    fn can_happen_to(&self, step: &StepPlan) -> bool {
        match self {
            Happening::Succeeded { .. }
            | Happening::Failed { .. }
            | Happening::TimerFired { timer: Timer::Retry(_), .. } => {
                matches!(step.action, Action::Operation { .. })
            }
            Happening::FlowEnded { .. } => matches!(step.action, Action::Call { .. }),
            Happening::Acquired { .. } => matches!(step.action, Action::Scope { key: Some(_), .. }),
            Happening::TimerFired { timer: Timer::Wait, .. } => {
                matches!(step.action, Action::WaitFor(_) | Action::WaitUntil(_))
            }
            Happening::TimerFired { timer: Timer::Timeout, .. } => step.timeout.is_some(),
            Happening::Begun | Happening::Interrupted | Happening::Cancelled => true,
        }
    }
}

/// One event being taken in.
pub(crate) struct Turn<'t> {
    pub(crate) plan: &'t Plan,
    pub(crate) state: &'t mut RunState,
    pub(crate) out: &'t mut Consequences,
    /// Steps that wait for nothing any more, in the order in which they came to that.
    pub(crate) ready: VecDeque<Address>,
}

impl Turn<'_> {
    fn take(&mut self, kind: Happening) {
        match kind {
            Happening::Begun => {
                self.state.started_at = self.state.now;
                let root = (RegionIx(0), BlockIx(0));
                self.begin_round(root.0, root.1, None, (0, cosell_model::Value::Null));
            }
            Happening::Succeeded { step, attempt, output } => {
                if self.awaits(step, attempt) {
                    self.end(step, Conclusion::success(output));
                }
            }
            Happening::Failed { step, attempt, error } => {
                if self.awaits(step, attempt) {
                    self.attempt_failed(step, attempt, error);
                }
            }
            Happening::FlowEnded { step, outcome, output, failure } => {
                if self.awaits(step, 1) {
                    let path = self.state.path(self.plan, step);
                    self.end(step, called(&path, outcome, output, failure));
                }
            }
            Happening::Acquired { step } => self.acquired(step),
            Happening::TimerFired { step, timer } => self.timer_fired(step, timer),
            Happening::Interrupted => self.interrupted(),
            Happening::Cancelled => {
                let failure = Failure::new("cancelled", "the run was cancelled");
                self.stop(Outcome::Cancelled, Some(failure));
            }
        }
    }

    /// Whether this attempt of the step is the one in progress.
    fn awaits(&self, step: Address, attempt: u32) -> bool {
        let slot = self.state.live_slot(self.plan, step);
        slot.is_some_and(|slot| slot.status == Status::Running && slot.attempt == attempt)
    }

    fn attempt_failed(&mut self, at: Address, attempt: u32, error: CallError) {
        let step = self.plan.step(at.step);
        let policy = step.retry.as_ref().unwrap_or(&self.state.default_retry).clone();
        let asked = match error.meaning {
            Meaning::Retry { after } => Some(after),
            Meaning::OutcomeUnknown => Some(None),
            Meaning::SignIn | Meaning::Conflict | Meaning::Rejected => None,
        };
        let slot = self.state.slot_mut(self.plan, at);
        slot.may_have_run |= error.meaning == Meaning::OutcomeUnknown;
        match asked {
            Some(asked) if attempt <= policy.count => {
                slot.status = Status::Retrying;
                let path = self.state.path(self.plan, at);
                let after = retry::wait(&policy, attempt, retry::seed(&[&self.state.id, &path]), asked);
                self.out.commands.push(Command::SetTimer { step: at, timer: Timer::Retry(attempt + 1), after });
            }
            _ => {
                let failure = Failure { code: error.code, message: error.message, step: None, details: *error.details };
                self.end(at, Conclusion::failure(Outcome::Failed, failure));
            }
        }
    }

    /// Begins the attempts that were in progress once more. A write among them may have taken effect, which all later
    /// attempts of that step are told as well.
    fn interrupted(&mut self) {
        let plan = self.plan;
        for frame in 0..u32::try_from(self.state.frames.len()).unwrap_or(u32::MAX) {
            let region = self.state.frame(frame).region;
            for step in &plan.region(region).slots {
                let at = Address { frame, step: *step };
                let Action::Operation { effect, .. } = &plan.step(*step).action else { continue };
                if self.state.live_slot(plan, at).is_none_or(|slot| slot.status != Status::Running) {
                    continue;
                }
                let slot = self.state.slot_mut(plan, at);
                slot.may_have_run |= *effect == Effect::Write;
                let (attempt, input) = (slot.attempt, slot.input.clone().unwrap_or_default());
                let may_have_run = slot.may_have_run;
                self.out.commands.push(Command::Call { step: at, attempt, input, may_have_run });
            }
        }
    }

    fn timer_fired(&mut self, at: Address, timer: Timer) {
        let Some(slot) = self.state.live_slot(self.plan, at) else { return };
        match timer {
            Timer::Retry(attempt) if slot.status == Status::Retrying && slot.attempt + 1 == attempt => {
                let (input, may_have_run) = (slot.input.clone().unwrap_or_default(), slot.may_have_run);
                let slot = self.state.slot_mut(self.plan, at);
                slot.status = Status::Running;
                slot.attempt = attempt;
                self.out.commands.push(Command::Call { step: at, attempt, input, may_have_run });
            }
            Timer::Wait if slot.status == Status::Running => {
                self.end(at, Conclusion::success(cosell_model::Value::Null))
            }
            Timer::Timeout if slot.in_progress() => {
                let limit = self.plan.step(at.step).timeout.unwrap_or_default();
                let failure = Failure::new("timed_out", format!("it did not end within {limit:?}"));
                self.cancel_inside(at);
                if self.is_remote(at) {
                    self.out.commands.push(Command::Abandon { step: at });
                }
                self.end(at, Conclusion::failure(Outcome::TimedOut, failure));
            }
            _ => {}
        }
    }

    /// Whether something outside the run is in progress for the step.
    pub(crate) fn is_remote(&self, at: Address) -> bool {
        let action = &self.plan.step(at.step).action;
        matches!(action, Action::Operation { .. } | Action::Call { .. } | Action::WaitFor(_) | Action::WaitUntil(_))
    }

    pub(crate) fn view(&self, frame: u32) -> View<'_> {
        View { state: self.state, flow: self.plan.flow.as_str(), frame }
    }
}

/// What the end of a called flow means for the step at `path` that called it. A failure keeps naming the step it began
/// in, as seen from here.
fn called(path: &str, outcome: Outcome, output: cosell_model::Value, failure: Option<Failure>) -> Conclusion {
    match outcome {
        Outcome::Succeeded => Conclusion::success(output),
        other => {
            let mut failure =
                failure.unwrap_or_else(|| Failure::new("flow_failed", format!("the called flow ended as {other}")));
            failure.step = failure.step.map(|step| format!("{path}/{step}"));
            let outcome = if other == Outcome::TimedOut { Outcome::TimedOut } else { Outcome::Failed };
            Conclusion::failure(outcome, failure)
        }
    }
}
