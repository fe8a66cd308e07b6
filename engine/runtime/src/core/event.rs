//! What comes into [`advance`](super::advance::advance), and what goes out.

use std::sync::Arc;
use std::time::Duration;

use cosell_compile::plan::StepIx;
use cosell_model::outcome::SkipReason;
use cosell_model::{Failure, Outcome, Value};
use cosell_sdk::CallError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A step in one round of a loop, or outside all loops (frame 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "(u32, u32)", from = "(u32, u32)")]
pub struct Address {
    /// The round, by the number of its frame in the run's state.
    pub frame: u32,
    /// The step.
    pub step: StepIx,
}

impl From<(u32, u32)> for Address {
    fn from((frame, step): (u32, u32)) -> Self {
        Self { frame, step: StepIx(step) }
    }
}

impl From<Address> for (u32, u32) {
    fn from(at: Address) -> Self {
        (at.frame, at.step.0)
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: Happening,
}

/// What can happen to a run. As JSON it is what journals hold, so names and forms stay as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Happening {
    /// It begins.
    Begun,
    /// An attempt of an operation worked.
    Succeeded {
        /// The step.
        step: Address,
        /// Which attempt, from 1.
        attempt: u32,
        /// What it yields.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        output: Value,
    },
    /// An attempt of an operation did not work.
    Failed {
        /// The step.
        step: Address,
        /// Which attempt, from 1.
        attempt: u32,
        /// Why, and what that means.
        error: CallError,
    },
    /// A called flow ended.
    FlowEnded {
        /// The calling step.
        step: Address,
        /// How.
        outcome: Outcome,
        /// What it yields.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        output: Value,
        /// Why it failed, where it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// A scope has all the keys that it asked for.
    Acquired {
        /// The scope.
        step: Address,
    },
    /// A timer that was set has run down.
    TimerFired {
        /// The step it was set for.
        step: Address,
        /// Which timer.
        timer: Timer,
    },
    /// The program ended while attempts were in progress, and goes on: whether they took effect is not known.
    Interrupted,
    /// Someone cancels the run.
    Cancelled,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// The next attempt: its number.
    Retry(u32),
    /// The step's time limit.
    Timeout,
    /// The end of a `wait`.
    Wait,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Call the step's operation.
    Call {
        /// The step.
        step: Address,
        /// Which attempt, from 1.
        attempt: u32,
        /// Its input.
        input: Arc<Value>,
        /// Whether an earlier attempt may have taken effect.
        may_have_run: bool,
    },
    /// Run the flow that the step calls.
    CallFlow {
        /// The step.
        step: Address,
        /// Its inputs.
        input: Value,
    },
    /// Take these keys for the scope, all at once and as soon as no other scope has one of them, in any run; whoever asked
    /// first comes first.
    Acquire {
        /// The scope.
        step: Address,
        /// The keys: at least one, sorted, each once.
        keys: Vec<String>,
    },
    /// The scope has ended: its keys are free, or are asked for no more. A driver also frees the keys of a run that it
    /// gives up.
    Release {
        /// The scope.
        step: Address,
    },
    /// Tell when time has passed.
    SetTimer {
        /// The step.
        step: Address,
        /// Which timer.
        timer: Timer,
        /// How long.
        after: Duration,
    },
    /// What is in progress for this step no longer matters.
    Abandon {
        /// The step.
        step: Address,
    },
    /// Answer whoever started the run.
    Respond {
        /// HTTP status.
        status: u16,
        /// HTTP headers; an object of texts.
        headers: Value,
        /// The answer.
        body: Value,
    },
    /// The run has ended.
    Finish {
        /// How.
        outcome: Outcome,
        /// What a calling flow gets.
        output: Value,
        /// Why it failed, where it did.
        failure: Option<Failure>,
    },
}

/// A step that has ended, for records and for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The step.
    pub step: Address,
    /// How.
    pub outcome: Outcome,
    /// What it yields, where it succeeded.
    pub output: Option<Arc<Value>>,
    /// Why it failed or timed out.
    pub failure: Option<Arc<Failure>>,
    /// Why it was skipped.
    pub skipped: Option<SkipReason>,
}

/// What follows from one event: to do, and to write down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consequences {
    /// What to do, in order.
    pub commands: Vec<Command>,
    /// The steps that ended, in order.
    pub ended: Vec<Ended>,
}

/// An event that cannot have happened to this run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum IllegalEvent {
    /// It names a step or a round that the run does not have.
    #[error("the run has no step {0:?}")]
    UnknownStep(Address),
    /// It is about a step of another kind: an attempt of a scope, the end of a wait that is none.
    #[error("this cannot happen to a step of the kind of {0:?}")]
    WrongKind(Address),
    /// It is about a step, or an attempt of it, that has not begun.
    #[error("{0:?} has not begun, or not so often")]
    TooEarly(Address),
    /// The run has not begun, or begins twice.
    #[error("a run begins once, and before everything else")]
    NotBegun,
}
