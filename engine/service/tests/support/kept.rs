//! A whole service on this machine: flows kept by a journal, a connector whose calls fail while it is told so, and the API.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use cosell_compile::source::{Layer, SourceFile};
use cosell_journal::Journal;
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, Effect, Value};
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::memory::Engine;
use cosell_sdk::settings::Secret;
use cosell_sdk::{CallContext, CallError, Connect, Connector, JsonSchema, Operation};
use cosell_service::api::Api;
use cosell_service::entrances::Entrances;
use cosell_service::hooks::{Hooks, Listening};
use cosell_service::watch::Watch;
use reqwest::{Client, Method, Response};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

/// What lies behind a connection.
#[derive(Default)]
pub struct World {
    /// Calls with these names fail.
    pub broken: BTreeSet<String>,
    /// The names of all calls that worked, in order.
    pub written: Vec<String>,
}

static WORLDS: LazyLock<Mutex<Vec<World>>> = LazyLock::new(Mutex::default);

struct Book {
    world: usize,
}

#[derive(Deserialize, JsonSchema)]
struct Settings {
    world: usize,
}

impl Connect for Book {
    type Settings = Settings;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        Ok(Self { world: settings.world })
    }
}

#[derive(Deserialize, JsonSchema)]
struct Line {
    name: String,
}

struct Write;

impl Operation for Write {
    type Connection = Book;
    type Input = Line;
    type Output = Value;
    const NAME: &'static str = "write";
    const TITLE: &'static str = "Write";
    const DESCRIPTION: &'static str = "Writes a line";
    const EFFECT: Effect = Effect::Write;

    async fn call(book: &Book, line: Line, _: &CallContext) -> Result<Value, CallError> {
        let world = &mut WORLDS.lock().unwrap()[book.world];
        if world.broken.contains(&line.name) {
            return Err(CallError::rejected("refused", format!("`{}` cannot be written", line.name)));
        }
        world.written.push(line.name.clone());
        Ok(json!({ "name": line.name }))
    }
}

/// A service that runs as long as this is there.
pub struct Service {
    pub dispatcher: Dispatcher,
    pub journal: Journal,
    pub address: String,
    world: usize,
    _hooks: Hooks,
    _folder: TempDir,
}

/// What callers must show.
pub const TOKEN: &str = "open-sesame";

/// Serves these flows.
pub async fn service(texts: &[&str], token: Option<&str>) -> Service {
    let connector = Connector::new::<Book>("book", "Book", "Keeps lines").operation::<Write>().build();
    let files =
        texts.iter().map(|text| SourceFile { path: "f".to_owned(), text: (*text).to_owned(), layer: Layer::Shipped });
    let catalogue = Catalogue::new([connector.description().clone()]);
    let compiled = cosell_compile::compile(files.collect(), &catalogue, &BTreeMap::new());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    let world = {
        let mut worlds = WORLDS.lock().unwrap();
        worlds.push(World::default());
        worlds.len() - 1
    };
    let connections = BTreeMap::from([("book".to_owned(), connector.open(json!({ "world": world })).unwrap())]);
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let keeper = Arc::new(journal.clone());
    let engine = Engine::new(compiled.plans, connections, Retry::NONE).kept_by(
        Arc::clone(&keeper) as _,
        "1".to_owned(),
        Vec::new(),
    );
    let watch = Watch::default();
    let dispatcher = Dispatcher::with_inbox(Arc::new(engine), Arc::new(watch.clone()), keeper, Room::default());
    let entrances = Entrances::of(&dispatcher.engine(), |_| Ok(Secret::from(TOKEN.to_owned()))).unwrap();
    let token = token.map(|token| Secret::from(token.to_owned()));
    let api = Api::new(dispatcher.clone(), &journal, &watch, token).unwrap();
    let how = Listening { entrances, api: Some(Arc::new(api)), ..Listening::default() };
    let hooks = Hooks::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), dispatcher.clone(), how).await.unwrap();
    let address = hooks.origin();
    Service { dispatcher, journal, address, world, _hooks: hooks, _folder: folder }
}

impl Service {
    pub fn world(&self) -> Guard {
        Guard(WORLDS.lock().unwrap(), self.world)
    }

    /// Asks with the token; `body` is sent where it is not null.
    pub async fn send(&self, method: Method, path: &str, body: Value) -> Response {
        let request = Client::new().request(method, format!("{}{path}", self.address)).bearer_auth(TOKEN);
        let request = if body.is_null() { request } else { request.json(&body) };
        request.send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Value {
        let response = self.send(Method::GET, &format!("/api/v1{path}"), Value::Null).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Does something to a run: the status, and the run's id or what is wrong.
    pub async fn post(&self, path: &str, body: Value) -> (u16, String) {
        let response = self.send(Method::POST, &format!("/api/v1{path}"), body).await;
        let (status, body) = (response.status().as_u16(), response.json::<Value>().await.unwrap());
        (status, body["run"].as_str().or(body["detail"].as_str()).unwrap().to_owned())
    }

    /// Starts a run of `flow`, waits until nothing is under way, and gives the run's id.
    pub async fn run(&self, flow: &str, begin: Value) -> String {
        let (status, run) = self.post(&format!("/flows/{flow}/runs"), begin).await;
        assert_eq!(status, 202, "{run}");
        self.dispatcher.idle().await;
        run
    }
}

/// A world, while nobody else changes one.
pub struct Guard(MutexGuard<'static, Vec<World>>, usize);

impl std::ops::Deref for Guard {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0[self.1]
    }
}

impl std::ops::DerefMut for Guard {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0[self.1]
    }
}
