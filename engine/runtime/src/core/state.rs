//! What is known of a run.

use std::sync::Arc;

use cosell_compile::plan::{Because, BlockIx, Plan, RegionIx, StepIx};
use cosell_model::flow::Retry;
use cosell_model::outcome::SkipReason;
use cosell_model::{Failure, Outcome, Value};
use jiff::Timestamp;

use super::event::Address;
use super::rounds::Rounds;

/// A run: its data, and how far each step is.
#[derive(Clone, Debug)]
pub struct RunState {
    pub(crate) id: String,
    pub(crate) trigger: Value,
    pub(crate) inputs: Value,
    pub(crate) default_retry: Retry,
    pub(crate) started_at: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) frames: Vec<Frame>,
    pub(crate) answer: Option<Value>,
    pub(crate) ended: Option<Outcome>,
}

/// The data of one round of a loop; the first is the run's own.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) region: RegionIx,
    /// The loop step it is a round of.
    pub(crate) holder: Option<Address>,
    pub(crate) item: Value,
    pub(crate) index: usize,
    /// Steps of its outermost block that have not ended.
    pub(crate) open: u32,
    /// By slot. Empty once the round has ended: nothing can mention it any more.
    pub(crate) slots: Vec<Slot>,
}

/// How far a step is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) status: Status,
    /// Steps it still waits for.
    pub(crate) waiting: u32,
    /// Steps of the block it holds that have not ended.
    pub(crate) open: u32,
    /// The current attempt, from 1.
    pub(crate) attempt: u32,
    /// Whether an attempt may have taken effect without our knowing.
    pub(crate) may_have_run: bool,
    /// Whether it has keys, or waits for them.
    pub(crate) keyed: bool,
    /// Whether a failure is behind its being skipped.
    pub(crate) after_failure: bool,
    pub(crate) input: Option<Arc<Value>>,
    pub(crate) output: Option<Arc<Value>>,
    pub(crate) failure: Option<Arc<Failure>>,
    pub(crate) skipped: Option<SkipReason>,
    pub(crate) rounds: Option<Box<Rounds>>,
}

/// Whether a step waits, runs, or has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// It waits for other steps.
    #[default]
    Waiting,
    /// It is in progress.
    Running,
    /// Its next attempt is due when a timer fires.
    Retrying,
    /// It waits for its keys.
    Acquiring,
    /// It has ended.
    Ended(Outcome),
}

impl Slot {
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self.status {
            Status::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    pub(crate) fn in_progress(&self) -> bool {
        matches!(self.status, Status::Running | Status::Retrying | Status::Acquiring)
    }

    /// Whether this, as a predecessor, lets a step run that waits for it along `edge`.
    pub(crate) fn lets_run(&self, edge: &cosell_compile::plan::Edge) -> bool {
        let Some(outcome) = self.outcome() else { return false };
        edge.accepts.contains(outcome)
            || edge.because == Because::Order && outcome == Outcome::Skipped && !self.after_failure
    }
}

impl RunState {
    /// A run that has not begun. `id` is unique among all runs; `inputs` are complete and checked
    /// ([`entry::accept_inputs`](super::entry::accept_inputs)).
    pub fn new(id: impl Into<String>, trigger: Value, inputs: Value, default_retry: Retry) -> Self {
        Self {
            id: id.into(),
            trigger,
            inputs,
            default_retry,
            started_at: Timestamp::UNIX_EPOCH,
            now: Timestamp::UNIX_EPOCH,
            frames: Vec::new(),
            answer: None,
            ended: None,
        }
    }

    /// The run's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How the run ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.ended
    }

    /// How a step outside all loops ended, once it has.
    pub fn step_outcome(&self, plan: &Plan, step: StepIx) -> Option<Outcome> {
        let slot = plan.step(step).slot as usize;
        self.frames.first()?.slots.get(slot)?.outcome()
    }

    /// The place of a step in the run, as people and idempotency keys name it: `rows[2]/update`.
    pub fn path(&self, plan: &Plan, step: Address) -> String {
        let id = plan.step(step.step).id.as_str();
        let frame = &self.frames[step.frame as usize];
        match frame.holder {
            None => id.to_owned(),
            Some(holder) => format!("{}[{}]/{id}", self.path(plan, holder), frame.index),
        }
    }

    /// The number of the round a step is in, of each loop around it, from the outside in.
    pub(crate) fn frame(&self, frame: u32) -> &Frame {
        &self.frames[frame as usize]
    }

    pub(crate) fn slot(&self, plan: &Plan, at: Address) -> &Slot {
        &self.frames[at.frame as usize].slots[plan.step(at.step).slot as usize]
    }

    pub(crate) fn slot_mut(&mut self, plan: &Plan, at: Address) -> &mut Slot {
        &mut self.frames[at.frame as usize].slots[plan.step(at.step).slot as usize]
    }

    /// The step at `at`, unless its round has ended or never was.
    pub(crate) fn live_slot(&self, plan: &Plan, at: Address) -> Option<&Slot> {
        let step = plan.steps.get(at.step.0 as usize)?;
        let frame = self.frames.get(at.frame as usize)?;
        (frame.region == step.region).then(|| frame.slots.get(step.slot as usize)).flatten()
    }

    /// Adds the data of one round, of which the block `body` is to run.
    pub(crate) fn add_frame(
        &mut self,
        plan: &Plan,
        region: RegionIx,
        body: BlockIx,
        holder: Option<Address>,
        (index, item): (usize, Value),
    ) -> u32 {
        let slots = plan.region(region).slots.iter().map(|step| Slot {
            waiting: u32::try_from(plan.step(*step).waits_for.len()).unwrap_or(u32::MAX),
            ..Slot::default()
        });
        let open = u32::try_from(plan.block(body).steps.len()).unwrap_or(u32::MAX);
        self.frames.push(Frame { region, holder, item, index, open, slots: slots.collect() });
        u32::try_from(self.frames.len() - 1).unwrap_or(u32::MAX)
    }
}
