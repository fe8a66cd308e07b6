//! Deal value, currency, closing date and notes: each way, and only what differs.

use serde_json::{Value, json};

use crate::support::desk::{Desk, says, text};

fn currency(desk: &Desk, code: &str) -> String {
    let rows = desk.rows("transactioncurrencies");
    text(&rows.iter().find(|row| row["isocurrencycode"] == code).unwrap()["transactioncurrencyid"]).to_owned()
}

#[test]
fn no_difference_writes_nothing() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let writes = desk.writes(|| {
        desk.send(&opportunity).gives("equal");
        desk.saved(&opportunity).gives("equal");
        desk.receive(&referral).gives("equal");
    });
    assert_eq!(writes, 0);
}

#[test]
fn each_field_changed_in_the_crm_is_sent_by_itself() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let dollars = format!("/transactioncurrencies({})", currency(&desk, "USD"));
    let changes = [
        (json!({ "estimatedvalue": 91_250.5 }), "/details/dealValue", json!(91_250.5)),
        (json!({ "estimatedclosedate": "2027-03-15" }), "/details/closingDateTime", json!("2027-03-15T00:00:00Z")),
        (json!({ "description": "Wants five cold stores." }), "/details/notes", json!("Wants five cold stores.")),
        (json!({ "transactioncurrencyid@odata.bind": dollars }), "/details/currency", json!("USD")),
    ];
    for (change, field, value) in changes {
        desk.edit(&opportunity, &change);
        let sent = desk.sent_fields(|| desk.saved(&opportunity).gives("updated"));
        assert_eq!(sent, [field], "nothing else");
        assert_eq!(desk.referral(&referral).pointer(field), Some(&value));
    }
}

#[test]
fn each_field_changed_in_partner_center_is_written_to_the_crm() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    let euro = currency(&desk, "EUR");
    let changes = [
        (json!({ "dealValue": 91_250.5 }), "estimatedvalue", json!(91_250.5)),
        (json!({ "closingDateTime": "2027-03-15T00:00:00Z" }), "estimatedclosedate", json!("2027-03-15")),
        (json!({ "notes": "Wants five stores." }), "description", json!("Wants five stores.")),
        (json!({ "currency": "EUR" }), "_transactioncurrencyid_value", json!(euro)),
    ];
    for (change, column, value) in changes {
        desk.seller(&referral, &json!({ "details": change }));
        desk.receive(&referral).gives("updated");
        assert_eq!(desk.row(&opportunity)[column], value);
        assert_eq!(desk.writes(|| desk.saved(&opportunity).gives("equal")), 0, "its echo is no news");
    }
}

#[test]
fn a_closing_time_within_the_same_day_is_no_difference() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({ "details": { "closingDateTime": "2027-02-26T17:30:00Z" } }));
    assert_eq!(desk.row(&opportunity)["estimatedclosedate"], "2027-02-26");
    let writes = desk.writes(|| {
        desk.saved(&opportunity).gives("equal");
        desk.receive(&referral).gives("equal");
    });
    assert_eq!(writes, 0);
}

#[test]
fn a_deal_value_of_0_or_none_never_clears_the_referrals_and_is_told() {
    let desk = Desk::new();
    for nothing in [json!(0), Value::Null] {
        let (opportunity, referral) = desk.sent(&json!({}));
        desk.edit(&opportunity, &json!({ "estimatedvalue": nothing, "description": "Wants five cold stores." }));
        desk.saved(&opportunity).ends_well();
        let details = desk.referral(&referral)["details"].clone();
        assert_eq!(details["dealValue"], 84_000.0);
        assert_eq!(details["notes"], "Wants five cold stores.", "everything else is sent");
        says(&desk.audit(&opportunity)[..1].join(""), &["deal value"]);
        let settled = desk.writes(|| {
            desk.saved(&opportunity).ends_well();
            desk.saved(&opportunity).ends_well();
        });
        assert_eq!(settled, 0, "it is said once");
    }
}

#[test]
fn a_calculated_deal_value_is_sent_and_its_0_is_not() {
    let desk = Desk::with(&json!({ "deal_value_column": "msft_weightedvalue" }));
    let (opportunity, referral) = desk.sent(&json!({ "estimatedvalue": 84_000, "closeprobability": 50 }));
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 42_000.0);
    desk.edit(&opportunity, &json!({ "closeprobability": 75 }));
    desk.saved(&opportunity).gives("updated");
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 63_000.0);
    desk.edit(&opportunity, &json!({ "closeprobability": 0 }));
    desk.saved(&opportunity).ends_well();
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 63_000.0);
}

#[test]
fn the_deal_value_comes_from_the_column_that_the_variable_names() {
    let desk = Desk::with(&json!({ "deal_value_column": "budgetamount" }));
    let (opportunity, referral) = desk.sent(&json!({ "budgetamount": 12_345.67 }));
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 12_345.67);
    desk.edit(&opportunity, &json!({ "estimatedvalue": 1 }));
    assert_eq!(desk.writes(|| desk.saved(&opportunity).gives("equal")), 0, "the usual column means nothing here");
}

#[test]
fn text_longer_than_its_column_is_cut_and_does_not_flap() {
    let desk = Desk::new();
    let notes = "All the stores. ".repeat(200);
    let (referral, opportunity) = desk.arrived(&json!({ "details": { "notes": notes } }));
    let row = desk.row(&opportunity);
    let description = text(&row["description"]);
    assert!(description.chars().count() <= 2000 && description.ends_with('…'), "{description}");
    let writes = desk.writes(|| {
        desk.saved(&opportunity).gives("equal");
        desk.receive(&referral).gives("equal");
    });
    assert_eq!(writes, 0);
    assert_eq!(desk.referral(&referral)["details"]["notes"], notes, "the whole text stays where it is");
}

#[test]
fn several_saves_in_quick_succession_send_each_difference_once() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    for value in [85_000, 86_000, 87_000] {
        desk.edit(&opportunity, &json!({ "estimatedvalue": value }));
    }
    desk.edit(&opportunity, &json!({ "description": "Wants five cold stores." }));
    let mut sent = desk.sent_fields(|| {
        for _ in 0..4 {
            desk.saved(&opportunity).ends_well();
        }
    });
    sent.sort();
    assert_eq!(sent, ["/details/dealValue", "/details/notes"]);
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 87_000.0);
}

#[test]
fn notes_cleared_on_one_side_are_cleared_on_the_other() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.edit(&opportunity, &json!({ "description": null }));
    desk.saved(&opportunity).gives("updated");
    assert!(desk.referral(&referral)["details"]["notes"].as_str().unwrap_or_default().is_empty());

    let (referral, opportunity) = desk.arrived(&json!({}));
    desk.seller(&referral, &json!({ "details": { "notes": null } }));
    desk.receive(&referral).gives("updated");
    assert!(desk.row(&opportunity)["description"].is_null());
}

#[test]
fn a_value_that_one_side_lost_comes_back_from_the_other() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    desk.seller(&referral, &json!({ "details": { "closingDateTime": null } }));
    desk.receive(&referral).ends_well();
    assert!(desk.row(&opportunity)["estimatedclosedate"].is_string());
    desk.saved(&opportunity).ends_well();
    let settled = desk.writes(|| {
        desk.receive(&referral).gives("equal");
        desk.saved(&opportunity).gives("equal");
    });
    assert_eq!(settled, 0);
    assert!(desk.referral(&referral)["details"]["closingDateTime"].is_string());
}

#[test]
fn a_calculated_deal_value_is_left_alone_where_the_mapping_says_so() {
    let desk = Desk::with(&json!({ "deal_value_column": "msft_weightedvalue" }));
    let mapping = "mapping: referral-opportunity\nrows:\n  deal_value: { only_to: referral }\n";
    std::fs::create_dir(desk.project.folder.join("flows/mappings")).unwrap();
    std::fs::write(desk.project.folder.join("flows/mappings/referral-opportunity.yaml"), mapping).unwrap();
    let (opportunity, referral) = desk.sent(&json!({ "estimatedvalue": 84_000, "closeprobability": 50 }));
    desk.edit(&opportunity, &json!({ "closeprobability": 0 }));
    desk.portal(&referral, &json!({ "details": { "notes": "Wants five cold stores." } }));
    desk.receive(&referral).gives("updated");
    assert_eq!(desk.row(&opportunity)["description"], "Wants five cold stores.");
    desk.saved(&opportunity).ends_well();
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 42_000.0);
    desk.arrived(&json!({}));
}
