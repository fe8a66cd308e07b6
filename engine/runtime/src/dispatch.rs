//! From events to runs: runs with equal keys go one at a time, in order of arrival; others side by side, as many as their
//! flow allows. A burst of events with equal keys becomes one run where the flow says so.
//!
//! What arrives goes through an [`Inbox`] first: where it is a journal, an event that was taken is not lost any more, and
//! what there is no room for in memory waits there (`backlog`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cosell_model::{FlowId, Value};
use cosell_sdk::TriggerEvent;
use tokio::sync::{Semaphore, oneshot, watch};
use uuid::Uuid;

use crate::answer::Answer;
use crate::core::entry;
use crate::inbox::{Arrival, Entry, Inbox, Position, Remembered, Waiting};
use crate::keep::NotKept;
use crate::lanes::{Coming, Flowing, How, Shared};
use crate::memory::Engine;
use crate::record::{Arrived, Observer};

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

/// Why no event is taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// As many runs wait or are under way as there is room for.
    Full,
    /// The program is about to end.
    Stopping,
}

/// How a run begins once more that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revival {
    /// In the version of the flows that it began in, and not in today's.
    pub original: bool,
    /// Paths of steps that count as done, from the outermost run.
    pub skipped: Vec<String>,
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
            self.shared.observer.event_arrived(flow, arrived(number, unusable.as_deref()));
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
            self.shared.lanes().discarded.insert(run.to_owned());
            // Its turn may have come meanwhile.
            if self.engine().cancel(run) {
                self.shared.lanes().discarded.remove(run);
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

fn arrived(number: Option<u64>, unusable: Option<&str>) -> Arrived {
    match (number, unusable) {
        (None, _) => Arrived::Again,
        (_, Some(_)) => Arrived::Unusable,
        (Some(_), None) => Arrived::New,
    }
}
