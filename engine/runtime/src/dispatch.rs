//! From events to runs: runs with equal keys go one at a time, in order of arrival; others side by side, as many as their
//! flow allows. A burst of events with equal keys becomes one run where the flow says so.
//!
//! What arrives goes through an [`Inbox`] first: where it is a journal, an event that was taken is not lost any more, and
//! what there is no room for in memory waits there ([`Backlog`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use cosell_compile::plan::Plan;
use cosell_model::{FlowId, Value};
use cosell_sdk::TriggerEvent;
use futures::FutureExt;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;
use uuid::Uuid;

use crate::answer::{Answer, Answering};
use crate::backlog::Backlog;
use crate::core::entry;
use crate::debounce::{Bursts, State, Subject};
use crate::inbox::{Arrival, Entry, Inbox, Position, Remembered, Waiting};
use crate::keep::NotKept;
use crate::memory::{Engine, Start};
use crate::record::Observer;

/// How soon a run that is parked is gone on with, at first and at most.
const PARKED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// How much may wait or be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Events that wait, in memory or in the inbox, and runs under way; beyond it events are refused.
    pub events: usize,
    /// Those of them that are in memory, where the inbox keeps the others.
    pub in_memory: usize,
    /// Runs under way at once.
    pub at_once: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { events: 10_000, in_memory: 4096, at_once: 256 }
    }
}

/// Takes events, and has the engine run what they start.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

struct Shared {
    engine: RwLock<Flowing>,
    observer: Arc<dyn Observer>,
    inbox: Arc<dyn Inbox>,
    lanes: Mutex<Lanes>,
    at_once: Semaphore,
    under_way: watch::Sender<usize>,
    room: Room,
    stopping: AtomicBool,
}

/// What runs begin in.
#[derive(Clone)]
struct Flowing {
    engine: Arc<Engine>,
    /// Of flows that limit how many of their runs are under way at once: who may go on comes in order of arrival.
    places: Arc<BTreeMap<FlowId, Semaphore>>,
}

impl Flowing {
    fn new(engine: Arc<Engine>) -> Self {
        let limited =
            |plan: &Arc<Plan>| Some((plan.flow.clone(), Semaphore::new(usize::try_from(plan.parallel?).ok()?)));
        let places = Arc::new(engine.plans().filter_map(limited).collect());
        Self { engine, places }
    }
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
    waiting: Waiting,
    how: How,
    left_out: u32,
    asked: Option<oneshot::Sender<Answer>>,
}

/// How a run is driven.
enum How {
    /// It begins.
    Begin,
    /// It may have begun before, and goes on.
    GoOn,
    /// It had ended, and begins once more.
    Revive(Revival),
}

/// How a run begins once more that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revival {
    /// In the version of the flows that it began in, and not in today's.
    pub original: bool,
    /// Paths of steps that count as done, from the outermost run.
    pub skipped: Vec<String>,
}

#[derive(Default)]
struct Lanes {
    bursts: Bursts<Waiting>,
    /// Waiting runs by key, while one with this key is under way.
    lines: HashMap<String, VecDeque<Coming>>,
    backlog: Backlog,
}

/// Whether and how an event is to be a run.
enum Wanted {
    No,
    Yes(Arrival),
}

impl Dispatcher {
    /// A dispatcher to `engine` that remembers events as long as the process lives; `observer` learns of every run.
    pub fn new(engine: Arc<Engine>, observer: Arc<dyn Observer>) -> Self {
        Self::with_room(engine, observer, Room::default())
    }

    /// The same, with room for so much.
    pub fn with_room(engine: Arc<Engine>, observer: Arc<dyn Observer>, room: Room) -> Self {
        Self::with_inbox(engine, observer, Arc::new(Remembered::default()), room)
    }

    /// A dispatcher to `engine` whose events go through `inbox`.
    pub fn with_inbox(engine: Arc<Engine>, observer: Arc<dyn Observer>, inbox: Arc<dyn Inbox>, room: Room) -> Self {
        let (under_way, _) = watch::channel(0);
        let engine = RwLock::new(Flowing::new(engine));
        let at_once = Semaphore::new(room.at_once);
        let (lanes, stopping) = (Mutex::default(), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { engine, observer, inbox, lanes, at_once, under_way, room, stopping }) }
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
        let waiting = self.under_way() + self.shared.lanes().backlog.outside();
        if waiting >= self.shared.room.events { Err(Busy::Full) } else { Ok(()) }
    }

    /// From now on no event is taken. Runs under way go on; what waits does so too, unless the inbox keeps it for later.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
    }

    /// The engine.
    pub fn engine(&self) -> Arc<Engine> {
        self.shared.flowing().engine
    }

    /// From now on runs begin in `engine`; those under way end where they began.
    pub fn replace(&self, engine: Engine) {
        let old = self.engine();
        let new = Flowing::new(Arc::new(engine.succeeding(&old)));
        *self.shared.engine.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// Where a trigger goes on asking; none the first time.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn position(&self, of: &str) -> Result<Option<Value>, NotKept> {
        self.shared.inbox.position(of)
    }

    /// Starts a run of `flow` for `event`, unless it came before or the flow's own condition says no.
    ///
    /// # Errors
    /// The event could not be taken, and its sender should send it again.
    pub async fn dispatch(&self, flow: &FlowId, event: TriggerEvent) -> Result<(), NotKept> {
        self.dispatch_all(vec![(flow.clone(), event)], None).await
    }

    /// The same for several events, of which all are taken or none; with `position`, where a trigger goes on asking once
    /// they are.
    ///
    /// # Errors
    /// The events could not be taken, and their sender should send them again.
    pub async fn dispatch_all(
        &self,
        events: Vec<(FlowId, TriggerEvent)>,
        position: Option<Position>,
    ) -> Result<(), NotKept> {
        let wanted = events.into_iter().map(|(flow, event)| self.wanted(flow, event));
        let arrivals: Vec<Arrival> = wanted
            .filter_map(|wanted| match wanted {
                Wanted::Yes(arrival) => Some(arrival),
                Wanted::No => None,
            })
            .collect();
        if arrivals.is_empty() && position.is_none() {
            return Ok(());
        }
        self.take(arrivals, position, None).await.map(drop)
    }

    /// The same for one event, and gives the run's answer once it has one; an error where it ends without, none where no
    /// run is started.
    ///
    /// # Errors
    /// As for [`dispatch`](Self::dispatch).
    pub async fn ask(&self, flow: &FlowId, event: TriggerEvent) -> Result<Option<oneshot::Receiver<Answer>>, NotKept> {
        let Wanted::Yes(arrival) = self.wanted(flow.clone(), event) else { return Ok(None) };
        let (asked, answer) = oneshot::channel();
        Ok(self.take(vec![arrival], None, Some(asked)).await?.then_some(answer))
    }

    /// Starts a run for a person: with these inputs, however its trigger is. Gives the run's id.
    ///
    /// # Errors
    /// It could not be taken; the flow's key cannot be computed.
    pub async fn start(&self, flow: &FlowId, payload: Value, inputs: Value) -> Result<String, NotKept> {
        let engine = self.engine();
        let plan = engine.plan(flow).ok_or_else(|| NotKept(format!("there is no flow `{flow}` that is on")))?;
        let key = entry::key(plan, &payload, &inputs).map_err(|failure| NotKept(failure.to_string()))?;
        let run = Uuid::now_v7().to_string();
        let entry = Entry { flow: flow.clone(), run: run.clone(), key, payload, inputs };
        let arrival = Arrival { entry, dedup: format!("by hand {run}"), unusable: None };
        self.take(vec![arrival], None, None).await?;
        Ok(run)
    }

    /// Whether a run follows.
    async fn take(
        &self,
        arrivals: Vec<Arrival>,
        position: Option<Position>,
        mut asked: Option<oneshot::Sender<Answer>>,
    ) -> Result<bool, NotKept> {
        let numbers = self.shared.inbox.receive(arrivals.clone(), position).await?;
        let mut taken = false;
        for (Arrival { entry, dedup, unusable }, number) in arrivals.into_iter().zip(numbers) {
            let flow = &entry.flow;
            match (number, unusable) {
                (None, _) => tracing::info!(%flow, event = dedup, "event came before"),
                (_, Some(why)) => tracing::error!(%flow, event = dedup, why, "event cannot be used"),
                (Some(number), None) => {
                    self.shared.arrived(Waiting { number, entry }, asked.take());
                    taken = true;
                }
            }
        }
        Ok(taken)
    }

    /// The event as the flow takes it.
    fn wanted(&self, flow: FlowId, event: TriggerEvent) -> Wanted {
        let engine = self.engine();
        let Some(plan) = engine.plan(&flow) else { return Wanted::No };
        let TriggerEvent { payload, dedup_key: dedup } = event;
        let wanted = entry::is_wanted(plan, &payload);
        let (key, unusable) = match (wanted, entry::key(plan, &payload, &Value::Null)) {
            (Ok(false), _) => return Wanted::No,
            (Ok(true), Ok(key)) => (key, None),
            (Err(failure), _) | (_, Err(failure)) => (None, Some(failure.to_string())),
        };
        let entry = Entry { flow, run: Uuid::now_v7().to_string(), key, payload, inputs: Value::Null };
        Wanted::Yes(Arrival { entry, dedup, unusable })
    }

    /// Goes on with everything that was waiting or under way when the process ended.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn take_up(&self) -> Result<(), NotKept> {
        // Those first that may have keys, or the others could wait for them with every place there is.
        for waiting in self.shared.inbox.begun()? {
            self.shared.lanes().backlog.enters(waiting.number);
            self.shared.coming();
            self.shared.enqueue(Coming { waiting, how: How::GoOn, left_out: 0, asked: None });
        }
        self.shared.lanes().backlog.is_behind();
        self.shared.refill();
        Ok(())
    }

    /// Begins a run once more that has ended: what worked is not repeated. False where there is none, or it has not ended.
    ///
    /// # Errors
    /// It cannot be read; the version that it is to run in is not known.
    pub async fn revive(&self, run: &str, revival: Revival) -> Result<bool, NotKept> {
        self.engine().may_revive(run, revival.original).await?;
        let Some(waiting) = self.shared.inbox.over(run)? else { return Ok(false) };
        if !self.shared.lanes().backlog.enters(waiting.number) {
            return Ok(false);
        }
        self.shared.coming();
        self.shared.enqueue(Coming { waiting, how: How::Revive(revival), left_out: 0, asked: None });
        Ok(true)
    }

    /// Cancels a run, whether it waits or is under way. False where there is none, or it has ended.
    ///
    /// # Errors
    /// It could not be kept.
    pub async fn cancel(&self, run: &str) -> Result<bool, NotKept> {
        if self.engine().cancel(run) {
            return Ok(true);
        }
        let discarded = self.shared.inbox.discard(run, "cancelled by a person").await?;
        if discarded {
            let mut lanes = self.shared.lanes();
            for line in lanes.lines.values_mut() {
                if let Some(at) = line.iter().position(|coming| coming.waiting.entry.run == run) {
                    let coming = line.remove(at);
                    lanes.backlog.leaves(coming.map(|coming| coming.waiting.number));
                    drop(lanes);
                    self.shared.gone();
                    break;
                }
            }
        }
        Ok(discarded)
    }

    /// Every flow that a trigger of this connection starts, with the trigger and its settings.
    pub fn listening(&self, connection: &str) -> Vec<(FlowId, String, Value)> {
        let engine = self.engine();
        let sources =
            engine.plans().flat_map(|plan| plan.trigger.sources.iter().map(move |source| (&plan.flow, source)));
        sources
            .filter(|(_, source)| source.connection == connection)
            .map(|(flow, source)| (flow.clone(), source.trigger.operation.to_string(), source.with.clone()))
            .collect()
    }

    /// How many runs wait in memory or are under way.
    pub fn under_way(&self) -> usize {
        *self.shared.under_way.borrow()
    }

    /// Waits until no run waits in memory or is under way.
    pub async fn idle(&self) {
        let mut under_way = self.shared.under_way.subscribe();
        // The sender lives as long as `self`.
        let _ = under_way.wait_for(|count| *count == 0).await;
    }
}

impl Shared {
    fn flowing(&self) -> Flowing {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more run waits.
    fn coming(&self) {
        self.under_way.send_modify(|count| *count += 1);
    }

    /// One run less.
    fn gone(self: &Arc<Self>) {
        self.under_way.send_modify(|count| *count -= 1);
        self.refill();
    }

    /// An event has just been taken in. Whoever asked is there to be answered now.
    fn arrived(self: &Arc<Self>, waiting: Waiting, asked: Option<oneshot::Sender<Answer>>) {
        let full = self.inbox.outlives() && *self.under_way.borrow() >= self.room.in_memory;
        if self.lanes().backlog.arrives(waiting.number, full, asked.is_some()) {
            self.schedule(waiting, asked);
        }
    }

    fn schedule(self: &Arc<Self>, waiting: Waiting, asked: Option<oneshot::Sender<Answer>>) {
        let quiet = self.flowing().engine.plan(&waiting.entry.flow).and_then(|plan| plan.debounce);
        match (quiet, &waiting.entry.key) {
            (Some(quiet), Some(key)) if asked.is_none() => {
                let subject = (waiting.entry.flow.clone(), key.clone());
                self.debounce(subject, quiet, waiting);
            }
            _ => {
                self.coming();
                self.enqueue(Coming { waiting, how: How::Begin, left_out: 0, asked });
            }
        }
    }

    fn debounce(self: &Arc<Self>, subject: Subject, quiet: Duration, waiting: Waiting) {
        if !self.lanes().bursts.take(subject.clone(), quiet, waiting, Instant::now()) {
            return;
        }
        self.coming();
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let state = shared.lanes().bursts.look(&subject, Instant::now());
                match state {
                    Some(State::Until(due)) => tokio::time::sleep_until(due).await,
                    Some(State::Over(waiting, before)) => return shared.burst_over(waiting, before),
                    // Only this task ends the burst.
                    None => return,
                }
            }
        });
    }

    fn burst_over(self: &Arc<Self>, waiting: Waiting, before: Vec<Waiting>) {
        let left_out = u32::try_from(before.len()).unwrap_or(u32::MAX);
        let (numbers, runs): (Vec<u64>, Vec<String>) =
            before.into_iter().map(|left_out| (left_out.number, left_out.entry.run)).unzip();
        if !runs.is_empty() {
            self.inbox.collapsed(runs, &waiting.entry.run);
            self.lanes().backlog.leaves(numbers);
        }
        self.enqueue(Coming { waiting, how: How::Begin, left_out, asked: None });
    }

    /// Begins a run, or has it wait for others with its key.
    fn enqueue(self: &Arc<Self>, coming: Coming) {
        let key = coming.waiting.entry.key.clone();
        if let Some(key) = &key {
            let mut lanes = self.lanes();
            if let Some(line) = lanes.lines.get_mut(key) {
                let at = line.partition_point(|other| other.waiting.number <= coming.waiting.number);
                line.insert(at, coming);
                return;
            }
            lanes.lines.insert(key.clone(), VecDeque::new());
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let mut next = Some(coming);
            while let Some(coming) = next {
                let number = coming.waiting.number;
                shared.run(coming).await;
                shared.lanes().backlog.leaves([number]);
                shared.gone();
                next = key.as_ref().and_then(|key| shared.lanes().next(key));
            }
        });
    }

    /// Has what waits in the inbox enter, where there is room for it.
    fn refill(self: &Arc<Self>) {
        let room = |shared: &Self| *shared.under_way.borrow() <= shared.room.in_memory / 2;
        if self.stopping.load(Ordering::Relaxed) || !room(self) || !self.lanes().backlog.begin_refill() {
            return;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let mut wait = PARKED.0;
            loop {
                let spilled = shared.lanes().backlog.spilled();
                let read = shared.inbox.waiting(shared.room.in_memory);
                let Ok(read) = read.inspect_err(|error| tracing::error!(%error, "what waits cannot be read")) else {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(PARKED.1);
                    continue;
                };
                let all = read.len() < shared.room.in_memory;
                for waiting in read {
                    if shared.lanes().backlog.is_read(waiting.number) {
                        shared.schedule(waiting, None);
                    }
                }
                if shared.lanes().backlog.end_refill(all, spilled) || !room(&shared) {
                    break;
                }
            }
            shared.lanes().backlog.refilled();
        });
    }

    /// Runs it to its end. A run that cannot be kept stops, and is gone on with until it has ended.
    async fn run(&self, coming: Coming) {
        let Coming { waiting: Waiting { entry, .. }, mut how, left_out, asked } = coming;
        let flow = &entry.flow;
        let Flowing { places, .. } = self.flowing();
        let _place = match places.get(flow) {
            Some(places) => places.acquire().await.ok(),
            None => None,
        };
        let _one = self.at_once.acquire().await.ok();
        let engine = self.flowing().engine;
        let observer = Answering::new(&*self.observer, asked);
        let (mut wait, longest) = PARKED;
        loop {
            if self.stopping.load(Ordering::Relaxed) && self.inbox.outlives() {
                return;
            }
            let start = Start { trigger: entry.payload.clone(), inputs: entry.inputs.clone(), left_out };
            let (id, key) = (entry.run.clone(), entry.key.clone());
            let run = async {
                match &how {
                    How::Begin => engine.begin(id, flow, key, start, &observer).await,
                    How::GoOn => engine.resume(id, flow, key, start, &observer).await,
                    How::Revive(Revival { original, skipped }) => {
                        engine.revive(&id, *original, skipped.clone(), &observer).await
                    }
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
            how = How::GoOn;
        }
    }
}

impl Lanes {
    /// The next run with this key; where there is none, the key is free.
    fn next(&mut self, key: &str) -> Option<Coming> {
        let next = self.lines.get_mut(key)?.pop_front();
        if next.is_none() {
            self.lines.remove(key);
        }
        next
    }
}
