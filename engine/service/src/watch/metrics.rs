//! What is counted and timed, in the text format of Prometheus and OpenMetrics.
//!
//! Labels are names that flows and the configuration give, and outcomes: never anything that an event or an answer brings.

use std::fmt::Error;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use cosell_journal::waits::Waits;
use cosell_model::FlowId;
use cosell_runtime::record::{Arrived, RunRecord, StepRecord};
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds: from a read that was answered from nearby to a run that waits for a service.
const RUNS: [f64; 12] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0];
/// Seconds: from a commit on a fast disk to one on a slow.
const COMMITS: [f64; 9] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEvent {
    flow: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRun {
    flow: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFlow {
    flow: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStep {
    operation: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOperation {
    operation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfConnection {
    connection: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRequest {
    route: String,
    status: u16,
}

/// Makes histograms of how long runs and steps take.
#[derive(Clone)]
struct Times;

impl MetricConstructor<Histogram> for Times {
    fn new_metric(&self) -> Histogram {
        Histogram::new(RUNS)
    }
}

/// Everything that is counted and timed.
pub struct Metrics {
    registry: Registry,
    requests: Family<OfRequest, Counter>,
    events: Family<OfEvent, Counter>,
    runs: Family<OfRun, Counter>,
    run_times: Family<OfFlow, Histogram, Times>,
    steps: Family<OfStep, Counter>,
    step_times: Family<OfOperation, Histogram, Times>,
    attempts: Family<OfOperation, Counter>,
    retries: Counter,
    paused: Family<OfConnection, Gauge>,
    commits: Histogram,
    now: Now,
}

/// What is looked up when somebody asks.
#[derive(Default)]
struct Now {
    in_memory: Gauge,
    open: Gauge,
    dead: Gauge,
    lag: Gauge<f64, AtomicU64>,
    bytes: Gauge,
}

/// How things stand at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    /// Runs and events in memory.
    pub(crate) in_memory: usize,
    pub(crate) waits: Waits,
    /// Size of the journal.
    pub(crate) bytes: i64,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut made = Self {
            registry: Registry::with_prefix("cosell"),
            requests: Family::default(),
            events: Family::default(),
            runs: Family::default(),
            run_times: Family::new_with_constructor(Times),
            steps: Family::default(),
            step_times: Family::new_with_constructor(Times),
            attempts: Family::default(),
            retries: Counter::default(),
            paused: Family::default(),
            commits: Histogram::new(COMMITS),
            now: Now::default(),
        };
        made.register();
        made
    }
}

impl Metrics {
    fn register(&mut self) {
        let all = &mut self.registry;
        all.register("http_requests", "Requests answered, by route and status", self.requests.clone());
        all.register("events", "Events that flows want: new, again, or unusable", self.events.clone());
        all.register("runs", "Runs ended, by flow and outcome", self.runs.clone());
        all.register("run_seconds", "How long runs took", self.run_times.clone());
        all.register("steps", "Steps ended that call something, by what they call and outcome", self.steps.clone());
        all.register("step_seconds", "How long such steps took, with all attempts", self.step_times.clone());
        all.register("attempts", "Attempts of such steps", self.attempts.clone());
        all.register("retries", "Attempts that did not work and were followed by another", self.retries.clone());
        all.register("connection_paused", "1 while a connection is not called", self.paused.clone());
        all.register("journal_commit_seconds", "How long commits of the journal took", self.commits.clone());
        all.register("runs_in_memory", "Runs that wait in memory or are under way", self.now.in_memory.clone());
        all.register("events_open", "Events that wait or whose runs are under way", self.now.open.clone());
        all.register("dead_letters", "Events that became no run", self.now.dead.clone());
        all.register("lag_seconds", "Age of the oldest event whose run has not begun", self.now.lag.clone());
        all.register("journal_bytes", "Bytes in use in the journal", self.now.bytes.clone());
    }

    /// A commit of the journal took so long.
    pub fn commit(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }

    pub(crate) fn request(&self, route: &str, status: u16) {
        self.requests.get_or_create(&OfRequest { route: route.to_owned(), status }).inc();
    }

    pub(crate) fn event(&self, flow: &FlowId, how: Arrived) {
        let result = match how {
            Arrived::New => "new",
            Arrived::Again => "again",
            Arrived::Unusable => "unusable",
        };
        self.events.get_or_create(&OfEvent { flow: flow.to_string(), result }).inc();
    }

    pub(crate) fn run(&self, run: &RunRecord) {
        let flow = run.flow.to_string();
        self.run_times.get_or_create(&OfFlow { flow: flow.clone() }).observe(run.took.as_secs_f64());
        self.runs.get_or_create(&OfRun { flow, outcome: run.outcome.as_str() }).inc();
    }

    /// Steps that only compute are not worth counting.
    pub(crate) fn step(&self, step: &StepRecord) {
        let Some(operation) = step.target.clone().filter(|_| step.attempts > 0) else { return };
        let of = OfOperation { operation: operation.clone() };
        self.step_times.get_or_create(&of).observe(step.took.as_secs_f64());
        self.attempts.get_or_create(&of).inc_by(step.attempts.into());
        self.steps.get_or_create(&OfStep { operation, outcome: step.outcome.as_str() }).inc();
    }

    pub(crate) fn retry(&self) {
        self.retries.inc();
    }

    pub(crate) fn paused(&self, connection: &str, paused: bool) {
        self.paused.get_or_create(&OfConnection { connection: connection.to_owned() }).set(paused.into());
    }

    /// Everything as text, with how things stand now.
    pub(crate) fn text(&self, standing: Standing) -> Result<String, Error> {
        let Standing { in_memory, waits, bytes } = standing;
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.now.in_memory.set(i64::try_from(in_memory).unwrap_or(i64::MAX));
        self.now.open.set(signed(waits.open));
        self.now.dead.set(signed(waits.dead));
        self.now.lag.set(lag(&waits).as_secs_f64());
        self.now.bytes.set(bytes);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// How old the oldest event is that waits; nothing where none does.
pub(crate) fn lag(waits: &Waits) -> Duration {
    waits.oldest.map_or(Duration::ZERO, |oldest| Timestamp::now().duration_since(oldest).try_into().unwrap_or_default())
}
