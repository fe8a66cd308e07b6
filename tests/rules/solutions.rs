//! The rows of Microsoft Partner Center Solutions, and the solutions of the referral.

use serde_json::{Value, json};

use crate::support::desk::{Desk, SOLUTIONS, SYNC, says, text};

const COLD_TRACK: &str = "SOL-48120-KQP";
const DOCK_PLAN: &str = "SOL-50377-TRX";
const GATE: &str = "SOL-61002-GTE";

/// The row of an opportunity with a solution's id.
fn row_of(desk: &Desk, id: &str) -> String {
    let rows = desk.rows(SOLUTIONS);
    text(&rows.iter().find(|row| row["msft_solutionid"] == id).unwrap()["msft_partnercentersolutionid"]).to_owned()
}

fn with_solutions(ids: &[&str]) -> Value {
    let tags: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "name": "Solution", "type": "Name" })).collect();
    json!({ "details": { "requirements": { "solutions": tags } } })
}

#[test]
fn all_solutions_of_a_new_deal_are_sent() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({}));
    desk.add_solution(&opportunity, DOCK_PLAN, "DockPlan");
    let ran = desk.send(&opportunity).gives("created");
    let referral = text(&ran.output["referral_id"]);
    assert_eq!(desk.solution_tags(referral), [COLD_TRACK, DOCK_PLAN]);
    let referral = desk.referral(referral);
    let first = &referral["details"]["requirements"]["solutions"][0];
    assert_eq!((&first["name"], &first["type"]), (&json!("ColdTrack"), &json!("Name")));
}

#[test]
fn a_row_that_only_refers_to_the_catalogue_is_sent_as_that_solution() {
    let desk = Desk::new();
    let opportunity = desk.stage.opportunity(&json!({}));
    let details = desk.rows("msft_solutiondetails");
    let detail = details.iter().find(|row| row["msft_solutionid"] == DOCK_PLAN).unwrap();
    let row = json!({
        "msft_SolutionDetail@odata.bind": format!("/msft_solutiondetails({})", text(&detail["msft_solutiondetailid"])),
        "msft_Opportunity@odata.bind": format!("/opportunities({opportunity})"),
    });
    desk.stage.control("POST", &format!("/crm/rows/{SOLUTIONS}"), &row);
    let ran = desk.send(&opportunity).gives("created");
    let referral = desk.referral(text(&ran.output["referral_id"]));
    let tag = &referral["details"]["requirements"]["solutions"][0];
    assert_eq!((&tag["id"], &tag["name"]), (&json!(DOCK_PLAN), &json!("DockPlan")));
}

#[test]
fn the_solutions_of_a_shared_deal_become_rows_of_its_opportunity() {
    let desk = Desk::new();
    let (_, opportunity) = desk.arrived(&with_solutions(&[COLD_TRACK, DOCK_PLAN]));
    assert_eq!(desk.solution_rows(&opportunity), [COLD_TRACK, DOCK_PLAN]);
}

#[test]
fn a_solution_added_in_the_crm_is_added_to_the_referral() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let row = desk.add_solution(&opportunity, DOCK_PLAN, "DockPlan");
    desk.solution_saved(&row).ends_well();
    assert_eq!(desk.solution_tags(&referral), [COLD_TRACK, DOCK_PLAN]);
    says(&desk.newest(&opportunity), &["solution"]);
}

#[test]
fn a_solution_removed_in_the_crm_is_removed_from_the_referral() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let row = desk.add_solution(&opportunity, DOCK_PLAN, "DockPlan");
    desk.solution_saved(&row).ends_well();
    desk.remove_solution(&row);
    desk.solution_deleted(&row).ends_well();
    assert_eq!(desk.solution_tags(&referral), [COLD_TRACK]);
    assert_eq!(desk.solution_rows(&opportunity), [COLD_TRACK]);
}

#[test]
fn a_solution_added_in_partner_center_becomes_a_row() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.portal(&referral, &with_solutions(&[COLD_TRACK, GATE]));
    desk.receive(&referral).gives("updated");
    assert_eq!(desk.solution_rows(&opportunity), [COLD_TRACK, GATE]);
    assert_eq!(desk.writes(|| desk.solution_saved(&row_of(&desk, GATE)).ends_well()), 0, "its echo is no news");
}

#[test]
fn a_solution_removed_in_partner_center_loses_its_row() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&with_solutions(&[COLD_TRACK, GATE]));
    desk.seller(&referral, &with_solutions(&[COLD_TRACK]));
    desk.receive(&referral).gives("updated");
    assert_eq!(desk.solution_rows(&opportunity), [COLD_TRACK]);
    assert_eq!(desk.solution_tags(&referral), [COLD_TRACK]);
}

#[test]
fn solutions_added_on_both_sides_are_kept_on_both() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.add_solution(&opportunity, DOCK_PLAN, "DockPlan");
    desk.portal(&referral, &with_solutions(&[COLD_TRACK, GATE]));
    desk.send(&opportunity).ends_well();
    desk.receive(&referral).ends_well();
    let all = [COLD_TRACK, DOCK_PLAN, GATE];
    assert_eq!(desk.solution_tags(&referral), all);
    assert_eq!(desk.solution_rows(&opportunity), all);
}

#[test]
fn one_side_may_add_a_solution_while_the_other_removes_one() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let added = desk.add_solution(&opportunity, DOCK_PLAN, "DockPlan");
    desk.solution_saved(&added).ends_well();
    let removed = row_of(&desk, COLD_TRACK);
    desk.solution_saved(&removed).gives("equal");
    desk.remove_solution(&removed);
    desk.portal(&referral, &with_solutions(&[COLD_TRACK, DOCK_PLAN, GATE]));
    desk.receive(&referral).ends_well();
    desk.solution_deleted(&removed).ends_well();
    assert_eq!(desk.solution_tags(&referral), [DOCK_PLAN, GATE]);
    assert_eq!(desk.solution_rows(&opportunity), [DOCK_PLAN, GATE]);
}

#[test]
fn the_last_solution_is_not_taken_from_the_referral() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let row = row_of(&desk, COLD_TRACK);
    desk.solution_saved(&row).gives("equal");
    desk.remove_solution(&row);
    desk.solution_deleted(&row).ends_well();
    assert_eq!(desk.solution_tags(&referral), [COLD_TRACK]);
    says(&desk.newest(&opportunity), &["solution"]);
}

#[test]
fn a_solution_saved_without_a_change_sends_nothing() {
    let desk = Desk::new();
    desk.sent(&json!({}));
    assert_eq!(desk.writes(|| desk.solution_saved(&row_of(&desk, COLD_TRACK)).ends_well()), 0);
}

#[test]
fn the_solutions_of_a_deal_that_is_not_synchronised_are_left_alone() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.edit(&opportunity, &json!({ SYNC: false }));
    let row = desk.add_solution(&opportunity, DOCK_PLAN, "DockPlan");
    assert_eq!(desk.writes(|| desk.solution_saved(&row).ends_well()), 0);
    assert_eq!(desk.solution_tags(&referral), [COLD_TRACK]);
}
