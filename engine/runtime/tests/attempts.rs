//! Attempts, retries and time limits; events that come twice, late, or cannot have happened; cancelling from outside.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use cosell_compile::plan::StepIx;
use cosell_model::Outcome::{self, Cancelled, Failed, Skipped, Succeeded, TimedOut};
use cosell_model::Value;
use cosell_model::flow::Retry;
use cosell_runtime::core::event::{Address, Command, Consequences, Happening, IllegalEvent, Timer};
use cosell_sdk::Meaning;
use serde_json::json;
use support::{Answer, Run, busy, calls, error, fails, flow, plan_of, rejected, times_out};

const ONE: &str = "a: { use: test.write, with: { n: 1 } }";

/// The waits that were set before further attempts.
fn waits(run: &Run) -> Vec<(u32, Duration)> {
    let wait = |command: &Command| match command {
        Command::SetTimer { timer: Timer::Retry(next), after, .. } => Some((*next, *after)),
        _ => None,
    };
    run.commands.iter().filter_map(wait).collect()
}

fn may_have_run(out: &Consequences) -> Vec<bool> {
    let told = |command: &Command| match command {
        Command::Call { may_have_run, .. } => Some(*may_have_run),
        _ => None,
    };
    out.commands.iter().filter_map(told).collect()
}

fn abandoned(run: &Run, out: &Consequences) -> Vec<String> {
    let step = |command: &Command| match command {
        Command::Abandon { step } => Some(run.path(*step)),
        _ => None,
    };
    out.commands.iter().filter_map(step).collect()
}

#[test]
fn what_an_error_means_decides_whether_there_is_another_attempt() {
    for (meaning, again) in [
        (Meaning::Retry { after: None }, true),
        (Meaning::Retry { after: Some(Duration::from_secs(9)) }, true),
        (Meaning::OutcomeUnknown, true),
        (Meaning::SignIn, false),
        (Meaning::Conflict, false),
        (Meaning::Rejected, false),
    ] {
        let mut run = Run::begin_with_retry(ONE);
        run.fail("a", error(meaning));
        assert_eq!(run.outcome("a"), (!again).then_some(Failed), "{meaning:?}");
        assert_eq!(waits(&run).len(), usize::from(again), "{meaning:?}");
    }
}

#[test]
fn there_are_as_many_attempts_as_the_policy_says_and_all_are_alike() {
    let mut run = Run::begin_with_retry(ONE);
    for attempt in 2..=3 {
        run.fail("a", busy());
        assert_eq!((run.outcome("a"), run.in_progress().len()), (None, 0), "it waits for its next attempt");
        let out = run.fire("a", Timer::Retry(attempt));
        assert_eq!(calls(&run, &out), [("a".to_owned(), attempt)]);
        assert_eq!(run.input("a"), json!({ "n": 1 }));
    }
    run.fail("a", busy());
    assert_eq!((run.failure("a"), run.run_outcome()), (Some(("broken", "a")), Some(Failed)));
}

#[test]
fn an_attempt_that_works_ends_the_step_with_its_output() {
    let mut run = Run::begin_with_retry(ONE);
    run.fail("a", busy());
    run.fire("a", Timer::Retry(2));
    run.succeed("a", json!("made"));
    assert_eq!(
        (run.outcome("a"), run.output("a"), run.run_outcome()),
        (Some(Succeeded), json!("made"), Some(Succeeded))
    );
}

#[test]
fn a_step_may_have_its_own_policy() {
    let mut none = Run::begin_with_retry("a: { use: test.read, retry: none }");
    none.fail("a", busy());
    assert_eq!(none.outcome("a"), Some(Failed));
    let mut fixed = Run::begin("a: { use: test.read, retry: { policy: fixed, count: 3, interval: 30s } }");
    for attempt in 2..=4 {
        fixed.fail("a", busy());
        fixed.fire("a", Timer::Retry(attempt));
    }
    let half_minute = Duration::from_secs(30);
    assert_eq!(waits(&fixed), [(2, half_minute), (3, half_minute), (4, half_minute)]);
}

#[test]
fn growing_waits_double_stay_in_their_window_and_are_always_the_same() {
    let steps =
        "a: { use: test.read, retry: { policy: exponential, count: 6, interval: 10s, minimum: 5s, maximum: 1m } }";
    let waited = || {
        let mut run = Run::begin(steps);
        for attempt in 2..=7 {
            run.fail("a", busy());
            run.fire("a", Timer::Retry(attempt));
        }
        waits(&run)
    };
    for ((_, wait), (low, high)) in
        waited().into_iter().zip([(5, 10), (10, 20), (20, 40), (40, 60), (60, 60), (60, 60)])
    {
        assert!((Duration::from_secs(low)..=Duration::from_secs(high)).contains(&wait), "{wait:?} in {low} to {high}");
    }
    assert_eq!(waited(), waited(), "no chance is involved");
}

#[test]
fn what_the_remote_system_asks_for_is_waited_even_beyond_the_maximum() {
    let mut run = Run::begin_with_retry(ONE);
    run.fail("a", error(Meaning::Retry { after: Some(Duration::from_secs(7200)) }));
    assert_eq!(waits(&run), [(2, Duration::from_secs(7200))]);
}

#[test]
fn every_attempt_after_one_that_may_have_worked_is_told_so() {
    let mut run = Run::begin_with_retry(ONE);
    assert!(matches!(run.commands[0], Command::Call { may_have_run: false, .. }));
    run.fail("a", error(Meaning::OutcomeUnknown));
    let second = run.fire("a", Timer::Retry(2));
    // The second attempt surely did nothing; the first may still have.
    run.fail("a", busy());
    let third = run.fire("a", Timer::Retry(3));
    assert_eq!((may_have_run(&second), may_have_run(&third)), (vec![true], vec![true]));
    let mut plain = Run::begin_with_retry(ONE);
    plain.fail("a", busy());
    let second = plain.fire("a", Timer::Retry(2));
    assert_eq!(may_have_run(&second), [false]);
}

// Time limits.

#[test]
fn a_time_limit_is_set_once_and_holds_over_all_attempts() {
    let steps = "a: { use: test.write, timeout: 5s, retry: { policy: fixed, count: 9, interval: 2s } }\nb: { use: test.read, after: { a: [timed_out] } }";
    let mut in_attempt = Run::begin(steps);
    in_attempt.fail("a", busy());
    in_attempt.fire("a", Timer::Retry(2));
    let limits =
        in_attempt.commands.iter().filter(|c| matches!(c, Command::SetTimer { timer: Timer::Timeout, .. })).count();
    assert_eq!(limits, 1);
    let out = in_attempt.fire("a", Timer::Timeout);
    assert_eq!(abandoned(&in_attempt, &out), ["a"]);
    assert_eq!((in_attempt.failure("a"), in_attempt.in_progress()), (Some(("timed_out", "a")), vec!["b".to_owned()]));

    let mut between = Run::begin(steps);
    between.fail("a", busy());
    let step = between.at("a");
    between.fire("a", Timer::Timeout);
    assert_eq!(between.outcome("a"), Some(TimedOut));
    let late = between.feed(Happening::TimerFired { step, timer: Timer::Retry(2) });
    assert_eq!(late, Consequences::default(), "no attempt follows");
}

#[test]
fn a_step_that_ends_in_time_does_not_time_out_later() {
    let mut run = Run::begin("a: { use: test.read, timeout: 5s }\nb: { use: test.read }");
    let step = run.at("a");
    run.succeed("a", Value::Null);
    assert_eq!(run.feed(Happening::TimerFired { step, timer: Timer::Timeout }), Consequences::default());
    assert_eq!(run.outcome("a"), Some(Succeeded));
}

#[test]
fn the_time_limit_of_a_holder_ends_everything_in_it() {
    let inside = "
    a: { use: test.read }
    b: { use: test.read, after: a }
    deep: { if: true, then: { c: { wait: 1h }, d: { call: child } } }
    rows: { for_each: [1, 2], parallel: 2, do: { e: { use: test.read }, f: { let: { x: 1 }, after: e } } }
    done: { let: { x: 1 } }
";
    let child = "flow: child\ntrigger: call\nsteps: { x: { use: test.read } }\n";
    for (holder, prefix) in [("scope", ""), ("for_each: [1]\n  do", "h[0]/"), ("until: true\n  do", "h[0]/")] {
        let text = flow(&format!(
            "h:\n  timeout: 1m\n  {holder}:{inside}beside: {{ use: test.read }}\nbehind: {{ use: test.read, after: {{ h: [timed_out] }} }}\n"
        ));
        let mut run = Run::of(&plan_of(&[&text, child]));
        run.succeed("beside", Value::Null);
        let out = run.fire("h", Timer::Timeout);
        let at = |path: &str| format!("{prefix}{path}");
        let expected = ["a", "c", "d", "rows[0]/e", "rows[1]/e"].map(at);
        let mut gone = abandoned(&run, &out);
        gone.sort();
        assert_eq!(gone, expected, "{holder}");
        for (path, outcome) in [
            ("a", Cancelled),
            ("b", Skipped),
            ("deep", Cancelled),
            ("c", Cancelled),
            ("d", Cancelled),
            ("rows", Cancelled),
            ("rows[1]/e", Cancelled),
            ("rows[1]/f", Skipped),
            ("done", Succeeded),
        ] {
            assert_eq!(run.outcome(&at(path)), Some(outcome), "{path} in {holder}");
        }
        assert_eq!((run.outcome("h"), run.in_progress()), (Some(TimedOut), vec!["behind".to_owned()]), "{holder}");
        run.succeed("behind", Value::Null);
        assert_eq!(run.run_outcome(), Some(Succeeded), "the time-out was handled");
    }
}

#[test]
fn what_comes_late_from_inside_a_holder_that_timed_out_changes_nothing() {
    for holder in ["scope: { a: { use: test.read } }", "for_each: [1, 2], do: { a: { use: test.read } }"] {
        let mut run = Run::begin(&format!("h: {{ timeout: 1m, {holder} }}\nb: {{ use: test.read }}"));
        let path = run.in_progress().into_iter().find(|path| path.ends_with('a')).unwrap();
        let step = run.at(&path);
        run.fire("h", Timer::Timeout);
        let before = run.known();
        let late = run.feed(Happening::Succeeded { step, attempt: 1, output: json!(1) });
        assert_eq!((late, run.known()), (Consequences::default(), before), "{holder}");
    }
}

#[test]
fn a_called_flow_that_takes_too_long_is_abandoned() {
    let child = "flow: child\ntrigger: call\nsteps: {}\n";
    let mut run = Run::of(&plan_of(&[&flow("a: { call: child, timeout: 1m }"), child]));
    let step = run.at("a");
    let out = run.fire("a", Timer::Timeout);
    assert_eq!((abandoned(&run, &out), run.run_outcome()), (vec!["a".to_owned()], Some(TimedOut)));
    let late = Happening::FlowEnded { step, outcome: Succeeded, output: Value::Null, failure: None };
    assert_eq!(run.feed(late), Consequences::default());
}

// Events that come twice, late, or cannot have happened.

#[test]
fn events_that_come_twice_or_late_change_nothing() {
    let mut run = Run::begin_with_retry("a: { use: test.read, timeout: 1h }\nb: { use: test.read, after: a }");
    let a = run.at("a");
    let check = |run: &mut Run, kind: Happening| {
        let before = run.known();
        assert_eq!(run.feed(kind.clone()), Consequences::default(), "{kind:?}");
        assert_eq!(run.known(), before, "{kind:?}");
    };
    let first_failed = Happening::Failed { step: a, attempt: 1, error: busy() };
    run.feed(first_failed.clone());
    check(&mut run, first_failed.clone());
    check(&mut run, Happening::Succeeded { step: a, attempt: 1, output: json!("late") });
    let second_due = Happening::TimerFired { step: a, timer: Timer::Retry(2) };
    run.feed(second_due.clone());
    for kind in
        [second_due.clone(), first_failed.clone(), Happening::Succeeded { step: a, attempt: 1, output: json!(1) }]
    {
        check(&mut run, kind);
    }
    let worked = Happening::Succeeded { step: a, attempt: 2, output: json!(2) };
    run.feed(worked.clone());
    for kind in [worked, second_due, first_failed, Happening::TimerFired { step: a, timer: Timer::Timeout }] {
        check(&mut run, kind);
    }
    run.succeed("b", Value::Null);
    for kind in [Happening::Cancelled, Happening::TimerFired { step: a, timer: Timer::Timeout }] {
        check(&mut run, kind);
    }
}

#[test]
fn an_event_that_comes_late_does_not_turn_the_time_back() {
    let mut run = Run::begin(
        "a: { use: test.read }\nb: { use: test.read }\nc: { let: { now: \"${{ run.now }}\" }, after: [a, b] }",
    );
    run.pass(Duration::from_secs(60));
    run.succeed("a", Value::Null);
    run.now -= Duration::from_secs(30);
    run.succeed("b", Value::Null);
    assert_eq!(run.output("c"), json!({ "now": "2026-11-02T00:01:00Z" }));
}

#[test]
fn a_run_begins_once_and_before_everything_else() {
    let plan = support::plan(ONE);
    let mut run = Run::new(&plan, Value::Null, json!({}), Retry::NONE);
    let a = Address { frame: 0, step: StepIx(0) };
    for kind in [Happening::Cancelled, Happening::Succeeded { step: a, attempt: 1, output: Value::Null }] {
        let before = run.known();
        assert_eq!(run.try_feed(kind), Err(IllegalEvent::NotBegun));
        assert_eq!(run.known(), before);
    }
    run.feed(Happening::Begun);
    let before = run.known();
    assert_eq!(run.try_feed(Happening::Begun), Err(IllegalEvent::NotBegun));
    assert_eq!(run.known(), before);
}

#[test]
fn what_cannot_have_happened_is_an_error_and_changes_nothing() {
    let child = "flow: child\ntrigger: call\nsteps: {}\n";
    let steps = "
        s: { scope: { a: { use: test.read } } }
        w: { wait: 1h, timeout: 2h, after: [] }
        c: { call: child }
        rows: { for_each: [1], do: { row: { use: test.read } } }
        later: { use: test.read, after: a_gate }
        a_gate: { use: test.read }
        skipped: { use: test.read, when: false }
        ";
    let plan = plan_of(&[&flow(steps), child]);
    let mut run = Run::of(&plan);
    run.pass(Duration::from_secs(1));
    let root = |id: &str| Address { frame: 0, step: plan.find(id).unwrap() };
    let succeeded = |step, attempt| Happening::Succeeded { step, attempt, output: Value::Null };
    let failed = |step, attempt| Happening::Failed { step, attempt, error: busy() };
    let fired = |step, timer| Happening::TimerFired { step, timer };
    let flow_ended =
        |step| Happening::FlowEnded { step, outcome: Outcome::Succeeded, output: Value::Null, failure: None };
    for (kind, expected) in [
        (succeeded(Address { frame: 0, step: StepIx(99) }, 1), "UnknownStep"),
        (succeeded(Address { frame: 9, step: StepIx(1) }, 1), "UnknownStep"),
        (succeeded(root("row"), 1), "UnknownStep"),
        (succeeded(Address { frame: 1, ..root("a") }, 1), "UnknownStep"),
        (succeeded(root("s"), 1), "WrongKind"),
        (failed(root("w"), 1), "WrongKind"),
        (succeeded(root("c"), 1), "WrongKind"),
        (flow_ended(root("a")), "WrongKind"),
        (fired(root("a"), Timer::Wait), "WrongKind"),
        (fired(root("a"), Timer::Timeout), "WrongKind"),
        (fired(root("c"), Timer::Retry(2)), "WrongKind"),
        (succeeded(root("later"), 1), "TooEarly"),
        (succeeded(root("later"), 0), "TooEarly"),
        (succeeded(root("skipped"), 1), "TooEarly"),
        (succeeded(root("a"), 2), "TooEarly"),
        (failed(root("a"), 2), "TooEarly"),
        (fired(root("a"), Timer::Retry(3)), "TooEarly"),
    ] {
        let before = run.known();
        let refused = run.try_feed(kind.clone()).unwrap_err();
        assert!(format!("{refused:?}").starts_with(expected), "{kind:?}: {refused:?}");
        assert_eq!(run.known(), before, "{kind:?}");
    }
    run.feed(fired(root("w"), Timer::Timeout));
    assert_eq!(run.outcome("w"), Some(TimedOut), "all of the rest still works");
}

// Cancelling.

#[test]
fn a_run_that_is_cancelled_abandons_what_is_in_progress_and_ends() {
    let steps = "
        done: { let: { x: 1 } }
        reading: { use: test.read }
        broken: { use: test.read }
        waiting: { wait: 1h }
        group: { scope: { inner: { use: test.read }, next: { use: test.read, after: inner } } }
        behind: { use: test.read, after: reading }
        handler: { use: test.read, after: { reading: [failed, timed_out] } }
        ";
    let mut run = Run::begin_with_retry(steps);
    run.fail("broken", busy());
    let out = run.feed(Happening::Cancelled);
    assert_eq!(abandoned(&run, &out), ["reading", "broken", "waiting", "inner"]);
    for (path, outcome) in [
        ("done", Succeeded),
        ("reading", Cancelled),
        ("broken", Cancelled),
        ("waiting", Cancelled),
        ("group", Cancelled),
        ("inner", Cancelled),
        ("next", Skipped),
        ("behind", Skipped),
        ("handler", Skipped),
    ] {
        assert_eq!(run.outcome(path), Some(outcome), "{path}");
    }
    assert_eq!(run.skipped("handler").as_deref(), Some("the run ended first"), "nobody handles what was cancelled");
    let (outcome, output, failure) = run.finished().unwrap();
    assert_eq!(
        (outcome, output, failure.map(|failure| failure.code.as_str())),
        (Cancelled, &Value::Null, Some("cancelled"))
    );
}

#[test]
fn a_run_that_is_over_is_not_cancelled() {
    let mut run = Run::begin("a: { let: { x: 1 } }");
    assert_eq!(run.feed(Happening::Cancelled), Consequences::default());
    assert_eq!(run.run_outcome(), Some(Succeeded));
}

#[test]
fn a_step_that_failed_or_was_late_in_a_round_leaves_the_other_rounds_alone() {
    for bad in [fails(), times_out(), Answer::Error(rejected())] {
        let mut run = Run::begin("rows: { for_each: [1, 2], parallel: 2, do: { x: { use: test.read, timeout: 1m } } }");
        run.answer("rows[0]/x", bad);
        assert_eq!(run.in_progress(), ["rows[1]/x"]);
    }
}
