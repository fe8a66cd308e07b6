//! The steps of a run as a tree, as much of it as a page holds: blocks and rounds of loops below the step that holds them, and
//! the steps of a called flow below the step that called it.
//!
//! Paths are those from the outermost run on: `helper/rows[2]/update` is a step of the run that `helper` called.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cosell_compile::plan::{Action, BlockIx, Plan, StepIx, StepPlan};
use cosell_journal::past::round_of;
use cosell_journal::read::{Listed, Shown};
use cosell_model::flow::Sensitive;
use cosell_model::outcome::SkipReason;
use cosell_model::{Effect, FlowId, Outcome};
use cosell_runtime::memory::Engine;
use cosell_runtime::record::StepRecord;
use cosell_service::api::Problem;

use super::written::{Written, written};

/// How many steps, or rounds, one level shows at once.
pub(super) const LEVEL: usize = 200;
/// How many rounds a loop shows where it is not what the page is about.
const ROUNDS: usize = 10;
/// How many steps a page shows altogether.
const STEPS: usize = 400;

/// A step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) path: String,
    pub(super) id: String,
    pub(super) title: String,
    /// The operation or flow that it calls, or its kind.
    pub(super) what: String,
    pub(super) state: State,
    /// What is kept of it, once it has ended.
    pub(super) record: Option<Arc<StepRecord>>,
    /// What of it is kept secret, as far as its flow is known.
    pub(super) secret: Option<Sensitive>,
    pub(super) written: Option<Written>,
    pub(super) below: Vec<Group>,
    /// Rounds that are not shown.
    pub(super) more: Option<More>,
}

/// How a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ended(Outcome),
    UnderWay,
    Waits,
}

/// Steps that lie below another.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) kind: Kind,
    /// What opens it alone.
    pub(super) path: String,
    pub(super) steps: Vec<Step>,
    pub(super) more: Option<More>,
}

/// Why steps lie below another.
#[derive(Debug)]
pub(super) enum Kind {
    /// A block, with when it runs.
    Block(String),
    /// A round of a loop, from 0.
    Round(u32),
    /// A run that the step called.
    Called(Arc<Inner>),
}

/// What is not shown: from the one of this number, of so many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct More {
    /// What shows them: the path to open; none for the run itself.
    pub(super) open: Option<String>,
    pub(super) from: usize,
    pub(super) total: usize,
}

/// A run, as far as its steps are concerned.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) listed: Listed,
    /// Where its steps' paths begin.
    pub(super) prefix: String,
    pub(super) plan: Option<Arc<Plan>>,
    /// Whether the plan is the one that the run began in.
    pub(super) exact: bool,
    pub(super) records: Vec<Arc<StepRecord>>,
    /// How many steps are kept in a form that cannot be read.
    pub(super) unreadable: usize,
}

/// What a page shows of a run's steps.
#[derive(Debug)]
pub(super) struct Seen {
    /// The run, or the called one, that the page is about.
    pub(super) inner: Arc<Inner>,
    pub(super) steps: Vec<Step>,
    pub(super) more: Option<More>,
    /// How many steps lie in branches that were not taken, and are left out.
    pub(super) untaken: usize,
}

/// What a reader wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The step or round that is to be shown alone.
    pub(super) open: Option<String>,
    /// From which step, or round, on.
    pub(super) from: usize,
    /// Whether steps in branches that were not taken are shown.
    pub(super) untaken: bool,
}

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

/// A run's records, by where they stand.
struct Run {
    inner: Arc<Inner>,
    /// The number of a record by its path.
    at: HashMap<String, usize>,
    /// The numbers of the records in the run itself (``), or in a round (`rows[2]/`).
    regions: HashMap<String, Vec<usize>>,
    /// The rounds of each loop, by its path.
    rounds: HashMap<String, BTreeSet<u32>>,
    /// The run that called it, and how many steps had ended there before.
    outer: Option<(Arc<Run>, usize)>,
}

/// A step to be shown: one of the plan, or a record that the plan does not know.
#[derive(Clone, Copy)]
enum Which {
    Planned(StepIx),
    Loose(usize),
}

impl Run {
    fn of(engine: &Engine, shown: &Shown, prefix: String, outer: Option<(Arc<Run>, usize)>) -> Self {
        let flow = FlowId::new(shown.listed.flow.as_str());
        let original = engine.plan_in(&shown.version, &flow);
        let read = shown.steps.iter().filter_map(|step| serde_json::from_value(step.clone()).ok()).map(Arc::new);
        let records: Vec<Arc<StepRecord>> = read.collect();
        let inner = Inner {
            listed: shown.listed.clone(),
            prefix,
            plan: original.or_else(|| engine.plan(&flow)).cloned(),
            exact: original.is_some(),
            unreadable: shown.steps.len() - records.len(),
            records,
        };
        let mut run =
            Self { at: HashMap::new(), regions: HashMap::new(), rounds: HashMap::new(), outer, inner: Arc::new(inner) };
        for (number, record) in run.inner.records.iter().enumerate() {
            let region = record.path.rfind('/').map_or("", |end| &record.path[..=end]);
            run.regions.entry(region.to_owned()).or_default().push(number);
            run.at.insert(record.path.clone(), number);
            let mut path = record.path.as_str();
            while let Some((of, round)) = round_of(path) {
                run.rounds.entry(of.to_owned()).or_default().insert(round);
                path = of;
            }
        }
        run
    }

    /// The run that a step of another one called.
    fn called_by(engine: &Engine, outer: &Arc<Run>, shown: &Shown, root: &str) -> Arc<Self> {
        let prefix = shown.listed.run.strip_prefix(root).unwrap_or_default().trim_start_matches('/').to_owned() + "/";
        let step = prefix.strip_prefix(outer.inner.prefix.as_str()).unwrap_or_default().trim_end_matches('/');
        let before = outer.at.get(step).copied().unwrap_or(outer.inner.records.len());
        Arc::new(Self::of(engine, shown, prefix, Some((Arc::clone(outer), before))))
    }

    fn over(&self) -> bool {
        self.inner.listed.ended.is_some()
    }

    fn record(&self, region: &str, id: &str) -> Option<usize> {
        self.at.get(&format!("{region}{id}")).copied()
    }

    fn outermost(&self) -> Option<BlockIx> {
        self.inner.plan.as_ref().map(|_| BlockIx(0))
    }

    /// What ended before the record of this number, here and in the runs around, the latest first.
    fn before(&self, number: usize) -> impl Iterator<Item = (&StepRecord, &str)> {
        let mut levels = vec![(self, number)];
        let mut run = self;
        while let Some((outer, before)) = &run.outer {
            levels.push((outer, *before));
            run = outer;
        }
        levels.into_iter().flat_map(|(run, number)| {
            run.inner.records[..number].iter().rev().map(|record| (&**record, run.inner.prefix.as_str()))
        })
    }

    /// Whether a step that has not ended has begun: what it waits for has ended, and so for the steps that hold it.
    fn begun(&self, plan: &Plan, region: &str, step: &StepPlan) -> bool {
        let ended = |of: StepIx| self.record(region, plan.step(of).id.as_str()).is_some();
        let holder = plan.block(step.block).holder.map(|holder| plan.step(holder));
        let holder = holder.filter(|holder| holder.region == step.region);
        step.waits_for.iter().all(|edge| ended(edge.step))
            && holder.is_none_or(|holder| self.begun(plan, region, holder))
    }
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
            let outermost =
                block.holder.is_none_or(|holder| plan.step(holder).region != plan.step(block.steps[0]).region);
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
        let called = Run::called_by(self.engine, run, &shown, cosell_runtime::keep::root(id));
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
