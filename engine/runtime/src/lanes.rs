//! Lines of runs: which begins when, and how each is driven to its end.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use cosell_compile::plan::Plan;
use cosell_model::FlowId;
use futures::FutureExt;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;

use crate::answer::{Answer, Answering};
use crate::backlog::Backlog;
use crate::debounce::{Bursts, State, Subject};
use crate::dispatch::{Revival, Room};
use crate::inbox::{Inbox, Waiting};
use crate::memory::{Engine, Start};
use crate::record::Observer;

/// How soon a run that is parked is gone on with, at first and at most.
const PARKED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

pub(crate) struct Shared {
    pub(crate) engine: RwLock<Flowing>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) lanes: Mutex<Lanes>,
    pub(crate) at_once: Semaphore,
    pub(crate) under_way: watch::Sender<usize>,
    pub(crate) room: Room,
    pub(crate) stopping: AtomicBool,
}

/// What runs begin in.
#[derive(Clone)]
pub(crate) struct Flowing {
    pub(crate) engine: Arc<Engine>,
    /// Of flows that limit how many of their runs are under way at once: who may go on comes in order of arrival.
    pub(crate) places: Arc<BTreeMap<FlowId, Semaphore>>,
}

impl Flowing {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let limited =
            |plan: &Arc<Plan>| Some((plan.flow.clone(), Semaphore::new(usize::try_from(plan.parallel?).ok()?)));
        let places = Arc::new(engine.plans().filter_map(limited).collect());
        Self { engine, places }
    }
}

/// A run to come.
pub(crate) struct Coming {
    pub(crate) waiting: Waiting,
    pub(crate) how: How,
    pub(crate) left_out: u32,
    pub(crate) asked: Option<oneshot::Sender<Answer>>,
}

/// How a run is driven.
pub(crate) enum How {
    /// It begins.
    Begin,
    /// It may have begun before, and goes on.
    GoOn,
    /// It had ended, and begins once more.
    Revive(Revival),
}

#[derive(Default)]
pub(crate) struct Lanes {
    pub(crate) bursts: Bursts<Waiting>,
    /// Waiting runs by key, while one with this key is under way.
    pub(crate) lines: HashMap<String, VecDeque<Coming>>,
    pub(crate) backlog: Backlog,
    /// Runs that were cancelled before they began, and whose turn has not come.
    pub(crate) discarded: HashSet<String>,
}

impl Shared {
    pub(crate) fn flowing(&self) -> Flowing {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more run waits.
    pub(crate) fn coming(&self) {
        self.under_way.send_modify(|count| *count += 1);
    }

    /// One run less.
    fn gone(self: &Arc<Self>) {
        self.under_way.send_modify(|count| *count -= 1);
        self.refill();
    }

    /// An event has just been taken in. Whoever asked is there to be answered now.
    pub(crate) fn arrived(self: &Arc<Self>, waiting: Waiting, asked: Option<oneshot::Sender<Answer>>) {
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
    pub(crate) fn enqueue(self: &Arc<Self>, coming: Coming) {
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
    pub(crate) fn refill(self: &Arc<Self>) {
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
        // Before the look at what was discarded: whoever discards it from now on finds a run to cancel.
        engine.cancellable(&entry.run);
        if self.lanes().discarded.remove(&entry.run) {
            return engine.not_cancellable(&entry.run);
        }
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
