//! What each kind of step does, but for loops and calls (workflow semantics of Power Automate, "control actions" and "final
//! status of a run").

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use cosell_model::Outcome::{self, Cancelled, Failed, Skipped, Succeeded};
use cosell_model::Value;
use cosell_model::flow::Retry;
use cosell_runtime::core::event::{Command, Happening, Timer};
use serde_json::json;
use support::{Run, codes, flow, plan_of, rejected};

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

#[test]
fn a_failure_quotes_nothing_of_a_sensitive_input() {
    let text = flow("s: { scope: { a: { let: { x: \"${{ trigger.secret | date }}\" }, sensitive: input } } }");
    let begin = |text: &str| {
        let mut run = Run::new(&plan_of(&[text]), json!({ "secret": "hush" }), json!({}), Retry::NONE);
        run.feed(Happening::Begun);
        ["a", "s"].map(|step| run.end_of(step).unwrap().failure.as_ref().unwrap().message.contains("hush"))
    };
    assert_eq!(begin(&text), [false, false]);
    assert_eq!(
        begin(&text.replace("sensitive: input", "sensitive: output")),
        [true, true],
        "what is not sensitive is quoted"
    );
}
