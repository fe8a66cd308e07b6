//! A run with all that it called: why it failed, and what can be done about it, in the same words wherever that is shown.

use std::collections::BTreeMap;

use cosell_model::{Failure, Value};
use cosell_runtime::keep::{NotKept, root};
use serde_json::json;

use crate::Reader;
use crate::read::Shown;

/// A run, with the runs that it called, by their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// The run.
    pub run: Shown,
    /// Those that it called, all of them or only some.
    pub called: BTreeMap<String, Shown>,
}

/// Something that can be done about a failure: where this holds, do that, and then this follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// When it helps: `once that is mended`.
    pub when: &'static str,
    /// What to do.
    pub act: Act,
    /// What comes of it; empty where nothing need be said.
    pub then: &'static str,
}

/// What can be done about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Resume the run of this id.
    Resume(String),
    /// Resume the run of this id, with this step counting as done.
    Skip(String, String),
}

/// The loop that a step is in a round of, and the round, from 0: `rows` and 2 of `rows[2]/update`.
pub fn round_of(path: &str) -> Option<(&str, u32)> {
    let (round, _) = path.rsplit_once("]/")?;
    let at = round.rfind('[')?;
    Some((&round[..at], round[at + 1..].parse().ok()?))
}

impl Whole {
    /// All of it as JSON: the run as the API gives it, with the steps of each that it called.
    pub fn to_json(&self) -> Value {
        let mut whole = json!(self.run);
        let called = self.run.called.iter().filter_map(|listed| self.called.get(&listed.run));
        whole["called"] = json!(called.collect::<Vec<_>>());
        whole
    }

    /// Why the run failed; none where it did not.
    pub fn failure(&self) -> Option<Failure> {
        serde_json::from_value(self.run.listed.failure.clone()?).ok()
    }

    /// What can be done about its failure.
    pub fn advice(&self) -> Vec<Advice> {
        let Some(failure) = self.failure() else { return Vec::new() };
        let run = &self.run.listed.run;
        let outermost = root(run).to_owned();
        let mut advice = vec![Advice {
            when: "once that is mended",
            act: Act::Resume(outermost.clone()),
            then: "goes on; what worked is not done again",
        }];
        if let Some(step) = failure.step.filter(|step| outermost == *run && self.calls(step)) {
            advice.push(Advice { when: "where that step need not be done", act: Act::Skip(outermost, step), then: "" });
        }
        advice
    }

    /// Whether the step at this path from the outermost run calls something, and so can be skipped.
    fn calls(&self, path: &str) -> bool {
        let has = |run: &Shown, path: &str| {
            run.steps.iter().any(|step| step["path"] == path && step.get("target").is_some_and(Value::is_string))
        };
        let full = format!("{}/{path}", self.run.listed.run);
        let within = |(id, called): (&String, &Shown)| {
            full.strip_prefix(id.as_str()).and_then(|rest| rest.strip_prefix('/')).is_some_and(|path| has(called, path))
        };
        has(&self.run, path) || self.called.iter().any(within)
    }
}

impl Reader {
    /// One run with all that it called; none where there is none of this id.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn whole(&self, run: &str) -> Result<Option<Whole>, NotKept> {
        let Some(run) = self.run(run)? else { return Ok(None) };
        let mut called = BTreeMap::new();
        for listed in &run.called {
            if let Some(shown) = self.run(&listed.run)? {
                called.insert(listed.run.clone(), shown);
            }
        }
        Ok(Some(Whole { run, called }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_which_round_it_is_in() {
        assert_eq!(round_of("rows[2]/update"), Some(("rows", 2)));
        assert_eq!(round_of("rows[2]/cells[10]/update"), Some(("rows[2]/cells", 10)));
        assert_eq!((round_of("update"), round_of("rows[2]")), (None, None));
    }
}
