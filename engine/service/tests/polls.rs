//! Triggers that ask: which, when, and each from where it was.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use cosell_service::polls::Polls;
use support::dispatcher;
use tokio::time::Instant;

const BOTH: &str = "
flow: both
trigger:
  use: test.counted
  with: { of: quick, news: 3 }
  also: [test.happened, { use: test.counted, with: { of: slow, news: 2 }, every: 1m }]
steps: {}
output: ${{ trigger.body }}
";

#[tokio::test(start_paused = true)]
async fn everything_that_starts_a_flow_is_asked_at_its_own_pace_and_goes_on_from_its_own_place() {
    let (dispatcher, outputs) = dispatcher(&[BOTH], 100);
    let began = Instant::now();
    let polls = Polls::begin(&dispatcher, Duration::from_secs(1));
    polls.ready().await;
    let told_by = async |second: u64, expected: &[&str]| {
        tokio::time::sleep_until(began + Duration::from_secs(second)).await;
        assert_eq!(outputs.all(), expected, "after {second} s");
    };
    // 2 s behind the first look, which brings no news; then after 1 s each, as long as there is news.
    told_by(1, &[]).await;
    told_by(5, &["quick 1", "quick 2", "quick 3"]).await;
    told_by(59, &["quick 1", "quick 2", "quick 3"]).await;
    told_by(61, &["quick 1", "quick 2", "quick 3", "slow 1"]).await;
    told_by(130, &["quick 1", "quick 2", "quick 3", "slow 1", "slow 2"]).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_answers_has_them_asked_for_at_once() {
    let (dispatcher, outputs) = dispatcher(&[BOTH], 100);
    let polls = Polls::begin(&dispatcher, Duration::from_secs(3600));
    polls.ready().await;
    for _ in 0..2 {
        tokio::time::timeout(Duration::from_secs(1), polls.answered()).await.unwrap();
    }
    dispatcher.idle().await;
    assert_eq!(outputs.all(), ["quick 1", "quick 2"], "what has its own time keeps to it");
}
