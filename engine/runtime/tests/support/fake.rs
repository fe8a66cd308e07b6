//! A connector, made with the connector kit, whose operations do what a test tells them; an engine over it ([`Bench`]);
//! and an observer that writes down everything it is told ([`Notes`]).

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "every test file takes what it needs")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cosell_compile::plan::Plan;
use cosell_compile::source::{Layer, SourceFile};
use cosell_model::{Catalogue, Effect, FlowId, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::{Observer, RunRecord, StepRecord};
use cosell_sdk::{CallContext, CallError, Connect, Connector, JsonSchema, Limits, Meaning, Operation, RequestRecord};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::support::twice;

/// What an operation is asked to do.
#[derive(Deserialize, JsonSchema)]
struct Input {
    /// A name, for the log and for answers given in advance.
    name: String,
    /// How many seconds it takes.
    #[serde(default)]
    takes: u64,
}

/// A call as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub name: String,
    pub key: uuid::Uuid,
    pub may_have_run: bool,
    /// Since the world began.
    pub after: Duration,
}

/// What lies behind the connection: answers given in advance, and a log of everything.
struct World {
    began: Instant,
    answers: HashMap<String, VecDeque<Result<Value, CallError>>>,
    /// Since the world began: between these two, no call works.
    down: Range<Duration>,
    seen: Vec<Seen>,
    /// `+a` where a call began, `-a` where it ended, `!a` where it was dropped before.
    log: Vec<String>,
}

/// All worlds by number: a connection is opened from settings, and these are plain data.
static WORLDS: LazyLock<Mutex<Vec<World>>> = LazyLock::new(Mutex::default);

fn worlds() -> MutexGuard<'static, Vec<World>> {
    WORLDS.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Fake {
    world: usize,
}

#[derive(Deserialize, JsonSchema)]
struct Settings {
    world: usize,
}

impl Connect for Fake {
    type Settings = Settings;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        Ok(Self { world: settings.world })
    }
}

/// Notes that a call is dropped before it has ended, as an abandoned one is.
struct Guard {
    world: usize,
    name: String,
    ended: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mark = if self.ended { '-' } else { '!' };
        worlds()[self.world].log.push(format!("{mark}{}", self.name));
    }
}

async fn act(fake: &Fake, input: Input, context: &CallContext) -> Result<Value, CallError> {
    let mut guard = Guard { world: fake.world, name: input.name.clone(), ended: false };
    let answer = {
        let world = &mut worlds()[fake.world];
        let (name, after) = (input.name.clone(), world.began.elapsed());
        world.seen.push(Seen { name, key: context.idempotency_key, may_have_run: context.may_have_run, after });
        world.log.push(format!("+{}", input.name));
        if world.down.contains(&after) {
            Some(Err(CallError::new(Meaning::Retry { after: None }, "down", "nobody is there")))
        } else {
            world.answers.get_mut(&input.name).and_then(VecDeque::pop_front)
        }
    };
    context.note(RequestRecord {
        method: "GET".to_owned(),
        url: input.name.clone(),
        status: Some(200),
        took: Duration::ZERO,
    });
    tokio::time::sleep(Duration::from_secs(input.takes)).await;
    guard.ended = true;
    answer.unwrap_or_else(|| Ok(json!({ "by": input.name })))
}

macro_rules! operation {
    ($type:ident, $name:literal, $effect:expr) => {
        struct $type;

        impl Operation for $type {
            type Connection = Fake;
            type Input = Input;
            type Output = Value;
            const NAME: &'static str = $name;
            const TITLE: &'static str = $name;
            const DESCRIPTION: &'static str = $name;
            const EFFECT: Effect = $effect;

            async fn call(fake: &Fake, input: Input, context: &CallContext) -> Result<Value, CallError> {
                act(fake, input, context).await
            }
        }
    };
}

operation!(Read, "read", Effect::Read);
operation!(Write, "write", Effect::Write);

fn connector() -> Connector {
    Connector::new::<Fake>("test", "Test", "Does as it is told").operation::<Read>().operation::<Write>().build()
}

fn plans(texts: &[&str]) -> BTreeMap<FlowId, Arc<Plan>> {
    let catalogue = Catalogue::new([connector().description().clone()]);
    let files =
        texts.iter().map(|text| SourceFile { path: "f".to_owned(), text: (*text).to_owned(), layer: Layer::Shipped });
    let compiled = cosell_compile::compile(files.collect(), &catalogue, &BTreeMap::new());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    compiled.plans
}

/// An engine with its world.
pub struct Bench {
    pub engine: Arc<Engine>,
    world: usize,
}

impl Bench {
    pub fn new(texts: &[&str]) -> Self {
        Self::with(texts, Limits::default(), |engine| engine)
    }

    /// A bench whose connection has limits, and whose engine is what `made` makes of it.
    pub fn with(texts: &[&str], limits: Limits, made: fn(Engine) -> Engine) -> Self {
        let world = {
            let mut worlds = worlds();
            worlds.push(World {
                began: Instant::now(),
                answers: HashMap::new(),
                down: Range::default(),
                seen: Vec::new(),
                log: Vec::new(),
            });
            worlds.len() - 1
        };
        let connection = connector().open(json!({ "world": world })).unwrap().with_limits(limits);
        let connections = BTreeMap::from([("test".to_owned(), connection)]);
        Self { engine: Arc::new(made(Engine::new(plans(texts), connections, twice()))), world }
    }

    pub fn answers(&self, name: &str, answers: impl IntoIterator<Item = Result<Value, CallError>>) {
        worlds()[self.world].answers.insert(name.to_owned(), answers.into_iter().collect());
    }

    /// Between these two minutes, no call works.
    pub fn is_down(&self, from: u64, to: u64) {
        worlds()[self.world].down = Duration::from_secs(60 * from)..Duration::from_secs(60 * to);
    }

    pub async fn run(&self) -> (RunRecord, Vec<StepRecord>) {
        let notes = Notes::default();
        let run = self.engine.run(&FlowId::new("f"), Start::default(), &notes).await;
        let steps = notes.0.into_inner().unwrap_or_else(PoisonError::into_inner).steps;
        (run, steps)
    }

    pub fn seen(&self) -> Vec<Seen> {
        worlds()[self.world].seen.clone()
    }

    pub fn log(&self) -> String {
        worlds()[self.world].log.join(" ")
    }

    pub fn elapsed(&self) -> Duration {
        worlds()[self.world].began.elapsed()
    }
}

/// Everything that an observer is told.
#[derive(Default)]
pub struct Notes(Mutex<Told>);

#[derive(Default)]
pub struct Told {
    pub lines: Vec<String>,
    pub steps: Vec<StepRecord>,
}

impl Notes {
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, depth: usize, line: String) {
        self.told().lines.push(format!("{}{line}", "  ".repeat(depth)));
    }
}

impl Observer for Notes {
    fn run_began(&self, _: &str, flow: &FlowId, depth: usize) {
        self.line(depth, format!("{flow} begins"));
    }

    fn step_ended(&self, _: &str, depth: usize, step: &StepRecord) {
        let target = step.target.as_deref().map_or(String::new(), |target| format!(" {target}"));
        let why = step.skipped.as_ref().map_or(String::new(), |why| format!(", {why}"));
        let line = format!("{} ({}{target}) {} at attempt {}{why}", step.path, step.kind, step.outcome, step.attempts);
        self.line(depth, line);
        self.told().steps.push(step.clone());
    }

    fn retrying(&self, _: &str, depth: usize, step: &str, next: u32, after: Duration, why: &str) {
        self.line(depth, format!("{step}: attempt {next} follows after {after:?}: {why}"));
    }

    fn connection_paused(&self, connection: &str, until: Timestamp, why: &str) {
        let pause = until.duration_since(Timestamp::now()).as_secs_f64().round();
        self.line(0, format!("{connection} pauses for {pause} s: {why}"));
    }

    fn connection_resumed(&self, connection: &str) {
        self.line(0, format!("{connection} goes on"));
    }

    fn run_ended(&self, depth: usize, run: &RunRecord) {
        let left_out = if run.left_out > 0 { format!(", {} left out", run.left_out) } else { String::new() };
        self.line(depth, format!("{} {}{left_out}", run.flow, run.outcome));
    }
}

pub fn step<'s>(steps: &'s [StepRecord], path: &str) -> &'s StepRecord {
    steps.iter().find(|step| step.path == path).unwrap_or_else(|| panic!("no record of {path}"))
}
