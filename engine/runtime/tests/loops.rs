//! Loops: `for_each` and `until` (workflow semantics of Power Automate, "control actions").

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use cosell_model::Outcome::{Failed, Succeeded, TimedOut};
use cosell_model::Value;
use cosell_model::flow::Retry;
use cosell_runtime::core::event::Happening;
use serde_json::json;
use support::{Answer, Run, fails, flow, plan_of, rejected};

#[test]
fn a_for_each_keeps_the_order_of_its_items_and_never_runs_more_rounds_than_allowed() {
    let steps = "rows: { for_each: [a, b, c, d, e], parallel: 2, do: { x: { use: test.read, with: { item: \"${{ item }}\", index: \"${{ index }}\" } } }, output: \"${{ steps.x }}\" }";
    let mut run = Run::begin(steps);
    assert_eq!(run.in_progress(), ["rows[0]/x", "rows[1]/x"]);
    for (next, following) in [("rows[1]/x", "rows[2]/x"), ("rows[2]/x", "rows[3]/x"), ("rows[0]/x", "rows[4]/x")] {
        run.succeed(next, json!(next));
        assert_eq!(run.in_progress().len(), 2);
        assert_eq!(run.in_progress()[1], following);
    }
    assert_eq!(run.input("rows[4]/x"), json!({ "item": "e", "index": 4 }));
    run.answer_all(&[]);
    let from = |index: usize| json!({ "from": format!("rows[{index}]/x") });
    assert_eq!(run.output("rows"), json!(["rows[0]/x", "rows[1]/x", "rows[2]/x", from(3), from(4)]));
}

#[test]
fn a_for_each_goes_one_at_a_time_unless_told_otherwise() {
    let mut run = Run::begin("rows: { for_each: [1, 2], do: { x: { use: test.write } } }");
    assert_eq!(run.in_progress(), ["rows[0]/x"]);
    run.succeed("rows[0]/x", Value::Null);
    assert_eq!(run.in_progress(), ["rows[1]/x"]);
    run.succeed("rows[1]/x", Value::Null);
    assert_eq!(run.output("rows"), json!([null, null]), "without an output, each round yields null");
}

#[test]
fn a_failed_round_fails_the_loop_after_all_rounds_have_run() {
    for (bad, expected) in [(Answer::TooLate, TimedOut), (fails(), Failed)] {
        let mut run = Run::begin("rows: { for_each: [1, 2, 3], do: { x: { use: test.read, timeout: 1m } } }");
        run.answer("rows[0]/x", bad);
        assert_eq!(run.in_progress(), ["rows[1]/x"]);
        run.answer_all(&[]);
        assert_eq!(run.outcome("rows[2]/x"), Some(Succeeded));
        assert_eq!((run.outcome("rows"), run.run_outcome()), (Some(expected), Some(expected)));
        assert_eq!(run.failure("rows").map(|(_, step)| step), Some("rows[0]/x"));
    }
}

#[test]
fn a_for_each_over_nothing_succeeds_at_once_and_over_no_list_fails() {
    let begin = |items: Value| {
        let text = flow("rows: { for_each: \"${{ trigger.items }}\", do: { x: { use: test.read } } }");
        let mut run = Run::new(&plan_of(&[&text]), json!({ "items": items }), json!({}), Retry::NONE);
        run.feed(Happening::Begun);
        run
    };
    let empty = begin(json!([]));
    assert_eq!((empty.outcome("rows"), empty.output("rows")), (Some(Succeeded), json!([])));
    for items in [Value::Null, json!("abc"), json!({ "a": 1 }), json!(3)] {
        let run = begin(items.clone());
        assert_eq!(run.failure("rows"), Some(("not_a_list", "rows")), "{items}");
    }
    let failure = begin(Value::Null).finished().and_then(|(.., failure)| failure.cloned()).unwrap();
    insta::assert_snapshot!(failure.message, @"`for_each` takes a list, and this is null");
}

#[test]
fn rounds_see_their_own_steps_and_the_steps_around_them() {
    let steps = "
        base: { let: { n: 10 } }
        outer:
          for_each: [1, 2]
          parallel: 2
          do:
            mid: { let: { n: \"${{ steps.base.n + item }}\" } }
            inner:
              for_each: [5, 6]
              do:
                leaf: { let: { n: \"${{ steps.mid.n * 10 + item }}\", at: \"${{ index }}\" } }
              output: \"${{ [steps.leaf.n, steps.leaf.at] }}\"
          output: \"${{ steps.inner }}\"
        ";
    let run = Run::begin(steps);
    assert_eq!(run.output("outer"), json!([[[115, 0], [116, 1]], [[125, 0], [126, 1]]]));
    assert_eq!(run.output("outer[1]/inner[0]/leaf"), json!({ "n": 125, "at": 0 }));
}

#[test]
fn a_round_sees_steps_however_many_loops_out() {
    let steps = "
        top: { let: { n: 1 } }
        a:
          for_each: [10]
          do:
            in_a: { let: { n: 2 } }
            b:
              for_each: [20]
              do:
                c:
                  for_each: [30]
                  do: { leaf: { let: { all: \"${{ [steps.top.n, steps.in_a.n, item] }}\" } } }
        ";
    assert_eq!(Run::begin(steps).output("a[0]/b[0]/c[0]/leaf"), json!({ "all": [1, 2, 30] }));
}

#[test]
fn an_until_inside_a_for_each_still_knows_the_item() {
    let steps = "
        rows:
          for_each: [a, b]
          do:
            ask: { until: \"${{ index == 1 and steps.x.item == item }}\", do: { x: { let: { item: \"${{ item }}\", round: \"${{ index }}\" } } }, output: \"${{ steps.x }}\" }
          output: \"${{ steps.ask }}\"
        ";
    let run = Run::begin(steps);
    assert_eq!(run.output("rows"), json!([{ "item": "a", "round": 1 }, { "item": "b", "round": 1 }]));
}

#[test]
fn an_until_tests_its_condition_after_each_round() {
    let steps = "u: { until: \"${{ steps.x.done }}\", do: { x: { use: test.read, with: { round: \"${{ index }}\" } } }, output: \"${{ steps.x.n }}\" }";
    let mut run = Run::begin(steps);
    run.succeed("u[0]/x", json!({ "done": false, "n": 1 }));
    run.succeed("u[1]/x", json!({ "done": false, "n": 2 }));
    assert_eq!(run.input("u[2]/x"), json!({ "round": 2 }));
    run.succeed("u[2]/x", json!({ "done": true, "n": 3 }));
    assert_eq!((run.outcome("u"), run.output("u")), (Some(Succeeded), json!(3)));
}

#[test]
fn only_the_last_round_decides_how_an_until_ends() {
    let steps =
        "u: { until: \"${{ outcomes.x.outcome == 'succeeded' or index == 2 }}\", do: { x: { use: test.read } } }";
    let mut recovers = Run::begin(steps);
    recovers.fail("u[0]/x", rejected());
    recovers.succeed("u[1]/x", Value::Null);
    assert_eq!(recovers.outcome("u"), Some(Succeeded));
    let mut fails = Run::begin(steps);
    for round in ["u[0]/x", "u[1]/x", "u[2]/x"] {
        fails.fail(round, rejected());
    }
    assert_eq!(fails.failure("u"), Some(("broken", "u[2]/x")));
}

#[test]
fn an_until_that_reaches_its_count_succeeds_unless_told_to_fail() {
    for (fail, expected) in [("", Succeeded), (", fail_at_limit: true", Failed)] {
        let run_of = |text: &str| Run::begin(&text.replace("FAIL", fail));
        let mut run = run_of(
            "u: { until: false, limit: { count: 2 }, do: { x: { use: test.read } }, output: \"${{ steps.x }}\"FAIL }",
        );
        run.succeed("u[0]/x", json!(1));
        run.succeed("u[1]/x", json!(2));
        assert_eq!(run.outcome("u"), Some(expected));
        assert_eq!(run.output("u"), if expected == Succeeded { json!(2) } else { Value::Null });
        assert_eq!(run.failure("u").map(|(code, _)| code), (expected == Failed).then_some("limit_reached"));

        let mut bad = run_of("u: { until: false, limit: { count: 1 }, do: { x: { use: test.read } }FAIL }");
        bad.fail("u[0]/x", rejected());
        assert_eq!(bad.outcome("u"), Some(Failed), "the last round decides here, too");
    }
}

#[test]
fn an_until_begins_no_round_once_its_time_has_passed() {
    let steps = "u: { until: false, limit: { time: 10m }, do: { x: { use: test.read } } }";
    let mut run = Run::begin(steps);
    run.pass(Duration::from_secs(599));
    run.succeed("u[0]/x", Value::Null);
    assert_eq!(run.in_progress(), ["u[1]/x"]);
    run.pass(Duration::from_secs(1));
    run.succeed("u[1]/x", Value::Null);
    assert_eq!(run.outcome("u"), Some(Succeeded));
}

#[test]
fn a_clock_that_is_set_back_ends_no_until() {
    let mut run = Run::begin("u: { until: false, limit: { time: 10m }, do: { x: { use: test.read } } }");
    run.now -= Duration::from_secs(3600);
    run.succeed("u[0]/x", Value::Null);
    assert_eq!(run.in_progress(), ["u[1]/x"]);
}

#[test]
fn an_until_makes_60_rounds_at_most_unless_told_otherwise() {
    let run = Run::begin("u: { until: false, do: { x: { let: { n: 1 } } } }");
    assert_eq!(run.ended.len(), 61);
    assert_eq!(run.outcome("u[59]/x"), Some(Succeeded));
}

#[test]
fn a_condition_of_an_until_that_cannot_be_computed_fails_it() {
    let run = Run::begin("u: { until: \"${{ 1 / steps.x.n }}\", do: { x: { let: { n: 0 } } } }");
    assert_eq!(run.failure("u"), Some(("expression_failed", "u")));
}

#[test]
fn many_rounds_that_wait_for_nothing_take_no_stack() {
    let run = Run::begin("u: { until: false, limit: { count: 5000 }, do: { x: { let: { n: 1 } } } }");
    assert_eq!(run.ended.len(), 5001);
}
