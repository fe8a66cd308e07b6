//! Who has which key, among all runs of a process.
//!
//! Every key has a line. A claim stands in the lines of all its keys from the moment it is made, and has them when it is
//! first in each: so nobody overtakes and nobody starves, and as the oldest claim is always first in all its lines, nobody
//! waits for ever.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;

/// The keys of a process; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    lines: HashMap<String, VecDeque<u64>>,
    claims: HashMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    keys: Vec<String>,
    /// Tells that it has its keys; none once it has been told.
    granted: Option<oneshot::Sender<()>>,
}

/// A claim to keys, had or waited for. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Claim {
    keys: Keys,
    number: u64,
}

impl Keys {
    /// Claims `keys`, each named once; what is given besides the claim tells when it has them all.
    pub(crate) fn claim(&self, keys: Vec<String>) -> (Claim, oneshot::Receiver<()>) {
        let (granted, receiver) = oneshot::channel();
        let mut table = self.table();
        let number = table.next;
        table.next += 1;
        for key in &keys {
            table.lines.entry(key.clone()).or_default().push_back(number);
        }
        table.claims.insert(number, Waiting { keys, granted: Some(granted) });
        table.grant(number);
        (Claim { keys: self.clone(), number }, receiver)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Tells a claim that it has its keys, if it has and was not told.
    fn grant(&mut self, number: u64) {
        let Some(waiting) = self.claims.get_mut(&number) else { return };
        let first = |key: &String| self.lines.get(key).and_then(VecDeque::front) == Some(&number);
        if waiting.keys.iter().all(first)
            && let Some(granted) = waiting.granted.take()
        {
            // Whoever no longer listens is about to drop the claim.
            let _ = granted.send(());
        }
    }

    fn give_back(&mut self, number: u64) {
        let Some(claim) = self.claims.remove(&number) else { return };
        let mut next = Vec::new();
        for key in claim.keys {
            let Some(line) = self.lines.get_mut(&key) else { continue };
            line.retain(|other| *other != number);
            match line.front() {
                Some(first) => next.push(*first),
                None => drop(self.lines.remove(&key)),
            }
        }
        next.into_iter().for_each(|number| self.grant(number));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keys.table().give_back(self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn claim(keys: &Keys, names: &str) -> (Claim, oneshot::Receiver<()>) {
        keys.claim(names.chars().map(String::from).collect())
    }

    fn has(told: &mut oneshot::Receiver<()>) -> bool {
        told.try_recv().unwrap().is_some()
    }

    #[test]
    fn a_claim_waits_for_all_its_keys_and_nobody_overtakes() {
        let keys = Keys::default();
        let (first, mut first_told) = claim(&keys, "a");
        let (second, mut second_told) = claim(&keys, "ab");
        let (_third, mut third_told) = claim(&keys, "b");
        let (_other, mut other_told) = claim(&keys, "c");
        assert!(has(&mut first_told) && !has(&mut second_told) && has(&mut other_told));
        assert!(!has(&mut third_told), "`b` is free, but somebody asked for it earlier");
        drop(first);
        assert!(has(&mut second_told) && !has(&mut third_told));
        drop(second);
        assert!(has(&mut third_told));
    }

    #[test]
    fn a_claim_that_is_given_up_lets_others_through() {
        let keys = Keys::default();
        let (_first, _told) = claim(&keys, "a");
        let (second, _told) = claim(&keys, "ab");
        let (third, mut third_told) = claim(&keys, "b");
        drop(second);
        assert!(has(&mut third_told));
        drop((third, _first));
        assert!(keys.table().lines.is_empty() && keys.table().claims.is_empty(), "nothing is left behind");
    }
}
