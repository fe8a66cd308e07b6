//! The oracle: what a flow must do, straight from the reference, by plain recursion.

#![allow(unreachable_pub, reason = "shared by the parts of one test")]

use std::collections::{BTreeMap, BTreeSet};

use cosell_model::Outcome::{self, Failed, Skipped, Succeeded, TimedOut};

use crate::drawn::{DrawnKind, Ends, Flow, NAMED, When};

#[derive(Clone, Debug, PartialEq)]
pub struct Tie {
    pub accepts: BTreeSet<u8>,
    /// It is there only to keep the order of writes.
    pub order: bool,
}

/// What each step waits for, straight from the three rules.
pub fn ties(flow: &Flow) -> Vec<BTreeMap<usize, Tie>> {
    let mut ties = Vec::new();
    for at in 0..flow.steps.len() {
        let mut mine: BTreeMap<usize, Tie> = BTreeMap::new();
        let inside = flow.within(at);
        for sibling in flow.siblings(at).into_iter().filter(|sibling| *sibling != at) {
            let there = flow.within(sibling);
            let mentions = inside.iter().flat_map(|step| &flow.steps[*step].mentions);
            let kinds: BTreeSet<bool> = mentions.filter(|(other, _)| there.contains(other)).map(|(_, o)| *o).collect();
            if !kinds.is_empty() {
                let needs_output = kinds.contains(&false);
                let accepts = if needs_output { BTreeSet::from([0]) } else { BTreeSet::from([0, 1, 2, 3]) };
                mine.insert(sibling, Tie { accepts, order: false });
            }
        }
        for (sibling, accepts) in flow.steps[at].after.iter().flatten() {
            mine.insert(*sibling, Tie { accepts: accepts.clone(), order: false });
        }
        if flow.writes(at) && flow.steps[at].after.is_none() {
            // The nearest earlier write, and those with an `after` of their own that stand between.
            for sibling in flow.siblings(at).into_iter().rev().filter(|sibling| *sibling < at && flow.writes(*sibling))
            {
                mine.entry(sibling).or_insert(Tie { accepts: BTreeSet::from([0]), order: true });
                if flow.steps[sibling].after.is_none() {
                    break;
                }
            }
        }
        ties.push(mine);
    }
    ties
}

pub fn has_cycle(ties: &[BTreeMap<usize, Tie>]) -> bool {
    let mut left: BTreeSet<usize> = (0..ties.len()).collect();
    loop {
        let free: Vec<usize> = left.iter().copied().filter(|at| ties[*at].keys().all(|t| !left.contains(t))).collect();
        if free.is_empty() {
            return !left.is_empty();
        }
        left.retain(|at| !free.contains(at));
    }
}

/// How everything ends, by path.
pub struct Oracle<'f> {
    pub flow: &'f Flow,
    pub ties: Vec<BTreeMap<usize, Tie>>,
    pub ended: BTreeMap<String, Outcome>,
    /// Skipped with a failure behind it.
    pub stopped: BTreeSet<String>,
}

/// How an operation ends in a round: rounds differ, so that loops see more than one outcome.
pub fn ends_of(ends: &[Ends; 3], path: &str) -> Ends {
    let rounds: usize = path.split(['[', ']']).skip(1).step_by(2).filter_map(|n| n.parse::<usize>().ok()).sum();
    ends[rounds % 3]
}

impl Oracle<'_> {
    /// Runs a block to its end; `prefix` names its round.
    pub fn block(&mut self, block: &[usize], prefix: &str) -> Outcome {
        let mut left: Vec<usize> = block.to_vec();
        while !left.is_empty() {
            let path = |at: &usize| format!("{prefix}s{at}");
            let at = left.iter().position(|at| self.ties[*at].keys().all(|tie| self.ended.contains_key(&path(tie))));
            let at = left.remove(at.expect("there is no cycle"));
            self.step(at, prefix);
        }
        self.block_outcome(block, prefix)
    }

    fn step(&mut self, at: usize, prefix: &str) {
        let path = format!("{prefix}s{at}");
        let ties = self.ties[at].clone();
        let refusing: Vec<String> = ties
            .iter()
            .map(|(before, tie)| (format!("{prefix}s{before}"), tie))
            .filter(|(before, tie)| {
                let outcome = self.ended[before];
                let accepted = tie.accepts.iter().any(|bit| NAMED[*bit as usize] == outcome);
                let harmless = tie.order && outcome == Skipped && !self.stopped.contains(before);
                !accepted && !harmless
            })
            .map(|(before, _)| before)
            .collect();
        if !refusing.is_empty() {
            let failure = refusing
                .iter()
                .any(|before| matches!(self.ended[before], Failed | TimedOut) || self.stopped.contains(before));
            if failure {
                self.stopped.insert(path.clone());
            }
            return self.skip(at, prefix);
        }
        let wanted = match &self.flow.steps[at].when {
            None => true,
            Some(When::Never) => false,
            Some(When::Ended(other, outcome)) => self.ended[&self.seen(at, *other, prefix)] == *outcome,
        };
        if !wanted {
            return self.skip(at, prefix);
        }
        let blocks = self.flow.steps[at].blocks.clone();
        let branch = |this: &mut Self, taken: usize| {
            for (_, block) in blocks.iter().enumerate().filter(|(number, _)| *number != taken) {
                block.iter().for_each(|step| this.skip(*step, prefix));
            }
            this.block(&blocks[taken], prefix)
        };
        let outcome = match &self.flow.kinds[at] {
            DrawnKind::Operation { ends, .. } => match ends_of(ends, &path) {
                Ends::Well | Ends::WellAtSecond => Succeeded,
                Ends::Rejected | Ends::BusyForever => Failed,
                Ends::TooLate => TimedOut,
            },
            DrawnKind::Let => Succeeded,
            DrawnKind::Scope(_) => branch(self, 0),
            DrawnKind::If { holds, .. } => branch(self, usize::from(!*holds)),
            DrawnKind::Switch { on, .. } => branch(self, *on as usize),
            DrawnKind::ForEach { items: None, .. } => Failed,
            DrawnKind::ForEach { items: Some(items), .. } => {
                let rounds: Vec<Outcome> =
                    (0..*items).map(|n| self.block(&blocks[0], &format!("{path}[{n}]/"))).collect();
                worst(rounds)
            }
            DrawnKind::Until { rounds, fail_at_limit, .. } => {
                let last = (0..*rounds).map(|n| self.block(&blocks[0], &format!("{path}[{n}]/"))).last();
                let by_condition = *rounds == 2;
                if *fail_at_limit && !by_condition { Failed } else { last.expect("it makes a round") }
            }
        };
        self.ended.insert(path, outcome);
    }

    /// The path of `other` as `at` sees it: in the round of whatever loops lie around both.
    fn seen(&self, at: usize, other: usize, prefix: &str) -> String {
        let loops =
            |step: usize| self.flow.steps[step].around.iter().filter(|(h, _)| self.flow.steps[*h].looped).count();
        let rounds: Vec<&str> = prefix.split_inclusive('/').collect();
        debug_assert_eq!(rounds.len(), loops(at));
        format!("{}s{other}", rounds[..loops(other)].concat())
    }

    /// A step is skipped, and with it all that is in it; a loop has no rounds then.
    fn skip(&mut self, at: usize, prefix: &str) {
        self.ended.insert(format!("{prefix}s{at}"), Skipped);
        if !self.flow.steps[at].looped {
            self.flow.steps[at].blocks.iter().flatten().for_each(|step| self.skip(*step, prefix));
        }
    }

    /// The leaf rule as the reference words it: replace skipped leaves by their predecessors until none is left.
    fn block_outcome(&self, block: &[usize], prefix: &str) -> Outcome {
        let awaited: BTreeSet<usize> = block.iter().flat_map(|at| self.ties[*at].keys().copied()).collect();
        let mut leaves: BTreeSet<usize> = block.iter().copied().filter(|at| !awaited.contains(at)).collect();
        let ended = |at: &usize| self.ended[&format!("{prefix}s{at}")];
        while let Some(skipped) = leaves.iter().copied().find(|at| ended(at) == Skipped) {
            leaves.remove(&skipped);
            leaves.extend(self.ties[skipped].keys());
        }
        worst(leaves.iter().map(ended))
    }
}

fn worst(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
    [Failed, TimedOut].into_iter().find(|bad| outcomes.contains(bad)).unwrap_or(Succeeded)
}
