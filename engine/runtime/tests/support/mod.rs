//! What the tests of the engine share: a catalogue with one connector, flows compiled from text, and a scripted driver
//! ([`Run`]) that feeds `advance` whatever outcomes a test chooses, in whatever order.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "every test file takes what it needs")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cosell_compile::plan::Plan;
use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{Compilation, compile};
use cosell_model::catalogue::{ConnectorDescription, Limits, OperationDescription};
use cosell_model::flow::{Backoff, Retry};
use cosell_model::outcome::SkipReason;
use cosell_model::{Catalogue, Effect, Failure, FlowId, Outcome, Severity, Value};
use cosell_runtime::core::advance::advance;
use cosell_runtime::core::event::{Address, Command, Consequences, Ended, Event, Happening, IllegalEvent, Timer};
use cosell_runtime::core::state::RunState;
use cosell_sdk::{CallError, Meaning};
use jiff::Timestamp;
use serde_json::json;

/// The connector `test` with the operations `read` and `write`, which take and give anything.
pub fn catalogue() -> Catalogue {
    let operation = |name: &str, effect| OperationDescription {
        name: name.to_owned(),
        title: name.to_owned(),
        description: String::new(),
        effect,
        input: json!({}),
        output: json!({}),
        example: json!({}),
        finds_out: None,
    };
    Catalogue::new([ConnectorDescription {
        name: "test".to_owned(),
        title: "Test".to_owned(),
        description: String::new(),
        settings: json!({}),
        operations: vec![operation("read", Effect::Read), operation("write", Effect::Write)],
        triggers: Vec::new(),
        limits: Limits::default(),
    }])
}

/// Compiles files against [`catalogue`].
pub fn compile_files(texts: &[&str]) -> Compilation {
    let file = |(number, text): (usize, &&str)| SourceFile {
        path: format!("{number}.yaml"),
        text: (*text).to_owned(),
        layer: Layer::Shipped,
    };
    compile(texts.iter().enumerate().map(file).collect(), &catalogue(), &BTreeMap::new())
}

/// The codes of all errors in these files, in the order of the text.
pub fn codes(texts: &[&str]) -> Vec<&'static str> {
    let compiled = compile_files(texts);
    let errors = compiled.diagnostics.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.code).collect()
}

/// The plans of these files, which must be without errors.
pub fn plans(texts: &[&str]) -> BTreeMap<FlowId, Arc<Plan>> {
    let compiled = compile_files(texts);
    let errors: Vec<String> = compiled
        .diagnostics
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| {
            let (line, column) = compiled.sources.line_column(finding.primary.span);
            format!("{line}:{column} {}: {}", finding.code, finding.message)
        })
        .collect();
    assert!(errors.is_empty(), "{}\nin\n{}", errors.join("\n"), texts.join("\n---\n"));
    compiled.plans
}

/// A flow called `f`, from its steps alone; they may be indented as the test likes.
pub fn flow(steps: &str) -> String {
    let steps = steps.trim_matches('\n');
    let margin = steps.len() - steps.trim_start_matches(' ').len();
    let mut text = "flow: f\ntrigger: manual\nsteps:\n".to_owned();
    for line in steps.lines() {
        text.push_str(&format!("  {}\n", line.get(margin..).unwrap_or_default()));
    }
    text
}

/// The plan of the flow `f` in these files.
pub fn plan_of(texts: &[&str]) -> Arc<Plan> {
    Arc::clone(&plans(texts)[&FlowId::new("f")])
}

/// The plan of a flow that consists of these steps.
pub fn plan(steps: &str) -> Arc<Plan> {
    plan_of(&[&flow(steps)])
}

/// What every test begins at.
pub fn midnight() -> Timestamp {
    "2026-11-02T00:00:00Z".parse().unwrap()
}

/// Two more attempts, a second apart.
pub fn twice() -> Retry {
    let second = Duration::from_secs(1);
    Retry { count: 2, backoff: Backoff::Fixed, interval: second, minimum: second, maximum: second }
}

/// An error of this meaning.
pub fn error(meaning: Meaning) -> CallError {
    CallError::new(meaning, "broken", "it does not work")
}

/// An error that is not repeated.
pub fn rejected() -> CallError {
    error(Meaning::Rejected)
}

/// An error after which the same call may work.
pub fn busy() -> CallError {
    error(Meaning::Retry { after: None })
}

/// Something in progress outside the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Pending {
    /// An attempt of an operation.
    Attempt(Address, u32),
    /// A called flow.
    Flow(Address),
    /// A scope that waits for its keys.
    Keys(Address),
    /// A timer.
    Timer(Address, Timer, Timestamp),
}

impl Pending {
    /// The step it is in progress for.
    pub fn step(&self) -> Address {
        match self {
            Pending::Attempt(step, _) | Pending::Flow(step) | Pending::Keys(step) | Pending::Timer(step, ..) => *step,
        }
    }
}

/// What a test lets happen to a step.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Its attempt works, and yields this.
    Yields(Value),
    /// Its attempt does not work.
    Error(CallError),
    /// Its time limit passes first.
    TooLate,
}

/// A run under a test's control. Every event is checked against what must hold at all times: no step ends twice, and
/// nothing follows the end of the run.
pub struct Run {
    pub plan: Arc<Plan>,
    pub state: RunState,
    pub now: Timestamp,
    /// All events so far, all commands so far, all steps that have ended.
    pub events: Vec<Event>,
    pub commands: Vec<Command>,
    pub ended: Vec<Ended>,
    pub pending: Vec<Pending>,
}

impl Run {
    /// A run that has not begun.
    pub fn new(plan: &Arc<Plan>, trigger: Value, inputs: Value, retry: Retry) -> Self {
        Self {
            plan: Arc::clone(plan),
            state: RunState::new("run-1", trigger, inputs, retry),
            now: midnight(),
            events: Vec::new(),
            commands: Vec::new(),
            ended: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Begins a run of a plan, without trigger, inputs or retries.
    pub fn of(plan: &Arc<Plan>) -> Self {
        let mut run = Self::new(plan, Value::Null, json!({}), Retry::NONE);
        run.feed(Happening::Begun);
        run
    }

    /// Begins a run of a flow that consists of these steps.
    pub fn begin(steps: &str) -> Self {
        Self::of(&plan(steps))
    }

    /// Begins a run of these steps, in which attempts are repeated twice.
    pub fn begin_with_retry(steps: &str) -> Self {
        let mut run = Self::new(&plan(steps), Value::Null, json!({}), twice());
        run.feed(Happening::Begun);
        run
    }

    /// Feeds an event, which must be legal, and gives what follows from it.
    pub fn feed(&mut self, kind: Happening) -> Consequences {
        self.try_feed(kind.clone()).unwrap_or_else(|illegal| panic!("{illegal}: {kind:?}"))
    }

    /// Feeds an event.
    pub fn try_feed(&mut self, kind: Happening) -> Result<Consequences, IllegalEvent> {
        let event = Event { at: self.now, kind };
        let mut out = Consequences::default();
        let was_over = self.state.outcome().is_some();
        advance(&self.plan, &mut self.state, event.clone(), &mut out)?;
        assert!(!was_over || out == Consequences::default(), "something follows the end of the run: {out:?}");
        self.events.push(event.clone());
        self.forget(&event.kind);
        for ended in &out.ended {
            let path = self.path(ended.step);
            assert!(self.ended.iter().all(|known| known.step != ended.step), "`{path}` ended twice");
            self.ended.push(ended.clone());
        }
        for command in &out.commands {
            let finishes = |command: &Command| matches!(command, Command::Finish { .. });
            assert!(!self.commands.iter().any(finishes), "{command:?} follows the end of the run");
            match command {
                Command::Call { step, attempt, .. } => self.pending.push(Pending::Attempt(*step, *attempt)),
                Command::CallFlow { step, .. } => self.pending.push(Pending::Flow(*step)),
                Command::Acquire { step, .. } => self.pending.push(Pending::Keys(*step)),
                Command::SetTimer { step, timer, after } => {
                    self.pending.push(Pending::Timer(*step, *timer, self.now + *after));
                }
                Command::Abandon { step } => self.pending.retain(|pending| pending.step() != *step),
                Command::Finish { .. } => self.pending.clear(),
                Command::Respond { .. } | Command::Release { .. } => {}
            }
            self.commands.push(command.clone());
        }
        let over: Vec<Address> = self.ended.iter().map(|ended| ended.step).collect();
        self.pending.retain(|pending| !over.contains(&pending.step()));
        Ok(out)
    }

    fn forget(&mut self, kind: &Happening) {
        self.pending.retain(|pending| match (pending, kind) {
            (
                Pending::Attempt(step, attempt),
                Happening::Succeeded { step: s, attempt: a, .. } | Happening::Failed { step: s, attempt: a, .. },
            ) => (step, attempt) != (s, a),
            (Pending::Flow(step), Happening::FlowEnded { step: s, .. })
            | (Pending::Keys(step), Happening::Acquired { step: s }) => step != s,
            (Pending::Timer(step, timer, _), Happening::TimerFired { step: s, timer: t }) => (step, timer) != (s, t),
            _ => true,
        });
    }

    /// The place of a step, as people write it.
    pub fn path(&self, step: Address) -> String {
        self.state.path(&self.plan, step)
    }

    /// The paths of the operations and flows in progress, in the order in which they were started.
    pub fn in_progress(&self) -> Vec<String> {
        let running = self.pending.iter().filter(|pending| !matches!(pending, Pending::Timer(..)));
        running.map(|pending| self.path(pending.step())).collect()
    }

    /// The step at this path, which something is in progress for.
    pub fn at(&self, path: &str) -> Address {
        let found = self.pending.iter().map(Pending::step).find(|step| self.path(*step) == path);
        found.unwrap_or_else(|| panic!("nothing is in progress for `{path}`, only for {:?}", self.pending))
    }

    fn attempt(&self, path: &str) -> (Address, u32) {
        let step = self.at(path);
        let attempt = self.pending.iter().find_map(|pending| match pending {
            Pending::Attempt(at, attempt) if *at == step => Some(*attempt),
            _ => None,
        });
        (step, attempt.unwrap_or_else(|| panic!("no attempt of `{path}` is in progress")))
    }

    /// The current attempt of the step at `path` works.
    pub fn succeed(&mut self, path: &str, output: Value) -> Consequences {
        let (step, attempt) = self.attempt(path);
        self.feed(Happening::Succeeded { step, attempt, output })
    }

    /// The same for several steps, which yield nothing of interest.
    pub fn succeed_all(&mut self, paths: &[&str]) {
        for path in paths {
            self.succeed(path, json!({ "from": path }));
        }
    }

    /// The current attempt of the step at `path` does not work.
    pub fn fail(&mut self, path: &str, error: CallError) -> Consequences {
        let (step, attempt) = self.attempt(path);
        self.feed(Happening::Failed { step, attempt, error })
    }

    /// A timer of the step at `path` runs down, at the time it was set to.
    pub fn fire(&mut self, path: &str, timer: Timer) -> Consequences {
        let step = self.at(path);
        let due = self.pending.iter().find_map(|pending| match pending {
            Pending::Timer(at, set, due) if *at == step && *set == timer => Some(*due),
            _ => None,
        });
        self.now = due.unwrap_or_else(|| panic!("`{path}` has no timer {timer:?}")).max(self.now);
        self.feed(Happening::TimerFired { step, timer })
    }

    /// The flow that the step at `path` calls ends.
    pub fn flow_ended(
        &mut self,
        path: &str,
        outcome: Outcome,
        output: Value,
        failure: Option<Failure>,
    ) -> Consequences {
        let step = self.at(path);
        self.feed(Happening::FlowEnded { step, outcome, output, failure })
    }

    /// Time passes.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Lets the operation at `path` end as `answer` says.
    pub fn answer(&mut self, path: &str, answer: Answer) {
        match answer {
            Answer::Yields(output) => self.succeed(path, output),
            Answer::Error(error) => self.fail(path, error),
            Answer::TooLate => self.fire(path, Timer::Timeout),
        };
    }

    /// Answers what is in progress, the oldest first, until nothing is. What has no answer works.
    pub fn answer_all(&mut self, answers: &[(&str, Answer)]) -> &mut Self {
        while let Some(path) = self.in_progress().first().cloned() {
            let given = answers.iter().find(|(at, _)| *at == path).map(|(_, answer)| answer.clone());
            self.answer(&path, given.unwrap_or(Answer::Yields(json!({ "from": path }))));
        }
        self
    }

    /// How the step at `path` ended.
    pub fn outcome(&self, path: &str) -> Option<Outcome> {
        self.end_of(path).map(|ended| ended.outcome)
    }

    /// The end of the step at `path`.
    pub fn end_of(&self, path: &str) -> Option<&Ended> {
        self.ended.iter().find(|ended| self.path(ended.step) == path)
    }

    /// Why the step at `path` was skipped, as people read it.
    pub fn skipped(&self, path: &str) -> Option<String> {
        self.end_of(path)?.skipped.as_ref().map(SkipReason::to_string)
    }

    /// What the step at `path` yielded.
    pub fn output(&self, path: &str) -> Value {
        self.end_of(path).and_then(|ended| ended.output.as_deref().cloned()).unwrap_or_default()
    }

    /// Why the step at `path` failed: code and innermost step.
    pub fn failure(&self, path: &str) -> Option<(&str, &str)> {
        let failure = self.end_of(path)?.failure.as_deref()?;
        Some((&failure.code, failure.step.as_deref().unwrap_or_default()))
    }

    /// How the run ended, with its output and failure.
    pub fn finished(&self) -> Option<(Outcome, &Value, Option<&Failure>)> {
        self.commands.iter().find_map(|command| match command {
            Command::Finish { outcome, output, failure } => Some((*outcome, output, failure.as_ref())),
            _ => None,
        })
    }

    /// How the run ended.
    pub fn run_outcome(&self) -> Option<Outcome> {
        assert_eq!(self.finished().map(|(outcome, ..)| outcome), self.state.outcome());
        self.state.outcome()
    }

    /// The input that the step at `path` was last called with.
    pub fn input(&self, path: &str) -> Value {
        let input = self.commands.iter().rev().find_map(|command| match command {
            Command::Call { step, input, .. } if self.path(*step) == path => Some((**input).clone()),
            Command::CallFlow { step, input } if self.path(*step) == path => Some(input.clone()),
            _ => None,
        });
        input.unwrap_or_else(|| panic!("`{path}` was not called"))
    }

    /// Everything known of the run, to compare.
    pub fn known(&self) -> String {
        format!("{:?}", self.state)
    }
}

/// The end of an operation that fails.
pub fn fails() -> Answer {
    Answer::Error(rejected())
}

/// The end of an operation whose time limit passes.
pub fn times_out() -> Answer {
    Answer::TooLate
}

/// The calls among commands: path and attempt.
pub fn calls(run: &Run, out: &Consequences) -> Vec<(String, u32)> {
    let call = |command: &Command| match command {
        Command::Call { step, attempt, .. } => Some((run.path(*step), *attempt)),
        _ => None,
    };
    out.commands.iter().filter_map(call).collect()
}
