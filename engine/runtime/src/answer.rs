//! The answer of a run to whoever started it, as soon as it is given.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cosell_model::{FlowId, Value};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::record::{Observer, RunRecord, StepRecord};

/// What a run answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// HTTP headers; an object of texts, or null.
    pub headers: Value,
    /// The answer.
    pub body: Value,
}

/// Passes on what happens to another observer, and the run's answer to whoever asked.
pub(crate) struct Answering<'o> {
    observer: &'o dyn Observer,
    asked: Mutex<Option<oneshot::Sender<Answer>>>,
}

impl<'o> Answering<'o> {
    pub(crate) fn new(observer: &'o dyn Observer, asked: Option<oneshot::Sender<Answer>>) -> Self {
        Self { observer, asked: Mutex::new(asked) }
    }
}

impl Observer for Answering<'_> {
    fn run_began(&self, run: &str, flow: &FlowId, depth: usize) {
        self.observer.run_began(run, flow, depth);
    }

    fn step_ended(&self, run: &str, depth: usize, step: &StepRecord) {
        self.observer.step_ended(run, depth, step);
    }

    fn retrying(&self, run: &str, depth: usize, step: &str, next: u32, after: Duration, why: &str) {
        self.observer.retrying(run, depth, step, next, after, why);
    }

    fn connection_paused(&self, connection: &str, until: Timestamp, why: &str) {
        self.observer.connection_paused(connection, until, why);
    }

    fn connection_resumed(&self, connection: &str) {
        self.observer.connection_resumed(connection);
    }

    fn answered(&self, run: &str, depth: usize, answer: &Answer) {
        self.observer.answered(run, depth, answer);
        // A called flow answers its caller's run by its output.
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take_if(|_| depth == 0);
        if let Some(asked) = asked {
            // Whoever asked may have gone.
            let _ = asked.send(answer.clone());
        }
    }

    fn run_ended(&self, depth: usize, run: &RunRecord) {
        self.observer.run_ended(depth, run);
    }
}
