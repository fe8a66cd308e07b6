//! What became of a record.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cosell_model::{Failure, Outcome, Value};
use cosell_runtime::core::entry;
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::{Observer, RunRecord, StepRecord};
use futures::FutureExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::progress::Progress;
use super::records::{Direction, Record};

/// What became of a record, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// The other side has it now.
    Created,
    /// The other side was changed.
    Updated,
    /// Both sides agreed already.
    Equal,
    /// It is none of the deals that are kept in step.
    Ignored,
    /// Its data keep it from the other side: someone must put them right.
    Refused,
    /// A service could not be reached or gave no access, or the flow is broken: it is worth another try.
    Failed,
}

impl Verdict {
    /// In the order of the closing table.
    pub(super) const ALL: [Self; 6] =
        [Self::Created, Self::Updated, Self::Equal, Self::Ignored, Self::Refused, Self::Failed];

    /// The word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Equal => "equal",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Finished {
    pub(super) direction: Direction,
    pub(super) id: String,
    pub(super) name: String,
    /// When the record was created.
    pub(super) created_at: Timestamp,
    pub(super) result: Verdict,
    /// Why, where there is more to say.
    pub(super) reason: Option<String>,
    /// Fields that both sides had changed, as the flow yields them.
    pub(super) conflicts: Vec<Value>,
    /// The run's id; none where no run began.
    pub(super) run: Option<String>,
}

/// The codes with which the flows say that a deal's data keep it from the other side.
const REFUSED: [&str; 2] = ["not_sent", "not_written"];

/// Runs a record through its flow.
pub(super) async fn finish(engine: &Engine, direction: Direction, record: Record, progress: &Progress) -> Finished {
    let Record { id, name, created_at, trigger } = record;
    let flow = direction.flow();
    let finished =
        |result, reason| Finished { direction, id, name, created_at, result, reason, conflicts: Vec::new(), run: None };
    let is_wanted = engine.plan(&flow).map_or(Ok(true), |plan| entry::is_wanted(plan, &trigger));
    match is_wanted {
        Ok(true) => {}
        Ok(false) => return finished(Verdict::Ignored, Some("The trigger's own condition leaves it out.".to_owned())),
        Err(failure) => return finished(Verdict::Failed, Some(failure.message)),
    }
    let observer = Watch { progress, out_of_reach: AtomicBool::new(false) };
    let start = Start { trigger, ..Start::default() };
    // A connector that panics must not take the walk with it.
    let run = AssertUnwindSafe(engine.run(&flow, start, &observer)).catch_unwind().await;
    let Ok(run) = run else { return finished(Verdict::Failed, Some("The run panicked.".to_owned())) };
    let (result, reason) = verdict(&run, observer.out_of_reach.into_inner());
    let conflicts = run.output["conflicts"].as_array().cloned().unwrap_or_default();
    Finished { conflicts, run: Some(run.id), ..finished(result, reason) }
}

fn verdict(run: &RunRecord, out_of_reach: bool) -> (Verdict, Option<String>) {
    if run.outcome != Outcome::Succeeded {
        let Some(failure) = &run.failure else { return (Verdict::Failed, Some(format!("The run {}.", run.outcome))) };
        let is_refusal = REFUSED.contains(&failure.code.as_str()) && !out_of_reach;
        let result = if is_refusal { Verdict::Refused } else { Verdict::Failed };
        return (result, Some(if is_refusal { failure.message.clone() } else { failure.to_string() }));
    }
    match Verdict::deserialize(&run.output["result"]) {
        Ok(result) => (result, run.output["reason"].as_str().map(str::to_owned)),
        Err(_) => {
            let words = Verdict::ALL.map(Verdict::as_str).join(", ");
            let reason = format!("The flow's output has no `result` that is one of {words}.");
            (Verdict::Failed, Some(reason))
        }
    }
}

/// Looks on: whether a service was out of reach, which a flow that handles failures does not say.
struct Watch<'w> {
    progress: &'w Progress,
    out_of_reach: AtomicBool,
}

impl Observer for Watch<'_> {
    fn step_ended(&self, _: &str, _: usize, step: &StepRecord) {
        if step.kind == "use" && step.outcome != Outcome::Succeeded && is_out_of_reach(step) {
            self.out_of_reach.store(true, Ordering::Relaxed);
        }
    }

    fn retrying(&self, _: &str, _: usize, _: &str, _: u32, after: Duration, why: &str) {
        self.progress.waiting(after, why);
    }
}

/// Whether the last attempt of an operation met no service, one that is busy or broken, or one that gives no access.
fn is_out_of_reach(step: &StepRecord) -> bool {
    let is_no_sign_in = |failure: &Failure| failure.code.starts_with("AADSTS");
    let is_no_service = match step.requests.last() {
        Some(request) => request.status.is_none_or(|status| matches!(status, 401 | 403 | 408 | 429 | 500..=599)),
        None => step.attempts > 1,
    };
    is_no_service || step.failure.as_deref().is_some_and(is_no_sign_in)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(outcome: Outcome, output: Value, code: Option<&str>) -> RunRecord {
        RunRecord {
            id: "r".to_owned(),
            flow: Direction::Referrals.flow(),
            outcome,
            left_out: 0,
            output,
            failure: code.map(|code| Failure::new(code, "The reason.")),
            answer: None,
            began: Timestamp::UNIX_EPOCH,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn what_the_data_keep_back_is_refused_and_the_rest_failed() {
        let failed = |code, out_of_reach| verdict(&run(Outcome::Failed, Value::Null, Some(code)), out_of_reach);
        assert_eq!(failed("not_sent", false), (Verdict::Refused, Some("The reason.".to_owned())));
        assert_eq!(failed("not_written", false).0, Verdict::Refused);
        assert_eq!(failed("not_written", true).0, Verdict::Failed, "another day it may be written");
        assert_eq!(failed("itemNotFound", false), (Verdict::Failed, Some("The reason. (itemNotFound)".to_owned())));
        assert_eq!(verdict(&run(Outcome::TimedOut, Value::Null, None), false).0, Verdict::Failed);
    }

    #[test]
    fn a_flow_says_what_it_did_and_one_that_does_not_is_broken() {
        let done = |output| verdict(&run(Outcome::Succeeded, output, None), true);
        assert_eq!(done(json!({ "result": "equal", "reason": null })), (Verdict::Equal, None));
        assert_eq!(done(json!({ "result": "ignored", "reason": "Why." })), (Verdict::Ignored, Some("Why.".to_owned())));
        assert_eq!(done(json!({ "result": "fine" })).0, Verdict::Failed);
        assert_eq!(done(Value::Null).0, Verdict::Failed);
    }
}
