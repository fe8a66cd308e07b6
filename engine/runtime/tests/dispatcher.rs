//! From events to runs: the dispatcher, over a connector made with the connector kit. Time is tokio's, and stands still until everything waits
//! for it: an hour passes in no time, and what is measured is exact.

#![allow(clippy::unwrap_used)]

#[path = "support/fake.rs"]
mod fake;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cosell_model::{FlowId, Value};
use cosell_runtime::dispatch::{Busy, Dispatcher, Room};
use cosell_runtime::inbox::{Arrival, Inbox, Position, Taken, Waiting};
use cosell_runtime::keep::NotKept;
use cosell_runtime::memory::Engine;
use cosell_runtime::record::{Nobody, Observer};
use cosell_sdk::{Limits, TriggerEvent};
use fake::{Bench, Notes};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use support::rejected;

/// A flow that takes a second for each event, under the event's key, and wants no event that says so.
const KEYED: &str = "
flow: f
trigger: { use: manual, when: \"${{ not trigger.unwanted }}\" }
key: ${{ trigger.key }}
steps: { a: { use: test.write, with: { name: \"${{ trigger.name }}\", takes: 1 } } }
";

fn event(name: &str, key: Value) -> TriggerEvent {
    TriggerEvent { payload: json!({ "name": name, "key": key }), dedup_key: name.to_owned() }
}

fn dispatcher(bench: &Bench) -> Dispatcher {
    Dispatcher::new(Arc::clone(&bench.engine), Arc::new(Nobody))
}

#[tokio::test(start_paused = true)]
async fn equal_keys_go_one_at_a_time_in_order_of_arrival_and_different_keys_side_by_side() {
    let bench = Bench::new(&[KEYED]);
    let dispatcher = dispatcher(&bench);
    for (name, key) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("b2", "b")] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, json!(key))).await.unwrap();
    }
    assert_eq!(dispatcher.under_way(), 5, "those that wait count, too");
    dispatcher.idle().await;
    assert_eq!(bench.log(), "+a1 +b1 -a1 +a2 -b1 +b2 -a2 +a3 -b2 -a3");
    assert_eq!((dispatcher.under_way(), bench.elapsed()), (0, Duration::from_secs(3)));
}

#[tokio::test(start_paused = true)]
async fn runs_without_a_key_wait_for_nobody() {
    let bench = Bench::new(&[KEYED]);
    let dispatcher = dispatcher(&bench);
    for name in ["x", "y", "z"] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, Value::Null)).await.unwrap();
    }
    dispatcher.idle().await;
    assert_eq!(bench.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_holds_nobody_up() {
    let bench = Bench::new(&[KEYED]);
    bench.answers("a1", [Err(rejected())]);
    let dispatcher = dispatcher(&bench);
    for name in ["a1", "a2"] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, json!("a"))).await.unwrap();
    }
    dispatcher.idle().await;
    assert_eq!(bench.log(), "+a1 -a1 +a2 -a2");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_free_again_once_its_runs_have_ended() {
    let bench = Bench::new(&[KEYED]);
    let dispatcher = dispatcher(&bench);
    for name in ["a1", "a2"] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, json!("a"))).await.unwrap();
        dispatcher.idle().await;
    }
    assert_eq!(bench.log(), "+a1 -a1 +a2 -a2");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_twice_starts_one_run_of_each_flow() {
    let other = KEYED.replace("flow: f", "flow: g");
    let bench = Bench::new(&[KEYED, &other]);
    let dispatcher = dispatcher(&bench);
    for flow in ["f", "f", "g"] {
        dispatcher.dispatch(&FlowId::new(flow), event("a", Value::Null)).await.unwrap();
    }
    dispatcher.idle().await;
    dispatcher.dispatch(&FlowId::new("f"), event("a", Value::Null)).await.unwrap();
    dispatcher.idle().await;
    assert_eq!(bench.log(), "+a +a -a -a");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_flow_does_not_want_starts_nothing() {
    let bench = Bench::new(&[KEYED]);
    let dispatcher = dispatcher(&bench);
    let unwanted = TriggerEvent { payload: json!({ "name": "a", "unwanted": true }), dedup_key: "1".to_owned() };
    dispatcher.dispatch(&FlowId::new("f"), unwanted).await.unwrap();
    dispatcher.dispatch(&FlowId::new("nobody"), event("b", Value::Null)).await.unwrap();
    assert_eq!(dispatcher.under_way(), 0);
    dispatcher.idle().await;
    assert_eq!(bench.seen().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_key_or_condition_cannot_be_computed_starts_nothing() {
    for (from, to) in [("${{ trigger.key }}", "${{ 1 / trigger.zero }}"), ("not trigger.unwanted", "1 / trigger.zero")]
    {
        let bench = Bench::new(&[&KEYED.replace(from, to)]);
        let dispatcher = dispatcher(&bench);
        dispatcher.dispatch(&FlowId::new("f"), event("a", Value::Null)).await.unwrap();
        assert_eq!(dispatcher.under_way(), 0, "{to}");
    }
}

/// The same flow, and a burst of events under one key is one.
fn debounced() -> String {
    KEYED.replace("key: $", "debounce: 5s\nkey: $")
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_events_under_one_key_is_one_run_with_the_last_event() {
    let bench = Bench::new(&[&debounced()]);
    let notes = Arc::new(Notes::default());
    let dispatcher = Dispatcher::new(Arc::clone(&bench.engine), Arc::clone(&notes) as _);
    for name in ["a1", "a2", "b1", "a3"] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, json!(&name[..1]))).await.unwrap();
        seconds(2).await;
    }
    assert_eq!(dispatcher.under_way(), 2, "a burst that goes on counts as one");
    dispatcher.idle().await;
    assert_eq!(bench.log(), "+b1 -b1 +a3 -a3");
    assert_eq!(bench.seen()[1].after, Duration::from_secs(11), "five seconds after the last");
    let ended: Vec<String> = notes.told().lines.iter().filter(|line| line.starts_with("f suc")).cloned().collect();
    assert_eq!(ended, ["f succeeded", "f succeeded, 2 left out"]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_never_ceases_runs_now_and_then_and_one_without_a_key_at_once() {
    let bench = Bench::new(&[&debounced()]);
    let dispatcher = dispatcher(&bench);
    for number in 0..40 {
        dispatcher.dispatch(&FlowId::new("f"), event(&format!("a{number}"), json!("a"))).await.unwrap();
        seconds(2).await;
    }
    assert_eq!(bench.seen()[0].after, Duration::from_secs(50));
    dispatcher.idle().await;
    let before = bench.elapsed();
    dispatcher.dispatch(&FlowId::new("f"), event("x", Value::Null)).await.unwrap();
    dispatcher.idle().await;
    assert_eq!(bench.elapsed() - before, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn no_more_runs_of_a_flow_than_it_says_are_under_way_at_once() {
    let bench = Bench::new(&[&KEYED.replace("key: $", "parallel: 2\nkey: $"), &KEYED.replace("flow: f", "flow: g")]);
    let dispatcher = dispatcher(&bench);
    for name in ["a", "b", "c", "d", "e"] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, json!(name))).await.unwrap();
    }
    dispatcher.dispatch(&FlowId::new("g"), event("other", Value::Null)).await.unwrap();
    dispatcher.idle().await;
    assert_eq!(bench.log(), "+a +b +other -a -b -other +c +d -c -d +e -e");
}

#[tokio::test(start_paused = true)]
async fn events_are_taken_until_there_is_no_room_or_the_program_ends() {
    let bench = Bench::new(&[KEYED]);
    let dispatcher =
        Dispatcher::with_room(Arc::clone(&bench.engine), Arc::new(Nobody), Room { events: 2, ..Room::default() });
    for name in ["a1", "a2"] {
        assert_eq!(dispatcher.admits(), Ok(()));
        dispatcher.dispatch(&FlowId::new("f"), event(name, json!("a"))).await.unwrap();
    }
    assert_eq!(dispatcher.admits(), Err(Busy::Full));
    dispatcher.idle().await;
    assert_eq!(dispatcher.admits(), Ok(()));
    dispatcher.stop();
    assert_eq!(dispatcher.admits(), Err(Busy::Stopping));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_is_answered_before_the_run_has_ended_or_not_at_all() {
    let answering = KEYED.replace("steps: {", "steps: { r: { after: [], respond: { status: 201, body: { n: 1 } } },");
    let bench = Bench::new(&[&answering, &KEYED.replace("flow: f", "flow: g")]);
    let dispatcher = dispatcher(&bench);
    let answer = dispatcher.ask(&FlowId::new("f"), event("a", Value::Null)).await.unwrap().unwrap().await.unwrap();
    assert_eq!((answer.status, answer.body), (201, json!({ "n": 1 })));
    assert_eq!((bench.elapsed(), dispatcher.under_way()), (Duration::ZERO, 1));
    assert!(dispatcher.ask(&FlowId::new("g"), event("b", Value::Null)).await.unwrap().unwrap().await.is_err());
    assert!(
        dispatcher.ask(&FlowId::new("g"), event("b", Value::Null)).await.unwrap().is_none(),
        "the second time there is no run"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_down_for_an_hour_loses_and_doubles_nothing() {
    // With fewer attempts a run may fail before the connection counts as down.
    let flow = KEYED.replace("takes: 1 }", "takes: 1 }, retry: { policy: exponential, count: 4, interval: 7s }");
    let bench = Bench::with(&[&flow], Limits::default(), Engine::patient);
    let notes = Arc::new(Notes::default());
    let dispatcher = Dispatcher::new(Arc::clone(&bench.engine), Arc::clone(&notes) as Arc<dyn Observer>);
    bench.is_down(5, 65);
    let name = |minute: usize| format!("{minute:02}");
    for minute in 0..90 {
        dispatcher.dispatch(&FlowId::new("f"), event(&name(minute), json!(minute % 7))).await.unwrap();
        seconds(60).await;
    }
    dispatcher.idle().await;
    let down = bench.seen().iter().filter(|seen| (300..3900).contains(&seen.after.as_secs())).count();
    assert!(down < 50, "{down} calls while nobody was there");
    let ended: Vec<String> = notes.told().lines.iter().filter(|line| line.starts_with("f ")).cloned().collect();
    assert_eq!(ended.iter().filter(|line| *line == "f succeeded").count(), 90, "{ended:?}");
    // What worked, in order: of each event one call, and those under one key as they came.
    let worked: Vec<String> = bench
        .seen()
        .into_iter()
        .filter(|seen| !(300..3900).contains(&seen.after.as_secs()))
        .map(|seen| seen.name)
        .collect();
    for key in 0..7 {
        let of_key = |name: &&String| name.parse::<usize>().unwrap() % 7 == key;
        let expected: Vec<String> = (0..90).filter(|minute| minute % 7 == key).map(name).collect();
        assert_eq!(worked.iter().filter(of_key).cloned().collect::<Vec<_>>(), expected);
    }
}

/// An inbox that takes two seconds to discard something. Holds how many events came.
#[derive(Default)]
struct Slow(AtomicU64);

impl Inbox for Slow {
    fn outlives(&self) -> bool {
        false
    }

    fn receive(&self, arrivals: Vec<Arrival>, _: Option<Position>) -> BoxFuture<'static, Taken> {
        let number = |_: &Arrival| Some(self.0.fetch_add(1, Ordering::Relaxed));
        std::future::ready(Ok(arrivals.iter().map(number).collect())).boxed()
    }

    fn waiting(&self, _: usize) -> Result<Vec<Waiting>, NotKept> {
        Ok(Vec::new())
    }

    fn begun(&self) -> Result<Vec<Waiting>, NotKept> {
        Ok(Vec::new())
    }

    fn over(&self, _: &str) -> Result<Option<Waiting>, NotKept> {
        Ok(None)
    }

    fn discard(&self, _: &str, _: &str) -> BoxFuture<'static, Result<bool, NotKept>> {
        seconds(2).map(|()| Ok(true)).boxed()
    }

    fn collapsed(&self, _: Vec<String>, _: &str) {}

    fn position(&self, _: &str) -> Result<Option<Value>, NotKept> {
        Ok(None)
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_turn_comes_while_it_is_cancelled_is_cancelled() {
    let flow = KEYED.replace("takes: 1", "takes: \"${{ trigger.takes }}\"");
    let bench = Bench::new(&[&flow]);
    let notes = Arc::new(Notes::default());
    let observer = Arc::clone(&notes) as Arc<dyn Observer>;
    let dispatcher =
        Dispatcher::with_inbox(Arc::clone(&bench.engine), observer, Arc::new(Slow::default()), Room::default());
    let mut runs = Vec::new();
    for (name, takes) in [("a1", 1), ("a2", 3600)] {
        let payload = json!({ "name": name, "key": "a", "takes": takes });
        let inputs = Value::Null;
        runs.push(dispatcher.start(&FlowId::new("f"), payload, inputs).await.unwrap());
    }
    assert!(dispatcher.cancel(&runs[1]).await.unwrap());
    dispatcher.idle().await;
    assert_eq!(bench.elapsed(), Duration::from_secs(2));
    let ended = |how: &str| notes.told().lines.iter().filter(|line| *line == how).count();
    assert_eq!((ended("f succeeded"), ended("f cancelled")), (1, 1));
}
