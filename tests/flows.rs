//! The shipped flows, one rule a test: through the program, over real HTTP, against the sandbox.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use serde_json::{Value, json};
use support::{Project, Stage};

/// A project connected to a sandbox.
fn project(name: &str, stage: &Stage) -> Project {
    Project::new(name).connected(&stage.addresses).file("flows/own.yaml", "variables: {}\n")
}

/// Brings an opportunity to Partner Center; gives the exit code.
fn send(project: &Project, opportunity: &str) -> i32 {
    let input = format!("opportunity_id={opportunity}");
    project.run(&["run", "dynamics-to-partner-center", "--input", &input]).status.code().unwrap()
}

/// Brings a referral's news to the CRM; gives the exit code.
fn receive(project: &Project, referral: &str) -> i32 {
    let event = json!({ "event": "referral-updated", "referral_id": referral, "changed_at": "2026-11-02T08:15:31Z" });
    std::fs::write(project.folder.join("event.json"), event.to_string()).unwrap();
    project.run(&["run", "partner-center-to-dynamics", "--event", "event.json"]).status.code().unwrap()
}

const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";
const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";
const HELP: &str = "msft_microsoftpartnercenterhelp";

fn newest_line(row: &Value) -> String {
    row[AUDIT].as_str().unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_deal_without_a_solution_is_refused_with_the_reason_in_audit_and_a_cross_once() {
    let stage = Stage::new();
    let project = project("rule_solution", &stage);
    let opportunity = stage.opportunity(&json!({}));
    assert_eq!(send(&project, &opportunity), 1);
    let row = stage.row(&opportunity);
    assert!(newest_line(&row).contains("Solution ID is required"), "{row}");
    assert_eq!(row["name"], "✖ Northwind warehouse rollout");
    assert_eq!(stage.writes(), 1);

    assert_eq!(send(&project, &opportunity), 1, "still refused");
    assert_eq!(stage.writes(), 1, "the same reason twice running is no news");

    stage.solution(&opportunity);
    assert_eq!(send(&project, &opportunity), 0);
    let row = stage.row(&opportunity);
    assert_eq!(row["name"], "✔ Northwind warehouse rollout");
    assert!(newest_line(&row).contains("sent to Partner Center"), "{row}");
    assert!(row[IDENTIFIER].is_string());
}

#[test]
fn a_customer_without_a_two_letter_country_is_refused() {
    let stage = Stage::new();
    let project = project("rule_country", &stage);
    let accounts = stage.control("GET", "/crm/rows/accounts", &Value::Null);
    let nowhere = accounts.as_array().unwrap().iter().find(|row| row["address1_country"].is_null()).unwrap();
    let account = format!("/accounts({})", nowhere["accountid"].as_str().unwrap());
    let opportunity =
        stage.opportunity(&json!({ "customerid_account@odata.bind": account, "parentaccountid@odata.bind": account }));
    stage.solution(&opportunity);
    assert_eq!(send(&project, &opportunity), 1);
    assert!(newest_line(&stage.row(&opportunity)).contains("country code is missing"));
    assert!(stage.referrals().is_empty());
}

#[test]
fn help_without_a_customer_contact_is_refused() {
    let stage = Stage::new();
    let project = project("rule_contact", &stage);
    let opportunity = stage.opportunity(&json!({ HELP: 299_600_001, "parentcontactid@odata.bind": null }));
    stage.solution(&opportunity);
    assert_eq!(send(&project, &opportunity), 1);
    assert!(newest_line(&stage.row(&opportunity)).contains("Customer contact is required"));
    assert!(stage.referrals().is_empty());
}

#[test]
fn a_deal_without_help_stays_between_partner_and_customer() {
    let stage = Stage::new();
    let project = project("rule_private", &stage);
    let opportunity = stage.opportunity(&json!({}));
    stage.solution(&opportunity);
    assert_eq!(send(&project, &opportunity), 0);
    let referrals = stage.referrals();
    assert_eq!(referrals.len(), 1);
    assert_eq!(referrals[0]["type"], "Independent");
    assert_eq!(referrals[0]["consent"]["consentToShareReferralWithMicrosoftSellers"], false);
    assert_eq!(referrals[0]["externalReferenceId"], opportunity);
}

#[test]
fn asking_for_help_invites_microsoft_into_the_same_engagement() {
    let stage = Stage::new();
    let project = project("rule_help", &stage);
    let opportunity = stage.opportunity(&json!({ HELP: 299_600_001 }));
    stage.solution(&opportunity);
    assert_eq!(send(&project, &opportunity), 0);
    let referrals = stage.referrals();
    assert_eq!(referrals.len(), 2);
    assert_eq!(referrals[0]["engagementId"], referrals[1]["engagementId"]);
    let own = referrals.iter().find(|referral| referral["organizationId"] != "msft").unwrap();
    assert_eq!(own["inviteContext"]["assistanceRequestCode"], "CustomerTechnicalArchitecture");
    assert_eq!(stage.row(&opportunity)[IDENTIFIER], own["id"]);
}

#[test]
fn the_mark_never_reaches_partner_center() {
    let stage = Stage::new();
    let project = project("rule_mark", &stage);
    let opportunity = stage.opportunity(&json!({ "name": "✖ Northwind warehouse rollout" }));
    stage.solution(&opportunity);
    assert_eq!(send(&project, &opportunity), 0);
    assert_eq!(stage.referrals()[0]["name"], "Northwind warehouse rollout");
    assert_eq!(stage.row(&opportunity)["name"], "✔ Northwind warehouse rollout");
}

#[test]
fn no_difference_writes_nothing() {
    let stage = Stage::new();
    let project = project("rule_equal", &stage);
    let opportunity = stage.opportunity(&json!({}));
    stage.solution(&opportunity);
    assert_eq!(send(&project, &opportunity), 0);
    let writes = stage.writes();
    assert_eq!(send(&project, &opportunity), 0);
    assert_eq!(receive(&project, stage.referrals()[0]["id"].as_str().unwrap()), 0);
    assert_eq!(stage.writes(), writes);
}

#[test]
fn a_shared_deal_is_created_once_however_often_its_event_comes() {
    let stage = Stage::new();
    let project = project("rule_once", &stage);
    let referral = stage.control("POST", "/seller/referrals", &json!({}));
    let id = referral["id"].as_str().unwrap();
    for _ in 0..3 {
        assert_eq!(receive(&project, id), 0);
    }
    let rows = stage.control("GET", "/crm/rows/opportunities", &Value::Null);
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(stage.referrals()[0]["externalReferenceId"], rows[0]["opportunityid"]);
    // Account, contact, opportunity, and the id on the referral.
    assert_eq!(stage.writes(), 4);
}

#[test]
fn a_run_cut_off_before_the_write_back_is_mended_by_the_next_event() {
    let stage = Stage::new();
    let project = project("rule_cut_off", &stage);
    let referral = stage.control("POST", "/seller/referrals", &json!({}));
    let id = referral["id"].as_str().unwrap();
    let fault = json!([{ "name": "down", "system": "partner_center", "method": "PATCH", "action": { "status": 400 } }]);
    stage.control("PUT", "/faults", &fault);
    assert_eq!(receive(&project, id), 1, "the referral could not be told");
    stage.control("DELETE", "/faults", &Value::Null);
    assert_eq!(receive(&project, id), 0);
    let rows = stage.control("GET", "/crm/rows/opportunities", &Value::Null);
    assert_eq!(rows.as_array().unwrap().len(), 1, "not created again");
    assert_eq!(stage.referrals()[0]["externalReferenceId"], rows[0]["opportunityid"]);
}

#[test]
fn a_referral_with_an_unknown_crm_id_is_left_alone() {
    let stage = Stage::new();
    let project = project("rule_unknown_id", &stage);
    let referral = stage.control("POST", "/seller/referrals", &json!({ "externalReferenceId": "OPP-20417" }));
    assert_eq!(receive(&project, referral["id"].as_str().unwrap()), 0);
    assert_eq!(stage.writes(), 0);
}

#[test]
fn a_deal_that_was_closed_before_it_was_seen_creates_nothing() {
    let stage = Stage::new();
    let project = project("rule_closed", &stage);
    let referral = stage.control("POST", "/seller/referrals", &json!({}));
    let id = referral["id"].as_str().unwrap();
    stage.control("PATCH", &format!("/seller/referrals/{id}"), &json!({ "status": "Closed", "substatus": "Expired" }));
    assert_eq!(receive(&project, id), 0);
    assert_eq!(stage.writes(), 0);
}

#[test]
fn a_currency_that_the_crm_does_not_know_is_an_error_and_nothing_is_written() {
    let stage = Stage::new();
    let project = project("rule_currency", &stage);
    let referral = stage.control("POST", "/seller/referrals", &json!({ "details": { "currency": "JPY" } }));
    assert_eq!(receive(&project, referral["id"].as_str().unwrap()), 1);
    assert_eq!(stage.writes(), 0);
}

#[test]
fn a_lost_deal_is_lost_on_the_other_side() {
    let stage = Stage::new();
    let project = project("rule_lost", &stage);
    let referral = stage.control("POST", "/seller/referrals", &json!({}));
    let id = referral["id"].as_str().unwrap();
    assert_eq!(receive(&project, id), 0);
    stage.control("PATCH", &format!("/seller/referrals/{id}"), &json!({ "status": "Active", "substatus": "Accepted" }));
    stage.control("PATCH", &format!("/seller/referrals/{id}"), &json!({ "status": "Closed", "substatus": "Lost" }));
    assert_eq!(receive(&project, id), 0);
    let rows = stage.control("GET", "/crm/rows/opportunities", &Value::Null);
    assert_eq!((&rows[0]["statecode"], &rows[0]["statuscode"]), (&json!(2), &json!(5)));
}

#[test]
fn the_deal_value_comes_from_the_column_that_the_variable_names() {
    let stage = Stage::new();
    let mut configuration = support::configuration(&stage.addresses);
    configuration["variables"] = json!({ "deal_value_column": "budgetamount", "display_check_mark": false });
    let project = Project::new("rule_column")
        .file("cosell.yaml", &configuration.to_string())
        .file("flows/own.yaml", "variables: {}\n");
    let opportunity = stage.opportunity(&json!({ "budgetamount": 12_345.67 }));
    stage.solution(&opportunity);
    assert_eq!(send(&project, &opportunity), 0);
    assert_eq!(stage.referrals()[0]["details"]["dealValue"], 12_345.67);
    assert_eq!(stage.row(&opportunity)["name"], "Northwind warehouse rollout", "no mark where none is wanted");
}

#[test]
fn an_overlay_adds_a_column_to_every_new_opportunity() {
    let stage = Stage::new();
    let overlay =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/customising/flows/customize.yaml"));
    let project = project("rule_overlay", &stage).file("flows/customize.yaml", &overlay.unwrap());
    let referral = stage.control("POST", "/seller/referrals", &json!({}));
    assert_eq!(receive(&project, referral["id"].as_str().unwrap()), 0);
    let rows = stage.control("GET", "/crm/rows/opportunities", &Value::Null);
    assert_eq!((&rows[0]["stepname"], &rows[0]["opportunityratingcode"]), (&json!("1-Qualify"), &json!(2)));
}

#[test]
fn a_run_says_nothing_secret() {
    let stage = Stage::new();
    let project = project("rule_secrets", &stage);
    let opportunity = stage.opportunity(&json!({}));
    stage.solution(&opportunity);
    let input = format!("opportunity_id={opportunity}");
    let seen = project.transcript(&["run", "dynamics-to-partner-center", "--json", "--input", &input]);
    for secret in [&stage.addresses.client_secret, &stage.addresses.refresh_token] {
        assert!(!seen.contains(secret.as_str()), "a secret is shown");
    }
    assert!(!seen.contains("eyJ"), "a token is shown");
}
