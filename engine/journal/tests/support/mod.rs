//! A connector whose writes are remembered by their idempotency key, and lives of an engine with it that end when
//! [`power`] fails.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "every test file takes what it needs")]

pub mod power;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cosell_compile::plan::Plan;
use cosell_compile::source::{Layer, SourceFile};
use cosell_journal::Journal;
use cosell_model::flow::{Backoff, Retry};
use cosell_model::{Catalogue, Effect, FlowId, Outcome, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::{Nobody, RunRecord};
use cosell_sdk::{CallContext, CallError, Connect, Connector, JsonSchema, Meaning, Operation};
use power::{Fuse, Powered};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

/// What lies behind the connection, which outlives the program.
#[derive(Default)]
pub struct World {
    pub calls: BTreeMap<Uuid, usize>,
    /// How often each write took effect.
    pub effects: BTreeMap<Uuid, usize>,
    /// Calls with these names are refused.
    pub broken: BTreeSet<String>,
    fuse: Option<Arc<Fuse>>,
}

static WORLDS: LazyLock<Mutex<Vec<World>>> = LazyLock::new(Mutex::default);

pub fn worlds() -> MutexGuard<'static, Vec<World>> {
    WORLDS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn new_world() -> usize {
    let mut worlds = worlds();
    worlds.push(World::default());
    worlds.len() - 1
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

/// A place where power can fail; then nothing comes back.
async fn point(world: usize) {
    let fuse = worlds()[world].fuse.clone();
    if fuse.is_some_and(|fuse| !fuse.pass()) {
        std::future::pending::<()>().await;
    }
}

/// How a call goes follows from its key: some are refused, some work at the second attempt, some lose their answer.
async fn act(fake: &Fake, input: Value, context: &CallContext, writes: bool) -> Result<Value, CallError> {
    let key = context.idempotency_key;
    point(fake.world).await;
    let fate = key.as_bytes()[15] % 12;
    let answer = {
        let world = &mut worlds()[fake.world];
        let calls = world.calls.entry(key).or_default();
        *calls += 1;
        let first = *calls == 1;
        let tame = input["tame"] == json!(true);
        let broken = input["name"].as_str().is_some_and(|name| world.broken.contains(name));
        match fate {
            _ if broken => Err(CallError::rejected("broken", "broken")),
            0 if !tame => Err(CallError::rejected("refused", "refused")),
            1 | 2 if first => Err(CallError::new(Meaning::Retry { after: None }, "busy", "busy")),
            fate => {
                let found = context.may_have_run && world.effects.contains_key(&key);
                if writes && !found {
                    *world.effects.entry(key).or_default() += 1;
                }
                if writes && fate == 3 && first {
                    Err(CallError::new(Meaning::OutcomeUnknown, "lost", "lost"))
                } else {
                    Ok(json!({ "by": key.to_string(), "secret": input["secret"], "rows": [1, 2, 3] }))
                }
            }
        }
    };
    point(fake.world).await;
    answer
}

macro_rules! operation {
    ($type:ident, $name:literal, $effect:expr) => {
        struct $type;

        impl Operation for $type {
            type Connection = Fake;
            type Input = Value;
            type Output = Value;
            const NAME: &'static str = $name;
            const TITLE: &'static str = $name;
            const DESCRIPTION: &'static str = $name;
            const EFFECT: Effect = $effect;

            async fn call(fake: &Fake, input: Value, context: &CallContext) -> Result<Value, CallError> {
                act(fake, input, context, $effect == Effect::Write).await
            }
        }
    };
}

operation!(Read, "read", Effect::Read);
operation!(Write, "write", Effect::Write);

fn connector() -> Connector {
    Connector::new::<Fake>("test", "Test", "Remembers").operation::<Read>().operation::<Write>().build()
}

/// The plans of these files; none where they do not compile.
pub fn plans(texts: &[&str]) -> Option<BTreeMap<FlowId, Arc<Plan>>> {
    let catalogue = Catalogue::new([connector().description().clone()]);
    let files =
        texts.iter().map(|text| SourceFile { path: "f".to_owned(), text: (*text).to_owned(), layer: Layer::Shipped });
    let compiled = cosell_compile::compile(files.collect(), &catalogue, &BTreeMap::new());
    (!compiled.has_errors()).then_some(compiled.plans)
}

/// An engine over these plans and this world, without waits between attempts.
pub fn engine(plans: &BTreeMap<FlowId, Arc<Plan>>, world: usize) -> Engine {
    let connection = connector().open(json!({ "world": world })).unwrap();
    let none = Duration::ZERO;
    let retry = Retry { count: 2, backoff: Backoff::Fixed, interval: none, minimum: none, maximum: none };
    Engine::new(plans.clone(), BTreeMap::from([("test".to_owned(), connection)]), retry)
}

/// How a run ended, as far as it must be the same however often power failed.
pub fn end(run: &RunRecord) -> (Outcome, Value, Option<String>) {
    (run.outcome, run.output.clone(), run.failure.as_ref().map(|failure| format!("{failure:?}")))
}

/// The run without any journal.
pub async fn undisturbed(plans: &BTreeMap<FlowId, Arc<Plan>>, world: usize) -> RunRecord {
    let engine = engine(plans, world);
    engine.begin("run-1".to_owned(), &FlowId::new("f"), None, Start::default(), &Nobody).await.unwrap()
}

/// One life of the program: takes up the run or begins it, and drives it until it ends or power fails.
pub async fn life(
    plans: &BTreeMap<FlowId, Arc<Plan>>,
    world: usize,
    file: &Path,
    (points, survive): (i64, usize),
) -> Option<RunRecord> {
    let (engine, fuse) = powered(plans, world, &Journal::open(file).unwrap(), (points, survive));
    let flow = FlowId::new("f");
    let run = engine.resume("run-1".to_owned(), &flow, None, Start::default(), &Nobody);
    tokio::select! {
        biased;
        () = fuse.blown() => None,
        run = run => Some(run.unwrap()),
    }
}

/// An engine that loses power after so many points.
fn powered(
    plans: &BTreeMap<FlowId, Arc<Plan>>,
    world: usize,
    journal: &Journal,
    (points, survive): (i64, usize),
) -> (Engine, Arc<Fuse>) {
    let fuse = Fuse::of(points);
    worlds()[world].fuse = Some(Arc::clone(&fuse));
    let reserved = journal.reader().reserved().unwrap();
    let keeper = Powered::new(journal.clone(), Arc::clone(&fuse), survive);
    let engine = engine(plans, world).kept_by(Arc::new(keeper), "1".to_owned(), Vec::new());
    engine.reserve(reserved);
    (engine, fuse)
}

/// One life of the program in which the run, which had failed, begins once more, or goes on where it has already.
pub async fn life_again(
    plans: &BTreeMap<FlowId, Arc<Plan>>,
    world: usize,
    file: &Path,
    power: (i64, usize),
    skipped: &[&str],
) -> Option<RunRecord> {
    let journal = Journal::open(file).unwrap();
    let begun = journal.reader().past("run-1").unwrap().unwrap().began.life > 0;
    let (engine, fuse) = powered(plans, world, &journal, power);
    drop(journal);
    let skipped: Vec<String> = skipped.iter().map(|step| (*step).to_owned()).collect();
    let flow = FlowId::new("f");
    let run = async {
        if begun {
            engine.resume("run-1".to_owned(), &flow, None, Start::default(), &Nobody).await
        } else {
            engine.revive("run-1", false, skipped, &Nobody).await
        }
    };
    tokio::select! {
        biased;
        () = fuse.blown() => None,
        run = run => Some(run.unwrap()),
    }
}
