//! What a person reads when something is wrong: one clear error each, an exit code, and nothing written.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use serde_json::{Value, json};
use support::{Project, Stage, configuration, filters};

/// Runs the program in a project and holds what a person sees against the snapshot of this name.
fn shows(name: &str, project: &Project, arguments: &[&str]) {
    let seen = project.transcript(arguments);
    assert!(!seen.starts_with("exit code 0"), "{seen}");
    insta::with_settings!({ filters => filters(), prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, seen);
    });
}

const CONFIGURATION: &str = "flows: [flows]\n";

fn with_flow(name: &str, flow: &str) -> Project {
    Project::new(name).file("cosell.yaml", CONFIGURATION).flow(flow)
}

#[test]
fn a_file_that_is_not_yaml() {
    shows("not_yaml", &with_flow("not_yaml", "flow: mine\nsteps:\n  a: [1, 2\n"), &["check"]);
}

#[test]
fn an_operation_that_does_not_exist() {
    let flow = "flow: mine\ntrigger: manual\nsteps:\n  get:\n    use: dataverse.get_rwo\n    with: { table: account, id: x }\n";
    shows("unknown_operation", &with_flow("unknown_operation", flow), &["check"]);
}

#[test]
fn steps_that_wait_for_each_other() {
    let flow = "
flow: mine
trigger: manual
steps:
  first: { let: { value: \"${{ steps.third.value }}\" } }
  second: { let: { value: \"${{ steps.first.value }}\" } }
  third: { after: second, let: { value: 1 } }
";
    shows("cycle", &with_flow("cycle", flow), &["check"]);
}

#[test]
fn a_step_that_does_not_exist() {
    let flow = "
flow: mine
trigger: manual
steps:
  referral: { use: partner_center.get_referral, with: { id: x } }
  copy: { let: { name: \"Deal ${{ steps.referal.name | upper }}\" } }
";
    shows("unknown_step", &with_flow("unknown_step", flow), &["run", "mine"]);
}

#[test]
fn a_variable_that_does_not_exist() {
    let flow = "flow: mine\ntrigger: manual\nsteps:\n  copy: { let: { column: \"${{ vars.deal_value_colum }}\" } }\n";
    shows("unknown_variable", &with_flow("unknown_variable", flow), &["check"]);
}

#[test]
fn a_variable_of_the_wrong_type() {
    let project = Project::new("wrong_variable").file("cosell.yaml", "variables:\n  display_check_mark: perhaps\n");
    shows("wrong_variable", &project, &["check"]);
}

#[test]
fn everything_wrong_at_once() {
    let flow = "
flow: mine
trigger: manual
stepz: {}
steps:
  one: { use: dataverse.find_row, with: { table: account, were: { name: x } } }
  two: { let: { a: \"${{ steps.one.name | uper }}\", b: \"${{ itm }}\" } }
  two_b: { wait: soon }
";
    shows("all_at_once", &with_flow("all_at_once", flow), &["check"]);
}

#[test]
fn findings_for_machines() {
    let flow = "flow: mine\ntrigger: manual\nsteps:\n  copy: { let: { column: \"${{ vars.nothing }}\" } }\n";
    let output = with_flow("json_findings", flow).run(&["check", "--format", "json"]);
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(findings[0]["code"], "unknown-variable");
    assert_eq!((&findings[0]["primary"]["line"], &findings[0]["primary"]["column"]), (&json!(4), &json!(36)));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_flow_that_does_not_exist() {
    shows("unknown_flow", &Project::new("unknown_flow"), &["run", "partner-centre-to-dynamics"]);
}

#[test]
fn an_event_that_is_not_json() {
    let project = Project::new("bad_event")
        .file("cosell.yaml", &configuration(&Stage::new().addresses).to_string())
        .file("flows/none.yaml", "variables: {}\n")
        .file("event.json", "{ \"referral_id\": ");
    let arguments = ["run", "dynamics-to-partner-center", "--event", "event.json"];
    shows("bad_event", &project, &arguments);
}

#[test]
fn an_event_that_would_start_nothing() {
    let flow = "
flow: wanted
trigger: { use: manual, when: \"${{ trigger.change == 'saved' }}\" }
steps: { noted: { use: state.put, with: { key: noted, value: \"${{ trigger.change }}\" } } }
";
    let project = Project::new("unwanted_event")
        .file("cosell.yaml", r#"{ "flows": ["flows"] }"#)
        .flow(flow)
        .file("deleted.json", r#"{ "change": "deleted" }"#)
        .file("saved.json", r#"{ "change": "saved" }"#);
    let kept = || project.folder.join(".cosell/state.jsonl").exists();
    shows("unwanted_event", &project, &["run", "wanted", "--event", "deleted.json"]);
    assert!(!kept(), "nothing ran");
    let dry = project.transcript(&["dry-run", "wanted", "--event", "deleted.json", "--json"]);
    assert!(dry.starts_with("exit code 3\n") && dry.contains("note: the event would not start `wanted`"), "{dry}");
    let dry = project.transcript(&["dry-run", "wanted", "--event", "saved.json"]);
    assert!(dry.starts_with("exit code 3\n") && !dry.contains("note:"), "{dry}");
    for arguments in [&["--event", "saved.json"][..], &["--event", "deleted.json", "--anyway"], &[]] {
        let seen = project.transcript(&[&["run", "wanted"], arguments].concat());
        assert!(seen.starts_with("exit code 0\n") && kept(), "{seen}");
        std::fs::remove_file(project.folder.join(".cosell/state.jsonl")).unwrap();
    }
}

#[test]
fn a_connection_that_is_not_configured() {
    let project = Project::new("no_connection");
    shows("no_connection", &project, &["run", "dynamics-to-partner-center", "--input", "opportunity_id=x"]);
}

#[test]
fn a_secret_that_is_not_there() {
    let text = "
connections:
  dataverse:
    address: https://org.crm4.dynamics.com
    sign_in: { tenant: t, client_id: c, client_secret: { env: DATAVERSE_SECRET } }
  partner_center:
    sign_in: { tenant: t, client_id: c, client_secret: { file: secret.txt } }
";
    let project = Project::new("no_secret").file("cosell.yaml", text);
    shows("no_secret", &project, &["run", "dynamics-to-partner-center", "--input", "opportunity_id=x"]);
}

#[test]
fn a_wrong_credential() {
    let stage = Stage::new();
    let mut configuration = configuration(&stage.addresses);
    configuration["connections"]["dataverse"]["sign_in"]["client_secret"] = json!("wrong");
    let opportunity = stage.opportunity(&json!({}));
    let project = Project::new("wrong_credential")
        .file("cosell.yaml", &configuration.to_string())
        .file("flows/none.yaml", "variables: {}\n");
    let input = format!("opportunity_id={opportunity}");
    shows("wrong_credential", &project, &["run", "dynamics-to-partner-center", "--input", &input]);
    assert_eq!(stage.writes(), 0);
}

#[test]
fn a_host_that_does_not_answer() {
    let stage = Stage::new();
    let mut configuration = configuration(&stage.addresses);
    // Bound and closed again: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    configuration["connections"]["dataverse"]["sign_in"]["authority"] = json!(format!("http://{free}"));
    configuration["retry"] = json!("none");
    let project = Project::new("unreachable")
        .file("cosell.yaml", &configuration.to_string())
        .file("flows/none.yaml", "variables: {}\n");
    let input = "opportunity_id=c05e1100-0000-4000-8000-000300000001";
    shows("unreachable", &project, &["run", "dynamics-to-partner-center", "--input", input]);
    assert_eq!(stage.writes(), 0);
}

#[test]
fn an_input_that_does_not_fit() {
    let flow = "
flow: mine
trigger: { use: manual, inputs: { count: integer, colour: { type: text, one_of: [red, blue] } } }
steps: { copy: { let: { a: \"${{ inputs.count }}\" } } }
";
    let project = with_flow("wrong_input", flow);
    shows("wrong_input", &project, &["run", "mine", "--input", "count=many"]);
    shows(
        "wrong_inputs",
        &project,
        &["run", "mine", "--input", "count=3", "--input", "colour=green", "--input", "size=1"],
    );
}

#[test]
fn a_variable_of_the_wrong_type_in_an_environment_that_is_not_used() {
    let text = "
environment: staging
environments:
  staging: { variables: { deal_value_column: new_value } }
  production: { variables: { deal_value_column: 5, display_chek_mark: true } }
";
    shows("wrong_variable_elsewhere", &Project::new("wrong_variable_elsewhere").file("cosell.yaml", text), &["check"]);
}

#[test]
fn an_environment_that_does_not_exist() {
    let text = "variables: {}\nenvironments:\n  staging:\n  production:\n";
    let project = Project::new("unknown_environment").file("cosell.yaml", text);
    shows("unknown_environment", &project, &["check", "--environment", "prodution"]);
    shows("no_environment", &project, &["flows"]);
}

#[test]
fn a_flow_that_is_off_and_called() {
    let helper = "flow: helper\ntitle: Our helper\ntrigger: call\nsteps: {}\n";
    let project =
        with_flow("off_child", "flow: mine\ntitle: Ours\ntrigger: manual\nsteps: { ask: { call: helper } }\n");
    let project = project.file("flows/helper.yaml", helper);
    let project = project.file("cosell.yaml", "flows: [flows]\noff:\n  - helper\n  - helpre\n");
    shows("off_child", &project, &["check"]);
}

#[test]
fn an_overlay_that_names_a_step_that_is_not_there() {
    let overlay = "
flow: customize
steps:
  task:
    cases:
      create_opportunity:
        new_oportunity: { with: { values: { stepname: 1-Qualify } } }
";
    shows("overlay_unknown_step", &with_flow("overlay_unknown_step", overlay), &["check"]);
}

#[test]
fn a_folder_that_already_holds_a_project() {
    let project = Project::new("init_in_the_way").file("cosell.yaml", "").file("README.md", "Mine.\n");
    shows("init_in_the_way", &project, &["init", "."]);
    assert_eq!(std::fs::read_to_string(project.folder.join("README.md")).unwrap(), "Mine.\n");
}

/// A project with an overlay of the mapping of opportunities.
fn with_rows(name: &str, stage: &Stage, rows: &str) -> Project {
    let text = format!("mapping: referral-opportunity\nrows:\n{rows}");
    Project::new(name).connected(&stage.addresses).file("flows/fields.yaml", &text)
}

/// An opportunity that can be sent, as the input of the flow that sends it.
fn sendable(stage: &Stage, members: &Value) -> String {
    let opportunity = stage.opportunity(members);
    stage.solution(&opportunity);
    format!("opportunity_id={opportunity}")
}

/// What a failed run says in the end; which reads were quicker than others is left out.
fn says(project: &Project, arguments: &[&str], expected: &str) {
    let output = project.run(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.trim_end()), (Some(1), expected));
}

#[test]
fn two_rows_that_write_one_field() {
    let stage = Stage::new();
    let again = "  budget:\n    referral: details.dealValue\n    opportunity: { path: budgetamount, as: money }\n";
    let project = with_rows("rows_of_one_field", &stage, again);
    let input = sendable(&stage, &json!({}));
    shows("rows_of_one_field", &project, &["run", "dynamics-to-partner-center", "--input", &input]);
    assert_eq!(stage.writes(), 0);
}

#[test]
fn a_value_that_is_missing_from_its_table() {
    let stage = Stage::new();
    let table = "  rating:
    referral: { path: salesStage, as: text }
    opportunity: { path: opportunityratingcode, as: integer }
    values: { Qualify: 1, Develop: 3 }
";
    let project = with_rows("missing_value", &stage, table);
    let input = sendable(&stage, &json!({ "opportunityratingcode": 2 }));
    says(
        &project,
        &["run", "dynamics-to-partner-center", "--input", &input],
        "error: step `refused`: mapping `referral-opportunity`, row `rating` (flows/fields.yaml:3): its table has no 2; it has 1, 3; \
         add it to `values` of this row in an overlay (not_sent)",
    );
    assert!(stage.referrals().is_empty());
}

#[test]
fn a_column_that_the_crm_does_not_have() {
    let stage = Stage::new();
    let project = with_rows("unknown_column", &stage, "  notes:\n    opportunity: { path: descripton }\n");
    let referral = stage.control("POST", "/seller/referrals", &json!({}));
    let event =
        json!({ "event": "referral-created", "referral_id": referral["id"], "changed_at": "2026-11-02T08:15:31Z" });
    let project = project.file("event.json", &event.to_string());
    says(
        &project,
        &["run", "partner-center-to-dynamics", "--event", "event.json"],
        "error: step `refused`: the table opportunity has no column `descripton`; did you mean `description`? (not_written)",
    );
    assert!(stage.control("GET", "/crm/rows/opportunities", &Value::Null).as_array().unwrap().is_empty());
}
