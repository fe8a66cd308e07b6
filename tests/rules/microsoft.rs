//! What happens on Microsoft's side of a co-sell deal, and how the seller in the CRM learns of it.

use serde_json::{Value, json};

use crate::support::desk::{Desk, HELP, MICROSOFT_ID, says, text};

/// A co-sell deal that was sent: the opportunity, its referral, and Microsoft's.
fn co_sell(desk: &Desk) -> (String, String, String) {
    let (opportunity, referral) = desk.sent(&json!({ HELP: 299_600_001 }));
    let microsoft = text(&desk.microsofts_side(&referral)["id"]).to_owned();
    (opportunity, referral, microsoft)
}

fn answer(desk: &Desk, referral: &str, word: &str, body: &Value) {
    let engagement = desk.referral(referral)["engagementId"].clone();
    desk.stage.control("POST", &format!("/seller/engagements/{}/{word}", text(&engagement)), body);
}

#[test]
fn microsofts_acceptance_brings_its_crm_identifier_and_a_line_in_audit() {
    let desk = Desk::new();
    let (opportunity, referral, microsoft) = co_sell(&desk);
    assert!(desk.row(&opportunity)[MICROSOFT_ID].is_null());
    answer(&desk, &referral, "accept", &Value::Null);
    desk.reported("related-referral-updated", &microsoft).gives("updated");
    let row = desk.row(&opportunity);
    assert_eq!(row[MICROSOFT_ID], desk.referral(&referral)["trackingInfo"]["microsoftMsxId"]);
    assert!(row[MICROSOFT_ID].is_string());
    says(&desk.audit(&opportunity).join("\n"), &["Microsoft", "accepted"]);
    assert_eq!(row["statuscode"], 1, "the deal itself goes on as before");
}

#[test]
fn an_event_of_microsofts_side_may_carry_either_referrals_id() {
    let desk = Desk::new();
    let (opportunity, referral, _) = co_sell(&desk);
    answer(&desk, &referral, "accept", &Value::Null);
    desk.reported("related-referral-updated", &referral).gives("updated");
    assert!(desk.row(&opportunity)[MICROSOFT_ID].is_string());
    says(&desk.audit(&opportunity).join("\n"), &["Microsoft", "accepted"]);
}

#[test]
fn microsofts_news_are_told_once() {
    let desk = Desk::new();
    let (opportunity, referral, microsoft) = co_sell(&desk);
    answer(&desk, &referral, "accept", &Value::Null);
    desk.reported("related-referral-updated", &microsoft).gives("updated");
    let again = desk.writes(|| {
        desk.reported("related-referral-updated", &microsoft).gives("equal");
        desk.reported("referral-updated", &referral).gives("equal");
        desk.saved(&opportunity).gives("equal");
    });
    assert_eq!(again, 0);
}

#[test]
fn microsofts_refusal_is_told_with_its_reason_and_the_deal_goes_on() {
    let desk = Desk::new();
    let (opportunity, referral, microsoft) = co_sell(&desk);
    answer(&desk, &referral, "decline", &json!({ "statusReason": "No capacity this quarter" }));
    desk.reported("related-referral-updated", &microsoft).ends_well();
    says(&desk.newest(&opportunity), &["Microsoft", "declined", "No capacity this quarter"]);
    let row = desk.row(&opportunity);
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(0), &json!(1)));
    assert_eq!(desk.referral(&referral)["status"], "Active");
    assert_eq!(desk.writes(|| desk.reported("related-referral-updated", &microsoft).ends_well()), 0, "once");
}

#[test]
fn microsofts_silence_is_told_when_the_invitation_expires() {
    let desk = Desk::new();
    let (opportunity, _, microsoft) = co_sell(&desk);
    desk.seller(&microsoft, &json!({ "status": "Closed", "substatus": "Expired" }));
    desk.reported("related-referral-updated", &microsoft).ends_well();
    says(&desk.newest(&opportunity), &["Microsoft", "did not answer"]);
    assert_eq!(desk.row(&opportunity)["statecode"], 0);
}

#[test]
fn microsofts_seller_is_named_in_audit() {
    let desk = Desk::new();
    let (opportunity, referral, microsoft) = co_sell(&desk);
    answer(&desk, &referral, "accept", &Value::Null);
    let seller = json!({ "firstName": "Priya", "lastName": "Nair", "email": "priya@microsoft.example", "phoneNumber": "+14255550123" });
    desk.seller(&microsoft, &json!({ "team": [seller] }));
    desk.reported("related-referral-updated", &microsoft).ends_well();
    says(&desk.audit(&opportunity).join("\n"), &["Priya Nair", "priya@microsoft.example"]);
    assert_eq!(desk.writes(|| desk.reported("related-referral-updated", &microsoft).ends_well()), 0, "once");
}

#[test]
fn microsofts_crm_identifier_comes_with_the_deals_own_event_too() {
    let desk = Desk::new();
    let (opportunity, referral, _) = co_sell(&desk);
    answer(&desk, &referral, "accept", &Value::Null);
    desk.receive(&referral).ends_well();
    assert!(desk.row(&opportunity)[MICROSOFT_ID].is_string());
}

#[test]
fn microsofts_side_of_a_deal_that_the_crm_does_not_have_is_left_alone() {
    let desk = Desk::new();
    let (_, referral, microsoft) = co_sell(&desk);
    desk.seller(&referral, &json!({ "externalReferenceId": "OPP-20417" }));
    let opportunity = desk.row(text(&desk.rows("opportunities")[0]["opportunityid"]));
    desk.edit(text(&opportunity["opportunityid"]), &json!({ "msft_microsoftpartnercenterreferralidentifier": null, "msft_microsoftpartnercenterreferralsync": false }));
    std::fs::remove_dir_all(desk.project.folder.join(".cosell")).unwrap();
    answer(&desk, &referral, "accept", &Value::Null);
    assert_eq!(desk.writes(|| desk.reported("related-referral-updated", &microsoft).gives("ignored")), 0);
}
