//! Simulated time: the machine's clock plus an offset that the control API moves.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

tokio::task_local! {
    /// By how many seconds the clock is wrong while a request struck by a skew is carried out.
    static SKEW: i64;
}

/// Carries `work` out by a clock that is wrong by `seconds` (ahead when positive): its dates, its tokens' times and its
/// judgement of other tokens.
pub(crate) async fn skewed<T>(seconds: i64, work: impl Future<Output = T>) -> T {
    SKEW.scope(seconds, work).await
}

/// The clock that every stand-in reads.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_seconds: AtomicI64,
}

impl Clock {
    /// The current simulated instant.
    pub(crate) fn now(&self) -> Timestamp {
        let skew = SKEW.try_with(|skew| *skew).unwrap_or(0);
        Timestamp::now() + SignedDuration::from_secs(self.offset() + skew)
    }

    /// By how much simulated time differs from the machine's, in seconds.
    pub(crate) fn offset(&self) -> i64 {
        self.offset_seconds.load(Ordering::Relaxed)
    }

    /// Moves simulated time by `seconds` (forward when positive).
    pub(crate) fn advance(&self, seconds: i64) {
        self.offset_seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Returns to the machine's time.
    pub(crate) fn reset(&self) {
        self.offset_seconds.store(0, Ordering::Relaxed);
    }
}
