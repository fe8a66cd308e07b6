//! `cosell check` against the CRM, and against what `cosell metadata pull` saved of it.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use serde_json::Value;
use support::{Project, Stage, filters};

/// Each kind of mistake that only the CRM's metadata shows.
const WRONG: &str = "flow: mine
trigger: { use: manual, inputs: { id: text } }
steps:
  new:
    use: dataverse.create_row
    with: { table: account, values: { accountnumber: A-1 } }
  gone: { use: dataverse.get_row, with: { table: opportunities_old, id: \"${{ inputs.id }}\" } }
  changed:
    use: dataverse.update_row
    with:
      table: opportunity
      id: ${{ inputs.id }}
      values:
        Estimated Value: 5
        descripton: x
        createdon: 2026-11-02
        opportunityratingcode: 17
        isrevenuesystemcalculated: maybe
        customerid: { lead: \"${{ inputs.id }}\" }
";

const OVERLAY: &str = "mapping: referral-opportunity
rows:
  notes: { opportunity: { length: 4000 } }
  status: { values: { Won: 99 } }
  budget:
    only_to: opportunity
    referral: { path: details.dealValue, as: money }
    opportunity: { path: stepname, as: money }
";

#[test]
fn the_crm_and_what_was_saved_of_it_say_the_same() {
    let stage = Stage::new();
    let project = Project::new("live_check").connected(&stage.addresses).file("flows/mine.yaml", "");
    std::fs::remove_file(project.folder.join("flows/mine.yaml")).unwrap();
    let shipped = project.transcript(&["check", "--live"]);
    assert!(shipped.contains(": 0 errors, 0 warnings"), "nothing is wrong with what is shipped: {shipped}");

    let project = project.flow(WRONG).file("flows/referral-opportunity.yaml", OVERLAY);
    let without = project.transcript(&["check"]);
    assert!(without.contains("1 error, 0 warnings"), "only the name for people is known to be wrong: {without}");
    let live = project.transcript(&["check", "--live"]);
    insta::with_settings!({ filters => filters(), prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("live_check", live);
        insta::assert_snapshot!("metadata_pull", project.transcript(&["metadata", "pull"]));
    });
    assert_eq!(project.transcript(&["check"]), live, "offline as well");
    assert_eq!(stage.writes(), 0);
}

#[test]
fn what_is_saved_can_stand_elsewhere_and_is_the_same_each_time() {
    let stage = Stage::new();
    let project = Project::new("live_check_elsewhere").connected(&stage.addresses).flow(WRONG);
    let pull = || {
        assert!(project.run(&["metadata", "pull", "--output", "crm.json"]).status.success());
        std::fs::read_to_string(project.folder.join("crm.json")).unwrap()
    };
    let saved = pull();
    assert_eq!(saved, pull());
    let read: Value = serde_json::from_str(&saved).unwrap();
    let tables = &read["connections"]["dataverse"];
    assert!(tables["opportunities_old"].is_null() && tables["opportunity"]["columns"].is_array(), "{saved}");

    assert!(project.transcript(&["check", "--metadata", "crm.json"]).contains("error[unknown-table]"));
    assert!(!project.transcript(&["check"]).contains("error[unknown-table]"));
    let missing = project.transcript(&["check", "--metadata", "other.json"]);
    assert!(missing.starts_with("exit code 2") && missing.contains("there is no file `other.json`"), "{missing}");
    std::fs::write(project.folder.join("crm.json"), "{ \"connections\": 1 }").unwrap();
    let broken = project.transcript(&["check", "--metadata", "crm.json"]);
    assert!(broken.starts_with("exit code 2") && broken.contains("crm.json: this is not what"), "{broken}");
}

#[test]
fn a_crm_that_cannot_be_asked_is_said_to_be_so() {
    let project = Project::new("live_check_alone").file("cosell.yaml", "flows: [flows]\n").flow(WRONG);
    let alone = project.transcript(&["check", "--live"]);
    assert!(alone.starts_with("exit code 2") && alone.contains("no connection `dataverse` is configured"), "{alone}");
}
