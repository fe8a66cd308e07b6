//! The column Audit: what was sent, received or refused, why, and what to do.

use serde_json::{Value, json};

use crate::support::desk::{AUDIT, Desk, says, text};

/// A line begins with day and time.
#[track_caller]
fn is_dated(line: &str) {
    let pattern: String = line.chars().take(20).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert!(pattern.starts_with("0000-00-00 00:00 UTC"), "{line}");
}

#[test]
fn the_newest_line_stands_first_and_each_is_dated() {
    let desk = Desk::new();
    let opportunity = desk.stage.opportunity(&json!({}));
    desk.send(&opportunity).fails("not_sent");
    desk.add_solution(&opportunity, "SOL-48120-KQP", "ColdTrack");
    desk.send(&opportunity).gives("created");
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
    desk.saved(&opportunity).gives("updated");
    let lines = desk.audit(&opportunity);
    assert_eq!(lines.len(), 3, "{lines:?}");
    lines.iter().for_each(|line| is_dated(line));
    says(&lines[0], &["sent to Partner Center", "Deal value"]);
    says(&lines[1], &["sent to Partner Center"]);
    says(&lines[2], &["Solution ID is required"]);
}

#[test]
fn what_came_from_partner_center_is_named() {
    let desk = Desk::new();
    let (referral, opportunity) = desk.arrived(&json!({}));
    desk.seller(&referral, &json!({ "details": { "dealValue": 91_000, "closingDateTime": "2027-03-15T00:00:00Z" } }));
    desk.receive(&referral).gives("updated");
    let lines = desk.audit(&opportunity);
    assert_eq!(lines.len(), 2, "{lines:?}");
    lines.iter().for_each(|line| is_dated(line));
    says(&lines[0], &["from Partner Center", "Deal value", "Closing date"]);
    says(&lines[1], &["created from Partner Center"]);
}

#[test]
fn audit_is_cut_to_its_column_from_the_oldest_end() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({ AUDIT: "old\n".repeat(25_000) }));
    desk.send(&opportunity).gives("created");
    let row = desk.row(&opportunity);
    assert!(text(&row[AUDIT]).encode_utf16().count() <= 100_000);
    says(&desk.newest(&opportunity), &["sent to Partner Center"]);
}

#[test]
fn another_reason_for_a_refusal_is_another_line() {
    let desk = Desk::new();
    let opportunity = desk.stage.opportunity(&json!({ "parentcontactid@odata.bind": null }));
    desk.send(&opportunity).fails("not_sent");
    desk.add_solution(&opportunity, "SOL-48120-KQP", "ColdTrack");
    desk.edit(&opportunity, &json!({ "msft_microsoftpartnercenterhelp": 299_600_001 }));
    desk.send(&opportunity).fails("not_sent");
    let lines = desk.audit(&opportunity);
    assert_eq!(lines.len(), 2, "{lines:?}");
    says(&lines[0], &["contact is required"]);
    says(&lines[1], &["Solution ID is required"]);
    assert_eq!(desk.row(&opportunity)["name"], "✖ Northwind warehouse rollout", "one mark, not two");
}

#[test]
fn a_change_that_could_not_be_sent_has_a_cross_until_it_could() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
    let fault = json!([{ "name": "down", "system": "partner_center", "method": "PATCH",
        "action": { "status": 403, "body": { "error": { "code": "accessDenied", "message": "Not your location." } } } }]);
    desk.stage.control("PUT", "/faults", &fault);
    desk.saved(&opportunity).fails("not_sent");
    assert_eq!(desk.row(&opportunity)["name"], "✖ Northwind warehouse rollout");
    says(&desk.newest(&opportunity), &["Not your location"]);
    desk.stage.control("DELETE", "/faults", &Value::Null);
    desk.saved(&opportunity).gives("updated");
    assert_eq!(desk.row(&opportunity)["name"], "✔ Northwind warehouse rollout");
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 91_000.0);
}

#[test]
fn a_run_says_nothing_secret() {
    let desk = Desk::new();
    let opportunity = desk.deal(&json!({}));
    let seen = desk.send(&opportunity).gives("created").seen;
    for secret in [&desk.stage.addresses.client_secret, &desk.stage.addresses.refresh_token] {
        assert!(!seen.contains(secret.as_str()), "a secret is shown");
    }
    assert!(!seen.contains("eyJ"), "a token is shown");
}

#[test]
fn news_from_partner_center_leave_the_cross_of_a_change_that_was_not_sent() {
    let desk = Desk::new();
    let (opportunity, referral) = desk.sent(&json!({}));
    let refused = json!([{ "name": "no", "system": "partner_center", "method": "PATCH", "action": { "status": 400 } }]);
    desk.stage.control("PUT", "/faults", &refused);
    desk.edit(&opportunity, &json!({ "estimatedvalue": 91_000 }));
    desk.saved(&opportunity).fails("not_sent");
    desk.stage.control("DELETE", "/faults", &Value::Null);
    desk.portal(&referral, &json!({ "details": { "notes": "Wants five cold stores." } }));
    desk.receive(&referral).gives("updated");
    let row = desk.row(&opportunity);
    assert_eq!(
        (text(&row["name"]), text(&row["description"])),
        ("✖ Northwind warehouse rollout", "Wants five cold stores.")
    );
    desk.saved(&opportunity).gives("updated");
    assert_eq!(desk.row(&opportunity)["name"], "✔ Northwind warehouse rollout");
}
