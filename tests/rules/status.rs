//! Status and substatus of the referral, state and status of the opportunity. Closed is final.

use serde_json::{Value, json};

use crate::support::desk::{Desk, text};

fn state(desk: &Desk, opportunity: &str) -> (Value, Value) {
    let row = desk.row(opportunity);
    (row["statecode"].clone(), row["statuscode"].clone())
}

fn status(desk: &Desk, referral: &str) -> String {
    let referral = desk.referral(referral);
    format!("{}/{}", text(&referral["status"]), text(&referral["substatus"]))
}

fn close(desk: &Desk, referral: &str, substatus: &str) {
    desk.seller(referral, &json!({ "status": "Closed", "substatus": substatus, "statusReason": "Decided so" }));
}

fn accept(desk: &Desk, referral: &str) {
    desk.portal(referral, &json!({ "status": "Active", "substatus": "Accepted" }));
}

#[test]
fn an_unanswered_deal_is_on_hold_and_an_accepted_one_in_progress() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    assert_eq!(state(&desk, &opportunity), (json!(0), json!(2)));
    accept(&desk, &referral);
    desk.receive(&referral).gives("updated");
    assert_eq!(state(&desk, &opportunity), (json!(0), json!(1)));
}

#[test]
fn a_deal_of_our_own_is_in_progress_while_microsoft_has_not_answered() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({ "msft_microsoftpartnercenterhelp": 299_600_001 }));
    assert_eq!(status(&desk, &referral), "Active/Accepted");
    desk.receive(&referral).ends_well();
    assert_eq!(state(&desk, &opportunity), (json!(0), json!(1)));
}

#[test]
fn a_deal_closed_in_partner_center_is_closed_in_the_crm() {
    for (substatus, expected) in [("Won", (1, 3)), ("Lost", (2, 5)), ("Declined", (2, 4)), ("Expired", (2, 4))] {
        let desk = Desk::new();
        let (referral, opportunity) = desk.arrived(&json!({}));
        close(&desk, &referral, substatus);
        desk.receive(&referral).gives("updated");
        assert_eq!(state(&desk, &opportunity), (json!(expected.0), json!(expected.1)), "{substatus}");
        let again = desk.writes(|| {
            desk.receive(&referral).ends_well();
            desk.saved(&opportunity).ends_well();
        });
        assert_eq!(again, 0, "{substatus}: once, and its echo is no news");
    }
}

#[test]
fn the_reason_for_closing_a_deal_stands_in_the_crms_record_of_it() {
    let desk = Desk::new();
    let (referral, _) = desk.arrived(&json!({}));
    close(&desk, &referral, "Lost");
    desk.receive(&referral).gives("updated");
    assert_eq!(desk.rows("opportunitycloses")[0]["description"], "Decided so");
}

#[test]
fn what_changed_with_the_closing_of_a_deal_is_kept() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    accept(&desk, &referral);
    desk.seller(&referral, &json!({ "status": "Closed", "substatus": "Won", "details": { "dealValue": 61_000 } }));
    desk.receive(&referral).gives("updated");
    let row = desk.row(&opportunity);
    assert_eq!(
        (&row["statuscode"], &row["estimatedvalue"], &row["actualvalue"]),
        (&json!(3), &json!(61_000.0), &json!(61_000.0))
    );
}

#[test]
fn a_deal_won_or_lost_in_the_crm_is_so_in_partner_center() {
    for (chosen, expected) in [(3, "Closed/Won"), (5, "Closed/Lost"), (4, "Closed/Lost")] {
        let desk = Desk::new();
        let (opportunity, referral) = desk.sent(&json!({}));
        desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
        desk.close(&opportunity, chosen);
        desk.saved(&opportunity).gives("updated");
        assert_eq!(status(&desk, &referral), expected);
        assert_eq!(desk.referral(&referral)["details"]["dealValue"], 91_000.0, "with what changed before");
        let again = desk.writes(|| {
            desk.saved(&opportunity).ends_well();
            desk.receive(&referral).ends_well();
        });
        assert_eq!(again, 0, "once, and its echo is no news");
    }
}

#[test]
fn a_deal_taken_off_hold_in_the_crm_is_accepted_in_partner_center() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    desk.later();
    desk.edit(&opportunity, &json!({ "statuscode": 1 }));
    desk.saved(&opportunity).gives("updated");
    assert_eq!(status(&desk, &referral), "Active/Accepted");
}

#[test]
fn a_deal_lost_in_the_crm_before_it_was_accepted_is_declined() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    desk.close(&opportunity, 4);
    desk.saved(&opportunity).gives("updated");
    assert_eq!(status(&desk, &referral), "Closed/Declined");
}

#[test]
fn a_closed_referral_is_not_edited() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    close(&desk, &referral, "Won");
    let before = desk.referral(&referral);
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
    desk.saved(&opportunity).ends_well();
    assert_eq!(desk.referral(&referral), before);
    desk.receive(&referral).ends_well();
    assert_eq!(state(&desk, &opportunity), (json!(1), json!(3)));
}

#[test]
fn a_deal_that_was_closed_before_it_was_sent_stays_at_home() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({}));
    desk.close(&opportunity, 3);
    desk.send(&opportunity).gives("ignored");
    assert!(desk.stage.referrals().is_empty());
}

#[test]
fn a_deal_closed_differently_on_both_sides_stays_so_and_the_run_ends_well() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    close(&desk, &referral, "Lost");
    desk.close(&opportunity, 3);
    let writes = desk.writes(|| {
        desk.saved(&opportunity).ends_well();
        desk.receive(&referral).ends_well();
    });
    assert_eq!(writes, 0, "both are final");
}

#[test]
fn a_deal_reopened_in_the_crm_leaves_the_closed_referral_alone() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.close(&opportunity, 5);
    desk.saved(&opportunity).gives("updated");
    let closed = desk.referral(&referral);
    desk.edit(&opportunity, &json!({ "statecode": 0, "statuscode": 1 }));
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
    desk.saved(&opportunity).ends_well();
    assert_eq!(desk.referral(&referral), closed);
}
