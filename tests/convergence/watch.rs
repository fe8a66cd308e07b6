//! What the program does, seen from inside: which runs failed, and which of them worked on one deal at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use cosell_model::{FlowId, Outcome};
use cosell_runtime::record::{Observer, RunRecord, StepRecord};

/// The flows whose scope `synchronize` keeps a deal to itself.
pub const KEEPERS: [&str; 2] = ["partner-center-to-dynamics", "dynamics-to-partner-center"];

/// Their steps that stand outside that scope.
const OUTSIDE: [&str; 8] = [
    "named_referral",
    "engagement",
    "sides",
    "saved_opportunity",
    "synchronize",
    "trouble",
    "report_failure",
    "refused",
];

/// Keeps what the observer of a case is told.
#[derive(Default)]
pub struct Watch {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// By run, of the flows that keep a deal to themselves.
    spans: BTreeMap<String, Span>,
    failures: Vec<String>,
}

/// From the end of a run's first step with a deal to the end of its last: it has the deal's keys all the time between.
#[derive(Clone, Debug)]
struct Span {
    flow: FlowId,
    /// The deal's names on both sides, as far as the run knows them.
    names: BTreeSet<String>,
    between: Option<(Instant, Instant)>,
}

impl Watch {
    /// What failed, newest last.
    pub fn failures(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).failures.clone()
    }

    /// Each two runs that worked on one deal at the same time.
    pub fn overlaps(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let spans: Vec<(&String, &Span)> = seen.spans.iter().collect();
        let mut overlaps = Vec::new();
        for (at, (run, span)) in spans.iter().enumerate() {
            for (other_run, other) in &spans[at + 1..] {
                let (Some((from, to)), Some((other_from, other_to))) = (span.between, other.between) else { continue };
                if from < other_to && other_from < to && !span.names.is_disjoint(&other.names) {
                    overlaps.push(format!("{} {run} and {} {other_run}: {:?}", span.flow, other.flow, span.names));
                }
            }
        }
        overlaps
    }

    /// How many runs of a flow had a deal to themselves.
    pub fn runs(&self, flow: &str) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.spans.values().filter(|span| span.flow.as_str() == flow && span.between.is_some()).count()
    }
}

impl Observer for Watch {
    fn run_began(&self, run: &str, flow: &FlowId, _: usize) {
        if KEEPERS.contains(&flow.as_str()) {
            let span = Span { flow: flow.clone(), names: BTreeSet::new(), between: None };
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).spans.insert(run.to_owned(), span);
        }
    }

    fn step_ended(&self, run: &str, _: usize, step: &StepRecord) {
        if step.outcome == Outcome::Skipped || step.attempts == 0 {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // The run itself, or the one that called it, or whose flow called the flow that called it.
        let whole = format!("{run}/{}", step.path);
        let Some((keeper, place)) = whole.match_indices('/').find_map(|(at, _)| {
            let (run, place) = (&whole[..at], &whole[at + 1..]);
            seen.spans.contains_key(run).then_some((run, place))
        }) else {
            return;
        };
        if OUTSIDE.iter().any(|step| place.split(['/', '[']).next() == Some(*step)) {
            return;
        }
        let Some(span) = seen.spans.get_mut(keeper) else { return };
        let now = Instant::now();
        span.between = Some(span.between.map_or((now, now), |(from, _)| (from, now)));
        let members: &[&str] = match place {
            "referral" => &["id", "externalReferenceId"],
            "fresh_opportunity" => &["opportunityid", "msft_microsoftpartnercenterreferralidentifier"],
            _ => &[],
        };
        span.names.extend(members.iter().filter_map(|member| step.output[*member].as_str()).map(str::to_owned));
    }

    fn run_ended(&self, depth: usize, run: &RunRecord) {
        if let (0, Some(failure)) = (depth, &run.failure) {
            let failure = format!("{}: {failure}", run.flow);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).failures.push(failure);
        }
    }
}
