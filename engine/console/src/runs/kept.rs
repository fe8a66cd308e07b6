//! The records of a run, by where they stand.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cosell_compile::plan::{BlockIx, Plan, StepIx, StepPlan};
use cosell_journal::past::round_of;
use cosell_journal::read::Shown;
use cosell_model::FlowId;
use cosell_runtime::memory::Engine;
use cosell_runtime::record::StepRecord;
use serde::Deserialize;

use super::seen::Inner;

/// A run's records, by where they stand.
pub(super) struct Run {
    pub(super) inner: Arc<Inner>,
    /// The number of a record by its path.
    pub(super) at: HashMap<String, usize>,
    /// The numbers of the records in the run itself (``), or in a round (`rows[2]/`).
    pub(super) regions: HashMap<String, Vec<usize>>,
    /// The rounds of each loop, by its path.
    pub(super) rounds: HashMap<String, BTreeSet<u32>>,
    /// The run that called it, and how many steps had ended there before.
    outer: Option<(Arc<Run>, usize)>,
}

impl Run {
    pub(super) fn of(engine: &Engine, shown: &Shown, prefix: String, outer: Option<(Arc<Run>, usize)>) -> Self {
        let flow = FlowId::new(shown.listed.flow.as_str());
        let original = engine.plan_in(&shown.version, &flow);
        let read = shown.steps.iter().filter_map(|step| StepRecord::deserialize(step).ok()).map(Arc::new);
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
    pub(super) fn called_by(engine: &Engine, outer: &Arc<Run>, shown: &Shown, root: &str) -> Arc<Self> {
        let prefix = shown.listed.run.strip_prefix(root).unwrap_or_default().trim_start_matches('/').to_owned() + "/";
        let step = prefix.strip_prefix(outer.inner.prefix.as_str()).unwrap_or_default().trim_end_matches('/');
        let before = outer.at.get(step).copied().unwrap_or(outer.inner.records.len());
        Arc::new(Self::of(engine, shown, prefix, Some((Arc::clone(outer), before))))
    }

    pub(super) fn over(&self) -> bool {
        self.inner.listed.ended.is_some()
    }

    pub(super) fn record(&self, region: &str, id: &str) -> Option<usize> {
        self.at.get(&format!("{region}{id}")).copied()
    }

    pub(super) fn outermost(&self) -> Option<BlockIx> {
        self.inner.plan.as_ref().map(|_| BlockIx(0))
    }

    /// What ended before the record of this number, here and in the runs around, the latest first.
    pub(super) fn before(&self, number: usize) -> impl Iterator<Item = (&StepRecord, &str)> {
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
    pub(super) fn begun(&self, plan: &Plan, region: &str, step: &StepPlan) -> bool {
        let ended = |of: StepIx| self.record(region, plan.step(of).id.as_str()).is_some();
        let holder = plan.block(step.block).holder.map(|holder| plan.step(holder));
        let holder = holder.filter(|holder| holder.region == step.region);
        step.waits_for.iter().all(|edge| ended(edge.step))
            && holder.is_none_or(|holder| self.begun(plan, region, holder))
    }
}
