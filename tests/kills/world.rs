//! The two systems, and lives of the program between them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cosell_compile::plan::Plan;
use cosell_journal::Journal;
use cosell_model::FlowId;
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::inbox::Inbox;
use cosell_runtime::keep::{Keeper, NotKept};
use cosell_runtime::memory::Engine;
use cosell_sandbox::{Options, Sandbox};
use cosell_sdk::Connection;
use serde_json::{Value, json};

use crate::people::People;
use crate::power::{Fuse, Powered};
use crate::scene::News;
use crate::shipped::{self, retry};
use crate::watch::Watch;

/// How long a life may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a life ends.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// When nothing is left to do.
    AtRest,
    /// The same, and its commits are counted.
    Counted,
    /// At this point of commits that somebody waits for: each has one before it and one after it.
    Commit(u32),
    /// At this request, counted from 1: before its effect.
    Before(u32),
    /// After its effect, and before its answer.
    After(u32),
    /// When nothing is left to do; but something goes wrong with this request.
    Fault(u32, Value),
}

/// How a life was.
pub struct Life {
    /// It was ended before it came to rest.
    pub ended: bool,
    /// How many points of commits it passed; 0 where they were not counted.
    pub commits: u32,
}

/// The sandbox, the shipped flows, and connections that are signed in.
pub struct World {
    runtime: tokio::runtime::Runtime,
    _sandbox: Sandbox,
    plans: BTreeMap<FlowId, Arc<Plan>>,
    connections: BTreeMap<String, Connection>,
    folder: PathBuf,
    people: Arc<People>,
}

impl World {
    /// `name` is that of its folder.
    pub fn start(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(Options::default())).unwrap();
        let (plans, connections) = shipped::opened(sandbox.addresses());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let people = Arc::new(People::new(sandbox.addresses()));
        Self { connections, people, plans, _sandbox: sandbox, runtime, folder }
    }

    /// Everything anew, and nothing kept of before.
    pub fn reset(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        std::fs::create_dir_all(&self.folder).unwrap();
        self.with(async |people| people.control("POST", "/reset", &json!({})).await.unwrap());
    }

    /// Has people do something.
    pub fn with<T>(&self, work: impl AsyncFnOnce(&People) -> T) -> T {
        self.runtime.block_on(work(&self.people))
    }

    /// One life: takes up what there is, hears the news, and works until nothing is left to do or it is ended. What was
    /// acknowledged is taken out of the news.
    pub fn live(&self, end: &End, news: &mut Vec<News>) -> Result<Life, String> {
        let at = |number: &u32, action: &Value| json!([{ "name": "end", "nth": [number], "action": action }]);
        let (points, rules) = match end {
            End::AtRest | End::Counted => (i64::MAX, json!([])),
            End::Commit(point) => (i64::from(*point), json!([])),
            End::Before(number) => (i64::MAX, at(number, &json!("hold_before"))),
            End::After(number) => (i64::MAX, at(number, &json!("hold_after"))),
            End::Fault(number, action) => (i64::MAX, at(number, action)),
        };
        self.with(async |people| people.control("PUT", "/faults", &rules).await)?;
        let fuse = Fuse::of(points);
        let holding = matches!(end, End::Before(_) | End::After(_)).then(|| {
            let (people, fuse) = (Arc::clone(&self.people), Arc::clone(&fuse));
            self.runtime.spawn(async move {
                people.control("GET", "/faults/held", &Value::Null).await.unwrap();
                fuse.blow();
            })
        });
        let watch = Arc::new(Watch::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime
            .block_on(async { tokio::time::timeout(PATIENCE, self.lived(end, news, &fuse, Arc::clone(&watch))).await });
        // With it goes everything that was under way.
        drop(runtime);
        if let Some(holding) = holding {
            holding.abort();
        }
        self.with(async |people| people.control("DELETE", "/faults", &Value::Null).await)?;
        let ended = ended.unwrap_or_else(|_| Err(format!("nothing comes to rest within {PATIENCE:?}")));
        let ended = ended.map_err(|error| format!("{error}: {:?}", watch.failures()))?;
        Ok(Life { ended, commits: u32::try_from(fuse.passed(points)).unwrap_or_default() })
    }

    async fn lived(
        &self,
        end: &End,
        news: &mut Vec<News>,
        fuse: &Arc<Fuse>,
        watch: Arc<Watch>,
    ) -> Result<bool, String> {
        let kept = |error: NotKept| error.to_string();
        let journal = Journal::open(&self.journal()).map_err(kept)?;
        let reserved = journal.reader().reserved().map_err(kept)?;
        let (keeper, inbox): (Arc<dyn Keeper>, Arc<dyn Inbox>) = if matches!(end, End::AtRest | End::Fault(..)) {
            (Arc::new(journal.clone()), Arc::new(journal.clone()))
        } else {
            let powered = Arc::new(Powered::new(journal.clone(), Arc::clone(fuse), 0));
            (Arc::clone(&powered) as _, powered)
        };
        let mut connections = self.connections.clone();
        let state = json!({ "file": self.folder.join("state.jsonl") });
        connections.insert("state".to_owned(), cosell_state::connector().open(state).unwrap());
        let engine = Engine::new(self.plans.clone(), connections, retry());
        let engine = engine.kept_by(keeper, "1".to_owned(), Vec::new());
        engine.reserve(reserved);
        let dispatcher = Dispatcher::with_inbox(Arc::new(engine), watch, inbox, Room::default());
        let work = async {
            dispatcher.take_up().map_err(kept)?;
            while let Some(next) = news.first().cloned() {
                let taken = match next.inputs {
                    Some(inputs) => dispatcher.start(&next.flow, Value::Null, inputs).await.map(drop),
                    None => dispatcher.dispatch(&next.flow, next.event).await,
                };
                taken.map_err(kept)?;
                news.remove(0);
            }
            dispatcher.idle().await;
            // What waited in the journal enters by and by.
            while !journal.waiting(1).map_err(kept)?.is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
                dispatcher.idle().await;
            }
            Ok(false)
        };
        tokio::select! {
            biased;
            () = fuse.blown() => Ok(true),
            ended = work => ended,
        }
    }

    fn journal(&self) -> PathBuf {
        self.folder.join("journal.db")
    }

    /// The shipped flows.
    pub fn flows(&self) -> BTreeSet<String> {
        self.plans.keys().map(|flow| flow.as_str().to_owned()).collect()
    }

    /// Those that have run since everything began anew, called ones too.
    pub fn flows_run(&self) -> BTreeSet<String> {
        let journal = rusqlite::Connection::open(self.journal()).unwrap();
        let mut select = journal.prepare("SELECT DISTINCT flow FROM runs").unwrap();
        let flows = select.query_map([], |row| row.get(0)).unwrap();
        flows.collect::<Result<_, _>>().unwrap()
    }

    /// What is wrong with the journal when nothing is left to do.
    pub fn unsound(&self) -> Vec<String> {
        let journal = Journal::open(&self.journal()).unwrap();
        let mut wrong = journal.reader().check().unwrap();
        wrong.extend(journal.reader().under_way().unwrap().into_iter().map(|run| format!("run {run} has not ended")));
        wrong.extend(journal.reader().reserved().unwrap().into_iter().map(|keys| format!("still held: {keys:?}")));
        wrong.extend(journal.waiting(10).unwrap().into_iter().map(|waiting| format!("still waits: {waiting:?}")));
        wrong
    }
}
