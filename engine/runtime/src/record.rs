//! What happened in a run, for people and for machines.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use cosell_model::outcome::SkipReason;
use cosell_model::{Failure, FlowId, Outcome, Value};
use cosell_sdk::{Prediction, RequestRecord};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;

/// A step that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its place in the run: `rows[2]/update`.
    pub path: String,
    /// Its title.
    pub title: String,
    /// The word in YAML that says what it does: `use`, `scope`…
    pub kind: Cow<'static, str>,
    /// The operation it called, or the flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Arc<Failure>>,
    /// What it was given; null where it is sensitive, and where a step takes nothing.
    #[serde(default, skip_serializing_if = "is_null")]
    pub input: Arc<Value>,
    /// What it yields; null where it is sensitive.
    pub output: Arc<Value>,
    /// How often it was tried; 0 where it never began, or is known from an earlier life of the run.
    pub attempts: u32,
    /// How long it took, from its first attempt; none where it never began.
    #[serde(default)]
    pub took: Duration,
    /// The requests made for it, over all attempts.
    pub requests: Vec<RequestRecord>,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRecord {
    /// Its id.
    pub id: String,
    /// Its flow.
    pub flow: FlowId,
    /// How it ended.
    pub outcome: Outcome,
    /// How many events its own event stands for besides: those of a burst that came before.
    #[serde(skip_serializing_if = "is_none")]
    pub left_out: u32,
    /// What it yields.
    pub output: Value,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What it answered, where it did: status, headers, body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<(u16, Value, Value)>,
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
}

/// Stands in for what a call says that was given something sensitive.
pub(crate) const HIDDEN: &str = "what went wrong is not shown, because the step's input is sensitive";

fn is_null(value: &Value) -> bool {
    value.is_null()
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

/// What became of an event when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrived {
    /// It was taken, and is to become a run.
    New,
    /// It came before, and nothing follows.
    Again,
    /// Its flow cannot use it.
    Unusable,
}

/// Someone who wants to know while it happens.
pub trait Observer: Send + Sync {
    /// An event came that a flow wants.
    fn event_arrived(&self, _flow: &FlowId, _how: Arrived) {}

    /// A run begins; `depth` counts the flows that called it.
    fn run_began(&self, _run: &str, _flow: &FlowId, _depth: usize) {}

    /// A step has ended.
    fn step_ended(&self, _run: &str, _depth: usize, _step: &StepRecord) {}

    /// In a dry run: what a step would have written. It is told before the step ends.
    fn foreseen(&self, _run: &str, _depth: usize, _step: &str, _prediction: &Prediction) {}

    /// In a dry run: what of that which is foreseen a step's call leaves aside, and why. It is told before the step ends.
    fn remarked(&self, _run: &str, _depth: usize, _step: &str, _remark: &str) {}

    /// An attempt did not work, and the next one follows after a wait.
    fn retrying(&self, _run: &str, _depth: usize, _step: &str, _next: u32, _after: Duration, _why: &str) {}

    /// Nobody calls this connection until then, unless its service asks for more, and why not.
    fn connection_paused(&self, _connection: &str, _until: Timestamp, _why: &str) {}

    /// The connection is called again.
    fn connection_resumed(&self, _connection: &str) {}

    /// A run has answered whoever started it.
    fn answered(&self, _run: &str, _depth: usize, _answer: &Answer) {}

    /// A run has ended.
    fn run_ended(&self, _depth: usize, _run: &RunRecord) {}
}

/// Two who want to know.
pub struct Both(pub Arc<dyn Observer>, pub Arc<dyn Observer>);

impl Both {
    fn tell(&self, what: impl Fn(&dyn Observer)) {
        what(&*self.0);
        what(&*self.1);
    }
}

impl Observer for Both {
    fn event_arrived(&self, flow: &FlowId, how: Arrived) {
        self.tell(|observer| observer.event_arrived(flow, how));
    }

    fn run_began(&self, run: &str, flow: &FlowId, depth: usize) {
        self.tell(|observer| observer.run_began(run, flow, depth));
    }

    fn step_ended(&self, run: &str, depth: usize, step: &StepRecord) {
        self.tell(|observer| observer.step_ended(run, depth, step));
    }

    fn foreseen(&self, run: &str, depth: usize, step: &str, prediction: &Prediction) {
        self.tell(|observer| observer.foreseen(run, depth, step, prediction));
    }

    fn remarked(&self, run: &str, depth: usize, step: &str, remark: &str) {
        self.tell(|observer| observer.remarked(run, depth, step, remark));
    }

    fn retrying(&self, run: &str, depth: usize, step: &str, next: u32, after: Duration, why: &str) {
        self.tell(|observer| observer.retrying(run, depth, step, next, after, why));
    }

    fn connection_paused(&self, connection: &str, until: Timestamp, why: &str) {
        self.tell(|observer| observer.connection_paused(connection, until, why));
    }

    fn connection_resumed(&self, connection: &str) {
        self.tell(|observer| observer.connection_resumed(connection));
    }

    fn answered(&self, run: &str, depth: usize, answer: &Answer) {
        self.tell(|observer| observer.answered(run, depth, answer));
    }

    fn run_ended(&self, depth: usize, run: &RunRecord) {
        self.tell(|observer| observer.run_ended(depth, run));
    }
}

/// Nobody wants to know.
pub struct Nobody;

impl Observer for Nobody {}
