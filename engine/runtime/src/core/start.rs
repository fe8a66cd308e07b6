//! What each kind of step does when nothing holds it back any more.

use std::sync::Arc;

use cosell_compile::expr::template::{EvaluationError, Template};
use cosell_compile::mapping::Mapping;
use cosell_compile::mapping::merge::Merging;
use cosell_compile::parse_duration;
use cosell_compile::plan::{Action, BlockIx, RegionIx};
use cosell_model::outcome::SkipReason;
use cosell_model::{Failure, Outcome, Value};
use jiff::Timestamp;

use super::advance::Turn;
use super::event::{Address, Command, Timer};
use super::settle::Conclusion;
use super::state::Status;

/// An expression that could not be computed, as a step's failure.
pub(crate) fn not_computed(error: &EvaluationError) -> Failure {
    Failure::new("expression_failed", error.to_string())
}

/// Whether a case stands for `value`: types matter, but 3 and 3.0 are one number, as they are in expressions.
fn is_same(case: &Value, value: &Value) -> bool {
    match (case, value) {
        (Value::Number(case), Value::Number(number)) if case.is_f64() != number.is_f64() => {
            case.as_f64() == number.as_f64()
        }
        _ => case == value,
    }
}

fn read_instant(value: &Value) -> Result<Timestamp, Failure> {
    value.as_str().unwrap_or_default().parse().map_err(|_| {
        Failure::new("not_an_instant", format!("{value} is not an instant such as `2026-11-02T08:00:00Z`"))
    })
}

impl Turn<'_> {
    /// Starts a step all of whose predecessors have ended, or skips it.
    pub(crate) fn start(&mut self, at: Address) {
        let step = self.plan.step(at.step);
        if self.state.live_slot(self.plan, at).is_none_or(|slot| slot.status != Status::Waiting) {
            return;
        }
        let refused = step.waits_for.iter().find_map(|edge| {
            let before = self.state.slot(self.plan, Address { step: edge.step, ..at });
            (!before.lets_run(edge)).then_some((edge.step, before.outcome()))
        });
        if let Some((before, outcome)) = refused {
            let reason = SkipReason::Dependency {
                step: self.plan.step(before).id.to_string(),
                outcome: outcome.unwrap_or(Outcome::Skipped),
            };
            let after_failure = self.failure_before(at);
            return self.skip(at, reason, after_failure);
        }
        match step.when.as_ref().map(|when| when.is_true(&self.view(at.frame))) {
            Some(Ok(false)) => return self.skip(at, SkipReason::Condition, false),
            Some(Err(error)) => return self.fail(at, not_computed(&error)),
            Some(Ok(true)) | None => {}
        }
        let slot = self.state.slot_mut(self.plan, at);
        slot.status = Status::Running;
        slot.attempt = 1;
        if let Some(after) = step.timeout {
            self.out.commands.push(Command::SetTimer { step: at, timer: Timer::Timeout, after });
        }
        if let Err(failure) = self.act(at) {
            self.fail(at, failure);
        }
    }

    /// Fails a step in which nothing has begun: what it holds never will.
    fn fail(&mut self, at: Address, failure: Failure) {
        self.skip_held(at);
        self.end(at, Conclusion::failure(Outcome::Failed, failure));
    }

    /// Whether a failure is behind the refusal: then writes that only keep their order stop as well.
    fn failure_before(&self, at: Address) -> bool {
        self.plan.step(at.step).waits_for.iter().any(|edge| {
            let before = self.state.slot(self.plan, Address { step: edge.step, ..at });
            let failed = match before.outcome() {
                Some(Outcome::Failed | Outcome::TimedOut | Outcome::Cancelled) => true,
                Some(Outcome::Skipped) => before.after_failure,
                _ => false,
            };
            failed && !before.lets_run(edge)
        })
    }

    pub(super) fn render(&self, template: &Template, at: Address) -> Result<Value, Failure> {
        template.render(&self.view(at.frame)).map_err(|error| not_computed(&error))
    }

    fn render_optional(&self, template: Option<&Template>, at: Address) -> Result<Value, Failure> {
        template.map_or(Ok(Value::Null), |template| self.render(template, at))
    }

    fn act(&mut self, at: Address) -> Result<(), Failure> {
        let plan = self.plan;
        match &plan.step(at.step).action {
            Action::Operation { input, .. } => {
                let input = Arc::new(self.render(input, at)?);
                self.state.slot_mut(plan, at).input = Some(Arc::clone(&input));
                self.out.commands.push(Command::Call { step: at, attempt: 1, input, may_have_run: false });
            }
            Action::Call { input, .. } => {
                let input = self.render(input, at)?;
                self.out.commands.push(Command::CallFlow { step: at, input });
            }
            Action::Scope { key, body } => self.begin_scope(at, key.as_ref(), *body)?,
            Action::If { condition, then, otherwise } => {
                let holds = condition.is_true(&self.view(at.frame)).map_err(|error| not_computed(&error))?;
                let (taken, left) = if holds { (*then, *otherwise) } else { (*otherwise, *then) };
                self.skip_block(at.frame, left);
                self.begin_block(at, taken);
            }
            Action::Switch { on, cases, default } => {
                let value = self.render(on, at)?;
                let taken = cases.iter().find(|(case, _)| is_same(case, &value)).map_or(*default, |(_, block)| *block);
                for block in cases.iter().map(|(_, block)| *block).chain([*default]).filter(|block| *block != taken) {
                    self.skip_block(at.frame, block);
                }
                self.begin_block(at, taken);
            }
            Action::ForEach { items, .. } => {
                let items = self.render(items, at)?;
                self.begin_for_each(at, items)?;
            }
            Action::Until { .. } => self.begin_until(at),
            Action::Let(values) => {
                let values = self.render(values, at)?;
                self.end(at, Conclusion::success(values));
            }
            Action::Map { mapping, from, record } => {
                let mapped = {
                    let view = self.view(at.frame);
                    let record = record.evaluate(&view).map_err(|error| not_computed(&error))?;
                    mapping.apply(*from, &record).map_err(|error| Failure::new("mapping_failed", error.to_string()))?
                };
                self.end(at, Conclusion::success(mapped));
            }
            Action::Compare { mapping, from, leading, following } => {
                let differences = {
                    let view = self.view(at.frame);
                    let leading = leading.evaluate(&view).map_err(|error| not_computed(&error))?;
                    let following = following.evaluate(&view).map_err(|error| not_computed(&error))?;
                    let compared = mapping.compare(*from, &leading, &following);
                    compared.map_err(|error| Failure::new("mapping_failed", error.to_string()))?
                };
                self.end(at, Conclusion::success(differences));
            }
            Action::Merge { mapping, from, records, agreed, changed } => {
                let merged = self.merge(at, mapping, *from, [&records[0], &records[1]], agreed.as_ref(), changed)?;
                self.end(at, Conclusion::success(merged));
            }
            Action::WaitFor(time) => {
                let time = self.render(time, at)?;
                let text = time.as_str().unwrap_or_default();
                let after = parse_duration(text).map_err(|_| {
                    Failure::new("not_a_duration", format!("{time} is not a duration such as `30s` or `5m`"))
                })?;
                self.out.commands.push(Command::SetTimer { step: at, timer: Timer::Wait, after });
            }
            Action::WaitUntil(instant) => {
                let instant = self.render(instant, at)?;
                let until = read_instant(&instant)?;
                let after = until.duration_since(self.state.now).try_into().unwrap_or_default();
                self.out.commands.push(Command::SetTimer { step: at, timer: Timer::Wait, after });
            }
            Action::Respond { status, headers, body } => {
                let status = self.render_optional(status.as_ref(), at)?;
                let headers = self.render_optional(headers.as_ref(), at)?;
                let body = self.render_optional(body.as_ref(), at)?;
                self.respond(at, &status, headers, body)?;
            }
            Action::Stop { outcome, code, message } => {
                let code = self.render_optional(code.as_ref(), at)?;
                let message = self.render_optional(message.as_ref(), at)?;
                let failure = (*outcome != Outcome::Succeeded).then(|| Failure {
                    step: Some(self.state.path(plan, at)),
                    ..Failure::new(
                        code.as_str().unwrap_or("stopped"),
                        message.as_str().unwrap_or("the flow stopped the run"),
                    )
                });
                // Only marked: its end must not end the blocks around it before the run is stopped.
                self.mark(at, Conclusion::success(Value::Null));
                self.stop(*outcome, failure);
            }
        }
        Ok(())
    }

    fn merge(
        &self,
        at: Address,
        mapping: &Mapping,
        from: usize,
        records: [&Template; 2],
        agreed: Option<&Template>,
        changed: &[Option<Template>; 2],
    ) -> Result<Value, Failure> {
        let view = self.view(at.frame);
        let [left, right] = records.map(|record| record.evaluate(&view).map_err(|error| not_computed(&error)));
        let records = [left?, right?];
        let agreed = self.render_optional(agreed, at)?;
        if !agreed.is_null() && !agreed.is_object() {
            let message =
                format!("`agreed` is what an earlier merge yielded as `agreed`, or null, and this is {agreed}");
            return Err(Failure::new("not_agreed", message));
        }
        let mut times = [None, None];
        for (time, template) in times.iter_mut().zip(changed) {
            let given = self.render_optional(template.as_ref(), at)?;
            *time = if given.is_null() { None } else { Some(read_instant(&given)?) };
        }
        let merging = Merging { from, records: [&*records[0], &*records[1]], agreed: &agreed, changed: times };
        mapping.merge(&merging).map_err(|error| Failure::new("mapping_failed", error.to_string()))
    }

    fn respond(&mut self, at: Address, status: &Value, headers: Value, body: Value) -> Result<(), Failure> {
        if self.state.answer.is_some() {
            return Err(Failure::new("already_answered", "the run has already answered; a run answers once"));
        }
        let code = if status.is_null() { Some(200) } else { status.as_u64() };
        let code = code.filter(|code| matches!(code, 200..=299 | 400..=599)).and_then(|code| u16::try_from(code).ok());
        let status = code.ok_or_else(|| {
            Failure::new("not_a_status", format!("{status} is not an HTTP status of 2xx, 4xx or 5xx"))
        })?;
        self.state.answer = Some(body.clone());
        self.out.commands.push(Command::Respond { status, headers, body });
        self.end(at, Conclusion::success(Value::Null));
        Ok(())
    }

    /// Begins a block that a step holds in its own round.
    pub(super) fn begin_block(&mut self, holder: Address, block: BlockIx) {
        let steps = &self.plan.block(block).steps;
        if steps.is_empty() {
            return self.block_ended(holder, block);
        }
        self.state.slot_mut(self.plan, holder).open = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        self.ready_up(holder.frame, block);
    }

    /// Begins a round of a loop, or the run itself.
    pub(crate) fn begin_round(
        &mut self,
        region: RegionIx,
        body: BlockIx,
        holder: Option<Address>,
        item: (usize, Value),
    ) {
        let frame = self.state.add_frame(self.plan, region, body, holder, item);
        if self.plan.block(body).steps.is_empty() {
            return self.round_ended(frame, body);
        }
        self.ready_up(frame, body);
    }

    /// The steps of a block that wait for nothing are ready.
    fn ready_up(&mut self, frame: u32, block: BlockIx) {
        let plan = self.plan;
        let free = plan.block(block).steps.iter().filter(|step| plan.step(**step).waits_for.is_empty());
        self.ready.extend(free.map(|step| Address { frame, step: *step }));
    }
}
