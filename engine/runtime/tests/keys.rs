//! Scopes with keys: what the core asks for, and that the driver in memory keeps scopes with a key in common apart.

#![allow(clippy::unwrap_used)]

#[path = "support/fake.rs"]
mod fake;
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cosell_model::Outcome::{Cancelled, Failed, Succeeded, TimedOut};
use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::core::event::{Command, Happening, Timer};
use cosell_runtime::memory::Start;
use cosell_runtime::record::Nobody;
use fake::Bench;
use proptest::prelude::*;
use serde_json::json;
use support::{Run, rejected};

const SCOPE: &str = "
    held:
      key: KEY
      timeout: 1m
      scope:
        work: { use: test.write, with: { name: work } }
    after: { after: { held: [succeeded, failed, timed_out] }, use: test.write, with: { name: after } }
    ";

fn begin(key: &str) -> Run {
    Run::begin(&SCOPE.replace("KEY", key))
}

fn asked(run: &Run) -> Vec<String> {
    let keys = run.commands.iter().filter_map(|command| match command {
        Command::Acquire { keys, .. } => Some(keys.clone()),
        _ => None,
    });
    keys.flatten().collect()
}

fn given_back(run: &Run) -> usize {
    run.commands.iter().filter(|command| matches!(command, Command::Release { .. })).count()
}

#[test]
fn a_scope_begins_when_it_has_its_keys_and_gives_them_back_when_it_has_ended() {
    for ends in [Succeeded, Failed] {
        let mut run = begin("[b, null, 5.0, a, b]");
        assert_eq!((asked(&run), run.in_progress()), (vec!["5".into(), "a".into(), "b".into()], vec!["held".into()]));
        let step = run.at("held");
        run.feed(Happening::Acquired { step });
        assert_eq!((run.in_progress(), given_back(&run)), (vec!["work".to_owned()], 0));
        if ends == Succeeded {
            run.succeed("work", Value::Null)
        } else {
            run.fail("work", rejected())
        };
        assert_eq!((run.outcome("held"), given_back(&run)), (Some(ends), 1));
        run.feed(Happening::Acquired { step });
        assert_eq!(run.in_progress(), ["after"], "told twice, it does not begin again");
    }
}

#[test]
fn without_a_key_a_scope_begins_at_once() {
    for key in ["null", "[]", "[null, \"${{ trigger.nothing }}\"]"] {
        let mut run = begin(key);
        assert_eq!((asked(&run), run.in_progress()), (vec![], vec!["work".to_owned()]), "{key}");
        run.succeed_all(&["work", "after"]);
        assert_eq!(given_back(&run), 0, "{key}");
    }
}

#[test]
fn what_cannot_be_a_key_fails_the_scope() {
    for key in ["\"${{ true and 1 == 1 }}\"", "\"${{ {'a': 1} }}\"", "[\"${{ [1] }}\"]"] {
        let run = begin(key);
        assert_eq!((asked(&run), run.failure("held")), (vec![], Some(("not_a_key", "held"))), "{key}");
        assert_eq!(run.in_progress(), ["after"], "{key}");
    }
}

#[test]
fn a_scope_that_waits_for_its_keys_can_run_out_of_time_or_be_cancelled() {
    let mut run = begin("a");
    let step = run.at("held");
    run.fire("held", Timer::Timeout);
    assert_eq!(
        (run.outcome("held"), run.outcome("work"), given_back(&run)),
        (Some(TimedOut), Some(Outcome::Skipped), 1)
    );
    run.feed(Happening::Acquired { step });
    assert_eq!(run.in_progress(), ["after"], "too late");

    let mut run = begin("a");
    run.feed(Happening::Cancelled);
    assert_eq!((run.outcome("held"), run.run_outcome(), given_back(&run)), (Some(Cancelled), Some(Cancelled), 1));
}

/// Rounds of scopes, three at a time; in `hasty`, they give up after five seconds.
const ROUNDS: &str = "
trigger: manual
steps:
  rounds:
    for_each: ${{ trigger.scopes }}
    parallel: 3
    do:
      held:
        key: ${{ item.keys }}
        TIMEOUT
        scope:
          work: { use: test.write, with: { name: \"${{ item.name }}\", takes: \"${{ item.takes }}\" }, retry: none }
";

fn bench() -> Bench {
    let flow = |name: &str, timeout: &str| format!("flow: {name}{}", ROUNDS.replace("TIMEOUT", timeout));
    Bench::new(&[&flow("f", ""), &flow("hasty", "timeout: 5s")])
}

async fn run(bench: &Bench, flow: &str, scopes: Value) -> Outcome {
    let start = Start { trigger: json!({ "scopes": scopes }), ..Start::default() };
    Arc::clone(&bench.engine).run(&FlowId::new(flow), start, &Nobody).await.outcome
}

#[tokio::test(start_paused = true)]
async fn scopes_with_a_key_in_common_go_one_at_a_time_in_order_of_arrival_in_all_runs() {
    let bench = bench();
    let scope = |name: &str, keys: &[&str]| json!([{ "name": name, "keys": keys, "takes": 1 }]);
    let runs = [("a1", &["a"][..]), ("ab", &["a", "b"]), ("b1", &["b"]), ("a2", &["a"]), ("c1", &["c"]), ("none", &[])];
    futures::future::join_all(runs.map(|(name, keys)| run(&bench, "f", scope(name, keys)))).await;
    assert_eq!(bench.log(), "+a1 +c1 +none -a1 +ab -c1 -none -ab +b1 +a2 -b1 -a2");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_given_up_gives_its_keys_back() {
    let bench = bench();
    let scope = |name: &str| json!([{ "name": name, "keys": "a", "takes": 60 }]);
    let second = Duration::from_secs(1);
    let (given_up, ended) = futures::join!(
        tokio::time::timeout(second, run(&bench, "f", scope("first"))),
        run(&bench, "f", scope("second"))
    );
    assert!(given_up.is_err());
    assert_eq!(
        (ended, bench.log().as_str(), bench.elapsed()),
        (Succeeded, "+first !first +second -second", 61 * second)
    );
}

/// Scopes of one run: keys, seconds of work, whether it works.
type Scopes = Vec<(BTreeSet<u8>, u64, bool)>;

/// Begins after so many seconds, as which flow, with which scopes, and is given up after so many seconds.
fn drawn_runs() -> impl Strategy<Value = Vec<(u64, bool, Scopes, Option<u64>)>> {
    let scope = (prop::collection::btree_set(0..4u8, 0..4), 0..4u64, prop::bool::weighted(0.8));
    let scopes = prop::collection::vec(scope, 1..5);
    prop::collection::vec((0..4u64, any::<bool>(), scopes, prop::option::weighted(0.2, 1..8u64)), 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_bodies_with_a_key_in_common_overlap_and_everything_ends(runs in drawn_runs()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let log = runtime.block_on(async {
            let bench = bench();
            let all = runs.iter().enumerate().map(|(at, (delay, hasty, scopes, given_up))| {
                let scopes: Vec<Value> = scopes.iter().enumerate().map(|(number, (keys, takes, works))| {
                    let name = format!("{at}.{number}:{}", keys.iter().map(u8::to_string).collect::<String>());
                    if !works {
                        bench.answers(&name, [Err(rejected())]);
                    }
                    json!({ "name": name, "keys": keys, "takes": takes })
                }).collect();
                let bench = &bench;
                async move {
                    tokio::time::sleep(Duration::from_secs(*delay)).await;
                    let flow = if *hasty { "hasty" } else { "f" };
                    let limit = Duration::from_secs(given_up.unwrap_or(3600));
                    let ended = tokio::time::timeout(limit, run(bench, flow, json!(scopes))).await;
                    assert!(ended.is_ok() || given_up.is_some(), "run {at} waits for ever");
                }
            });
            futures::future::join_all(all).await;
            bench.log()
        });
        let mut under_way: Vec<&str> = Vec::new();
        for entry in log.split_whitespace() {
            let (mark, name) = entry.split_at(1);
            if mark != "+" {
                under_way.retain(|other| *other != name);
                continue;
            }
            let keys = |name: &str| name.split(':').nth(1).unwrap().chars().collect::<BTreeSet<_>>();
            let beside: Vec<&&str> = under_way.iter().filter(|other| !keys(other).is_disjoint(&keys(name))).collect();
            prop_assert!(beside.is_empty(), "{} beside {:?} in {}", name, beside, log);
            under_way.push(name);
        }
        prop_assert!(under_way.is_empty(), "{}", log);
    }
}
