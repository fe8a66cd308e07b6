//! `cosell serve` as its operator uses it: told to read its files again, told to end, ended in the middle, spoken to by TLS.
//!
//! `service` runs the program, `slow` is a remote system that answers when it is told to.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod service;
mod slow;

use serde_json::{Value, json};
use service::{Service, client, get, post};
use slow::Slow;
use support::Project;

/// A project with one flow of its own, which asks the slow system and answers with its `version`.
fn project(name: &str, slow: &Slow, version: &str) -> Project {
    let configuration = json!({
        "flows": ["flows"],
        "off": [
            "partner-center-to-dynamics", "partner-center-webhook-registration",
            "dynamics-opportunity-to-partner-center", "dynamics-microsoft-solutions-to-partner-center",
        ],
        "connections": { "slow": { "connector": "http", "address": slow.address } },
    });
    Project::new(name).file("cosell.yaml", &configuration.to_string()).flow(&flow(version))
}

fn flow(version: &str) -> String {
    format!(
        "
flow: ask
trigger: {{ use: http, with: {{ path: ask }} }}
key: one
steps:
  asked: {{ use: http.get, connection: slow, with: {{ path: /{version} }} }}
  answer: {{ respond: {{ status: 200, body: {{ version: {version}, asked: \"${{{{ steps.asked.body }}}}\" }} }} }}
"
    )
}

#[test]
fn a_run_ends_in_the_version_it_began_in_and_what_is_wrong_changes_nothing() {
    let slow = Slow::start();
    let project = project("serving-reload", &slow, "first");
    let service = Service::start(&project);
    let first = service.ask("ask");
    assert_eq!(slow.asked(), "/first");

    project.rewrite("flows/mine.yaml", &flow("second"));
    service.reload("the configuration was read again");
    slow.answer();
    assert_eq!(first.join().unwrap()["version"], "first");
    let second = service.ask("ask");
    assert_eq!(slow.asked(), "/second");
    slow.answer();
    assert_eq!(second.join().unwrap(), json!({ "version": "second", "asked": { "n": 2 } }));

    project.rewrite("flows/mine.yaml", &flow("third").replace("http.get", "http.nothing"));
    service.reload("the configuration stays as it was");
    let third = service.ask("ask");
    assert_eq!(slow.asked(), "/second");
    slow.answer();
    assert_eq!(third.join().unwrap()["version"], "second");
    assert!(service.end());
}

#[test]
fn told_to_end_it_takes_nothing_new_and_ends_what_is_under_way() {
    let slow = Slow::start();
    let project = project("serving-end", &slow, "first");
    let service = Service::start(&project);
    let asked = service.ask("ask");
    slow.asked();
    service.signal("-TERM");
    let refused = service.until(|| post(&client(), &service.url("/in/ask")), |(status, _)| *status == 503);
    assert!(refused.1.contains_key("retry-after"));
    slow.answer();
    assert_eq!(asked.join().unwrap()["version"], "first");
    assert!(service.ended());
}

#[test]
fn what_had_not_ended_goes_on_at_the_next_start() {
    let slow = Slow::start();
    let project = project("serving-again", &slow, "first");
    for how in ["-TERM", "-KILL"] {
        let service = Service::start_with(&project, &["--grace", "0"]);
        let asked = service.ask("ask");
        slow.asked();
        service.signal(how);
        assert_eq!(service.ended(), how == "-TERM");
        assert!(asked.join().is_err(), "nobody is there to answer");
        slow.forget();

        let service = Service::start(&project);
        assert_eq!(slow.asked(), "/first");
        slow.answer();
        // Equal keys go one at a time, so this one comes behind it.
        let next = service.ask("ask");
        slow.asked();
        slow.answer();
        next.join().unwrap();
        assert!(service.end());
    }
    let runs: Vec<Value> = project.journal("runs");
    assert_eq!(runs.len(), 4, "{runs:#?}");
    assert!(runs.iter().all(|run| run["outcome"] == "succeeded"), "{runs:#?}");
}

#[test]
fn a_run_is_drawn_while_it_is_under_way_and_when_it_has_ended() {
    let slow = Slow::start();
    let project = project("serving-drawn", &slow, "first");
    let service = Service::start(&project);
    let asked = service.ask("ask");
    slow.asked();
    let run = service.until(|| project.journal("runs").pop(), Option::is_some).unwrap();
    let run = run["run"].as_str().unwrap();
    let drawn = |arguments: &[&str]| project.transcript(&[&["graph", "--run", run], arguments].concat());
    let before = drawn(&[]);
    assert!(before.contains(&format!("Run {run}: under way")), "{before}");
    assert!(before.contains("├─ … asked") && before.contains("└─ … answer"), "{before}");

    slow.answer();
    asked.join().unwrap();
    assert!(service.end());
    let after = drawn(&["ask"]);
    assert!(after.contains(&format!("Run {run}: succeeded")), "{after}");
    assert!(after.contains("├─ ✓ asked") && after.contains("└─ ✓ answer"), "{after}");
    let other = drawn(&["customize"]);
    assert!(other.contains("is of the flow `ask`, not of `customize`"), "{other}");
}

#[test]
fn a_journal_has_one_service() {
    let slow = Slow::start();
    let project = project("serving-twice", &slow, "first");
    let service = Service::start(&project);
    let second = project.transcript(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(second.starts_with("exit code 2") && second.contains("in use by another cosell"), "{second}");
    assert!(service.end());
}

#[test]
fn with_a_certificate_it_speaks_tls() {
    let slow = Slow::start();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let project = project("serving-tls", &slow, "first")
        .file("cert.pem", &own.cert.pem())
        .file("key.pem", &own.signing_key.serialize_pem());
    let path = project.folder.join("cosell.yaml");
    let mut configuration: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    configuration["service"] =
        json!({ "listen": "127.0.0.1:0", "tls": { "certificate": "cert.pem", "key": "key.pem" } });
    std::fs::write(&path, configuration.to_string()).unwrap();
    let service = Service::start_with(&project, &[]);
    assert!(service.origin.starts_with("https://127.0.0.1:"));
    let root = reqwest::Certificate::from_pem(own.cert.pem().as_bytes()).unwrap();
    let trusting = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let address = service.url("/hooks/nobody").replace("127.0.0.1", "localhost");
    assert_eq!(get(&trusting, &address), 405);
    assert!(service.end());

    std::fs::write(project.folder.join("key.pem"), "no key").unwrap();
    let refused = project.transcript(&["serve"]);
    assert!(refused.starts_with("exit code 2") && refused.contains("TLS cannot be spoken"), "{refused}");
}
