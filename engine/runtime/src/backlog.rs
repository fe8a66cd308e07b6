//! Which events are in memory, and whether more of them wait in the inbox. No waiting: the dispatcher does that.

use std::collections::HashSet;

/// What is in memory of what waits.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    inside: HashSet<u64>,
    /// More may wait in the inbox, so that whatever arrives stays behind it.
    behind: bool,
    /// How many ever stayed in the inbox, and how many of these are there still.
    spilled: u64,
    outside: usize,
    refilling: bool,
    /// What has ended since somebody began to read the inbox, who may have read it before it did.
    left: HashSet<u64>,
}

impl Backlog {
    /// An event arrives. True where it enters; `full` where there is no room, `now` where it cannot wait.
    pub(crate) fn arrives(&mut self, number: u64, full: bool, now: bool) -> bool {
        if !now && (self.behind || full) {
            // It may have been read from the inbox already.
            if !self.inside.contains(&number) {
                self.behind = true;
                self.spilled += 1;
                self.outside += 1;
            }
            return false;
        }
        self.inside.insert(number)
    }

    /// An event was read from the inbox. False where it is in memory already, or has ended since.
    pub(crate) fn is_read(&mut self, number: u64) -> bool {
        !self.left.contains(&number) && self.enters(number)
    }

    /// An event that waits in the inbox, or whose run had ended, is taken up. False where it is in memory already.
    pub(crate) fn enters(&mut self, number: u64) -> bool {
        let new = self.inside.insert(number);
        if new {
            self.outside = self.outside.saturating_sub(1);
        }
        new
    }

    /// Events have become runs that ended, or are part of others.
    pub(crate) fn leaves(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.inside.remove(&number);
            if self.refilling {
                self.left.insert(number);
            }
        }
    }

    /// More may wait in the inbox than is known.
    pub(crate) fn is_behind(&mut self) {
        self.behind = true;
    }

    /// How many wait in the inbox, as far as is known.
    pub(crate) fn outside(&self) -> usize {
        self.outside
    }

    /// How many ever stayed in the inbox.
    pub(crate) fn spilled(&self) -> u64 {
        self.spilled
    }

    /// True where somebody should read the inbox, and nobody does.
    pub(crate) fn begin_refill(&mut self) -> bool {
        let begins = self.behind && !self.refilling;
        self.refilling |= begins;
        begins
    }

    /// The inbox was read, `all` of it, when so many had `spilled`. True where nothing waits there any more.
    pub(crate) fn end_refill(&mut self, all: bool, spilled: u64) -> bool {
        if all && self.spilled == spilled {
            (self.behind, self.outside) = (false, 0);
        }
        !self.behind
    }

    /// Nobody reads the inbox any more.
    pub(crate) fn refilled(&mut self) {
        self.refilling = false;
        self.left = HashSet::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_while_the_inbox_is_read_does_not_enter_once_more() {
        let mut backlog = Backlog::default();
        assert!(backlog.enters(1) && backlog.enters(2));
        backlog.is_behind();
        assert!(backlog.begin_refill());
        // 1 to 3 are read, and then 1 ends.
        backlog.leaves([1]);
        assert_eq!([1, 2, 3].map(|number| backlog.is_read(number)), [false, false, true]);
        backlog.refilled();
        assert!(backlog.enters(1), "it may begin once more when a person says so");
    }
}
