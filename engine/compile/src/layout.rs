//! Numbers for everything in a flow: steps, blocks, regions; and how they lie in one another.

use std::collections::HashMap;

use cosell_model::flow::{Block, Flow, Step, StepKind};
use cosell_model::{Diagnostic, Span, StepId};

use crate::plan::{BlockIx, RegionIx, StepIx};
use crate::read::fields::Findings;

/// A flow's steps, numbered in the order of the file.
pub(crate) struct Layout<'f> {
    pub(crate) steps: Vec<Place<'f>>,
    pub(crate) blocks: Vec<BlockPlace>,
    pub(crate) regions: Vec<RegionPlace>,
    by_id: HashMap<&'f StepId, StepIx>,
}

/// Where a step lies.
pub(crate) struct Place<'f> {
    pub(crate) step: &'f Step,
    pub(crate) block: BlockIx,
    pub(crate) region: RegionIx,
    pub(crate) slot: u32,
    /// The blocks it holds, in the order of the file.
    pub(crate) holds: Vec<BlockIx>,
}

/// Where a block lies.
pub(crate) struct BlockPlace {
    pub(crate) holder: Option<StepIx>,
    pub(crate) steps: Vec<StepIx>,
    pub(crate) region: RegionIx,
}

/// Where a region lies.
pub(crate) struct RegionPlace {
    pub(crate) outer: Option<RegionIx>,
    pub(crate) slots: Vec<StepIx>,
}

/// How two steps lie to each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Relation {
    /// They, or the steps that hold them, are siblings: the first and the second's.
    Siblings(StepIx, StepIx),
    /// The first lies inside the second.
    Inside,
    /// The second lies inside the first, or they are the same.
    Around,
    /// They lie in different branches of this step, of which only one runs.
    OtherBranch(StepIx),
}

impl<'f> Layout<'f> {
    /// Numbers `flow`; a name used twice is reported, and its second step cannot be mentioned.
    pub(crate) fn of(flow: &'f Flow, findings: &mut Findings) -> Self {
        let mut layout = Self {
            steps: Vec::new(),
            blocks: Vec::new(),
            regions: vec![RegionPlace { outer: None, slots: Vec::new() }],
            by_id: HashMap::new(),
        };
        layout.block(&flow.steps, None, RegionIx(0), findings);
        layout
    }

    fn block(
        &mut self,
        block: &'f Block,
        holder: Option<StepIx>,
        region: RegionIx,
        findings: &mut Findings,
    ) -> BlockIx {
        let ix = BlockIx(number(self.blocks.len()));
        self.blocks.push(BlockPlace { holder, steps: Vec::new(), region });
        for step in &block.steps {
            let step = self.step(step, ix, region, findings);
            self.blocks[ix.0 as usize].steps.push(step);
        }
        ix
    }

    fn step(&mut self, step: &'f Step, block: BlockIx, region: RegionIx, findings: &mut Findings) -> StepIx {
        let ix = StepIx(number(self.steps.len()));
        let slots = &mut self.regions[region.0 as usize].slots;
        let slot = number(slots.len());
        slots.push(ix);
        self.steps.push(Place { step, block, region, slot, holds: Vec::new() });
        if let Some(first) = self.by_id.get(&step.id.value) {
            let first = self.place(*first).step.id.span;
            let message = format!("two steps are called `{}`", step.id.value);
            findings.push(
                Diagnostic::error("duplicate-step", message, step.id.span, "again here")
                    .also(first, "first here")
                    .help("a step's name is unique in the whole flow, also across scopes and branches"),
            );
        } else {
            self.by_id.insert(&step.id.value, ix);
        }
        let blocks: Vec<(&'f Block, bool)> = match &step.kind {
            StepKind::Scope { body, .. } => vec![(body, false)],
            StepKind::If { then, otherwise, .. } => vec![(then, false), (otherwise, false)],
            StepKind::Switch { cases, default, .. } => {
                cases.iter().map(|case| (&case.block, false)).chain([(default, false)]).collect()
            }
            StepKind::ForEach { body, .. } | StepKind::Until { body, .. } => vec![(body, true)],
            _ => Vec::new(),
        };
        for (block, is_loop) in blocks {
            let inner = if is_loop {
                self.regions.push(RegionPlace { outer: Some(region), slots: Vec::new() });
                RegionIx(number(self.regions.len() - 1))
            } else {
                region
            };
            let block = self.block(block, Some(ix), inner, findings);
            self.steps[ix.0 as usize].holds.push(block);
        }
        ix
    }

    pub(crate) fn place(&self, step: StepIx) -> &Place<'f> {
        &self.steps[step.0 as usize]
    }

    pub(crate) fn find(&self, id: &str) -> Option<StepIx> {
        self.by_id.get(&StepId::new(id)).copied()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|place| place.step.id.value.as_str())
    }

    pub(crate) fn span(&self, step: StepIx) -> Span {
        self.place(step).step.id.span
    }

    pub(crate) fn id(&self, step: StepIx) -> &StepId {
        &self.place(step).step.id.value
    }

    /// How many loop bodies lie around `from` that do not lie around `to`, where every loop around `to` is around `from`.
    pub(crate) fn loops_out(&self, from: RegionIx, to: RegionIx) -> Option<u32> {
        let mut region = from;
        for loops in 0.. {
            if region == to {
                return Some(loops);
            }
            region = self.regions[region.0 as usize].outer?;
        }
        None
    }

    /// The step itself and the steps that hold it, from the inside out.
    fn holders(&self, step: StepIx) -> impl Iterator<Item = StepIx> {
        std::iter::successors(Some(step), |step| self.blocks[self.place(*step).block.0 as usize].holder)
    }

    /// How `first` and `second` lie to each other.
    pub(crate) fn relation(&self, first: StepIx, second: StepIx) -> Relation {
        if self.holders(second).any(|holder| holder == first) {
            return Relation::Around;
        }
        if self.holders(first).any(|holder| holder == second) {
            return Relation::Inside;
        }
        for a in self.holders(first) {
            for b in self.holders(second) {
                if self.place(a).block == self.place(b).block {
                    return Relation::Siblings(a, b);
                }
                let (held_a, held_b) = (
                    self.blocks[self.place(a).block.0 as usize].holder,
                    self.blocks[self.place(b).block.0 as usize].holder,
                );
                if let (Some(branching), true) = (held_a, held_a == held_b) {
                    return Relation::OtherBranch(branching);
                }
            }
        }
        Relation::Around
    }
}

fn number(length: usize) -> u32 {
    // A file holds at most 200,000 values, which `yaml` has checked.
    u32::try_from(length).unwrap_or(u32::MAX)
}
