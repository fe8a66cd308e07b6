//! Both sides worked on a deal before either heard of the other: what they last agreed on tells who changed what.

use serde_json::{Value, json};

use crate::support::desk::{Desk, says, text};

/// The deal value in the CRM and in Partner Center.
fn values(desk: &Desk, opportunity: &str, referral: &str) -> [f64; 2] {
    let (row, details) = (desk.row(opportunity), desk.referral(referral)["details"].clone());
    [row["estimatedvalue"].as_f64().unwrap(), details["dealValue"].as_f64().unwrap()]
}

/// The notes in the CRM and in Partner Center.
fn notes(desk: &Desk, opportunity: &str, referral: &str) -> [Value; 2] {
    [desk.row(opportunity)["description"].clone(), desk.referral(referral)["details"]["notes"].clone()]
}

/// Brings everything that is outstanding to the other side, until nothing is.
fn settle(desk: &Desk, opportunity: &str, referral: &str) {
    for _ in 0..2 {
        desk.saved(opportunity).ends_well();
        desk.receive(referral).ends_well();
    }
    let quiet = desk.writes(|| {
        desk.saved(opportunity).gives("equal");
        desk.receive(referral).gives("equal");
    });
    assert_eq!(quiet, 0);
}

#[test]
fn different_fields_changed_on_both_sides_are_kept_on_both() {
    for crm_first in [true, false] {
        let desk = Desk::new();
        let (opportunity, referral) = desk.sent(&json!({}));
        desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
        desk.later();
        desk.portal(&referral, &json!({ "details": { "notes": "Wants five cold stores." } }));
        let ran = if crm_first { desk.saved(&opportunity) } else { desk.receive(&referral) }.ends_well();
        assert_eq!(ran.output["conflicts"], json!([]));
        settle(&desk, &opportunity, &referral);
        assert_eq!(values(&desk, &opportunity, &referral), [91_000.0, 91_000.0]);
        assert_eq!(notes(&desk, &opportunity, &referral), ["Wants five cold stores.", "Wants five cold stores."]);
    }
}

#[test]
fn one_field_changed_on_both_sides_has_one_winner_whichever_side_is_heard_first() {
    let mut winners = Vec::new();
    for crm_first in [true, false] {
        let desk = Desk::new();
        let (opportunity, referral) = desk.sent(&json!({}));
        desk.later();
        desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
        desk.later();
        desk.portal(&referral, &json!({ "details": { "dealValue": 77_000 } }));
        let mut runs = Vec::new();
        for crm in [crm_first, !crm_first] {
            runs.push(if crm { desk.saved(&opportunity) } else { desk.receive(&referral) }.ends_well());
        }
        let reported: Vec<&Value> = runs.iter().flat_map(|ran| ran.output["conflicts"].as_array().unwrap()).collect();
        assert!(!reported.is_empty() && reported.iter().all(|conflict| *conflict == reported[0]), "{reported:?}");
        let (kept, given_up) = (reported[0]["kept"].as_f64().unwrap(), reported[0]["given_up"].as_f64().unwrap());
        assert_eq!((kept.max(given_up), kept.min(given_up)), (91_000.0, 77_000.0));
        let told: Vec<String> = desk.audit(&opportunity).into_iter().filter(|line| line.contains("iven up")).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        says(&told[0], &["deal value", &given_up.to_string()]);
        settle(&desk, &opportunity, &referral);
        assert_eq!(values(&desk, &opportunity, &referral), [kept, kept]);
        winners.push(kept);
    }
    assert_eq!(winners[0], winners[1]);
}

#[test]
fn the_same_change_on_both_sides_is_no_conflict() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
    desk.portal(&referral, &json!({ "details": { "dealValue": 91_000 } }));
    let ran = desk.saved(&opportunity).ends_well();
    assert_eq!(ran.output["conflicts"], json!([]));
    assert_eq!(desk.sent_fields(|| desk.receive(&referral)), Vec::<String>::new());
}

#[test]
fn a_change_undone_before_it_was_heard_of_gives_way_to_the_other_sides() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.portal(&referral, &json!({ "details": { "dealValue": 77_000 } }));
    desk.later();
    for value in [91_000, 84_000] {
        desk.edit(&opportunity, &json!({ "estimatedvalue": value }));
    }
    let ran = desk.saved(&opportunity).ends_well();
    assert_eq!(ran.output["conflicts"], json!([]));
    settle(&desk, &opportunity, &referral);
    assert_eq!(desk.row(&opportunity)["estimatedvalue"], 77_000.0);
}

#[test]
fn what_was_agreed_last_is_known_to_the_next_program() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let state = std::fs::read_to_string(desk.project.folder.join(".cosell/state.jsonl")).unwrap();
    assert!(state.contains(&referral) || state.contains(&opportunity), "{state}");
    // The CRM's value is as agreed, and newer: without a memory it would count as the seller's wish.
    desk.portal(&referral, &json!({ "details": { "dealValue": 77_000 } }));
    desk.later();
    desk.edit(&opportunity, &json!({ "description": "Wants five cold stores." }));
    desk.saved(&opportunity).ends_well();
    assert_eq!(values(&desk, &opportunity, &referral)[1], 77_000.0);
    assert_eq!(notes(&desk, &opportunity, &referral)[1], "Wants five cold stores.");
}

#[test]
fn a_deal_whose_memory_was_lost_goes_on() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    std::fs::remove_dir_all(desk.project.folder.join(".cosell")).unwrap();
    assert_eq!(desk.writes(|| desk.receive(&referral).gives("equal")), 0);
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
    desk.saved(&opportunity).gives("updated");
    assert_eq!(text(&desk.referral(&referral)["externalReferenceId"]), opportunity);
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 91_000.0);
}

#[test]
fn what_could_not_be_sent_is_not_lost_when_news_arrive() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
    let fault = json!([{ "name": "down", "system": "partner_center", "method": "PATCH", "action": { "status": 403 } }]);
    desk.stage.control("PUT", "/faults", &fault);
    desk.saved(&opportunity).fails("not_sent");
    desk.stage.control("DELETE", "/faults", &Value::Null);
    desk.later();
    desk.portal(&referral, &json!({ "details": { "notes": "Wants five cold stores." } }));
    desk.receive(&referral).ends_well();
    settle(&desk, &opportunity, &referral);
    assert_eq!(values(&desk, &opportunity, &referral), [91_000.0, 91_000.0]);
    assert_eq!(notes(&desk, &opportunity, &referral), ["Wants five cold stores.", "Wants five cold stores."]);
}
