//! `cosell serve` is killed and started again on the same folder, while people work on both sides and events come twice: in
//! the end both sides agree, nothing is lost, and nothing is doubled.
//!
//! Killed is the real program, by SIGKILL (`program`): at each request, held by the sandbox before or after its effect, and
//! at moments drawn at random. `COSELL_KILLS` says how many times each test kills.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, unreachable_pub)]

#[allow(dead_code)]
#[path = "../convergence/book.rs"]
mod book;
#[allow(dead_code)]
#[path = "../convergence/case.rs"]
mod case;
#[path = "../convergence/edits.rs"]
mod edits;
#[path = "../convergence/people.rs"]
mod people;
#[path = "../convergence/verdict.rs"]
mod verdict;

mod program;
mod trouble;

use std::time::{Duration, Instant};

use book::{Book, Deal};
use case::{Center, Crm, Edit, Kind};
use cosell_journal::Reader;
use cosell_sandbox::{Options, Sandbox};
use people::People;
use program::Project;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use verdict::Facts;

/// How long everything may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(90);
/// For how long nothing may change where everything is at rest: longer than between two questions of the program.
const QUIET: Duration = Duration::from_millis(2500);

const DEALS: [Kind; 4] = [Kind::Shared, Kind::CoSell, Kind::Lead, Kind::Private];

/// Somebody sends a note.
const NOTE: &str = "
flow: note
trigger: { use: http, with: { path: note, methods: [POST] } }
steps: {}
";

/// The two systems, a project, and the people of four deals.
struct Stage {
    _sandbox: Sandbox,
    project: Project,
    people: People,
    book: Book,
}

fn kills(usual: u32) -> u32 {
    std::env::var("COSELL_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(usual)
}

impl Stage {
    async fn open(name: &str) -> Self {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let people = People::new(sandbox.addresses());
        let project = Project::new(name, sandbox.addresses());
        std::fs::write(project.folder.join("flows/note.yaml"), NOTE).unwrap();
        project.register();
        // Events come twice, and again soon while nobody is there.
        let events = json!({ "duplicate": 1, "first_retry_ms": 300, "retry_growth": 2 });
        people.control("PUT", "/events", &events).await.unwrap();
        Self { _sandbox: sandbox, project, people, book: Book::default() }
    }

    /// Has people make the deals, and the program take them over.
    async fn make(&mut self) {
        // What happens before the program has asked for the first time is no news to it.
        let asked = async |of: &str| {
            let log = self.people.log(0).await;
            log.iter().any(|entry| entry.path.contains(of) && entry.status == 200)
        };
        while !asked("/opportunities?").await || !asked("/msft_partnercentersolutions?").await {
            sleep(Duration::from_millis(20)).await;
        }
        // And its answer is in the journal.
        sleep(Duration::from_millis(500)).await;
        for (number, kind) in DEALS.into_iter().enumerate() {
            self.book.deals.push(self.people.make(kind, number).await);
        }
        self.rest().await;
    }

    /// Waits until every event has arrived, every run has ended, and nothing changes any more.
    async fn rest(&mut self) {
        let resting = async {
            let (mut number, mut quiet) = (0, Instant::now());
            while quiet.elapsed() < QUIET {
                sleep(Duration::from_millis(50)).await;
                let log = self.people.log(number).await;
                number = log.last().map_or(number, |entry| entry.number);
                let changed = log.iter().any(|entry| !entry.changes.is_empty());
                let journal = Reader::open(&self.project.journal()).unwrap();
                let busy = !journal.under_way().unwrap().is_empty() || self.people.events_waiting().await > 0;
                if changed || busy {
                    quiet = Instant::now();
                }
            }
        };
        timeout(PATIENCE, resting).await.expect("nothing comes to rest");
        self.book.deals.iter_mut().for_each(Deal::rested);
    }

    /// What must hold in the end.
    async fn judge(&self) {
        let mut wrong = Facts::gather(&self.people).await.wrong(&self.book);
        let journal = Reader::open(&self.project.journal()).unwrap();
        wrong.extend(journal.check().unwrap());
        wrong.extend(journal.under_way().unwrap());
        wrong.extend(journal.reserved().unwrap().into_iter().map(|keys| format!("still held: {keys:?}")));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

/// An edit on each side, other than the last time.
fn edits(number: u32) -> [(usize, Edit); 4] {
    let value = 1 + number % 8;
    let solutions = if number.is_multiple_of(2) { vec![0, 1] } else { vec![0] };
    [
        (0, Edit::Seller(Center::Value(value))),
        (1, Edit::Crm(Crm::Value(value))),
        (3, Edit::Portal(Center::Solutions(solutions))),
        (2, Edit::Seller(Center::Notes(1 + number as usize % 4))),
    ]
}

#[test]
fn a_kill_at_any_request_loses_and_doubles_nothing() {
    block_on(async {
        let mut stage = Stage::open("service-requests").await;
        let (mut killed, most) = (0, kills(24));
        let mut program = stage.project.serve();
        stage.make().await;
        // Before the effect of the first request, after that of the second, and so on; then the other way round.
        for number in 1..=most {
            let odd = number.is_multiple_of(2) == (number <= most / 2);
            let action = if odd { "hold_after" } else { "hold_before" };
            let nth = 1 + (number - 1) % most.div_ceil(2).max(1);
            let rules = json!([{ "name": "kill", "nth": [nth], "action": action }]);
            stage.people.control("PUT", "/faults", &rules).await.unwrap();
            for (deal, edit) in edits(number) {
                stage.people.act(&mut stage.book, deal, &edit).await;
            }
            let held = stage.people.control("GET", "/faults/held", &Value::Null);
            killed += u32::from(timeout(Duration::from_secs(10), held).await.is_ok());
            program.kill();
            stage.people.control("DELETE", "/faults", &Value::Null).await.unwrap();
            program = stage.project.serve();
        }
        stage.rest().await;
        stage.judge().await;
        eprintln!("killed at {killed} requests, {most} times in all");
        assert!(killed * 10 >= most * 8, "{killed} of {most}");
    });
}

#[test]
fn kills_at_random_under_load_lose_and_double_nothing() {
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    block_on(async {
        let mut stage = Stage::open("service-random").await;
        let mut program = stage.project.serve();
        stage.make().await;
        let most = kills(24);
        for _ in 0..most {
            let case = case::stormy().new_tree(&mut runner).unwrap().current();
            let moment = (0_u64..1500).new_tree(&mut runner).unwrap().current();
            for (deal, edit) in case.scenes.iter().flat_map(|scene| &scene.edits).take(4) {
                stage.people.act(&mut stage.book, *deal, edit).await;
            }
            sleep(Duration::from_millis(moment)).await;
            program.kill();
            program = stage.project.serve();
        }
        stage.rest().await;
        stage.judge().await;
        eprintln!("killed {most} times at random, {} edits", stage.book.edits);
    });
}
