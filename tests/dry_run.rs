//! `cosell dry-run`, as a person uses it: the page and the exit code of each kind of preview, and that nothing is written.
//!
//! That every flow's dry run tells what its run then does is shown for generated cases in `tests/convergence`.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_compile::compile;
use cosell_compile::source::{Layer, SourceFile};
use cosell_journal::Journal;
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, FlowId, Outcome};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::Nobody;
use serde_json::{Value, json};
use support::desk::{Desk, text};
use support::{Project, filters, transcript};

const SENDS: &str = "dynamics-opportunity-to-partner-center";

fn named(name: &str) -> Value {
    json!({ "name": name })
}

/// Everything a person sees; nothing may have been written meanwhile.
fn dry(desk: &Desk, arguments: &[&str]) -> String {
    let log = || desk.stage.control("GET", "/log?after=0", &Value::Null);
    let kept = || std::fs::read(desk.project.folder.join(".cosell/state.jsonl")).unwrap_or_default();
    let (position, state) = (log().as_array().unwrap().len(), kept());
    let output = desk.project.run(&[&["dry-run"], arguments].concat());
    for entry in &log().as_array().unwrap()[position..] {
        let reads = entry["method"] == "GET" || ["entra", "control"].contains(&text(&entry["system"]));
        assert!(reads && entry["changes"] == json!([]), "a dry run sent {entry}");
    }
    assert_eq!(kept(), state, "a dry run keeps nothing");
    transcript(&output)
}

fn found(desk: &Desk, arguments: &[&str]) -> Value {
    let seen = dry(desk, &[arguments, &["--json"]].concat());
    let printed = seen.split_once("standard output\n").unwrap().1.split_once("----- standard error").unwrap().0;
    serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}\n{seen}"))
}

fn snapshot(name: &str, seen: &str) {
    let mut filters = filters();
    // What is known of a table is read once, by whichever step comes first; ids within longer texts are cut; Microsoft's
    // deals close so many days from today.
    filters.extend([(r"\d+ requests", "[many] requests"), (r"[0-9a-f]{8}-[0-9a-f-]*…", "[guid]…")]);
    filters.push((r#""\d{4}-\d\d-\d\d""#, r#""[date]""#));
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => filters }, {
        insta::assert_snapshot!(name, seen);
    });
}

#[test]
fn a_deal_that_would_be_shared() {
    let desk = Desk::new();
    let opportunity = desk.deal(&named("Northwind rollout"));
    snapshot("dry_run_opportunity", &dry(&desk, &["--opportunity", &opportunity]));
    snapshot("dry_run_markdown", &dry(&desk, &["--opportunity", &opportunity, "--markdown"]));
}

#[test]
fn a_deal_that_would_come_in_and_then_has_come() {
    let desk = Desk::new();
    let referral = desk.shared(&named("Shared by Microsoft"));
    snapshot("dry_run_referral", &dry(&desk, &["--referral", &referral]));
    desk.receive(&referral).ends_well();
    let seen = dry(&desk, &["--referral", &referral]);
    assert!(seen.starts_with("exit code 0\n"), "{seen}");
    assert!(seen.contains("Nothing would change"), "{seen}");
}

#[test]
fn a_changed_field_is_told_with_its_row() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&named("Shared by Microsoft"));
    desk.edit(&opportunity, &json!({ "description": "Five stores." }));
    let found = found(&desk, &["--opportunity", &opportunity]);
    let steps = found["steps"].as_array().unwrap().iter();
    let mut told = steps.flat_map(|step| step["changes"].as_array().into_iter().flatten());
    let note = told.find(|change| change["field"] == "details.notes").unwrap_or_else(|| panic!("{found:#}"));
    let expected = json!({
        "record": format!("referral {referral}"), "field": "details.notes",
        "old": "Wants to see its stock in every store.", "new": "Five stores.",
        "row": { "mapping": "referral-opportunity", "row": "notes" },
    });
    assert_eq!(note, &expected);
}

#[test]
fn two_people_of_one_address_are_one_contact() {
    // Merged over the shipped flow: everybody at the customer gets a contact, and not the first one alone.
    let overlay = "
flow: customize
steps:
  task:
    cases:
      contact:
        everybody:
          after: { new_contact: [succeeded, skipped] }
          for_each: ${{ inputs.referral.customerProfile.team }}
          do:
            everybodys_values: { map: person-contact, from: { person: '${{ item }}' } }
            one_known:
              use: dataverse.find_row
              with: { table: contact, where: { emailaddress1: '${{ item.email }}', parentcustomerid: '${{ inputs.account_id }}' } }
            one_new:
              when: ${{ not steps.one_known }}
              use: dataverse.create_row
              with:
                table: contact
                values: \"${{ steps.everybodys_values | merge({'parentcustomerid': {'account': inputs.account_id}}) }}\"
";
    let desk = Desk::new();
    std::fs::write(desk.project.folder.join("flows/customize.yaml"), overlay).unwrap();
    let person = |name: &str, email: &str| json!({ "firstName": name, "lastName": "Byrne", "email": email, "phoneNumber": "+353215550144" });
    let team = [("Aoife", "office@byrne.example"), ("Brian", "Office@Byrne.example"), ("Ciara", "ciara@byrne.example")];
    let customer = json!({
        "name": "Byrne Dairies", "address": { "addressLine1": "1 Quay", "city": "Cork", "postalCode": "T12", "country": "IE" },
        "team": team.map(|(name, email)| person(name, email)),
    });
    let referral = desk.shared(&json!({ "name": "Shared by Microsoft", "customerProfile": customer }));
    let found = found(&desk, &["--referral", &referral]);
    let steps = found["steps"].as_array().unwrap().iter();
    let changes = steps.flat_map(|step| step["changes"].as_array().into_iter().flatten());
    let emails =
        changes.filter(|change| change["field"] == "emailaddress1" && text(&change["record"]).starts_with("contact"));
    let emails: Vec<_> = emails.map(|change| text(&change["new"]).to_owned()).collect();
    assert_eq!(emails, ["office@byrne.example", "ciara@byrne.example"], "{found:#}");
    desk.receive(&referral).ends_well();
    let made = desk.rows("contacts").into_iter().filter(|row| text(&row["emailaddress1"]).ends_with("@byrne.example"));
    assert_eq!(made.count(), emails.len());
}

#[test]
fn what_a_search_could_not_take_into_account_is_told() {
    let flow = "
flow: contacts
trigger: { use: manual }
steps:
  made: { use: dataverse.create_row, with: { table: contact, values: { lastname: Byrne } } }
  recent: { after: made, use: dataverse.list_rows, with: { table: contact, filter: createdon gt 2026-01-01 } }
  named: { after: made, use: dataverse.list_rows, with: { table: contact, filter: \"createdon gt 2026-01-01 and lastname eq 'x'\" } }
";
    let desk = Desk::new();
    std::fs::write(desk.project.folder.join("flows/contacts.yaml"), flow).unwrap();
    let seen = [&["contacts"][..], &["contacts", "--markdown"]].map(|arguments| dry(&desk, arguments)).join("\n");
    snapshot("dry_run_remark", &seen);
    let found = found(&desk, &["contacts"]);
    let remarks: Vec<_> =
        found["steps"].as_array().unwrap().iter().map(|step| step["remarks"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(remarks, [0, 1, 0], "{found:#}");
}

#[test]
fn what_would_fail_says_why() {
    let desk = Desk::new();
    let opportunity = desk.stage.opportunity(&named("Without a solution"));
    let input = format!("opportunity_id={opportunity}");
    // What else was under way when it was refused differs from time to time.
    let seen = dry(&desk, &["dynamics-to-partner-center", "--input", &input]);
    assert!(seen.starts_with("exit code 1\n"), "{seen}");
    for told in [
        "\"Without a solution\" → \"✖ Without a solution\"",
        "It would fail: step `refused`: Solution ID is required: add a valid co-sell-ready solution to the opportunity. (not_sent)",
        "1 write would change 2 fields.",
    ] {
        assert!(seen.contains(told), "{told} in {seen}");
    }
    let missing = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
    snapshot("dry_run_no_referral", &dry(&desk, &["--referral", missing]));
}

#[test]
fn an_event_from_a_file() {
    let desk = Desk::new();
    let opportunity = desk.deal(&named("Northwind rollout"));
    let event = json!({ "table": "opportunity", "change": "saved", "id": opportunity,
        "row": { "msft_microsoftpartnercenterreferralsync": true } });
    std::fs::write(desk.project.folder.join("event.json"), event.to_string()).unwrap();
    let of_file = found(&desk, &[SENDS, "--event", "event.json"]);
    assert_eq!((&of_file["outcome"], &of_file["totals"]["writes"]), (&json!("succeeded"), &json!(5)), "{of_file:#}");
    let of_record = found(&desk, &["--opportunity", &opportunity]);
    assert_eq!(of_file["totals"]["fields"], of_record["totals"]["fields"]);
    for (arguments, told) in [
        (&["--event", "event.json"][..], "<FLOW>"),
        (&[SENDS, "--event", "none.json"], "none.json"),
        (&[SENDS, "--event", "event.json", "--referral", "x"], "cannot be used with"),
        (&["no-such-flow", "--event", "event.json"], "there is no flow `no-such-flow`"),
        (&["--run", "0196a0c4-5d5e-7c11-9e59-3b0e5f3c7a10"], "journal"),
    ] {
        let seen = dry(&desk, arguments);
        assert!(seen.starts_with("exit code 2\n") && seen.contains(told), "{arguments:?}: {seen}");
    }
}

#[test]
fn without_any_account_against_the_sandbox() {
    let project = Project::new("dry_run_sandbox");
    let found = |arguments: &[&str]| -> Value {
        let output = project.run(&[&["dry-run", "--sandbox", "--json"], arguments].concat());
        assert_eq!(output.status.code(), Some(3), "{}", transcript(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let first = found(&[]);
    assert_eq!((&first["flow"], &first["totals"]["failed"]), (&json!("partner-center-to-dynamics"), &json!(0)));
    assert!(first.to_string().contains("Contoso Foods: analytics for 40 stores"));
    let second = found(&[SENDS]);
    assert_eq!((&second["flow"], &second["totals"]["failed"]), (&json!(SENDS), &json!(0)));
    assert!(second.to_string().contains("new referral Northwind warehouse rollout"));
    assert!(!project.folder.join(".cosell").exists(), "a person's sign-in must not be replaced by the stand-in's");
}

#[test]
fn what_started_a_recorded_run() {
    let flow = "
flow: note
trigger: { use: manual, inputs: { text: text } }
steps:
  kept: { use: state.put, with: { key: note, value: \"${{ inputs.text }}\" } }
";
    let project = Project::new("dry_run_recorded").file("cosell.yaml", r#"{ "flows": ["flows"] }"#).flow(flow);
    let state = cosell_state::connector();
    let files = vec![SourceFile { path: "mine.yaml".to_owned(), text: flow.to_owned(), layer: Layer::Own }];
    let plans = compile(files, &Catalogue::new([state.description().clone()]), &BTreeMap::new()).plans;
    let connections = BTreeMap::from([("state".to_owned(), state.open(json!({})).unwrap())]);
    let folder = project.folder.join(".cosell");
    std::fs::create_dir(&folder).unwrap();
    let journal = Journal::open(&folder.join("journal.db")).unwrap();
    let engine = Engine::new(plans, connections, Retry::default());
    let engine = engine.kept_by(Arc::new(journal), "1".to_owned(), Vec::new());
    let start = Start { inputs: json!({ "text": "Call Iris." }), ..Start::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let run = runtime.block_on(engine.run(&FlowId::new("note"), start, &Nobody));
    assert_eq!(run.outcome, Outcome::Succeeded);
    drop((engine, runtime));

    let output = project.run(&["dry-run", "--run", &run.id, "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", transcript(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let change = json!({ "record": "state note", "field": "*", "old": null, "new": "Call Iris." });
    assert_eq!((&found["flow"], &found["steps"][0]["changes"]), (&json!("note"), &json!([change])));
}

#[test]
fn what_is_sensitive_is_not_told_and_waits_take_no_time() {
    let flow = "
flow: note
trigger: { use: manual, inputs: { text: text } }
steps:
  later: { wait: 2h }
  kept: { after: later, use: state.put, sensitive: true, with: { key: note, value: \"${{ inputs.text }}\" } }
  read: { after: kept, use: state.get, sensitive: true, with: { key: note } }
  found: { let: { is_there: \"${{ steps.read.found }}\" } }
output: ${{ steps.found.is_there }}
";
    let project = Project::new("dry_run_sensitive").file("cosell.yaml", r#"{ "flows": ["flows"] }"#).flow(flow);
    for form in ["--json", "--markdown"] {
        let seen = project.transcript(&["dry-run", "note", "--input", "text=hush-hush", form]);
        assert!(seen.starts_with("exit code 3\n") && !seen.contains("hush-hush"), "{seen}");
        assert!(seen.contains("(sensitive)"), "{seen}");
        assert!(form != "--json" || seen.contains("\"output\": true"), "{seen}");
    }
}
