//! Journals with as many events and runs as are wanted, made faster than by having them happen.

#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cosell_compile::plan::StepIx;
use cosell_journal::Journal;
use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::core::event::{Address, Event, Happening};
use cosell_runtime::inbox::{Arrival, Entry, Inbox};
use cosell_runtime::keep::{Began, Keeper, Kept, Turn};
use cosell_runtime::record::{RunRecord, StepRecord};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// Events with equal keys go one at a time.
pub const KEYS: usize = 1000;

/// How many are handed over at once while filling.
const AT_ONCE: usize = 1000;

/// A folder that is gone in the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scale-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Takes in events that are to become runs, with numbers from `first` on; gives these runs and events.
pub async fn take_in(journal: &Journal, first: usize, events: usize) -> Vec<(String, Value)> {
    let mut taken = Vec::new();
    for from in (first..first + events).step_by(AT_ONCE) {
        let arrivals: Vec<Arrival> = (from..(from + AT_ONCE).min(first + events))
            .map(|n| {
                let key = format!("deal:{}", n % KEYS);
                let payload = json!({
                    "n": n, "key": key, "event": "referral-updated", "at": "2026-11-20T16:45:00Z",
                    "resource": format!("/engagements/v1/referrals/{n}"),
                });
                let run = Uuid::now_v7().to_string();
                let entry = Entry { flow: FlowId::new("job"), run, key: Some(key), payload, inputs: Value::Null };
                Arrival { entry, dedup: n.to_string(), unusable: None }
            })
            .collect();
        taken.extend(arrivals.iter().map(|arrival| (arrival.entry.run.clone(), arrival.entry.payload.clone())));
        assert!(journal.receive(arrivals, None).await.unwrap().iter().all(Option::is_some));
    }
    taken
}

/// Keeps so many runs that have ended, each with its event and its steps. One begins each second, the oldest at `first`, in
/// seconds since 1970.
pub async fn fill(journal: &Journal, runs: usize, first: i64) {
    for from in (0..runs).step_by(AT_ONCE) {
        let upto = (from + AT_ONCE).min(runs);
        let taken = take_in(journal, from, upto - from).await;
        for (n, (run, payload)) in (from..upto).zip(taken) {
            let at = Timestamp::from_second(first + i64::try_from(n).unwrap()).unwrap();
            let failed = n % 50 == 1;
            journal.began(Began {
                run: run.clone(),
                flow: FlowId::new("job"),
                version: "v".to_owned(),
                plan: 0,
                key: payload["key"].as_str().map(str::to_owned),
                trigger: payload,
                inputs: Value::Null,
                left_out: 0,
                life: 0,
                skipped: Vec::new(),
                at,
            });
            let step = |step| Address { frame: 0, step: StepIx(step) };
            let succeeded = |at| Happening::Succeeded { step: step(at), attempt: 1, output: json!({ "n": n }) };
            for (number, kind) in (0..).zip([Happening::Begun, succeeded(0), succeeded(1)]) {
                let steps = if number == 0 { Vec::new() } else { vec![step_record(n)] };
                let event = Kept { event: Event { at, kind }, hidden: false };
                journal.turned(Turn { run: run.clone(), life: 0, number, event, steps, claims: Vec::new() });
            }
            journal.ended(&RunRecord {
                id: run,
                flow: FlowId::new("job"),
                outcome: if failed { Outcome::Failed } else { Outcome::Succeeded },
                left_out: 0,
                output: Value::Null,
                failure: None,
                answer: None,
                began: at,
                took: Duration::from_secs(1),
            });
        }
        // Not more in memory than this.
        journal.flushed().await.unwrap();
    }
}

fn step_record(n: usize) -> StepRecord {
    StepRecord {
        path: "found".to_owned(),
        title: "Found".to_owned(),
        kind: "use".into(),
        target: Some("bench.read".to_owned()),
        outcome: Outcome::Succeeded,
        skipped: None,
        failure: None,
        input: Arc::new(json!({ "n": n })),
        output: Arc::new(json!({ "n": n })),
        attempts: 1,
        took: Duration::from_millis(80),
        requests: Vec::new(),
    }
}
