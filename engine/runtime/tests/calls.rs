//! What goes into a flow and what comes out: calls, inputs, outputs, keys, and the condition of a trigger.

#![allow(clippy::unwrap_used)]

mod support;

use cosell_model::Outcome::{Cancelled, Failed, Skipped, Succeeded, TimedOut};
use cosell_model::flow::Retry;
use cosell_model::{Failure, Value};
use cosell_runtime::core::entry::{accept_inputs, is_wanted, key};
use cosell_runtime::core::event::Happening;
use serde_json::json;
use support::{Run, flow, plan_of, rejected};

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
fn a_flow_that_stops_in_success_yields_its_output_of_what_it_has_by_then() {
    let plan = plan_of(&["
flow: f
trigger: manual
steps:
  a: { use: test.read }
  enough: { when: \"${{ steps.a.n > 1 }}\", stop: succeeded }
  r: { after: enough, respond: { body: answered } }
  b: { after: [r], use: test.read }
output: { n: \"${{ steps.a.n }}\", more: \"${{ steps.b.n }}\" }
"]);
    let mut run = Run::of(&plan);
    run.succeed("a", json!({ "n": 2 }));
    let (outcome, output, _) = run.finished().unwrap();
    assert_eq!((outcome, output.clone()), (Succeeded, json!({ "n": 2, "more": null })));
    assert_eq!(run.outcome("b"), Some(Skipped));
    let broken = plan_of(&["
flow: f
trigger: manual
steps: { a: { use: test.read }, enough: { after: a, stop: succeeded } }
output: \"${{ 1 / steps.a.n }}\"
"]);
    let mut run = Run::of(&broken);
    run.succeed("a", json!({ "n": 0 }));
    assert_eq!(run.run_outcome(), Some(Failed), "an output that cannot be computed fails, however the flow ends");
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
        "flow: f\ntrigger: { use: manual, when: \"${{ trigger.ok }}\" }\nkey: \"${{ trigger.id }}\"\nsteps: {}\n",
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
