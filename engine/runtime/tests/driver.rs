//! The driver in memory and the dispatcher, over a connector made with the connector kit. Time is tokio's, and stands
//! still until everything waits for it: an hour passes in no time, and what is measured is exact.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cosell_compile::plan::Plan;
use cosell_compile::source::{Layer, SourceFile};
use cosell_model::Outcome::{Failed, Succeeded, TimedOut};
use cosell_model::{Catalogue, Effect, FlowId, Value};
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::memory::{Engine, Start, idempotency_key};
use cosell_runtime::record::{Nobody, Observer, RunRecord, StepRecord};
use cosell_sdk::{
    CallContext, CallError, Connect, Connector, JsonSchema, Meaning, Operation, RequestRecord, TriggerEvent,
};
use serde::Deserialize;
use serde_json::json;
use support::{busy, error, flow, rejected, twice};
use tokio::time::Instant;

// A connector whose operations do what a test tells them.

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
struct Seen {
    name: String,
    key: uuid::Uuid,
    may_have_run: bool,
    after: Duration,
}

/// What lies behind the connection: answers given in advance, and a log of everything.
struct World {
    began: Instant,
    answers: HashMap<String, VecDeque<Result<Value, CallError>>>,
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
        world.answers.get_mut(&input.name).and_then(VecDeque::pop_front)
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
struct Bench {
    engine: Arc<Engine>,
    world: usize,
}

impl Bench {
    fn new(texts: &[&str]) -> Self {
        let world = {
            let mut worlds = worlds();
            worlds.push(World { began: Instant::now(), answers: HashMap::new(), seen: Vec::new(), log: Vec::new() });
            worlds.len() - 1
        };
        let connection = connector().open(json!({ "world": world })).unwrap();
        let connections = BTreeMap::from([("test".to_owned(), connection)]);
        Self { engine: Arc::new(Engine::new(plans(texts), connections, twice())), world }
    }

    fn answers(&self, name: &str, answers: impl IntoIterator<Item = Result<Value, CallError>>) {
        worlds()[self.world].answers.insert(name.to_owned(), answers.into_iter().collect());
    }

    async fn run(&self) -> (RunRecord, Vec<StepRecord>) {
        let notes = Notes::default();
        let run = self.engine.run(&FlowId::new("f"), Start::default(), &notes).await;
        let steps = notes.0.into_inner().unwrap_or_else(PoisonError::into_inner).steps;
        (run, steps)
    }

    fn seen(&self) -> Vec<Seen> {
        worlds()[self.world].seen.clone()
    }

    fn log(&self) -> String {
        worlds()[self.world].log.join(" ")
    }

    fn elapsed(&self) -> Duration {
        worlds()[self.world].began.elapsed()
    }
}

/// Everything that an observer is told.
#[derive(Default)]
struct Notes(Mutex<Told>);

#[derive(Default)]
struct Told {
    lines: Vec<String>,
    steps: Vec<StepRecord>,
}

impl Notes {
    fn told(&self) -> MutexGuard<'_, Told> {
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

    fn run_ended(&self, depth: usize, run: &RunRecord) {
        self.line(depth, format!("{} {}", run.flow, run.outcome));
    }
}

fn step<'s>(steps: &'s [StepRecord], path: &str) -> &'s StepRecord {
    steps.iter().find(|step| step.path == path).unwrap_or_else(|| panic!("no record of {path}"))
}

// Runs.

#[tokio::test(start_paused = true)]
async fn an_attempt_that_does_not_work_is_repeated_after_the_wait() {
    let bench = Bench::new(&[&flow("a: { use: test.write, with: { name: a, takes: 5 } }")]);
    bench.answers("a", [Err(busy()), Err(error(Meaning::OutcomeUnknown)), Ok(json!("made"))]);
    let (run, steps) = bench.run().await;
    assert_eq!(run.outcome, Succeeded);
    let seen: Vec<(u64, bool)> = bench.seen().iter().map(|seen| (seen.after.as_secs(), seen.may_have_run)).collect();
    assert_eq!(seen, [(0, false), (6, false), (12, true)], "5 seconds of work and one of waiting, each time");
    let record = step(&steps, "a");
    assert_eq!((record.attempts, record.requests.len(), &*record.output), (3, 3, &json!("made")));
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_attempts_are_used_up_fails_the_run() {
    let bench = Bench::new(&[&flow("a: { use: test.read, with: { name: a } }")]);
    bench.answers("a", [Err(busy()), Err(busy()), Err(busy())]);
    let (run, steps) = bench.run().await;
    assert_eq!((run.outcome, bench.seen().len(), step(&steps, "a").attempts), (Failed, 3, 3));
    assert_eq!(run.failure.and_then(|failure| failure.step).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_the_same_in_every_attempt_and_another_for_every_step_round_and_run() {
    let text = flow(
        "
        a: { use: test.write, with: { name: a } }
        b: { use: test.write, with: { name: b } }
        rows: { for_each: [1, 2], do: { c: { use: test.write, with: { name: c } } } }
        ",
    );
    let bench = Bench::new(&[&text]);
    bench.answers("a", [Err(busy()), Err(error(Meaning::OutcomeUnknown))]);
    let (first, _) = bench.run().await;
    bench.run().await;
    let seen = bench.seen();
    let of = |name: &str| seen.iter().filter(|seen| seen.name == name).map(|seen| seen.key).collect::<Vec<_>>();
    assert_eq!(of("a").len(), 4);
    assert!(of("a")[..3].iter().all(|key| *key == of("a")[0]), "three attempts, one key");
    let all: BTreeSet<_> = seen.iter().map(|seen| seen.key).collect();
    assert_eq!(all.len(), 8, "four calls in each of two runs");
    assert_eq!(of("c")[1], idempotency_key(&first.id, "rows[1]/c"), "a key can be computed again after a restart");
}

#[tokio::test(start_paused = true)]
async fn reads_run_side_by_side_and_writes_one_behind_the_other() {
    let text = flow(
        "
        r1: { use: test.read, with: { name: r1, takes: 3 } }
        w1: { use: test.write, with: { name: w1, takes: 2 } }
        w2: { use: test.write, with: { name: w2, takes: 2 } }
        r2: { use: test.read, with: { name: r2, takes: 1 } }
        ",
    );
    let bench = Bench::new(&[&text]);
    bench.run().await;
    assert_eq!(bench.log(), "+r1 +w1 +r2 -r2 -w1 +w2 -r1 -w2");
    assert_eq!(bench.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_drops_what_is_in_progress() {
    let bench = Bench::new(&[&flow("a: { use: test.read, with: { name: a, takes: 100 }, timeout: 7s }")]);
    let (run, steps) = bench.run().await;
    assert_eq!((run.outcome, step(&steps, "a").outcome), (TimedOut, TimedOut));
    assert_eq!((bench.log(), bench.elapsed()), ("+a !a".to_owned(), Duration::from_secs(7)));
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_of_a_scope_drops_what_is_in_progress_inside() {
    let bench = Bench::new(&[&flow(
        "s: { timeout: 7s, scope: { a: { use: test.read, with: { name: a, takes: 100 } }, w: { wait: 1h } } }\nb: { use: test.read, with: { name: b }, after: { s: [timed_out] } }",
    )]);
    let (run, _) = bench.run().await;
    assert_eq!((run.outcome, bench.log(), bench.elapsed().as_secs()), (Succeeded, "+a !a +b -b".to_owned(), 7));
}

#[tokio::test(start_paused = true)]
async fn a_run_does_not_wait_for_limits_that_no_longer_matter() {
    let bench = Bench::new(&[&flow("a: { use: test.read, with: { name: a }, timeout: 10h }")]);
    let (run, _) = bench.run().await;
    assert_eq!((run.outcome, bench.elapsed()), (Succeeded, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_wait_lets_time_pass() {
    let bench = Bench::new(&[&flow("w: { wait: 2h }\na: { use: test.write, with: { name: a } }")]);
    bench.run().await;
    assert_eq!(bench.seen()[0].after, Duration::from_secs(7200));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_configured_fails_with_what_to_do_about_it() {
    let bench = Bench::new(&[&flow("a: { use: test.read, connection: other, with: { name: a } }")]);
    let (run, _) = bench.run().await;
    insta::assert_snapshot!(run.failure.unwrap(), @"no connection `other` is configured; add it under `connections` in cosell.yaml (unknown_connection)");
    let unknown = bench.engine.run(&FlowId::new("nobody"), Start::default(), &Nobody).await;
    insta::assert_snapshot!(unknown.failure.unwrap(), @"there is no flow `nobody` that could run (unknown_flow)");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_inputs_do_not_fit_never_begins() {
    let bench = Bench::new(&[
        "flow: f\ntrigger: { use: manual, inputs: { id: text } }\nsteps: { a: { use: test.read, with: { name: a } } }\n",
    ]);
    let (run, steps) = bench.run().await;
    assert_eq!((run.outcome, steps.len(), bench.seen().len()), (Failed, 0, 0));
    assert_eq!(run.failure.map(|failure| failure.code).as_deref(), Some("wrong_inputs"));
}

#[tokio::test(start_paused = true)]
async fn a_run_knows_what_started_it_and_gives_its_answer_and_its_output() {
    let text = "
flow: f
trigger: { use: manual, inputs: { n: { type: integer, default: 2 } } }
steps: { r: { respond: { status: 201, headers: { x: y }, body: \"${{ trigger.t }}\" } } }
output: { n: \"${{ inputs.n }}\" }
";
    let bench = Bench::new(&[text]);
    let start = Start { trigger: json!({ "t": 1 }), inputs: json!({}) };
    let run = bench.engine.run(&FlowId::new("f"), start, &Nobody).await;
    assert_eq!((run.answer, run.output), (Some((201, json!({ "x": "y" }), json!(1))), json!({ "n": 2 })));
}

#[tokio::test(start_paused = true)]
async fn what_is_sensitive_is_used_and_kept_out_of_records() {
    let text = flow(
        "
        secret: { use: test.read, with: { name: secret }, sensitive: [output] }
        used: { use: test.read, with: { name: \"${{ steps.secret.token }}\" } }
        named: { let: { token: \"${{ steps.secret.token }}\" }, sensitive: true }
        open: { let: { x: 1 } }
        ",
    );
    let bench = Bench::new(&[&text]);
    bench.answers("secret", [Ok(json!({ "token": "s3cret" }))]);
    bench.answers("s3cret", [Ok(json!("fine"))]);
    let (_, steps) = bench.run().await;
    assert_eq!(bench.seen()[1].name, "s3cret", "the next step gets it");
    assert_eq!((&*step(&steps, "secret").output, &*step(&steps, "named").output), (&Value::Null, &Value::Null));
    assert_eq!(&*step(&steps, "open").output, &json!({ "x": 1 }));
    let written: Vec<Value> = ["secret", "named"].map(|path| serde_json::to_value(step(&steps, path)).unwrap()).into();
    assert!(!json!(written).to_string().contains("s3cret"));
}

const CHILD: &str = "
flow: child
trigger: { use: call, inputs: { id: text } }
steps: { a: { use: test.write, with: { name: \"${{ inputs.id }}\" } } }
output: { made: \"${{ steps.a.by }}\" }
";

#[tokio::test(start_paused = true)]
async fn a_flow_runs_another_and_gets_what_it_yields() {
    let parent = flow(
        "
        c1: { call: child, with: { id: x } }
        c2: { call: child, with: { id: \"${{ steps.c1.made }}\" } }
        a: { let: { made: \"${{ steps.c2.made }}\" } }
        ",
    );
    let bench = Bench::new(&[&parent, CHILD]);
    let (run, steps) = bench.run().await;
    assert_eq!(&*step(&steps, "c1").output, &json!({ "made": "x" }));
    let seen = bench.seen();
    assert_ne!(seen[0].key, seen[1].key, "the same step of the same flow, called from two steps");
    assert_eq!(seen[0].key, idempotency_key(&format!("{}/c1", run.id), "a"), "the key follows from the run that calls");
}

#[tokio::test(start_paused = true)]
async fn a_flow_fails_with_the_flow_it_calls() {
    let parent = flow(
        "c: { call: child, with: { id: x } }\nd: { call: child, with: { id: \"${{ 5 }}\" }, after: { c: [failed] } }",
    );
    let bench = Bench::new(&[&parent, CHILD]);
    bench.answers("x", [Err(rejected())]);
    let (run, steps) = bench.run().await;
    let code = |path: &str| step(&steps, path).failure.as_ref().map(|failure| failure.code.clone());
    assert_eq!(
        (code("c").as_deref(), code("d").as_deref(), run.outcome),
        (Some("broken"), Some("wrong_inputs"), Failed)
    );
}

#[tokio::test(start_paused = true)]
async fn a_called_flow_that_takes_too_long_is_dropped() {
    let slow = CHILD.replace("name: \"${{ inputs.id }}\"", "name: slow, takes: 100");
    let bench = Bench::new(&[&flow("c: { call: child, with: { id: x }, timeout: 3s }"), &slow]);
    let (run, _) = bench.run().await;
    assert_eq!((run.outcome, bench.log(), bench.elapsed().as_secs()), (TimedOut, "+slow !slow".to_owned(), 3));
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_everything_while_it_happens() {
    let parent = flow(
        "
        a: { use: test.read, with: { name: a } }
        c: { call: child, with: { id: x } }
        rows: { for_each: [1, 2], do: { r: { use: test.read, with: { name: r } } } }
        left: { if: false, then: { never: { let: { x: 1 } } } }
        d: { use: test.read, with: { name: d }, after: { c: [failed] } }
        ",
    );
    let bench = Bench::new(&[&parent, CHILD]);
    bench.answers("a", [Err(busy())]);
    let notes = Notes::default();
    bench.engine.run(&FlowId::new("f"), Start::default(), &notes).await;
    insta::assert_snapshot!(notes.told().lines.join("\n"), @r"
    f begins
    never (let) skipped at attempt 0, its branch was not taken
    left (if) succeeded at attempt 1
    a: attempt 2 follows after 1s: it does not work (broken)
      child begins
      a (use test.write) succeeded at attempt 1
      child succeeded
    c (call child) succeeded at attempt 1
    d (use test.read) skipped at attempt 0, `c` succeeded
    rows[0]/r (use test.read) succeeded at attempt 1
    rows[1]/r (use test.read) succeeded at attempt 1
    rows (for_each) succeeded at attempt 1
    a (use test.read) succeeded at attempt 2
    f succeeded
    ");
}

// From events to runs.

/// A flow that takes a second for each event, under the event's key, and wants no event that says so.
const KEYED: &str = "
flow: f
trigger: { use: http, when: \"${{ not trigger.unwanted }}\" }
key: ${{ trigger.key }}
steps: { a: { use: test.write, with: { name: \"${{ trigger.name }}\", takes: 1 } } }
";

fn event(name: &str, key: Value) -> TriggerEvent {
    TriggerEvent { payload: json!({ "name": name, "key": key }), dedup_key: name.to_owned() }
}

fn dispatcher(bench: &Bench) -> Dispatcher {
    Dispatcher::new(Arc::clone(&bench.engine), Arc::new(Nobody))
}

#[tokio::test(start_paused = true)]
async fn equal_keys_go_one_at_a_time_in_order_of_arrival_and_different_keys_side_by_side() {
    let bench = Bench::new(&[KEYED]);
    let dispatcher = dispatcher(&bench);
    for (name, key) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("b2", "b")] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, json!(key)));
    }
    assert_eq!(dispatcher.under_way(), 5, "those that wait count, too");
    dispatcher.idle().await;
    assert_eq!(bench.log(), "+a1 +b1 -a1 +a2 -b1 +b2 -a2 +a3 -b2 -a3");
    assert_eq!((dispatcher.under_way(), bench.elapsed()), (0, Duration::from_secs(3)));
}

#[tokio::test(start_paused = true)]
async fn runs_without_a_key_wait_for_nobody() {
    let bench = Bench::new(&[KEYED]);
    let dispatcher = dispatcher(&bench);
    for name in ["x", "y", "z"] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, Value::Null));
    }
    dispatcher.idle().await;
    assert_eq!(bench.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_holds_nobody_up() {
    let bench = Bench::new(&[KEYED]);
    bench.answers("a1", [Err(rejected())]);
    let dispatcher = dispatcher(&bench);
    for name in ["a1", "a2"] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, json!("a")));
    }
    dispatcher.idle().await;
    assert_eq!(bench.log(), "+a1 -a1 +a2 -a2");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_free_again_once_its_runs_have_ended() {
    let bench = Bench::new(&[KEYED]);
    let dispatcher = dispatcher(&bench);
    for name in ["a1", "a2"] {
        dispatcher.dispatch(&FlowId::new("f"), event(name, json!("a")));
        dispatcher.idle().await;
    }
    assert_eq!(bench.log(), "+a1 -a1 +a2 -a2");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_twice_starts_one_run_of_each_flow() {
    let other = KEYED.replace("flow: f", "flow: g");
    let bench = Bench::new(&[KEYED, &other]);
    let dispatcher = dispatcher(&bench);
    for flow in ["f", "f", "g"] {
        dispatcher.dispatch(&FlowId::new(flow), event("a", Value::Null));
    }
    dispatcher.idle().await;
    dispatcher.dispatch(&FlowId::new("f"), event("a", Value::Null));
    dispatcher.idle().await;
    assert_eq!(bench.log(), "+a +a -a -a");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_flow_does_not_want_starts_nothing() {
    let bench = Bench::new(&[KEYED]);
    let dispatcher = dispatcher(&bench);
    let unwanted = TriggerEvent { payload: json!({ "name": "a", "unwanted": true }), dedup_key: "1".to_owned() };
    dispatcher.dispatch(&FlowId::new("f"), unwanted);
    dispatcher.dispatch(&FlowId::new("nobody"), event("b", Value::Null));
    assert_eq!(dispatcher.under_way(), 0);
    dispatcher.idle().await;
    assert_eq!(bench.seen().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_key_or_condition_cannot_be_computed_starts_nothing() {
    for (from, to) in [("${{ trigger.key }}", "${{ 1 / trigger.zero }}"), ("not trigger.unwanted", "1 / trigger.zero")]
    {
        let bench = Bench::new(&[&KEYED.replace(from, to)]);
        let dispatcher = dispatcher(&bench);
        dispatcher.dispatch(&FlowId::new("f"), event("a", Value::Null));
        assert_eq!(dispatcher.under_way(), 0, "{to}");
    }
}
