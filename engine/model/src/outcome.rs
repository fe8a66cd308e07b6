//! How a step, a block or a run can end.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a step, a block or a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it should.
    Succeeded,
    /// It did not, and retries are used up.
    Failed,
    /// It did not start: a condition was false, or something it waits for ended otherwise than accepted.
    Skipped,
    /// Its own time limit passed.
    TimedOut,
    /// It was in progress when the run was stopped or cancelled.
    Cancelled,
}

impl Outcome {
    /// The four outcomes that `after` can name.
    pub const NAMED_IN_AFTER: [Outcome; 4] = [Outcome::Succeeded, Outcome::Failed, Outcome::Skipped, Outcome::TimedOut];

    /// The word used in YAML, JSON and print.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
            Outcome::TimedOut => "timed_out",
            Outcome::Cancelled => "cancelled",
        }
    }

    /// The outcome that `after` names by `word`.
    pub fn named_in_after(word: &str) -> Option<Self> {
        Self::NAMED_IN_AFTER.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The outcomes of a predecessor that let a step run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepts(u8);

impl Accepts {
    /// Only success: what an edge accepts unless `after` says otherwise.
    pub const SUCCEEDED: Accepts = Accepts(1 << Outcome::Succeeded as u8);
    /// However it ended.
    pub const ANY: Accepts = Accepts(0b1_1111);
    /// Nothing; to be added to.
    pub const NONE: Accepts = Accepts(0);

    /// This set with `outcome` in it. A step cancelled by its own limit counts as timed out, so `timed_out` brings
    /// `cancelled` with it.
    #[must_use]
    pub fn with(self, outcome: Outcome) -> Self {
        let cancelled = if outcome == Outcome::TimedOut { 1 << Outcome::Cancelled as u8 } else { 0 };
        Accepts(self.0 | 1 << outcome as u8 | cancelled)
    }

    /// Whether `outcome` is in the set.
    pub fn contains(self, outcome: Outcome) -> bool {
        self.0 & (1 << outcome as u8) != 0
    }
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> =
            Outcome::NAMED_IN_AFTER.into_iter().filter(|o| self.contains(*o)).map(Outcome::as_str).collect();
        f.write_str(&words.join(", "))
    }
}

/// Why a step, a block or a run failed, as data that survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable code for programs: `expression_failed`, `itemNotFound`, `0x80040217`…
    pub code: String,
    /// A sentence for people: what is wrong and what to do next. Never holds a secret.
    pub message: String,
    /// The innermost step that failed, where the failure was passed up by a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What the remote system said, where it helps; null otherwise.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl Failure {
    /// A failure without details, not yet tied to a step.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), step: None, details: Value::Null }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// Why a step was skipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum SkipReason {
    /// Its `when` was false.
    Condition,
    /// A step it waits for ended in an outcome it does not accept.
    Dependency {
        /// That step's id.
        step: String,
        /// How that step ended.
        outcome: Outcome,
    },
    /// It lies in a branch that was not taken, or in a block that was skipped.
    NotTaken,
    /// The run ended before it could start.
    Stopped,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::Condition => f.write_str("its condition is false"),
            SkipReason::Dependency { step, outcome } => write!(f, "`{step}` {}", past(*outcome)),
            SkipReason::NotTaken => f.write_str("its branch was not taken"),
            SkipReason::Stopped => f.write_str("the run ended first"),
        }
    }
}

fn past(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Skipped => "was skipped",
        Outcome::TimedOut => "timed out",
        Outcome::Cancelled => "was cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepting_set_holds_what_was_put_in() {
        let set = Accepts::NONE.with(Outcome::Failed).with(Outcome::TimedOut);
        assert!(set.contains(Outcome::Failed) && set.contains(Outcome::TimedOut));
        assert!(set.contains(Outcome::Cancelled), "a step cancelled by its limit counts as timed out");
        assert!(!set.contains(Outcome::Succeeded) && !set.contains(Outcome::Skipped));
        assert_eq!(set.to_string(), "failed, timed_out");
    }
}
