//! From events to runs: runs with equal keys go one at a time, in order of arrival; others side by side, as many as their
//! flow allows. A burst of events with equal keys becomes one run where the flow says so.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cosell_model::{FlowId, Value};
use cosell_sdk::TriggerEvent;
use futures::FutureExt;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;

use crate::answer::{Answer, Answering};
use crate::core::entry;
use crate::debounce::{Bursts, State, Subject};
use crate::memory::{Engine, Start};
use crate::record::Observer;

/// How many events are remembered to recognise a second delivery.
const REMEMBERED: usize = 10_000;

/// How many runs wait or are under way before events are refused, where nothing else is said.
const ROOM: usize = 10_000;

/// Takes events, and has the engine run what they start.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<Engine>,
    observer: Arc<dyn Observer>,
    lanes: Mutex<Lanes>,
    /// Of flows that limit how many of their runs are under way at once: who may go on comes in order of arrival.
    places: BTreeMap<FlowId, Semaphore>,
    under_way: watch::Sender<usize>,
    room: usize,
    stopping: AtomicBool,
}

/// Why no event is taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// As many runs wait or are under way as there is room for.
    Full,
    /// The program is about to end.
    Stopping,
}

/// A run to come.
struct Coming {
    flow: FlowId,
    start: Start,
    asked: Option<oneshot::Sender<Answer>>,
}

#[derive(Default)]
struct Lanes {
    bursts: Bursts,
    /// Waiting runs by key, while one with this key is under way.
    waiting: HashMap<String, VecDeque<Coming>>,
    seen: HashSet<String>,
    seen_in_order: VecDeque<String>,
}

impl Dispatcher {
    /// A dispatcher to `engine`; `observer` learns of every run.
    pub fn new(engine: Arc<Engine>, observer: Arc<dyn Observer>) -> Self {
        Self::with_room(engine, observer, ROOM)
    }

    /// The same, with room for so many runs that wait or are under way.
    pub fn with_room(engine: Arc<Engine>, observer: Arc<dyn Observer>, room: usize) -> Self {
        let (under_way, _) = watch::channel(0);
        let places = engine
            .plans()
            .filter_map(|plan| Some((plan.flow.clone(), Semaphore::new(usize::try_from(plan.parallel?).ok()?))))
            .collect();
        let (lanes, stopping) = (Mutex::default(), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { engine, observer, lanes, places, under_way, room, stopping }) }
    }

    /// Who learns of every run.
    pub fn observer(&self) -> &dyn Observer {
        &*self.shared.observer
    }

    /// Whether an event can be taken now. Whoever takes events in asks first; [`Self::dispatch`] refuses none.
    ///
    /// # Errors
    /// Why not.
    pub fn admits(&self) -> Result<(), Busy> {
        if self.shared.stopping.load(Ordering::Relaxed) {
            return Err(Busy::Stopping);
        }
        if self.under_way() >= self.shared.room { Err(Busy::Full) } else { Ok(()) }
    }

    /// From now on no event is taken; runs that wait or are under way go on.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Starts a run of `flow` for `event`, unless it came before or the flow's own condition says no. Returns at once.
    pub fn dispatch(&self, flow: &FlowId, event: TriggerEvent) {
        self.take(flow, event, None);
    }

    /// The same, and gives the run's answer once it has one; an error where it ends without, none where none is started.
    pub fn ask(&self, flow: &FlowId, event: TriggerEvent) -> Option<oneshot::Receiver<Answer>> {
        let (asked, answer) = oneshot::channel();
        self.take(flow, event, Some(asked)).then_some(answer)
    }

    /// Whether a run follows.
    fn take(&self, flow: &FlowId, event: TriggerEvent, asked: Option<oneshot::Sender<Answer>>) -> bool {
        let Some(plan) = self.shared.engine.plan(flow) else { return false };
        if !self.shared.lanes().is_new(format!("{flow}\n{}", event.dedup_key)) {
            tracing::info!(%flow, event = event.dedup_key, "event came before");
            return false;
        }
        let wanted = entry::is_wanted(plan, &event.payload);
        let key = entry::key(plan, &event.payload, &Value::Null);
        let (wanted, key) = match (wanted, key) {
            (Ok(wanted), Ok(key)) => (wanted, key),
            (Err(failure), _) | (_, Err(failure)) => {
                tracing::error!(%flow, %failure, "event cannot be used");
                return false;
            }
        };
        if !wanted {
            return false;
        }
        match (plan.debounce, key) {
            (Some(quiet), Some(key)) if asked.is_none() => self.debounce((flow.clone(), key), quiet, event.payload),
            (_, key) => {
                self.shared.coming();
                let start = Start { trigger: event.payload, ..Start::default() };
                self.shared.enqueue(key, Coming { flow: flow.clone(), start, asked });
            }
        }
        true
    }

    fn debounce(&self, subject: Subject, quiet: Duration, event: Value) {
        if !self.shared.lanes().bursts.take(subject.clone(), quiet, event, Instant::now()) {
            return;
        }
        self.shared.coming();
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            loop {
                let state = shared.lanes().bursts.look(&subject, Instant::now());
                match state {
                    Some(State::Until(due)) => tokio::time::sleep_until(due).await,
                    Some(State::Over(trigger, left_out)) => {
                        let (flow, key) = subject;
                        let start = Start { trigger, left_out, ..Start::default() };
                        return shared.enqueue(Some(key), Coming { flow, start, asked: None });
                    }
                    // Only this task ends the burst.
                    None => return,
                }
            }
        });
    }

    /// Every flow that a trigger of this connection starts, with the trigger and its settings.
    pub fn listening<'d>(&'d self, connection: &'d str) -> impl Iterator<Item = (&'d FlowId, &'d str, &'d Value)> {
        self.shared.engine.plans().flat_map(move |plan| {
            let sources = plan.trigger.sources.iter().filter(move |source| source.connection == connection);
            sources.map(move |source| (&plan.flow, &*source.trigger.operation, &source.with))
        })
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

    /// One more run waits.
    fn coming(&self) {
        self.under_way.send_modify(|count| *count += 1);
    }

    /// Begins a run, or has it wait for others with its key.
    fn enqueue(self: &Arc<Self>, key: Option<String>, coming: Coming) {
        if let Some(key) = &key {
            let mut lanes = self.lanes();
            if let Some(waiting) = lanes.waiting.get_mut(key) {
                waiting.push_back(coming);
                return;
            }
            lanes.waiting.insert(key.clone(), VecDeque::new());
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let mut next = Some(coming);
            while let Some(coming) = next {
                shared.run(coming).await;
                shared.under_way.send_modify(|count| *count -= 1);
                next = key.as_ref().and_then(|key| shared.lanes().next(key));
            }
        });
    }

    async fn run(&self, coming: Coming) {
        let Coming { flow, start, asked } = coming;
        let _place = match self.places.get(&flow) {
            Some(places) => places.acquire().await.ok(),
            None => None,
        };
        let observer = Answering::new(&*self.observer, asked);
        // A connector that panics must not keep the key, and everything behind it, for ever.
        let run = AssertUnwindSafe(self.engine.run(&flow, start, &observer)).catch_unwind();
        if run.await.is_err() {
            tracing::error!(%flow, "a run panicked");
        }
    }
}

impl Lanes {
    fn is_new(&mut self, key: String) -> bool {
        if !self.seen.insert(key.clone()) {
            return false;
        }
        self.seen_in_order.push_back(key);
        if self.seen_in_order.len() > REMEMBERED
            && let Some(oldest) = self.seen_in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    /// The next run with this key; where there is none, the key is free.
    fn next(&mut self, key: &str) -> Option<Coming> {
        let next = self.waiting.get_mut(key)?.pop_front();
        if next.is_none() {
            self.waiting.remove(key);
        }
        next
    }
}
