//! What the engine costs, each figure as a ratio against a baseline measured in the same run.
//!
//! `cargo bench` prints one line a figure: the median of many rounds, and how it compares. Nothing here asserts on a clock.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cosell_compile::plan::Plan;
use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{Compilation, compile};
use cosell_model::catalogue::{ConnectorDescription, Limits, OperationDescription};
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, Effect, FlowId, Value};
use cosell_runtime::core::advance::advance;
use cosell_runtime::core::event::{Command, Consequences, Event, Happening};
use cosell_runtime::core::state::RunState;
use jiff::Timestamp;
use serde_json::json;

#[path = "ten_fields/mod.rs"]
mod ten_fields;

fn main() {
    // `cargo test` builds and runs benchmarks too, with another flag: then one round of each must do.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 200 } else { 1 };
    shipped_flows(rounds);
    graphs(rounds);
    mappings(rounds);
}

/// The median time of one call.
fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    work();
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

fn shipped_flows(rounds: usize) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/flows");
    let mut files = Vec::new();
    read(std::path::Path::new(folder), &mut files);
    let catalogue = Catalogue::new(
        [
            cosell_partner_center::connector(),
            cosell_partner_center_events::connector(),
            cosell_dataverse::connector(),
            cosell_state::connector(),
        ]
        .iter()
        .map(|connector| connector.description().clone()),
    );
    let compiled = median(rounds, || {
        let compilation = compile(files.clone(), &catalogue, &BTreeMap::new());
        assert!(!compilation.has_errors());
        black_box(compilation);
    });
    let parsed = median(rounds, || {
        for file in &files {
            black_box(serde_yaml::from_str::<serde_yaml::Value>(&file.text).unwrap());
        }
    });
    println!(
        "compile all shipped flows: {compiled:?}, {:.1} × reading their YAML alone ({parsed:?})",
        ratio(compiled, parsed)
    );
}

fn read(folder: &std::path::Path, files: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push(SourceFile { path: path.display().to_string(), text, layer: Layer::Shipped });
        }
    }
}

/// A catalogue with one operation that reads.
fn catalogue() -> Catalogue {
    let operation = OperationDescription {
        name: "read".into(),
        title: String::new(),
        description: String::new(),
        effect: Effect::Read,
        input: json!({}),
        output: json!({}),
        example: json!({}),
        finds_out: None,
    };
    Catalogue::new([ConnectorDescription {
        name: "bench".into(),
        title: String::new(),
        description: String::new(),
        settings: json!({}),
        operations: vec![operation],
        triggers: Vec::new(),
        limits: Limits::default(),
    }])
}

fn compiled(text: String) -> Compilation {
    let file = SourceFile { path: "bench.yaml".into(), text, layer: Layer::Own };
    let compilation = compile(vec![file], &catalogue(), &BTreeMap::new());
    assert!(!compilation.has_errors(), "{:?}", compilation.diagnostics);
    compilation
}

/// Drives a run whose operations all yield the same at once; gives the number of steps that ended.
fn drive(plan: &Plan, state: &RunState) -> usize {
    let mut state = state.clone();
    let mut out = Consequences::default();
    let at = Timestamp::UNIX_EPOCH;
    let mut waiting = std::collections::VecDeque::from([Happening::Begun]);
    let mut ended = 0;
    while let Some(kind) = waiting.pop_front() {
        advance(plan, &mut state, Event { at, kind }, &mut out).unwrap();
        ended += out.ended.len();
        out.ended.clear();
        for command in out.commands.drain(..) {
            if let Command::Call { step, attempt, .. } = command {
                waiting.push_back(Happening::Succeeded { step, attempt, output: Value::Bool(true) });
            }
        }
    }
    ended
}

fn graphs(rounds: usize) {
    let head = "flow: bench\ntrigger: manual\nsteps:\n";
    let wide = |steps: usize| {
        let mut text = head.to_owned();
        for step in 0..steps {
            writeln!(text, "  s{step}: {{ use: bench.read, with: {{ n: {step} }} }}").unwrap();
        }
        text
    };
    let deep = |steps: usize| {
        let mut text = format!("{head}  s0: {{ use: bench.read }}\n");
        for step in 1..steps {
            writeln!(text, "  s{step}: {{ use: bench.read, with: {{ n: \"${{{{ steps.s{} }}}}\" }} }}", step - 1)
                .unwrap();
        }
        text
    };
    let rounds_of = |steps: usize| {
        let items: Vec<String> = (0..steps).map(|item| item.to_string()).collect();
        format!(
            "{head}  loop:\n    for_each: [{}]\n    parallel: 50\n    do:\n      s: {{ use: bench.read, with: {{ n: \"${{{{ item }}}}\" }} }}\n    output: ${{{{ steps.s }}}}\n",
            items.join(", ")
        )
    };
    let shapes: [(&str, &dyn Fn(usize) -> String); 3] = [("wide", &wide), ("deep", &deep), ("loop", &rounds_of)];
    for (name, shape) in shapes {
        let per_step = |steps: usize| {
            let compilation = compiled(shape(steps));
            let plan = &compilation.plans[&FlowId::new("bench")];
            let state = RunState::new("bench", Value::Null, json!({}), Retry::NONE);
            let mut ended = 0;
            let took = median(rounds, || ended = black_box(drive(plan, &state)));
            took.as_secs_f64() / ended as f64
        };
        let (small, large) = (per_step(1000), per_step(4000));
        println!(
            "advance, {name} graph of 1,000 steps: {:.2} million steps/s; a step of 4,000 costs {:.2} × as much",
            1e-6 / small,
            large / small
        );
    }
}

const MAPPING: &str = "
mapping: bench
between: [referral, opportunity]
rows:
  name: { referral: { path: name, as: text }, opportunity: { path: name, as: text, length: 300 } }
  value: { referral: { path: details.dealValue, as: money }, opportunity: { path: estimatedvalue, as: money } }
  currency: { referral: { path: details.currency, as: text }, opportunity: { path: currency, as: text } }
  closing: { referral: { path: details.closingDateTime, as: datetime }, opportunity: { path: estimatedclosedate, as: date } }
  notes: { referral: { path: details.notes, as: text }, opportunity: { path: description, as: text, length: 2000 } }
  city: { referral: { path: customerProfile.address.city, as: text }, opportunity: { path: city, as: text } }
  country: { referral: { path: customerProfile.address.country, as: country }, opportunity: { path: country, as: text } }
  customer: { referral: { path: customerProfile.name, as: text }, opportunity: { path: customer, as: text } }
  visible: { referral: { path: consent.share, as: boolean }, opportunity: { path: visible, as: boolean } }
  status:
    referral: { path: substatus, as: text }
    opportunity: { path: statuscode, as: integer }
    values: { Accepted: 1, Received: 2, Won: 3, Lost: 5 }
";

const EXPRESSIONS: &str = "
flow: bench
trigger: manual
steps:
  mapped:
    let:
      name: ${{ trigger.name | shorten(300) }}
      estimatedvalue: ${{ trigger.details.dealValue | money }}
      currency: ${{ trigger.details.currency }}
      estimatedclosedate: ${{ trigger.details.closingDateTime | date }}
      description: ${{ trigger.details.notes | shorten(2000) }}
      city: ${{ trigger.customerProfile.address.city }}
      country: ${{ trigger.customerProfile.address.country }}
      customer: ${{ trigger.customerProfile.name }}
      visible: ${{ trigger.consent.share }}
      statuscode: \"${{ trigger.substatus | lookup({'Accepted': 1, 'Received': 2, 'Won': 3, 'Lost': 5}) }}\"
";

fn mappings(rounds: usize) {
    const MANY: usize = 200;
    let referral = json!({
        "name": "Northwind warehouse rollout", "substatus": "Accepted",
        "details": {
            "dealValue": 84000.5, "currency": "EUR", "closingDateTime": "2027-01-29T00:00:00Z",
            "notes": "Wants one dashboard for three sites.",
        },
        "customerProfile": { "name": "Northwind Cold Storage BV", "address": { "city": "Rotterdam", "country": "NL" } },
        "consent": { "share": true },
    });
    let mapping = compiled(MAPPING.to_owned()).mappings["bench"].clone();
    let flow = compiled(EXPRESSIONS.to_owned());
    let plan = &flow.plans[&FlowId::new("bench")];
    let state = RunState::new("bench", referral.clone(), json!({}), Retry::NONE);
    let many = |work: &dyn Fn()| median(rounds, || (0..MANY).for_each(|_| work())) / MANY as u32;
    let hand = many(&|| drop(black_box(ten_fields::mapped(black_box(&referral)))));
    let mapped = many(&|| drop(black_box(mapping.apply(0, black_box(&referral)).unwrap())));
    let expressed = many(&|| assert!(black_box(drive(plan, &state)) == 1));
    println!("ten-field mapping: {mapped:?}, {:.1} × the same by hand ({hand:?})", ratio(mapped, hand));
    println!("ten fields by expressions, as a run of one step: {expressed:?}, {:.1} × by hand", ratio(expressed, hand));
}
