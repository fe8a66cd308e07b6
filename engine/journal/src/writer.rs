//! The thread that writes: everything handed over while one commit is under way goes into the next.
//!
//! Whoever must know that something is safe waits for the commit that holds it. Where a commit fails, what it held is
//! tried again piece by piece, and whatever cannot be written takes the rest of its run with it: a run is kept up to some
//! event, and never with a gap.

use std::collections::HashSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cosell_runtime::keep::NotKept;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::trouble::Trouble;

/// The most pieces of work in one commit: it bounds how long those in it wait for each other.
const MOST: usize = 4096;

/// How long what nobody is in a hurry for may wait for company.
const LINGER: Duration = Duration::from_millis(10);

/// How much is left for later at most.
const MOST_LATER: usize = 1000;

/// Whoever wants to know how long each commit took.
type Heard = Arc<OnceLock<Box<dyn Fn(Duration) + Send + Sync>>>;

type Told = oneshot::Sender<Result<(), NotKept>>;
type Work = Box<dyn Fn(&Transaction<'_>) -> rusqlite::Result<()> + Send>;

/// Something for the thread to do.
enum Order {
    /// Write this; it is part of what is kept of the run `root`, where one is named.
    Write { root: String, work: Work, tell: Option<Told> },
    /// Tell when everything before is safe, as far as it concerns the run `root`.
    Settle { root: String, tell: Told, hurry: bool },
    /// The run `root` is taken up again from what is kept of it.
    Mend { root: String, tell: Told },
    /// Write this when there is nothing else to do: nothing rests on it, and it is cheaper with others of its kind.
    Later { work: Work },
    /// Write all that is there for later, and tell.
    CatchUp { tell: Told },
}

/// The way to the thread. Dropping it waits for the last commit.
pub(crate) struct Writer {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    trouble: Trouble,
    heard: Heard,
}

impl Writer {
    pub(crate) fn begin(connection: Connection, trouble: Trouble) -> std::io::Result<Self> {
        let (orders, received) = mpsc::channel();
        let heard = Heard::default();
        let mut writing = Writing {
            connection,
            trouble: trouble.clone(),
            broken: HashSet::new(),
            later: Vec::new(),
            heard: heard.clone(),
        };
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || writing.go(&received))?;
        Ok(Self { orders: Some(orders), thread: Some(thread), trouble, heard })
    }

    /// Has the first to ask told how long each commit took.
    pub(crate) fn on_commit(&self, heard: Box<dyn Fn(Duration) + Send + Sync>) {
        let _ = self.heard.set(heard);
    }

    /// Hands over a part of what is kept of the run `root`.
    pub(crate) fn write(&self, root: String, work: Work) {
        self.send(Order::Write { root, work, tell: None });
    }

    /// Hands over something of no run, and waits until it is safe.
    pub(crate) fn written(&self, work: Work) -> BoxFuture<'static, Result<(), NotKept>> {
        self.asked(|tell| Order::Write { root: String::new(), work, tell: Some(tell) })
    }

    /// Waits until what was handed over of the run `root` is safe; an empty name stands for no run.
    pub(crate) fn settled(&self, root: String) -> BoxFuture<'static, Result<(), NotKept>> {
        self.asked(|tell| Order::Settle { root, tell, hurry: true })
    }

    /// The same, together with what others are in a hurry for, or a little later.
    pub(crate) fn settled_in_time(&self, root: String) -> BoxFuture<'static, Result<(), NotKept>> {
        self.asked(|tell| Order::Settle { root, tell, hurry: false })
    }

    /// From now on the run `root` goes on from what is kept of it.
    pub(crate) fn mended(&self, root: String) -> BoxFuture<'static, Result<(), NotKept>> {
        self.asked(|tell| Order::Mend { root, tell })
    }

    /// Hands over something on which nothing rests. It may be lost with the power.
    pub(crate) fn later(&self, work: Work) {
        self.send(Order::Later { work });
    }

    /// Waits until everything that was handed over is written, as far as it can be.
    pub(crate) fn caught_up(&self) -> BoxFuture<'static, Result<(), NotKept>> {
        self.asked(|tell| Order::CatchUp { tell })
    }

    fn asked(&self, order: impl FnOnce(Told) -> Order) -> BoxFuture<'static, Result<(), NotKept>> {
        let (tell, told) = oneshot::channel();
        self.send(order(tell));
        let closed = self.trouble.closed();
        Box::pin(async move { told.await.unwrap_or(Err(closed)) })
    }

    fn send(&self, order: Order) {
        // Where the thread is gone, whoever waits learns it from the broken line.
        let _ = self.orders.as_ref().map(|orders| orders.send(order));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's thread panicked");
        }
    }
}

struct Writing {
    connection: Connection,
    trouble: Trouble,
    /// Runs of which something could not be written.
    broken: HashSet<String>,
    /// What is left for later.
    later: Vec<Work>,
    heard: Heard,
}

impl Writing {
    fn go(&mut self, received: &Receiver<Order>) {
        while let Some(first) = self.next(received) {
            let until = Instant::now() + LINGER;
            let mut hurry = first.is_in_a_hurry();
            let mut batch = vec![first];
            while batch.len() < MOST {
                let next = if hurry {
                    received.try_recv().map_err(|_| RecvTimeoutError::Timeout)
                } else {
                    received.recv_timeout(until.saturating_duration_since(Instant::now()))
                };
                let Ok(next) = next else { break };
                hurry |= next.is_in_a_hurry();
                batch.push(next);
            }
            self.take(batch);
        }
        self.catch_up();
    }

    /// Waits for something to do.
    fn next(&mut self, received: &Receiver<Order>) -> Option<Order> {
        if self.later.len() > MOST_LATER {
            self.catch_up();
        }
        if !self.later.is_empty() {
            match received.recv_timeout(LINGER) {
                Ok(order) => return Some(order),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.catch_up(),
            }
        }
        received.recv().ok()
    }

    fn catch_up(&mut self) {
        let later = std::mem::take(&mut self.later);
        if later.is_empty() {
            return;
        }
        if let Err(error) = self.in_one(later.iter()) {
            // What is lost so is found when the journal is opened.
            tracing::debug!(%error, "what was left for later cannot be written");
        }
    }

    fn take(&mut self, batch: Vec<Order>) {
        let mut now = Vec::with_capacity(batch.len());
        for order in batch {
            match order {
                Order::Later { work } => self.later.push(work),
                // A run is mended between commits: what came before belongs to the broken one.
                Order::Mend { root, tell } => {
                    self.commit(std::mem::take(&mut now));
                    self.broken.remove(&root);
                    let _ = tell.send(Ok(()));
                }
                Order::CatchUp { tell } => {
                    self.commit(std::mem::take(&mut now));
                    self.catch_up();
                    let _ = tell.send(Ok(()));
                }
                order => now.push(order),
            }
        }
        self.commit(now);
    }

    fn commit(&mut self, orders: Vec<Order>) {
        if let Err(error) = self.try_commit(&orders) {
            if orders.len() > 1 {
                // One bad piece must not take the others with it.
                return orders.into_iter().for_each(|order| self.commit(vec![order]));
            }
            let error = self.trouble.told(&error);
            tracing::error!(%error, "the journal cannot be written to");
            for order in orders {
                if let Order::Write { root, tell, .. } = order {
                    if !root.is_empty() {
                        self.broken.insert(root);
                    }
                    // Whoever no longer waits does not need to know.
                    let _ = tell.map(|tell| tell.send(Err(error.clone())));
                }
            }
            return;
        }
        for order in orders {
            match order {
                Order::Write { tell: Some(tell), .. } => drop(tell.send(Ok(()))),
                Order::Settle { root, tell, .. } => {
                    let broken = self.broken.contains(&root);
                    let _ = tell.send(if broken { Err(self.trouble.parked()) } else { Ok(()) });
                }
                Order::Write { .. } | Order::Mend { .. } | Order::Later { .. } | Order::CatchUp { .. } => {}
            }
        }
    }

    fn try_commit(&mut self, orders: &[Order]) -> rusqlite::Result<()> {
        let works: Vec<&Work> = orders
            .iter()
            .filter_map(|order| match order {
                Order::Write { root, work, .. } if !self.broken.contains(root) => Some(work),
                _ => None,
            })
            .collect();
        if works.is_empty() { Ok(()) } else { self.in_one(works) }
    }

    /// Commits all of it, or nothing.
    fn in_one<'w>(&mut self, works: impl IntoIterator<Item = &'w Work>) -> rusqlite::Result<()> {
        let began = Instant::now();
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        works.into_iter().try_for_each(|work| work(&change))?;
        change.commit()?;
        if let Some(heard) = self.heard.get() {
            heard(began.elapsed());
        }
        Ok(())
    }
}

impl Order {
    fn is_in_a_hurry(&self) -> bool {
        !matches!(self, Order::Write { tell: None, .. } | Order::Settle { hurry: false, .. } | Order::Later { .. })
    }
}
