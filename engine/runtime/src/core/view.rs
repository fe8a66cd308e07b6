//! A run's data as expressions see it from one round.

use std::borrow::Cow;

use cosell_compile::expr::path::{Root, Scope, StepRef};
use cosell_model::Value;
use serde_json::json;

use super::state::{Frame, RunState, Slot};

/// A run's data, seen from one frame.
pub(crate) struct View<'s> {
    pub(crate) state: &'s RunState,
    pub(crate) flow: &'s str,
    pub(crate) frame: u32,
}

static NULL: Value = Value::Null;

impl<'s> View<'s> {
    fn frame(&self, loops_out: u32) -> Option<&'s Frame> {
        let mut frame = self.state.frame(self.frame);
        for _ in 0..loops_out {
            frame = self.state.frame(frame.holder?.frame);
        }
        Some(frame)
    }

    fn slot(&self, step: StepRef) -> Option<&'s Slot> {
        self.frame(step.loops_out)?.slots.get(step.slot as usize)
    }
}

impl Scope for View<'_> {
    fn value(&self, root: Root) -> Cow<'_, Value> {
        match root {
            Root::Trigger => Cow::Borrowed(&self.state.trigger),
            Root::Inputs => Cow::Borrowed(&self.state.inputs),
            Root::Run => Cow::Owned(json!({
                "id": self.state.id,
                "flow": self.flow,
                "started_at": self.state.started_at.to_string(),
                "now": self.state.now.to_string(),
            })),
            Root::Item(loops) => Cow::Borrowed(self.frame(loops).map_or(&NULL, |frame| &frame.item)),
            Root::Index(loops) => Cow::Owned(self.frame(loops).map_or(Value::Null, |frame| Value::from(frame.index))),
            Root::Step(step) => Cow::Borrowed(self.slot(step).and_then(|slot| slot.output.as_deref()).unwrap_or(&NULL)),
            Root::Outcome(step) => Cow::Owned(self.slot(step).map_or(Value::Null, |slot| {
                json!({
                    "outcome": slot.outcome(),
                    "error": slot.failure,
                    "reason": slot.skipped.as_ref().map(ToString::to_string),
                })
            })),
        }
    }
}
