//! From events to runs: runs with equal keys go one at a time, in order of arrival; others side by side.
//!
//! What arrives goes through an [`Inbox`] first: where it is a journal, an event that was taken is not lost any more.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cosell_model::flow::TriggerSource;
use cosell_model::{FlowId, Value};
use cosell_sdk::TriggerEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use uuid::Uuid;

use crate::core::entry;
use crate::keep::NotKept;
use crate::memory::{Engine, Start};
use crate::record::Observer;

/// How many events are remembered in memory to recognise a second delivery.
const REMEMBERED: usize = 10_000;

/// How soon a run that is parked is gone on with, at first and at most.
const PARKED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// Where events are taken in.
pub trait Inbox: Send + Sync {
    /// Takes what arrived, all of it or nothing, and says of each whether it is new. `position` is where the flow's
    /// trigger goes on asking.
    fn receive(
        &self,
        arrivals: Vec<Arrival>,
        position: Option<(FlowId, Value)>,
    ) -> BoxFuture<'static, Result<Vec<bool>, NotKept>>;

    /// What was taken, or was under way, when the process ended, in order of arrival.
    ///
    /// # Errors
    /// It cannot be read.
    fn open(&self) -> Result<Vec<Entry>, NotKept>;

    /// Where the flow's trigger goes on asking; none the first time.
    ///
    /// # Errors
    /// It cannot be read.
    fn position(&self, flow: &FlowId) -> Result<Option<Value>, NotKept>;
}

/// Something that is to become a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The flow.
    pub flow: FlowId,
    /// The id that the run has, or will have.
    pub run: String,
    /// The line it stands in.
    pub key: Option<String>,
    /// What `trigger` holds.
    pub payload: Value,
}

/// An event as it arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// The run that it is to become.
    pub entry: Entry,
    /// Two arrivals for one flow with one key are the same.
    pub dedup: String,
    /// Why no run can come of it, where the flow cannot use it.
    pub unusable: Option<String>,
}

/// Takes events, and has the engine run what they start.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<Engine>,
    observer: Arc<dyn Observer>,
    inbox: Arc<dyn Inbox>,
    lanes: Mutex<Lanes>,
    under_way: watch::Sender<usize>,
}

/// Waiting runs by key, while one with this key is under way.
type Lanes = HashMap<String, VecDeque<Waiting>>;

/// A run that waits for its turn; `again` where it may have begun before.
struct Waiting {
    entry: Entry,
    again: bool,
}

impl Dispatcher {
    /// A dispatcher to `engine` that remembers events as long as the process lives; `observer` learns of every run.
    pub fn new(engine: Arc<Engine>, observer: Arc<dyn Observer>) -> Self {
        Self::with_inbox(engine, observer, Arc::new(Remembered::default()))
    }

    /// A dispatcher to `engine` whose events go through `inbox`.
    pub fn with_inbox(engine: Arc<Engine>, observer: Arc<dyn Observer>, inbox: Arc<dyn Inbox>) -> Self {
        let (under_way, _) = watch::channel(0);
        Self { shared: Arc::new(Shared { engine, observer, inbox, lanes: Mutex::default(), under_way }) }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Where the flow's trigger goes on asking; none the first time.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn position(&self, flow: &FlowId) -> Result<Option<Value>, NotKept> {
        self.shared.inbox.position(flow)
    }

    /// Starts a run of `flow` for `event`, unless it came before or the flow's own condition says no.
    ///
    /// # Errors
    /// The event could not be taken, and its sender should send it again.
    pub async fn dispatch(&self, flow: &FlowId, event: TriggerEvent) -> Result<(), NotKept> {
        self.dispatch_all(vec![(flow.clone(), event)], None).await
    }

    /// The same for several events, of which all are taken or none; with `position`, where a flow's trigger goes on
    /// asking once they are.
    ///
    /// # Errors
    /// The events could not be taken, and their sender should send them again.
    pub async fn dispatch_all(
        &self,
        events: Vec<(FlowId, TriggerEvent)>,
        position: Option<(FlowId, Value)>,
    ) -> Result<(), NotKept> {
        let arrivals: Vec<Arrival> = events.into_iter().filter_map(|(flow, event)| self.arrival(flow, event)).collect();
        if arrivals.is_empty() && position.is_none() {
            return Ok(());
        }
        let new = self.shared.inbox.receive(arrivals.clone(), position).await?;
        for (Arrival { entry, dedup, unusable }, new) in arrivals.into_iter().zip(new) {
            let flow = &entry.flow;
            match unusable {
                _ if !new => tracing::info!(%flow, event = dedup, "event came before"),
                Some(why) => tracing::error!(%flow, event = dedup, why, "event cannot be used"),
                None => self.enqueue(Waiting { entry, again: false }),
            }
        }
        Ok(())
    }

    /// The event as the flow takes it; none where the flow does not want it.
    fn arrival(&self, flow: FlowId, event: TriggerEvent) -> Option<Arrival> {
        let plan = self.shared.engine.plan(&flow)?;
        let TriggerEvent { payload, dedup_key: dedup } = event;
        let wanted = entry::is_wanted(plan, &payload);
        let (key, unusable) = match (wanted, entry::key(plan, &payload, &Value::Null)) {
            (Ok(false), _) => return None,
            (Ok(true), Ok(key)) => (key, None),
            (Err(failure), _) | (_, Err(failure)) => (None, Some(failure.to_string())),
        };
        // Ids grow with time, which keeps lines in order.
        let entry = Entry { flow, run: Uuid::now_v7().to_string(), key, payload };
        Some(Arrival { entry, dedup, unusable })
    }

    /// Goes on with everything that was waiting or under way when the process ended.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn take_up(&self) -> Result<(), NotKept> {
        let open = self.shared.inbox.open()?;
        open.into_iter().for_each(|entry| self.enqueue(Waiting { entry, again: true }));
        Ok(())
    }

    /// Every flow whose trigger is `trigger` of this connection, with the trigger's settings.
    pub fn listening<'d>(&'d self, connection: &'d str) -> impl Iterator<Item = (&'d FlowId, &'d str, &'d Value)> {
        self.shared.engine.plans().filter_map(move |plan| match &plan.trigger.source {
            TriggerSource::Connector(name) if plan.trigger.connection.as_deref() == Some(connection) => {
                Some((&plan.flow, &*name.operation, &plan.trigger.with))
            }
            _ => None,
        })
    }

    fn enqueue(&self, waiting: Waiting) {
        self.shared.under_way.send_modify(|count| *count += 1);
        let key = waiting.entry.key.clone();
        if let Some(key) = &key {
            let mut lanes = self.shared.lanes();
            if let Some(line) = lanes.get_mut(key) {
                let at = line.partition_point(|other| other.entry.run <= waiting.entry.run);
                line.insert(at, waiting);
                return;
            }
            lanes.insert(key.clone(), VecDeque::new());
        }
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let mut next = Some(waiting);
            while let Some(waiting) = next {
                shared.run(waiting).await;
                shared.under_way.send_modify(|count| *count -= 1);
                next = key.as_ref().and_then(|key| shared.next(key));
            }
        });
    }

    /// How many runs wait or are under way.
    pub fn under_way(&self) -> usize {
        *self.shared.under_way.borrow()
    }

    /// Waits until no run waits or is under way.
    pub async fn idle(&self) {
        let mut under_way = self.shared.under_way.subscribe();
        // The sender lives as long as `self`.
        let _ = under_way.wait_for(|count| *count == 0).await;
    }
}

impl Shared {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next run with this key; where there is none, the key is free.
    fn next(&self, key: &str) -> Option<Waiting> {
        let mut lanes = self.lanes();
        let next = lanes.get_mut(key)?.pop_front();
        if next.is_none() {
            lanes.remove(key);
        }
        next
    }

    /// Runs it to its end. A run that cannot be kept stops, and is gone on with until it has ended.
    async fn run(&self, Waiting { entry, mut again }: Waiting) {
        let flow = &entry.flow;
        let (mut wait, longest) = PARKED;
        loop {
            let start = Start { trigger: entry.payload.clone(), inputs: Value::Null };
            let (id, key) = (entry.run.clone(), entry.key.clone());
            let run = async {
                match again {
                    true => self.engine.resume(id, flow, key, start, &*self.observer).await,
                    false => self.engine.begin(id, flow, key, start, &*self.observer).await,
                }
            };
            // A connector that panics must not keep the key, and everything behind it, for ever.
            match AssertUnwindSafe(run).catch_unwind().await {
                Ok(Ok(_)) => return,
                Ok(Err(_)) => {}
                Err(_) => return tracing::error!(%flow, run = entry.run, "a run panicked"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(longest);
            again = true;
        }
    }
}

/// An inbox in memory: it only recognises what came before.
#[derive(Default)]
struct Remembered {
    seen: Mutex<(HashSet<String>, VecDeque<String>)>,
}

impl Remembered {
    fn is_new(&self, key: String) -> bool {
        let (seen, in_order) = &mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.insert(key.clone()) {
            return false;
        }
        in_order.push_back(key);
        if in_order.len() > REMEMBERED
            && let Some(oldest) = in_order.pop_front()
        {
            seen.remove(&oldest);
        }
        true
    }
}

impl Inbox for Remembered {
    fn receive(
        &self,
        arrivals: Vec<Arrival>,
        _: Option<(FlowId, Value)>,
    ) -> BoxFuture<'static, Result<Vec<bool>, NotKept>> {
        let new = arrivals.iter().map(|arrival| self.is_new(format!("{}\n{}", arrival.entry.flow, arrival.dedup)));
        let new = new.collect();
        std::future::ready(Ok(new)).boxed()
    }

    fn open(&self) -> Result<Vec<Entry>, NotKept> {
        Ok(Vec::new())
    }

    fn position(&self, _: &FlowId) -> Result<Option<Value>, NotKept> {
        Ok(None)
    }
}
