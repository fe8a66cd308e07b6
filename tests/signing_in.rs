//! People who sign in, the registration for events, and `cosell doctor`, through the program and against the sandbox.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use cosell_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use support::{Project, Stage, configuration, filters, transcript};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const READ: &str =
    "flow: read\ntrigger: { use: manual }\nsteps:\n  all: { use: partner_center.list_referrals, with: { top: 1 } }\n";

/// A project whose connection to Partner Center acts for a person who has yet to sign in.
fn project(name: &str, stage: &Stage) -> Project {
    let mut settings = configuration(&stage.addresses);
    let sign_in = settings["connections"]["partner_center"]["sign_in"].as_object_mut().unwrap();
    sign_in.remove("refresh_token");
    sign_in.insert("person".to_owned(), json!(true));
    Project::new(name).flow(READ).file("cosell.yaml", &settings.to_string())
}

fn tokens(project: &Project) -> PathBuf {
    project.folder.join(".cosell/tokens/partner_center.json")
}

fn kept(project: &Project) -> Value {
    serde_json::from_str(&std::fs::read_to_string(tokens(project)).unwrap()).unwrap()
}

/// Runs the program with everything logged.
fn logged(project: &Project, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cosell"))
        .args(arguments)
        .current_dir(&project.folder)
        .env_clear()
        .env("COSELL_LOG", "trace")
        .output()
        .unwrap()
}

fn shown(output: &Output) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    transcript(output).replace(folder.to_str().unwrap(), "[folder]")
}

fn snapshot(name: &str, text: &str) {
    let mut filters = filters();
    filters.push((r"code [0-9A-F]{9}", "code [code]"));
    filters.push((r"\d+ MiB", "[many] MiB"));
    filters.push((r"\d+ flows", "[many] flows"));
    filters.push((r"\d{4}-\d\d-\d\dT[\d:.]+", "[moment]"));
    insta::with_settings!({ filters => filters, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn a_person_signs_in_on_another_device_and_out_again() {
    let stage = Stage::new();
    let project = project("login_device", &stage);
    snapshot("login_nobody", &project.transcript(&["run", "read"]));
    stage.control("PUT", "/entra", &json!({ "pending": 1 }));
    let login = project.run(&["login", "partner_center", "--device"]);
    snapshot("login_device", &shown(&login));

    let first = kept(&project);
    let ran = logged(&project, &["run", "read", "--json"]);
    assert!(ran.status.success(), "{}", transcript(&ran));
    let second = kept(&project);
    assert_ne!(first["token"], second["token"], "each use gives a newer one");
    assert_eq!((&first["since"], &second["second_factor"]), (&second["since"], &json!(true)));
    let said = transcript(&login) + &transcript(&ran);
    for secret in [&first["token"]["plain"], &second["token"]["plain"], &json!(stage.addresses.client_secret)] {
        assert!(!said.contains(secret.as_str().unwrap()));
    }
    snapshot("logout", &project.transcript(&["logout", "partner_center"]));
    assert!(!tokens(&project).exists());
    assert_eq!(project.run(&["run", "read"]).status.code(), Some(1));
    snapshot("login_as_itself", &project.transcript(&["login", "dataverse"]));
}

#[test]
fn a_person_signs_in_with_a_browser() {
    let stage = Stage::new();
    let project = project("login_browser", &stage).file(".env", &format!("COSELL_TOKEN_KEY='{KEY}'\n"));
    stage.control("PUT", "/entra", &json!({ "mfa": false }));
    let mut login = Command::new(env!("CARGO_BIN_EXE_cosell"))
        .args(["login", "partner_center", "--browser", "--json"])
        .current_dir(&project.folder)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(login.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let shown: Value = serde_json::from_str(&line).unwrap();
    let address = shown["sign_in"]["address"].as_str().unwrap().to_owned();
    let page = stage.runtime.block_on(async { stage.http.get(address).send().await.unwrap().text().await.unwrap() });
    assert!(page.contains("Go back to cosell"), "{page}");
    line.clear();
    output.read_line(&mut line).unwrap();
    let done: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(done["signed_in"]["person"], "cosell@fabrikam.example");
    assert_eq!((&done["signed_in"]["second_factor"], &done["signed_in"]["encrypted"]), (&json!(false), &json!(true)));
    let ended = login.wait_with_output().unwrap();
    let warning = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success() && warning.contains("without multi-factor authentication"), "{warning}");
    assert!(kept(&project)["token"]["encrypted"].is_string());
    let refused = project.transcript(&["run", "read"]);
    assert!(refused.contains("multi-factor authentication"), "Partner Center demands a second factor: {refused}");
}

#[test]
fn who_declines_is_not_signed_in() {
    let stage = Stage::new();
    let project = project("login_declined", &stage);
    stage.control("PUT", "/entra", &json!({ "refuse_sign_in": 65004 }));
    let login = project.run(&["login", "partner_center", "--device"]);
    assert_eq!(login.status.code(), Some(1), "{}", transcript(&login));
    assert!(!tokens(&project).exists());
}

#[test]
fn a_configured_refresh_token_is_renewed_in_the_file() {
    let stage = Stage::new();
    let project = Project::new("login_configured").connected(&stage.addresses).flow(READ);
    assert!(project.run(&["run", "read"]).status.success());
    let first = kept(&project);
    assert_ne!(first["token"]["plain"], json!(stage.addresses.refresh_token));
    assert!(project.run(&["run", "read"]).status.success());
    assert_eq!(first["since"], kept(&project)["since"]);
    let forgotten = project.transcript(&["logout", "partner_center"]);
    assert!(forgotten.contains("goes on with its configured `refresh_token`"), "{forgotten}");
}

/// An address that answers every request with 200, as the service's web hook does.
fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hooks/partner_center_events", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 8192]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    address
}

#[test]
fn the_registration_is_made_shown_and_tested() {
    let stage = Stage::new();
    let endpoint = receiver();
    let mut settings = configuration(&stage.addresses);
    settings["service"]["public_url"] = json!(endpoint.strip_suffix("/hooks/partner_center_events"));
    let project = Project::new("webhooks").flow(READ).file("cosell.yaml", &settings.to_string());
    snapshot("webhooks_none", &project.transcript(&["webhooks", "show"]));
    snapshot("webhooks_register", &project.transcript(&["webhooks", "register"]));
    snapshot("webhooks_show", &project.transcript(&["webhooks", "show"]));
    snapshot("webhooks_test", &project.transcript(&["webhooks", "test", "--wait", "9"]));

    // Another environment takes the events.
    let other = project.run(&["webhooks", "register", "--endpoint", "https://other.example/hook", "--overwrite"]);
    assert!(other.status.success(), "{}", transcript(&other));
    snapshot("webhooks_drift", &project.transcript(&["webhooks", "show"]));
    snapshot("webhooks_taken", &project.transcript(&["webhooks", "register"]));
    assert!(project.run(&["webhooks", "register", "--overwrite", "--json"]).status.success());
    let shown: Value = serde_json::from_slice(&project.run(&["webhooks", "show", "--json"]).stdout).unwrap();
    assert_eq!(shown["ours"], true);
}

#[test]
fn the_doctor_finds_nothing_wrong_where_nothing_is() {
    let stage = Stage::new();
    let endpoint = receiver();
    let mut settings = configuration(&stage.addresses);
    settings["connections"]["partner_center_events"]["endpoint"] = json!(endpoint);
    let project = Project::new("doctor").flow(READ).file("cosell.yaml", &settings.to_string());
    assert!(project.run(&["webhooks", "register"]).status.success());
    assert!(project.run(&["run", "read"]).status.success());
    let writes = stage.writes();
    snapshot("doctor_well", &project.transcript(&["doctor"]));
    assert_eq!(stage.writes(), writes, "it only reads");
}

#[test]
fn the_doctor_names_what_is_wrong_and_its_remedy() {
    let stage = Stage::new();
    let mut settings = configuration(&stage.addresses);
    let connections = &mut settings["connections"];
    connections["partner_center"]["sign_in"].as_object_mut().unwrap().remove("refresh_token");
    connections["partner_center"]["sign_in"]["person"] = json!(true);
    connections["partner_center_events"]["sign_in"]["client_secret"] = json!({ "env": "NOT_SET" });
    settings["variables"] = json!({
        "deal_value_column": "msft_weightedvalue", "audit_column": "new_audit", "visible_column": "name",
        "solutions_table": "new_solutions"
    });
    let project = Project::new("doctor_wrong").flow(READ).file("cosell.yaml", &format!("{settings:#}"));
    let skew = json!([{ "name": "clock", "system": "dataverse", "action": { "skew_seconds": 120 } }]);
    stage.control("PUT", "/faults", &skew);
    snapshot("doctor_wrong", &project.transcript(&["doctor"]));
    let found = project.run(&["doctor", "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let found: Vec<Value> = serde_json::from_slice(&found.stdout).unwrap();
    let is = |code: &str, level: &str| found.iter().any(|one| one["code"] == code && one["level"] == level);
    assert!(is("sign-in", "error") && is("settings", "error") && is("clock", "warning") && is("column", "warning"));
    assert!(found.iter().all(|one| one["level"] == "ok" || one["remedy"].is_string()));
}

#[test]
fn what_others_may_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new();
    let project = project("login_lax", &stage);
    assert!(project.run(&["login", "partner_center", "--device"]).status.success());
    std::fs::set_permissions(tokens(&project), PermissionsExt::from_mode(0o644)).unwrap();
    snapshot("login_lax", &project.transcript(&["run", "read"]));
}

#[test]
fn https_below_an_authority_of_one_s_own_is_trusted_where_the_connection_says_so() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(Options { https: true, ..Options::default() })).unwrap();
    let addresses = sandbox.addresses().clone();
    let mut settings = configuration(&addresses);
    settings["retry"]["count"] = json!(0);
    let project = Project::new("https_roots").flow(READ).file("ca.pem", addresses.ca_certificate_pem.as_ref().unwrap());
    let project = project.file("cosell.yaml", &settings.to_string());
    let stranger = project.transcript(&["run", "read"]);
    assert!(stranger.contains("cannot connect"), "{stranger}");
    settings["connections"]["partner_center"]["https_roots"] = json!({ "file": "ca.pem" });
    let project = project.file("cosell.yaml", &settings.to_string());
    let trusted = project.run(&["run", "read"]);
    assert!(trusted.status.success(), "{}", transcript(&trusted));
}
