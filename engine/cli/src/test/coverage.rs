//! What tests reach: steps that ran, both ways of each condition, the branches, and rows of mappings that brought a value.
//!
//! [`Watching`] notes what runs reach; [`Points`] are what there is to be reached; [`Coverage`] is the one held against the
//! other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use cosell_compile::Compilation;
use cosell_compile::expr::path::member;
use cosell_compile::mapping::Mapping;
use cosell_compile::plan::{Action, BlockIx, Plan, StepIx, StepPlan};
use cosell_compile::testcase::Unreachable;
use cosell_model::flow::{Block, Flow, StepKind};
use cosell_model::outcome::SkipReason;
use cosell_model::{FlowId, Outcome, Span, Value};
use cosell_runtime::record::{Observer, RunRecord, StepRecord};
use serde_json::{Map, json};

/// Something that a test can reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Point {
    /// The step runs.
    Ran(String),
    /// The step's `when` is false.
    Skipped(String),
    /// A block of the step is taken: `then`, `else`, `default`, or a case.
    Taken(String, String),
    /// The row of a mapping brings a value to this side.
    Row(String, String),
}

/// Whose a point is: a flow's, or a mapping's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    Flow(String),
    Mapping(String),
}

/// Notes what runs reach.
#[derive(Default)]
pub(super) struct Watching {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    reached: BTreeSet<(Of, Point)>,
    /// The steps of runs that have not ended.
    under_way: BTreeMap<String, Vec<StepRecord>>,
    plans: BTreeMap<FlowId, std::sync::Arc<Plan>>,
}

impl Watching {
    /// The flows that runs from now on are of.
    pub(super) fn flows(&self, compilation: &Compilation) {
        self.locked().plans.clone_from(&compilation.plans);
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was reached.
    pub(super) fn reached(self) -> BTreeSet<(Of, Point)> {
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner).reached
    }
}

impl Observer for Watching {
    fn run_began(&self, run: &str, _: &FlowId, _: usize) {
        self.locked().under_way.insert(run.to_owned(), Vec::new());
    }

    fn step_ended(&self, run: &str, _: usize, step: &StepRecord) {
        if let Some(steps) = self.locked().under_way.get_mut(run) {
            steps.push(step.clone());
        }
    }

    fn run_ended(&self, _: usize, run: &RunRecord) {
        let mut seen = self.locked();
        let steps = seen.under_way.remove(&run.id).unwrap_or_default();
        let Some(plan) = seen.plans.get(&run.flow).cloned() else { return };
        seen.reached.extend(reached(&plan, &steps));
    }
}

/// What a run reached.
fn reached(plan: &Plan, steps: &[StepRecord]) -> BTreeSet<(Of, Point)> {
    let mut found = BTreeSet::new();
    let flow = || Of::Flow(plan.flow.to_string());
    for record in steps {
        let id = record.path.rsplit('/').next().unwrap_or_default();
        let id = id.split('[').next().unwrap_or_default();
        let Some(at) = plan.find(id) else { continue };
        let step = plan.step(at);
        match (&record.skipped, record.outcome) {
            (Some(SkipReason::Condition), _) => drop(found.insert((flow(), Point::Skipped(id.to_owned())))),
            (None, _) => {
                found.insert((flow(), Point::Ran(id.to_owned())));
                found
                    .extend(taken(plan, step, record, steps).map(|block| (flow(), Point::Taken(id.to_owned(), block))));
            }
            _ => {}
        }
        if record.outcome == Outcome::Succeeded {
            found.extend(rows(&step.action, &record.output));
        }
    }
    found
}

/// The blocks of a branching step, by what chooses them.
fn branches(step: &StepPlan) -> Vec<(String, BlockIx)> {
    match &step.action {
        Action::If { then, otherwise, .. } => vec![("then".to_owned(), *then), ("else".to_owned(), *otherwise)],
        Action::Switch { cases, default, .. } => {
            let cases = cases.iter().map(|(case, block)| (format!("case {}", plain(case)), *block));
            cases.chain([("default".to_owned(), *default)]).collect()
        }
        _ => Vec::new(),
    }
}

fn plain(case: &Value) -> String {
    case.as_str().map_or_else(|| case.to_string(), str::to_owned)
}

/// The block that a step took: the one whose steps were not left out; an empty one where all others were.
fn taken<'r>(
    plan: &'r Plan,
    step: &'r StepPlan,
    record: &'r StepRecord,
    steps: &'r [StepRecord],
) -> impl Iterator<Item = String> + 'r {
    let branches = branches(step);
    // Only loops make steps of their own of those that they hold.
    let round = record.path.rsplit_once('/').map_or(String::new(), |(round, _)| format!("{round}/"));
    let ran = |block: BlockIx| {
        plan.block(block).steps.iter().any(|step: &StepIx| {
            let path = format!("{round}{}", plan.step(*step).id);
            steps.iter().any(|held| held.path == path && held.skipped != Some(SkipReason::NotTaken))
        })
    };
    let none_ran = !branches.iter().any(|(_, block)| ran(*block));
    let empties = branches.iter().filter(|(_, block)| plan.block(*block).steps.is_empty()).count();
    let by_default = none_ran && empties == 1 && record.outcome == Outcome::Succeeded;
    let is_empty = |block: BlockIx| plan.block(block).steps.is_empty();
    let found: Vec<String> = branches
        .into_iter()
        .filter(|(_, block)| if is_empty(*block) { by_default } else { ran(*block) })
        .map(|(name, _)| name)
        .collect();
    found.into_iter()
}

/// The rows that brought a value, where the step is one that maps.
fn rows(action: &Action, output: &Value) -> Vec<(Of, Point)> {
    let point = |mapping: &Mapping, row: &str, to: usize| {
        (Of::Mapping(mapping.name.clone()), Point::Row(row.to_owned(), mapping.sides[to].clone()))
    };
    let different = |mapping: &Mapping, differences: &Value, to: usize| -> Vec<(Of, Point)> {
        let rows = differences.as_array().into_iter().flatten();
        rows.filter_map(|difference| Some(point(mapping, difference["row"].as_str()?, to))).collect()
    };
    match action {
        Action::Map { mapping, from, .. } => {
            let rows = mapping.rows.iter().filter(|row| !member(output, &row.fields[1 - from].path).is_null());
            rows.map(|row| point(mapping, &row.id, 1 - from)).collect()
        }
        Action::Compare { mapping, from, .. } => different(mapping, &output["differences"], 1 - from),
        Action::Merge { mapping, .. } => [0, 1]
            .into_iter()
            .flat_map(|to| different(mapping, &output["differences"][&mapping.sides[to]], to))
            .collect(),
        _ => Vec::new(),
    }
}

/// What there is to be reached, and where it stands.
struct Points(BTreeMap<(Of, Point), Option<String>>);

impl Points {
    fn of(compilation: &Compilation) -> Self {
        let mut points = BTreeMap::new();
        for plan in compilation.plans.values() {
            let mut places = BTreeMap::new();
            if let Some(flow) = compilation.flows.get(&plan.flow) {
                places_in(flow, &mut places);
            }
            let of = Of::Flow(plan.flow.to_string());
            for step in &plan.steps {
                let place = places.get(step.id.as_str()).map(|span| compilation.sources.place(*span));
                let id = step.id.to_string();
                let mut add = |point: Point| points.insert((of.clone(), point), place.clone());
                add(Point::Ran(id.clone()));
                if step.when.is_some() {
                    add(Point::Skipped(id.clone()));
                }
                for (name, block) in branches(step) {
                    // Whether a `switch` has a `default` is up to the flow.
                    if name != "default" || !plan.block(block).steps.is_empty() {
                        add(Point::Taken(id.clone(), name));
                    }
                }
                points.extend(rows_of(&step.action));
            }
        }
        Self(points)
    }
}

/// The rows of mappings that a step can bring, each with the side that it brings them to.
fn rows_of(action: &Action) -> Vec<((Of, Point), Option<String>)> {
    let (mapping, sides) = match action {
        Action::Map { mapping, from, .. } | Action::Compare { mapping, from, .. } => (mapping, vec![1 - from]),
        Action::Merge { mapping, .. } => (mapping, vec![0, 1]),
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    for row in &mapping.rows {
        for to in sides.iter().filter(|to| row.only_to.is_none_or(|only| only == **to)) {
            let point = Point::Row(row.id.clone(), mapping.sides[*to].clone());
            found.push(((Of::Mapping(mapping.name.clone()), point), Some(row.place.clone())));
        }
    }
    found
}

fn places_in(flow: &Flow, places: &mut BTreeMap<String, Span>) {
    fn of(block: &Block, places: &mut BTreeMap<String, Span>) {
        for step in &block.steps {
            places.insert(step.id.value.to_string(), step.id.span);
            match &step.kind {
                StepKind::Scope { body, .. } | StepKind::ForEach { body, .. } | StepKind::Until { body, .. } => {
                    of(body, places);
                }
                StepKind::If { then, otherwise, .. } => {
                    [then, otherwise].into_iter().for_each(|block| of(block, places))
                }
                StepKind::Switch { cases, default, .. } => {
                    cases.iter().map(|case| &case.block).chain([default]).for_each(|block| of(block, places));
                }
                _ => {}
            }
        }
    }
    of(&flow.steps, places);
}

/// How much of a flow or a mapping is reached.
pub(super) struct Part {
    pub(super) of: Of,
    pub(super) reached: usize,
    pub(super) all: usize,
    /// What is not reached: where it stands, and what it is.
    pub(super) missing: Vec<(String, String)>,
    /// What a test file says cannot be reached, and why.
    pub(super) excused: Vec<(String, String)>,
}

/// What is reached of everything.
pub(super) struct Coverage {
    pub(super) parts: Vec<Part>,
}

impl Coverage {
    /// Holds what was reached against what there is.
    pub(super) fn of(compilation: &Compilation, reached: &BTreeSet<(Of, Point)>, unreachable: &[Unreachable]) -> Self {
        let mut parts: BTreeMap<Of, Part> = BTreeMap::new();
        let excuse = |of: &Of, point: &Point| {
            let (Of::Flow(flow), Some(step)) = (of, point.step()) else { return None };
            unreachable.iter().find(|known| known.flow.value == *flow && known.step.value == step)
        };
        for ((of, point), place) in Points::of(compilation).0 {
            let new = || Part { of: of.clone(), reached: 0, all: 0, missing: Vec::new(), excused: Vec::new() };
            let part = parts.entry(of.clone()).or_insert_with(new);
            let is_reached = reached.contains(&(of.clone(), point.clone()));
            if let (false, Some(excuse)) = (is_reached, excuse(&of, &point)) {
                part.excused.push((place.unwrap_or_default(), format!("{}: {}", point.in_words(), excuse.because)));
                continue;
            }
            part.all += 1;
            if is_reached {
                part.reached += 1;
            } else {
                part.missing.push((place.unwrap_or_default(), point.in_words()));
            }
        }
        let mut parts: Vec<Part> = parts.into_values().collect();
        for part in &mut parts {
            part.missing.sort_by_key(|(place, _)| line(place));
        }
        Self { parts }
    }

    /// Points that are reached, and all there are.
    pub(super) fn totals(&self) -> (usize, usize) {
        let sum = |count: fn(&Part) -> usize| self.parts.iter().map(count).sum();
        (sum(|part| part.reached), sum(|part| part.all))
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> Value {
        let part = |part: &Part| {
            let shown = |points: &[(String, String)]| -> Vec<Value> {
                points.iter().map(|(place, what)| json!({ "place": place, "what": what })).collect()
            };
            json!({
                "reached": part.reached, "all": part.all, "percent": percent(part.reached, part.all),
                "missing": shown(&part.missing), "unreachable": shown(&part.excused),
            })
        };
        let (mut flows, mut mappings) = (Map::new(), Map::new());
        for found in &self.parts {
            match &found.of {
                Of::Flow(name) => flows.insert(name.clone(), part(found)),
                Of::Mapping(name) => mappings.insert(name.clone(), part(found)),
            };
        }
        let (reached, all) = self.totals();
        json!({
            "reached": reached, "all": all, "percent": percent(reached, all), "flows": flows, "mappings": mappings,
        })
    }
}

/// A place's line, to put places of one file in order.
fn line(place: &str) -> (String, usize) {
    let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
    (file.to_owned(), line.parse().unwrap_or_default())
}

/// How much of all: 100 only where nothing is missing.
pub(super) fn percent(reached: usize, all: usize) -> usize {
    (reached * 100).checked_div(all).unwrap_or(100)
}

impl Point {
    /// The step that it is about.
    fn step(&self) -> Option<&str> {
        match self {
            Point::Ran(step) | Point::Skipped(step) | Point::Taken(step, _) => Some(step),
            Point::Row(..) => None,
        }
    }

    fn in_words(&self) -> String {
        match self {
            Point::Ran(step) => format!("step `{step}` never runs"),
            Point::Skipped(step) => format!("step `{step}`: its `when` is never false"),
            Point::Taken(step, block) => format!("step `{step}`: `{block}` is never taken"),
            Point::Row(row, side) => format!("row `{row}` never brings a value to the {side}"),
        }
    }
}
