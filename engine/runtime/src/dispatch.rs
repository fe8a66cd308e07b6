//! From events to runs: runs with equal keys go one at a time, in order of arrival; others side by side.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cosell_model::flow::TriggerSource;
use cosell_model::{FlowId, Value};
use cosell_sdk::TriggerEvent;
use futures::FutureExt;
use tokio::sync::watch;

use crate::core::entry;
use crate::memory::{Engine, Start};
use crate::record::Observer;

/// How many events are remembered to recognise a second delivery.
const REMEMBERED: usize = 10_000;

/// Takes events, and has the engine run what they start.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<Engine>,
    observer: Arc<dyn Observer>,
    lanes: Mutex<Lanes>,
    under_way: watch::Sender<usize>,
}

#[derive(Default)]
struct Lanes {
    /// Waiting runs by key, while one with this key is under way.
    waiting: HashMap<String, VecDeque<(FlowId, Start)>>,
    seen: HashSet<String>,
    seen_in_order: VecDeque<String>,
}

impl Dispatcher {
    /// A dispatcher to `engine`; `observer` learns of every run.
    pub fn new(engine: Arc<Engine>, observer: Arc<dyn Observer>) -> Self {
        let (under_way, _) = watch::channel(0);
        Self { shared: Arc::new(Shared { engine, observer, lanes: Mutex::default(), under_way }) }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Starts a run of `flow` for `event`, unless it came before or the flow's own condition says no. Returns at once.
    pub fn dispatch(&self, flow: &FlowId, event: TriggerEvent) {
        let Some(plan) = self.shared.engine.plan(flow) else { return };
        if !self.shared.lanes().is_new(format!("{flow}\n{}", event.dedup_key)) {
            tracing::info!(%flow, event = event.dedup_key, "event came before");
            return;
        }
        let wanted = entry::is_wanted(plan, &event.payload);
        let key = entry::key(plan, &event.payload, &Value::Null);
        let (wanted, key) = match (wanted, key) {
            (Ok(wanted), Ok(key)) => (wanted, key),
            (Err(failure), _) | (_, Err(failure)) => {
                tracing::error!(%flow, %failure, "event cannot be used");
                return;
            }
        };
        if wanted {
            self.enqueue(flow.clone(), key, Start { trigger: event.payload, inputs: Value::Null });
        }
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

    fn enqueue(&self, flow: FlowId, key: Option<String>, start: Start) {
        self.shared.under_way.send_modify(|count| *count += 1);
        if let Some(key) = &key {
            let mut lanes = self.shared.lanes();
            if let Some(waiting) = lanes.waiting.get_mut(key) {
                waiting.push_back((flow, start));
                return;
            }
            lanes.waiting.insert(key.clone(), VecDeque::new());
        }
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let mut next = Some((flow, start));
            while let Some((flow, start)) = next {
                // A connector that panics must not keep the key, and everything behind it, for ever.
                let run = AssertUnwindSafe(shared.engine.run(&flow, start, &*shared.observer)).catch_unwind();
                if run.await.is_err() {
                    tracing::error!(%flow, "a run panicked");
                }
                shared.under_way.send_modify(|count| *count -= 1);
                next = key.as_ref().and_then(|key| shared.lanes().next(key));
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
    fn next(&mut self, key: &str) -> Option<(FlowId, Start)> {
        let next = self.waiting.get_mut(key)?.pop_front();
        if next.is_none() {
            self.waiting.remove(key);
        }
        next
    }
}
