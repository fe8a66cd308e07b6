//! What happens, for those who look on: [`metrics`] counts and times it, [`live`] tells it at once.

pub mod live;
pub mod metrics;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cosell_model::FlowId;
use cosell_runtime::record::{Arrived, Observer, RunRecord, StepRecord};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch::Receiver;

use crate::registration::{Overview, Registrations};
use live::{Happened, Live};
use metrics::Metrics;

/// An observer of everything that the service does; clones share what they saw.
#[derive(Clone, Default)]
pub struct Watch {
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    metrics: Metrics,
    live: Live,
    pauses: Mutex<BTreeMap<String, Pause>>,
    hooks: Mutex<Option<Receiver<Overview>>>,
}

/// A connection that is not called for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pause {
    /// Until when, unless its service asks for more.
    pub until: Timestamp,
    /// Why.
    pub why: String,
}

impl Watch {
    /// What is counted and timed.
    pub fn metrics(&self) -> &Metrics {
        &self.seen.metrics
    }

    /// What happens from now on.
    pub(crate) fn live(&self) -> &Live {
        &self.seen.live
    }

    /// The connections that are not called now, by name.
    pub fn pauses(&self) -> BTreeMap<String, Pause> {
        self.paused().clone()
    }

    /// From now on these tell whether remote systems call this service.
    pub fn asks(&self, registrations: &Registrations) {
        *self.looked() = Some(registrations.overview());
    }

    /// Whether remote systems call this service, as it was last found.
    pub(crate) fn hooks(&self) -> Overview {
        self.looked().as_ref().map(|overview| overview.borrow().clone()).unwrap_or_default()
    }

    fn looked(&self) -> MutexGuard<'_, Option<Receiver<Overview>>> {
        self.seen.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paused(&self) -> MutexGuard<'_, BTreeMap<String, Pause>> {
        self.seen.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn event_arrived(&self, flow: &FlowId, how: Arrived) {
        self.metrics().event(flow, how);
    }

    fn run_began(&self, run: &str, flow: &FlowId, depth: usize) {
        self.live().tell(run, || Happened::RunBegan { run: run.to_owned(), flow: flow.to_string(), depth });
    }

    fn step_ended(&self, run: &str, depth: usize, step: &StepRecord) {
        self.metrics().step(step);
        self.live().tell(run, || Happened::step(run, depth, step));
    }

    fn retrying(&self, run: &str, depth: usize, step: &str, next: u32, after: Duration, why: &str) {
        self.metrics().retry();
        self.live().tell(run, || Happened::Retrying {
            run: run.to_owned(),
            depth,
            step: step.to_owned(),
            next_attempt: next,
            after_seconds: after.as_secs_f64(),
            why: why.to_owned(),
        });
    }

    fn connection_paused(&self, connection: &str, until: Timestamp, why: &str) {
        self.metrics().paused(connection, true);
        self.paused().insert(connection.to_owned(), Pause { until, why: why.to_owned() });
    }

    fn connection_resumed(&self, connection: &str) {
        self.metrics().paused(connection, false);
        self.paused().remove(connection);
    }

    fn run_ended(&self, depth: usize, run: &RunRecord) {
        if depth == 0 {
            self.metrics().run(run);
        }
        self.live().tell(&run.id, || Happened::ended(depth, run));
    }
}
