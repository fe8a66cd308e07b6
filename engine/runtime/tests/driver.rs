//! The driver in memory, over a connector made with the connector kit. Time is tokio's, and stands still until everything waits
//! for it: an hour passes in no time, and what is measured is exact.

#![allow(clippy::unwrap_used)]

#[path = "support/fake.rs"]
mod fake;
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use cosell_model::Outcome::{Failed, Succeeded, TimedOut};
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::{Start, idempotency_key};
use cosell_runtime::record::Nobody;
use cosell_sdk::Meaning;
use fake::{Bench, Notes, step};
use serde_json::json;
use support::{busy, error, flow, rejected};

#[tokio::test(start_paused = true)]
async fn an_attempt_that_does_not_work_is_repeated_after_the_wait() {
    let bench = Bench::new(&[&flow("a: { use: test.write, with: { name: a, takes: 5 } }")]);
    bench.answers("a", [Err(busy()), Err(error(Meaning::OutcomeUnknown)), Ok(json!("made"))]);
    let (run, steps) = bench.run().await;
    assert_eq!(run.outcome, Succeeded);
    let seen: Vec<(u64, bool)> = bench.seen().iter().map(|seen| (seen.after.as_secs(), seen.may_have_run)).collect();
    assert_eq!(seen, [(0, false), (6, false), (12, true)], "5 seconds of work and one of waiting, each time");
    let record = step(&steps, "a");
    assert_eq!((record.attempts, record.requests.len(), &*record.output), (3, 3, &json!("made")));
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_attempts_are_used_up_fails_the_run() {
    let bench = Bench::new(&[&flow("a: { use: test.read, with: { name: a } }")]);
    bench.answers("a", [Err(busy()), Err(busy()), Err(busy())]);
    let (run, steps) = bench.run().await;
    assert_eq!((run.outcome, bench.seen().len(), step(&steps, "a").attempts), (Failed, 3, 3));
    assert_eq!(run.failure.and_then(|failure| failure.step).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_the_same_in_every_attempt_and_another_for_every_step_round_and_run() {
    let text = flow(
        "
        a: { use: test.write, with: { name: a } }
        b: { use: test.write, with: { name: b } }
        rows: { for_each: [1, 2], do: { c: { use: test.write, with: { name: c } } } }
        ",
    );
    let bench = Bench::new(&[&text]);
    bench.answers("a", [Err(busy()), Err(error(Meaning::OutcomeUnknown))]);
    let (first, _) = bench.run().await;
    bench.run().await;
    let seen = bench.seen();
    let of = |name: &str| seen.iter().filter(|seen| seen.name == name).map(|seen| seen.key).collect::<Vec<_>>();
    assert_eq!(of("a").len(), 4);
    assert!(of("a")[..3].iter().all(|key| *key == of("a")[0]), "three attempts, one key");
    let all: BTreeSet<_> = seen.iter().map(|seen| seen.key).collect();
    assert_eq!(all.len(), 8, "four calls in each of two runs");
    assert_eq!(of("c")[1], idempotency_key(&first.id, "rows[1]/c"), "a key can be computed again after a restart");
}

#[tokio::test(start_paused = true)]
async fn reads_run_side_by_side_and_writes_one_behind_the_other() {
    let text = flow(
        "
        r1: { use: test.read, with: { name: r1, takes: 3 } }
        w1: { use: test.write, with: { name: w1, takes: 2 } }
        w2: { use: test.write, with: { name: w2, takes: 2 } }
        r2: { use: test.read, with: { name: r2, takes: 1 } }
        ",
    );
    let bench = Bench::new(&[&text]);
    bench.run().await;
    assert_eq!(bench.log(), "+r1 +w1 +r2 -r2 -w1 +w2 -r1 -w2");
    assert_eq!(bench.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_drops_what_is_in_progress() {
    let bench = Bench::new(&[&flow("a: { use: test.read, with: { name: a, takes: 100 }, timeout: 7s }")]);
    let (run, steps) = bench.run().await;
    assert_eq!((run.outcome, step(&steps, "a").outcome), (TimedOut, TimedOut));
    assert_eq!((bench.log(), bench.elapsed()), ("+a !a".to_owned(), Duration::from_secs(7)));
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_of_a_scope_drops_what_is_in_progress_inside() {
    let bench = Bench::new(&[&flow(
        "s: { timeout: 7s, scope: { a: { use: test.read, with: { name: a, takes: 100 } }, w: { wait: 1h } } }\nb: { use: test.read, with: { name: b }, after: { s: [timed_out] } }",
    )]);
    let (run, _) = bench.run().await;
    assert_eq!((run.outcome, bench.log(), bench.elapsed().as_secs()), (Succeeded, "+a !a +b -b".to_owned(), 7));
}

#[tokio::test(start_paused = true)]
async fn a_run_does_not_wait_for_limits_that_no_longer_matter() {
    let bench = Bench::new(&[&flow("a: { use: test.read, with: { name: a }, timeout: 10h }")]);
    let (run, _) = bench.run().await;
    assert_eq!((run.outcome, bench.elapsed()), (Succeeded, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_wait_lets_time_pass() {
    let bench = Bench::new(&[&flow("w: { wait: 2h }\na: { use: test.write, with: { name: a } }")]);
    bench.run().await;
    assert_eq!(bench.seen()[0].after, Duration::from_secs(7200));
}

#[tokio::test(start_paused = true)]
async fn a_read_outside_any_run_is_as_patient_as_a_step_and_no_more() {
    let bench = Bench::new(&[&flow("a: { use: test.read, with: { name: a } }")]);
    let read = || bench.engine.read("test", "read", json!({ "name": "a" }), &Nobody);
    bench.answers("a", [Err(busy()), Err(busy()), Ok(json!("found"))]);
    assert_eq!(read().await, Ok(json!("found")));
    assert_eq!(bench.elapsed(), Duration::from_secs(2));
    bench.answers("a", [Err(busy()), Err(busy()), Err(busy()), Err(rejected())]);
    assert_eq!(read().await, Err(busy()), "three attempts");
    assert_eq!(read().await, Err(rejected()), "one is enough");
    assert_eq!(bench.seen().len(), 7);
    assert_eq!(bench.engine.read("other", "read", Value::Null, &Nobody).await.unwrap_err().code, "unknown_connection");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_configured_fails_with_what_to_do_about_it() {
    let bench = Bench::new(&[&flow("a: { use: test.read, connection: other, with: { name: a } }")]);
    let (run, _) = bench.run().await;
    insta::assert_snapshot!(run.failure.unwrap(), @"no connection `other` is configured; add it under `connections` in cosell.yaml (unknown_connection)");
    let unknown = bench.engine.run(&FlowId::new("nobody"), Start::default(), &Nobody).await;
    insta::assert_snapshot!(unknown.failure.unwrap(), @"there is no flow `nobody` that could run (unknown_flow)");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_inputs_do_not_fit_never_begins() {
    let bench = Bench::new(&[
        "flow: f\ntrigger: { use: manual, inputs: { id: text } }\nsteps: { a: { use: test.read, with: { name: a } } }\n",
    ]);
    let (run, steps) = bench.run().await;
    assert_eq!((run.outcome, steps.len(), bench.seen().len()), (Failed, 0, 0));
    assert_eq!(run.failure.map(|failure| failure.code).as_deref(), Some("wrong_inputs"));
}

#[tokio::test(start_paused = true)]
async fn a_run_knows_what_started_it_and_gives_its_answer_and_its_output() {
    let text = "
flow: f
trigger: { use: manual, inputs: { n: { type: integer, default: 2 } } }
steps: { r: { respond: { status: 201, headers: { x: y }, body: \"${{ trigger.t }}\" } } }
output: { n: \"${{ inputs.n }}\" }
";
    let bench = Bench::new(&[text]);
    let start = Start { trigger: json!({ "t": 1 }), inputs: json!({}), left_out: 0 };
    let run = bench.engine.run(&FlowId::new("f"), start, &Nobody).await;
    assert_eq!((run.answer, run.output), (Some((201, json!({ "x": "y" }), json!(1))), json!({ "n": 2 })));
}

#[tokio::test(start_paused = true)]
async fn what_is_sensitive_is_used_and_kept_out_of_records() {
    let text = flow(
        "
        secret: { use: test.read, with: { name: secret }, sensitive: [output] }
        used: { use: test.read, with: { name: \"${{ steps.secret.token }}\" } }
        named: { let: { token: \"${{ steps.secret.token }}\" }, sensitive: true }
        open: { let: { x: 1 } }
        ",
    );
    let bench = Bench::new(&[&text]);
    bench.answers("secret", [Ok(json!({ "token": "s3cret" }))]);
    bench.answers("s3cret", [Ok(json!("fine"))]);
    let (_, steps) = bench.run().await;
    assert_eq!(bench.seen()[1].name, "s3cret", "the next step gets it");
    assert_eq!((&*step(&steps, "secret").output, &*step(&steps, "named").output), (&Value::Null, &Value::Null));
    assert_eq!(&*step(&steps, "open").output, &json!({ "x": 1 }));
    let written: Vec<Value> = ["secret", "named"].map(|path| serde_json::to_value(step(&steps, path)).unwrap()).into();
    assert!(!json!(written).to_string().contains("s3cret"));
}

const CHILD: &str = "
flow: child
trigger: { use: call, inputs: { id: text } }
steps: { a: { use: test.write, with: { name: \"${{ inputs.id }}\" } } }
output: { made: \"${{ steps.a.by }}\" }
";

#[tokio::test(start_paused = true)]
async fn a_flow_runs_another_and_gets_what_it_yields() {
    let parent = flow(
        "
        c1: { call: child, with: { id: x } }
        c2: { call: child, with: { id: \"${{ steps.c1.made }}\" } }
        a: { let: { made: \"${{ steps.c2.made }}\" } }
        ",
    );
    let bench = Bench::new(&[&parent, CHILD]);
    let (run, steps) = bench.run().await;
    assert_eq!(&*step(&steps, "c1").output, &json!({ "made": "x" }));
    let seen = bench.seen();
    assert_ne!(seen[0].key, seen[1].key, "the same step of the same flow, called from two steps");
    assert_eq!(seen[0].key, idempotency_key(&format!("{}/c1", run.id), "a"), "the key follows from the run that calls");
}

#[tokio::test(start_paused = true)]
async fn a_flow_fails_with_the_flow_it_calls() {
    let parent = flow(
        "c: { call: child, with: { id: x } }\nd: { call: child, with: { id: \"${{ 5 }}\" }, after: { c: [failed] } }",
    );
    let bench = Bench::new(&[&parent, CHILD]);
    bench.answers("x", [Err(rejected())]);
    let (run, steps) = bench.run().await;
    let code = |path: &str| step(&steps, path).failure.as_ref().map(|failure| failure.code.clone());
    assert_eq!(
        (code("c").as_deref(), code("d").as_deref(), run.outcome),
        (Some("broken"), Some("wrong_inputs"), Failed)
    );
}

#[tokio::test(start_paused = true)]
async fn a_called_flow_that_takes_too_long_is_dropped() {
    let slow = CHILD.replace("name: \"${{ inputs.id }}\"", "name: slow, takes: 100");
    let bench = Bench::new(&[&flow("c: { call: child, with: { id: x }, timeout: 3s }"), &slow]);
    let notes = Notes::default();
    let run = bench.engine.run(&FlowId::new("f"), Start::default(), &notes).await;
    assert_eq!((run.outcome, bench.log(), bench.elapsed().as_secs()), (TimedOut, "+slow !slow".to_owned(), 3));
    let told =
        ["f begins", "  child begins", "c (call child) timed_out at attempt 1", "  child cancelled", "f timed_out"];
    assert_eq!(notes.told().lines, told, "of the called flow's end as well");
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_everything_while_it_happens() {
    let parent = flow(
        "
        a: { use: test.read, with: { name: a } }
        c: { call: child, with: { id: x } }
        rows: { for_each: [1, 2], do: { r: { use: test.read, with: { name: r } } } }
        left: { if: false, then: { never: { let: { x: 1 } } } }
        d: { use: test.read, with: { name: d }, after: { c: [failed] } }
        ",
    );
    let bench = Bench::new(&[&parent, CHILD]);
    bench.answers("a", [Err(busy())]);
    let notes = Notes::default();
    bench.engine.run(&FlowId::new("f"), Start::default(), &notes).await;
    insta::assert_snapshot!(notes.told().lines.join("\n"), @r"
    f begins
    never (let) skipped at attempt 0, its branch was not taken
    left (if) succeeded at attempt 1
    a: attempt 2 follows after 1s: it does not work (broken)
      child begins
      a (use test.write) succeeded at attempt 1
      child succeeded
    c (call child) succeeded at attempt 1
    d (use test.read) skipped at attempt 0, `c` succeeded
    rows[0]/r (use test.read) succeeded at attempt 1
    rows[1]/r (use test.read) succeeded at attempt 1
    rows (for_each) succeeded at attempt 1
    a (use test.read) succeeded at attempt 2
    f succeeded
    ");
}
