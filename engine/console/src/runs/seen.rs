//! What a page shows of a run's steps, as data.

use std::sync::Arc;

use cosell_compile::plan::Plan;
use cosell_journal::read::Listed;
use cosell_model::Outcome;
use cosell_model::flow::Sensitive;
use cosell_runtime::record::StepRecord;

use super::written::Written;

/// A step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) path: String,
    pub(super) id: String,
    pub(super) title: String,
    /// The operation or flow that it calls, or its kind.
    pub(super) what: String,
    pub(super) state: State,
    /// What is kept of it, once it has ended.
    pub(super) record: Option<Arc<StepRecord>>,
    /// What of it is kept secret, as far as its flow is known.
    pub(super) secret: Option<Sensitive>,
    pub(super) written: Option<Written>,
    pub(super) below: Vec<Group>,
    /// Rounds that are not shown.
    pub(super) more: Option<More>,
}

/// How a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ended(Outcome),
    UnderWay,
    Waits,
}

/// Steps that lie below another.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) kind: Kind,
    /// What opens it alone.
    pub(super) path: String,
    pub(super) steps: Vec<Step>,
    pub(super) more: Option<More>,
}

/// Why steps lie below another.
#[derive(Debug)]
pub(super) enum Kind {
    /// A block, with when it runs.
    Block(String),
    /// A round of a loop, from 0.
    Round(u32),
    /// A run that the step called.
    Called(Arc<Inner>),
}

/// What is not shown: from the one of this number, of so many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct More {
    /// What shows them: the path to open; none for the run itself.
    pub(super) open: Option<String>,
    pub(super) from: usize,
    pub(super) total: usize,
}

/// A run, as far as its steps are concerned.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) listed: Listed,
    /// Where its steps' paths begin.
    pub(super) prefix: String,
    pub(super) plan: Option<Arc<Plan>>,
    /// Whether the plan is the one that the run began in.
    pub(super) exact: bool,
    pub(super) records: Vec<Arc<StepRecord>>,
    /// How many steps are kept in a form that cannot be read.
    pub(super) unreadable: usize,
}

/// What a page shows of a run's steps.
#[derive(Debug)]
pub(super) struct Seen {
    /// The run, or the called one, that the page is about.
    pub(super) inner: Arc<Inner>,
    pub(super) steps: Vec<Step>,
    pub(super) more: Option<More>,
    /// How many steps lie in branches that were not taken, and are left out.
    pub(super) untaken: usize,
}

/// What a reader wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The step or round that is to be shown alone.
    pub(super) open: Option<String>,
    /// From which step, or round, on.
    pub(super) from: usize,
    /// Whether steps in branches that were not taken are shown.
    pub(super) untaken: bool,
}
