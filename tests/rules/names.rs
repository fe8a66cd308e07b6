//! The deal's name, and the mark before it: ✔ once synchronised, ✖ when refused.

use serde_json::json;

use crate::support::desk::{Desk, text};

#[test]
fn the_mark_never_reaches_partner_center() {
    let desk = Desk::new();
    for name in ["✖ Northwind warehouse rollout", "✔Northwind warehouse rollout", " ✔  Northwind warehouse rollout"]
    {
        let (opportunity, referral) = desk.sent(&json!({ "name": name }));
        assert_eq!(desk.referral(&referral)["name"], "Northwind warehouse rollout");
        assert_eq!(desk.row(&opportunity)["name"], "✔ Northwind warehouse rollout");
    }
}

#[test]
fn the_mark_is_no_difference_whichever_side_is_asked() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    for name in ["✔ Northwind warehouse rollout", "✔Northwind warehouse rollout", "Northwind warehouse rollout"] {
        desk.edit(&opportunity, &json!({ "name": name }));
        assert!(desk.sent_fields(|| desk.saved(&opportunity)).is_empty(), "{name}");
        assert!(desk.sent_fields(|| desk.receive(&referral)).is_empty(), "{name}");
    }
}

#[test]
fn a_mark_typed_in_partner_center_is_not_doubled_in_the_crm() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({ "name": "✔ Tailwind stock rooms" }));
    assert_eq!(desk.row(&opportunity)["name"], "✔ Tailwind stock rooms");
    desk.receive(&referral).gives("equal");
}

#[test]
fn a_deal_renamed_in_partner_center_is_renamed_in_the_crm_and_keeps_its_mark() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.portal(&referral, &json!({ "name": "Northwind, all warehouses" }));
    desk.receive(&referral).gives("updated");
    assert_eq!(desk.row(&opportunity)["name"], "✔ Northwind, all warehouses");
}

#[test]
fn a_deal_renamed_in_the_crm_is_renamed_in_partner_center_without_its_mark() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.later();
    desk.edit(&opportunity, &json!({ "name": "✔ Northwind, two warehouses" }));
    desk.saved(&opportunity).gives("updated");
    assert_eq!(desk.referral(&referral)["name"], "Northwind, two warehouses");
    let settled = desk.writes(|| {
        desk.receive(&referral).gives("equal");
        desk.saved(&opportunity).gives("equal");
    });
    assert_eq!(settled, 0);
}

#[test]
fn without_the_check_mark_names_are_left_alone_both_ways() {
    let desk = Desk::with(&json!({ "display_check_mark": false }));
    let (opportunity, referral) = desk.sent(&json!({}));
    assert_eq!(desk.row(&opportunity)["name"], "Northwind warehouse rollout");
    desk.receive(&referral).gives("equal");

    let (_, arrived) = desk.arrived(&json!({}));
    assert_eq!(desk.row(&arrived)["name"], "Tailwind stock rooms");

    let refused = desk.stage.opportunity(&json!({ "name": "Without a solution" }));
    desk.send(&refused).fails("not_sent");
    assert_eq!(desk.row(&refused)["name"], "Without a solution");
}

#[test]
fn a_name_longer_than_its_column_is_cut_with_its_mark_and_does_not_flap() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({ "name": "Cold ".repeat(70) }));
    let row = desk.row(&opportunity);
    let name = text(&row["name"]);
    assert!(name.starts_with("✔ Cold Cold"), "{name}");
    assert!(name.chars().count() <= 300);
    let settled = desk.writes(|| {
        desk.receive(&referral).gives("equal");
        desk.saved(&opportunity).gives("equal");
    });
    assert_eq!(settled, 0);
}
