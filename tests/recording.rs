//! `cosell record` and what plays a recording: the same is foretold without any system, a changed flow is foretold as changed,
//! what a recording lacks is said, and neither secrets nor people are in it.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use support::desk::Desk;
use support::{Project, filters, transcript};

/// The people of the sandbox and of the desk's deals, as they are known there.
const PEOPLE: [&str; 12] = [
    "Noor",
    "Haddad",
    "Sam Ito",
    "noor@fabrikam.example",
    "sam@fabrikam.example",
    "Iris",
    "de Wit",
    "iris.dewit@northwind.example",
    "+31 10 555 0101",
    "Aoife",
    "aoife.byrne@",
    "+353215550144",
];

/// A project without any connection.
fn offline(name: &str, recording: &Path) -> Project {
    let project = Project::new(name).file("cosell.yaml", "flows: [flows]\n").flow("variables: {}\n");
    std::fs::copy(recording, project.folder.join("deal.json")).unwrap();
    project
}

/// Records, and gives what was seen.
fn record(desk: &Desk, arguments: &[&str]) -> String {
    let output = desk.project.run(&[&["record", "--out", "deal.json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What a person sees of a preview, but for the moment, and for how many requests were made: what is known of a table is asked
/// for once where nothing else is under way, or more often.
fn seen(project: &Project, arguments: &[&str]) -> String {
    let seen = project.transcript(&[&["dry-run"], arguments].concat());
    let without_count = |line: &str| match line.strip_suffix(" requests, all of them reading.") {
        Some(before) => before.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(),
        None => line.to_owned(),
    };
    let seen = seen.lines().map(without_count).collect::<Vec<_>>().join("\n");
    // A moment is told to the minute.
    let mut parts = seen.split(" UTC - ");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| format!("{}[moment] UTC - {part}", &text[..text.len() - "2026-11-02 08:15".len()]))
}

fn found(project: &Project, arguments: &[&str]) -> Value {
    let seen = seen(project, &[arguments, &["--json"]].concat());
    let printed = seen.split_once("standard output\n").unwrap().1.split_once("----- standard error").unwrap().0;
    let mut found: Value = serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}\n{seen}"));
    found["totals"]["requests"] = Value::Null;
    found
}

/// Where two values differ, as paths, with both.
fn differences(one: &Value, other: &Value, path: &str, into: &mut Vec<(String, Value, Value)>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{path}");
            one.iter().for_each(|(name, value)| differences(value, &other[name], &format!("{path}.{name}"), into));
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{path}");
            one.iter().zip(other).for_each(|(one, other)| differences(one, other, &format!("{path}[]"), into));
        }
        _ if one == other => {}
        _ => into.push((path.to_owned(), one.clone(), other.clone())),
    }
}

#[test]
fn what_was_recorded_is_foretold_without_any_system() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({ "name": "Northwind rollout" }));
    let arguments = ["--opportunity", opportunity.as_str()];
    let live = [seen(&desk.project, &arguments), seen(&desk.project, &[&arguments[..], &["--markdown"]].concat())];
    let live_json = found(&desk.project, &arguments);
    record(&desk, &[&arguments[..], &["--keep-people"]].concat());
    let whole = offline("recording_whole", &desk.project.folder.join("deal.json"));
    record(&desk, &arguments);
    let redacted = offline("recording_redacted", &desk.project.folder.join("deal.json"));
    drop(desk);

    // With people as they are it is the same word by word.
    let recorded = ["--recorded", "deal.json"];
    assert_eq!(seen(&whole, &recorded), live[0]);
    assert_eq!(seen(&whole, &[&recorded[..], &["--markdown"]].concat()), live[1]);
    assert_eq!(found(&whole, &recorded), live_json);
    assert!(live[0].starts_with("exit code 3\n"), "{}", live[0]);

    // Else it is the same but for people.
    let mut differ = Vec::new();
    differences(&live_json, &found(&redacted, &recorded), "", &mut differ);
    let at: BTreeSet<&str> = differ.iter().map(|(path, ..)| path.rsplit('.').next().unwrap()).collect();
    assert_eq!(at, BTreeSet::from(["email", "firstName", "lastName", "phoneNumber"]), "{differ:#?}");
}

#[test]
fn neither_secrets_nor_people_nor_addresses_are_in_it() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({ "name": "Shared by Microsoft" }));
    for (source, id) in [("--opportunity", &opportunity), ("--referral", &referral)] {
        record(&desk, &[source, id]);
        let text = std::fs::read_to_string(desk.project.folder.join("deal.json")).unwrap();
        let addresses = &desk.stage.addresses;
        let secrets =
            [addresses.client_secret.as_str(), addresses.refresh_token.as_str(), "Bearer", "eyJ", "127.0.0.1"];
        for told in secrets.iter().chain(&PEOPLE) {
            assert!(!text.contains(told), "{told} is told by a recording of {source}");
        }
        assert!(text.contains("Given1") && text.contains("person-1@"), "{source}");
    }
}

#[test]
fn the_same_is_recorded_in_the_same_bytes() {
    let desk = Desk::new();
    let (referral, _) = desk.arrived(&json!({ "name": "Shared by Microsoft" }));
    let text = || std::fs::read_to_string(desk.project.folder.join("deal.json")).unwrap();
    let told = record(&desk, &["--referral", &referral]);
    let first = text();
    assert_eq!(record(&desk, &["--referral", &referral]), told);
    assert_eq!(text(), first);
    // What a person sees.
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => filters() }, {
        insta::assert_snapshot!("record", told);
    });
}

#[test]
fn a_changed_flow_is_foretold_as_changed() {
    let project = Project::new("recording_changed").file("cosell.yaml", "flows: [flows]\n").flow("variables: {}\n");
    let output = project.run(&["record", "--sandbox", "--out", "deal.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    let recorded = ["--recorded", "deal.json"];
    let description = |found: &Value| {
        let steps = found["steps"].as_array().unwrap().iter();
        let mut changes = steps.flat_map(|step| step["changes"].as_array().into_iter().flatten());
        changes.find(|change| change["field"] == "description").unwrap()["new"].clone()
    };
    assert_eq!(description(&found(&project, &recorded)), "Wants one dashboard for all stores.");
    let project = project.flow(
        "mapping: referral-opportunity
rows:
  notes: { opportunity: { length: 10 } }
",
    );
    let seen = found(&project, &recorded);
    assert_eq!(description(&seen), "Wants one…", "{seen:#}");
}

/// A flow that asks for one contact, and writes.
fn greet(columns: &str) -> String {
    format!(
        "flow: greet
trigger: {{ use: manual, inputs: {{ id: text }} }}
steps:
  customer:
    use: dataverse.get_row
    with: {{ table: contact, id: \"${{{{ inputs.id }}}}\", select: [{columns}] }}
  kept:
    after: {{ customer: [succeeded, failed] }}
    use: state.put
    with: {{ key: greeted, value: \"${{{{ outcomes.customer.outcome }}}}\" }}
output: ${{{{ steps.customer.firstname }}}}
"
    )
}

const IRIS: &str = "id=c05e1100-0000-4000-8000-000400000001";

#[test]
fn what_a_recording_lacks_is_said_even_where_the_flow_goes_on() {
    let project = Project::new("recording_lacks").file("cosell.yaml", "flows: [flows]\n");
    let project = project.flow(&greet("firstname"));
    let output = project.run(&["record", "greet", "--sandbox", "--input", IRIS, "--out", "greet.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    let seen = project.transcript(&["dry-run", "--recorded", "greet.json", "--json"]);
    assert!(seen.starts_with("exit code 3\n") && seen.contains("\"output\": \"Given1\""), "{seen}");
    let project = project.flow(&greet("firstname, lastname"));
    let seen = project.transcript(&["dry-run", "--recorded", "greet.json"]);
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => filters() }, {
        insta::assert_snapshot!("dry_run_lacking", seen);
    });
}

#[test]
fn what_is_sensitive_is_recorded_by_its_form() {
    let flow = "
flow: greet
trigger: { use: manual, inputs: { id: text, word: text } }
steps:
  word: { sensitive: true, let: { key: \"${{ inputs.word }}\" } }
  kept: { use: state.get, with: { key: \"${{ steps.word.key }}\" } }
  put: { use: state.put, sensitive: true, with: { key: note, value: \"${{ inputs.word }}\" } }
  customer: { use: dataverse.get_row, sensitive: true, with: { table: contact, id: \"${{ inputs.id }}\" } }
  again: { use: dataverse.get_row, with: { table: account, id: \"${{ steps.customer.parentcustomerid.id }}\", select: [name] } }
output: ${{ steps.again.name }}
";
    let project = Project::new("recording_sensitive").file("cosell.yaml", "flows: [flows]\n").flow(flow);
    let arguments = ["record", "greet", "--sandbox", "--input", IRIS, "--input", "word=hush-hush", "--keep-people"];
    let output = project.run(&[&arguments[..], &["--out", "greet.json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    let text = std::fs::read_to_string(project.folder.join("greet.json")).unwrap();
    for told in ["hush", "Iris", "de Wit", "northwind.example", "555 0101", "c05e1100-0000-4000-8000-000400000001"] {
        assert!(!text.contains(told), "{told}");
    }
    // What is asked for by something sensitive is found by its stand-in.
    let seen = project.transcript(&["dry-run", "--recorded", "greet.json", "--json"]);
    assert!(seen.starts_with("exit code 3\n") && seen.contains("\"output\": \"hidden-"), "{seen}\n{text}");
}

#[test]
fn a_field_that_is_named_is_replaced_as_well() {
    let project =
        Project::new("recording_fields").file("cosell.yaml", "flows: [flows]\n").flow(&greet("firstname, jobtitle"));
    let arguments = ["record", "greet", "--sandbox", "--input", IRIS, "--out", "greet.json"];
    let output = project.run(&[&arguments[..], &["--keep-people", "--redact", "first_name"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    let text = std::fs::read_to_string(project.folder.join("greet.json")).unwrap();
    assert!(!text.contains("Iris") && text.contains("\"firstname\": \"hidden-1\""), "{text}");
}

#[test]
fn a_file_that_is_no_recording_is_refused_with_its_place() {
    let project = Project::new("recording_broken").file("cosell.yaml", "flows: [flows]\n").flow(&greet("firstname"));
    let output = project.run(&["record", "greet", "--sandbox", "--input", IRIS, "--out", "greet.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    let text = std::fs::read_to_string(project.folder.join("greet.json")).unwrap();
    let cut = &text[..text.len() / 2];
    let place = format!("greet.json:{}:", cut.lines().count());
    for (text, told) in [
        (cut, place.as_str()),
        ("{ \"referral_id\": \"x\" }", "greet.json:1:15: unknown field `referral_id`"),
        ("{ \"cosell_recording\": 1 }", "greet.json:1:25: missing field `flow`"),
        (&text.replace("\"cosell_recording\": 1", "\"cosell_recording\": 7"), "has form 7, and this program reads 1"),
        ("flow: a", "greet.json:1:"),
        ("", "greet.json:1:"),
        (&format!("{text} more"), "trailing characters"),
    ] {
        std::fs::write(project.folder.join("greet.json"), text).unwrap();
        let seen = project.transcript(&["dry-run", "--recorded", "greet.json"]);
        assert!(seen.starts_with("exit code 2\n") && seen.contains(told), "{told}: {seen}");
        assert!(seen.contains("expected a file that `cosell record` wrote"), "{seen}");
    }
    for arguments in [
        &["--recorded", "none.json"][..],
        &["--recorded", "greet.json", "--sandbox"],
        &["--recorded", "greet.json", "greet"],
    ] {
        let output = project.run(&[&["dry-run"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{}", transcript(&output));
    }
}

fn example() -> Project {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/recorded");
    let text = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let name = std::thread::current().name().unwrap().to_owned();
    ["cosell.yaml", "tests/shared-deal.yaml", "tests/shared-deal.json"]
        .into_iter()
        .fold(Project::new(&name), |project, path| project.file(path, &text(path)))
}

#[test]
fn the_example_s_test_plays_its_recording() {
    let project = example();
    let output = project.run(&["test", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    // What it expects is held against what is foretold, also where a flow has been changed since.
    let project = project.file("cosell.yaml", "flows: [flows]\n").flow(
        "mapping: referral-opportunity
rows:
  notes: { opportunity: { length: 10 } }
",
    );
    let output = project.run(&["test", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let differences = found["tests"][0]["differences"].as_array().unwrap();
    assert_eq!((output.status.code(), differences.len()), (Some(1), 1), "{found:#}");
    assert_eq!(differences[0]["what"], "writes[2].with.description");
    assert_eq!(differences[0]["found"], "Wants one…");
}

#[test]
fn a_test_on_a_recording_has_values_of_its_own_and_may_run_with_another_event() {
    let project = example().file(
        "tests/again.yaml",
        "tests:
  - test: Without the mark
    given: { recorded: shared-deal.json, variables: { display_check_mark: false } }
    when: { run: partner-center-to-dynamics }
    then:
      outcome: succeeded
      writes:
        - create: account
          as: customer
        - create: contact
        - create: opportunity
          with: { name: \"Contoso Foods: analytics for 40 stores\", customerid: <customer> }
        - change: referral
        - create: msft_partnercentersolution
  - test: Another deal
    given: { recorded: shared-deal.json }
    when:
      run: partner-center-to-dynamics
      event: { event: referral-updated, referral_id: 3f2504e0-4f89-11d3-9a0c-0305e82c3301, changed_at: \"2026-01-01T00:00:00Z\" }
    then: { outcome: failed }
",
    );
    let output = project.run(&["test", "again", "--json", "--coverage"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", transcript(&output)));
    let tests = found["tests"].as_array().unwrap();
    assert_eq!((&tests[0]["differences"], &tests[0]["passed"]), (&json!([]), &json!(true)));
    let lacking = tests[1]["differences"][0]["found"].as_str().unwrap();
    assert!(lacking.contains("no answer was recorded for `get_referral` of `partner_center`"), "{lacking}");
    assert_eq!(tests[1]["differences"][0]["place"], "tests/again.yaml:16");
    assert!(found["coverage"]["reached"].as_u64() > Some(50), "{:#}", found["coverage"]);
}

#[test]
fn what_is_wrong_with_a_test_on_a_recording_is_told_with_its_place() {
    let project = example().file("tests/cut.json", "{ \"cosell_recording\": 1,\n").file(
        "tests/shared-deal.yaml",
        "tests:
  - test: There is no such file
    given: { recorded: none.json }
    when: recorded
  - test: The file is no recording
    given: { recorded: cut.json }
    when: recorded
  - test: Records have no place beside a recording
    flow: customize
    given: { recorded: shared-deal.json, referrals: { tailwind: }, variables: { sync_solutions: false } }
    already: { created: tailwind }
    when: { created: tailwind }
    then: { outcome: succeeded, records: { tailwind: }, audit: x }
  - test: One thing happens
    given: { recorded: shared-deal.json }
    when: [{ run: customize }, { run: customize }]
  - test: Nothing was recorded
    when: recorded
",
    );
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => filters() }, {
        insta::assert_snapshot!("test_recorded_mistakes", project.transcript(&["test"]));
    });
}
