//! Limits of a connection: how many calls at once and a minute, pauses that its service asks for, and waiting for a
//! service that is down. Time is tokio's, and stands still until everything waits for it.

#![allow(clippy::unwrap_used)]

#[path = "support/fake.rs"]
mod fake;
mod support;

use std::time::Duration;

use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::Nobody;
use cosell_sdk::{CallError, Limits, Meaning};
use fake::{Bench, Notes};
use serde_json::json;

/// Calls for each name in the event, all at once.
const MANY: &str = "
flow: f
trigger: { use: manual }
steps:
  all:
    for_each: ${{ trigger.names }}
    parallel: 50
    do: { a: { use: test.read, with: { name: \"${{ item }}\", takes: 1 } } }
";

/// One write, with a time limit.
const ONE: &str = "
flow: f
trigger: { use: manual }
steps: { a: { use: test.write, with: { name: a }, timeout: 2h } }
";

fn error(meaning: Meaning) -> Result<Value, CallError> {
    Err(CallError::new(meaning, "broken", "it broke"))
}

const DOWN: Meaning = Meaning::Retry { after: None };

fn names(count: usize) -> Start {
    Start { trigger: json!({ "names": (0..count).map(|n| format!("n{n}")).collect::<Vec<_>>() }), ..Start::default() }
}

async fn run(bench: &Bench, start: Start) -> (Outcome, Vec<String>) {
    let notes = Notes::default();
    let run = bench.engine.run(&FlowId::new("f"), start, &notes).await;
    let lines = notes.told().lines.clone();
    (run.outcome, lines)
}

fn seconds(bench: &Bench) -> Vec<u64> {
    bench.seen().iter().map(|seen| seen.after.as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_than_allowed_are_under_way_at_once() {
    let bench = Bench::with(&[MANY], Limits::at_once(2), |engine| engine);
    assert_eq!(run(&bench, names(6)).await.0, Outcome::Succeeded);
    assert_eq!(seconds(&bench), [0, 0, 1, 1, 2, 2]);
    let order: Vec<String> = bench.seen().into_iter().map(|seen| seen.name).collect();
    assert_eq!(order, ["n0", "n1", "n2", "n3", "n4", "n5"], "in order of arrival");
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_than_allowed_begin_in_a_minute_also_by_several_runs() {
    let bench = Bench::with(&[MANY], Limits::default().and(3, Duration::from_secs(60)), |engine| engine);
    let (first, second) = tokio::join!(run(&bench, names(4)), run(&bench, names(4)));
    assert_eq!((first.0, second.0), (Outcome::Succeeded, Outcome::Succeeded));
    assert_eq!(seconds(&bench), [0, 0, 0, 60, 60, 60, 120, 120]);
}

#[tokio::test(start_paused = true)]
async fn what_the_service_asks_one_call_to_wait_all_calls_wait() {
    let bench = Bench::with(&[MANY], Limits::at_once(1), |engine| engine);
    bench.answers("n0", [error(Meaning::Retry { after: Some(Duration::from_secs(100)) })]);
    let (outcome, told) = run(&bench, names(3)).await;
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(seconds(&bench)[..2], [0, 101], "the others have not met it, and wait as well");
    let told: Vec<&String> = told.iter().filter(|line| line.starts_with("test ")).collect();
    assert_eq!(told, ["test pauses for 100 s: it broke (broken)", "test goes on"]);
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_a_service_that_is_down_and_lose_no_attempts() {
    let bench = Bench::with(&[ONE], Limits::default(), Engine::patient);
    // Another run's failures have shown that the service is down; then it stays down for many probes.
    let failures = std::iter::repeat_with(|| error(DOWN)).take(20);
    bench.answers("a", failures);
    let runs = (0..3).map(|_| run(&bench, Start::default()));
    let ended = futures::future::join_all(runs).await;
    assert!(ended.iter().all(|(outcome, _)| *outcome == Outcome::Succeeded));
    assert!(ended.iter().flat_map(|(_, told)| told).any(|line| line == "test goes on"));
    let seen = bench.seen();
    let probes: Vec<Duration> = seen[seen.len() - 18..].windows(2).map(|pair| pair[1].after - pair[0].after).collect();
    assert!(
        probes[..14].iter().filter(|gap| **gap == Duration::from_secs(120)).count() > 5,
        "one at a time: {probes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_told_so_when_the_service_is_back() {
    let bench = Bench::with(&[ONE], Limits::default(), Engine::patient);
    bench.answers("a", std::iter::repeat_with(|| error(DOWN)).take(12).chain([error(Meaning::OutcomeUnknown)]));
    let runs = (0..3).map(|_| run(&bench, Start::default()));
    assert!(futures::future::join_all(runs).await.iter().all(|(outcome, _)| *outcome == Outcome::Succeeded));
    let told = bench.seen().iter().filter(|seen| seen.may_have_run).count();
    assert_eq!(told, 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_counts_for_a_time_limit() {
    let bench = Bench::with(&[ONE], Limits::default(), Engine::patient);
    bench.answers("a", std::iter::repeat_with(|| error(DOWN)).take(1000));
    let runs = (0..3).map(|_| run(&bench, Start::default()));
    let ended = futures::future::join_all(runs).await;
    assert!(ended.iter().all(|(outcome, _)| *outcome == Outcome::TimedOut), "{ended:?}");
    assert_eq!(bench.elapsed().as_secs(), 2 * 3600);
}

#[tokio::test(start_paused = true)]
async fn an_impatient_engine_spends_its_attempts() {
    let bench = Bench::with(&[ONE], Limits::default(), |engine| engine);
    bench.answers("a", std::iter::repeat_with(|| error(DOWN)).take(1000));
    assert_eq!(run(&bench, Start::default()).await.0, Outcome::Failed);
    assert_eq!(bench.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_beside_others_keeps_to_their_limits_and_not_to_their_keys() {
    const KEYED: &str = "
flow: f
trigger: { use: manual }
steps:
  held: { key: deal, scope: { a: { use: test.read, with: { name: a, takes: 10 } } } }
";
    let flow = FlowId::new("f");
    let bench = Bench::with(&[MANY], Limits::at_once(1), |engine| engine);
    let beside = bench.engine.rehearsal();
    tokio::join!(run(&bench, names(2)), beside.run(&flow, names(2), &Nobody));
    assert_eq!(seconds(&bench), [0, 1, 2, 3], "one at a time, of both");

    let bench = Bench::new(&[KEYED]);
    let beside = bench.engine.rehearsal();
    tokio::join!(run(&bench, Start::default()), beside.run(&flow, Start::default(), &Nobody));
    assert_eq!(seconds(&bench), [0, 0], "nobody waits for the other's scope");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_beside_patient_runs_is_told_that_a_service_is_down() {
    let bench = Bench::with(&[MANY], Limits::default(), Engine::patient);
    bench.is_down(0, 3600);
    let ended = bench.engine.rehearsal().run(&FlowId::new("f"), names(1), &Nobody).await;
    assert_eq!(ended.outcome, Outcome::Failed);
    assert!(bench.elapsed() < Duration::from_secs(60), "{:?}", bench.elapsed());
}
