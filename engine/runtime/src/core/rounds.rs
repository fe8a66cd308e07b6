//! Loops: beginning rounds, and what follows when one ends.

use cosell_compile::plan::{Action, BlockIx, Plan};
use cosell_model::{Failure, Outcome, Value};
use jiff::Timestamp;

use super::advance::Turn;
use super::event::Address;
use super::settle::{Conclusion, Held};
use super::start::not_computed;

/// How far a loop is.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    /// Items whose round has not begun, the next one last.
    items: Vec<Value>,
    begun: usize,
    ended: usize,
    total: usize,
    /// What each round yields, by its number.
    results: Vec<Value>,
    /// The first round, by number, that failed or timed out.
    worst: Option<(bool, usize, Failure)>,
    since: Timestamp,
}

impl Rounds {
    fn new(items: Vec<Value>, since: Timestamp) -> Self {
        let total = items.len();
        let items = items.into_iter().rev().collect();
        Self { items, begun: 0, ended: 0, total, results: vec![Value::Null; total], worst: None, since }
    }

    fn note(&mut self, outcome: Outcome, round: usize, failure: Failure) {
        let candidate = (outcome == Outcome::TimedOut, round, failure);
        let worse = self.worst.as_ref().is_none_or(|known| (candidate.0, candidate.1) < (known.0, known.1));
        if worse {
            self.worst = Some(candidate);
        }
    }
}

impl Turn<'_> {
    pub(crate) fn begin_for_each(&mut self, at: Address, items: Value) -> Result<(), Failure> {
        let Value::Array(items) = items else {
            return Err(Failure::new(
                "not_a_list",
                format!("`for_each` takes a list, and this is {}", kind_of(&items)),
            ));
        };
        if items.is_empty() {
            self.end(at, Conclusion::success(Value::Array(Vec::new())));
            return Ok(());
        }
        let rounds = Rounds::new(items, self.state.now);
        self.state.slot_mut(self.plan, at).rounds = Some(Box::new(rounds));
        self.begin_more_rounds(at);
        Ok(())
    }

    pub(crate) fn begin_until(&mut self, at: Address) {
        let mut rounds = Rounds::new(Vec::new(), self.state.now);
        rounds.begun = 1;
        self.state.slot_mut(self.plan, at).rounds = Some(Box::new(rounds));
        if let Action::Until { body, region, .. } = self.plan.step(at.step).action {
            self.begin_round(region, body, Some(at), (0, self.item_around(at)));
        }
    }

    /// The item that the rounds of an `until` go on to see: they have none of their own.
    fn item_around(&self, at: Address) -> Value {
        self.state.frame(at.frame).item.clone()
    }

    /// Begins as many rounds as may run at once.
    fn begin_more_rounds(&mut self, at: Address) {
        let Action::ForEach { parallel, body, region, .. } = self.plan.step(at.step).action else { return };
        loop {
            let Some(rounds) = self.state.slot_mut(self.plan, at).rounds.as_mut() else { return };
            if rounds.begun - rounds.ended >= parallel as usize {
                return;
            }
            let Some(item) = rounds.items.pop() else { return };
            let number = rounds.begun;
            rounds.begun += 1;
            self.begin_round(region, body, Some(at), (number, item));
        }
    }

    /// A round has ended, or the run itself.
    pub(crate) fn round_ended(&mut self, frame: u32, body: BlockIx) {
        let Some(holder) = self.state.frame(frame).holder else { return self.run_ended() };
        let held = self.held(holder, frame, body);
        if let Action::ForEach { .. } = self.plan.step(holder.step).action {
            let index = self.state.frame(frame).index;
            self.close(frame);
            self.for_each_round_ended(holder, index, held);
        } else {
            let enough = self.is_enough(holder, frame);
            self.close(frame);
            self.until_round_ended(holder, enough, held);
        }
    }

    /// Forgets a round's data: nothing can mention it any more.
    fn close(&mut self, frame: u32) {
        let frame = &mut self.state.frames[frame as usize];
        frame.slots = Vec::new();
        frame.item = Value::Null;
    }

    fn for_each_round_ended(&mut self, at: Address, round: usize, held: Held) {
        let Some(rounds) = self.state.slot_mut(self.plan, at).rounds.as_mut() else { return };
        rounds.ended += 1;
        match held {
            Ok(output) => rounds.results[round] = output,
            Err((outcome, failure)) => rounds.note(outcome, round, failure),
        }
        if rounds.ended < rounds.total {
            return self.begin_more_rounds(at);
        }
        let conclusion = match rounds.worst.take() {
            None => Conclusion::success(Value::Array(std::mem::take(&mut rounds.results))),
            Some((timed_out, _, failure)) => {
                Conclusion::failure(if timed_out { Outcome::TimedOut } else { Outcome::Failed }, failure)
            }
        };
        self.end(at, conclusion);
    }

    /// Whether the condition of an `until` holds with this round's data.
    fn is_enough(&self, holder: Address, frame: u32) -> Result<bool, Failure> {
        let Action::Until { condition, .. } = &self.plan.step(holder.step).action else { return Ok(true) };
        condition.is_true(&self.view(frame)).map_err(|error| not_computed(&error))
    }

    /// Only the last round decides how an `until` ends; a limit that is reached fails it only where the flow says so.
    fn until_round_ended(&mut self, at: Address, enough: Result<bool, Failure>, last: Held) {
        let plan: &Plan = self.plan;
        let Action::Until { count, time, fail_at_limit, body, region, .. } = &plan.step(at.step).action else { return };
        let now = self.state.now;
        let Some(rounds) = self.state.slot_mut(plan, at).rounds.as_mut() else { return };
        let passed = now.duration_since(rounds.since);
        let at_limit = rounds.begun >= *count as usize || passed.unsigned_abs() >= *time;
        let conclusion = match enough {
            Err(failure) => Conclusion::failure(Outcome::Failed, failure),
            Ok(true) => Conclusion::of(last),
            Ok(false) if !at_limit => {
                let number = rounds.begun;
                rounds.begun += 1;
                return self.begin_round(*region, *body, Some(at), (number, self.item_around(at)));
            }
            Ok(false) if *fail_at_limit => {
                let message = format!("its condition did not hold after {} rounds", rounds.begun);
                Conclusion::failure(Outcome::Failed, Failure::new("limit_reached", message))
            }
            Ok(false) => Conclusion::of(last),
        };
        self.end(at, conclusion);
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
