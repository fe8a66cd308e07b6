//! What holds for every flow, whatever its shape and in whatever order things happen.
//!
//! Flows are made at random (`drawn`): nested blocks and loops with random `after` sets, mentions, conditions and writes.
//! What a run does is held against an oracle (`oracle`) that shares no code with the engine.

#![allow(clippy::unwrap_used)]

#[path = "laws/drawn.rs"]
mod drawn;
#[path = "laws/oracle.rs"]
mod oracle;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cosell_compile::plan::{Because, Plan};
use cosell_model::Outcome::{self, TimedOut};
use cosell_model::Value;
use cosell_runtime::core::event::{Command, Consequences, Event, Happening, Timer};
use drawn::{DrawnKind, Ends, Flow, NAMED, drawn_flow};
use oracle::{Oracle, Tie, ends_of, has_cycle, ties};
use proptest::prelude::*;
use serde_json::json;
use support::{Pending, Run, busy, codes, plan_of, rejected, twice};

/// Runs to the end; `choices` say which of the things in progress happens next.
fn run(flow: &Flow, plan: &Arc<Plan>, choices: &[u16]) -> Run {
    let mut run = Run::new(plan, Value::Null, json!({}), twice());
    let mut choices = choices.iter().cycle();
    let mut out = run.feed(Happening::Begun);
    loop {
        starts_are_due(flow, &run, &out);
        // A time limit passes only where that is how the operation ends.
        let possible: Vec<Happening> = run.pending.iter().filter_map(|pending| happens(flow, &run, pending)).collect();
        let Some(next) = possible.get(usize::from(*choices.next().unwrap()) % possible.len().max(1)) else {
            return run;
        };
        out = run.feed(next.clone());
        if let Happening::TimerFired { .. } = next {
            run.now += std::time::Duration::from_secs(1);
        }
    }
}

fn happens(flow: &Flow, run: &Run, pending: &Pending) -> Option<Happening> {
    let step = pending.step();
    let path = run.path(step);
    let at: usize = path.rsplit('s').next()?.parse().ok()?;
    let DrawnKind::Operation { ends, .. } = &flow.kinds[at] else { return None };
    let ends = ends_of(ends, &path);
    match pending {
        Pending::Attempt(_, attempt) => {
            let (step, attempt) = (step, *attempt);
            match ends {
                Ends::TooLate => None,
                Ends::Rejected => Some(Happening::Failed { step, attempt, error: rejected() }),
                Ends::BusyForever => Some(Happening::Failed { step, attempt, error: busy() }),
                Ends::WellAtSecond if attempt == 1 => Some(Happening::Failed { step, attempt, error: busy() }),
                Ends::Well | Ends::WellAtSecond => Some(Happening::Succeeded { step, attempt, output: json!(path) }),
            }
        }
        Pending::Timer(_, Timer::Timeout, _) if ends != Ends::TooLate => None,
        Pending::Timer(_, timer, _) => Some(Happening::TimerFired { step, timer: *timer }),
        Pending::Flow(_) | Pending::Keys(_) => None,
    }
}

/// No step starts before everything it waits for, and everything its holders wait for, has ended.
fn starts_are_due(flow: &Flow, run: &Run, out: &Consequences) {
    let ties = ties(flow);
    for command in &out.commands {
        let Command::Call { step, .. } = command else { continue };
        let path = run.path(*step);
        let rounds: Vec<&str> = path.split_inclusive('/').collect();
        let at: usize = rounds.last().unwrap()[1..].parse().unwrap();
        let around = flow.steps[at].around.iter().map(|(holder, _)| *holder).chain([at]);
        let mut prefix = String::new();
        let mut loops = 0;
        for step in around {
            for before in ties[step].keys() {
                let before = format!("{prefix}s{before}");
                assert!(run.outcome(&before).is_some(), "`{path}` started before `{before}` had ended");
            }
            if flow.steps[step].looped {
                prefix.push_str(rounds[loops]);
                loops += 1;
            }
        }
    }
}

/// What a run did, without the order in which it did it: ends by path, calls by path and attempt, the end of the run.
type Sum = (BTreeMap<String, String>, BTreeMap<(String, u32), (Value, bool)>, Option<String>);

fn sum(run: &Run) -> Sum {
    let ended = run.ended.iter().map(|ended| {
        let told = format!("{} {:?} {:?} {:?}", ended.outcome, ended.output, ended.failure, ended.skipped);
        (run.path(ended.step), told)
    });
    let calls = run.commands.iter().filter_map(|command| match command {
        Command::Call { step, attempt, input, may_have_run } => {
            Some(((run.path(*step), *attempt), ((**input).clone(), *may_have_run)))
        }
        _ => None,
    });
    (ended.collect(), calls.collect(), run.finished().map(|finished| format!("{finished:?}")))
}

/// The flow's plan; none where its ties go round in a circle, which the compiler must have found.
fn compiled(flow: &Flow) -> Option<Arc<Plan>> {
    let text = flow.text();
    if !has_cycle(&ties(flow)) {
        return Some(plan_of(&[&text]));
    }
    let codes = codes(&[&text]);
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == "cycle"), "{codes:?} in\n{text}");
    None
}

fn choices() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 1..40)
}

fn cases() -> ProptestConfig {
    // No files of failures beside the tests: a failure found becomes a test of its own.
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn ties_are_those_of_the_three_rules(drawn in drawn_flow()) {
        let flow = Flow::of(&drawn);
        let Some(plan) = compiled(&flow) else { return Ok(()) };
        for (at, expected) in ties(&flow).iter().enumerate() {
            let step = plan.step(plan.find(&format!("s{at}")).unwrap());
            let found: BTreeMap<usize, Tie> = step.waits_for.iter().map(|edge| {
                let before = plan.step(edge.step).id.as_str()[1..].parse().unwrap();
                let accepts = (0..4).filter(|bit| edge.accepts.contains(NAMED[*bit as usize])).collect();
                (before, Tie { accepts, order: edge.because == Because::Order })
            }).collect();
            prop_assert_eq!(&found, expected, "s{} in\n{}", at, flow.text());
        }
    }

    #[test]
    fn every_step_ends_as_the_reference_says_and_every_run_ends(drawn in drawn_flow(), choices in choices()) {
        let flow = Flow::of(&drawn);
        let Some(plan) = compiled(&flow) else { return Ok(()) };
        let run = run(&flow, &plan, &choices);
        let mut oracle = Oracle { flow: &flow, ties: ties(&flow), ended: BTreeMap::new(), stopped: BTreeSet::new() };
        let expected = oracle.block(&flow.root, "");
        prop_assert_eq!(run.run_outcome(), Some(expected), "nothing is in progress in\n{}", flow.text());
        let ended: BTreeMap<String, Outcome> = run.ended.iter().map(|e| (run.path(e.step), e.outcome)).collect();
        prop_assert_eq!(ended, oracle.ended, "in\n{}", flow.text());
    }

    #[test]
    fn the_order_in_which_things_happen_changes_nothing(drawn in drawn_flow(), one in choices(), other in choices()) {
        let flow = Flow::of(&drawn);
        let Some(plan) = compiled(&flow) else { return Ok(()) };
        prop_assert_eq!(sum(&run(&flow, &plan, &one)), sum(&run(&flow, &plan, &other)), "in\n{}", flow.text());
    }

    #[test]
    fn a_run_fed_its_own_events_does_the_same_again_and_no_event_counts_twice(drawn in drawn_flow(), choices in choices()) {
        let flow = Flow::of(&drawn);
        let Some(plan) = compiled(&flow) else { return Ok(()) };
        let first = run(&flow, &plan, &choices);
        let mut again = Run::new(&plan, Value::Null, json!({}), twice());
        let mut past: Vec<Event> = Vec::new();
        for event in &first.events {
            again.now = event.at;
            again.feed(event.kind.clone());
            past.push(event.clone());
            let (known, now) = (again.known(), again.now);
            // The newest, the one before, and the oldest that is not the beginning.
            for old in past.iter().rev().take(2).chain(past.get(1)).filter(|old| !matches!(old.kind, Happening::Begun)) {
                again.now = old.at;
                let events = again.events.len();
                prop_assert_eq!(again.feed(old.kind.clone()), Consequences::default());
                again.events.truncate(events);
                again.now = now;
                prop_assert_eq!(again.known(), known.clone());
            }
        }
        prop_assert_eq!(&again.commands, &first.commands);
        prop_assert_eq!(&again.ended, &first.ended);
        prop_assert_eq!(again.known(), first.known());
    }

    #[test]
    fn a_run_cancelled_at_any_time_ends_at_once_with_every_step_ended(drawn in drawn_flow(), choices in choices(), when: usize) {
        let flow = Flow::of(&drawn);
        let Some(plan) = compiled(&flow) else { return Ok(()) };
        let whole = run(&flow, &plan, &choices);
        let mut cut = Run::new(&plan, Value::Null, json!({}), twice());
        for event in &whole.events[..=when % whole.events.len()] {
            cut.feed(event.kind.clone());
        }
        let was_over = cut.run_outcome();
        let in_progress: BTreeSet<String> = cut.pending.iter().map(|pending| cut.path(pending.step())).collect();
        let out = cut.feed(Happening::Cancelled);
        prop_assert_eq!(cut.run_outcome(), was_over.or(Some(Outcome::Cancelled)));
        let abandoned: BTreeSet<String> = out.commands.iter().filter_map(|command| match command {
            Command::Abandon { step } => Some(cut.path(*step)),
            _ => None,
        }).collect();
        prop_assert_eq!(abandoned, in_progress, "everything in progress, and nothing else, is abandoned");
        for at in (0..flow.steps.len()).filter(|at| !flow.steps[*at].around.iter().any(|(h, _)| flow.steps[*h].looped)) {
            let path = format!("s{at}");
            prop_assert!(cut.outcome(&path).is_some(), "{} has not ended in\n{}", path, flow.text());
        }
    }
}

#[test]
fn the_flows_drawn_are_worth_drawing() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..300 {
        let flow = Flow::of(&drawn_flow().new_tree(&mut runner).unwrap().current());
        let mut note = |what, holds: bool| *seen.entry(what).or_default() += usize::from(holds);
        let ties = ties(&flow);
        note("cycle", has_cycle(&ties));
        note("order", ties.iter().flat_map(BTreeMap::values).any(|tie| tie.order));
        note(
            "nested loops",
            flow.steps.iter().any(|s| s.around.iter().filter(|(h, _)| flow.steps[*h].looped).count() > 1),
        );
        note("three predecessors", ties.iter().any(|ties| ties.len() > 2));
        let Some(plan) = compiled(&flow) else { continue };
        let run = run(&flow, &plan, &[0, 3, 1]);
        for outcome in NAMED {
            note(
                outcome.as_str(),
                run.run_outcome() == Some(outcome) || run.ended.iter().any(|e| e.outcome == outcome),
            );
        }
        note("run times out", run.run_outcome() == Some(TimedOut));
    }
    for (what, least) in [
        ("cycle", 1),
        ("order", 60),
        ("nested loops", 10),
        ("three predecessors", 10),
        ("timed_out", 30),
        ("run times out", 5),
    ] {
        assert!(seen.get(what).copied().unwrap_or_default() >= least, "{what}: {seen:?}");
    }
}
