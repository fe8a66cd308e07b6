//! The service under load, against the same job written by hand, in one run on one stub.
//!
//! The job: an event arrives by web hook, a referral is read, a condition looked at, ten fields mapped, and the result sent
//! by PATCH. [`cosell`] does it by a flow, through the web hooks, the journal, the dispatcher and the connector `http`, as
//! `cosell serve` puts them together; [`by_hand`] in plain Rust over axum, reqwest and SQLite, with one commit an event. Each
//! contestant is a process of its own ([`contestant`]) between the events sent and the requests taken here ([`stub`]).
//!
//! `cargo bench --bench load` prints the report; `LOAD_ROUNDS` and `LOAD_EVENTS` say how often everything is measured, and
//! with how many events at 256 in flight. Nothing here asserts on a clock.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod by_hand;
mod contestant;
mod cosell;
mod measure;
mod start;
mod stub;
#[path = "../ten_fields/mod.rs"]
mod ten_fields;

use measure::{Figures, median};

/// How many events may be in flight, and which part of all events is sent so.
const IN_FLIGHT: [(usize, usize); 3] = [(1, 10), (32, 2), (256, 1)];

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("contestant") {
        return contestant::run(&arguments.collect::<Vec<_>>());
    }
    // `cargo test` builds and runs benchmarks too, with another flag: then a few events must do.
    let measures = std::env::args().any(|argument| argument == "--bench");
    let set = |name: &str, usual: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (rounds, events) = if measures { (set("LOAD_ROUNDS", 10), set("LOAD_EVENTS", 2000)) } else { (1, 40) };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    report(&runtime.block_on(measure::contest(["by-hand", "cosell"], rounds, events)));
    let (ready, shortest, resident) = start::measure(if measures { 15 } else { 1 });
    let [ready, shortest] = [ready, shortest].map(|time| time.as_secs_f64() * 1e3);
    println!("`cosell serve`, start to ready: {ready:.0} ms, {shortest:.0} ms at best; aim ≤ 100");
    println!("`cosell serve`, memory when idle: {resident:.1} MB; aim ≤ 30");
}

/// One line a figure: of either, and the ratio; where there is one of each round, the medians, also of the ratios.
fn report([hand, ours]: &[Figures; 2]) {
    println!("{:<36}{:>12}{:>12}{:>10}", "", "by hand", "cosell", "ratio");
    let line = |name: &str, unit: &str, aim: &str, hand: f64, ours: f64, ratio: f64| {
        println!("{name:<36}{hand:>9.2} {unit:<2}{ours:>9.2} {unit:<2}{ratio:>10.2}  {aim}");
    };
    let single =
        |name: &str, unit: &str, aim: &str, hand: f64, ours: f64| line(name, unit, aim, hand, ours, ours / hand);
    let rounds = |name: &str, unit: &str, aim: &str, hand: &[f64], ours: &[f64]| {
        let ratios: Vec<f64> = hand.iter().zip(ours).map(|(hand, ours)| ours / hand).collect();
        line(name, unit, aim, median(hand), median(ours), median(&ratios));
    };
    single("one at a time, median", "ms", "aim ≤ 1.3", hand.alone(0.5), ours.alone(0.5));
    single("one at a time, 95th percentile", "ms", "", hand.alone(0.95), ours.alone(0.95));
    for (in_flight, hand) in &hand.per_second {
        rounds(&format!("{in_flight} in flight"), "/s", "aim ≥ 0.8", hand, &ours.per_second[in_flight]);
    }
    rounds("processor time an event", "ms", "", &hand.processor, &ours.processor);
    single("memory before the first event", "MB", "", hand.idle, ours.idle);
    single("memory at most", "MB", "", hand.peak, ours.peak);
}
