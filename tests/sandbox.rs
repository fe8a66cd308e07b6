//! `cosell sandbox` as its user sees it: one line of JSON once ready, HTTPS below a certificate written to a file, an end
//! when told to, and state that survives it. And what `--help` says of every command.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::Project;

/// A sandbox in a process of its own.
struct Served {
    process: Child,
    addresses: Value,
}

impl Served {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_cosell"))
            .args(["sandbox", "--json"])
            .args(arguments)
            .current_dir(&project.folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, addresses: serde_json::from_str(&line).unwrap() }
    }

    fn address(&self, name: &str) -> &str {
        self.addresses[name].as_str().unwrap()
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    fn end(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
fn one_line_says_where_everything_is_and_https_is_below_the_certificate_written() {
    let project = Project::new("sandbox_https");
    let sandbox = Served::start(&project, &["--https", "--ca-out", "ca.pem"]);
    for name in ["entra", "partner_center", "partner_center_events", "dataverse"] {
        assert!(sandbox.address(name).starts_with("https://"), "{name}");
    }
    for name in ["tenant", "client_id", "client_secret"] {
        assert!(!sandbox.address(name).is_empty());
    }
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(project.folder.join("ca.pem")).unwrap()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
        let token = client
            .post(format!("{}/{}/oauth2/v2.0/token", sandbox.address("entra"), sandbox.address("tenant")))
            .form(&[
                ("grant_type", "client_credentials"),
                ("client_id", sandbox.address("client_id")),
                ("client_secret", sandbox.address("client_secret")),
                ("scope", &format!("{}/.default", sandbox.address("dataverse"))),
            ])
            .send()
            .await
            .unwrap();
        let token: Value = token.json().await.unwrap();
        let who = client
            .get(format!("{}/api/data/v9.2/WhoAmI", sandbox.address("dataverse")))
            .bearer_auth(token["access_token"].as_str().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(who.status(), 200);
        let stranger = reqwest::Client::new().get(sandbox.address("dataverse")).send().await;
        assert!(stranger.is_err(), "nobody else trusts the certificate");
    });
    sandbox.end();
}

#[test]
fn state_in_a_file_survives_the_end() {
    let project = Project::new("sandbox_state");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = Served::start(&project, &["--state", "state.json"]);
    let share =
        reqwest::Client::new().post(format!("{}/seller/referrals", sandbox.address("control"))).json(&json!({}));
    let referral: Value = runtime.block_on(async { share.send().await.unwrap().json().await.unwrap() });
    sandbox.end();
    let sandbox = Served::start(&project, &["--state", "state.json"]);
    let all = reqwest::Client::new().get(format!("{}/referrals", sandbox.address("control")));
    let all: Value = runtime.block_on(async { all.send().await.unwrap().json().await.unwrap() });
    assert_eq!(all[0]["id"], referral["id"]);
    sandbox.end();
}

#[test]
fn every_command_explains_itself() {
    let project = Project::new("help");
    for command in [
        "",
        "demo",
        "check",
        "explain",
        "init",
        "flows",
        "graph",
        "mapping",
        "metadata pull",
        "schema",
        "lsp",
        "variables",
        "run",
        "dry-run",
        "record",
        "test",
        "serve",
        "runs",
        "runs list",
        "runs show",
        "runs watch",
        "runs resume",
        "runs skip",
        "status",
        "journal",
        "solutions import",
        "solutions export",
        "sync",
        "test",
        "doctor",
        "login",
        "logout",
        "webhooks register",
        "webhooks show",
        "webhooks test",
        "sandbox",
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let name = ["help"].into_iter().chain(command.split_whitespace()).collect::<Vec<_>>().join("_");
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, project.transcript(&arguments));
        });
    }
}
