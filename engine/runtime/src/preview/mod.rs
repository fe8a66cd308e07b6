//! What a dry run found: its steps as they ended, what each would have written, and which row of a mapping made it.
//! [`words`] puts it as people read it.

pub mod words;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cosell_compile::expr::path::member;
use cosell_compile::mapping::Mapping;
use cosell_compile::plan::Action;
use cosell_model::outcome::SkipReason;
use cosell_model::{Failure, FlowId, Outcome, Value};
use cosell_sdk::values::same;
use cosell_sdk::{Change, Prediction};
use serde::Serialize;
use serde_json::json;

use crate::memory::Engine;
use crate::record::{HIDDEN, Observer, RunRecord, StepRecord};

/// Watches a run of a [dry engine](Engine::dry).
pub struct Watching<'e> {
    engine: &'e Engine,
    found: Mutex<Found>,
}

/// What a dry run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preview {
    /// The flow.
    pub flow: FlowId,
    /// How the run ended.
    pub outcome: Outcome,
    /// What the flow yields.
    pub output: Value,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The steps in the order of their flows' files, and those of a called flow behind the step that calls.
    pub steps: Vec<Foreseen>,
    /// How much it is.
    pub totals: Totals,
}

/// How much a dry run found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Steps that succeeded.
    pub succeeded: usize,
    /// Steps that were skipped.
    pub skipped: usize,
    /// Steps that failed or timed out.
    pub failed: usize,
    /// Requests that were made, all of them reading.
    pub requests: usize,
    /// Writes that would change something.
    pub writes: usize,
    /// Writes that would change nothing.
    pub unchanged: usize,
    /// Fields that would change.
    pub fields: usize,
}

/// A step of a dry run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Foreseen {
    /// The flow it stands in.
    pub flow: FlowId,
    /// How many flows lie around that one.
    pub depth: usize,
    /// Its place in the run of that flow: `rows[2]/update`.
    pub path: String,
    /// Its title.
    pub title: String,
    /// The word in YAML that says what it does.
    pub kind: String,
    /// The operation or the flow that it calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What it would have written: none where it writes nothing at all, empty where all is so already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<Written>>,
    /// What earlier steps would have written and this one could not take into account, and why: sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// One field of one record that would change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Written {
    /// Record, field, old and new value.
    #[serde(flatten)]
    pub change: Change,
    /// The row of a mapping that made the new value; none where it comes from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<Origin>,
}

/// A row of a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The mapping.
    pub mapping: String,
    /// The row's id.
    pub row: String,
}

#[derive(Default)]
struct Found {
    /// By id.
    runs: HashMap<String, Began>,
    /// Of steps that have not ended, by run and path.
    changes: HashMap<(String, String), Vec<Written>>,
    /// The same.
    remarks: HashMap<(String, String), Vec<String>>,
    /// What rows of mappings made so far: field, value, row.
    made: Vec<(String, Value, Origin)>,
    steps: BTreeMap<Place, Foreseen>,
    totals: Totals,
    /// What went wrong in steps that keep secret what they are given: it may tell that.
    secret: HashSet<String>,
}

/// A run that has begun.
#[derive(Clone)]
struct Began {
    flow: FlowId,
    /// The place of the step that calls it.
    within: Place,
    /// Whether a step around it keeps something secret.
    secret: bool,
}

/// Where a step stands, from the outside in: its number in its plan; and of each loop around it the round, from 1.
type Place = Vec<(u32, u32)>;

impl<'e> Watching<'e> {
    /// Begins to watch a run of `engine`.
    pub fn new(engine: &'e Engine) -> Self {
        Self { engine, found: Mutex::default() }
    }

    /// What was found, once the run has ended.
    pub fn found(self, run: RunRecord) -> Preview {
        let Found { steps, totals, secret, .. } = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let told = |failure: Failure| {
            let message = if secret.contains(&failure.message) { HIDDEN.to_owned() } else { failure.message };
            // What the remote system said goes with the message.
            let details = if message == HIDDEN { Value::Null } else { failure.details };
            Failure { message, details, ..failure }
        };
        let steps = steps.into_values().map(|step| Foreseen { failure: step.failure.map(&told), ..step }).collect();
        let failure = run.failure.map(told);
        Preview { flow: run.flow, outcome: run.outcome, output: run.output, failure, steps, totals }
    }

    fn locked(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a step of a run stands.
    fn place(&self, run: &Began, path: &str) -> Place {
        let plan = self.engine.plan(&run.flow);
        let steps = path.split('/').map(|step| {
            let (id, round) = step.trim_end_matches(']').split_once('[').unwrap_or((step, ""));
            let number = plan.and_then(|plan| plan.find(id)).map_or(0, |step| step.0);
            (number, round.parse().map_or(0, |round: u32| round + 1))
        });
        run.within.iter().copied().chain(steps).collect()
    }

    /// Whether a step keeps secret what it is given, or, where it calls, anything.
    fn hides(&self, run: &Began, path: &str) -> bool {
        let id = path.rsplit('/').next().and_then(|step| step.split('[').next()).unwrap_or_default();
        let step = self.engine.plan(&run.flow).and_then(|plan| Some(plan.step(plan.find(id)?)));
        run.secret
            || step.is_some_and(|step| {
                step.sensitive.input || step.sensitive.output && matches!(step.action, Action::Call { .. })
            })
    }

    /// What the rows of a mapping made, where the step is one that maps.
    fn made(&self, flow: &FlowId, step: &StepRecord) -> Vec<(String, Value, Origin)> {
        let id = step.path.rsplit('/').next().unwrap_or_default();
        let action = self.engine.plan(flow).and_then(|plan| Some(&plan.step(plan.find(id)?).action));
        match action {
            Some(Action::Map { mapping, from, .. }) => mapped(mapping, *from, &step.output),
            Some(Action::Compare { mapping, .. }) => different(mapping, &step.output["differences"]),
            Some(Action::Merge { mapping, .. }) => {
                let sides = mapping.sides.iter();
                sides.flat_map(|side| different(mapping, &step.output["differences"][side])).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn mapped(mapping: &Mapping, from: usize, output: &Value) -> Vec<(String, Value, Origin)> {
    let rows = mapping.rows.iter().filter(|row| row.only_to.is_none_or(|to| to == 1 - from));
    rows.map(|row| {
        let field = &row.fields[1 - from];
        let origin = Origin { mapping: mapping.name.clone(), row: row.id.clone() };
        (field.path_text(), member(output, &field.path).clone(), origin)
    })
    .filter(|(_, value, _)| !value.is_null())
    .collect()
}

fn different(mapping: &Mapping, differences: &Value) -> Vec<(String, Value, Origin)> {
    let text = |difference: &Value, name: &str| difference[name].as_str().unwrap_or_default().to_owned();
    let made = differences.as_array().into_iter().flatten().map(|difference| {
        let origin = Origin { mapping: mapping.name.clone(), row: text(difference, "row") };
        (text(difference, "path"), difference["new"].clone(), origin)
    });
    made.collect()
}

impl Found {
    /// The row that made a value last, in the field that it is written to, or in one of a record that is part of it, as the
    /// customer is of a referral.
    fn origin(&self, change: &Change) -> Option<Origin> {
        let made = |fits: &dyn Fn(&str) -> bool| {
            let mut made = self.made.iter().rev();
            let found = made.find(|(field, value, _)| fits(field) && same(value, &change.new));
            found.map(|(_, _, origin)| origin.clone())
        };
        let is_part = |field: &str| change.field.strip_suffix(field).is_some_and(|above| above.ends_with('.'));
        made(&|field| field == change.field).or_else(|| made(&is_part))
    }
}

impl Observer for Watching<'_> {
    fn run_began(&self, run: &str, flow: &FlowId, _: usize) {
        let mut found = self.locked();
        // A called run's id is its caller's, and the path of the step that calls.
        let callers =
            found.runs.iter().filter_map(|(id, began)| Some((began, run.strip_prefix(id)?.strip_prefix('/')?)));
        let caller = callers.min_by_key(|(_, path)| path.len());
        let (within, secret) =
            caller.map(|(began, path)| (self.place(began, path), self.hides(began, path))).unwrap_or_default();
        found.runs.insert(run.to_owned(), Began { flow: flow.clone(), within, secret });
    }

    fn foreseen(&self, run: &str, _: usize, step: &str, prediction: &Prediction) {
        let mut found = self.locked();
        let changes = prediction.changes.iter();
        let written = changes.map(|change| Written { row: found.origin(change), change: change.clone() }).collect();
        found.changes.insert((run.to_owned(), step.to_owned()), written);
    }

    fn remarked(&self, run: &str, _: usize, step: &str, remark: &str) {
        let mut found = self.locked();
        let remarks = found.remarks.entry((run.to_owned(), step.to_owned())).or_default();
        // Each attempt remarks it.
        if !remarks.iter().any(|known| known == remark) {
            remarks.push(remark.to_owned());
        }
    }

    fn step_ended(&self, run: &str, depth: usize, step: &StepRecord) {
        let mut found = self.locked();
        let Some(run_of) = found.runs.get(run).cloned() else { return };
        let place = self.place(&run_of, &step.path);
        if let Some(failure) = step.failure.as_ref().filter(|_| self.hides(&run_of, &step.path)) {
            found.secret.insert(failure.message.clone());
        }
        let flow = run_of.flow;
        if step.outcome == Outcome::Succeeded {
            found.made.extend(self.made(&flow, step));
        }
        let of_step = (run.to_owned(), step.path.clone());
        let (changes, remarks) = (found.changes.remove(&of_step), found.remarks.remove(&of_step).unwrap_or_default());
        let totals = &mut found.totals;
        match step.outcome {
            Outcome::Succeeded => totals.succeeded += 1,
            Outcome::Skipped => totals.skipped += 1,
            Outcome::Failed | Outcome::TimedOut | Outcome::Cancelled => totals.failed += 1,
        }
        totals.requests += step.requests.len();
        match changes.as_deref() {
            None => {}
            Some([]) => totals.unchanged += 1,
            Some(changes) => {
                totals.writes += 1;
                totals.fields += changes.len();
            }
        }
        let foreseen = Foreseen {
            flow,
            depth,
            path: step.path.clone(),
            title: step.title.clone(),
            kind: step.kind.clone().into_owned(),
            target: step.target.clone(),
            outcome: step.outcome,
            skipped: step.skipped.clone(),
            failure: step.failure.as_deref().cloned(),
            changes,
            remarks,
        };
        found.steps.insert(place, foreseen);
    }
}

impl Preview {
    /// Whether anything would change anywhere.
    pub fn changes_anything(&self) -> bool {
        self.totals.writes > 0
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!(self)
    }
}
