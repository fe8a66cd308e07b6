//! What outlives the process, and who keeps it.
//!
//! `advance` is deterministic, so a run is kept as how it began and the events that it took in: fed to it again, they
//! bring back its state and tell what it still waits for. Whoever keeps runs takes them down in the order in which they
//! are handed over, and says when they are safe.
//!
//! What is sensitive is not kept. Of an event that brought a sensitive output only the fact is, marked as
//! [hidden](Kept::hidden); going on after a restart asks for the output once more: a read is repeated, a write is called
//! with `may_have_run` and finds what it made, a called flow is gone through again from its own events.

use cosell_model::{FlowId, Value};
use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::core::event::Event;
use crate::record::{RunRecord, StepRecord};

/// Keeps runs. Calls return at once; [`settled`](Keeper::settled) says when what was handed over is safe.
pub trait Keeper: Send + Sync {
    /// A run begins.
    fn began(&self, run: Began);

    /// A run took in an event. All of it is kept, or nothing.
    fn turned(&self, turn: Turn);

    /// A run has ended.
    fn ended(&self, run: &RunRecord);

    /// Waits until everything that was handed over for the run, for the run that called it, and for all that these called,
    /// is safe from a crash.
    fn settled(&self, run: &str) -> BoxFuture<'static, Result<(), NotKept>>;

    /// The same, where nothing rests on it but what comes behind the run: it may be kept together with what others are in a
    /// hurry for.
    fn settled_in_time(&self, run: &str) -> BoxFuture<'static, Result<(), NotKept>> {
        self.settled(run)
    }

    /// What is kept of a run; none where it never began.
    fn past(&self, run: &str) -> BoxFuture<'static, Result<Option<Past>, NotKept>>;

    /// What worked in the earlier lives of a run, of steps that are not sensitive; the last of each step.
    fn answers(&self, run: &str) -> BoxFuture<'static, Result<Vec<StepRecord>, NotKept>>;
}

/// A run that begins.
#[derive(Clone, Debug)]
pub struct Began {
    /// Its id; that of a called run is its caller's, a slash, and the calling step's path.
    pub run: String,
    /// Its flow.
    pub flow: FlowId,
    /// The [version](crate::memory::Flows::version) of the flows that it runs in.
    pub version: String,
    /// The [hash](cosell_compile::plan::Plan::hash) of its plan.
    pub plan: u64,
    /// The key of the line it stands in.
    pub key: Option<String>,
    /// What started it.
    pub trigger: Value,
    /// Its inputs as given; null for a called run, which gets them from its caller again.
    pub inputs: Value,
    /// How many events its own stands for besides.
    pub left_out: u32,
    /// How often it was begun again after it had ended.
    pub life: u32,
    /// The steps that a person wants to count as done, with nothing as output.
    pub skipped: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// One event that a run took in, with what is to be seen of what followed.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The run.
    pub run: String,
    /// Which life of the run, from 0.
    pub life: u32,
    /// Its number in that life, from 0, without a gap.
    pub number: u32,
    /// The event.
    pub event: Kept,
    /// The steps that ended.
    pub steps: Vec<StepRecord>,
    /// What became of keys, in order.
    pub claims: Vec<ClaimChange>,
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The event; where it is hidden, without the output.
    pub event: Event,
    /// Whether it brought a sensitive output, which is not kept.
    pub hidden: bool,
}

/// What became of the keys of a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimChange {
    /// The scope at this path asks for keys.
    Asked(String, Vec<String>),
    /// It has them.
    Had(String),
    /// It needs them no more.
    Released(String),
}

/// What is kept of a run.
#[derive(Clone, Debug)]
pub struct Past {
    /// How it began.
    pub began: Began,
    /// What it took in, in order.
    pub events: Vec<Kept>,
}

/// Keys that a scope had, or waited for, when the process ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Reserved {
    /// The run.
    pub run: String,
    /// The scope's path in it.
    pub path: String,
    /// The keys.
    pub keys: Vec<String>,
}

/// What was to be kept is not, or cannot be read. The run stops where it is, and can be gone on with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct NotKept(
    /// What went wrong, and what to do next.
    pub String,
);

/// The run at the beginning of a line of calls: keys, failures to keep and ends are shared by all of them.
pub fn root(run: &str) -> &str {
    run.split_once('/').map_or(run, |(root, _)| root)
}
