//! A run that is kept: what it began with, its steps as a tree, why it failed and what to do about it.

use cosell_journal::past::{Act, Advice, Whole, round_of};
use cosell_journal::read::{Listed, Shown};
use cosell_model::outcome::SkipReason;
use cosell_model::{Outcome, Value, spans};
use cosell_runtime::record::StepRecord;

use super::run::{sign, step_line};
use super::{BAD, DIM, STRONG, styled, time};

/// As a person reads it; `verbose` shows what everything was given and yielded, and steps whose branch was not taken.
pub(crate) fn whole(whole: &Whole, verbose: bool) -> String {
    let listed = &whole.run.listed;
    let mut lines = head(listed);
    if verbose {
        value(&mut lines, "  ", "trigger", &whole.run.trigger);
        value(&mut lines, "  ", "inputs", &whole.run.inputs);
    }
    steps(&mut lines, whole, &whole.run, "  ", verbose);
    lines.push(ending(listed));
    if verbose {
        value(&mut lines, "  ", "output", &whole.run.output);
        value(&mut lines, "  ", "answer", &whole.run.answer);
    }
    lines.extend(remedy(whole));
    lines.join("\n")
}

fn head(run: &Listed) -> Vec<String> {
    let mut about = vec![format!("began {}", time::moment(run.began))];
    about.extend(run.key.iter().map(|key| format!("key {key}")));
    match run.life {
        0 => {}
        1 => about.push("begun again once".to_owned()),
        lives => about.push(format!("begun again {lives} times")),
    }
    vec![
        format!("{} {}", styled(STRONG, &run.flow), styled(DIM, format!("run {}", run.run))),
        format!("  {}", styled(DIM, about.join("; "))),
    ]
}

/// Rounds of loops stand below their loop, and the steps of called flows below the step that called.
fn steps(lines: &mut Vec<String>, whole: &Whole, run: &Shown, indent: &str, verbose: bool) {
    let records: Vec<StepRecord> =
        run.steps.iter().filter_map(|step| serde_json::from_value(step.clone()).ok()).collect();
    below(lines, whole, run, &records, None, indent, verbose);
}

fn below(
    lines: &mut Vec<String>,
    whole: &Whole,
    run: &Shown,
    records: &[StepRecord],
    parent: Option<&str>,
    indent: &str,
    verbose: bool,
) {
    for step in records.iter().filter(|step| round_of(&step.path).map(|(of, _)| of) == parent) {
        if step.skipped == Some(SkipReason::NotTaken) && !verbose {
            continue;
        }
        let name = parent.and_then(|parent| step.path.strip_prefix(parent)).unwrap_or(&step.path);
        let known = if step.attempts == 0 && step.outcome == Outcome::Succeeded && step.target.is_some() {
            styled(DIM, "  (known from before)")
        } else {
            String::new()
        };
        lines.push(format!("{indent}{}{known}", step_line(step, name)));
        let inner = format!("{indent}  ");
        if let Some(failure) = step.failure.as_ref().filter(|failure| failure.step.as_deref() == Some(&step.path)) {
            lines.extend(failure.to_string().lines().map(|line| format!("{inner}{}", styled(BAD, line))));
        }
        if verbose {
            value(lines, &inner, "input", &step.input);
            value(lines, &inner, "output", &step.output);
        }
        below(lines, whole, run, records, Some(&step.path), &inner, verbose);
        if let Some(called) = whole.called.get(&format!("{}/{}", run.listed.run, step.path)) {
            steps(lines, whole, called, &inner, verbose);
        }
    }
}

fn value(lines: &mut Vec<String>, indent: &str, name: &str, value: &Value) {
    if value.is_null() {
        return;
    }
    let text = format!("{name}: {value:#}");
    lines.extend(text.lines().map(|line| format!("{indent}{}", styled(DIM, line))));
}

fn ending(run: &Listed) -> String {
    let (Some(ended), Some(word)) = (run.ended, run.outcome.as_deref()) else {
        return format!("{} under way", styled(DIM, "…"));
    };
    let outcome = serde_json::from_value::<Outcome>(word.into()).unwrap_or(Outcome::Failed);
    // One that was begun again lay still in between.
    let took = match run.life {
        0 => format!(" in {}", spans::took(ended.duration_since(run.began).unsigned_abs())),
        _ => format!(" at {}", time::moment(ended)),
    };
    format!("{} {}{took}", sign(outcome), styled(STRONG, word))
}

/// Why it failed, and what to do.
fn remedy(whole: &Whole) -> Vec<String> {
    let Some(failure) = whole.failure() else { return Vec::new() };
    let step = failure.step.as_ref().map_or(String::new(), |step| format!("step `{step}`: "));
    let help = whole.advice().into_iter().map(|Advice { when, act, then }| {
        let (command, then) = match act {
            Act::Resume(run) => (format!("cosell runs resume {run}"), format!(" {then}")),
            Act::Skip(run, step) => (format!("cosell runs skip {run} {step}"), then.to_owned()),
        };
        format!("help: {when}, `{command}`{then}")
    });
    std::iter::once(format!("{}: {step}{failure}", styled(BAD, "error"))).chain(help).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;

    fn step(path: &str, outcome: &str, more: Value) -> Value {
        let mut step = json!({
            "path": path, "title": path, "kind": "use", "target": "dataverse.update_row", "outcome": outcome,
            "input": { "table": "opportunities" }, "output": null, "attempts": 1,
            "took": { "secs": 0, "nanos": 52_000_000 }, "requests": [],
        });
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    }

    fn shown(run: &str, outcome: Option<&str>, steps: Vec<Value>) -> Shown {
        let began: jiff::Timestamp = "2026-05-01T08:00:00Z".parse().unwrap();
        let failure =
            json!({ "code": "0x80040217", "message": "the account does not exist", "step": "rows[1]/update" });
        Shown {
            listed: Listed {
                run: run.to_owned(),
                flow: "partner-center-to-dynamics".to_owned(),
                key: Some("0f3e9a52".to_owned()),
                began,
                ended: outcome.map(|_| began + SignedDuration::from_millis(1234)),
                outcome: outcome.map(str::to_owned),
                failure: (outcome == Some("failed")).then_some(failure),
                life: 0,
            },
            trigger: json!({ "referral_id": "0f3e9a52" }),
            inputs: Value::Null,
            output: Value::Null,
            answer: Value::Null,
            version: "1".to_owned(),
            left_out: 0,
            skipped: Vec::new(),
            steps,
            called: Vec::new(),
        }
    }

    fn failed() -> Whole {
        let failure =
            json!({ "code": "0x80040217", "message": "the account does not exist", "step": "rows[1]/update" });
        let request = json!({ "method": "PATCH", "url": "https://crm.example/x", "status": 204, "took": { "secs": 0, "nanos": 9_000_000 } });
        let none = json!({ "target": null });
        let steps = vec![
            step(
                "referral",
                "succeeded",
                json!({ "target": "partner_center.get_referral", "title": "Get the referral",
                "output": { "id": "0f3e9a52" }, "requests": [request], "attempts": 3 }),
            ),
            step("helper", "succeeded", json!({ "kind": "call", "target": "customize" })),
            step("rows[0]/update", "succeeded", json!({})),
            step("rows[1]/update", "failed", json!({ "failure": failure })),
            step("rows", "failed", json!({ "kind": "for_each", "target": none["target"], "failure": failure })),
            step("else", "skipped", json!({ "skipped": { "because": "not_taken" }, "attempts": 0 })),
            step(
                "note",
                "skipped",
                json!({ "skipped": { "because": "dependency", "step": "rows", "outcome": "failed" }, "attempts": 0 }),
            ),
        ];
        let called = shown("r1/helper", Some("succeeded"), vec![step("get", "succeeded", json!({}))]);
        Whole { run: shown("r1", Some("failed"), steps), called: BTreeMap::from([("r1/helper".to_owned(), called)]) }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_failed_run_says_in_which_step_and_what_to_do() {
        insta::assert_snapshot!(plain(&whole(&failed(), false)));
    }

    #[test]
    fn all_of_a_run_is_shown_where_that_is_wanted() {
        insta::assert_snapshot!(plain(&whole(&failed(), true)));
    }

    #[test]
    fn a_run_that_was_begun_again_says_what_it_did_not_do_again() {
        let steps = vec![step("first", "succeeded", json!({ "attempts": 0 })), step("second", "succeeded", json!({}))];
        let mut run = shown("r1", Some("succeeded"), steps);
        run.listed.life = 1;
        insta::assert_snapshot!(plain(&whole(&Whole { run, called: BTreeMap::new() }, false)));
        let run = shown("r1", None, Vec::new());
        assert!(plain(&whole(&Whole { run, called: BTreeMap::new() }, false)).ends_with("… under way"));
    }
}
