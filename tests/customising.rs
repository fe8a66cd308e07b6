//! A project of the user's own, from laying it out to owning a flow: through the program.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::Project;

/// Holds what a person sees against the snapshot of this name.
fn shows(name: &str, project: &Project, arguments: &[&str]) {
    let filters = vec![(r"(shipped/[\w/-]+\.yaml):\d+", "$1:[line]"), (r"\[[a-p]{8}(, [a-p]{8})*\]", "[fingerprints]")];
    insta::with_settings!({ filters => filters, prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, project.transcript(arguments));
    });
}

fn succeeds(project: &Project, arguments: &[&str]) -> String {
    let output = project.run(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, error) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{arguments:?}: {out}{error}");
    out
}

fn json(project: &Project, arguments: &[&str]) -> Value {
    serde_json::from_str(&succeeds(project, arguments)).unwrap()
}

/// A project as `cosell init` lays it out.
fn laid_out(name: &str) -> Project {
    let project = Project::new(name);
    succeeds(&project, &["init", "."]);
    project
}

fn read(project: &Project, path: &str) -> String {
    std::fs::read_to_string(project.folder.join(path)).unwrap()
}

/// Takes the `#` away from the examples in a file: comments that are indented, or that are a key.
fn with_examples(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(example) if example.starts_with(' ') || example.ends_with(':') => example.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|each| line(each) + "\n").collect()
}

#[test]
fn a_project_is_laid_out_and_says_what_is_missing() {
    let project = Project::new("init");
    shows("init", &project, &["init", "shop"]);
    let project = Project { folder: project.folder.join("shop") };
    let checked = succeeds(&project, &["check"]);
    assert!(checked.ends_with("0 errors, 0 warnings\n"), "{checked}");
    assert!(succeeds(&project, &["flows", "diff"]).starts_with("No file of yours"));
    let run = ["run", "partner-center-to-dynamics", "--event", "events/referral-created.json"];
    shows("init_run", &project, &run);
    shows("init_again", &project, &["init", "."]);
}

#[test]
fn the_examples_in_a_new_project_can_be_used_as_they_are() {
    let project = laid_out("init_examples");
    for path in ["flows/customize.yaml", "flows/mappings/referral-opportunity.yaml"] {
        let text = with_examples(&read(&project, path));
        assert_ne!(text, read(&project, path));
        std::fs::write(project.folder.join(path), text).unwrap();
    }
    let configuration = read(&project, "cosell.yaml");
    let (head, variables) = configuration.split_once("\nvariables:\n").unwrap();
    let variables: String = variables
        .lines()
        .map(|line| match line.trim_start().strip_prefix("# ") {
            Some(setting) if setting.split_once(": ").is_some_and(|(name, _)| !name.contains(' ')) => {
                format!("  {setting}\n")
            }
            _ => String::new(),
        })
        .collect();
    std::fs::write(project.folder.join("cosell.yaml"), format!("{head}\nvariables:\n{variables}")).unwrap();
    succeeds(&project, &["check"]);
    let all = json(&project, &["variables", "--json"]);
    for variable in all.as_array().unwrap() {
        assert!(variable["set_at"].is_string(), "every variable is in the new configuration: {variable}");
        assert_eq!(variable["current"], variable["default"]);
    }
    assert!(succeeds(&project, &["flows", "diff", "customize"]).contains("stepname"));
}

#[test]
fn secrets_come_from_a_file_beside_the_configuration_unless_the_environment_has_them() {
    let connections = "
connections:
  dataverse:
    address: 'http://127.0.0.1:1'
    sign_in: { authority: 'http://127.0.0.1:1', tenant: t, client_id: c, client_secret: { env: DATAVERSE_SECRET } }
flows: [flows]
retry: none
";
    let flow = "
flow: mine
trigger: manual
steps: { row: { use: dataverse.list_rows, with: { table: account } } }
";
    let project = Project::new("dotenv").file("cosell.yaml", connections).flow(flow);
    assert!(project.transcript(&["run", "mine"]).contains("`DATAVERSE_SECRET`, which is not set"));
    let project = project.file(".env", "# Not to be shared.\nDATAVERSE_SECRET='s3$cret'\n");
    let tried = project.transcript(&["run", "mine"]);
    assert!(tried.starts_with("exit code 1"), "the secret is found, and nobody answers: {tried}");
    let project = project.file(".env", "OTHER=1\nDATAVERSE_SECRET s3cret\n");
    let refused = project.transcript(&["run", "mine"]);
    assert!(refused.contains(".env:2:") && !refused.contains("s3cret"), "{refused}");
}

const TWO: &str = "
variables: { deal_value_column: new_value }
environments:
  staging: { variables: { display_check_mark: false }, off: [dynamics-opportunity-to-partner-center] }
  production: { variables: { deal_value_column: new_dealvalue } }
";

#[test]
fn each_environment_has_its_own_values_and_its_own_flows_that_are_off() {
    let project = Project::new("environments").file("cosell.yaml", TWO);
    let value = |environment: &str, name: &str| {
        let all = json(&project, &["variables", "--json", "--environment", environment]);
        let found = all.as_array().unwrap().iter().find(|variable| variable["name"] == name).unwrap();
        (found["current"].clone(), found["set_at"].clone())
    };
    assert_eq!(value("staging", "display_check_mark"), (json!(false), json!("cosell.yaml:4")));
    assert_eq!(value("production", "display_check_mark"), (json!(true), Value::Null));
    assert_eq!(value("staging", "deal_value_column"), (json!("new_value"), json!("cosell.yaml:2")));
    assert_eq!(value("production", "deal_value_column"), (json!("new_dealvalue"), json!("cosell.yaml:5")));
    let state = |environment: &str| {
        let all = json(&project, &["flows", "--json", "--environment", environment]);
        let name = "dynamics-opportunity-to-partner-center";
        all.as_array().unwrap().iter().find(|flow| flow["name"] == name).unwrap()["state"].clone()
    };
    assert_eq!((state("staging"), state("production")), (json!("off"), json!("on")));
    let run = ["run", "dynamics-opportunity-to-partner-center", "--environment", "staging"];
    shows("flow_off", &project, &run);
}

#[test]
fn flows_are_listed_behind_those_that_they_call() {
    let flow = "flow: mine\ntrigger: manual\nsteps: { ask: { call: customize, with: { do: account } } }\n";
    let project = Project::new("list")
        .file("cosell.yaml", "flows: [flows]\noff: [mine]\n")
        .flow(flow)
        .file("flows/customize.yaml", "flow: customize\ntitle: Ours\n");
    let all = json(&project, &["flows", "--json"]);
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|flow| flow["name"].as_str().unwrap()).collect();
    for flow in all.as_array().unwrap() {
        let at = |name: &str| names.iter().position(|known| *known == name).unwrap();
        for called in flow["calls"].as_array().unwrap() {
            assert!(at(called.as_str().unwrap()) < at(flow["name"].as_str().unwrap()), "{names:?}");
        }
    }
    let of = |name: &str| all.as_array().unwrap().iter().find(|flow| flow["name"] == name).unwrap();
    assert_eq!((&of("mine")["from"], &of("mine")["state"]), (&json!("own"), &json!("off")));
    assert_eq!((&of("customize")["from"], &of("customize")["title"]), (&json!("overlaid"), &json!("Ours")));
    assert_eq!(of("partner-center-to-dynamics")["also"], json!(["partner_center.referral_updated"]));
    let listed = succeeds(&project, &["flows"]);
    assert!(listed.contains("partner_center.referral_updated"), "{listed}");
    assert!(listed.contains("customize") && listed.lines().all(|line| line.chars().count() <= 120), "{listed}");
}

#[test]
fn what_a_users_files_change_is_shown_with_both_places() {
    let flow = "
flow: customize
title: Ours
steps:
  ours:
    let:
      list:
        - one
        - two
output:
  ours: ${{ steps.ours }}
";
    let mapping = "mapping: person-contact\ntitle: Person\nrows:\n  extra: { person: a.b, contact: new_extra }\n";
    let variables = "variables:\n  deal_value_column: { title: Value, type: text, default: new_value }\n";
    let project = Project::new("diff").file("cosell.yaml", "flows: [flows]\n").flow(flow);
    let project = project.file("flows/mapping.yaml", mapping).file("flows/variables.yaml", variables);
    shows("flows_diff", &project, &["flows", "diff"]);
    let one = succeeds(&project, &["flows", "diff", "person-contact"]);
    assert!(one.contains("new_extra") && !one.contains("Ours"), "{one}");
    assert_eq!(
        succeeds(&project, &["flows", "diff", "customer-account"]),
        "No file of yours changes `customer-account`.\n"
    );
    shows("flows_diff_unknown", &project, &["flows", "diff", "person-contacts"]);
}

#[test]
fn a_flow_that_is_owned_is_whole_and_keeps_its_comments() {
    let project = laid_out("eject");
    for name in ["partner-center-to-dynamics", "customer-account"] {
        let said = succeeds(&project, &["flows", "eject", name]);
        let path = Path::new(said.split(" is yours").next().unwrap());
        let (copy, shipped) =
            (read(&project, path.to_str().unwrap()), path.strip_prefix("./flows").or(path.strip_prefix("flows")));
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows").join(shipped.unwrap());
        let original = std::fs::read_to_string(original).unwrap();
        let own = |line: &&str| !line.starts_with("whole:") && !line.starts_with("based_on:");
        let kept: Vec<&str> = copy.lines().skip(4).filter(own).collect();
        assert_eq!(kept, original.lines().collect::<Vec<_>>(), "{name}");
    }
    let checked = succeeds(&project, &["check"]);
    assert!(checked.ends_with("0 errors, 0 warnings\n"), "{checked}");
    let all = json(&project, &["flows", "--json"]);
    let of = |name: &str| all.as_array().unwrap().iter().find(|flow| flow["name"] == name).unwrap()["from"].clone();
    assert_eq!(
        (of("partner-center-to-dynamics"), of("dynamics-to-partner-center")),
        (json!("replaced"), json!("shipped"))
    );
    shows("eject_again", &project, &["flows", "eject", "partner-center-to-dynamics"]);
    shows("eject_overlaid", &project, &["flows", "eject", "customize"]);
}

#[test]
fn a_mapping_is_shown_as_a_table() {
    let mapping = "
mapping: deal
title: Deal | value
between: [referral, opportunity]
rows:
  value:
    title: Deal value
    referral: { path: details.dealValue, as: money, default: 0 }
    opportunity: { path: \"${{ vars.deal_value_column }}\", as: money }
    when_empty: keep
    wins: referral
    final_in: opportunity
  notes:
    referral: details.notes
    opportunity: { path: description, as: text, length: 2000 }
  status:
    only_to: opportunity
    referral: substatus
    opportunity: { path: statuscode, as: integer }
    values: { Accepted: 1, Received: 2 }
";
    let project =
        Project::new("mapping_table").file("cosell.yaml", "flows: [flows]\n").file("flows/deal.yaml", mapping);
    shows("mapping_table", &project, &["mapping", "deal"]);
    shows("mapping_markdown", &project, &["mapping", "deal", "--markdown"]);
    shows("mapping_json", &project, &["mapping", "deal", "--json"]);
    shows("mapping_unknown", &project, &["mapping", "referral-oportunity"]);
    let all = json(&project, &["mapping", "--json"]);
    for mapping in all.as_array().unwrap() {
        let name = mapping["name"].as_str().unwrap();
        let table = succeeds(&project, &["mapping", name]);
        assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    }
}

#[test]
fn variables_are_shown_with_the_place_where_they_are_set() {
    let project = Project::new("variables_table")
        .file("cosell.yaml", "variables:\n  deal_value_column: new_value\n  display_check_mark: null\n");
    let table = succeeds(&project, &["variables"]);
    let line = |name: &str| table.lines().find(|line| line.contains(name)).unwrap();
    assert!(line("deal_value_column").contains("new_value") && line("deal_value_column").contains("cosell.yaml:2"));
    assert!(line("display_check_mark").contains("null"), "{table}");
    assert!(!line("country_column").contains("cosell.yaml"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
}
