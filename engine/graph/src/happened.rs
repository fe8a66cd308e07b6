//! What a run did, to be laid over the picture of its flow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cosell_model::Outcome;
use cosell_runtime::record::StepRecord;

use crate::picture::Picture;

/// What became of one step, over all rounds of the loops around it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Happened {
    /// How often it ended, by how: the worst first.
    pub ended: Vec<(Outcome, u32)>,
    /// How often it was tried.
    pub attempts: u32,
    /// How long it took, all rounds together.
    pub took: Duration,
    /// The rounds of a loop; 0 where it is none.
    pub rounds: u32,
    /// Why it was skipped, where every time for the same reason.
    pub reason: Option<String>,
}

/// A run.
pub struct Ran<'r> {
    /// Its id.
    pub run: &'r str,
    /// How it ended; none while it is under way.
    pub outcome: Option<&'r str>,
    /// The steps that have ended.
    pub steps: &'r [StepRecord],
}

/// The worst first.
const ORDER: [Outcome; 5] =
    [Outcome::Failed, Outcome::TimedOut, Outcome::Cancelled, Outcome::Succeeded, Outcome::Skipped];

impl Happened {
    /// The outcome that matters most; none where it has not ended.
    pub fn outcome(&self) -> Option<Outcome> {
        self.ended.first().map(|(outcome, _)| *outcome)
    }

    /// A sign for it, so that colour is never the only carrier.
    pub fn mark(&self) -> &'static str {
        match self.outcome() {
            Some(Outcome::Succeeded) => "✓",
            Some(Outcome::Failed) => "✗",
            Some(Outcome::TimedOut) => "⧖",
            Some(Outcome::Skipped) => "·",
            Some(Outcome::Cancelled) => "⊘",
            None => "…",
        }
    }

    /// The same for style sheets.
    pub(crate) fn class(&self) -> &'static str {
        self.outcome().map_or("open", Outcome::as_str)
    }

    /// All of it in a line.
    pub fn words(&self) -> String {
        let mut parts = match &*self.ended {
            [] => vec!["has not ended".to_owned()],
            [(outcome, 1)] => vec![outcome.to_string()],
            several => several.iter().map(|(outcome, times)| format!("{times} × {outcome}")).collect(),
        };
        if let Some(reason) = &self.reason {
            parts.push(reason.clone());
        }
        match self.rounds {
            0 => {}
            1 => parts.push("1 round".to_owned()),
            rounds => parts.push(format!("{rounds} rounds")),
        }
        if self.attempts > 1 && self.attempts > self.ended.iter().map(|(_, times)| times).sum() {
            parts.push(format!("{} attempts", self.attempts));
        }
        if !self.took.is_zero() {
            parts.push(time(self.took));
        }
        parts.join(", ")
    }
}

fn time(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

impl Picture {
    /// The picture with what a run did in it. The run may be of an earlier version of the flow.
    #[must_use]
    pub fn with_run(mut self, ran: &Ran<'_>) -> Self {
        let mut steps = by_step(ran.steps);
        for node in &mut self.nodes {
            node.happened = Some(steps.remove(&node.name).unwrap_or_default());
        }
        self.notes.push(format!("Run {}: {}", ran.run, ran.outcome.unwrap_or("under way")));
        if !steps.is_empty() {
            let names: Vec<String> = steps.into_keys().collect();
            self.notes.push(format!("The run had steps that the flow no longer has: {}", names.join(", ")));
        }
        self
    }
}

/// What became of each step. A path is the step's id behind the rounds of the loops around it: `rows[2]/update`.
fn by_step(records: &[StepRecord]) -> BTreeMap<String, Happened> {
    let mut found: BTreeMap<String, (Happened, BTreeSet<Option<String>>)> = BTreeMap::new();
    let mut rounds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for record in records {
        let mut end = 0;
        for part in record.path.split('/') {
            end += part.len();
            if let Some((holder, _)) = part.split_once('[') {
                rounds.entry(holder).or_default().insert(&record.path[..end]);
            }
            end += 1;
        }
        let id = record.path.rsplit('/').next().unwrap_or(&record.path);
        let (happened, reasons) = found.entry(id.to_owned()).or_default();
        match happened.ended.iter_mut().find(|(outcome, _)| *outcome == record.outcome) {
            Some((_, times)) => *times += 1,
            None => happened.ended.push((record.outcome, 1)),
        }
        happened.attempts += record.attempts;
        happened.took += record.took;
        reasons.insert(record.skipped.as_ref().map(ToString::to_string));
    }
    let finished = found.into_iter().map(|(id, (mut happened, reasons))| {
        happened.ended.sort_by_key(|(outcome, _)| ORDER.iter().position(|known| known == outcome));
        happened.reason = (reasons.len() == 1).then(|| reasons.into_iter().next().flatten()).flatten();
        happened.rounds = rounds.get(&*id).map_or(0, |rounds| u32::try_from(rounds.len()).unwrap_or(u32::MAX));
        (id, happened)
    });
    finished.collect()
}
