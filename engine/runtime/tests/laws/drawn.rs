//! Flows made at random, and their text.

#![allow(unreachable_pub, reason = "shared by the parts of one test")]

use std::collections::{BTreeMap, BTreeSet};

use cosell_model::Outcome::{self, Failed, Skipped, Succeeded, TimedOut};
use proptest::prelude::*;

// A flow as drawn: references are plain numbers until the whole flow is known.

#[derive(Clone, Debug)]
pub struct Drawn {
    pub kind: DrawnKind,
    pub after: Option<Vec<(u8, u8)>>,
    pub mentions: Vec<(u8, bool)>,
    pub when: DrawnWhen,
}

#[derive(Clone, Debug)]
pub enum DrawnKind {
    Operation { writes: bool, ends: [Ends; 3] },
    Let,
    Scope(Vec<Drawn>),
    If { holds: bool, then: Vec<Drawn>, otherwise: Vec<Drawn> },
    Switch { on: u8, cases: Vec<Vec<Drawn>>, default: Vec<Drawn> },
    ForEach { items: Option<u8>, parallel: u8, body: Vec<Drawn> },
    Until { rounds: u8, fail_at_limit: bool, body: Vec<Drawn> },
}

#[derive(Clone, Debug)]
pub enum DrawnWhen {
    Always,
    Never,
    /// Where a step mentioned ended so.
    Ended(u8, Outcome),
}

/// How an operation ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ends {
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

pub fn drawn_flow() -> impl Strategy<Value = Vec<Drawn>> {
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
pub struct Step {
    /// The blocks around it, from the outside in, each as (holder, number of the block).
    pub around: Vec<(usize, usize)>,
    /// The blocks it holds.
    pub blocks: Vec<Vec<usize>>,
    /// Whether its block is run in rounds.
    pub looped: bool,
    pub writes_itself: bool,
    pub after: Option<Vec<(usize, BTreeSet<u8>)>>,
    /// Steps mentioned: whether it is the outcome that is mentioned.
    pub mentions: Vec<(usize, bool)>,
    pub when: Option<When>,
}

#[derive(Clone, Debug)]
pub enum When {
    Never,
    Ended(usize, Outcome),
}

pub struct Flow {
    pub steps: Vec<Step>,
    pub kinds: Vec<DrawnKind>,
    pub root: Vec<usize>,
}

pub const NAMED: [Outcome; 4] = [Succeeded, Failed, Skipped, TimedOut];

impl Flow {
    pub fn of(drawn: &[Drawn]) -> Self {
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

    pub fn siblings(&self, at: usize) -> Vec<usize> {
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

    pub fn writes(&self, at: usize) -> bool {
        self.steps[at].writes_itself || self.steps[at].blocks.iter().flatten().any(|step| self.writes(*step))
    }

    /// `at` and everything in it.
    pub fn within(&self, at: usize) -> BTreeSet<usize> {
        let mut within = BTreeSet::from([at]);
        for step in self.steps[at].blocks.iter().flatten() {
            within.extend(self.within(*step));
        }
        within
    }

    pub fn text(&self) -> String {
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
