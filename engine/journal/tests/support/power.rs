//! A journal that loses power: at a chosen point nothing comes back any more, and what was not committed is lost.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use cosell_journal::Journal;
use cosell_model::Value;
use cosell_runtime::inbox::{Arrival, Inbox, Position, Taken, Waiting};
use cosell_runtime::keep::{Began, Keeper, NotKept, Past, Turn};
use cosell_runtime::record::{RunRecord, StepRecord};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;

/// Blows after so many points have been passed.
pub struct Fuse {
    left: AtomicI64,
    blown: watch::Sender<bool>,
}

impl Fuse {
    pub fn of(points: i64) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(points), blown: watch::Sender::new(false) })
    }

    /// Whether there is still power.
    pub fn pass(&self) -> bool {
        let power = self.left.fetch_sub(1, Ordering::Relaxed) > 0;
        if !power {
            self.blow();
        }
        power
    }

    /// How many points of `points` were passed.
    pub fn passed(&self, points: i64) -> i64 {
        points.saturating_sub(self.left.load(Ordering::Relaxed))
    }

    /// From now on there is no power.
    pub fn blow(&self) {
        self.left.store(-1, Ordering::Relaxed);
        self.blown.send_replace(true);
    }

    pub fn is_blown(&self) -> bool {
        *self.blown.borrow()
    }

    pub async fn blown(&self) {
        // The sender lives as long as `self`.
        let _ = self.blown.subscribe().wait_for(|blown| *blown).await;
    }
}

/// Hands over to the journal only what somebody waits for: what is not yet safe is lost with the power, or some of it.
pub struct Powered {
    journal: Journal,
    fuse: Arc<Fuse>,
    /// How many of the pieces that nobody waited for survive.
    survive: usize,
    pieces: Mutex<Vec<Piece>>,
}

type Piece = Box<dyn FnOnce(&Journal) + Send>;

impl Powered {
    pub fn new(journal: Journal, fuse: Arc<Fuse>, survive: usize) -> Self {
        Self { journal, fuse, survive, pieces: Mutex::default() }
    }

    fn add(&self, piece: Piece) {
        if !self.fuse.is_blown() {
            self.pieces.lock().unwrap().push(piece);
        }
    }

    fn hand_over(&self, most: usize) {
        let pieces: Vec<Piece> = {
            let mut pieces = self.pieces.lock().unwrap();
            let upto = most.min(pieces.len());
            pieces.drain(..upto).collect()
        };
        pieces.into_iter().for_each(|piece| piece(&self.journal));
    }

    /// Something that somebody waits for. Power fails before the commit, or after it and before anybody learns of it.
    fn waited_for<T: Send + 'static>(&self, commit: impl FnOnce(&Journal) -> Waited<T>) -> Waited<T> {
        if !self.fuse.pass() {
            return std::future::pending().boxed();
        }
        self.hand_over(usize::MAX);
        let committed = commit(&self.journal);
        let fuse = Arc::clone(&self.fuse);
        async move {
            let committed = committed.await;
            if fuse.pass() { committed } else { std::future::pending().await }
        }
        .boxed()
    }
}

type Waited<T> = BoxFuture<'static, Result<T, NotKept>>;

impl Drop for Powered {
    fn drop(&mut self) {
        self.hand_over(self.survive);
    }
}

impl Keeper for Powered {
    fn began(&self, run: Began) {
        self.add(Box::new(move |journal| journal.began(run)));
    }

    fn turned(&self, turn: Turn) {
        self.add(Box::new(move |journal| journal.turned(turn)));
    }

    fn ended(&self, run: &RunRecord) {
        let run = run.clone();
        self.add(Box::new(move |journal| journal.ended(&run)));
    }

    fn settled(&self, run: &str) -> Waited<()> {
        self.waited_for(|journal| journal.settled(run))
    }

    fn past(&self, run: &str) -> Waited<Option<Past>> {
        self.journal.past(run)
    }

    fn answers(&self, run: &str) -> Waited<Vec<StepRecord>> {
        self.journal.answers(run)
    }
}

impl Inbox for Powered {
    fn outlives(&self) -> bool {
        true
    }

    fn receive(&self, arrivals: Vec<Arrival>, position: Option<Position>) -> BoxFuture<'static, Taken> {
        self.waited_for(|journal| journal.receive(arrivals, position))
    }

    fn waiting(&self, most: usize) -> Result<Vec<Waiting>, NotKept> {
        self.journal.waiting(most)
    }

    fn begun(&self) -> Result<Vec<Waiting>, NotKept> {
        self.journal.begun()
    }

    fn over(&self, run: &str) -> Result<Option<Waiting>, NotKept> {
        self.journal.over(run)
    }

    fn discard(&self, run: &str, reason: &str) -> Waited<bool> {
        self.waited_for(|journal| journal.discard(run, reason))
    }

    fn collapsed(&self, runs: Vec<String>, into: &str) {
        let into = into.to_owned();
        self.add(Box::new(move |journal| journal.collapsed(runs, &into)));
    }

    fn position(&self, of: &str) -> Result<Option<Value>, NotKept> {
        Inbox::position(&self.journal, of)
    }
}
