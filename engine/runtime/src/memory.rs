//! The engine: flows and connections, ready to run. Runs are carried out at once; where nobody [keeps](crate::keep) them,
//! nothing is remembered beyond the run. What it does with a run is in `running`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cosell_compile::plan::{Action, Plan};
use cosell_model::flow::Retry;
use cosell_model::{FlowId, Value};
use cosell_sdk::{CallError, Connection, Poll, Tape};
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Shared;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::gate::Gate;
use crate::keep::{Keeper, Reserved, root};
use crate::keys::{Claim, Keys};
use crate::record::Observer;
use crate::recording::Notes;

/// One version of all flows. A run, with every flow that it calls, ends in the version it began in.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    /// Tells versions apart; empty where nobody keeps runs.
    pub version: String,
    /// The plans, by name.
    pub plans: BTreeMap<FlowId, Arc<Plan>>,
    /// How steps are retried that do not say it themselves.
    pub default_retry: Retry,
}

/// The flows and connections of a program, ready to run.
pub struct Engine {
    pub(crate) flows: Flows,
    pub(crate) older: BTreeMap<String, Flows>,
    gates: BTreeMap<String, Gate>,
    pub(crate) keeper: Option<Arc<dyn Keeper>>,
    keys: Keys,
    held: Arc<Mutex<Held>>,
    /// Whether writes are predicted instead of made.
    pub(crate) dry: bool,
    /// Whether waits take no time, those between attempts among them.
    pub(crate) hurried: bool,
    /// What a dry run that is recorded or played notes beside the connections' tapes.
    pub(crate) notes: Option<Notes>,
}

/// Keys of scopes that are not being driven: those of runs to be gone on with.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) claims: HashMap<(String, String), Claimed>,
    pub(crate) parked: HashSet<String>,
    /// Of runs under way: what cancels them.
    pub(crate) cancels: HashMap<String, Arc<Notify>>,
}

/// A claim, and what tells that it has its keys.
pub(crate) type Claimed = (Claim, Shared<oneshot::Receiver<()>>);

/// What a run begins with.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// What started it: `trigger` in the flow.
    pub trigger: Value,
    /// Its inputs, as given.
    pub inputs: Value,
    /// How many events `trigger` stands for besides: those of a burst that came before.
    pub left_out: u32,
}

impl Engine {
    /// An engine over `plans`, whose operations go to `connections` by name; `default_retry` is for steps that do not
    /// say how they are retried.
    pub fn new(
        plans: BTreeMap<FlowId, Arc<Plan>>,
        connections: BTreeMap<String, Connection>,
        default_retry: Retry,
    ) -> Self {
        let flows = Flows { version: String::new(), plans, default_retry };
        let gates = connections.into_iter().map(|(name, open)| (name.clone(), Gate::new(&name, open))).collect();
        Self {
            flows,
            older: BTreeMap::new(),
            gates,
            keeper: None,
            keys: Keys::default(),
            held: Arc::default(),
            dry: false,
            hurried: false,
            notes: None,
        }
    }

    /// The same engine, whose calls wait for a service that is down, however long, instead of spending their attempts:
    /// for what runs day and night.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.gates = self.gates.into_iter().map(|(name, gate)| (name, gate.patient())).collect();
        self
    }

    /// The same engine for a dry run: reads are real, writes are predicted and told to the
    /// [observer](Observer::foreseen), and what a write would have left behind is what later reads find. Waits take no time.
    #[must_use]
    pub fn dry(mut self) -> Self {
        self.gates = self.gates.into_iter().map(|(name, gate)| (name, gate.dry())).collect();
        self.dry = true;
        self
    }

    /// Another engine for a [dry run](Self::dry) of the flows of this one, beside its runs: over the same connections,
    /// whose limits both keep to together. Nobody keeps its runs, and its scopes keep nobody from their keys.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        Self {
            flows: Flows { version: String::new(), ..self.flows.clone() },
            older: BTreeMap::new(),
            gates: self.gates.iter().map(|(name, gate)| (name.clone(), gate.rehearsal())).collect(),
            keeper: None,
            keys: Keys::default(),
            held: Arc::default(),
            notes: None,
            dry: true,
            hurried: false,
        }
    }

    /// The same engine with a tape for each connection, by its name.
    pub(crate) fn taped(mut self, tape: impl Fn(&str) -> Tape) -> Self {
        self.gates = self.gates.into_iter().map(|(name, gate)| (name.clone(), gate.taped(tape(&name)))).collect();
        self.notes = Some(Notes::default());
        self
    }

    /// The tapes, by their connections' names.
    pub(crate) fn tapes(&self) -> impl Iterator<Item = (&str, &Tape)> {
        self.gates.iter().filter_map(|(name, gate)| Some((name.as_str(), gate.tape()?)))
    }

    /// The same engine for tests against stand-ins: what waits, as a step or before another attempt, goes on at once.
    #[must_use]
    pub fn hurried(mut self) -> Self {
        self.hurried = true;
        self
    }

    /// The same engine with another default for retries.
    #[must_use]
    pub fn with_default_retry(mut self, default_retry: Retry) -> Self {
        self.flows.default_retry = default_retry;
        self
    }

    /// The same engine, whose runs are kept: the flows it has now are `version`, and `older` are those in which runs that
    /// are under way began.
    #[must_use]
    pub fn kept_by(mut self, keeper: Arc<dyn Keeper>, version: String, older: Vec<Flows>) -> Self {
        self.keeper = Some(keeper);
        self.flows.version = version;
        self.older = older.into_iter().map(|flows| (flows.version.clone(), flows)).collect();
        self
    }

    /// The same engine in place of another: it shares the keys with the runs that go on there, and knows its flows.
    #[must_use]
    pub fn succeeding(mut self, other: &Engine) -> Self {
        (self.keys, self.held) = (other.keys.clone(), Arc::clone(&other.held));
        self.older.extend(other.older.clone());
        self.older.insert(other.flows.version.clone(), other.flows.clone());
        self
    }

    /// How steps are retried that do not say it themselves.
    pub(crate) fn default_retry(&self) -> &Retry {
        &self.flows.default_retry
    }

    /// The flow's plan.
    pub fn plan(&self, flow: &FlowId) -> Option<&Arc<Plan>> {
        self.flows.plans.get(flow)
    }

    /// The version of the flows as they are now.
    pub fn version(&self) -> &str {
        &self.flows.version
    }

    /// The flow's plan in a version of the flows; none where that version is not known any more, or has no such flow.
    pub fn plan_in(&self, version: &str, flow: &FlowId) -> Option<&Arc<Plan>> {
        let flows = if version == self.flows.version { Some(&self.flows) } else { self.older.get(version) };
        flows?.plans.get(flow)
    }

    /// All plans, by name.
    pub fn plans(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.flows.plans.values()
    }

    /// The connection of this name.
    pub fn connection(&self, name: &str) -> Option<&Connection> {
        self.gates.get(name).map(Gate::connection)
    }

    /// The names of all connections, in order.
    pub fn connections(&self) -> impl Iterator<Item = &str> {
        self.gates.keys().map(String::as_str)
    }

    /// The name of the connection that the flows use for a connector; it may have a name of its own.
    pub fn connection_for(&self, connector: &str) -> Option<&str> {
        let mut steps = self.plans().flat_map(|plan| &plan.steps);
        steps.find_map(|step| match &step.action {
            Action::Operation { connection, operation, .. } if &*operation.connector == connector => {
                Some(connection.as_str())
            }
            _ => None,
        })
    }

    /// The connection of this name, with the line of those who call.
    pub(crate) fn gate(&self, name: &str) -> Option<&Gate> {
        self.gates.get(name)
    }

    /// Asks a connection's trigger what happened, within the connection's limits.
    ///
    /// # Errors
    /// Whatever goes wrong, with what it means; `unknown_connection` where there is none of this name.
    pub async fn poll(
        &self,
        connection: &str,
        trigger: &str,
        with: Value,
        cursor: Option<Value>,
        observer: &dyn Observer,
    ) -> Result<Poll, CallError> {
        match self.gates.get(connection) {
            Some(gate) => gate.poll(trigger, with, cursor, observer).await,
            None => Err(unknown_connection(connection)),
        }
    }

    pub(crate) fn keeper(&self) -> Option<&Arc<dyn Keeper>> {
        self.keeper.as_ref()
    }

    /// Claims keys for a scope.
    pub(crate) fn claim(&self, keys: Vec<String>) -> Claimed {
        let (claim, told) = self.keys.claim(keys);
        (claim, told.shared())
    }

    /// Claims keys that scopes had or waited for when the process ended, in this order: before any run begins or goes on,
    /// so that nobody gets them in between.
    pub fn reserve(&self, reserved: Vec<Reserved>) {
        for Reserved { run, path, keys } in reserved {
            let claimed = self.claim(keys);
            self.held().claims.insert((run, path), claimed);
        }
    }

    /// Takes over the claim that is held for a scope.
    pub(crate) fn reserved(&self, run: &str, path: &str) -> Option<Claimed> {
        self.held().claims.remove(&(run.to_owned(), path.to_owned()))
    }

    /// Holds a claim of a run that stops being driven, if it is to be gone on with; else its keys are free.
    pub(crate) fn hold(&self, run: &str, path: String, claimed: Claimed) {
        let mut held = self.held();
        if held.parked.contains(root(run)) {
            held.claims.insert((run.to_owned(), path), claimed);
        }
    }

    /// Gives up keys that are held for runs that `run` called, unless they go on.
    pub(crate) fn forget_claims(&self, run: &str, goes_on: impl Fn(&str) -> bool) {
        let under = format!("{run}/");
        self.held().claims.retain(|(of, _), _| !of.starts_with(&under) || goes_on(of));
    }

    /// Cancels a run under way. False where there is none of this id.
    pub fn cancel(&self, run: &str) -> bool {
        self.held().cancels.get(run).map(|cancel| cancel.notify_one()).is_some()
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn unknown_connection(name: &str) -> CallError {
    let message = format!("no connection `{name}` is configured; add it under `connections` in cosell.yaml");
    CallError::rejected("unknown_connection", message)
}

/// The key of a step's effect: the same in every attempt, another for every run and step.
pub fn idempotency_key(run: &str, path: &str) -> Uuid {
    const COSELL: Uuid = Uuid::from_u128(0x6f1d_7c1e_4c0a_5f0e_9b57_3a1c_0e5e_11aa);
    Uuid::new_v5(&COSELL, format!("{run}\n{path}").as_bytes())
}
