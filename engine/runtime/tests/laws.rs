//! What holds for every flow, whatever its shape and in whatever order things happen.
//!
//! Flows are made at random: nested blocks and loops with random `after` sets, mentions, conditions and writes. What a
//! run does is held against an oracle that shares no code with the engine: it follows the reference by plain recursion.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use cosell_compile::plan::{Because, Plan};
use cosell_model::Outcome::{self, Failed, Skipped, Succeeded, TimedOut};
use cosell_model::Value;
use cosell_runtime::core::event::{Command, Consequences, Event, Happening, Timer};
use proptest::prelude::*;
use serde_json::json;
use support::{Pending, Run, busy, compile_files, plan_of, rejected, twice};

// A flow as drawn: references are plain numbers until the whole flow is known.

#[derive(Clone, Debug)]
struct Drawn {
    kind: DrawnKind,
    after: Option<Vec<(u8, u8)>>,
    mentions: Vec<(u8, bool)>,
    when: DrawnWhen,
}

#[derive(Clone, Debug)]
enum DrawnKind {
    Operation { writes: bool, ends: [Ends; 3] },
    Let,
    Scope(Vec<Drawn>),
    If { holds: bool, then: Vec<Drawn>, otherwise: Vec<Drawn> },
    Switch { on: u8, cases: Vec<Vec<Drawn>>, default: Vec<Drawn> },
    ForEach { items: Option<u8>, parallel: u8, body: Vec<Drawn> },
    Until { rounds: u8, fail_at_limit: bool, body: Vec<Drawn> },
}

#[derive(Clone, Debug)]
enum DrawnWhen {
    Always,
    Never,
    /// Where a step mentioned ended so.
    Ended(u8, Outcome),
}

/// How an operation ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    Well,
    Rejected,
    TooLate,
    WellAtSecond,
    BusyForever,
}

fn ends() -> impl Strategy<Value = Ends> {
    prop_oneof![
        5 => Just(Ends::Well),
        2 => Just(Ends::Rejected),
        1 => Just(Ends::TooLate),
        1 => Just(Ends::WellAtSecond),
        1 => Just(Ends::BusyForever),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Succeeded), Just(Failed), Just(Skipped), Just(TimedOut)]
}

fn drawn_block(
    kind: impl Strategy<Value = DrawnKind> + Clone + 'static,
    most: usize,
) -> impl Strategy<Value = Vec<Drawn>> {
    let when = prop_oneof![
        6 => Just(DrawnWhen::Always),
        1 => Just(DrawnWhen::Never),
        2 => (any::<u8>(), outcome()).prop_map(|(step, outcome)| DrawnWhen::Ended(step, outcome)),
    ];
    let after = prop_oneof![
        3 => Just(None),
        2 => prop::collection::vec((any::<u8>(), 1u8..16), 0..3).prop_map(Some),
    ];
    let mentions = prop::collection::vec((any::<u8>(), any::<bool>()), 0..2);
    let step = (kind, after, mentions, when);
    let step = step.prop_map(|(kind, after, mentions, when)| Drawn { kind, after, mentions, when });
    prop::collection::vec(step, 0..=most)
}

fn drawn_flow() -> impl Strategy<Value = Vec<Drawn>> {
    let leaf = prop_oneof![
        6 => (any::<bool>(), [ends(), ends(), ends()]).prop_map(|(writes, ends)| DrawnKind::Operation { writes, ends }),
        1 => Just(DrawnKind::Let),
    ];
    let kind = leaf.prop_recursive(3, 24, 4, |inner| {
        let block = || drawn_block(inner.clone(), 3);
        let body = || drawn_block(inner.clone(), 3).prop_filter("a loop does something", |body| !body.is_empty());
        prop_oneof![
            3 => inner.clone(),
            2 => block().prop_map(DrawnKind::Scope),
            2 => (any::<bool>(), block(), block())
                .prop_map(|(holds, then, otherwise)| DrawnKind::If { holds, then, otherwise }),
            1 => (0u8..3, prop::collection::vec(block(), 2), block())
                .prop_map(|(on, cases, default)| DrawnKind::Switch { on, cases, default }),
            2 => (prop::option::weighted(0.9, 0u8..4), 1u8..3, body())
                .prop_map(|(items, parallel, body)| DrawnKind::ForEach { items, parallel, body }),
            1 => (1u8..4, any::<bool>(), body())
                .prop_map(|(rounds, fail_at_limit, body)| DrawnKind::Until { rounds, fail_at_limit, body }),
        ]
    });
    drawn_block(kind, 5)
}

// The same flow with names: what the oracle and the text are made from.

#[derive(Clone, Debug, Default)]
struct Step {
    /// The blocks around it, from the outside in, each as (holder, number of the block).
    around: Vec<(usize, usize)>,
    /// The blocks it holds.
    blocks: Vec<Vec<usize>>,
    /// Whether its block is run in rounds.
    looped: bool,
    writes_itself: bool,
    after: Option<Vec<(usize, BTreeSet<u8>)>>,
    /// Steps mentioned: whether it is the outcome that is mentioned.
    mentions: Vec<(usize, bool)>,
    when: Option<When>,
}

#[derive(Clone, Debug)]
enum When {
    Never,
    Ended(usize, Outcome),
}

struct Flow {
    steps: Vec<Step>,
    kinds: Vec<DrawnKind>,
    root: Vec<usize>,
}

const NAMED: [Outcome; 4] = [Succeeded, Failed, Skipped, TimedOut];

impl Flow {
    fn of(drawn: &[Drawn]) -> Self {
        let mut flow = Flow { steps: Vec::new(), kinds: Vec::new(), root: Vec::new() };
        let mut all = Vec::new();
        flow.root = flow.add(drawn, &[], &mut all);
        for (at, drawn) in all.iter().enumerate() {
            flow.tie(at, drawn);
        }
        flow
    }

    fn add(&mut self, drawn: &[Drawn], around: &[(usize, usize)], all: &mut Vec<Drawn>) -> Vec<usize> {
        let mut block = Vec::new();
        for drawn in drawn {
            let at = self.steps.len();
            block.push(at);
            all.push(drawn.clone());
            self.kinds.push(drawn.kind.clone());
            self.steps.push(Step { around: around.to_vec(), ..Step::default() });
            let (held, looped): (Vec<&Vec<Drawn>>, bool) = match &drawn.kind {
                DrawnKind::Scope(block) => (vec![block], false),
                DrawnKind::If { then, otherwise, .. } => (vec![then, otherwise], false),
                DrawnKind::Switch { cases, default, .. } => (cases.iter().chain([default]).collect(), false),
                DrawnKind::ForEach { body, .. } | DrawnKind::Until { body, .. } => (vec![body], true),
                DrawnKind::Operation { writes, .. } => {
                    self.steps[at].writes_itself = *writes;
                    (Vec::new(), false)
                }
                DrawnKind::Let => (Vec::new(), false),
            };
            self.steps[at].looped = looped;
            for (number, held) in held.into_iter().enumerate() {
                let mut around = around.to_vec();
                around.push((at, number));
                let steps = self.add(held, &around, all);
                self.steps[at].blocks.push(steps);
            }
        }
        block
    }

    /// Gives meaning to the numbers drawn: `after` takes any sibling, now and then a later one; a mention takes any
    /// earlier step that can be mentioned.
    fn tie(&mut self, at: usize, drawn: &Drawn) {
        let siblings: Vec<usize> = self.siblings(at).into_iter().filter(|sibling| *sibling != at).collect();
        let earlier: Vec<usize> = siblings.iter().copied().filter(|sibling| *sibling < at).collect();
        let visible: Vec<usize> = (0..at).filter(|other| self.can_mention(at, *other)).collect();
        let pick = |from: &[usize], number: u8| (!from.is_empty()).then(|| from[number as usize % from.len()]);
        self.steps[at].after = drawn.after.as_ref().map(|after| {
            let mut set: BTreeMap<usize, BTreeSet<u8>> = BTreeMap::new();
            for (number, accepts) in after {
                let from = if *number >= 248 { &siblings } else { &earlier };
                if let Some(step) = pick(from, *number) {
                    set.insert(step, (0..4).filter(|bit| accepts & (1 << bit) != 0).collect());
                }
            }
            set.into_iter().collect()
        });
        let mentions = drawn.mentions.iter().filter_map(|(number, outcome)| Some((pick(&visible, *number)?, *outcome)));
        self.steps[at].mentions = mentions.collect();
        self.steps[at].when = match &drawn.when {
            DrawnWhen::Always => None,
            DrawnWhen::Never => Some(When::Never),
            DrawnWhen::Ended(number, outcome) => pick(&visible, *number).map(|step| When::Ended(step, *outcome)),
        };
        if let Some(When::Ended(step, _)) = self.steps[at].when {
            self.steps[at].mentions.push((step, true));
        }
    }

    fn siblings(&self, at: usize) -> Vec<usize> {
        match self.steps[at].around.last() {
            None => self.root.clone(),
            Some((holder, number)) => self.steps[*holder].blocks[*number].clone(),
        }
    }

    /// Whether `other`, an earlier step, can be mentioned: it does not hold `at`, lies in no other branch beside it, and
    /// in no loop that is not around `at` as well.
    fn can_mention(&self, at: usize, other: usize) -> bool {
        let (here, there) = (&self.steps[at].around, &self.steps[other].around);
        let holds = here.iter().any(|(holder, _)| *holder == other);
        let other_branch = here.iter().any(|(holder, number)| there.iter().any(|(h, n)| h == holder && n != number));
        let in_loop =
            there.iter().any(|(holder, _)| self.steps[*holder].looped && !here.iter().any(|(h, _)| h == holder));
        !holds && !other_branch && !in_loop
    }

    fn writes(&self, at: usize) -> bool {
        self.steps[at].writes_itself || self.steps[at].blocks.iter().flatten().any(|step| self.writes(*step))
    }

    /// `at` and everything in it.
    fn within(&self, at: usize) -> BTreeSet<usize> {
        let mut within = BTreeSet::from([at]);
        for step in self.steps[at].blocks.iter().flatten() {
            within.extend(self.within(*step));
        }
        within
    }

    fn text(&self) -> String {
        let mut text = "flow: f\ntrigger: manual\nsteps:\n".to_owned();
        self.write_block(&self.root, 1, &mut text);
        text
    }

    fn write_block(&self, block: &[usize], depth: usize, text: &mut String) {
        let pad = "  ".repeat(depth);
        for at in block {
            let step = &self.steps[*at];
            let mut mentions: Vec<String> = Vec::new();
            for (other, outcome) in &step.mentions {
                mentions.push(if *outcome { format!("outcomes.s{other}.outcome") } else { format!("steps.s{other}") });
            }
            text.push_str(&format!("{pad}s{at}:\n"));
            let mut line = |line: String| text.push_str(&format!("{pad}  {line}\n"));
            if let Some(after) = &step.after {
                let after: Vec<String> = after
                    .iter()
                    .map(|(other, accepts)| {
                        let words: Vec<&str> = accepts.iter().map(|bit| NAMED[*bit as usize].as_str()).collect();
                        format!("s{other}: [{}]", words.join(", "))
                    })
                    .collect();
                line(if after.is_empty() {
                    "after: []".to_owned()
                } else {
                    format!("after: {{ {} }}", after.join(", "))
                });
            }
            // Mentions stand where a step of the kind can have them: in its condition, so that every kind can.
            let truth = match &step.when {
                None => "true".to_owned(),
                Some(When::Never) => "false".to_owned(),
                Some(When::Ended(other, outcome)) => format!("outcomes.s{other}.outcome == '{outcome}'"),
            };
            if step.when.is_some() || !mentions.is_empty() {
                let idle: String = mentions.iter().map(|mention| format!("({mention} or true) and ")).collect();
                line(format!("when: \"${{{{ {idle}({truth}) }}}}\""));
            }
            if !step.blocks.is_empty() {
                // What yields nothing cannot be mentioned.
                line("output: { n: 1 }".to_owned());
            }
            match &self.kinds[*at] {
                DrawnKind::Operation { writes, .. } => {
                    line(format!("use: test.{}", if *writes { "write" } else { "read" }));
                    line("timeout: 1h".to_owned());
                }
                DrawnKind::Let => line(format!("let: {{ n: {at} }}")),
                DrawnKind::Scope(_) => line("scope:".to_owned()),
                DrawnKind::If { holds, .. } => line(format!("if: {holds}")),
                DrawnKind::Switch { on, .. } => line(format!("switch: {on}")),
                DrawnKind::ForEach { items, parallel, .. } => {
                    let list = |items: u8| format!("{:?}", (0..items).collect::<Vec<_>>());
                    let items = items.map_or("\"${{ trigger.nothing }}\"".to_owned(), list);
                    line(format!("for_each: {items}"));
                    line(format!("parallel: {parallel}"));
                }
                DrawnKind::Until { rounds, fail_at_limit, .. } => {
                    // Half of them end by their condition, half by their limit.
                    let condition = if *rounds == 2 { "\"${{ index >= 1 }}\"" } else { "false" };
                    line(format!("until: {condition}"));
                    line(format!("limit: {{ count: {rounds} }}"));
                    line(format!("fail_at_limit: {fail_at_limit}"));
                }
            }
            match &self.kinds[*at] {
                DrawnKind::Scope(_) => self.write_block(&step.blocks[0], depth + 2, text),
                DrawnKind::If { .. } => {
                    for (key, block) in ["then", "else"].iter().zip(&step.blocks) {
                        text.push_str(&format!("{pad}  {key}:\n"));
                        self.write_block(block, depth + 2, text);
                    }
                }
                DrawnKind::Switch { .. } => {
                    text.push_str(&format!("{pad}  cases:\n"));
                    for (number, block) in step.blocks[..2].iter().enumerate() {
                        text.push_str(&format!("{pad}    {number}:\n"));
                        self.write_block(block, depth + 3, text);
                    }
                    text.push_str(&format!("{pad}  default:\n"));
                    self.write_block(&step.blocks[2], depth + 2, text);
                }
                DrawnKind::ForEach { .. } | DrawnKind::Until { .. } => {
                    text.push_str(&format!("{pad}  do:\n"));
                    self.write_block(&step.blocks[0], depth + 2, text);
                }
                DrawnKind::Operation { .. } | DrawnKind::Let => {}
            }
        }
    }
}

// The oracle.

#[derive(Clone, Debug, PartialEq)]
struct Tie {
    accepts: BTreeSet<u8>,
    /// It is there only to keep the order of writes.
    order: bool,
}

/// What each step waits for, straight from the three rules.
fn ties(flow: &Flow) -> Vec<BTreeMap<usize, Tie>> {
    let mut ties = Vec::new();
    for at in 0..flow.steps.len() {
        let mut mine: BTreeMap<usize, Tie> = BTreeMap::new();
        let inside = flow.within(at);
        for sibling in flow.siblings(at).into_iter().filter(|sibling| *sibling != at) {
            let there = flow.within(sibling);
            let mentions = inside.iter().flat_map(|step| &flow.steps[*step].mentions);
            let kinds: BTreeSet<bool> = mentions.filter(|(other, _)| there.contains(other)).map(|(_, o)| *o).collect();
            if !kinds.is_empty() {
                let needs_output = kinds.contains(&false);
                let accepts = if needs_output { BTreeSet::from([0]) } else { BTreeSet::from([0, 1, 2, 3]) };
                mine.insert(sibling, Tie { accepts, order: false });
            }
        }
        for (sibling, accepts) in flow.steps[at].after.iter().flatten() {
            mine.insert(*sibling, Tie { accepts: accepts.clone(), order: false });
        }
        if flow.writes(at) && flow.steps[at].after.is_none() {
            // The nearest earlier write, and those with an `after` of their own that stand between.
            for sibling in flow.siblings(at).into_iter().rev().filter(|sibling| *sibling < at && flow.writes(*sibling))
            {
                mine.entry(sibling).or_insert(Tie { accepts: BTreeSet::from([0]), order: true });
                if flow.steps[sibling].after.is_none() {
                    break;
                }
            }
        }
        ties.push(mine);
    }
    ties
}

fn has_cycle(ties: &[BTreeMap<usize, Tie>]) -> bool {
    let mut left: BTreeSet<usize> = (0..ties.len()).collect();
    loop {
        let free: Vec<usize> = left.iter().copied().filter(|at| ties[*at].keys().all(|t| !left.contains(t))).collect();
        if free.is_empty() {
            return !left.is_empty();
        }
        left.retain(|at| !free.contains(at));
    }
}

/// How everything ends, by path.
struct Oracle<'f> {
    flow: &'f Flow,
    ties: Vec<BTreeMap<usize, Tie>>,
    ended: BTreeMap<String, Outcome>,
    /// Skipped with a failure behind it.
    stopped: BTreeSet<String>,
}

/// How an operation ends in a round: rounds differ, so that loops see more than one outcome.
fn ends_of(ends: &[Ends; 3], path: &str) -> Ends {
    let rounds: usize = path.split(['[', ']']).skip(1).step_by(2).filter_map(|n| n.parse::<usize>().ok()).sum();
    ends[rounds % 3]
}

impl Oracle<'_> {
    /// Runs a block to its end; `prefix` names its round.
    fn block(&mut self, block: &[usize], prefix: &str) -> Outcome {
        let mut left: Vec<usize> = block.to_vec();
        while !left.is_empty() {
            let path = |at: &usize| format!("{prefix}s{at}");
            let at = left.iter().position(|at| self.ties[*at].keys().all(|tie| self.ended.contains_key(&path(tie))));
            let at = left.remove(at.expect("there is no cycle"));
            self.step(at, prefix);
        }
        self.block_outcome(block, prefix)
    }

    fn step(&mut self, at: usize, prefix: &str) {
        let path = format!("{prefix}s{at}");
        let ties = self.ties[at].clone();
        let refusing: Vec<String> = ties
            .iter()
            .map(|(before, tie)| (format!("{prefix}s{before}"), tie))
            .filter(|(before, tie)| {
                let outcome = self.ended[before];
                let accepted = tie.accepts.iter().any(|bit| NAMED[*bit as usize] == outcome);
                let harmless = tie.order && outcome == Skipped && !self.stopped.contains(before);
                !accepted && !harmless
            })
            .map(|(before, _)| before)
            .collect();
        if !refusing.is_empty() {
            let failure = refusing
                .iter()
                .any(|before| matches!(self.ended[before], Failed | TimedOut) || self.stopped.contains(before));
            if failure {
                self.stopped.insert(path.clone());
            }
            return self.skip(at, prefix);
        }
        let wanted = match &self.flow.steps[at].when {
            None => true,
            Some(When::Never) => false,
            Some(When::Ended(other, outcome)) => self.ended[&self.seen(at, *other, prefix)] == *outcome,
        };
        if !wanted {
            return self.skip(at, prefix);
        }
        let blocks = self.flow.steps[at].blocks.clone();
        let branch = |this: &mut Self, taken: usize| {
            for (_, block) in blocks.iter().enumerate().filter(|(number, _)| *number != taken) {
                block.iter().for_each(|step| this.skip(*step, prefix));
            }
            this.block(&blocks[taken], prefix)
        };
        let outcome = match &self.flow.kinds[at] {
            DrawnKind::Operation { ends, .. } => match ends_of(ends, &path) {
                Ends::Well | Ends::WellAtSecond => Succeeded,
                Ends::Rejected | Ends::BusyForever => Failed,
                Ends::TooLate => TimedOut,
            },
            DrawnKind::Let => Succeeded,
            DrawnKind::Scope(_) => branch(self, 0),
            DrawnKind::If { holds, .. } => branch(self, usize::from(!*holds)),
            DrawnKind::Switch { on, .. } => branch(self, *on as usize),
            DrawnKind::ForEach { items: None, .. } => Failed,
            DrawnKind::ForEach { items: Some(items), .. } => {
                let rounds: Vec<Outcome> =
                    (0..*items).map(|n| self.block(&blocks[0], &format!("{path}[{n}]/"))).collect();
                worst(rounds)
            }
            DrawnKind::Until { rounds, fail_at_limit, .. } => {
                let last = (0..*rounds).map(|n| self.block(&blocks[0], &format!("{path}[{n}]/"))).last();
                let by_condition = *rounds == 2;
                if *fail_at_limit && !by_condition { Failed } else { last.expect("it makes a round") }
            }
        };
        self.ended.insert(path, outcome);
    }

    /// The path of `other` as `at` sees it: in the round of whatever loops lie around both.
    fn seen(&self, at: usize, other: usize, prefix: &str) -> String {
        let loops =
            |step: usize| self.flow.steps[step].around.iter().filter(|(h, _)| self.flow.steps[*h].looped).count();
        let rounds: Vec<&str> = prefix.split_inclusive('/').collect();
        debug_assert_eq!(rounds.len(), loops(at));
        format!("{}s{other}", rounds[..loops(other)].concat())
    }

    /// A step is skipped, and with it all that is in it; a loop has no rounds then.
    fn skip(&mut self, at: usize, prefix: &str) {
        self.ended.insert(format!("{prefix}s{at}"), Skipped);
        if !self.flow.steps[at].looped {
            self.flow.steps[at].blocks.iter().flatten().for_each(|step| self.skip(*step, prefix));
        }
    }

    /// The leaf rule as the reference words it: replace skipped leaves by their predecessors until none is left.
    fn block_outcome(&self, block: &[usize], prefix: &str) -> Outcome {
        let awaited: BTreeSet<usize> = block.iter().flat_map(|at| self.ties[*at].keys().copied()).collect();
        let mut leaves: BTreeSet<usize> = block.iter().copied().filter(|at| !awaited.contains(at)).collect();
        let ended = |at: &usize| self.ended[&format!("{prefix}s{at}")];
        while let Some(skipped) = leaves.iter().copied().find(|at| ended(at) == Skipped) {
            leaves.remove(&skipped);
            leaves.extend(self.ties[skipped].keys());
        }
        worst(leaves.iter().map(ended))
    }
}

fn worst(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
    [Failed, TimedOut].into_iter().find(|bad| outcomes.contains(bad)).unwrap_or(Succeeded)
}

// Running.

/// Runs to the end; `choices` say which of the things in progress happens next.
fn run(flow: &Flow, plan: &std::sync::Arc<Plan>, choices: &[u16]) -> Run {
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
        Pending::Flow(_) => None,
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
fn compiled(flow: &Flow) -> Option<std::sync::Arc<Plan>> {
    let text = flow.text();
    if !has_cycle(&ties(flow)) {
        return Some(plan_of(&[&text]));
    }
    let codes: Vec<&str> = compile_files(&[&text]).diagnostics.iter().map(|finding| finding.code).collect();
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
