//! The file: who may open it, what it says when it is damaged, how long things are kept, how events are taken.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use cosell_journal::read::{Count, Cursor, Filter, Listed};
use cosell_journal::upkeep::Retention;
use cosell_journal::waits::Place;
use cosell_journal::{Journal, Reader};
use cosell_model::{FlowId, Outcome, Value};
use cosell_runtime::core::event::{Event, Happening};
use cosell_runtime::inbox::{Arrival, Entry, Inbox, Position, Waiting};
use cosell_runtime::keep::{Began, ClaimChange, Keeper, Kept, Turn};
use cosell_runtime::record::RunRecord;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn began(run: &str, second: i64) -> Began {
    Began {
        run: run.to_owned(),
        flow: FlowId::new("f"),
        version: "1".to_owned(),
        plan: u64::MAX,
        key: Some("deal:1".to_owned()),
        trigger: json!({ "n": second }),
        inputs: Value::Null,
        left_out: 0,
        life: 0,
        skipped: Vec::new(),
        at: Timestamp::from_second(second).unwrap(),
    }
}

fn turn(run: &str, number: u32) -> Turn {
    let kind = if number == 0 { Happening::Begun } else { Happening::Interrupted };
    let event = Kept { event: Event { at: Timestamp::UNIX_EPOCH, kind }, hidden: false };
    let claims = vec![ClaimChange::Asked(format!("s{number}"), vec!["deal:2".to_owned()])];
    Turn { run: run.to_owned(), life: 0, number, event, steps: Vec::new(), claims }
}

fn ended(run: &str) -> RunRecord {
    RunRecord {
        id: run.to_owned(),
        flow: FlowId::new("f"),
        outcome: Outcome::Succeeded,
        left_out: 0,
        output: json!(1),
        failure: None,
        answer: None,
        began: Timestamp::UNIX_EPOCH,
        took: Duration::ZERO,
    }
}

fn arrival(dedup: &str) -> Arrival {
    let entry = Entry {
        flow: FlowId::new("f"),
        run: format!("run-{dedup}"),
        key: None,
        payload: json!({ "a": dedup }),
        inputs: Value::Null,
    };
    Arrival { entry, dedup: dedup.to_owned(), unusable: None }
}

async fn filled(path: &Path, runs: i64) -> Journal {
    let journal = Journal::open(path).unwrap();
    for run in 0..runs {
        let id = format!("run-{run:03}");
        journal.began(began(&id, run));
        journal.turned(turn(&id, 0));
        journal.ended(&ended(&id));
    }
    journal.flushed().await.unwrap();
    journal
}

#[tokio::test]
async fn one_program_writes_and_others_may_read_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let journal = filled(&path, 1).await;
    let refused = Journal::open(&path).err().unwrap().to_string();
    assert!(refused.contains("in use by another cosell"), "{refused}");
    assert_eq!(Reader::open(&path).unwrap().check().unwrap(), [""; 0]);
    drop(journal);
    assert!(Journal::open(&path).is_ok());
}

#[tokio::test]
async fn a_newer_a_foreign_and_a_torn_file_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    drop(filled(&path, 50).await);
    let set = |pragma: &str, value: i64| {
        rusqlite::Connection::open(&path).unwrap().pragma_update(None, pragma, value).unwrap();
        let told = Journal::open(&path).err().map(|error| error.to_string());
        assert_eq!(Reader::open(&path).err().map(|error| error.to_string()), told);
        told.unwrap()
    };
    assert!(
        set("user_version", 9).contains("version 9, and this program knows versions up to 2: use the newer program")
    );
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    assert!(set("application_id", 7).contains("SQLite file of something else"));

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2 - 100]).unwrap();
    let torn =
        Journal::open(&path).map(|_| ()).and_then(|()| Reader::open(&path)?.check().map(|wrong| wrong.join(" ")));
    let told = torn.unwrap_or_else(|error| error.to_string());
    assert!(told.contains("damaged") || told.contains("something else") || told.contains("malformed"), "{told}");
    std::fs::write(&path, "no database at all, but long enough to be read as one").unwrap();
    let told = Journal::open(&path).err().unwrap().to_string();
    assert!(told.contains("is damaged: run `cosell journal check`"), "{told}");
}

#[tokio::test]
async fn an_event_is_taken_once_and_is_open_until_its_run_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let journal = Journal::open(&path).unwrap();
    let position = Some(Position { of: "f".to_owned(), at: json!("token-1") });
    assert_eq!(
        journal.receive(vec![arrival("a"), arrival("b"), arrival("a")], position).await.unwrap(),
        [Some(1), Some(2), None]
    );
    drop(journal);
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.position("f").unwrap(), Some(json!("token-1")));
    let waiting = |number: u64, name: &str| Waiting { number, entry: arrival(name).entry };
    assert_eq!(journal.waiting(9).unwrap(), [waiting(1, "a"), waiting(2, "b")]);
    assert_eq!((journal.waiting(1).unwrap(), journal.begun().unwrap()), (vec![waiting(1, "a")], vec![]));
    journal.began(began("run-a", 1));
    journal.settled("run-a").await.unwrap();
    assert_eq!(journal.begun().unwrap(), [waiting(1, "a")]);
    journal.ended(&ended("run-a"));
    journal.settled("run-a").await.unwrap();
    assert_eq!(journal.waiting(9).unwrap(), [waiting(2, "b")]);
    assert_eq!(journal.receive(vec![arrival("a")], None).await.unwrap(), [None], "it came before, and is done");
}

#[tokio::test]
async fn what_cannot_be_written_parks_its_run_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    journal.began(began("one", 1));
    journal.began(began("two", 2));
    journal.turned(turn("one", 0));
    // The same number once more is as impossible as a full disk.
    journal.turned(turn("one", 0));
    journal.turned(turn("one", 1));
    journal.turned(turn("two", 0));
    assert!(journal.settled("one/called").await.unwrap_err().to_string().contains("waits to be gone on with"));
    journal.settled("two").await.unwrap();
    assert_eq!(journal.past("one").await.unwrap().unwrap().events.len(), 1, "nothing after what is missing is kept");
    journal.turned(turn("one", 1));
    journal.settled("one").await.unwrap();
    assert_eq!(journal.past("one").await.unwrap().unwrap().events, [turn("one", 0).event, turn("one", 1).event]);
}

#[tokio::test]
async fn lists_go_page_by_page_and_find_runs_by_any_of_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let journal = filled(&folder.path().join("journal.db"), 7).await;
    let reader = journal.reader();
    let mut filter = Filter { most: 3, outcome: Some(Outcome::Succeeded), ..Filter::default() };
    let mut seen = Vec::new();
    loop {
        let page = reader.runs(&filter).unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some(Cursor { began: last.began, run: last.run.clone() });
        seen.extend(page.into_iter().map(|listed| listed.run));
    }
    assert_eq!(seen, (0..7).rev().map(|run| format!("run-{run:03}")).collect::<Vec<_>>());
    for (key, found) in [("deal:1", 7), ("deal:2", 7), ("deal:3", 0)] {
        let filter = Filter { key: Some(key.to_owned()), ..Filter::default() };
        assert_eq!(reader.runs(&filter).unwrap().len(), found, "{key}");
    }
    assert_eq!(reader.runs(&Filter { under_way: true, ..Filter::default() }).unwrap(), []);
    assert_eq!(reader.counts(Timestamp::UNIX_EPOCH).unwrap()[0].runs, 7);
    assert_eq!(reader.run("run-003").unwrap().unwrap().trigger, json!({ "n": 3 }));
}

#[tokio::test]
async fn the_page_before_a_page_is_the_one_that_it_followed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = filled(&folder.path().join("journal.db"), 7).await;
    let cursor = |run: &Listed| Some(Cursor { began: run.began, run: run.run.clone() });
    let lists = [
        Filter::default(),
        Filter { flow: Some(FlowId::new("f")), ..Filter::default() },
        Filter { outcome: Some(Outcome::Succeeded), until: Some(Timestamp::MAX), ..Filter::default() },
        Filter { key: Some("deal:1".to_owned()), ..Filter::default() },
        Filter { text: Some("deal".to_owned()), ..Filter::default() },
        Filter { key: Some("deal:1".to_owned()), text: Some("deal".to_owned()), ..Filter::default() },
    ];
    for (list, most) in lists.iter().flat_map(|list| (1..=8).map(move |most| (list, most))) {
        let page = |after, before| journal.reader().runs(&Filter { after, before, most, ..list.clone() }).unwrap();
        let mut pages = vec![page(None, None)];
        while let Some(last) = pages.last().unwrap().last() {
            let older = page(cursor(last), None);
            pages.push(older);
        }
        assert_eq!(pages.iter().flatten().count(), 7, "{list:?}");
        pages.pop();
        for newer in pages.windows(2) {
            assert_eq!(page(None, cursor(&newer[1][0])), newer[0], "{list:?}, {most} on a page");
        }
        assert_eq!(page(None, cursor(&pages[0][0])), [], "nothing is newer than the newest");
    }
}

#[tokio::test]
async fn dead_letters_are_read_from_either_side_of_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let dead = |name: &str| Arrival { unusable: Some("no".to_owned()), ..arrival(name) };
    journal.receive(["a", "b", "c", "d", "e"].map(dead).into(), None).await.unwrap();
    let numbers = |place| -> Vec<u64> {
        let letters = journal.reader().dead_letters(place, 2).unwrap();
        letters.into_iter().map(|letter| letter.number).collect()
    };
    assert_eq!((numbers(Place::Newest), numbers(Place::After(4))), (vec![5, 4], vec![3, 2]));
    assert_eq!((numbers(Place::Before(3)), numbers(Place::Before(1))), (vec![5, 4], vec![3, 2]));
    assert_eq!((numbers(Place::Before(4)), numbers(Place::After(1))), (vec![5], vec![]));
}

#[tokio::test]
async fn runs_are_counted_by_the_hour_and_by_how_they_ended() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let outcomes =
        [Some(Outcome::Succeeded), Some(Outcome::Failed), Some(Outcome::TimedOut), Some(Outcome::Cancelled), None];
    // In the first hour one of each, in the second nothing, in the third two that succeeded; the run before is too old.
    let runs = outcomes.into_iter().enumerate().map(|(at, outcome)| (60 * at, outcome));
    let runs = runs.chain([(7200, Some(Outcome::Succeeded)), (10_799, Some(Outcome::Succeeded))]);
    let first: Timestamp = "2026-05-01T08:00:00Z".parse().unwrap();
    let at = |seconds: usize| first + SignedDuration::from_secs(i64::try_from(seconds).unwrap());
    for (seconds, outcome) in runs {
        let id = format!("run-{seconds}");
        journal.began(Began { at: at(seconds), ..began(&id, 0) });
        if let Some(outcome) = outcome {
            journal.ended(&RunRecord { outcome, ..ended(&id) });
        }
    }
    journal.began(Began { at: first - SignedDuration::from_secs(1), ..began("before", 0) });
    journal.flushed().await.unwrap();
    let counted = |since| -> Vec<String> {
        let counts = journal.reader().counts(since).unwrap();
        let words =
            |count: &Count| format!("{} {} {}", count.hour, count.outcome.as_deref().unwrap_or("-"), count.runs);
        counts.iter().map(words).collect()
    };
    let hours =
        ["- 1", "cancelled 1", "failed 1", "succeeded 1", "timed_out 1"].map(|count| format!("{first} {count}"));
    let third = format!("{} succeeded 2", at(7200));
    let mut found = counted(first);
    found.sort();
    assert_eq!(found, [&hours[..], std::slice::from_ref(&third)].concat());
    assert_eq!(counted(at(300)), [third]);
    assert_eq!(counted(at(10_800)), [""; 0]);
}

#[tokio::test]
async fn old_runs_go_and_what_is_under_way_or_waits_stays() {
    let folder = tempfile::tempdir().unwrap();
    let journal = filled(&folder.path().join("journal.db"), 450).await;
    for version in ["1", "unused", "today's"] {
        journal.keep_version(version, &json!({})).await.unwrap();
    }
    journal.began(Began { at: Timestamp::now(), ..began("open", 1) });
    journal.receive(vec![arrival("waits")], None).await.unwrap();
    let kept = Retention { age: Duration::from_secs(3600), bytes: i64::MAX };
    assert_eq!(journal.retain(kept).await.unwrap(), 0);
    assert_eq!(journal.retain(Retention { bytes: 0, ..kept }).await.unwrap(), 450);
    assert_eq!(journal.reader().under_way().unwrap(), ["open"]);
    let mut out = Vec::new();
    journal.reader().export(&mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let versions: Vec<bool> = ["\"1\"", "unused", "today's"]
        .map(|version| out.lines().any(|line| line.contains(r#""table":"versions""#) && line.contains(version)))
        .into();
    assert_eq!(versions, [true, false, true], "the run under way needs the first: {out}");
    assert_eq!(journal.waiting(9).unwrap().len(), 1);
    assert_eq!(journal.reader().check().unwrap(), [""; 0]);
}
