//! What a step waits for, and which outcomes let it run (workflow semantics of Power Automate, "run-after evaluation";
//! the derived edges are the language's own).

#![allow(clippy::unwrap_used)]

mod support;

use cosell_model::Outcome::{self, Failed, Skipped, Succeeded, TimedOut};
use cosell_model::outcome::SkipReason;
use serde_json::{Value, json};
use support::{Answer, Run, codes, fails, flow, rejected, times_out};

const NAMED: [Outcome; 4] = [Succeeded, Failed, Skipped, TimedOut];

/// A step `x` that ends so, before the steps given.
fn x_ends(outcome: Outcome, steps: &str) -> Run {
    let when = if outcome == Skipped { ", when: false" } else { "" };
    let mut text = format!("x: {{ use: test.read, timeout: 1m{when} }}\n");
    text.push_str(steps);
    let mut run = Run::begin(&text);
    match outcome {
        Succeeded => run.answer("x", Answer::Yields(json!({ "n": 1 }))),
        Failed => run.answer("x", fails()),
        TimedOut => run.answer("x", times_out()),
        _ => assert_eq!(run.outcome("x"), Some(Skipped)),
    }
    run
}

#[test]
fn a_step_runs_where_the_outcome_is_among_those_accepted_and_is_skipped_elsewhere() {
    for set in 1u32..16 {
        let accepted: Vec<Outcome> = (0..4).filter(|bit| set & (1 << bit) != 0).map(|bit| NAMED[bit]).collect();
        let words: Vec<&str> = accepted.iter().map(|outcome| outcome.as_str()).collect();
        let steps = format!("b: {{ use: test.read, after: {{ x: [{}] }} }}", words.join(", "));
        for outcome in NAMED {
            let run = x_ends(outcome, &steps);
            let runs = run.in_progress() == ["b"];
            assert_eq!(runs, accepted.contains(&outcome), "{outcome} with {words:?}");
            assert_eq!(run.outcome("b") == Some(Skipped), !runs, "{outcome} with {words:?}");
        }
    }
}

#[test]
fn without_outcomes_only_success_is_accepted() {
    for after in ["x", "[x]", "{ x: succeeded }"] {
        let steps = format!("b: {{ use: test.read, after: {after} }}");
        for outcome in NAMED {
            assert_eq!(x_ends(outcome, &steps).in_progress() == ["b"], outcome == Succeeded, "{after}, {outcome}");
        }
    }
}

#[test]
fn every_predecessor_must_have_ended_as_accepted() {
    let steps = "
        x: { use: test.read }
        y: { use: test.read }
        b: { use: test.read, after: { x: [failed], y: [succeeded] } }
        ";
    for (x, y, expected) in [(true, true, false), (true, false, true), (false, true, false), (false, false, false)] {
        for y_first in [true, false] {
            let mut run = Run::begin(steps);
            let order = if y_first { [("y", y), ("x", x)] } else { [("x", x), ("y", y)] };
            for (at, (step, bad)) in order.into_iter().enumerate() {
                assert_eq!(run.outcome("b"), None, "it waits for both, whatever the first one says ({at})");
                run.answer(step, if bad { fails() } else { Answer::Yields(Value::Null) });
            }
            assert_eq!(run.in_progress() == ["b"], expected, "x bad {x}, y bad {y}");
        }
    }
}

#[test]
fn skips_ripple_to_the_steps_inside_and_the_steps_behind() {
    let run = x_ends(
        Failed,
        "
a: { scope: { inner: { if: true, then: { deep: { use: test.read } } }, loop: { for_each: [1], do: { round: { use: test.read } } } }, after: x }
b: { use: test.read, after: a }
c: { use: test.read, after: { b: [skipped] } }
",
    );
    for (step, reason) in [
        ("a", "`x` failed"),
        ("inner", "its branch was not taken"),
        ("deep", "its branch was not taken"),
        ("loop", "its branch was not taken"),
        ("b", "`a` was skipped"),
    ] {
        assert_eq!(run.skipped(step).as_deref(), Some(reason), "{step}");
    }
    assert!(run.ended.iter().all(|ended| !run.path(ended.step).contains('[')), "a loop that is skipped has no rounds");
    assert_eq!(run.in_progress(), ["c"]);
}

#[test]
fn the_reason_of_a_skip_names_the_first_step_of_the_file_that_refuses() {
    let steps = "
        x: { use: test.read, timeout: 1m }
        y: { use: test.read }
        never: { use: test.read, when: false }
        b: { use: test.read, after: [y, x, never] }
        c: { use: test.read, after: b, when: \"${{ steps.nothing.here }}\" }
        nothing: { let: { here: 1 }, when: \"${{ false }}\" }
        ";
    for order in [["x", "y"], ["y", "x"]] {
        let mut run = Run::begin(steps);
        for step in order {
            run.answer(step, if step == "x" { times_out() } else { fails() });
        }
        let skipped = run.end_of("b").and_then(|ended| ended.skipped.clone());
        assert_eq!(skipped, Some(SkipReason::Dependency { step: "x".to_owned(), outcome: TimedOut }));
        assert_eq!(run.skipped("never").as_deref(), Some("its condition is false"));
        assert_eq!(run.skipped("c").as_deref(), Some("`b` was skipped"));
    }
}

#[test]
fn a_mention_of_an_output_waits_for_success() {
    for outcome in NAMED {
        let run = x_ends(outcome, "b: { use: test.read, with: { n: \"${{ steps.x.n }}\" } }");
        assert_eq!(run.in_progress() == ["b"], outcome == Succeeded, "{outcome}");
        if outcome == Succeeded {
            assert_eq!(run.input("b"), json!({ "n": 1 }));
        }
    }
}

#[test]
fn a_mention_of_an_outcome_waits_however_the_step_ends() {
    for outcome in NAMED {
        let run = x_ends(
            outcome,
            "b: { use: test.read, with: { how: \"${{ outcomes.x.outcome }}\", code: \"${{ outcomes.x.error.code }}\", why: \"${{ outcomes.x.reason }}\" } }",
        );
        assert_eq!(run.in_progress(), ["b"], "{outcome}");
        let code = match outcome {
            Failed => json!("broken"),
            TimedOut => json!("timed_out"),
            _ => Value::Null,
        };
        let why = if outcome == Skipped { json!("its condition is false") } else { Value::Null };
        assert_eq!(run.input("b"), json!({ "how": outcome.as_str(), "code": code, "why": why }), "{outcome}");
    }
}

#[test]
fn a_mention_of_output_and_outcome_together_waits_for_success() {
    for both in [["steps.x", "outcomes.x.outcome"], ["outcomes.x.outcome", "steps.x"]] {
        let steps = format!(
            "b: {{ use: test.read, with: {{ a: \"${{{{ {} }}}}\", b: \"${{{{ {} }}}}\" }} }}",
            both[0], both[1]
        );
        assert_eq!(x_ends(Failed, &steps).outcome("b"), Some(Skipped), "{both:?}");
    }
}

#[test]
fn after_says_what_a_mention_accepts_and_a_skipped_step_reads_as_null() {
    let steps = "b: { use: test.read, after: { x: [succeeded, skipped, failed] }, with: { n: \"${{ steps.x.n }}\", text: \"n=${{ steps.x }}\" } }";
    for outcome in [Skipped, Failed] {
        let run = x_ends(outcome, steps);
        assert_eq!(run.input("b"), json!({ "n": null, "text": "n=" }), "{outcome}");
    }
}

#[test]
fn a_mention_into_or_out_of_a_nested_block_counts_for_the_siblings_that_hold_the_two() {
    let steps = "
        group: { scope: { a: { use: test.read }, b: { use: test.read, after: a } } }
        other: { scope: { c: { use: test.read, with: { a: \"${{ steps.a }}\" } }, d: { use: test.read } } }
        ";
    let mut run = Run::begin(steps);
    run.succeed("a", json!(7));
    assert_eq!(run.in_progress(), ["b"], "`other`, with all that is in it, waits for the whole of `group`");
    run.succeed("b", Value::Null);
    assert_eq!(run.in_progress(), ["c", "d"]);
    assert_eq!(run.input("c"), json!({ "a": 7 }));
}

#[test]
fn a_step_in_a_branch_that_was_not_taken_reads_as_null() {
    let steps = "
        choose: { if: false, then: { a: { use: test.read } }, else: { b: { use: test.read } } }
        c: { use: test.read, with: { a: \"${{ steps.a }}\", b: \"${{ steps.b }}\", how: \"${{ outcomes.a.outcome }}\" } }
        ";
    let mut run = Run::begin(steps);
    run.succeed("b", json!(2));
    assert_eq!(run.input("c"), json!({ "a": null, "b": 2, "how": "skipped" }));
}

#[test]
fn a_step_in_a_block_that_never_began_because_its_holder_failed_has_ended_too() {
    for holder in [
        "choose: { if: \"${{ 1 / trigger.zero }}\", then: { a: { use: test.read } } }",
        "choose: { switch: \"${{ 1 / trigger.zero }}\", cases: { 1: { a: { use: test.read } } } }",
        "choose: { scope: { a: { use: test.read } }, when: \"${{ 1 / trigger.zero }}\" }",
    ] {
        let steps = format!("{holder}\nc: {{ use: test.read, with: {{ how: \"${{{{ outcomes.a.outcome }}}}\" }} }}\n");
        let run = Run::begin(&steps);
        assert_eq!(run.failure("choose"), Some(("expression_failed", "choose")), "{holder}");
        assert_eq!(run.skipped("a").as_deref(), Some("its branch was not taken"), "{holder}");
        assert_eq!(run.input("c"), json!({ "how": "skipped" }), "{holder}");
    }
}

#[test]
fn reads_run_at_once_and_writes_keep_the_order_of_the_file() {
    let steps = "
        w1: { use: test.write }
        r1: { use: test.read }
        w2: { use: test.write }
        group: { scope: { r2: { use: test.read }, w3: { use: test.write } } }
        r3: { use: test.read }
        ";
    let mut run = Run::begin(steps);
    assert_eq!(run.in_progress(), ["w1", "r1", "r3"]);
    run.succeed("w1", Value::Null);
    assert_eq!(run.in_progress(), ["r1", "r3", "w2"]);
    run.succeed("w2", Value::Null);
    assert_eq!(run.in_progress(), ["r1", "r3", "r2", "w3"], "a scope in which something writes is a write");
}

#[test]
fn waiting_answering_and_stopping_keep_their_place_among_the_writes() {
    for kind in ["wait: 1m", "respond: { body: 1 }", "stop: succeeded"] {
        let run = Run::begin(&format!("w: {{ use: test.write }}\nk: {{ {kind} }}\n"));
        assert_eq!((run.in_progress(), run.commands.len()), (vec!["w".to_owned()], 1), "{kind}");
    }
}

#[test]
fn a_write_that_does_not_run_for_want_of_its_condition_stops_no_write_behind_it() {
    let steps = "
        w1: { use: test.write, when: false }
        w2: { use: test.write, when: false }
        w3: { use: test.write }
        ";
    assert_eq!(Run::begin(steps).in_progress(), ["w3"]);
    let left = "
        choose: { if: false, then: { w1: { use: test.write } } }
        w2: { use: test.write }
        ";
    assert_eq!(Run::begin(left).in_progress(), ["w2"]);
}

#[test]
fn a_write_that_fails_stops_the_writes_behind_it() {
    for bad in [fails(), times_out()] {
        let steps = "
            w1: { use: test.write, timeout: 1m }
            w2: { use: test.write }
            w3: { use: test.write, when: false }
            w4: { use: test.write }
            r: { use: test.read }
            ";
        let mut run = Run::begin(steps);
        run.answer("w1", bad);
        assert_eq!(run.in_progress(), ["r"], "reads go on");
        assert_eq!(run.skipped("w3").as_deref(), Some("`w2` was skipped"), "its condition is not even looked at");
        assert_eq!(run.outcome("w4"), Some(Skipped), "the failure is still behind it");
    }
}

#[test]
fn a_write_that_was_skipped_for_a_failed_read_stops_the_writes_behind_it() {
    let steps = "
        r: { use: test.read }
        w1: { use: test.write, with: { r: \"${{ steps.r }}\" } }
        w2: { use: test.write }
        ";
    let mut run = Run::begin(steps);
    assert!(run.in_progress() == ["r"]);
    run.fail("r", rejected());
    assert_eq!(run.skipped("w2").as_deref(), Some("`w1` was skipped"));
}

#[test]
fn a_write_skipped_for_want_of_something_else_than_a_failure_it_accepts_stops_no_write() {
    let steps = "
        x: { use: test.read }
        choice: { use: test.read, when: false }
        w1: { use: test.write, after: { x: [failed], choice: [succeeded] } }
        w2: { use: test.write }
        ";
    let mut run = Run::begin(steps);
    run.fail("x", rejected());
    assert_eq!(run.skipped("w1").as_deref(), Some("`choice` was skipped"), "for its other predecessor");
    assert_eq!(run.in_progress(), ["w2"]);
}

#[test]
fn a_handler_stands_beside_the_line_of_writes() {
    let steps = "
        a: { use: test.write }
        handler: { use: test.write, after: { a: [failed] } }
        b: { use: test.write }
        always: { use: test.write, after: { a: [succeeded, failed] } }
        c: { use: test.write }
        ";
    let mut well = Run::begin(steps);
    well.succeed("a", Value::Null);
    assert_eq!(well.skipped("handler").as_deref(), Some("`a` succeeded"));
    assert_eq!(well.in_progress(), ["always", "b"], "a handler that is not needed holds nothing back");
    well.succeed("always", Value::Null);
    assert_eq!(well.in_progress(), ["b"], "`c` waits for the line, too");
    well.succeed("b", Value::Null);
    assert_eq!(well.in_progress(), ["c"]);

    let mut badly = Run::begin(steps);
    badly.fail("a", rejected());
    assert_eq!(badly.in_progress(), ["handler", "always"]);
    badly.succeed_all(&["handler", "always"]);
    assert_eq!((badly.outcome("b"), badly.outcome("c")), (Some(Skipped), Some(Skipped)));
    assert_eq!(badly.run_outcome(), Some(Failed), "`c` was skipped for the failure of `a`");
}

#[test]
fn an_empty_after_frees_a_write_from_the_line() {
    let run = Run::begin("w1: { use: test.write }\nw2: { use: test.write, after: [] }\n");
    assert_eq!(run.in_progress(), ["w1", "w2"]);
}

#[test]
fn a_condition_that_cannot_be_computed_fails_its_step() {
    let run = Run::begin("a: { use: test.read, when: \"${{ 1 / trigger.zero }}\" }");
    assert_eq!((run.failure("a"), run.run_outcome()), (Some(("expression_failed", "a")), Some(Failed)));
}

#[test]
fn ties_that_cannot_be_kept_are_findings() {
    for (steps, code) in [
        ("a: { use: test.read, after: b }\nb: { use: test.read, after: a }\n", "cycle"),
        ("a: { use: test.write, with: { b: \"${{ steps.b }}\" } }\nb: { use: test.write }\n", "cycle"),
        ("a: { use: test.read, after: a }\n", "waits-for-itself"),
        ("a: { use: test.read, with: { a: \"${{ steps.a }}\" } }\n", "mentions-itself"),
        ("a: { scope: { b: { use: test.read, with: { a: \"${{ steps.a }}\" } } }, output: 1 }\n", "mentions-holder"),
        ("a: { scope: { b: { use: test.read } } }\nc: { use: test.read, after: b }\n", "after-not-sibling"),
        ("a: { use: test.read, after: nobody }\n", "unknown-step"),
        ("a: { if: \"${{ steps.b.ok }}\", then: { b: { use: test.read } } }\n", "mentions-held"),
        ("a: { scope: { b: { use: test.read } }, when: \"${{ outcomes.b.outcome }}\" }\n", "mentions-held"),
    ] {
        assert_eq!(codes(&[&flow(steps)]), [code], "{steps}");
    }
}

#[test]
fn a_holder_may_mention_what_it_holds_where_that_has_ended() {
    for steps in [
        "a: { scope: { b: { use: test.read } }, output: { n: \"${{ steps.b.n }}\" } }",
        "a: { for_each: [1], do: { b: { use: test.read } }, output: \"${{ steps.b }}\" }",
        "a: { until: \"${{ steps.b.done }}\", do: { b: { use: test.read } } }",
    ] {
        assert_eq!(codes(&[&flow(steps)]), [""; 0], "{steps}");
    }
}

#[test]
fn a_cycle_is_shown_with_its_way_round() {
    let text = flow(
        "
        a: { use: test.write, with: { c: \"${{ steps.c }}\" } }
        b: { use: test.write }
        c: { use: test.read, after: b }
        ",
    );
    let compiled = support::compile_files(&[&text]);
    let finding = &compiled.diagnostics[0];
    let lines: Vec<&str> =
        std::iter::once(&finding.primary).chain(&finding.context).map(|label| label.text.as_str()).collect();
    insta::assert_snapshot!(format!("{}\n{}", finding.message, lines.join("\n")), @r"
    these steps wait for each other: a → c → b → a
    waits for `c`: it, or a step in it, mentions it
    waits for `b`: its `after` says so
    waits for `a`: both write, and it stands behind it
    ");
}
