//! A backlog of 100,000 events, and a journal of 1,000,000 runs: memory must stay flat, and nothing become slower.
//!
//! `cargo bench --bench scale` prints the report. `SCALE_EVENTS` and `SCALE_RUNS` say how many there are; the usual numbers
//! take some minutes, and about two gigabytes of disk. Nothing here asserts on a clock.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cosell_compile::compile;
use cosell_compile::source::{Layer, SourceFile};
use cosell_journal::Journal;
use cosell_journal::read::{Cursor, Filter};
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, Effect, FlowId, Outcome, Value};
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::inbox::Inbox;
use cosell_runtime::memory::Engine;
use cosell_runtime::record::Nobody;
use cosell_sdk::{CallContext, CallError, Connect, Connector, Operation};
use filling::{Folder, fill, take_in};
use jiff::Timestamp;
use serde_json::json;

#[path = "filling/mod.rs"]
mod filling;

const FLOW: &str = "
flow: job
trigger: manual
key: ${{ trigger.key }}
steps:
  found: { use: bench.read, with: { n: \"${{ trigger.n }}\" } }
  written: { use: bench.write, with: { n: \"${{ steps.found.n }}\", key: \"${{ trigger.key }}\" } }
";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["fill", folder, events] = arguments[..] {
        return drop(runtime.block_on(take_in(&open(Path::new(folder)), 0, events.parse().unwrap())));
    }
    if let ["drain", folder, events] = arguments[..] {
        return runtime.block_on(drain(Path::new(folder), events.parse().unwrap()));
    }
    // `cargo test` builds and runs benchmarks too, with another flag: then a few must do.
    let measures = arguments.contains(&"--bench");
    let set = |name: &str, usual: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (events, runs) =
        if measures { (set("SCALE_EVENTS", 100_000), set("SCALE_RUNS", 1_000_000)) } else { (200, 200) };
    let folder = Folder::new("backlog");
    // Each in a process of its own, so that the one that drains begins with the memory of one that has just started.
    for step in ["fill", "drain"] {
        let arguments = [step, folder.0.to_str().unwrap(), &events.to_string()];
        assert!(Command::new(std::env::current_exe().unwrap()).args(arguments).status().unwrap().success());
    }
    drop(folder);
    runtime.block_on(many_runs(runs, if measures { 10 } else { 1 }));
}

fn open(folder: &Path) -> Journal {
    Journal::open(&folder.join("journal.sqlite")).unwrap()
}

/// What was written last for each key, and how often anything was.
#[derive(Default)]
struct Written {
    last: BTreeMap<String, u64>,
    count: usize,
}

static WRITTEN: Mutex<Written> = Mutex::new(Written { last: BTreeMap::new(), count: 0 });

struct System;

impl Connect for System {
    type Settings = Value;

    fn connect(_: Value) -> Result<Self, CallError> {
        Ok(Self)
    }
}

struct Read;

impl Operation for Read {
    type Connection = System;
    type Input = Value;
    type Output = Value;
    const NAME: &'static str = "read";
    const TITLE: &'static str = "Read";
    const DESCRIPTION: &'static str = "Reads";
    const EFFECT: Effect = Effect::Read;

    async fn call(_: &System, input: Value, _: &CallContext) -> Result<Value, CallError> {
        let notes = "Wants one dashboard for three sites. ".repeat(10);
        Ok(json!({ "n": input["n"], "name": "Northwind warehouse rollout", "notes": notes }))
    }
}

struct Write;

impl Operation for Write {
    type Connection = System;
    type Input = Value;
    type Output = Value;
    const NAME: &'static str = "write";
    const TITLE: &'static str = "Write";
    const DESCRIPTION: &'static str = "Writes";
    const EFFECT: Effect = Effect::Write;

    async fn call(_: &System, input: Value, _: &CallContext) -> Result<Value, CallError> {
        let n = input["n"].as_u64().unwrap();
        let mut written = WRITTEN.lock().unwrap();
        let before = written.last.insert(input["key"].as_str().unwrap().to_owned(), n);
        assert!(before.is_none_or(|before| before < n), "{n} comes after {before:?}");
        written.count += 1;
        Ok(json!({}))
    }
}

/// What runs the flow, kept by the journal, as in the service.
fn dispatcher(journal: &Journal) -> Dispatcher {
    let connector =
        Connector::new::<System>("bench", "Bench", "Does little").operation::<Read>().operation::<Write>().build();
    let file = SourceFile { path: "bench.yaml".to_owned(), text: FLOW.to_owned(), layer: Layer::Own };
    let compiled = compile(vec![file], &Catalogue::new([connector.description().clone()]), &BTreeMap::new());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    let connections = BTreeMap::from([("bench".to_owned(), connector.open(json!({})).unwrap())]);
    let keeper = Arc::new(journal.clone());
    let engine = Engine::new(compiled.plans, connections, Retry::NONE);
    let engine = Arc::new(engine.kept_by(keeper.clone(), "v".to_owned(), Vec::new()));
    Dispatcher::with_inbox(engine, Arc::new(Nobody), keeper, Room::default())
}

/// Has everything that waits become runs; how long that takes.
async fn worked_off(dispatcher: &Dispatcher, journal: &Journal, mut meanwhile: impl FnMut()) -> Duration {
    let began = Instant::now();
    dispatcher.take_up().unwrap();
    while dispatcher.under_way() > 0 || !journal.waiting(1).unwrap().is_empty() {
        meanwhile();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

async fn drain(folder: &Path, events: usize) {
    let journal = open(folder);
    let dispatcher = dispatcher(&journal);
    let start = memory("VmRSS");
    let mut quarters = Vec::new();
    let took = worked_off(&dispatcher, &journal, || {
        let done = WRITTEN.lock().unwrap().count;
        if done >= events * (quarters.len() + 1) / 4 {
            quarters.push(memory("VmRSS"));
        }
    })
    .await;
    assert_eq!(WRITTEN.lock().unwrap().count, events, "each event is written once");
    let quarters: Vec<String> = quarters.iter().map(|figure| format!("{figure:.0}")).collect();
    println!(
        "a backlog of {events} events: {:.0} events/s; memory {start:.0} MB at the start, {} MB after each quarter, {:.0} MB at most, {:.0} MB at the end",
        events as f64 / took.as_secs_f64(),
        quarters.join(", "),
        memory("VmHWM"),
        memory("VmRSS"),
    );
}

/// A figure of this process's memory, in megabytes.
fn memory(figure: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Compares a journal of so many runs with one of a hundredth, by turns.
async fn many_runs(runs: usize, rounds: usize) {
    let folders = [Folder::new("few"), Folder::new("many")];
    let journals = [0, 1].map(|at| open(&folders[at].0));
    let filled = [runs / 100, runs];
    for (journal, runs) in journals.iter().zip(filled) {
        fill(journal, runs, FIRST).await;
    }
    let dispatchers = [0, 1].map(|at| dispatcher(&journals[at]));
    let per_round = if rounds > 1 { 2000 } else { 20 };
    let mut next = runs;
    let mut rates = Vec::new();
    for round in 0..=rounds {
        let mut took = [Duration::ZERO; 2];
        for at in [round % 2, 1 - round % 2] {
            WRITTEN.lock().unwrap().last.clear();
            take_in(&journals[at], next, per_round).await;
            took[at] = worked_off(&dispatchers[at], &journals[at], || {}).await;
        }
        next += per_round;
        rates.push(took[0].as_secs_f64() / took[1].as_secs_f64());
    }
    // The first round only warms caches.
    rates.remove(0);
    println!(
        "a journal of {runs} runs works off {:.2} × the events of one of {} in the same time",
        median(rates),
        runs / 100
    );
    let page = |name: &str, filter: &dyn Fn(usize) -> Filter| {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds * 20 {
            for (at, times) in times.iter_mut().enumerate() {
                let began = Instant::now();
                assert!(!journals[at].reader().runs(&filter(at)).unwrap().is_empty(), "{name}");
                times.push(began.elapsed().as_secs_f64() * 1e6);
            }
        }
        let [few, many] = times.map(median);
        println!("  a page of {name}: {many:.0} µs, {:.2} × as long", many / few);
    };
    let flow = Some(FlowId::new("job"));
    page("all runs", &|_| Filter::default());
    page("a flow's runs", &|_| Filter { flow: flow.clone(), ..Filter::default() });
    page("failed runs", &|_| Filter { outcome: Some(Outcome::Failed), most: 4, ..Filter::default() });
    page("a deal's runs", &|_| Filter { key: Some("deal:1".to_owned()), most: 5, ..Filter::default() });
    page("all runs, from the middle of the list on", &|at| {
        let began = Timestamp::from_second(FIRST + i64::try_from(filled[at] / 2).unwrap()).unwrap();
        Filter { after: Some(Cursor { began, run: String::new() }), ..Filter::default() }
    });
}

/// When the oldest of the runs that are filled in began, in seconds since 1970.
const FIRST: i64 = 1_700_000_000;

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
