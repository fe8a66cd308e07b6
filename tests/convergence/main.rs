//! Both sides of every deal come to agree, whatever people do on either side, and whatever goes wrong on the way.
//!
//! Cases are drawn (`case`) and played: people work (`people`, `edits`; `book` keeps what they did) on two systems with the
//! program between them (`world`, of `shipped` flows; `door` holds events back, `watch` looks at the program's runs). In the end each deal is
//! judged by what the two systems have (`verdict`). The same cases show that a dry run tells what the run then does (`dry`), and
//! so do runs that write and search by turns (`searches`).
//!
//! `PROPTEST_CASES` draws more cases than usual. They are the same ones every time.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod book;
mod case;
mod door;
mod dry;
mod edits;
mod people;
mod searches;
mod shipped;
mod verdict;
mod watch;
mod world;

use std::cell::RefCell;

use book::{Book, Deal};
use case::{Case, Center, Crm, Edit, Faults, Kind, News, Scene, Weather};
use cosell_sandbox::Entry;
use dry::Compared;
use people::{HELP, VISIBLE};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use verdict::Facts;
use watch::KEEPERS;
use world::{Program, World};

/// How many writes it may cost to make a deal on the other side: its account, its contact and the deal itself, a row for its
/// solution, the write back of its name there, and its mark and audit.
const WRITES_A_DEAL: usize = 6;
/// How many writes an edit may cost. The dearest are the acceptance of a lead, which makes account, contact and opportunity
/// (qualified, then filled) and is told to the referral, but whose deal cost but two writes before; three solutions chosen at
/// once, a row each, and their audit; and a wish for help, which takes an invitation, the visibility of the deal, and audit.
/// Few are that dear: of 260 cases, the nearest to the bound made 16 writes of 24, for four deals without an edit.
const WRITES_AN_EDIT: usize = 4;

/// Draws cases and plays them.
fn hold(cases: u32, strategy: &impl Strategy<Value = Case>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(World::start());
    draw(cases, strategy, |case| runtime.block_on(play(&world, &case)));
}

/// Draws cases for which something must hold; what fails is reduced to what is needed for it to fail.
fn draw<C: std::fmt::Debug>(cases: u32, strategy: &impl Strategy<Value = C>, holds: impl Fn(C) -> Result<(), String>) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 150, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let held = runner.run(strategy, |case| holds(case).map_err(TestCaseError::fail));
    if let Err(failure) = held {
        panic!("{failure}");
    }
}

/// Plays a case and judges how it ended.
async fn play(world: &World, case: &Case) -> Result<(), String> {
    let mut program = world.open().await;
    let played = perform(&mut program, case).await;
    let failures = program.watch.failures();
    program.close().await;
    played.map_err(|wrong| format!("{wrong}\nruns that failed:\n{}", failures.join("\n")))
}

async fn perform(program: &mut Program, case: &Case) -> Result<(), String> {
    let mut book = Book::default();
    program.set(case.weather, false).await;
    for (number, kind) in case.deals.iter().enumerate() {
        let deal = program.people.make(*kind, number).await;
        book.deals.push(deal);
    }
    program.rest().await?;
    for scene in &case.scenes {
        match scene.news {
            News::AtOnce => {}
            News::Late => program.set(case.weather, true).await,
            News::Lost => program.stop_listening(case.weather).await,
        }
        for (number, edit) in &scene.edits {
            program.people.act(&mut book, *number, edit).await;
        }
        match scene.news {
            News::AtOnce => {}
            News::Late => program.set(case.weather, false).await,
            News::Lost => {
                book.deals.iter_mut().for_each(Deal::lost);
                program.listen_again(case.weather).await;
            }
        }
        if scene.rest {
            program.rest().await?;
            book.deals.iter_mut().for_each(Deal::rested);
        }
    }
    program.rest().await?;
    program.set(Weather::CALM, false).await;
    program.walk().await?;
    agree(program, &book).await?;

    let log = program.people.log(0).await;
    program.walk().await?;
    let late = program.people.log(log.len() as u64).await;
    let late: Vec<_> = late.iter().filter(|entry| is_write(entry)).collect();
    if !late.is_empty() {
        return Err(format!("both sides agree, and still there are writes: {late:#?}"));
    }
    let writes = log.iter().filter(|entry| is_write(entry)).count().saturating_sub(book.by_web_api);
    let most = WRITES_A_DEAL * case.deals.len() + WRITES_AN_EDIT * book.edits;
    if writes > most {
        let (deals, edits) = (case.deals.len(), book.edits);
        return Err(format!("{writes} writes for {deals} deals and {edits} edits, which should cost at most {most}"));
    }
    Ok(())
}

fn is_write(entry: &Entry) -> bool {
    entry.system != "control" && !entry.changes.is_empty()
}

async fn agree(program: &Program, book: &Book) -> Result<(), String> {
    let mut wrong = Facts::gather(&program.people).await.wrong(book);
    let log = program.people.log(0).await;
    let taken_back = log.iter().filter(|entry| is_write(entry)).flat_map(|entry| &entry.changes).filter(|change| {
        let withdrawn = change.field == HELP && !change.old.is_null() && change.new.is_null();
        withdrawn || change.field == VISIBLE && change.old == true && change.new == false
    });
    wrong.extend(taken_back.map(|change| format!("help or visibility taken back: {change:?}")));
    wrong.extend(program.watch.overlaps().into_iter().map(|overlap| format!("at the same time: {overlap}")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

#[test]
fn both_sides_come_to_agree() {
    hold(10, &case::calm());
}

#[test]
fn both_sides_come_to_agree_in_a_storm() {
    hold(10, &case::stormy());
}

#[test]
fn a_dry_run_tells_what_the_run_then_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(World::start());
    let compared = RefCell::new(Compared::default());
    draw(12, &case::calm(), |case| runtime.block_on(dry::play(&world, &case, &mut compared.borrow_mut())));
    let compared = compared.into_inner();
    let unseen: Vec<_> = world.flows().filter(|flow| !compared.flows.contains_key(flow)).collect();
    assert!(unseen.is_empty(), "never run: {unseen:?}");
    // Hundreds of generated cases, unless fewer were asked for.
    let enough = compared.runs >= 250 && compared.writes >= 500 && compared.fields >= 1000;
    assert!(enough || std::env::var("PROPTEST_CASES").is_ok(), "{compared:?}");
}

#[test]
fn searches_of_a_dry_run_find_what_they_find_when_it_is_done() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(World::start());
    let compared = RefCell::new(Compared::default());
    let strategy = searches::searches();
    draw(40, &strategy, |case| runtime.block_on(searches::play(&world, &case, &mut compared.borrow_mut())));
    let compared = compared.into_inner();
    assert!(compared.writes >= 100 || std::env::var("PROPTEST_CASES").is_ok(), "{compared:?}");
}

#[test]
fn the_two_directions_of_one_deal_never_work_on_it_at_the_same_time() {
    let edits = |thousands| {
        let both =
            |deal| [(deal, Edit::Crm(Crm::Value(thousands))), (deal, Edit::Portal(Center::Notes(thousands as usize)))];
        [both(0), both(1)].concat()
    };
    let scenes = [1, 2, 4].map(|thousands| Scene { news: News::Late, rest: true, edits: edits(thousands) });
    let weather = Weather { faults: Faults::Slow, ..Weather::CALM };
    let case = Case { deals: vec![Kind::Private, Kind::Shared], weather, scenes: scenes.to_vec() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::start().await;
        let mut program = world.open().await;
        assert_eq!(perform(&mut program, &case).await, Ok(()));
        for flow in KEEPERS {
            assert!(program.watch.runs(flow) > case.scenes.len(), "{flow}");
        }
    });
}
