//! Which referrals come to the CRM, and as what.

use serde_json::{Value, json};

use crate::support::desk::{AUDIT, Desk, HELP, IDENTIFIER, LINK, SYNC, VISIBLE, says, text};

#[test]
fn a_shared_deal_becomes_an_opportunity_with_everything_it_says() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({ "details": { "closingDateTime": "2027-02-26T00:00:00Z" } }));
    let row = desk.row(&opportunity);
    assert_eq!(row["name"], "✔ Tailwind stock rooms");
    assert_eq!(row["estimatedvalue"], 50_000.0);
    assert_eq!(row["estimatedclosedate"], "2027-02-26");
    assert_eq!(row["description"], "Wants to see its stock in every store.");
    assert_eq!(row[SYNC], true);
    assert_eq!(row[IDENTIFIER], referral);
    assert_eq!(row[VISIBLE], true);
    assert!(text(&row[LINK]).starts_with("https://") && text(&row[LINK]).contains(&referral), "{row}");
    says(text(&row[AUDIT]), &["created from Partner Center"]);

    let named = |set: &str, key: &str, lookup: &str| {
        desk.rows(set).into_iter().find(|other| other[key] == row[lookup]).unwrap_or_default()
    };
    assert_eq!(
        named("transactioncurrencies", "transactioncurrencyid", "_transactioncurrencyid_value")["isocurrencycode"],
        "USD"
    );
    assert_eq!(named("accounts", "accountid", "_parentaccountid_value")["name"], "Tailwind Traders");
    assert_eq!(named("contacts", "contactid", "_parentcontactid_value")["emailaddress1"], "ana@tailwind.example");
    assert_eq!(desk.solution_rows(&opportunity), ["SOL-48120-KQP"]);
    assert_eq!(desk.referral(&referral)["externalReferenceId"], opportunity);
}

#[test]
fn a_shared_deal_is_created_once_however_often_its_event_comes() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    for event in ["referral-created", "referral-updated"] {
        assert_eq!(desk.writes(|| desk.reported(event, &referral).gives("equal")), 0);
    }
    assert_eq!(desk.rows("opportunities").len(), 1);
    assert_eq!(desk.writes(|| desk.saved(&opportunity).gives("equal")), 0, "and the CRM's own echo is no news");
}

#[test]
fn a_run_cut_off_before_the_write_back_is_mended_by_the_next_event() {
    let desk = Desk::new();
    let referral = desk.shared(&json!({}));
    let fault = json!([{ "name": "down", "system": "partner_center", "method": "PATCH", "action": { "status": 400 } }]);
    desk.stage.control("PUT", "/faults", &fault);
    assert_eq!(desk.receive(&referral).code, 1, "the referral could not be told");
    desk.stage.control("DELETE", "/faults", &Value::Null);
    desk.receive(&referral).ends_well();
    let rows = desk.rows("opportunities");
    assert_eq!(rows.len(), 1, "not created again");
    assert_eq!(desk.referral(&referral)["externalReferenceId"], rows[0]["opportunityid"]);
}

#[test]
fn a_deal_sent_from_the_crm_does_not_come_back_as_another() {
    let desk = Desk::new();
    let (_, referral) = desk.sent(&json!({ HELP: 299_600_001 }));
    let microsoft = text(&desk.microsofts_side(&referral)["id"]).to_owned();
    let writes = desk.writes(|| {
        desk.reported("referral-created", &referral).gives("equal");
        desk.reported("related-referral-created", &microsoft).ends_well();
    });
    assert_eq!(writes, 0);
    assert_eq!(desk.rows("opportunities").len(), 1);
}

#[test]
fn a_referral_with_an_unknown_crm_id_is_left_alone_and_the_run_says_so() {
    let desk = Desk::new();
    for id in ["OPP-20417", "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10"] {
        let referral = desk.shared(&json!({ "externalReferenceId": id }));
        let ran = desk.receive(&referral).gives("ignored");
        says(text(&ran.output["reason"]), &[id]);
    }
    assert_eq!(desk.stage.writes(), 0);
}

#[test]
fn a_deal_that_was_closed_before_it_was_seen_creates_nothing() {
    let desk = Desk::new();
    for substatus in ["Won", "Lost", "Declined", "Expired"] {
        let referral = desk.shared(&json!({}));
        desk.seller(&referral, &json!({ "status": "Closed", "substatus": substatus }));
        let ran = desk.receive(&referral).gives("ignored");
        says(text(&ran.output["reason"]), &["closed"]);
    }
    assert_eq!(desk.stage.writes(), 0);
}

#[test]
fn a_currency_that_the_crm_does_not_know_is_named_and_nothing_is_written() {
    let desk = Desk::new();
    let referral = desk.shared(&json!({ "details": { "currency": "JPY" } }));
    let message = desk.receive(&referral).fails("not_written");
    says(&message, &["JPY", "not configured"]);
    assert_eq!(desk.stage.writes(), 0);
}

#[test]
fn a_linked_deal_whose_new_currency_the_crm_does_not_know_is_not_written() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    desk.seller(&referral, &json!({ "details": { "currency": "JPY", "dealValue": 7_000_000 } }));
    let message = desk.receive(&referral).fails("not_written");
    says(&message, &["JPY"]);
    assert_eq!(desk.row(&opportunity)["estimatedvalue"], 50_000.0);
    says(&desk.newest(&opportunity), &["JPY"]);
    let again = desk.writes(|| desk.receive(&referral).fails("not_written"));
    assert_eq!(again, 0, "the same reason twice running is no news");
}

#[test]
fn a_private_deal_made_in_the_portal_becomes_an_opportunity() {
    let desk = Desk::new();
    let referral = desk.made_in_portal(&json!({}));
    let ran = desk.reported("referral-created", &referral).gives("created");
    let row = desk.row(text(&ran.output["opportunity_id"]));
    assert_eq!((&row["name"], &row[IDENTIFIER]), (&json!("✔ Tailwind cold rooms"), &json!(referral)));
    assert_eq!((&row[VISIBLE], &row["statuscode"]), (&json!(false), &json!(1)));
}

#[test]
fn help_asked_for_in_the_portal_is_chosen_in_the_crm() {
    let desk = Desk::new();
    let referral = desk.made_in_portal(&json!({
        "type": "Shared", "inviteContext": { "assistanceRequestCode": "QuotesOrLicensing" },
        "consent": {
            "consentToToShareInfoWithOthers": true, "consentToContact": true,
            "consentToShareReferralWithMicrosoftSellers": true,
        },
    }));
    let ran = desk.receive(&referral).gives("created");
    let row = desk.row(text(&ran.output["opportunity_id"]));
    assert_eq!((&row[HELP], &row[VISIBLE]), (&json!(299_600_003), &json!(true)));
    assert_eq!(desk.writes(|| desk.saved(text(&ran.output["opportunity_id"])).ends_well()), 0, "nobody is asked again");
}

#[test]
fn co_sell_only_leaves_private_deals_and_leads_in_partner_center() {
    let desk = Desk::with(&json!({ "sync_co_sell_only": true }));
    let private = desk.made_in_portal(&json!({}));
    let lead = desk.shared_lead(&json!({}));
    for referral in [private, lead] {
        let ran = desk.receive(&referral).gives("ignored");
        says(text(&ran.output["reason"]), &["co-sell"]);
    }
    assert_eq!(desk.stage.writes(), 0);
}

#[test]
fn co_sell_only_brings_co_sell_and_pipeline_shared_deals() {
    let desk = Desk::with(&json!({ "sync_co_sell_only": true }));
    desk.arrived(&json!({}));
    let visible = desk.made_in_portal(&json!({ "consent": {
        "consentToToShareInfoWithOthers": true, "consentToContact": true,
        "consentToShareReferralWithMicrosoftSellers": true,
    } }));
    desk.receive(&visible).gives("created");
}

#[test]
fn co_sell_only_never_keeps_a_deal_in_the_crm() {
    let desk = Desk::with(&json!({ "sync_co_sell_only": true }));
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
    desk.saved(&opportunity).gives("updated");
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 91_000.0);
}

#[test]
fn a_deal_that_was_accepted_before_it_was_seen_is_in_progress() {
    let desk = Desk::new();
    let referral = desk.shared(&json!({}));
    desk.portal(&referral, &json!({ "status": "Active", "substatus": "Accepted" }));
    let ran = desk.receive(&referral).gives("created");
    assert_eq!(desk.row(text(&ran.output["opportunity_id"]))["statuscode"], 1);
}

#[test]
fn a_deal_without_value_date_and_currency_arrives_all_the_same() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(
        &json!({ "details": { "dealValue": null, "closingDateTime": null, "currency": null, "notes": null } }),
    );
    assert!(desk.row(&opportunity)["estimatedclosedate"].is_null());
    let settled = desk.writes(|| desk.receive(&referral).gives("equal"));
    assert_eq!(settled, 0);
}

#[test]
fn a_deal_deleted_in_the_crm_is_not_made_again() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    desk.delete_opportunity(&opportunity);
    desk.seller(&referral, &json!({ "details": { "dealValue": 61_000 } }));
    let ran = desk.receive(&referral).gives("ignored");
    says(text(&ran.output["reason"]), &[&opportunity]);
    assert!(desk.rows("opportunities").is_empty());
}

#[test]
fn the_forms_seen_in_live_payloads_are_understood() {
    let desk = Desk::new();
    let forms = json!({ "team_as_object": true, "null_tags": true, "omit_registrations": true });
    desk.stage.control("PUT", "/partner_center", &forms);
    let (referral, opportunity) = desk.arrived(&json!({ "details": { "dealValue": "50000" } }));
    let row = desk.row(&opportunity);
    assert_eq!(row["estimatedvalue"], 50_000.0);
    assert!(row["_parentcontactid_value"].is_string(), "a contact that is no list");
    desk.receive(&referral).gives("equal");
}
