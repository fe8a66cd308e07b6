//! Sends events, and takes down how long each job takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use crate::IN_FLIGHT;
use crate::contestant::Contestant;
use crate::stub::Stub;

/// Events before anything is measured: connections are made, caches warm.
const WARM: usize = 200;

/// What was measured of a contestant.
#[derive(Default)]
pub(crate) struct Figures {
    /// From sending an event to the arrival of the request that ends its job, one at a time.
    pub(crate) alone: Vec<Duration>,
    /// Jobs a second, with so many events in flight, in each round.
    pub(crate) per_second: BTreeMap<usize, Vec<f64>>,
    /// Processor time a job, in each round.
    pub(crate) processor: Vec<f64>,
    /// Memory when started and at most, in megabytes.
    pub(crate) idle: f64,
    pub(crate) peak: f64,
}

impl Figures {
    /// The time that such a part of the jobs sent one at a time took at most.
    pub(crate) fn alone(&self, part: f64) -> f64 {
        let mut times: Vec<f64> = self.alone.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        times[(times.len() as f64 * part) as usize]
    }
}

/// Has both contestants work by turns, so that whatever else the machine does meets both: in each round on so many events
/// at 256 in flight, and on fewer with fewer.
pub(crate) async fn contest(names: [&str; 2], rounds: usize, events: usize) -> [Figures; 2] {
    let stub = Stub::start().await;
    let system = format!("http://{}", stub.address);
    let contestants = names.map(|name| Contestant::start(name, &system));
    let mut figures = [(); 2].map(|()| Figures::default());
    let senders = [0, 1].map(|at| {
        figures[at].idle = contestants[at].memory("VmRSS");
        let (url, client) = (contestants[at].url.clone(), reqwest::Client::new());
        Arc::new(Sender { stub: stub.clone(), name: names[at].to_owned(), url, client, sent: AtomicUsize::new(0) })
    });
    for sender in &senders {
        send(sender, WARM.min(events), 32).await;
    }
    for round in 0..rounds {
        let mut processor = [Duration::ZERO; 2];
        let mut all = 0;
        for (in_flight, part) in IN_FLIGHT {
            let count = events / part;
            all += count;
            for at in [round % 2, 1 - round % 2] {
                let before = contestants[at].processor();
                let (times, took) = send(&senders[at], count, in_flight).await;
                // What is kept after the last request counts too, and must not go into the other's time.
                sleep(Duration::from_millis(200)).await;
                processor[at] += contestants[at].processor() - before;
                match in_flight {
                    1 => figures[at].alone.extend(times),
                    _ => figures[at].per_second.entry(in_flight).or_default().push(count as f64 / took.as_secs_f64()),
                }
            }
        }
        for (figures, took) in figures.iter_mut().zip(processor) {
            figures.processor.push(took.as_secs_f64() * 1e3 / all as f64);
        }
    }
    for (figures, contestant) in figures.iter_mut().zip(&contestants) {
        figures.peak = contestant.memory("VmHWM");
    }
    figures
}

struct Sender {
    stub: Stub,
    name: String,
    url: String,
    client: reqwest::Client,
    sent: AtomicUsize,
}

/// Sends so many events, so many of them in flight; how long each job took, and all of them.
async fn send(sender: &Arc<Sender>, count: usize, in_flight: usize) -> (Vec<Duration>, Duration) {
    let began = Instant::now();
    let left = Arc::new(AtomicUsize::new(count));
    let lines: Vec<_> = (0..in_flight)
        .map(|_| {
            let (sender, left) = (Arc::clone(sender), Arc::clone(&left));
            tokio::spawn(async move {
                let mut times = Vec::new();
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    times.push(sender.send().await);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for line in lines {
        times.extend(line.await.unwrap());
    }
    (times, began.elapsed())
}

impl Sender {
    /// Sends an event, and waits until its job is done.
    async fn send(&self) -> Duration {
        let id = format!("{}-{:08}", self.name, self.sent.fetch_add(1, Ordering::Relaxed));
        let written = self.stub.written(&id);
        let event = json!({ "id": id, "event": "referral-updated", "at": "2026-11-20T16:45:00Z" });
        let began = Instant::now();
        let taken = self.client.post(&self.url).json(&event).send().await.unwrap();
        assert_eq!(taken.status(), 202);
        written.await.unwrap().duration_since(began)
    }
}

/// The one in the middle.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
