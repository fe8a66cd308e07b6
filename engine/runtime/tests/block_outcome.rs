//! The leaf rule: how a block ends, from how its steps ended (workflow semantics of Power Automate, "status of a block").

#![allow(clippy::unwrap_used)]

mod support;

use cosell_model::Outcome::{self, Failed, Succeeded, TimedOut};
use support::{Answer, Run, fails, times_out};

/// A row: what it shows, the steps of the block, which of them end badly, and how the block must end.
type Row = (&'static str, &'static str, &'static [Bad], Outcome);

/// A step that ends badly, and how.
type Bad = (&'static str, fn() -> Answer);

const X_FAILS: &[Bad] = &[("x", fails)];
const X_TIMES_OUT: &[Bad] = &[("x", times_out)];

const TABLE: &[Row] = &[
    (
        "a skipped leaf gives way to what failed before it",
        "
        x: { use: test.read }
        b: { use: test.read, after: { x: [succeeded] } }
        ",
        X_FAILS,
        Failed,
    ),
    (
        "a handler that ran well makes up for the failure",
        "
        x: { use: test.read }
        b: { use: test.read, after: { x: [failed] } }
        ",
        X_FAILS,
        Succeeded,
    ),
    (
        "a handler beside a skipped leaf does not",
        "
        x: { use: test.read }
        b: { use: test.read, after: { x: [succeeded] } }
        c: { use: test.read, after: { x: [failed] } }
        ",
        X_FAILS,
        Failed,
    ),
    (
        "a join behind both paths does",
        "
        x: { use: test.read }
        b: { use: test.read, after: { x: [succeeded] } }
        c: { use: test.read, after: { x: [failed] } }
        d: { use: test.read, after: { b: [succeeded, failed, skipped, timed_out], c: [succeeded, failed, skipped, timed_out] } }
        ",
        X_FAILS,
        Succeeded,
    ),
    (
        "every path ends in a step that ran well",
        "
        x: { use: test.read }
        b: { use: test.read, after: { x: [succeeded, failed, skipped, timed_out] } }
        c: { use: test.read, after: { x: [failed, timed_out] } }
        ",
        X_FAILS,
        Succeeded,
    ),
    (
        "a skipped join is traced back along every path",
        "
        x: { use: test.read }
        b: { use: test.read, after: { x: [failed] } }
        c: { use: test.read, after: { x: [succeeded] } }
        d: { use: test.read, after: { b: [skipped], c: [skipped] } }
        ",
        X_FAILS,
        Failed,
    ),
    (
        "a handler that was not needed gives way to what went well",
        "
        ok: { use: test.read }
        handler: { use: test.read, after: { ok: [failed] } }
        ",
        &[],
        Succeeded,
    ),
    ("an empty block succeeds", "inner: { scope: {} }", &[], Succeeded),
    (
        "a block of which everything was skipped succeeds",
        "
        a: { use: test.read, when: false }
        b: { use: test.read, after: a }
        ",
        &[],
        Succeeded,
    ),
    ("a time-out is no failure", "x: { use: test.read, timeout: 1m }", X_TIMES_OUT, TimedOut),
    (
        "a failure outweighs a time-out",
        "
        x: { use: test.read, timeout: 1m }
        y: { use: test.read }
        ",
        &[("x", times_out), ("y", fails)],
        Failed,
    ),
    (
        "a time-out behind a skipped leaf counts",
        "
        x: { use: test.read, timeout: 1m }
        b: { use: test.read, after: x }
        c: { use: test.read, after: b }
        ",
        X_TIMES_OUT,
        TimedOut,
    ),
    (
        "a handler of failures does not run for a time-out",
        "
        x: { use: test.read, timeout: 1m }
        b: { use: test.read, after: { x: [failed] } }
        ",
        X_TIMES_OUT,
        TimedOut,
    ),
    (
        "a handler of time-outs makes up for one",
        "
        x: { use: test.read, timeout: 1m }
        b: { use: test.read, after: { x: [timed_out] } }
        ",
        X_TIMES_OUT,
        Succeeded,
    ),
    (
        "a handler that fails leaves the block failed",
        "
        x: { use: test.read }
        b: { use: test.read, after: { x: [failed] } }
        ",
        &[("x", fails), ("b", fails)],
        Failed,
    ),
    (
        "a failure in a nested block passes up",
        "
        outer:
          scope:
            inner: { scope: { x: { use: test.read }, b: { use: test.read, after: x } } }
            beside: { use: test.read }
        ",
        X_FAILS,
        Failed,
    ),
    (
        "a failure handled in a nested block stays there",
        "
        outer:
          scope:
            inner: { scope: { x: { use: test.read }, b: { use: test.read, after: { x: [failed] } } } }
        behind: { use: test.read, after: outer }
        ",
        X_FAILS,
        Succeeded,
    ),
    (
        "a failed scope is handled by a sibling, as in Try and Catch",
        "
        attempt: { scope: { x: { use: test.read } } }
        rescue: { scope: { r: { use: test.read } }, after: { attempt: [failed, timed_out] } }
        ",
        X_FAILS,
        Succeeded,
    ),
    (
        "only the branch taken counts",
        "
        choose: { if: true, then: { a: { use: test.read } }, else: { x: { use: test.read } } }
        ",
        X_FAILS,
        Succeeded,
    ),
];

#[test]
fn a_run_ends_by_the_leaf_rule() {
    for (what, steps, bad, expected) in TABLE {
        let answers: Vec<_> = bad.iter().map(|(step, answer)| (*step, answer())).collect();
        let run = Run::begin(steps).answer_all(&answers).run_outcome();
        assert_eq!(run, Some(*expected), "{what}");
    }
}

#[test]
fn scopes_branches_and_rounds_end_by_the_leaf_rule() {
    for (what, steps, bad, expected) in TABLE {
        for (holder, prefix) in [("scope", ""), ("if: true\nthen", ""), ("for_each: [1]\ndo", "b0[0]/")] {
            let mut text = "b0:\n".to_owned();
            for line in holder.lines() {
                text.push_str(&format!("  {line}{}\n", if line.contains(": ") { "" } else { ":" }));
            }
            for line in steps.lines() {
                text.push_str(&format!("    {line}\n"));
            }
            let paths: Vec<_> = bad.iter().map(|(step, answer)| (format!("{prefix}{step}"), answer())).collect();
            let answers: Vec<_> = paths.iter().map(|(path, answer)| (path.as_str(), answer.clone())).collect();
            let mut run = Run::begin(&text);
            run.answer_all(&answers);
            assert_eq!(run.outcome("b0"), Some(*expected), "{what}, in {holder}");
            assert_eq!(run.run_outcome(), Some(*expected), "{what}, in {holder}");
        }
    }
}

#[test]
fn the_failure_named_is_the_first_of_the_file_whatever_the_order_of_events() {
    let steps = "
        a: { use: test.read, timeout: 1m }
        group: { scope: { b: { use: test.read }, c: { use: test.read } } }
        d: { use: test.read }
        ";
    for order in [["b", "c", "d"], ["d", "c", "b"], ["c", "d", "b"], ["d", "b", "c"]] {
        let mut run = Run::begin(steps);
        for step in order {
            run.fail(step, cosell_sdk::CallError::rejected(format!("code-{step}"), "no"));
        }
        run.answer("a", Answer::TooLate);
        let (outcome, _, failure) = run.finished().unwrap();
        let failure = failure.unwrap();
        // `a` stands first, but a failure outweighs a time-out.
        assert_eq!(
            (outcome, failure.code.as_str(), failure.step.as_deref()),
            (Failed, "code-b", Some("b")),
            "{order:?}"
        );
        assert_eq!(run.failure("group"), Some(("code-b", "b")), "{order:?}");
    }
}

#[test]
fn the_failure_of_a_loop_is_that_of_its_first_bad_round() {
    let mut run = Run::begin("rows: { for_each: [1, 2, 3], parallel: 3, do: { x: { use: test.read } } }");
    for round in ["rows[2]/x", "rows[1]/x"] {
        run.fail(round, support::rejected());
    }
    run.succeed("rows[0]/x", serde_json::json!(1));
    assert_eq!(run.failure("rows"), Some(("broken", "rows[1]/x")));
}

#[test]
fn a_failure_keeps_what_the_remote_system_said() {
    let mut run = Run::begin("group: { scope: { x: { use: test.write } } }");
    run.fail("x", support::rejected().details(serde_json::json!({ "field": "name" })));
    let failure = run.finished().and_then(|(.., failure)| failure).unwrap();
    assert_eq!(failure.details, serde_json::json!({ "field": "name" }));
    insta::assert_snapshot!(failure, @"it does not work (broken)");
}
