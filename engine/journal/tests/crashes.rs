//! Power fails at every commit, at every call, before and after its effect: the run goes on, ends as it would have, and
//! every write takes effect once.

#![allow(clippy::unwrap_used)]

#[path = "../../runtime/tests/laws/drawn.rs"]
#[allow(dead_code)]
mod drawn;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cosell_compile::plan::Plan;
use cosell_journal::Journal;
use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::record::RunRecord;
use drawn::{Flow, drawn_flow};
use proptest::prelude::*;
use support::{end, life, new_world, plans, undisturbed, worlds};
use uuid::Uuid;

/// Everything that goes on otherwise: a called flow with keys, rounds side by side, what is sensitive, a pause, an answer.
const RICH: [&str; 2] = [
    "
flow: f
trigger: manual
steps:
  secret: { use: test.read, sensitive: true, with: { tame: true, secret: hush-hush } }
  made:
    use: test.write
    sensitive: true
    with: { tame: true, secret: \"${{ steps.secret.secret }}\" }
  rows:
    for_each: \"${{ steps.made.rows }}\"
    parallel: 2
    do:
      row: { use: test.write, with: { tame: true, row: \"${{ item }}\" } }
    output: \"${{ steps.row.by }}\"
  called: { call: g, with: { n: 2 } }
  quiet: { call: h, sensitive: true, with: { secret: \"${{ steps.made.secret }}\" } }
  pause: { wait: 1ms }
  last: { use: test.write, with: { tame: true, all: \"${{ steps.rows }}\" } }
  answer: { respond: { status: 202, body: \"${{ steps.last.by }}\" } }
output: { rows: \"${{ steps.rows }}\", called: \"${{ steps.called }}\", same: \"${{ steps.quiet == steps.secret.secret }}\" }
",
    "
flow: g
trigger: { use: call, inputs: { n: integer } }
steps:
  alone:
    key: [\"deal:1\", \"deal:${{ inputs.n }}\"]
    scope:
      one: { use: test.write, with: { tame: true } }
      two: { use: test.read, with: { tame: true } }
      three: { use: test.write, with: { tame: true, of: \"${{ steps.two.by }}\" } }
    output: \"${{ steps.three.by }}\"
output: \"${{ steps.alone }}\"
",
];

const QUIET: &str = "
flow: h
trigger: { use: call, inputs: { secret: text } }
steps:
  kept: { let: { secret: \"${{ inputs.secret }}\" } }
  told: { use: test.write, with: { tame: true, secret: \"${{ steps.kept.secret }}\" } }
output: \"${{ steps.told.secret }}\"
";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// How everything ended: the run, its answer, and how often each write took effect.
#[derive(Debug, PartialEq)]
struct End {
    run: (Outcome, Value, Option<String>),
    answer: Option<Value>,
    effects: BTreeMap<Uuid, usize>,
}

fn ended(run: &RunRecord, world: usize) -> End {
    let answer = run.answer.as_ref().map(|(_, _, body)| body.clone());
    End { run: end(run), answer, effects: worlds()[world].effects.clone() }
}

/// Goes through lives until the run ends; those beyond `lives` have all the power they need.
/// Gives how many it took.
async fn lived(plans: &BTreeMap<FlowId, Arc<Plan>>, lives: &[(i64, usize)], file: &Path) -> (End, usize) {
    let world = new_world();
    let mut lives = lives.iter().copied();
    let mut lived = 1;
    loop {
        let life = life(plans, world, file, lives.next().unwrap_or((i64::MAX, 0)));
        match life.await {
            Some(run) => return (ended(&run, world), lived),
            None => lived += 1,
        }
    }
}

async fn expected(plans: &BTreeMap<FlowId, Arc<Plan>>) -> End {
    let world = new_world();
    let run = undisturbed(plans, world).await;
    ended(&run, world)
}

fn sound(file: &Path) {
    let journal = Journal::open(file).unwrap();
    assert_eq!(journal.reader().check().unwrap(), [""; 0]);
    assert!(journal.reader().under_way().unwrap().is_empty() && journal.reader().reserved().unwrap().is_empty());
}

#[test]
fn power_that_fails_at_any_point_changes_nothing() {
    let plans = plans(&[RICH[0], RICH[1], QUIET]).unwrap();
    block_on(async {
        let expected = expected(&plans).await;
        assert_eq!(expected.run.0, Outcome::Succeeded, "{:?}", expected.run);
        assert!(expected.effects.values().all(|times| *times == 1) && expected.effects.len() == 8, "{expected:?}");
        let folder = tempfile::tempdir().unwrap();
        for point in 0.. {
            let mut failed = false;
            // What nobody waited for is lost, or all of it survives, or some.
            for survive in [0, 1, 100] {
                let file = folder.path().join(format!("{point}-{survive}.db"));
                let (lived, lives) = lived(&plans, &[(point, survive)], &file).await;
                assert_eq!(lived, expected, "after a failure at point {point}");
                sound(&file);
                failed |= lives > 1;
            }
            if !failed {
                // Eight writes and two reads have two points each, and each write waits for a commit that has two.
                assert!(point > 30, "{point}");
                break;
            }
        }
    });
}

#[test]
fn what_is_sensitive_is_nowhere_in_the_file() {
    let plans = plans(&[RICH[0], RICH[1], QUIET]).unwrap();
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        lived(&plans, &[(9, 100), (9, 100)], &file).await;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("hush-hush"));
        }
        let journal = Journal::open(&file).unwrap();
        let mut out = Vec::new();
        let rows = journal.reader().export(&mut out).unwrap();
        let lines: Vec<serde_json::Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len() as u64, rows);
        let steps = lines.iter().filter_map(|line| line["steps"].as_array()).flatten();
        assert!(steps.into_iter().any(|step| step["path"] == "rows[1]/row"));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_flow_outlives_any_crashes(
        drawn in drawn_flow(),
        lives in prop::collection::vec((0_i64..24, 0_usize..6), 1..6),
    ) {
        let flow = Flow::of(&drawn);
        let Some(plans) = plans(&[&flow.text()]) else { return Ok(()) };
        block_on(async {
            let expected = expected(&plans).await;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("journal.db");
            let (lived, _) = lived(&plans, &lives, &file).await;
            prop_assert_eq!(lived, expected, "in\n{}", flow.text());
            sound(&file);
            Ok(())
        })?;
    }
}
