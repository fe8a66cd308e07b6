//! Partner Center Webhook Registration: one address a tenant gets the events that were chosen.

use serde_json::{Value, json};

use crate::support::desk::{Desk, Ran, says};

const ADDRESS: &str = "https://sync.fabrikam.example/hooks/partner-center";
const OTHER: &str = "https://elsewhere.fabrikam.example/hooks";

fn register(desk: &Desk, address: &str, events: &[&str], overwrite: bool) -> Ran {
    let inputs = [format!("endpoint={address}"), format!("events={}", json!(events)), format!("overwrite={overwrite}")];
    let arguments: Vec<&str> = inputs.iter().flat_map(|input| ["--input", input]).collect();
    desk.run("partner-center-webhook-registration", &arguments)
}

/// What is registered: the address, and the events in order.
fn registered(desk: &Desk) -> (Value, Vec<String>) {
    let token = desk.stage.app_token("https://api.partnercenter.microsoft.com");
    let address = format!("{}/webhooks/v1/registration", desk.stage.addresses.partner_center_events);
    let view: Value = desk.stage.runtime.block_on(async {
        desk.stage.http.get(address).bearer_auth(token).send().await.unwrap().json().await.unwrap()
    });
    let mut events: Vec<String> = serde_json::from_value(view["WebhookEvents"].clone()).unwrap_or_default();
    events.sort();
    (view["WebhookUrl"].clone(), events)
}

#[test]
fn an_address_is_registered_for_the_chosen_events_only() {
    let desk = Desk::new();
    register(&desk, ADDRESS, &["referral-updated", "referral-created"], false).ends_well();
    let chosen = ["referral-created", "referral-updated"].map(str::to_owned).to_vec();
    assert_eq!(registered(&desk), (json!(ADDRESS), chosen));
}

#[test]
fn another_address_is_not_replaced_unless_told_so() {
    let desk = Desk::new();
    register(&desk, OTHER, &["referral-created"], false).ends_well();
    let ran = register(&desk, ADDRESS, &["referral-created"], false);
    assert_eq!(ran.code, 1, "{}", ran.seen);
    says(&ran.failure.to_string(), &[OTHER, "overwrite"]);
    assert_eq!(registered(&desk).0, OTHER);
}

#[test]
fn another_address_is_replaced_where_told_so() {
    let desk = Desk::new();
    register(&desk, OTHER, &["referral-created"], false).ends_well();
    let all = ["referral-created", "referral-updated", "related-referral-created", "related-referral-updated"];
    register(&desk, ADDRESS, &all, true).ends_well();
    assert_eq!(registered(&desk), (json!(ADDRESS), all.map(str::to_owned).to_vec()));
}

#[test]
fn events_that_are_not_chosen_any_more_are_given_up() {
    let desk = Desk::new();
    let all = ["referral-created", "referral-updated", "related-referral-created", "related-referral-updated"];
    register(&desk, ADDRESS, &all, false).ends_well();
    register(&desk, ADDRESS, &["referral-created"], true).ends_well();
    assert_eq!(registered(&desk), (json!(ADDRESS), vec!["referral-created".to_owned()]));
}

#[test]
fn registering_the_same_again_is_no_error() {
    let desk = Desk::new();
    for _ in 0..2 {
        register(&desk, ADDRESS, &["referral-created"], false).ends_well();
    }
    assert_eq!(registered(&desk).0, ADDRESS);
}
