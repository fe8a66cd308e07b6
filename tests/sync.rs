//! `cosell sync`: everything is brought in step, both ways, however often it is asked for and however it is ended.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::desk::{Desk, IDENTIFIER, SYNC, text};
use support::{filters, transcript};

const UNKNOWN: &str = "7d1c1b7e-7c58-4c0b-9d0f-5a3f1d9c2b11";

/// A name that says which deal it is.
fn named(name: &str) -> Value {
    json!({ "name": name })
}

fn with(name: &str, members: Value) -> Value {
    let mut all = named(name);
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    all
}

/// A referral that names a record of another CRM: it is ignored, with two requests.
fn foreign(desk: &Desk, name: &str) -> String {
    desk.shared(&with(name, json!({ "externalReferenceId": UNKNOWN })))
}

/// Runs a walk that gives JSON; the exit code, the records, and the summary.
fn walk(desk: &Desk, arguments: &[&str]) -> (i32, Vec<Value>, Value) {
    let output = desk.project.run(&[&["sync", "--json"], arguments].concat());
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let mut lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().unwrap_or_else(|| panic!("nothing was printed\n{}", transcript(&output)));
    let summary = last["summary"].clone();
    assert!(summary.is_object(), "{}", transcript(&output));
    (output.status.code().unwrap(), lines, summary)
}

fn names(records: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = records.iter().map(|record| text(&record["name"])).collect();
    names.sort_unstable();
    names
}

fn position(desk: &Desk) -> PathBuf {
    desk.project.folder.join(".cosell/sync.jsonl")
}

/// A walk in a process of its own that can be ended on the way.
struct Walking {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Walking {
    fn start(desk: &Desk, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_cosell"))
            .args(["sync", "--json"])
            .args(arguments)
            .current_dir(&desk.project.folder)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// Waits until this many records are done.
    fn done(&mut self, records: usize) -> Vec<Value> {
        let mut line = || {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap()
        };
        (0..records).map(|_| line()).collect()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Sends a signal; the exit code (none where it was killed), the remaining lines, standard error.
    fn end(mut self, signal: &str) -> (Option<i32>, Vec<Value>, String) {
        self.signal(signal);
        let lines = self.output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        let mut told = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        (self.process.wait().unwrap().code(), lines, told)
    }
}

/// Each answer of a system takes so long that a walk can be ended on the way.
fn slow(desk: &Desk) {
    let fault = json!([{ "name": "slow", "system": "dataverse", "action": { "delay_ms": 60 } }]);
    desk.stage.control("PUT", "/faults", &fault);
}

fn quick(desk: &Desk) {
    desk.stage.control("DELETE", "/faults", &Value::Null);
}

#[test]
fn everything_comes_in_step_and_the_table_says_what_did_not() {
    let desk = Desk::new();
    desk.shared(&named("Shared by Microsoft"));
    let accepted = desk.shared(&named("Shared and accepted"));
    desk.seller(&accepted, &json!({ "status": "Active", "substatus": "Accepted" }));
    let closed = desk.shared(&named("Declined long ago"));
    desk.seller(&closed, &json!({ "status": "Closed", "substatus": "Declined" }));
    desk.shared_lead(&named("A lead"));
    desk.made_in_portal(&named("Made in the portal"));
    foreign(&desk, "Of another CRM");
    let mut details = desk.referral(&accepted)["details"].clone();
    details["currency"] = json!("SEK");
    desk.shared(&with("In crowns", json!({ "details": details })));
    desk.deal(&named("Ready to be sent"));
    desk.stage.opportunity(&named("Without a solution"));
    desk.stage.opportunity(&with("Nobody's business", json!({ SYNC: false })));

    insta::with_settings!({ prepend_module_to_snapshot => false, filters => filters() }, {
        insta::assert_snapshot!("sync_first", desk.project.transcript(&["sync", "--parallel", "1"]));
    });
    assert!(!position(&desk).exists(), "there is nothing to go on with");

    let writes = desk.stage.writes();
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => filters() }, {
        insta::assert_snapshot!("sync_second", desk.project.transcript(&["sync", "--parallel", "1"]));
    });
    assert_eq!(desk.stage.writes(), writes, "the second time there is nothing to write");
}

#[test]
fn a_machine_reads_one_object_a_record_and_one_for_all() {
    let desk = Desk::new();
    let referral = desk.shared(&named("Shared by Microsoft"));
    let opportunity = desk.stage.opportunity(&named("Without a solution"));
    let (code, records, summary) = walk(&desk, &["--parallel", "1"]);
    assert_eq!(code, 1, "one was refused");
    let of = |name: &str| records.iter().find(|record| record["name"] == name).unwrap();
    let shared = of("Shared by Microsoft");
    assert_eq!((&shared["direction"], &shared["id"]), (&json!("referrals"), &json!(referral)));
    assert_eq!((&shared["result"], &shared["reason"]), (&json!("created"), &Value::Null));
    assert!(shared["run"].is_string());
    let refused = of("Without a solution");
    assert_eq!((&refused["direction"], &refused["id"]), (&json!("opportunities"), &json!(opportunity)));
    assert_eq!(refused["result"], "refused");
    assert!(text(&refused["reason"]).to_lowercase().contains("solution"), "{refused}");
    let none =
        json!({ "created": 0, "updated": 0, "equal": 0, "ignored": 0, "refused": 0, "failed": 0, "conflicts": 0 });
    let mut expected = json!({ "referrals": none, "opportunities": none, "finished": true });
    expected["referrals"]["created"] = json!(1);
    expected["opportunities"]["equal"] = json!(1);
    expected["opportunities"]["refused"] = json!(1);
    assert_eq!(summary, expected, "what was just created is found equal from the other side");
}

#[test]
fn a_field_that_both_sides_changed_is_a_conflict_and_told_as_one() {
    let desk = Desk::new();
    let referral = desk.shared(&named("Shared by Microsoft"));
    assert_eq!(walk(&desk, &[]).0, 0);
    let opportunity = text(&desk.referral(&referral)["externalReferenceId"]).to_owned();
    let mut details = desk.referral(&referral)["details"].clone();
    details["notes"] = json!("Four stores.");
    desk.seller(&referral, &json!({ "details": details }));
    desk.edit(&opportunity, &json!({ "description": "Five stores." }));
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => filters() }, {
        insta::assert_snapshot!("sync_conflict", desk.project.transcript(&["sync"]));
    });
}

#[test]
fn a_walk_with_nothing_amiss_ends_well_and_one_side_can_be_left_out() {
    let desk = Desk::new();
    desk.shared(&named("Shared by Microsoft"));
    let opportunity = desk.deal(&named("Ready to be sent"));
    let (code, records, summary) = walk(&desk, &["--only", "referrals"]);
    assert_eq!((code, names(&records)), (0, vec!["Shared by Microsoft"]));
    assert!(summary.get("opportunities").is_none() && desk.row(&opportunity)[IDENTIFIER].is_null());
    let (code, records, _) = walk(&desk, &["--only", "opportunities"]);
    assert_eq!((code, records.len()), (0, 2));
    assert!(desk.row(&opportunity)[IDENTIFIER].is_string());
}

#[test]
fn only_what_was_changed_since_is_walked() {
    let desk = Desk::new();
    let changed = foreign(&desk, "Changed since");
    foreign(&desk, "Old referral");
    desk.stage.opportunity(&named("Old opportunity"));
    let opportunity = desk.stage.opportunity(&named("Changed opportunity"));
    let clock = desk.stage.control("POST", "/clock", &json!({ "advance_seconds": 3600 }));
    let since = text(&clock["now"]).to_owned();
    desk.later();
    desk.seller(&changed, &json!({ "statusReason": "Changed." }));
    desk.edit(&opportunity, &json!({ "description": "Changed." }));
    foreign(&desk, "New referral");
    let (_, records, _) = walk(&desk, &["--since", &since]);
    assert_eq!(names(&records), ["Changed opportunity", "Changed since", "New referral"]);
}

#[test]
fn more_than_fits_a_page_is_walked_to_the_end_and_each_record_once() {
    let desk = Desk::new();
    let referrals: Vec<String> = (0..230).map(|number| foreign(&desk, &format!("Referral {number}"))).collect();
    // Many in the same second: more than fit a page.
    let opportunities: Vec<String> =
        (0..230).map(|number| desk.stage.opportunity(&named(&format!("Opportunity {number}")))).collect();
    let (_, records, summary) = walk(&desk, &["--parallel", "16"]);
    let mut walked: Vec<&str> = records.iter().map(|record| text(&record["id"])).collect();
    let mut all: Vec<&str> = referrals.iter().chain(&opportunities).map(String::as_str).collect();
    walked.sort_unstable();
    all.sort_unstable();
    assert_eq!(walked, all);
    assert_eq!((&summary["referrals"]["ignored"], &summary["opportunities"]["refused"]), (&json!(230), &json!(230)));
}

#[test]
fn a_walk_that_was_killed_is_gone_on_with_and_nothing_is_doubled() {
    let desk = Desk::new();
    let referrals: Vec<String> = (0..8).map(|number| desk.shared(&named(&format!("Referral {number}")))).collect();
    slow(&desk);
    let mut walking = Walking::start(&desk, &["--parallel", "2"]);
    let mut done = walking.done(3);
    done.extend(walking.end("-KILL").1);
    quick(&desk);

    let output = desk.project.run(&["sync", "--json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("going on with the walk of ") && told.contains(" of which "), "{told}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, records) = lines.split_last().unwrap();
    let again = |record: &&Value| done.iter().any(|earlier| earlier["id"] == record["id"]);
    assert!(!records.iter().any(|record| again(&record)), "what was done is not walked again");
    let counts = &summary["summary"]["referrals"];
    let walked = ["created", "updated", "equal"].map(|word| counts[word].as_u64().unwrap());
    assert_eq!((walked.iter().sum::<u64>(), output.status.code()), (8, Some(0)), "{summary}");
    assert_eq!(desk.rows("opportunities").len(), 8, "no deal is doubled");
    for referral in &referrals {
        assert!(desk.referral(referral)["externalReferenceId"].is_string());
    }
}

#[test]
fn a_walk_that_is_interrupted_ends_what_it_began_and_can_be_begun_anew() {
    let desk = Desk::new();
    for number in 0..6 {
        desk.shared(&named(&format!("Referral {number}")));
    }
    slow(&desk);
    let mut walking = Walking::start(&desk, &["--parallel", "1"]);
    walking.done(1);
    let (code, lines, told) = walking.end("-INT");
    quick(&desk);
    assert_eq!(code, Some(130));
    assert!(told.contains("`cosell sync` goes on from here"), "{told}");
    let summary = &lines.last().unwrap()["summary"];
    let walked = summary["referrals"]["created"].as_u64().unwrap();
    assert_eq!(summary["finished"], false);
    assert!((1..6).contains(&walked), "{summary}");
    assert_eq!(desk.rows("opportunities").len() as u64, walked, "what was begun was ended");

    let refused = desk.project.transcript(&["sync", "--since", "2026-11-01"]);
    assert!(
        refused.starts_with("exit code 2") && refused.contains("a walk with no options was not finished"),
        "{refused}"
    );
    let (code, records, _) = walk(&desk, &["--restart"]);
    assert_eq!((code, records.len()), (0, 12), "all of both sides");
}

#[test]
fn a_second_interrupt_waits_for_nothing() {
    let desk = Desk::new();
    let referral = desk.shared(&named("Referral"));
    let fault = json!([{ "name": "stuck", "system": "dataverse", "action": { "delay_ms": 300_000 } }]);
    desk.stage.control("PUT", "/faults", &fault);
    let mut walking = Walking::start(&desk, &[]);
    let read = format!("/referrals/{referral}");
    let has_begun = || {
        let log = desk.stage.control("GET", "/log?after=0", &Value::Null);
        log.as_array().unwrap().iter().any(|entry| text(&entry["path"]).ends_with(&read))
    };
    while !has_begun() {}
    walking.signal("-INT");
    let mut told = BufReader::new(walking.process.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(line.contains("interrupt once more to end at once"), "{line}");
    walking.signal("-INT");
    assert_eq!(walking.process.wait().unwrap().code(), Some(130));
}

#[test]
fn a_service_that_gives_no_access_stops_the_walk_where_it_can_be_gone_on_with() {
    let desk = Desk::new();
    for number in 0..30 {
        desk.shared(&named(&format!("Referral {number}")));
    }
    let fault = json!([{ "name": "locked", "system": "dataverse", "path": "opportunities",
        "action": { "status": 403, "own_body": true } }]);
    desk.stage.control("PUT", "/faults", &fault);
    let seen = desk.project.transcript(&["sync"]);
    assert!(seen.starts_with("exit code 1") && seen.contains("10 records failed one behind the other"), "{seen}");
    quick(&desk);
    let (code, records, summary) = walk(&desk, &["--only", "referrals", "--restart"]);
    assert_eq!((code, records.len(), &summary["referrals"]["created"]), (0, 30, &json!(30)));
}

#[test]
fn what_failed_last_is_tried_again_when_going_on() {
    let desk = Desk::new();
    for number in 0..30 {
        desk.shared(&named(&format!("Referral {number}")));
    }
    let fault = json!([{ "name": "locked", "system": "partner_center", "method": "GET", "path": "/referrals/",
        "action": { "status": 403, "own_body": true } }]);
    desk.stage.control("PUT", "/faults", &fault);
    let (code, _, summary) = walk(&desk, &[]);
    assert_eq!((code, &summary["finished"]), (1, &json!(false)));
    quick(&desk);
    let (code, _, summary) = walk(&desk, &[]);
    assert_eq!((code, &summary["referrals"]["created"], &summary["referrals"]["failed"]), (0, &json!(30), &json!(0)));
}

#[test]
fn a_walk_needs_sound_options() {
    let desk = Desk::new();
    for arguments in [&["--since", "yesterday"][..], &["--parallel", "17"], &["--only", "leads"]] {
        let seen = desk.project.transcript(&[&["sync"], arguments].concat());
        assert!(seen.starts_with("exit code 2"), "{seen}");
    }
}
