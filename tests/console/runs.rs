//! Runs are found, watched, compared, cancelled and started anew.

use serde_json::json;

use crate::audit::audit;
use crate::browser::Browser;
use crate::service::Service;
use crate::slow::Slow;
use crate::support::Project;
use crate::world::beside;

/// It asks the slow system twice.
const ASK: &str = "
flow: ask
title: Ask and ask again
trigger: { use: http, with: { path: ask } }
key: ${{ trigger.query.key }}
steps:
  first: { use: http.get, connection: slow, with: { path: /first } }
  second: { use: http.get, connection: slow, with: { path: \"/second/${{ steps.first.body.n }}\" } }
";

fn project(name: &str, slow: &Slow) -> Project {
    beside(name, ASK, &json!({ "slow": { "connector": "http", "address": slow.address } }))
}

fn asks(service: &Service<'_>, key: &str) {
    assert_eq!(service.hears(&format!("ask?key={key}"), "{}"), 202);
}

/// Shows the newest run of the list.
fn newest(browser: &Browser) -> String {
    browser.go("/console/runs");
    browser.click("table.runs tbody tr:first-child th a");
    browser.says("h1", "Ask and ask again");
    browser.path()
}

#[test]
fn a_run_is_watched_compared_and_started_anew() {
    let slow = Slow::start();
    let project = project("runs", &slow);
    let service = Service::start(&project);
    let browser = service.browser();
    asks(&service, "one");
    assert_eq!(slow.asked(), "/first");
    browser.go("/console/runs");
    browser.says("table.runs", "Under way");
    audit(&browser);

    let first = newest(&browser);
    browser.script("window.same = true", &[]);
    browser.says("#head", "Under way");
    slow.answer();
    assert_eq!(slow.asked(), "/second/1");
    browser.says("#steps", "Succeeded");
    audit(&browser);
    slow.answer();
    browser.says("#head", "Succeeded");
    assert_eq!(browser.script("return window.same", &[]), true, "without being loaded again");
    browser.click("#at-first > summary");
    browser.says("#at-first", "\"n\": 1");
    assert!(browser.text("svg.picture").contains("second"));
    audit(&browser);

    browser.follow("Resubmit…");
    browser.says("h1", "Do everything of this run again?");
    audit(&browser);
    browser.press("Start a new run");
    browser.says("main", "This is the new run.");
    assert_eq!(slow.asked(), "/first");
    slow.answer();
    assert_eq!(slow.asked(), "/second/3");
    slow.answer();
    browser.says("#head", "Succeeded");
    let second = browser.path();
    assert_ne!(first.split('?').next(), second.split('?').next());

    let json = "return fetch(document.querySelector('a[download]').href).then(answer => answer.json())";
    let whole = browser.script(json, &[]);
    assert!(second.contains(whole["run"].as_str().unwrap()), "{whole}");
    assert_eq!(whole["steps"][1]["output"]["body"]["n"], 4, "{whole}");

    browser.follow("Compare with the run before");
    browser.says("h1", "Two runs side by side");
    browser.says("main", "second");
    audit(&browser);
    browser.go("/console/runs");
    browser.press("Compare the two chosen");
    browser.says("[role=alert]", "0 are named");
    browser.complaints();
    browser.go("/console/runs");
    for row in 1..=2 {
        browser.click(&format!("table.runs tbody tr:nth-child({row}) input"));
    }
    browser.press("Compare the two chosen");
    browser.says("h1", "Two runs side by side");
}

#[test]
fn runs_are_found_and_cancelled_and_what_never_began_is_tried_again() {
    let slow = Slow::start();
    let project = project("cancelled", &slow);
    let service = Service::start(&project);
    let browser = service.browser();
    asks(&service, "one");
    slow.asked();
    // Equal keys go one at a time.
    asks(&service, "one");
    asks(&service, "other");
    browser.go("/console/runs");
    browser.fill("#key", "one");
    browser.press("Show");
    browser.until("one run", || (browser.texts("table.runs tbody tr").len() == 1).then_some(()));
    assert!(browser.path().contains("key=one"), "{}", browser.path());
    audit(&browser);
    browser.fill("#key", "");
    browser.click("#outcome option[value=under_way]");
    browser.press("Show");
    browser.until("two runs", || (browser.texts("table.runs tbody tr").len() == 2).then_some(()));

    let cancelled = newest(&browser);
    browser.says("#head", "other");
    browser.follow("Cancel…");
    browser.says("h1", "Cancel this run?");
    audit(&browser);
    browser.follow("Go back");
    browser.says("#head", "Under way");
    browser.follow("Cancel…");
    browser.press("Cancel the run");
    browser.says("#head", "Cancelled");
    audit(&browser);
    browser.go("/console/runs?outcome=cancelled");
    browser.until("one run", || (browser.texts("table.runs tbody tr").len() == 1).then_some(()));

    asks(&service, "other");
    browser.go(&cancelled);
    browser.follow("Resubmit…");
    browser.press("Start a new run");
    browser.says("#head", "It waits for its turn");
    audit(&browser);
    browser.follow("Cancel…");
    browser.says("main", "It does not begin");
    browser.press("Cancel the run");
    browser.says("h1", "Events that became no run");
    browser.click("summary");
    browser.says("table", "other");
    audit(&browser);
    browser.click("td a.button");
    browser.says("h1", "Try this event again?");
    audit(&browser);
    browser.press("Try it again");
    browser.says("#head", "It waits for its turn");
    browser.go("/console/runs/dead");
    browser.says("main", "Every event became a run");
}
