//! A compiled flow: everything looked up, every expression compiled, the order known.
//!
//! Steps are numbered in the order of the file. A *region* is the flow's root or one loop body with everything inside it
//! that is not itself a loop body: each round of a loop makes a new copy of its region's data, in which a step has a
//! *slot*.

use std::sync::Arc;
use std::time::Duration;

use cosell_model::flow::{Retry, Sensitive, TriggerSource, ValueType};
use cosell_model::{Accepts, Effect, FlowId, OperationName, Outcome, SourceName, StepId};
use serde_json::Value;

use crate::expr::template::Template;
use crate::mapping::Mapping;
use crate::schedule::Schedule;

/// Number of a step in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepIx(pub u32);

/// Number of a block in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockIx(pub u32);

/// Number of a region in its plan; 0 is the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionIx(pub u32);

/// A compiled flow.
#[derive(Debug)]
pub struct Plan {
    /// The flow.
    pub flow: FlowId,
    /// Its title.
    pub title: String,
    /// Changes when the flow's text, an overlay, a mapping or a variable it uses changes.
    pub hash: u64,
    /// What starts it.
    pub trigger: TriggerPlan,
    /// Runs with equal keys go one at a time.
    pub key: Option<Template>,
    /// Events with equal keys wait until none has come for so long, and the last one counts.
    pub debounce: Option<Duration>,
    /// How many of its runs that events start may be under way at once; any number where none is given.
    pub parallel: Option<u32>,
    /// What a calling flow gets back.
    pub output: Option<Template>,
    /// All steps.
    pub steps: Vec<StepPlan>,
    /// All blocks; 0 is the root.
    pub blocks: Vec<BlockPlan>,
    /// All regions; 0 is the root.
    pub regions: Vec<RegionPlan>,
    /// Whether anything in it, or in a flow it calls, writes.
    pub effect: Effect,
}

/// What starts a flow.
#[derive(Debug)]
pub struct TriggerPlan {
    /// A built-in trigger, or a connector's.
    pub source: TriggerSource,
    /// The connectors' triggers that start it, the main one first; none where a built-in one does.
    pub sources: Vec<SourcePlan>,
    /// A condition on what the trigger brings.
    pub when: Option<Template>,
    /// Typed inputs.
    pub inputs: Vec<InputPlan>,
    /// When the clock starts it, for `schedule`.
    pub schedule: Option<Schedule>,
    /// Where its web hook is, for `http`.
    pub entrance: Option<Entrance>,
}

/// A connector's trigger that starts a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct SourcePlan {
    /// Its name among those of the flow: the connection, the trigger, and a number from 2 on where both come again.
    pub name: SourceName,
    /// The trigger.
    pub trigger: OperationName,
    /// The connection that listens.
    pub connection: String,
    /// Settings of the trigger.
    pub with: Value,
    /// How often it is asked, where the flow says so.
    pub every: Option<Duration>,
}

/// The web hook of a flow: `/in/{path}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrance {
    /// Its path: parts of lower-case letters, digits, `-` and `_`.
    pub path: String,
    /// The HTTP methods it takes.
    pub methods: Vec<String>,
    /// The request's headers that `trigger` holds, in lower case.
    pub headers: Vec<String>,
    /// Where the secret is kept that callers must show, as `{ env: NAME }` or `{ file: PATH }`; none where anybody may call.
    pub secret: Option<Value>,
}

/// A typed input.
#[derive(Clone, Debug, PartialEq)]
pub struct InputPlan {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ValueType,
    /// The only values allowed, where listed.
    pub one_of: Option<Vec<Value>>,
    /// Its value where none is given; required where there is no default.
    pub default: Option<Value>,
}

/// A step.
#[derive(Debug)]
pub struct StepPlan {
    /// Its id.
    pub id: StepId,
    /// Its title; the id where none is given.
    pub title: String,
    /// The block it stands in.
    pub block: BlockIx,
    /// The region it stands in.
    pub region: RegionIx,
    /// Its place in the region's data.
    pub slot: u32,
    /// What it waits for, all in its own block.
    pub waits_for: Vec<Edge>,
    /// What waits for it, all in its own block, in the order of the file.
    pub awaited_by: Vec<StepIx>,
    /// A condition.
    pub when: Option<Template>,
    /// How a failed attempt is repeated; the configured default where none is given.
    pub retry: Option<Retry>,
    /// Its time limit.
    pub timeout: Option<Duration>,
    /// What is kept out of records and logs.
    pub sensitive: Sensitive,
    /// Whether it, or anything in it, writes.
    pub effect: Effect,
    /// What it does.
    pub action: Action,
    /// What a step that holds a block yields.
    pub output: Option<Template>,
}

/// One thing a step waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The step waited for.
    pub step: StepIx,
    /// Why.
    pub because: Because,
    /// The outcomes that let the waiting step run.
    pub accepts: Accepts,
}

/// Why a step waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Its expressions mention it.
    Mentions,
    /// Its `after` names it.
    After,
    /// Both write, and writes keep their order. Besides what the edge accepts, it accepts a step skipped for another
    /// reason than a failure: a condition that is false must not stop the writes behind it.
    Order,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Calls an operation.
    Operation {
        /// The connection's name.
        connection: String,
        /// The operation.
        operation: OperationName,
        /// Its input.
        input: Template,
        /// Whether the operation writes.
        effect: Effect,
    },
    /// Runs another flow.
    Call {
        /// The flow.
        flow: FlowId,
        /// Its inputs.
        input: Template,
    },
    /// Runs a block.
    Scope {
        /// What no other scope may hold at the same time: one key, or a list.
        key: Option<Template>,
        /// The block.
        body: BlockIx,
    },
    /// Runs one of two blocks.
    If {
        /// The condition.
        condition: Template,
        /// Where it is true.
        then: BlockIx,
        /// Where it is false.
        otherwise: BlockIx,
    },
    /// Runs the block of the first equal case.
    Switch {
        /// The value.
        on: Template,
        /// The cases.
        cases: Vec<(Value, BlockIx)>,
        /// Where no case is equal.
        default: BlockIx,
    },
    /// Runs a block once per item.
    ForEach {
        /// The items.
        items: Template,
        /// How many rounds may run at once.
        parallel: u32,
        /// The body.
        body: BlockIx,
        /// The body's region.
        region: RegionIx,
    },
    /// Runs a block until a condition holds.
    Until {
        /// The condition, computed with the round's data.
        condition: Template,
        /// At most so many rounds.
        count: u32,
        /// At most so long.
        time: Duration,
        /// Whether reaching a limit fails the step.
        fail_at_limit: bool,
        /// The body.
        body: BlockIx,
        /// The body's region.
        region: RegionIx,
    },
    /// Names values.
    Let(Template),
    /// Turns a record into the other side's.
    Map {
        /// The mapping.
        mapping: Arc<Mapping>,
        /// Which side is given: 0 or 1.
        from: usize,
        /// Its record.
        record: Template,
    },
    /// Finds what must change.
    Compare {
        /// The mapping.
        mapping: Arc<Mapping>,
        /// Which side leads: 0 or 1.
        from: usize,
        /// The leading side's record.
        leading: Template,
        /// The following side's record.
        following: Template,
    },
    /// Finds what must change on either side.
    Merge {
        /// The mapping.
        mapping: Arc<Mapping>,
        /// Which side has news: 0 or 1.
        from: usize,
        /// The records, in the order of the mapping's sides.
        records: [Template; 2],
        /// What an earlier merge yielded as `agreed`.
        agreed: Option<Template>,
        /// When each record was last changed, in the same order.
        changed: [Option<Template>; 2],
    },
    /// Lets time pass: a duration as text.
    WaitFor(Template),
    /// Lets time pass until an instant as text.
    WaitUntil(Template),
    /// Answers whoever started the run.
    Respond {
        /// HTTP status.
        status: Option<Template>,
        /// HTTP headers.
        headers: Option<Template>,
        /// The answer.
        body: Option<Template>,
    },
    /// Ends the run.
    Stop {
        /// How.
        outcome: Outcome,
        /// A code.
        code: Option<Template>,
        /// A message.
        message: Option<Template>,
    },
}

impl Action {
    /// The word in YAML.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Operation { .. } => "use",
            Action::Call { .. } => "call",
            Action::Scope { .. } => "scope",
            Action::If { .. } => "if",
            Action::Switch { .. } => "switch",
            Action::ForEach { .. } => "for_each",
            Action::Until { .. } => "until",
            Action::Let(_) => "let",
            Action::Map { .. } => "map",
            Action::Compare { .. } => "compare",
            Action::Merge { .. } => "merge",
            Action::WaitFor(_) | Action::WaitUntil(_) => "wait",
            Action::Respond { .. } => "respond",
            Action::Stop { .. } => "stop",
        }
    }

    /// The blocks it holds.
    pub fn blocks(&self) -> Vec<BlockIx> {
        match self {
            Action::Scope { body, .. } => vec![*body],
            Action::If { then, otherwise, .. } => vec![*then, *otherwise],
            Action::Switch { cases, default, .. } => cases.iter().map(|(_, block)| *block).chain([*default]).collect(),
            Action::ForEach { body, .. } | Action::Until { body, .. } => vec![*body],
            _ => Vec::new(),
        }
    }
}

/// A block.
#[derive(Debug)]
pub struct BlockPlan {
    /// The step that holds it; none for the root.
    pub holder: Option<StepIx>,
    /// Its steps, in the order of the file.
    pub steps: Vec<StepIx>,
    /// The steps that no sibling waits for: its outcome follows from them.
    pub leaves: Vec<StepIx>,
}

/// A region.
#[derive(Debug)]
pub struct RegionPlan {
    /// The region around it; none for the root.
    pub outer: Option<RegionIx>,
    /// Its steps by slot.
    pub slots: Vec<StepIx>,
}

impl Plan {
    /// The step of this number.
    pub fn step(&self, step: StepIx) -> &StepPlan {
        &self.steps[step.0 as usize]
    }

    /// The block of this number.
    pub fn block(&self, block: BlockIx) -> &BlockPlan {
        &self.blocks[block.0 as usize]
    }

    /// The region of this number.
    pub fn region(&self, region: RegionIx) -> &RegionPlan {
        &self.regions[region.0 as usize]
    }

    /// The step of this id.
    pub fn find(&self, id: &str) -> Option<StepIx> {
        let at = self.steps.iter().position(|step| step.id.as_str() == id)?;
        u32::try_from(at).ok().map(StepIx)
    }

    /// Every mapping it uses, by name.
    pub fn mappings(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Map { mapping, .. } | Action::Compare { mapping, .. } | Action::Merge { mapping, .. } => {
                Some(mapping.name.as_str())
            }
            _ => None,
        })
    }

    /// Whether it answers whoever starts it, on one of its ways at least.
    pub fn responds(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Respond { .. }))
    }

    /// Every flow it calls.
    pub fn calls(&self) -> impl Iterator<Item = &FlowId> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Call { flow, .. } => Some(flow),
            _ => None,
        })
    }
}
