//! Runs that had failed begin once more: what worked is not done again, in today's flow or in the original, also where power
//! fails on the way.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cosell_compile::plan::Plan;
use cosell_journal::Journal;
use cosell_model::{FlowId, Outcome};
use cosell_runtime::memory::{Engine, Flows, idempotency_key};
use cosell_runtime::record::{Nobody, RunRecord};
use support::{engine, life, life_again, new_world, plans, worlds};

/// Its last write fails; before it is everything that is done otherwise than by a call: rounds, a called flow with keys,
/// what is sensitive, a pause.
const DEAL: &str = r#"
flow: f
trigger: manual
steps:
  one: { use: test.write, with: { tame: true, name: one } }
  secret: { use: test.write, sensitive: true, with: { tame: true, secret: hush } }
  rows:
    for_each: "${{ steps.one.rows }}"
    parallel: 2
    do:
      row: { use: test.write, with: { tame: true, row: "${{ item }}", of: "${{ steps.one.by }}" } }
    output: "${{ steps.row.by }}"
  pause: { wait: 1ms }
  called: { call: g, with: { n: 2 } }
  last: { use: test.write, with: { tame: true, name: last, all: "${{ steps.rows }}" } }
output: { rows: "${{ steps.rows }}", called: "${{ steps.called }}", last: "${{ steps.last.by }}" }
"#;

const CALLED: &str = r#"
flow: g
trigger: { use: call, inputs: { n: integer } }
steps:
  alone:
    key: ["deal:${{ inputs.n }}"]
    scope:
      inner: { use: test.write, with: { tame: true, name: inner } }
    output: "${{ steps.inner.by }}"
output: "${{ steps.alone }}"
"#;

/// The writes by their paths from the outermost run, but for the sensitive one.
const WRITES: [&str; 6] = ["one", "rows[0]/row", "rows[1]/row", "rows[2]/row", "called/inner", "last"];

type Plans = BTreeMap<FlowId, Arc<Plan>>;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// How often each write was called, and how often it took effect.
fn done(world: usize) -> BTreeMap<&'static str, (usize, usize)> {
    let world = &worlds()[world];
    let of = |path: &'static str| {
        let (run, step) = path.split_once("called/").map_or(("run-1", path), |(_, step)| ("run-1/called", step));
        let key = idempotency_key(run, step);
        let count = |counts: &BTreeMap<_, usize>| counts.get(&key).copied().unwrap_or_default();
        (path, (count(&world.calls), count(&world.effects)))
    };
    WRITES.into_iter().map(of).collect()
}

fn mend(world: usize) {
    worlds()[world].broken.clear();
}

/// A run that failed because these calls do.
async fn failed(plans: &Plans, file: &Path, broken: &str) -> usize {
    let world = new_world();
    worlds()[world].broken.insert(broken.to_owned());
    let run = life(plans, world, file, (i64::MAX, 100)).await.unwrap();
    assert_eq!(run.outcome, Outcome::Failed);
    world
}

fn sound(file: &Path) {
    let journal = Journal::open(file).unwrap();
    assert_eq!(journal.reader().check().unwrap(), [""; 0]);
    assert!(journal.reader().under_way().unwrap().is_empty() && journal.reader().reserved().unwrap().is_empty());
}

#[test]
fn what_worked_is_not_done_again_wherever_power_fails() {
    let plans = plans(&[DEAL, CALLED]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for broken in ["last", "inner"] {
        for point in 0.. {
            let mut lives = 1;
            for survive in [0, 100] {
                let file = folder.path().join(format!("{broken}-{point}-{survive}.db"));
                let run: RunRecord = block_on(async {
                    let world = failed(&plans, &file, broken).await;
                    let before = done(world);
                    mend(world);
                    let mut power = (point, survive);
                    let run = loop {
                        match life_again(&plans, world, &file, power, &[]).await {
                            Some(run) => break run,
                            None => (lives, power) = (lives + 1, (i64::MAX, 100)),
                        }
                    };
                    for (path, (calls, effects)) in done(world) {
                        assert_eq!(effects, 1, "{path}, after power failed at point {point}");
                        let worked = before[path].1 == 1;
                        assert!(!worked || calls == before[path].0, "{path} was called again at point {point}");
                    }
                    assert!(worlds()[world].effects.values().all(|effects| *effects == 1));
                    run
                });
                assert_eq!(run.outcome, Outcome::Succeeded, "{:?} at point {point}", run.failure);
                sound(&file);
            }
            if lives == 1 {
                // Two points for each call, and two for the commit that it waits for.
                assert!(point > 5, "{point}");
                break;
            }
        }
    }
}

#[test]
fn what_a_person_skips_counts_as_done_with_nothing_as_output() {
    let plans = plans(&[DEAL, CALLED]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (broken, path) in [("last", "last"), ("inner", "called/inner"), ("inner", "called")] {
        let file = folder.path().join(format!("{}.db", path.replace('/', "-")));
        block_on(async {
            let world = failed(&plans, &file, broken).await;
            let run = life_again(&plans, world, &file, (i64::MAX, 100), &[path]).await.unwrap();
            assert_eq!(run.outcome, Outcome::Succeeded, "{path}: {:?}", run.failure);
            assert!(run.output[if broken == "last" { "last" } else { "called" }].is_null());
            let skipped = if broken == "last" { "last" } else { "called/inner" };
            for (path, (_, effects)) in done(world) {
                assert_eq!(effects, usize::from(path != skipped), "{path}");
            }
        });
        sound(&file);
    }
}

/// An engine with today's plans, to which the original ones are known or not.
fn today(plans: &Plans, original: Option<&Plans>, world: usize, file: &Path) -> Engine {
    let journal = Arc::new(Journal::open(file).unwrap());
    let flows = |plans: &Plans| Flows { version: "1".to_owned(), plans: plans.clone(), ..Flows::default() };
    engine(plans, world).kept_by(journal, "2".to_owned(), original.map(flows).into_iter().collect())
}

#[test]
fn todays_flow_does_again_what_it_would_do_otherwise_and_the_original_nothing() {
    let changed = DEAL.replace("row: \"${{ item }}\"", "row: \"${{ item + 10 }}\"");
    assert_ne!(changed, DEAL);
    let (old, new) = (plans(&[DEAL, CALLED]).unwrap(), plans(&[&changed, CALLED]).unwrap());
    let folder = tempfile::tempdir().unwrap();
    for original in [false, true] {
        let file = folder.path().join(format!("{original}.db"));
        block_on(async {
            let world = failed(&old, &file, "last").await;
            let before = done(world);
            mend(world);
            let run =
                today(&new, Some(&old), world, &file).revive("run-1", original, Vec::new(), &Nobody).await.unwrap();
            assert_eq!(run.outcome, Outcome::Succeeded, "{:?}", run.failure);
            for (path, (calls, effects)) in done(world) {
                let otherwise = path.starts_with("rows") && !original || path == "last";
                assert_eq!(calls > before[path].0, otherwise, "{path}");
                // Whoever is called again is told that it may have run, and finds what it made.
                assert_eq!(effects, 1, "{path}");
            }
        });
    }
}

#[test]
fn the_original_of_a_run_is_asked_for_in_vain_where_it_is_not_known_any_more() {
    let plans = plans(&[DEAL, CALLED]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    block_on(async {
        let world = failed(&plans, &file, "last").await;
        let engine = today(&plans, None, world, &file);
        let error = engine.revive("run-1", true, Vec::new(), &Nobody).await.unwrap_err();
        assert!(error.to_string().contains("not known any more"), "{error}");
        let none = engine.revive("run-2", false, Vec::new(), &Nobody).await.unwrap_err();
        assert_eq!(none.to_string(), "there is no run run-2");
    });
}
