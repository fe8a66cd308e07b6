//! What happens in runs, told at once to whoever looks on. Nobody waits for those who cannot keep up.

use std::sync::Arc;

use cosell_model::Value;
use cosell_runtime::keep::root;
use cosell_runtime::record::{RunRecord, StepRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// How far behind somebody may be who looks on.
const BEHIND: usize = 1024;

/// Something that happened in a run, or in one that it called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happened {
    /// It began, or began once more.
    RunBegan {
        /// Its id; that of a called run is its caller's, a slash, and the calling step's path.
        run: String,
        /// Its flow.
        flow: String,
        /// How many flows called each other down to it.
        depth: usize,
    },
    /// A step has ended.
    StepEnded {
        /// The run.
        run: String,
        /// As for the run's beginning.
        depth: usize,
        /// The step, without what it was given and what it yields.
        step: Value,
    },
    /// An attempt did not work, and the next one follows.
    Retrying {
        /// The run.
        run: String,
        /// As for the run's beginning.
        depth: usize,
        /// The step's path.
        step: String,
        /// The number of the next attempt, from 1.
        next_attempt: u32,
        /// When it follows, in seconds.
        after_seconds: f64,
        /// What went wrong.
        why: String,
    },
    /// It has ended.
    RunEnded {
        /// The run.
        run: String,
        /// As for the run's beginning.
        depth: usize,
        /// How.
        outcome: String,
        /// Why it failed.
        failure: Option<Value>,
        /// How long it took, in seconds.
        took_seconds: f64,
    },
}

impl Happened {
    /// A step that has ended: what it was given and yields is left out, since the run's caller may keep it secret.
    pub(crate) fn step(run: &str, depth: usize, step: &StepRecord) -> Self {
        let told = StepRecord { input: Arc::default(), output: Arc::default(), ..step.clone() };
        Self::StepEnded { run: run.to_owned(), depth, step: json!(told) }
    }

    pub(crate) fn ended(depth: usize, run: &RunRecord) -> Self {
        Self::RunEnded {
            run: run.id.clone(),
            depth,
            outcome: run.outcome.as_str().to_owned(),
            failure: run.failure.as_ref().map(|failure| json!(failure)),
            took_seconds: run.took.as_secs_f64(),
        }
    }

    /// The run, or the called one, in which it happened.
    pub fn run(&self) -> &str {
        let (Self::RunBegan { run, .. }
        | Self::StepEnded { run, .. }
        | Self::Retrying { run, .. }
        | Self::RunEnded { run, .. }) = self;
        run
    }

    /// Whether nothing more follows in the run `root`.
    pub fn is_end_of(&self, root: &str) -> bool {
        matches!(self, Self::RunEnded { run, .. } if run == root)
    }
}

/// The way to those who look on.
pub(crate) struct Live(Sender<Told>);

/// What happened, with the outermost run that it happened in.
pub(crate) type Told = Arc<(String, Happened)>;

impl Default for Live {
    fn default() -> Self {
        Self(channel(BEHIND).0)
    }
}

impl Live {
    pub(crate) fn tell(&self, run: &str, what: impl FnOnce() -> Happened) {
        if self.0.receiver_count() > 0 {
            let _ = self.0.send(Arc::new((root(run).to_owned(), what())));
        }
    }

    pub(crate) fn listen(&self) -> Receiver<Told> {
        self.0.subscribe()
    }
}
