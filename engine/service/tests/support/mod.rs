//! What the tests share: a connector whose web hook takes what it is told and whose trigger that asks counts, flows compiled from text, and an observer that
//! writes down what runs were started by.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "every test file takes what it needs")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use cosell_compile::source::{Layer, SourceFile};
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, Value};
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::memory::Engine;
use cosell_runtime::record::{Observer, RunRecord};
use cosell_sdk::settings::Secret;
use cosell_sdk::{
    CallError, Connect, Connector, Incoming, JsonSchema, Poll, PollTrigger, Refusal, TriggerEvent, WebhookTrigger,
};
use cosell_service::entrances::Entrances;
use cosell_service::hooks::{Hooks, Listening};
use serde::{Deserialize, Serialize};

struct Fake;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

impl Connect for Fake {
    type Settings = Nothing;

    fn connect(_: Nothing) -> Result<Self, CallError> {
        Ok(Self)
    }
}

struct Happened;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Payload {
    body: String,
}

impl WebhookTrigger for Happened {
    type Connection = Fake;
    type With = Nothing;
    type Payload = Payload;
    const NAME: &'static str = "happened";
    const TITLE: &'static str = "Happened";
    const DESCRIPTION: &'static str = "Something happened";

    async fn receive(_: &Fake, request: &Incoming) -> Result<Vec<(Payload, String)>, Refusal> {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        match &*body {
            "malformed" => Err(Refusal::Malformed(body)),
            "forged" => Err(Refusal::Unauthorized(body)),
            "undecided" => Err(Refusal::TryAgain(body)),
            _ => Ok(vec![(Payload { body: body.clone() }, body)]),
        }
    }

    fn wants(_: &Nothing, _: &Payload) -> bool {
        true
    }
}

struct Counted;

/// What is counted, and how often there is news of it.
#[derive(Deserialize, JsonSchema)]
struct Counting {
    of: String,
    news: u64,
}

impl PollTrigger for Counted {
    type Connection = Fake;
    type With = Counting;
    type Payload = Payload;
    const NAME: &'static str = "counted";
    const TITLE: &'static str = "Counted";
    const DESCRIPTION: &'static str = "Something was counted";

    async fn poll(_: &Fake, with: Counting, cursor: Option<Value>) -> Result<Poll, CallError> {
        let Some(count) = cursor.and_then(|cursor| cursor.as_u64()) else {
            return Ok(Poll { events: vec![], cursor: 0.into() });
        };
        let body = format!("{} {}", with.of, count + 1);
        let event = TriggerEvent { payload: serde_json::json!({ "body": body }), dedup_key: body };
        let events = if count < with.news { vec![event] } else { vec![] };
        Ok(Poll { events, cursor: (count + 1).into() })
    }
}

/// What each run yielded, in the order in which they ended.
#[derive(Default)]
pub struct Outputs(Mutex<Vec<Value>>);

impl Outputs {
    pub fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Outputs {
    fn run_ended(&self, _: usize, run: &RunRecord) {
        self.0.lock().unwrap().push(run.output.clone());
    }
}

/// A dispatcher over these flows, with room for so many runs.
pub fn dispatcher(texts: &[&str], room: usize) -> (Dispatcher, Arc<Outputs>) {
    let connector = Connector::new::<Fake>("test", "Test", "Does as it is told").webhook::<Happened>();
    let connector = connector.poll::<Counted>().build();
    let files =
        texts.iter().map(|text| SourceFile { path: "f".to_owned(), text: (*text).to_owned(), layer: Layer::Shipped });
    let catalogue = Catalogue::new([connector.description().clone()]);
    let compiled = cosell_compile::compile(files.collect(), &catalogue, &BTreeMap::new());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    let connections = BTreeMap::from([("test".to_owned(), connector.open(serde_json::json!({})).unwrap())]);
    let engine = Engine::new(compiled.plans, connections, Retry::NONE);
    let outputs = Arc::new(Outputs::default());
    (
        Dispatcher::with_room(Arc::new(engine), Arc::clone(&outputs) as _, Room { events: room, ..Room::default() }),
        outputs,
    )
}

/// The service over a dispatcher, and its address; every secret is `opensesame`.
pub async fn serve(dispatcher: &Dispatcher) -> (Hooks, String) {
    let secret = |_: &Value| Ok(Secret::from("opensesame".to_owned()));
    let entrances = Entrances::of(&dispatcher.engine(), secret).unwrap();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let hooks =
        Hooks::listen(loopback, dispatcher.clone(), Listening { entrances, ..Listening::default() }).await.unwrap();
    let address = hooks.url("test").trim_end_matches("/hooks/test").to_owned();
    (hooks, address)
}
