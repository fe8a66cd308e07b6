//! Triggers by the clock: each flow's own times.

use std::sync::Arc;
use std::time::Duration;

use cosell_model::FlowId;
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::inbox::Position;
use cosell_sdk::TriggerEvent;
use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinHandle;

/// The clock is looked at this often at least: it may be put right, and the machine may have slept.
const LOOK: Duration = Duration::from_secs(30);

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Times being kept; they stop when dropped.
pub struct Schedules {
    keeping: Vec<JoinHandle<()>>,
}

impl Schedules {
    /// Starts every flow of `dispatcher` that has a schedule at its times. Times that were missed, since the program did not
    /// run, the machine slept or the clock went forward, become one: the last of them.
    pub fn begin(dispatcher: &Dispatcher, clock: &Clock) -> Self {
        let engine = dispatcher.engine();
        let scheduled = engine.plans().filter(|plan| plan.trigger.schedule.is_some());
        let keeping = scheduled.map(|plan| {
            let schedule =
                Keeping { flow: plan.flow.clone(), dispatcher: dispatcher.clone(), clock: Arc::clone(clock) };
            tokio::spawn(schedule.keep())
        });
        Self { keeping: keeping.collect() }
    }
}

impl Drop for Schedules {
    fn drop(&mut self) {
        self.keeping.iter().for_each(JoinHandle::abort);
    }
}

struct Keeping {
    flow: FlowId,
    dispatcher: Dispatcher,
    clock: Clock,
}

impl Keeping {
    async fn keep(self) {
        // A schedule that was changed begins anew.
        let of = match self.dispatcher.engine().plan(&self.flow).and_then(|plan| plan.trigger.schedule.clone()) {
            Some(schedule) => format!("schedule {} {schedule}", self.flow),
            None => return,
        };
        let mut last = self.begins_behind(&of).await;
        while let Some(scheduled) = self.due_after(last).await {
            last = scheduled;
            let fired = (self.clock)();
            let event = TriggerEvent {
                payload: json!({ "scheduled_at": scheduled, "fired_at": fired }),
                dedup_key: scheduled.to_string(),
            };
            let position = Position { of: of.clone(), at: json!(scheduled) };
            if let Err(error) = self.dispatcher.dispatch_all(vec![(self.flow.clone(), event)], Some(position)).await {
                tracing::error!(flow = %self.flow, %error, "the flow is not started this time");
            }
        }
    }

    /// The time up to which the flow was started, also by an earlier process; now where there is none.
    async fn begins_behind(&self, of: &str) -> Timestamp {
        let kept = self.dispatcher.position(of).unwrap_or_else(|error| {
            tracing::error!(flow = %self.flow, %error, "times that were missed are not looked for");
            None
        });
        if let Some(last) = kept.and_then(|at| at.as_str()?.parse().ok()) {
            return last;
        }
        let now = (self.clock)();
        let position = Position { of: of.to_owned(), at: json!(now) };
        if let Err(error) = self.dispatcher.dispatch_all(Vec::new(), Some(position)).await {
            tracing::error!(flow = %self.flow, %error, "times that will be missed cannot be looked for");
        }
        now
    }

    /// Waits for the next time behind `last`; none where there is none any more. A clock that goes back brings no time
    /// twice.
    async fn due_after(&self, last: Timestamp) -> Option<Timestamp> {
        let engine = self.dispatcher.engine();
        let schedule = engine.plan(&self.flow)?.trigger.schedule.as_ref()?;
        let next = schedule.next(last)?;
        loop {
            let now = (self.clock)();
            if now >= next {
                return Some(schedule.latest(now).unwrap_or(next).max(next));
            }
            tokio::time::sleep(next.duration_since(now).unsigned_abs().min(LOOK)).await;
        }
    }
}
