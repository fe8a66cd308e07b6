//! `cosell test`, as a person uses it: what is seen where tests pass, fail or are written wrongly, what `--accept` writes, what
//! build servers get, and that the shipped flows have tests that reach all of them.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::path::Path;

use serde_json::Value;
use support::{Project, filters, transcript};

/// A flow of one's own, with a branch that nothing but tests would show.
const GREET: &str = "flow: greet
title: Greet a customer
trigger: { use: call, inputs: { id: text } }
steps:
  customer:
    use: dataverse.get_row
    with: { table: contact, id: \"${{ inputs.id }}\" }
  known:
    if: ${{ steps.customer.emailaddress1 }}
    then:
      mark:
        use: dataverse.update_row
        with: { table: contact, id: \"${{ inputs.id }}\", values: { jobtitle: \"Greeted, ${{ steps.customer.firstname }}\" } }
    else:
      nothing: { stop: { outcome: failed, code: no_address, message: \"There is no e-mail address.\" } }
  pause: { wait: 2h }
output: { greeted: \"${{ steps.mark.row.jobtitle }}\" }
";

const GREETED: &str = "tests:
  - test: A customer with an address is greeted
    when: { run: greet, inputs: { id: <iris> } }
    then:
      outcome: succeeded
      output: { greeted: \"…Iris\" }
      writes:
        - change: iris
          with: { jobtitle: \"Greeted, Iris\" }
";

fn project(name: &str, tests: &str) -> Project {
    let project = Project::new(name).file("cosell.yaml", "flows: [flows]\n");
    project.flow(GREET).file("tests/greeting.yaml", tests)
}

/// Runs the program, and holds what a person sees against the snapshot of this name.
fn shows(name: &str, project: &Project, arguments: &[&str]) -> i32 {
    let output = project.run(arguments);
    let mut filters = filters();
    filters.push((r"in \d+(\.\d+)?\s?m?s", "in [time]"));
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => filters }, {
        insta::assert_snapshot!(name, transcript(&output));
    });
    output.status.code().unwrap()
}

fn json(project: &Project, arguments: &[&str]) -> Value {
    let output = project.run(&[&["test", "--json"], arguments].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{}", transcript(&output)))
}

#[test]
fn tests_that_pass_say_so_in_a_line_a_file() {
    let project = project("test_passes", GREETED);
    assert_eq!(shows("test_passes", &project, &["test"]), 0);
}

#[test]
fn what_is_not_as_expected_is_shown_with_its_place() {
    let tests = "tests:
  - test: The wrong words, another output and a write that nobody makes
    when: { run: greet, inputs: { id: <iris> } }
    then:
      outcome: failed
      error: …address…
      output: { greeted: Greeted, more: { of: it } }
      writes:
        - create: annotation
        - change: iris
          with: { jobtitle: \"Greeted, Tom\", emailaddress1: iris@northwind.example }
      records:
        iris: { lastname: de Witt }
  - test: A write that was not expected
    given: { rows: { contact: { ana: { lastname: Lopez, emailaddress1: ana@tailwind.example } } } }
    when: { run: greet, inputs: { id: <ana> } }
    then: { writes: none }
  - test: A name that no record has
    when: { run: greet, inputs: { id: <irs> } }
    then: { outcome: succeeded }
  - test: Something that the CRM refuses
    when: { saved: iris, with: { shoe_size: 7 } }
    then: { outcome: not_started }
  - test: Nobody listens
    when: { saved: iris }
    then: { outcome: succeeded }
  - test: Nothing is expected yet
    when: { saved: iris }
";
    assert_eq!(shows("test_fails", &project("test_fails", tests), &["test"]), 1);
}

#[test]
fn mistakes_in_a_file_of_tests_are_all_told_at_once() {
    let tests = "tests:
  - test: Slips
    flow: partner-centre-to-dynamics
    givn: {}
    given:
      refferals: { a: }
      opportunities: [rollout]
      rows: { contact: { Ana: } }
      columns: { contact: { new_a: string } }
      faults: [{ system: dynamics, answers: 999 }, { method: PATCH }]
    when:
      - { save: rollout }
      - { with: { a: 1 } }
      - { saved: a, deleted: b }
      - { updated: a, by: seller, event: referral-update }
      - { run: gret }
      - { waits: long }
    then:
      outcome: suceeded
      writes:
        - { updates: rollout }
        - { chnage: rollout }
        - { create: account, as: The account }
        - create: contact
          with: [1]
  - test: Slips
    then: nothing
unreachable:
  - { flow: greet, step: marks, because: It never is. }
  - { flow: greet, stp: mark }
";
    assert_eq!(shows("test_mistakes", &project("test_mistakes", tests), &["test"]), 2);
}

#[test]
fn tests_beside_flows_are_looked_at_and_are_no_flows() {
    let project = project("test_beside", GREETED);
    let wrong = "test: A slip\nwhen: { saved: iris }\nthn: { writes: none }\n";
    let project = project.file("flows/tests/slip.yaml", wrong);
    assert_eq!(shows("test_beside", &project, &["check"]), 1);
}

#[test]
fn what_was_found_is_accepted_and_is_then_as_expected() {
    let tests = "# Kept.
tests:
  - test: Nothing is expected yet
    when: { run: greet, inputs: { id: <iris> } }
  # Kept too.
  - test: Something else is expected
    when:
      run: greet
      inputs: { id: <tom> }
    then:
      outcome: succeeded
      error: { code: something }
      writes:
        - change: tom
          with: { jobtitle: Greeted }
      records:
        tom: { lastname: Alva…, firstname: Thomas }
  - test: This is as expected already
    when: { run: greet, inputs: { id: <iris> } }
    then: { writes: [{ change: iris }] }
";
    let project = project("test_accept", tests);
    assert_eq!(project.run(&["test"]).status.code(), Some(1));
    assert_eq!(project.run(&["test", "--accept"]).status.code(), Some(0));
    let text = std::fs::read_to_string(project.folder.join("tests/greeting.yaml")).unwrap();
    insta::with_settings!({ prepend_module_to_snapshot => false }, { insta::assert_snapshot!("test_accepted", text); });
    assert_eq!(project.run(&["test"]).status.code(), Some(0), "{}", project.transcript(&["test"]));
    assert_eq!(project.run(&["test", "--accept"]).status.code(), Some(0));
    assert_eq!(
        std::fs::read_to_string(project.folder.join("tests/greeting.yaml")).unwrap(),
        text,
        "nothing is left to do"
    );
    let shipped = project.file("tests/arrivals.yaml", "test: Ours\nwhen: { waits: 1m }\nthen: { writes: none }\n");
    assert_eq!(shipped.run(&["test", "arrivals", "--shipped", "--accept"]).status.code(), Some(0));
}

#[test]
fn a_file_that_accepting_would_break_is_left_as_it_is() {
    let tests = "tests:\n  - { test: Between braces, when: { saved: iris } }\n";
    let project = project("test_braces", tests);
    let seen = project.transcript(&["test", "--accept"]);
    assert!(seen.starts_with("exit code 2") && seen.contains("write each test over several lines"), "{seen}");
    assert_eq!(std::fs::read_to_string(project.folder.join("tests/greeting.yaml")).unwrap(), tests);
}

#[test]
fn what_no_test_reaches_is_told_with_its_place() {
    let project = project("test_coverage", GREETED);
    let output = project.run(&["test", "--coverage"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let of_flow: String = text
        .lines()
        .skip_while(|line| !line.starts_with("  greet"))
        .take(3)
        .fold(String::new(), |text, line| text + line + "\n");
    insta::with_settings!({ prepend_module_to_snapshot => false }, { insta::assert_snapshot!("test_coverage", of_flow); });
    assert_eq!(project.run(&["test", "--coverage", "--at-least", "90"]).status.code(), Some(1));
    let found = json(&project, &["--coverage"]);
    assert_eq!(found["coverage"]["flows"]["greet"]["reached"], 5, "{}", found["coverage"]["flows"]["greet"]);

    let more = "tests:
  - test: A customer without an address is not
    given: { rows: { contact: { ana: { lastname: Lopez } } } }
    when: { run: greet, inputs: { id: <ana> } }
    then: { outcome: failed, error: { code: no_address }, writes: none }
";
    let project = project.file("tests/more.yaml", more);
    let found = json(&project, &["--coverage"]);
    assert_eq!(found["coverage"]["flows"]["greet"]["missing"], Value::Array(Vec::new()));
}

#[test]
fn build_servers_get_a_document_that_holds_together() {
    let tests = "tests:
  - test: \"Quotes \\\" & <brackets>\"
    when: { saved: iris }
    then: { outcome: succeeded }
  - test: Well
    when: { saved: iris }
    then: { outcome: not_started }
";
    let project = project("test_junit", tests);
    assert_eq!(project.run(&["test", "--junit", "report.xml"]).status.code(), Some(1));
    let xml = std::fs::read_to_string(project.folder.join("report.xml")).unwrap();
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => [(r#"time="[0-9.]+""#, r#"time="[time]""#)] }, {
        insta::assert_snapshot!("test_junit", xml);
    });
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()).filter(|tag| !tag.starts_with('?')) {
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap().to_owned();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn tests_are_chosen_by_name_or_by_file() {
    let project = project("test_names", GREETED)
        .file("tests/more.yaml", "test: Ours\nwhen: { waits: 1m }\nthen: { writes: none }\n");
    let names = |arguments: &[&str]| -> Vec<String> {
        let found = json(&project, arguments);
        found["tests"].as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["A customer with an address is greeted", "Ours"]);
    assert_eq!(
        (names(&["OURS"]), names(&["greeting"])),
        (vec!["Ours".to_owned()], vec!["A customer with an address is greeted".to_owned()])
    );
    assert_eq!(names(&["tests/more.yaml"]), ["Ours"]);
    assert_eq!(shows("test_no_such_name", &project, &["test", "nobody"]), 2);
}

#[test]
fn columns_variables_and_what_is_kept_are_given() {
    let flow = "flow: fill
trigger: { use: call }
steps:
  seen: { use: state.get, with: { key: last } }
  row: { use: dataverse.find_row, with: { table: contact, where: { new_region: 2 } } }
  told:
    use: dataverse.update_row
    with:
      table: contact
      id: ${{ steps.row.contactid }}
      values: { new_note: \"${{ steps.seen.value }} ${{ vars.word }}\" }
";
    let tests = "test: All of it
given:
  columns: { contact: { new_region: [1, 2], new_note: text } }
  variables: { word: indeed }
  rows: { contact: { ana: { lastname: Lopez, new_region: 2 } } }
  state: { last: <ana> }
when: { run: fill }
then:
  writes:
    - change: ana
      with: { new_note: <ana> indeed }
";
    let variables = "variables:\n  word: { title: A word, type: text, default: perhaps }\n";
    let project = Project::new("test_given").file("cosell.yaml", "flows: [flows]\n").flow(flow);
    let project = project.file("flows/variables.yaml", variables).file("tests/all.yaml", tests);
    let seen = project.transcript(&["test"]);
    assert!(seen.starts_with("exit code 0"), "{seen}");
}

#[test]
fn a_flow_that_answers_is_held_to_its_answer() {
    let flow = "flow: orders
trigger: { use: http, with: { path: orders, methods: [POST] } }
steps:
  found: { use: dataverse.find_row, with: { table: account, where: { name: \"${{ trigger.body.company }}\" } } }
  answer: { respond: { status: 200, body: { account: \"${{ steps.found.accountid }}\" } } }
";
    let tests = "test: The customer is told
when: { run: orders, event: { method: POST, query: {}, headers: {}, body: { company: Northwind Cold Storage BV } } }
then: { answer: { status: 200, body: { account: <northwind> } }, writes: none }
";
    let project = Project::new("test_answers").file("cosell.yaml", "flows: [flows]\n").flow(flow);
    let seen = project.file("tests/orders.yaml", tests).transcript(&["test"]);
    assert!(seen.starts_with("exit code 0"), "{seen}");
}

#[test]
fn the_shipped_flows_have_tests_that_reach_all_of_them() {
    let project = Project::new("test_shipped");
    let output = project.run(&["test", "--coverage", "--at-least", "100"]);
    assert!(output.status.success(), "{}", transcript(&output));
}

#[test]
fn a_new_project_has_tests_that_pass() {
    let project = Project::new("test_init");
    assert!(project.run(&["init", "."]).status.success());
    let seen = project.transcript(&["test"]);
    assert!(seen.starts_with("exit code 0") && seen.contains("2 tests: all passed"), "{seen}");
}

#[test]
fn every_example_of_a_test_in_the_documentation_passes() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/testing.md")).unwrap();
    let examples: Vec<&str> =
        page.split("```yaml test\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 2);
    let mut project = Project::new("test_documented");
    // The recording that one of them plays.
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/recorded/tests/shared-deal.json");
    project = project.file("tests/shared-deal.json", &std::fs::read_to_string(recording).unwrap());
    for (number, example) in examples.into_iter().enumerate() {
        project = project.file(&format!("tests/example-{number}.yaml"), example);
    }
    let seen = project.transcript(&["test"]);
    assert!(seen.starts_with("exit code 0"), "{seen}");
}
