//! The demo, from the outside: it ends well, plainly and with every fault switched on.

#![allow(clippy::unwrap_used, missing_docs)]

use std::process::Command;

use serde_json::Value;

/// Runs the demo for machines; gives its lines.
fn demo(arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_cosell")).args(["demo", "--json"]).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(output.status.success(), "{arguments:?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    lines
}

/// The closing line: both sides agree, and every deal was written as often as it changed.
fn ends_well(arguments: &[&str]) -> Value {
    let lines = demo(arguments);
    let closing = lines.last().unwrap().clone();
    assert_eq!(closing["event"], "closing");
    assert_eq!(closing["agree"], true, "{closing}");
    closing
}

#[test]
fn a_deal_crosses_both_ways() {
    let lines = demo(&[]);
    let closing = lines.last().unwrap();
    // Scene 1: account, contact, opportunity, write-back, row of its solution. 2: referral, Microsoft's side, link.
    // 3: update. 4 and 5: update and audit, each. 6: identifier, and Microsoft's acceptance. 7: solutions and audit.
    // 8: audit, and the win with its activity.
    assert_eq!(closing["writes"], 19, "{closing}");
    let failed: Vec<&Value> = lines.iter().filter(|line| line["event"] == "run_failed").collect();
    assert!(failed.is_empty(), "{failed:?}");
    let changes = |actor: &str, record: &str| {
        let of = |line: &&Value| line["event"] == "change" && line["actor"] == actor;
        lines.iter().filter(of).filter(|line| line["record"].as_str().unwrap().starts_with(record)).count()
    };
    assert_eq!(changes("cosell", "referral"), 6);
    assert_eq!(changes("cosell", "account"), 1);
    assert_eq!(changes("cosell", "contact"), 1);
    let last_scene = lines.iter().filter(|line| line["event"] == "scene").count();
    assert_eq!(last_scene, 8);
}

macro_rules! with_fault {
    ($($name:ident: $fault:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            let closing = ends_well(&["--fault", $fault]);
            assert!(closing["faults_struck"].as_u64().unwrap() > 0, "{closing}");
        }
    )*};
}

with_fault! {
    it_ends_well_when_throttled: "throttle",
    it_ends_well_when_services_are_unavailable: "unavailable",
    it_ends_well_when_connections_break: "reset",
    it_ends_well_when_answers_are_lost: "lost-response",
    it_ends_well_when_answers_are_late: "delay",
    it_ends_well_when_answers_are_garbled: "garbled",
    it_ends_well_when_everything_happens: "all",
}

#[test]
fn it_ends_well_when_events_come_several_times() {
    let closing = ends_well(&["--fault", "duplicates"]);
    assert_eq!(closing["writes"], 19, "{closing}");
}
