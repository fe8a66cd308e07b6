//! Where events are taken in before they become runs: safe from then on where it is a journal, or only in memory.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use cosell_model::{FlowId, Value};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::keep::NotKept;

/// How many events are remembered in memory to recognise a second delivery.
const REMEMBERED: usize = 10_000;

/// Where events are taken in.
pub trait Inbox: Send + Sync {
    /// Whether what was taken is there when the process begins again.
    fn outlives(&self) -> bool;

    /// Takes what arrived, all of it or nothing, and gives each the number under which it waits; none to what came before.
    /// Numbers grow. `position` is where a trigger goes on asking.
    fn receive(&self, arrivals: Vec<Arrival>, position: Option<Position>) -> BoxFuture<'static, Taken>;

    /// What was taken and has not ended, in order of arrival, and at most so much. Nothing where it does not outlive the
    /// process.
    ///
    /// # Errors
    /// It cannot be read.
    fn waiting(&self, most: usize) -> Result<Vec<Waiting>, NotKept>;

    /// That part of it whose runs have begun: all of it, however much waits besides.
    ///
    /// # Errors
    /// It cannot be read.
    fn begun(&self) -> Result<Vec<Waiting>, NotKept>;

    /// A run that has ended; none where there is none of this id, or it has not.
    ///
    /// # Errors
    /// It cannot be read.
    fn over(&self, run: &str) -> Result<Option<Waiting>, NotKept>;

    /// This is to become no run, for a reason. False where it has begun.
    fn discard(&self, run: &str, reason: &str) -> BoxFuture<'static, Result<bool, NotKept>>;

    /// These need no run of their own, since the run `into` stands for them. Returns at once.
    fn collapsed(&self, runs: Vec<String>, into: &str);

    /// Where a trigger goes on asking, by its [name](Position::of); none the first time.
    ///
    /// # Errors
    /// It cannot be read.
    fn position(&self, of: &str) -> Result<Option<Value>, NotKept>;
}

/// The number of each arrival that is new.
pub type Taken = Result<Vec<Option<u64>>, NotKept>;

/// Where a trigger goes on asking.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    /// Names the trigger.
    pub of: String,
    /// What it takes to go on.
    pub at: Value,
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
    /// Its inputs, where a person starts it; null for events.
    pub inputs: Value,
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

/// An event that was taken, and has not ended as a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its number.
    pub number: u64,
    /// The run that it is, or is to become.
    pub entry: Entry,
}

/// An inbox in memory: it only recognises what came before.
#[derive(Default)]
pub(crate) struct Remembered {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    last: u64,
    keys: HashSet<String>,
    in_order: VecDeque<String>,
}

impl Seen {
    fn take(&mut self, key: String) -> Option<u64> {
        if !self.keys.insert(key.clone()) {
            return None;
        }
        self.in_order.push_back(key);
        if self.in_order.len() > REMEMBERED
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.last += 1;
        Some(self.last)
    }
}

impl Inbox for Remembered {
    fn outlives(&self) -> bool {
        false
    }

    fn receive(&self, arrivals: Vec<Arrival>, _: Option<Position>) -> BoxFuture<'static, Taken> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers =
            arrivals.iter().map(|arrival| seen.take(format!("{}\n{}", arrival.entry.flow, arrival.dedup))).collect();
        std::future::ready(Ok(numbers)).boxed()
    }

    fn waiting(&self, _: usize) -> Result<Vec<Waiting>, NotKept> {
        Ok(Vec::new())
    }

    fn begun(&self) -> Result<Vec<Waiting>, NotKept> {
        Ok(Vec::new())
    }

    fn over(&self, _: &str) -> Result<Option<Waiting>, NotKept> {
        Ok(None)
    }

    fn discard(&self, _: &str, _: &str) -> BoxFuture<'static, Result<bool, NotKept>> {
        std::future::ready(Ok(true)).boxed()
    }

    fn collapsed(&self, _: Vec<String>, _: &str) {}

    fn position(&self, _: &str) -> Result<Option<Value>, NotKept> {
        Ok(None)
    }
}
