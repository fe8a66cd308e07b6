//! Playing a test on a recording: its answers stand in for the systems, and writes are those that a dry run foretells.

use std::sync::{Mutex, PoisonError};

use cosell_compile::testcase::{ActKind, Test, Verb};
use cosell_model::{FlowId, Node, Span, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::{Observer, RunRecord, StepRecord};
use cosell_runtime::recording::Recording;
use cosell_sdk::{Change, Prediction};
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
    let changes: Vec<&Change> =
        prediction.changes.iter().filter(|change| !change.record.starts_with("state ")).collect();
    let mut of_records: Vec<&[&Change]> = changes.chunk_by(|one, next| one.record == next.record).collect();
    // Both sides of a deal that would be new bear one name: the second begins where a field comes again.
    if let [both] = of_records[..] {
        let again = both.iter().skip(1).position(|change| change.field == both[0].field).map(|ahead| ahead + 1);
        of_records = again.map_or(of_records, |at| vec![&both[..at], &both[at..]]);
    }
    let last = of_records.len().saturating_sub(1);
    let one = |(number, of_record): (usize, &&[&Change])| {
        let record = &of_record[0].record;
        let (kind, id) = record.split_once(' ').unwrap_or((record, ""));
        let (id, is_new) = if record.starts_with("new referral ") {
            let microsofts = prediction.record.get("microsoft_referral").filter(|_| number == last);
            let made = microsofts.or_else(|| prediction.record.get("referral")).unwrap_or(&prediction.record);
            (made["id"].as_str().unwrap_or_default(), true)
        } else {
            (id, !known.contains(id))
        };
        let kind = if record.starts_with("new referral ") { REFERRAL } else { kind };
        let whole = of_record.iter().find(|change| change.field == "*");
        let mut values = whole.map_or_else(|| json!({}), |change| change.new.clone());
        for change in of_record.iter().filter(|_| whole.is_none()) {
            put(&mut values, &change.field.replace('.', "/"), &change.new);
        }
        let verb = match whole {
            Some(change) if change.new.is_null() => Verb::Delete,
            _ if is_new => Verb::Create,
            _ => Verb::Change,
        };
        Written { verb, kind: kind.to_owned(), id: id.to_owned(), values }
    };
    of_records.iter().enumerate().map(one).collect()
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
            // Microsoft's side of a deal is addressed to it (Referrals API, create a referral).
            None if write.values["target"][0]["id"] == "msft" => names.free("microsoft"),
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
