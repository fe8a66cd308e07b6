//! What follows when a step ends: for the steps that wait for it, for the block it stands in, for the run.

use std::collections::HashSet;
use std::sync::Arc;

use cosell_compile::plan::{Action, BlockIx, StepIx};
use cosell_model::outcome::SkipReason;
use cosell_model::{Failure, Outcome, Value};

use super::advance::Turn;
use super::event::{Address, Command, Ended};
use super::start::not_computed;
use super::state::Status;

/// How a step ends.
pub(crate) struct Conclusion {
    outcome: Outcome,
    output: Option<Value>,
    failure: Option<Failure>,
    skipped: Option<SkipReason>,
}

/// What a block yields, or how it ended otherwise.
pub(crate) type Held = Result<Value, (Outcome, Failure)>;

impl Conclusion {
    pub(crate) fn of(held: Held) -> Self {
        match held {
            Ok(output) => Self::success(output),
            Err((outcome, failure)) => Self::failure(outcome, failure),
        }
    }

    pub(crate) fn success(output: Value) -> Self {
        Self { outcome: Outcome::Succeeded, output: Some(output), failure: None, skipped: None }
    }

    pub(crate) fn failure(outcome: Outcome, failure: Failure) -> Self {
        Self { outcome, output: None, failure: Some(failure), skipped: None }
    }

    fn skipped(reason: SkipReason) -> Self {
        Self { outcome: Outcome::Skipped, output: None, failure: None, skipped: Some(reason) }
    }
}

impl Turn<'_> {
    /// Ends a step, and everything that ends with it.
    pub(crate) fn end(&mut self, at: Address, conclusion: Conclusion) {
        self.mark(at, conclusion);
        let plan = self.plan;
        let step = plan.step(at.step);
        for waiting in &step.awaited_by {
            let next = Address { step: *waiting, ..at };
            let slot = self.state.slot_mut(plan, next);
            slot.waiting -= 1;
            if slot.waiting == 0 {
                self.ready.push_back(next);
            }
        }
        let holder = plan.block(step.block).holder.filter(|holder| plan.step(*holder).region == step.region);
        match holder {
            Some(holder) => {
                let holder = Address { step: holder, ..at };
                let slot = self.state.slot_mut(plan, holder);
                slot.open -= 1;
                if slot.open == 0 {
                    self.block_ended(holder, step.block);
                }
            }
            None => {
                let frame = &mut self.state.frames[at.frame as usize];
                frame.open -= 1;
                if frame.open == 0 {
                    self.round_ended(at.frame, step.block);
                }
            }
        }
    }

    /// Writes down how a step ended.
    pub(crate) fn mark(&mut self, at: Address, conclusion: Conclusion) {
        let failure = conclusion.failure.map(|failure| Arc::new(self.traced(at, failure)));
        let output = conclusion.output.map(Arc::new);
        let slot = self.state.slot_mut(self.plan, at);
        slot.status = Status::Ended(conclusion.outcome);
        slot.input = None;
        slot.rounds = None;
        let keyed = std::mem::take(&mut slot.keyed);
        slot.output = output.clone();
        slot.failure = failure.clone();
        slot.skipped = conclusion.skipped.clone();
        if keyed {
            self.out.commands.push(Command::Release { step: at });
        }
        self.out.ended.push(Ended {
            step: at,
            outcome: conclusion.outcome,
            output,
            failure,
            skipped: conclusion.skipped,
        });
    }

    /// A failure that names the step it began in. Where that step's input is sensitive, what a message quotes of it is
    /// hidden from everybody.
    fn traced(&self, at: Address, failure: Failure) -> Failure {
        if failure.step.is_some() {
            return failure;
        }
        let step = Some(self.state.path(self.plan, at));
        if self.plan.step(at.step).sensitive.input {
            let message = "what went wrong is not shown, because the step's input is sensitive";
            return Failure { step, ..Failure::new(failure.code, message) };
        }
        Failure { step, ..failure }
    }

    /// Skips a step with everything in it.
    pub(crate) fn skip(&mut self, at: Address, reason: SkipReason, after_failure: bool) {
        self.state.slot_mut(self.plan, at).after_failure = after_failure;
        self.skip_held(at);
        self.end(at, Conclusion::skipped(reason));
    }

    /// Marks the steps that a step holds, of which none has begun.
    pub(crate) fn skip_held(&mut self, at: Address) {
        let action = &self.plan.step(at.step).action;
        if !matches!(action, Action::ForEach { .. } | Action::Until { .. }) {
            for block in action.blocks() {
                self.skip_block(at.frame, block);
            }
        }
    }

    /// Marks the steps of a block that does not run.
    pub(crate) fn skip_block(&mut self, frame: u32, block: BlockIx) {
        let plan = self.plan;
        for step in &plan.block(block).steps {
            let at = Address { frame, step: *step };
            self.mark(at, Conclusion::skipped(SkipReason::NotTaken));
            self.skip_held(at);
        }
    }

    /// Ends the step whose block has ended.
    pub(crate) fn block_ended(&mut self, holder: Address, block: BlockIx) {
        let held = self.held(holder, holder.frame, block);
        self.end(holder, Conclusion::of(held));
    }

    /// How a block ended, with what its holder yields: computed with the data of `frame`, where the block lies.
    pub(crate) fn held(&self, holder: Address, frame: u32, block: BlockIx) -> Held {
        self.block_outcome(frame, block)?;
        let output = &self.plan.step(holder.step).output;
        match output.as_ref().map(|output| output.render(&self.view(frame))) {
            None => Ok(Value::Null),
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err((Outcome::Failed, not_computed(&error))),
        }
    }

    /// Ends the run, whose outermost block has ended.
    pub(crate) fn run_ended(&mut self) {
        if let Err((outcome, failure)) = self.block_outcome(0, BlockIx(0)) {
            return self.finish(outcome, Value::Null, Some(failure));
        }
        self.succeed();
    }

    /// Ends the run in success, with what it yields: its flow's output, or else what it has answered.
    fn succeed(&mut self) {
        let output = match &self.plan.output {
            Some(output) => output.render(&self.view(0)),
            None => Ok(self.state.answer.clone().unwrap_or_default()),
        };
        match output {
            Ok(output) => self.finish(Outcome::Succeeded, output, None),
            Err(error) => self.finish(Outcome::Failed, Value::Null, Some(not_computed(&error))),
        }
    }

    fn finish(&mut self, outcome: Outcome, output: Value, failure: Option<Failure>) {
        self.state.ended = Some(outcome);
        self.ready.clear();
        self.out.commands.push(Command::Finish { outcome, output, failure });
    }

    /// The leaf rule. Leaves are the steps that no sibling waits for; a leaf that was skipped gives way to what it waited
    /// for, and so on back. Of what remains, a failure makes the block failed, else a time-out makes it timed out.
    fn block_outcome(&self, frame: u32, block: BlockIx) -> Result<(), (Outcome, Failure)> {
        let mut seen: HashSet<StepIx> = HashSet::new();
        let mut to_see: Vec<StepIx> = self.plan.block(block).leaves.clone();
        let mut worst: Option<(bool, StepIx)> = None;
        while let Some(step) = to_see.pop() {
            let slot = self.state.slot(self.plan, Address { frame, step });
            match slot.outcome() {
                Some(Outcome::Skipped) if seen.insert(step) => {
                    to_see.extend(self.plan.step(step).waits_for.iter().map(|edge| edge.step));
                }
                Some(outcome @ (Outcome::Failed | Outcome::TimedOut)) => {
                    // A failure outweighs a time-out; of equals, the first in the file is named.
                    let candidate = (outcome == Outcome::TimedOut, step);
                    worst = Some(worst.map_or(candidate, |known| known.min(candidate)));
                }
                _ => {}
            }
        }
        let Some((timed_out, step)) = worst else { return Ok(()) };
        let failure = self.state.slot(self.plan, Address { frame, step }).failure.as_deref().cloned();
        let failure = failure.unwrap_or_else(|| Failure::new("failed", "a step failed"));
        Err((if timed_out { Outcome::TimedOut } else { Outcome::Failed }, failure))
    }

    /// Ends the run before its steps have: what is in progress is cancelled, what has not begun is skipped.
    pub(crate) fn stop(&mut self, outcome: Outcome, failure: Option<Failure>) {
        if self.state.ended.is_some() {
            return;
        }
        for frame in 0..u32::try_from(self.state.frames.len()).unwrap_or(u32::MAX) {
            let region = self.state.frame(frame).region;
            if !self.state.frame(frame).slots.is_empty() {
                let plan = self.plan;
                plan.region(region).slots.iter().for_each(|step| self.cancel_one(Address { frame, step: *step }));
            }
        }
        if outcome == Outcome::Succeeded {
            return self.succeed();
        }
        self.finish(outcome, Value::Null, failure);
    }

    /// Cancels everything inside a step: in its blocks, and in the rounds of its loop.
    pub(crate) fn cancel_inside(&mut self, at: Address) {
        let plan = self.plan;
        let action = &plan.step(at.step).action;
        if let Action::ForEach { .. } | Action::Until { .. } = action {
            let rounds: Vec<u32> = (0u32..)
                .zip(&self.state.frames)
                .filter(|(_, frame)| frame.holder == Some(at) && !frame.slots.is_empty())
                .map(|(number, _)| number)
                .collect();
            for frame in rounds {
                for block in action.blocks() {
                    self.cancel_block(frame, block);
                }
                self.state.frames[frame as usize].slots = Vec::new();
            }
        } else {
            action.blocks().into_iter().for_each(|block| self.cancel_block(at.frame, block));
        }
    }

    fn cancel_block(&mut self, frame: u32, block: BlockIx) {
        let plan = self.plan;
        for step in &plan.block(block).steps {
            let at = Address { frame, step: *step };
            self.cancel_inside(at);
            self.cancel_one(at);
        }
    }

    fn cancel_one(&mut self, at: Address) {
        let slot = self.state.slot(self.plan, at);
        if slot.in_progress() {
            if self.is_remote(at) {
                self.out.commands.push(Command::Abandon { step: at });
            }
            let failure =
                Failure::new("cancelled", "it was in progress when the run, or a step around it, was stopped");
            self.mark(at, Conclusion::failure(Outcome::Cancelled, failure));
        } else if slot.status == Status::Waiting {
            self.state.slot_mut(self.plan, at).after_failure = true;
            self.mark(at, Conclusion::skipped(SkipReason::Stopped));
        }
    }
}
