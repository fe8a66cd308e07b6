//! Flows that the clock starts. Time is tokio's, and stands still until everything waits for it.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cosell_journal::Journal;
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::inbox::{Inbox, Position};
use cosell_service::schedules::{Clock, Schedules};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::dispatcher;
use tokio::time::{Instant, sleep};

const DAILY: &str = "
flow: daily
trigger: { use: schedule, with: { cron: \"30 9 * * *\", timezone: Europe/Amsterdam } }
steps: {}
output: ${{ trigger }}
";

const OFTEN: &str = "
flow: often
trigger: { use: schedule, with: { every: 15m } }
steps: {}
output: ${{ trigger }}
";

const MINUTE: u64 = 60;

/// A clock that goes with tokio's time, and can be put forward or back by so many seconds.
fn clock(start: &str) -> (Clock, Arc<AtomicI64>) {
    let (start, began): (Timestamp, _) = (start.parse().unwrap(), Instant::now());
    let put = Arc::new(AtomicI64::new(0));
    let by = Arc::clone(&put);
    let clock = move || start + began.elapsed() + SignedDuration::from_secs(by.load(Ordering::Relaxed));
    (Arc::new(clock), put)
}

fn on_time(time: &str) -> Value {
    json!({ "scheduled_at": time, "fired_at": time })
}

#[tokio::test(start_paused = true)]
async fn runs_begin_at_their_times() {
    let (dispatcher, outputs) = dispatcher(&[DAILY, OFTEN], 100);
    let (clock, _) = clock("2026-11-02T08:10:00Z");
    let _schedules = Schedules::begin(&dispatcher, &clock);
    sleep(Duration::from_secs(25 * MINUTE)).await;
    dispatcher.idle().await;
    let mut seen = outputs.all();
    seen.sort_by_key(Value::to_string);
    let times = ["2026-11-02T08:15:00Z", "2026-11-02T08:30:00Z", "2026-11-02T08:30:00Z"];
    assert_eq!(seen, times.map(on_time));
}

#[tokio::test(start_paused = true)]
async fn times_that_were_missed_become_one() {
    let (dispatcher, outputs) = dispatcher(&[OFTEN], 100);
    let (clock, put) = clock("2026-11-02T08:10:00Z");
    let _schedules = Schedules::begin(&dispatcher, &clock);
    sleep(Duration::from_secs(1)).await;
    // The machine sleeps for ten hours.
    put.store(10 * 3600, Ordering::Relaxed);
    sleep(Duration::from_secs(6 * MINUTE)).await;
    dispatcher.idle().await;
    let late = json!({ "scheduled_at": "2026-11-02T18:00:00Z", "fired_at": "2026-11-02T18:10:30Z" });
    assert_eq!(outputs.all(), [late, on_time("2026-11-02T18:15:00Z")]);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_version_left_off_where_todays_goes_on() {
    let (dispatcher, outputs) = dispatcher(&[DAILY, OFTEN], 100);
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(Journal::open(&folder.path().join("journal.db")).unwrap());
    for of in ["schedule daily 30 9 * * * Europe/Amsterdam", "schedule often every 900s"] {
        let position = Position { of: of.to_owned(), at: json!("2026-11-02T08:05:00Z") };
        journal.receive(Vec::new(), Some(position)).await.unwrap();
    }
    let dispatcher = Dispatcher::with_inbox(dispatcher.engine(), Arc::clone(&outputs) as _, journal, Room::default());
    let (clock, _) = clock("2026-11-02T08:40:00Z");
    let _schedules = Schedules::begin(&dispatcher, &clock);
    while outputs.all().len() < 2 {
        sleep(Duration::from_millis(10)).await;
    }
    let times: Vec<Value> = outputs.all().into_iter().map(|trigger| trigger["scheduled_at"].clone()).collect();
    assert_eq!(times, ["2026-11-02T08:30:00Z"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_brings_no_time_twice() {
    let (dispatcher, outputs) = dispatcher(&[OFTEN], 100);
    let (clock, put) = clock("2026-11-02T08:10:00Z");
    let _schedules = Schedules::begin(&dispatcher, &clock);
    sleep(Duration::from_secs(6 * MINUTE)).await;
    put.store(-600, Ordering::Relaxed);
    sleep(Duration::from_secs(20 * MINUTE)).await;
    dispatcher.idle().await;
    assert_eq!(outputs.all(), [on_time("2026-11-02T08:15:00Z")]);
    sleep(Duration::from_secs(5 * MINUTE)).await;
    dispatcher.idle().await;
    assert_eq!(outputs.all().len(), 2, "the next one comes when the clock shows its time");
}
