//! More events than there is room for in memory: they wait in the journal, and become runs in order.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cosell_compile::source::{Layer, SourceFile};
use cosell_journal::Journal;
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, FlowId, Value};
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::inbox::{Arrival, Entry, Inbox};
use cosell_runtime::memory::Engine;
use cosell_runtime::record::{Observer, RunRecord};
use serde_json::json;

const EVENTS: usize = 2000;
const KEYS: usize = 40;
const ROOM: Room = Room { events: EVENTS, in_memory: 100, at_once: 16 };

const FLOW: &str = "
flow: f
trigger: manual
key: ${{ trigger.key }}
steps: {}
output: ${{ trigger }}
";

/// What became of events, in order, and the most that were ever in memory.
#[derive(Default)]
struct Notes {
    dispatcher: Mutex<Option<Dispatcher>>,
    ended: Mutex<Vec<Value>>,
    most: Mutex<usize>,
}

impl Observer for Notes {
    fn run_ended(&self, _: usize, run: &RunRecord) {
        let inside = self.dispatcher.lock().unwrap().as_ref().unwrap().under_way();
        let mut most = self.most.lock().unwrap();
        *most = inside.max(*most);
        self.ended.lock().unwrap().push(run.output.clone());
    }
}

fn arrival(n: usize) -> Arrival {
    let key = format!("deal:{}", n % KEYS);
    let payload = json!({ "n": n, "key": key });
    let entry = Entry { flow: FlowId::new("f"), run: format!("run-{n}"), key: Some(key), payload, inputs: Value::Null };
    Arrival { entry, dedup: n.to_string(), unusable: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_worked_off_once_in_order_and_through_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.sqlite")).unwrap();
    let arrivals = (0..EVENTS).map(arrival).collect();
    assert!(journal.receive(arrivals, None).await.unwrap().iter().all(Option::is_some));

    let file = SourceFile { path: "f".to_owned(), text: FLOW.to_owned(), layer: Layer::Shipped };
    let compiled = cosell_compile::compile(vec![file], &Catalogue::default(), &BTreeMap::new());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    let keeper = Arc::new(journal.clone());
    let engine = Engine::new(compiled.plans, BTreeMap::new(), Retry::NONE);
    let engine = Arc::new(engine.kept_by(keeper.clone(), "1".to_owned(), Vec::new()));
    let notes = Arc::new(Notes::default());
    let dispatcher = Dispatcher::with_inbox(engine, Arc::clone(&notes) as _, keeper, ROOM);
    *notes.dispatcher.lock().unwrap() = Some(dispatcher.clone());
    dispatcher.take_up().unwrap();
    let worked_off = async {
        while !journal.waiting(1).unwrap().is_empty() {
            dispatcher.idle().await;
            tokio::task::yield_now().await;
        }
        dispatcher.idle().await;
    };
    tokio::time::timeout(Duration::from_secs(120), worked_off).await.unwrap();

    let ended = notes.ended.lock().unwrap().clone();
    let numbers = |key: Option<&str>| -> Vec<u64> {
        let of_key = ended.iter().filter(|trigger| key.is_none_or(|key| trigger["key"] == key));
        of_key.map(|trigger| trigger["n"].as_u64().unwrap()).collect()
    };
    let mut all = numbers(None);
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..EVENTS as u64), "each becomes a run once: {} did", all.len());
    for key in 0..KEYS {
        assert!(numbers(Some(&format!("deal:{key}"))).is_sorted(), "those of a key go in order of arrival");
    }
    // Those that are just ending count, and have left the inbox.
    let most = *notes.most.lock().unwrap();
    assert!(most <= ROOM.in_memory + ROOM.at_once, "{most} were in memory at once");
    // Whoever runs is known to the dispatcher, and the other way round.
    *notes.dispatcher.lock().unwrap() = None;
}
