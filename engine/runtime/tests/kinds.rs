//! What each kind of step does, and the inputs and the output of a flow (workflow semantics of Power Automate, "control
//! actions" and "final status of a run").

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use cosell_model::Outcome::{self, Cancelled, Failed, Skipped, Succeeded, TimedOut};
use cosell_model::flow::Retry;
use cosell_model::{Failure, Value};
use cosell_runtime::core::entry::{accept_inputs, is_wanted, key};
use cosell_runtime::core::event::{Command, Happening, Timer};
use serde_json::json;
use support::{Answer, Run, codes, fails, flow, plan_of, rejected};

// Scopes and branches.

#[test]
fn a_scope_yields_its_output_and_without_one_nothing() {
    let mut run = Run::begin("s: { scope: { a: { use: test.read } }, output: { n: \"${{ steps.a.n }}\" } }");
    run.succeed("a", json!({ "n": 5 }));
    assert_eq!(run.output("s"), json!({ "n": 5 }));
    let mut bare = Run::begin("s: { scope: { a: { use: test.read } } }");
    bare.succeed("a", json!({ "n": 5 }));
    assert_eq!((bare.outcome("s"), bare.output("s")), (Some(Succeeded), Value::Null));
}

#[test]
fn a_scope_whose_output_cannot_be_computed_fails() {
    let mut run = Run::begin("s: { scope: { a: { use: test.read } }, output: \"${{ 1 / steps.a.zero }}\" }");
    run.succeed("a", json!({ "zero": 0 }));
    assert_eq!(run.failure("s"), Some(("expression_failed", "s")));
}

#[test]
fn a_scope_that_failed_yields_nothing() {
    let mut run =
        Run::begin("s: { scope: { a: { use: test.read }, b: { let: { x: 1 } } }, output: \"${{ steps.b.x }}\" }");
    run.fail("a", rejected());
    assert_eq!((run.outcome("s"), run.output("s")), (Some(Failed), Value::Null));
}

#[test]
fn an_if_runs_one_branch_and_skips_the_other() {
    for (condition, taken) in [
        ("true", "a"),
        ("false", "b"),
        ("\"${{ null }}\"", "b"),
        ("\"${{ 0 }}\"", "b"),
        ("\"${{ trigger.missing }}\"", "b"),
        ("\"${{ trigger.list }}\"", "b"),
        ("\"${{ trigger.text }}\"", "a"),
    ] {
        let text = flow(&format!(
            "c: {{ if: {condition}, then: {{ a: {{ use: test.read }} }}, else: {{ b: {{ use: test.read }} }} }}"
        ));
        let mut run = Run::new(&plan_of(&[&text]), json!({ "list": [], "text": "no" }), json!({}), Retry::NONE);
        run.feed(Happening::Begun);
        assert_eq!(run.in_progress(), [taken], "{condition}");
        let other = if taken == "a" { "b" } else { "a" };
        assert_eq!(run.skipped(other).as_deref(), Some("its branch was not taken"));
        run.succeed(taken, Value::Null);
        assert_eq!(run.outcome("c"), Some(Succeeded));
    }
}

#[test]
fn an_if_without_the_branch_it_needs_succeeds() {
    let run = Run::begin("c: { if: false, then: { a: { use: test.read } } }");
    assert_eq!((run.outcome("c"), run.run_outcome()), (Some(Succeeded), Some(Succeeded)));
}

#[test]
fn an_if_yields_its_output_from_whichever_branch_ran() {
    for (condition, expected) in [("true", json!([1, null])), ("false", json!([null, 2]))] {
        let run = Run::begin(&format!(
            "c: {{ if: {condition}, then: {{ a: {{ let: {{ x: 1 }} }} }}, else: {{ b: {{ let: {{ x: 2 }} }} }}, output: [\"${{{{ steps.a.x }}}}\", \"${{{{ steps.b.x }}}}\"] }}"
        ));
        assert_eq!(run.output("c"), expected);
    }
}

#[test]
fn a_switch_takes_the_first_equal_case_and_types_matter() {
    let text = flow(
        "
        s:
          switch: ${{ trigger.value }}
          cases:
            3: { number: { use: test.read } }
            \"4\": { text: { use: test.read } }
            true: { truth: { use: test.read } }
            won: { word: { use: test.read } }
          default: { other: { use: test.read } }
        ",
    );
    let plan = plan_of(&[&text]);
    for (value, taken) in [
        (json!(3), "number"),
        // JSON knows one kind of number: some services write whole ones with a point.
        (json!(3.0), "number"),
        (json!("3"), "other"),
        (json!("4"), "text"),
        (json!(4), "other"),
        (json!(true), "truth"),
        (json!("true"), "other"),
        (json!("won"), "word"),
        (json!("Won"), "other"),
        (Value::Null, "other"),
        (json!([3]), "other"),
    ] {
        let mut run = Run::new(&plan, json!({ "value": value }), json!({}), Retry::NONE);
        run.feed(Happening::Begun);
        assert_eq!(run.in_progress(), [taken], "{value}");
        let skipped = run.ended.iter().filter(|ended| ended.outcome == Skipped).count();
        assert_eq!(skipped, 4, "all other branches are skipped: {value}");
    }
}

#[test]
fn a_switch_without_an_equal_case_or_a_default_succeeds() {
    let run = Run::begin("s: { switch: 1, cases: { 2: { a: { use: test.read } } } }");
    assert_eq!((run.outcome("s"), run.outcome("a")), (Some(Succeeded), Some(Skipped)));
}

// Loops.

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
            ask: { until: \"${{ steps.x.item == item }}\", do: { x: { let: { item: \"${{ item }}\", round: \"${{ index }}\" } } }, output: \"${{ steps.x }}\" }
          output: \"${{ steps.ask }}\"
        ";
    let run = Run::begin(steps);
    assert_eq!(run.output("rows"), json!([{ "item": "a", "round": 0 }, { "item": "b", "round": 0 }]));
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

// Values.

#[test]
fn a_let_names_values() {
    let run = Run::begin("a: { let: { x: 1, y: \"${{ 1 + 1 }}\", z: [a, { b: \"${{ trigger }}\" }] } }");
    assert_eq!(run.output("a"), json!({ "x": 1, "y": 2, "z": ["a", { "b": null }] }));
    let bad = Run::begin("a: { let: { x: \"${{ 1 / trigger.zero }}\" } }");
    assert_eq!(bad.failure("a"), Some(("expression_failed", "a")));
}

const MAPPING: &str = "
mapping: referral-to-opportunity
between: [referral, opportunity]
rows:
  name: { referral: name, opportunity: title }
  deal: { referral: details.value, opportunity: { path: estimatedvalue, as: money } }
  notes: { referral: notes, opportunity: description, only_to: opportunity }
";

fn mapped(steps: &str, trigger: Value) -> Run {
    let mut run = Run::new(&plan_of(&[&flow(steps), MAPPING]), trigger, json!({}), Retry::NONE);
    run.feed(Happening::Begun);
    run
}

#[test]
fn a_map_turns_a_record_of_one_side_into_the_others() {
    let there = "m: { map: referral-to-opportunity, from: { referral: \"${{ trigger }}\" } }";
    let run = mapped(there, json!({ "name": "A", "details": { "value": 5 }, "notes": "n" }));
    assert_eq!(run.output("m"), json!({ "title": "A", "estimatedvalue": 5, "description": "n" }));
    let back = "m: { map: referral-to-opportunity, from: { opportunity: \"${{ trigger }}\" } }";
    let run = mapped(back, json!({ "title": "A", "estimatedvalue": 5, "description": "n" }));
    assert_eq!(run.output("m"), json!({ "name": "A", "details": { "value": 5 } }));
}

#[test]
fn a_value_that_a_mapping_cannot_take_over_fails_the_step() {
    for kind in [
        "map: referral-to-opportunity, from: { referral: \"${{ trigger }}\" }",
        "compare: referral-to-opportunity, from: { referral: \"${{ trigger }}\" }, to: { opportunity: {} }",
    ] {
        let run = mapped(&format!("m: {{ {kind} }}"), json!({ "details": { "value": "much" } }));
        assert_eq!(run.failure("m"), Some(("mapping_failed", "m")), "{kind}");
    }
}

#[test]
fn a_compare_yields_what_must_change() {
    let steps = "c: { compare: referral-to-opportunity, from: { referral: \"${{ trigger.r }}\" }, to: { opportunity: \"${{ trigger.o }}\" } }";
    let equal = mapped(steps, json!({ "r": { "name": "A" }, "o": { "title": "A" } }));
    assert_eq!(equal.output("c"), json!({ "equal": true, "changes": {}, "differences": [] }));
    let differs = mapped(steps, json!({ "r": { "name": "B" }, "o": { "title": "A" } }));
    assert_eq!(differs.output("c")["changes"], json!({ "title": "B" }));
    assert_eq!(differs.output("c")["differences"][0]["old"], json!("A"));
}

// Waiting, answering, stopping.

fn timers(run: &Run) -> Vec<(Timer, Duration)> {
    let timer = |command: &Command| match command {
        Command::SetTimer { timer, after, .. } => Some((*timer, *after)),
        _ => None,
    };
    run.commands.iter().filter_map(timer).collect()
}

#[test]
fn a_wait_lasts_as_long_as_it_says() {
    for wait in [
        "90s",
        "{ for: 90s }",
        "{ for: \"${{ '90s' }}\" }",
        "{ until: \"2026-11-02T00:01:30Z\" }",
        "{ until: \"2026-11-02T01:01:30+01:00\" }",
    ] {
        let mut run = Run::begin(&format!("w: {{ wait: {wait} }}"));
        assert_eq!(timers(&run), [(Timer::Wait, Duration::from_secs(90))], "{wait}");
        assert_eq!(run.outcome("w"), None);
        run.fire("w", Timer::Wait);
        assert_eq!((run.outcome("w"), run.output("w")), (Some(Succeeded), Value::Null));
    }
}

#[test]
fn a_wait_until_an_instant_that_has_passed_lasts_no_time() {
    let run = Run::begin("w: { wait: { until: \"2020-01-01T00:00:00Z\" } }");
    assert_eq!(timers(&run), [(Timer::Wait, Duration::ZERO)]);
}

#[test]
fn a_wait_for_what_is_no_time_fails() {
    for (wait, code) in [
        ("{ for: \"${{ trigger.soon }}\" }", "not_a_duration"),
        ("{ for: \"${{ 5 }}\" }", "not_a_duration"),
        ("{ until: \"${{ 'tomorrow' }}\" }", "not_an_instant"),
        ("{ until: \"${{ null }}\" }", "not_an_instant"),
    ] {
        let run = Run::begin(&format!("w: {{ wait: {wait} }}"));
        assert_eq!(run.failure("w"), Some((code, "w")), "{wait}");
    }
}

#[test]
fn a_run_answers_once_and_goes_on() {
    let steps = "
        first: { respond: { status: 202, headers: { x: y }, body: { a: 1 } } }
        second: { respond: { body: 2 } }
        third: { use: test.read, after: { second: [failed] } }
        ";
    let mut run = Run::begin(steps);
    let answers: Vec<&Command> =
        run.commands.iter().filter(|command| matches!(command, Command::Respond { .. })).collect();
    assert_eq!(answers, [&Command::Respond { status: 202, headers: json!({ "x": "y" }), body: json!({ "a": 1 }) }]);
    assert_eq!(run.failure("second"), Some(("already_answered", "second")));
    run.succeed("third", Value::Null);
    let (outcome, output, _) = run.finished().unwrap();
    assert_eq!((outcome, output), (Succeeded, &json!({ "a": 1 })), "a flow without an output yields its answer");
}

#[test]
fn an_answer_has_a_status_of_success_or_of_error() {
    let plan = plan_of(&[&flow("r: { respond: { status: \"${{ trigger }}\" } }")]);
    for (status, fits) in [
        (json!(200), true),
        (json!(299), true),
        (json!(404), true),
        (json!(599), true),
        (Value::Null, true),
        (json!(301), false),
        (json!(100), false),
        (json!(600), false),
        (json!("200"), false),
        (json!(-1), false),
        (json!(65736), false),
    ] {
        let mut run = Run::new(&plan, status.clone(), json!({}), Retry::NONE);
        run.feed(Happening::Begun);
        let failed = run.failure("r").map(|(code, _)| code);
        assert_eq!(failed, (!fits).then_some("not_a_status"), "{status}");
    }
}

#[test]
fn a_stop_ends_the_run_as_it_says_wherever_it_stands() {
    for (word, expected) in [("succeeded", Succeeded), ("failed", Failed), ("cancelled", Cancelled)] {
        for steps in [
            format!("s: {{ stop: {word} }}"),
            format!("s: {{ stop: {word} }}\nb: {{ use: test.write }}"),
            format!("outer: {{ if: true, then: {{ s: {{ stop: {word} }} }} }}"),
            format!(
                "outer: {{ scope: {{ inner: {{ scope: {{ s: {{ stop: {word} }} }} }} }} }}\nb: {{ use: test.read, after: outer }}"
            ),
        ] {
            let run = Run::begin(&steps);
            assert_eq!(run.run_outcome(), Some(expected), "{steps}");
            assert_eq!(run.outcome("s"), Some(Succeeded), "{steps}");
            let failure = run.finished().and_then(|(.., failure)| failure);
            let told = failure.map(|failure| (failure.code.as_str(), failure.step.as_deref()));
            assert_eq!(told, (expected != Succeeded).then_some(("stopped", Some("s"))), "{steps}");
        }
    }
}

#[test]
fn a_stop_cancels_what_is_in_progress_skips_the_rest_and_leaves_what_has_ended() {
    let steps = "
        done: { let: { x: 1 } }
        left: { if: false, then: { never: { use: test.read } } }
        gate: { use: test.read }
        reading: { use: test.read }
        rows: { for_each: [1, 2], do: { row: { use: test.read }, then_row: { use: test.read, after: row } } }
        s: { stop: { outcome: failed, code: no_deal, message: \"There is no ${{ steps.done.x }}\" }, after: [done, left, gate] }
        behind: { scope: { deep: { use: test.read } }, after: [s, reading] }
        ";
    let mut run = Run::begin(steps);
    run.succeed("gate", Value::Null);
    let outcomes: Vec<(String, Outcome)> =
        run.ended.iter().map(|ended| (run.path(ended.step), ended.outcome)).collect();
    for (path, outcome) in [
        ("done", Succeeded),
        ("left", Succeeded),
        ("never", Skipped),
        ("gate", Succeeded),
        ("reading", Cancelled),
        ("rows", Cancelled),
        ("rows[0]/row", Cancelled),
        ("rows[0]/then_row", Skipped),
        ("s", Succeeded),
        ("behind", Skipped),
        ("deep", Skipped),
    ] {
        assert!(outcomes.contains(&(path.to_owned(), outcome)), "{path} {outcome}: {outcomes:?}");
    }
    assert_eq!(outcomes.len(), 11, "rounds that never began have no record");
    assert_eq!(run.skipped("behind").as_deref(), Some("the run ended first"));
    assert_eq!(run.skipped("deep").as_deref(), Some("the run ended first"));
    let abandoned: Vec<String> = run
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Abandon { step } => Some(run.path(*step)),
            _ => None,
        })
        .collect();
    assert_eq!(abandoned, ["reading", "rows[0]/row"]);
    let failure = run.finished().and_then(|(.., failure)| failure).unwrap();
    insta::assert_snapshot!(failure, @"There is no 1 (no_deal)");
}

#[test]
fn a_stop_in_success_yields_the_answer_given() {
    let run = Run::begin("r: { respond: { body: 7 } }\ns: { stop: succeeded }\n");
    assert_eq!(run.finished().map(|(outcome, output, _)| (outcome, output.clone())), Some((Succeeded, json!(7))));
}

#[test]
fn a_run_cannot_be_stopped_from_a_loop() {
    for steps in [
        "l: { for_each: [1], do: { s: { stop: failed } } }",
        "l: { until: true, do: { c: { if: true, then: { s: { stop: failed } } } } }",
    ] {
        assert_eq!(codes(&[&flow(steps)]), ["stop-in-loop"]);
    }
}

// Calls, inputs and outputs.

const CHILD: &str = "
flow: child
trigger: { use: call, inputs: { id: text } }
steps: { a: { use: test.read } }
output: { n: \"${{ steps.a }}\" }
";

fn calls_child() -> Run {
    Run::of(&plan_of(&[
        &flow(
            "c: { call: child, with: { id: \"${{ 'x' }}\" } }\nb: { use: test.read, with: { n: \"${{ steps.c.n }}\" } }",
        ),
        CHILD,
    ]))
}

#[test]
fn a_call_yields_what_the_called_flow_yields() {
    let mut run = calls_child();
    assert_eq!(run.input("c"), json!({ "id": "x" }));
    run.flow_ended("c", Succeeded, json!({ "n": 4 }), None);
    assert_eq!(run.input("b"), json!({ "n": 4 }));
}

#[test]
fn a_call_fails_as_the_called_flow_does() {
    let failure = Failure { step: Some("a".to_owned()), ..Failure::new("gone", "It is gone") };
    for (ended, expected) in [(Failed, Failed), (TimedOut, TimedOut), (Cancelled, Failed)] {
        let mut run = calls_child();
        run.flow_ended("c", ended, json!({ "n": 4 }), Some(failure.clone()));
        assert_eq!((run.outcome("c"), run.output("c")), (Some(expected), Value::Null), "{ended}");
        assert_eq!(run.failure("c").map(|(code, _)| code), Some("gone"));
        assert_eq!(run.outcome("b"), Some(Skipped));
    }
    let mut silent = calls_child();
    silent.flow_ended("c", Cancelled, Value::Null, None);
    assert_eq!(silent.failure("c"), Some(("flow_failed", "c")));
}

#[test]
fn a_flow_yields_its_output_where_it_succeeds() {
    let plan =
        plan_of(&["flow: f\ntrigger: manual\nsteps: { a: { use: test.read } }\noutput: { n: \"${{ steps.a.n }}\" }\n"]);
    let mut well = Run::of(&plan);
    well.succeed("a", json!({ "n": 1 }));
    assert_eq!(well.finished().map(|(_, output, _)| output.clone()), Some(json!({ "n": 1 })));
    let mut badly = Run::of(&plan);
    badly.fail("a", rejected());
    assert_eq!(badly.finished().map(|(outcome, output, _)| (outcome, output.clone())), Some((Failed, Value::Null)));
}

#[test]
fn a_flow_whose_output_cannot_be_computed_fails() {
    let plan =
        plan_of(&["flow: f\ntrigger: manual\nsteps: { a: { let: { n: 0 } } }\noutput: \"${{ 1 / steps.a.n }}\"\n"]);
    let run = Run::of(&plan);
    assert_eq!(
        run.finished().and_then(|(.., failure)| failure).map(|failure| failure.code.as_str()),
        Some("expression_failed")
    );
}

#[test]
fn a_flow_without_steps_succeeds() {
    assert_eq!(Run::begin("").run_outcome(), Some(Succeeded));
}

const INPUTS: &str = "
flow: f
trigger:
  use: call
  inputs:
    id: text
    count: { type: integer, default: 3 }
    side: { type: text, one_of: [left, right], default: left }
steps: { a: { let: { id: \"${{ inputs.id }}\" } } }
";

#[test]
fn inputs_are_completed_with_defaults() {
    let plan = plan_of(&[INPUTS]);
    let accepted = accept_inputs(&plan, json!({ "id": "x" }));
    assert_eq!(accepted, Ok(json!({ "id": "x", "count": 3, "side": "left" })));
    let accepted = accept_inputs(&plan, json!({ "side": "right", "count": 0, "id": null }));
    assert_eq!(accepted, Ok(json!({ "id": null, "count": 0, "side": "right" })));
}

#[test]
fn inputs_that_do_not_fit_are_refused_all_at_once() {
    let plan = plan_of(&[INPUTS]);
    for (given, message) in [
        (json!({}), "flow `f`: `id` is missing"),
        (Value::Null, "flow `f`: `id` is missing"),
        (json!({ "id": 5 }), "flow `f`: `id` must be text"),
        (json!({ "id": "x", "count": 1.5 }), "flow `f`: `count` must be integer"),
        (json!({ "id": "x", "side": "up" }), "flow `f`: `side` cannot be \"up\""),
        (json!({ "id": "x", "name": 1 }), "flow `f`: `name` is not an input"),
        (
            json!({ "count": "3", "other": 1 }),
            "flow `f`: `id` is missing, `count` must be integer, `other` is not an input",
        ),
        (json!([1]), "inputs are a map, and this is [1]"),
    ] {
        let refused = accept_inputs(&plan, given).map_err(|failure| (failure.code, failure.message));
        assert_eq!(refused, Err(("wrong_inputs".to_owned(), message.to_owned())));
    }
}

#[test]
fn a_run_sees_its_inputs_trigger_and_itself() {
    let text = INPUTS.replace(
        "{ id: \"${{ inputs.id }}\" }",
        "{ id: \"${{ inputs.id }}\", t: \"${{ trigger.x }}\", run: \"${{ run }}\" }",
    );
    let mut run = Run::new(&plan_of(&[&text]), json!({ "x": 1 }), json!({ "id": "y" }), Retry::NONE);
    run.feed(Happening::Begun);
    let now = "2026-11-02T00:00:00Z";
    let itself = json!({ "id": "run-1", "flow": "f", "started_at": now, "now": now });
    assert_eq!(run.output("a"), json!({ "id": "y", "t": 1, "run": itself }));
}

#[test]
fn a_key_is_text_whatever_it_is_made_of_and_null_is_none() {
    let plan = plan_of(&[
        "flow: f\ntrigger: { use: http, when: \"${{ trigger.ok }}\" }\nkey: \"${{ trigger.id }}\"\nsteps: {}\n",
    ]);
    for (id, expected) in
        [(json!("a"), Some("a")), (json!(3), Some("3")), (json!([1]), Some("[1]")), (Value::Null, None)]
    {
        assert_eq!(key(&plan, &json!({ "id": id }), &Value::Null), Ok(expected.map(str::to_owned)));
    }
    assert_eq!(is_wanted(&plan, &json!({ "ok": true })), Ok(true));
    assert_eq!(is_wanted(&plan, &json!({})), Ok(false));
    let bare = plan_of(&[&flow("")]);
    assert_eq!((is_wanted(&bare, &Value::Null), key(&bare, &Value::Null, &Value::Null)), (Ok(true), Ok(None)));
}
