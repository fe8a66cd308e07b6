//! Playing a test on a recording: its answers stand in for the systems, and writes are those that a dry run foretells.

use std::sync::{Mutex, PoisonError};

use cosell_compile::testcase::{ActKind, Test, Verb};
use cosell_model::{FlowId, Node, Span, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::{Observer, RunRecord, StepRecord};
use cosell_runtime::recording::Recording;
use cosell_sdk::Prediction;
use serde_json::json;

use super::coverage::Watching;
use super::names::{As, Mistake, Names, REFERRAL};
use super::play::{Found, Playing};
use super::stage::plain;
use super::writes::{Written, put};
use crate::project;

/// Plays a test on a recording, which it names at `place`; what was found is then to be judged.
///
/// # Errors
/// What the recording lacks; names that no record has.
pub(super) async fn play(recording: &Recording, place: Span, test: &Test, with: Playing<'_>) -> Result<Found, Mistake> {
    let broken = |trouble| Mistake::new(place, plain(&trouble));
    let plans = with.compilation.plans.clone();
    let connections = project::unreachable(&plans, with.connectors).map_err(broken)?;
    let engine = Engine::new(plans, connections, with.retry).playing(recording);
    let mut names = Names::new();
    let (flow, start) = begins(recording, test, &names)?;
    let watching = Foretold { watching: with.watching, writes: Mutex::default() };
    let run = engine.run(&flow, start, &watching).await;
    if let Some(lacking) = engine.lacking().first() {
        return Err(Mistake::new(place, format!("step `{}` of {}: {}", lacking.step, lacking.flow, lacking.message)));
    }
    let known = recording.told();
    let foretold = watching.writes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut writes = Vec::new();
    for prediction in &foretold {
        writes.extend(written(prediction, &known));
    }
    name(&writes, test, &mut names);
    Ok(Found { names, run: Some(run), writes })
}

/// What happens: what was recorded, unless the test runs a flow with something else.
fn begins(recording: &Recording, test: &Test, names: &Names) -> Result<(FlowId, Start), Mistake> {
    let recorded = recording.start();
    let Some(ActKind::Run { flow, inputs, event }) = test.when.first().map(|act| &act.kind) else {
        return Ok((recording.flow.clone(), recorded));
    };
    let resolve = |node: &Option<Node>, recorded: Value| match node {
        Some(node) => names.resolve(node, As::Id),
        None => Ok(recorded),
    };
    let start = Start {
        trigger: resolve(event, recorded.trigger)?,
        inputs: resolve(inputs, recorded.inputs)?,
        ..Start::default()
    };
    Ok((FlowId::new(flow.value.as_str()), start))
}

/// What a write would change, record by record; what flows keep for themselves is none of it. A record that no answer
/// mentions is a new one.
fn written(prediction: &Prediction, known: &str) -> Vec<Written> {
    let changes = prediction.changes.iter().filter(|change| !change.record.starts_with("state "));
    let changes: Vec<_> = changes.collect();
    let of_records = changes.chunk_by(|one, next| one.record == next.record);
    let mut found = Vec::new();
    for of_record in of_records {
        let (kind, id, is_new) = match of_record[0].record.strip_prefix("new referral ") {
            Some(_) => (REFERRAL, prediction.record["id"].as_str().unwrap_or_default(), true),
            None => {
                let (kind, id) = of_record[0].record.split_once(' ').unwrap_or((&of_record[0].record, ""));
                (kind, id, !known.contains(id))
            }
        };
        let whole = of_record.iter().find(|change| change.field == "*");
        let mut values = json!({});
        match whole {
            Some(change) => values = change.new.clone(),
            None => of_record.iter().for_each(|change| put(&mut values, &change.field.replace('.', "/"), &change.new)),
        }
        let verb = match whole {
            Some(change) if change.new.is_null() => Verb::Delete,
            _ if is_new => Verb::Create,
            _ => Verb::Change,
        };
        found.push(Written { verb, kind: kind.to_owned(), id: id.to_owned(), values });
    }
    found
}

/// Names what is written: what is new as the test calls it, and all else after its kind.
fn name(writes: &[Written], test: &Test, names: &mut Names) {
    let expected = test.then.iter().flat_map(|then| then.writes.iter().flat_map(|writes| &writes.value));
    let mut wanted: Vec<(&str, &str)> = expected
        .filter(|write| write.verb == Verb::Create)
        .filter_map(|write| Some((write.record.value.as_str(), write.name.as_ref()?.value.as_str())))
        .collect();
    for write in writes {
        if names.of(&write.id).is_some() {
            continue;
        }
        let place = wanted.iter().position(|(kind, _)| *kind == write.kind && write.verb == Verb::Create);
        let name = match place {
            Some(place) => wanted.remove(place).1.to_owned(),
            None if write.kind == REFERRAL && write.values["organizationId"] == "msft" => names.free("microsoft"),
            None => names.free(&write.kind),
        };
        names.add(&name, &write.kind, &write.id);
    }
}

/// Notes what is foretold, beside what is reached.
struct Foretold<'w> {
    watching: &'w Watching,
    writes: Mutex<Vec<Prediction>>,
}

impl Observer for Foretold<'_> {
    fn run_began(&self, run: &str, flow: &FlowId, depth: usize) {
        self.watching.run_began(run, flow, depth);
    }

    fn step_ended(&self, run: &str, depth: usize, step: &StepRecord) {
        self.watching.step_ended(run, depth, step);
    }

    fn run_ended(&self, depth: usize, run: &RunRecord) {
        self.watching.run_ended(depth, run);
    }

    fn foreseen(&self, _: &str, _: usize, _: &str, prediction: &Prediction) {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).push(prediction.clone());
    }
}
