//! A mention, ready to be looked up in a run's data.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

/// One member of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Segment {
    /// A member of a map.
    Key(Arc<str>),
    /// An item of a list, from 0.
    Index(usize),
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// What started the run.
    Trigger,
    /// The flow's inputs.
    Inputs,
    /// Identity and time of the run.
    Run,
    /// The current item of the loop this many loops out (0 is the innermost).
    Item(u32),
    /// The number of the current round, from 0, of the loop this many loops out.
    Index(u32),
    /// The output of a step.
    Step(StepRef),
    /// How a step ended: its outcome, error or reason.
    Outcome(StepRef),
}

/// A step as another step sees it: so many loops out, at this place among the steps there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRef {
    /// How many loop bodies to leave.
    pub loops_out: u32,
    /// The step's place among the steps of that loop body, or of the flow.
    pub slot: u32,
}

/// A mention, ready to be looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Where it begins.
    pub root: Root,
    /// What follows.
    pub segments: Box<[Segment]>,
}

/// A run's data as an expression sees it.
pub trait Scope {
    /// The value at `root`; null for a step that was skipped or has not ended.
    fn value(&self, root: Root) -> Cow<'_, Value>;
}

static NULL: Value = Value::Null;

impl Path {
    /// What stands there. A member that is missing reads as null, and so does anything below null: services leave out
    /// members that are null.
    pub fn get<'s>(&self, scope: &'s dyn Scope) -> Cow<'s, Value> {
        match scope.value(self.root) {
            Cow::Borrowed(value) => Cow::Borrowed(member(value, &self.segments)),
            Cow::Owned(value) if self.segments.is_empty() => Cow::Owned(value),
            Cow::Owned(value) => Cow::Owned(member(&value, &self.segments).clone()),
        }
    }
}

/// What stands below `value` at `segments`; null where nothing does.
pub fn member<'v>(value: &'v Value, segments: &[Segment]) -> &'v Value {
    let mut value = value;
    for segment in segments {
        let next = match (segment, value) {
            (Segment::Key(key), Value::Object(map)) => map.get(&**key),
            (Segment::Index(index), Value::Array(items)) => items.get(*index),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return &NULL,
        }
    }
    value
}
