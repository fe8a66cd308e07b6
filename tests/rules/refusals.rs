//! What a deal needs to leave the CRM, and what happens to one that lacks it.

use serde_json::{Value, json};

use crate::support::desk::{Desk, HELP, IDENTIFIER, SYNC, says, text};

/// An opportunity with a customer that was just made.
fn deal_with_customer(desk: &Desk, account: &Value) -> String {
    let account = desk.stage.control("POST", "/crm/rows/accounts", account);
    let bind = format!("/accounts({})", text(&account["id"]));
    desk.deal(&json!({ "customerid_account@odata.bind": bind, "parentaccountid@odata.bind": bind }))
}

#[test]
fn a_deal_without_a_solution_is_refused_with_the_reason_in_audit_and_a_cross_once() {
    let desk = Desk::new();
    let opportunity = desk.stage.opportunity(&json!({}));
    let message = desk.send(&opportunity).fails("not_sent");
    says(&message, &["Solution ID is required"]);
    says(&desk.newest(&opportunity), &["Solution ID is required", "add"]);
    assert_eq!(desk.row(&opportunity)["name"], "✖ Northwind warehouse rollout");
    assert_eq!(desk.stage.writes(), 1);
    assert!(desk.stage.referrals().is_empty());

    desk.send(&opportunity).fails("not_sent");
    assert_eq!(desk.stage.writes(), 1, "the same reason twice running is no news");
}

#[test]
fn a_solution_saved_after_the_deal_sends_the_deal() {
    let desk = Desk::new();
    let opportunity = desk.stage.opportunity(&json!({}));
    desk.saved(&opportunity).fails("not_sent");
    let solution = desk.add_solution(&opportunity, "SOL-48120-KQP", "ColdTrack");
    desk.solution_saved(&solution).ends_well();
    let row = desk.row(&opportunity);
    assert_eq!(row["name"], "✔ Northwind warehouse rollout");
    assert_eq!(row[IDENTIFIER], desk.stage.referrals()[0]["id"]);
    says(&desk.newest(&opportunity), &["sent to Partner Center"]);
}

#[test]
fn a_customer_without_a_country_is_refused() {
    let desk = Desk::new();
    let opportunity = deal_with_customer(&desk, &json!({ "name": "Lakeshore Dental" }));
    desk.send(&opportunity).fails("not_sent");
    says(&desk.newest(&opportunity), &["country code is missing", "two letters", "address1_country"]);
    assert!(desk.stage.referrals().is_empty());
}

#[test]
fn a_customer_whose_country_is_not_a_two_letter_code_is_refused() {
    let desk = Desk::new();
    for country in ["Netherlands", "NLD"] {
        let opportunity = deal_with_customer(&desk, &json!({ "name": country, "address1_country": country }));
        desk.send(&opportunity).fails("not_sent");
        says(&desk.newest(&opportunity), &["country code", "two letters"]);
    }
    assert!(desk.stage.referrals().is_empty());
}

#[test]
fn help_without_a_complete_customer_contact_is_refused() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({ HELP: 299_600_001, "parentcontactid@odata.bind": null }));
    desk.send(&opportunity).fails("not_sent");
    says(&desk.newest(&opportunity), &["contact is required", "first name", "last name", "phone", "e-mail"]);

    let complete =
        json!({ "firstname": "Iris", "lastname": "Vos", "telephone1": "+31", "emailaddress1": "iris@n.example" });
    // A last name is required by the CRM itself; it may still be blank.
    let lacking = [
        ("firstname", Value::Null),
        ("lastname", json!(" ")),
        ("telephone1", Value::Null),
        ("emailaddress1", Value::Null),
    ];
    for (member, nothing) in lacking {
        let mut contact = complete.clone();
        contact[member] = nothing;
        let contact = desk.stage.control("POST", "/crm/rows/contacts", &contact);
        let bind = format!("/contacts({})", text(&contact["id"]));
        let opportunity = desk.deal(&json!({ HELP: 299_600_001, "parentcontactid@odata.bind": bind }));
        let message = desk.send(&opportunity).fails("not_sent");
        says(&message, &["contact is required"]);
    }
    assert!(desk.stage.referrals().is_empty());
}

#[test]
fn a_deal_without_help_needs_no_contact() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({ "parentcontactid@odata.bind": null }));
    desk.send(&opportunity).gives("created");
}

#[test]
fn a_deal_without_a_customer_account_is_refused() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({ "customerid_account@odata.bind": null, "parentaccountid@odata.bind": null }));
    desk.send(&opportunity).fails("not_sent");
    says(&desk.newest(&opportunity), &["account"]);
}

#[test]
fn a_deal_without_revenue_or_closing_date_is_refused() {
    let desk = Desk::new();
    for (column, words) in [("estimatedvalue", "revenue"), ("estimatedclosedate", "close date")] {
        let opportunity = desk.deal(&json!({ column: null }));
        desk.send(&opportunity).fails("not_sent");
        says(&desk.newest(&opportunity), &[words, "required"]);
    }
    assert!(desk.stage.referrals().is_empty());
}

#[test]
fn more_solutions_than_partner_center_takes_are_refused_with_the_reason() {
    let desk = Desk::new();
    let opportunity = desk.stage.opportunity(&json!({}));
    for number in 0..51 {
        desk.add_solution(&opportunity, &format!("SOL-{number:05}-KQP"), "ColdTrack");
    }
    desk.send(&opportunity).fails("not_sent");
    says(&desk.newest(&opportunity), &["50"]);
    assert!(desk.stage.referrals().is_empty());
}

#[test]
fn a_deal_that_is_not_to_be_synchronised_stays_at_home() {
    let desk = Desk::new();
    let opportunity = desk.stage.opportunity(&json!({ SYNC: false }));
    let solution = desk.add_solution(&opportunity, "SOL-48120-KQP", "ColdTrack");
    desk.saved_unheard(&opportunity);
    desk.solution_saved(&solution);
    desk.send(&opportunity).gives("ignored");
    assert!(desk.stage.referrals().is_empty());
    assert_eq!(desk.stage.writes(), 0);
}

#[test]
fn a_sent_deal_whose_sync_is_set_back_to_no_sends_no_more_changes() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.edit(&opportunity, &json!({ SYNC: false, "estimatedvalue": 91_000 }));
    desk.saved_unheard(&opportunity);
    assert_eq!(desk.writes(|| desk.send(&opportunity).gives("ignored")), 0);
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 84_000.0);
}

#[test]
fn what_partner_center_refuses_is_told_to_the_seller() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({}));
    let fault = json!([{ "name": "no", "system": "partner_center", "method": "POST", "path": "/referrals",
        "action": { "status": 400, "body": { "error": { "code": "invalidRequest", "message": "The location is unknown." } } } }]);
    desk.stage.control("PUT", "/faults", &fault);
    assert_eq!(desk.send(&opportunity).code, 1);
    says(&desk.newest(&opportunity), &["The location is unknown"]);
    assert_eq!(desk.row(&opportunity)["name"], "✖ Northwind warehouse rollout");

    desk.stage.control("DELETE", "/faults", &Value::Null);
    desk.send(&opportunity).gives("created");
    assert_eq!(desk.row(&opportunity)["name"], "✔ Northwind warehouse rollout");
}

#[test]
fn a_run_cut_off_before_the_identifier_was_written_makes_no_second_referral() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({}));
    let fault = json!([{ "name": "down", "system": "dataverse", "method": "PATCH", "action": { "status": 400 } }]);
    desk.stage.control("PUT", "/faults", &fault);
    assert_eq!(desk.send(&opportunity).code, 1);
    assert_eq!(desk.stage.referrals().len(), 1);
    desk.stage.control("DELETE", "/faults", &Value::Null);
    desk.send(&opportunity).ends_well();
    assert_eq!(desk.stage.referrals().len(), 1, "not made again");
    assert_eq!(desk.row(&opportunity)[IDENTIFIER], desk.stage.referrals()[0]["id"]);
}

#[test]
fn the_event_of_a_referral_mends_an_opportunity_without_identifier() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({}));
    let fault = json!([{ "name": "down", "system": "dataverse", "method": "PATCH", "action": { "status": 400 } }]);
    desk.stage.control("PUT", "/faults", &fault);
    assert_eq!(desk.send(&opportunity).code, 1);
    desk.stage.control("DELETE", "/faults", &Value::Null);
    let referral = desk.stage.referrals()[0]["id"].clone();
    desk.reported("referral-created", text(&referral)).ends_well();
    assert_eq!(desk.row(&opportunity)[IDENTIFIER], referral);
    assert_eq!(desk.rows("opportunities").len(), 1);
}
