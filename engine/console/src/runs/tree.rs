//! The steps of a run as a tree, as much of it as a page holds: blocks and rounds of loops below the step that holds them, and
//! the steps of a called flow below the step that called it.
//!
//! Paths are those from the outermost run on: `helper/rows[2]/update` is a step of the run that `helper` called.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cosell_compile::plan::{Action, BlockIx, Plan, StepIx};
use cosell_journal::read::{Listed, Shown};
use cosell_model::Effect;
use cosell_model::outcome::SkipReason;
use cosell_runtime::keep::root;
use cosell_runtime::memory::Engine;
use cosell_runtime::record::StepRecord;
use cosell_service::api::Problem;

use super::kept::Run;
use super::seen::{Group, Kind, More, Seen, State, Step, Wanted};
use super::written::written;

/// How many steps, or rounds, one level shows at once.
const LEVEL: usize = 200;
/// How many rounds a loop shows where it is not what the page is about.
const ROUNDS: usize = 10;
/// How many steps a page shows altogether.
const STEPS: usize = 400;

/// Looks up a called run by its id.
pub(super) type Lookup<'l> = &'l mut dyn FnMut(&str) -> Result<Option<Shown>, Problem>;

/// What is to be seen of a run; none where it has no such step.
///
/// # Errors
/// What the lookup says.
pub(super) fn seen(
    engine: &Engine,
    root: &Shown,
    wanted: &Wanted,
    lookup: Lookup<'_>,
) -> Result<Option<Seen>, Problem> {
    let mut builder = Builder {
        engine,
        lookup,
        called: root.called.iter().map(|listed| (listed.run.as_str(), listed)).collect(),
        left: STEPS,
        show_untaken: wanted.untaken,
        untaken: 0,
    };
    let mut run = Arc::new(Run::of(engine, root, String::new(), None));
    let Some(open) = wanted.open.as_deref() else {
        let (steps, more) = builder.level(&run, "", run.outermost(), wanted.from, LEVEL, None)?;
        return Ok(Some(Seen { inner: Arc::clone(&run.inner), steps, more, untaken: builder.untaken }));
    };
    let full = format!("{}/{open}", root.listed.run);
    let mut around: Vec<&str> = builder
        .called
        .keys()
        .copied()
        .filter(|id| full.strip_prefix(id).is_some_and(|rest| rest.starts_with('/')))
        .collect();
    around.sort_by_key(|id| id.len());
    for id in around {
        let Some(shown) = (builder.lookup)(id)? else { return Ok(None) };
        run = Run::called_by(engine, &run, &shown, &root.listed.run);
    }
    let Some(local) = open.strip_prefix(run.inner.prefix.as_str()) else { return Ok(None) };
    let found = builder.alone(&run, local, wanted.from)?;
    let untaken = builder.untaken;
    Ok(found.map(|(steps, more)| Seen { inner: Arc::clone(&run.inner), steps, more, untaken }))
}

/// A step to be shown: one of the plan, or a record that the plan does not know.
#[derive(Clone, Copy)]
enum Which {
    Planned(StepIx),
    Loose(usize),
}

struct Builder<'b> {
    engine: &'b Engine,
    lookup: Lookup<'b>,
    called: HashMap<&'b str, &'b Listed>,
    left: usize,
    show_untaken: bool,
    untaken: usize,
}

type Level = (Vec<Step>, Option<More>);

impl Builder<'_> {
    /// One step, or the steps of one round.
    fn alone(&mut self, run: &Arc<Run>, local: &str, from: usize) -> Result<Option<Level>, Problem> {
        let plan = run.inner.plan.as_ref();
        if let Some(round) = local.strip_suffix(']') {
            let region = format!("{local}/");
            let known = run.regions.keys().any(|known| known.starts_with(&region));
            let of = round.rfind('[').map(|at| &round[..at]);
            let (true, Some(of)) = (known, of) else { return Ok(None) };
            let body = plan.and_then(|plan| body(plan, plan.find(of.rsplit('/').next().unwrap_or(of))?));
            let open = Some(format!("{}{local}", run.inner.prefix));
            return self.level(run, &region, body, from, LEVEL, open).map(Some);
        }
        let (region, id) = local.rfind('/').map_or(("", local), |at| local.split_at(at + 1));
        let which = match (plan.and_then(|plan| plan.find(id)), run.record(region, id)) {
            (Some(step), record) if record.is_some() || !run.over() => Which::Planned(step),
            (_, Some(record)) => Which::Loose(record),
            _ => return Ok(None),
        };
        let mut step = self.step(run, region, which);
        self.fill(run, region, which, &mut step, Some(from))?;
        Ok(Some((vec![step], None)))
    }

    /// The steps of a block in a region, from one on; all records of the region where the plan is not known.
    fn level(
        &mut self,
        run: &Arc<Run>,
        region: &str,
        block: Option<BlockIx>,
        from: usize,
        most: usize,
        open: Option<String>,
    ) -> Result<Level, Problem> {
        let all = self.which(run, region, block);
        let shown: Vec<Which> = all.iter().copied().skip(from).take(most.min(self.left)).collect();
        self.left -= shown.len();
        let mut steps: Vec<Step> = shown.iter().map(|which| self.step(run, region, *which)).collect();
        for (which, step) in shown.iter().zip(&mut steps) {
            self.fill(run, region, *which, step, None)?;
        }
        let to = from + steps.len();
        Ok((steps, (to < all.len()).then_some(More { open, from: to, total: all.len() })))
    }

    fn which(&mut self, run: &Run, region: &str, block: Option<BlockIx>) -> Vec<Which> {
        let records = run.regions.get(region).map(Vec::as_slice).unwrap_or_default();
        let id = |number: usize| run.inner.records[number].path[region.len()..].to_owned();
        let (mut found, mut loose) = (Vec::new(), records.to_vec());
        if let (Some(plan), Some(block)) = (&run.inner.plan, block) {
            let block = plan.block(block);
            // What the plan does not know is shown once, with what is outermost in its region.
            let inner = block.steps.first().map(|step| plan.step(*step).region);
            let outermost = block.holder.is_none_or(|holder| Some(plan.step(holder).region) != inner);
            loose.retain(|number| outermost && plan.find(&id(*number)).is_none());
            for step in &block.steps {
                match run.record(region, plan.step(*step).id.as_str()) {
                    Some(number) if self.left_out(run, number) => {}
                    Some(_) => found.push(Which::Planned(*step)),
                    None if run.over() => {}
                    None => found.push(Which::Planned(*step)),
                }
            }
        }
        loose.retain(|number| !self.left_out(run, *number));
        found.extend(loose.into_iter().map(Which::Loose));
        found
    }

    fn left_out(&mut self, run: &Run, number: usize) -> bool {
        let untaken = !self.show_untaken && run.inner.records[number].skipped == Some(SkipReason::NotTaken);
        self.untaken += usize::from(untaken);
        untaken
    }

    /// A step without what lies below it.
    fn step(&self, run: &Run, region: &str, which: Which) -> Step {
        let plan = run.inner.plan.as_deref();
        let (planned, number) = match which {
            Which::Planned(step) => {
                let planned = plan.map(|plan| plan.step(step));
                (planned, planned.and_then(|planned| run.record(region, planned.id.as_str())))
            }
            Which::Loose(number) => (None, Some(number)),
        };
        let record = number.map(|number| Arc::clone(&run.inner.records[number]));
        let id = planned.map(|planned| planned.id.to_string());
        let id = id.or_else(|| Some(record.as_ref()?.path[region.len()..].to_owned())).unwrap_or_default();
        let state = match (&record, planned, plan) {
            (Some(record), ..) => State::Ended(record.outcome),
            (None, Some(planned), Some(plan)) if run.begun(plan, region, planned) => State::UnderWay,
            _ => State::Waits,
        };
        let what = |record: &StepRecord| record.target.clone().unwrap_or_else(|| record.kind.clone().into_owned());
        let writes = planned.is_some_and(|planned| {
            planned.effect == Effect::Write && matches!(planned.action, Action::Operation { .. })
        });
        Step {
            path: format!("{}{region}{id}", run.inner.prefix),
            title: record.as_ref().map_or_else(
                || planned.map_or(id.clone(), |planned| planned.title.clone()),
                |record| record.title.clone(),
            ),
            what: record.as_ref().map_or_else(
                || planned.map(|planned| told(&planned.action)).unwrap_or_default(),
                |record| what(record),
            ),
            state,
            secret: planned.map(|planned| planned.sensitive),
            written: number
                .filter(|_| writes)
                .and_then(|number| written(&run.inner.records[number], run.before(number))),
            record,
            below: Vec::new(),
            more: None,
            id,
        }
    }

    /// Adds what lies below a step. `from` is given where the page is about it.
    fn fill(
        &mut self,
        run: &Arc<Run>,
        region: &str,
        which: Which,
        step: &mut Step,
        from: Option<usize>,
    ) -> Result<(), Problem> {
        let local = step.path[run.inner.prefix.len()..].to_owned();
        let plan = run.inner.plan.clone();
        let planned = match (which, &plan) {
            (Which::Planned(number), Some(plan)) => Some((number, &plan.step(number).action)),
            _ => None,
        };
        if let Some(rounds) = run.rounds.get(&local) {
            let body = planned.zip(plan.as_ref()).and_then(|((number, _), plan)| body(plan, number));
            return self.rounds(run, &local, rounds, body, step, from);
        }
        if let Some((_, action)) =
            planned.filter(|(_, action)| !matches!(action, Action::ForEach { .. } | Action::Until { .. }))
        {
            for (label, block) in blocks(action) {
                if plan.as_ref().is_some_and(|plan| !plan.block(block).steps.is_empty()) {
                    let (steps, more) =
                        self.level(run, region, Some(block), from.unwrap_or(0), LEVEL, Some(step.path.clone()))?;
                    if !steps.is_empty() || more.is_some() {
                        step.below.push(Group { kind: Kind::Block(label), path: step.path.clone(), steps, more });
                    }
                }
            }
        }
        let id = format!("{}/{local}", run.inner.listed.run);
        if self.called.contains_key(id.as_str()) {
            if step.state == State::Waits {
                step.state = State::UnderWay;
            }
            self.calls(run, &id, step, from)?;
        }
        Ok(())
    }

    fn rounds(
        &mut self,
        run: &Arc<Run>,
        local: &str,
        rounds: &BTreeSet<u32>,
        body: Option<BlockIx>,
        step: &mut Step,
        from: Option<usize>,
    ) -> Result<(), Problem> {
        let most = if from.is_some() { LEVEL } else { ROUNDS };
        let from = from.unwrap_or(0);
        for round in rounds.iter().skip(from).take(most) {
            if self.left == 0 {
                break;
            }
            let path = format!("{local}[{round}]");
            let open = format!("{}{path}", run.inner.prefix);
            let (steps, more) = self.level(run, &format!("{path}/"), body, 0, LEVEL, Some(open.clone()))?;
            step.below.push(Group { kind: Kind::Round(*round), path: open, steps, more });
        }
        let to = from + step.below.len();
        step.more = (to < rounds.len()).then(|| More { open: Some(step.path.clone()), from: to, total: rounds.len() });
        Ok(())
    }

    fn calls(&mut self, run: &Arc<Run>, id: &str, step: &mut Step, from: Option<usize>) -> Result<(), Problem> {
        if self.left == 0 {
            step.more = Some(More { open: Some(step.path.clone()), from: 0, total: 0 });
            return Ok(());
        }
        let Some(shown) = (self.lookup)(id)? else { return Ok(()) };
        let called = Run::called_by(self.engine, run, &shown, root(id));
        let (steps, more) =
            self.level(&called, "", called.outermost(), from.unwrap_or(0), LEVEL, Some(step.path.clone()))?;
        step.below.push(Group { kind: Kind::Called(Arc::clone(&called.inner)), path: step.path.clone(), steps, more });
        Ok(())
    }
}

fn body(plan: &Plan, step: StepIx) -> Option<BlockIx> {
    match plan.step(step).action {
        Action::ForEach { body, .. } | Action::Until { body, .. } => Some(body),
        _ => None,
    }
}

fn blocks(action: &Action) -> Vec<(String, BlockIx)> {
    match action {
        Action::If { then, otherwise, .. } => vec![("then".to_owned(), *then), ("else".to_owned(), *otherwise)],
        Action::Switch { cases, default, .. } => {
            let cases = cases.iter().map(|(value, block)| (format!("case {value}"), *block));
            cases.chain([("default".to_owned(), *default)]).collect()
        }
        other => other.blocks().into_iter().map(|block| (String::new(), block)).collect(),
    }
}

fn told(action: &Action) -> String {
    match action {
        Action::Operation { operation, .. } => operation.to_string(),
        Action::Call { flow, .. } => flow.to_string(),
        other => other.kind().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::runs::testing::{engine, shown, step};

    const DEAL: &str = "
flow: deal
trigger: { use: manual }
steps:
  referral: { use: book.get, with: { id: r } }
  either:
    if: ${{ steps.referral }}
    then: { helper: { call: helper } }
    else: { other: { let: { a: 1 } } }
  rows:
    after: either
    for_each: [1, 2, 3]
    do:
      update: { use: book.update, with: { id: r, values: { a: 1 } } }
";
    const HELPER: &str = "
flow: helper
trigger: { use: call }
steps: { inner: { use: book.get, with: { id: r } } }
";

    fn of(run: &Shown, wanted: Wanted) -> Option<Seen> {
        let helper = shown("r1/helper", "helper", Some("succeeded"), vec![step("inner", "succeeded", json!({}))]);
        let mut lookup = |id: &str| Ok((id == "r1/helper").then(|| helper.clone()));
        seen(&engine(&[DEAL, HELPER]), run, &wanted, &mut lookup).unwrap()
    }

    fn deal(rounds: u32) -> Shown {
        let mut steps = vec![
            step("referral", "succeeded", json!({})),
            step("helper", "succeeded", json!({ "kind": "call", "target": "helper" })),
            step("other", "skipped", json!({ "skipped": { "because": "not_taken" } })),
            step("either", "succeeded", json!({})),
            json!({ "path": 7 }),
        ];
        steps.extend((0..rounds).map(|round| step(&format!("rows[{round}]/update"), "succeeded", json!({}))));
        steps.push(step("rows", "succeeded", json!({})));
        let mut run = shown("r1", "deal", Some("succeeded"), steps);
        run.called = vec![shown("r1/helper", "helper", Some("succeeded"), Vec::new()).listed];
        run
    }

    /// Paths, indented below what holds them.
    fn paths(steps: &[Step], indent: usize, lines: &mut Vec<String>) {
        for step in steps {
            lines.push(format!("{}{} {:?}", "  ".repeat(indent), step.path, step.state));
            for group in &step.below {
                lines.push(format!(
                    "{}- {}",
                    "  ".repeat(indent),
                    match &group.kind {
                        Kind::Block(label) => label.clone(),
                        Kind::Round(round) => format!("round {round}"),
                        Kind::Called(inner) => format!("called {}", inner.listed.flow),
                    }
                ));
                paths(&group.steps, indent + 1, lines);
            }
            lines.extend(
                step.more.as_ref().map(|more| format!("{}… from {} of {}", "  ".repeat(indent), more.from, more.total)),
            );
        }
    }

    fn told(seen: &Seen) -> String {
        let mut lines = Vec::new();
        paths(&seen.steps, 0, &mut lines);
        lines.join("\n")
    }

    #[test]
    fn steps_stand_below_what_holds_them() {
        let found = of(&deal(12), Wanted::default()).unwrap();
        insta::assert_snapshot!(told(&found));
        assert_eq!((found.untaken, found.inner.unreadable, found.inner.exact), (1, 1, true));
        let all = of(&deal(1), Wanted { untaken: true, ..Wanted::default() }).unwrap();
        assert!(told(&all).contains("- else\n  other Ended(Skipped)"), "{}", told(&all));
    }

    #[test]
    fn each_step_round_and_called_step_can_be_shown_alone() {
        let run = deal(300);
        let open = |path: &str, from| of(&run, Wanted { open: Some(path.to_owned()), from, untaken: false });
        let loops = open("rows", 250).unwrap();
        assert_eq!((loops.steps[0].below.len(), &loops.steps[0].more), (50, &None));
        let first = open("rows", 0).unwrap();
        assert_eq!(first.steps[0].below.len(), LEVEL);
        assert_eq!(first.steps[0].more.as_ref().map(|more| (more.from, more.total)), Some((200, 300)));
        assert_eq!(told(&open("rows[299]", 0).unwrap()), "rows[299]/update Ended(Succeeded)");
        assert_eq!(told(&open("rows[7]/update", 0).unwrap()), "rows[7]/update Ended(Succeeded)");
        let inner = open("helper/inner", 0).unwrap();
        assert_eq!(
            (told(&inner).as_str(), inner.inner.listed.flow.as_str()),
            ("helper/inner Ended(Succeeded)", "helper")
        );
        for nowhere in ["nobody", "rows[300]", "rows[300]/update", "helper/nobody", "", "]", "rows[", "helper/", "[/]"]
        {
            assert!(open(nowhere, 0).is_none(), "{nowhere}");
        }
    }

    #[test]
    fn what_has_not_ended_is_under_way_or_waits() {
        let mut run = deal(0);
        run.steps.retain(|step| step["path"] == "referral" || step["path"] == "other");
        run.listed.ended = None;
        let found = of(&run, Wanted::default()).unwrap();
        insta::assert_snapshot!(told(&found));
    }

    #[test]
    fn steps_of_an_unknown_flow_are_a_list_in_pages() {
        let steps = (0..3_000).map(|at| step(&format!("step_{at}"), "succeeded", json!({}))).collect();
        let run = shown("r1", "gone", Some("succeeded"), steps);
        let found = of(&run, Wanted { from: 2_900, ..Wanted::default() }).unwrap();
        assert_eq!((found.steps.len(), found.more.is_none(), found.inner.plan.is_none()), (100, true, true));
        let found = of(&run, Wanted::default()).unwrap();
        assert_eq!((found.steps.len(), found.more.unwrap().from), (LEVEL, LEVEL));
    }
}
