//! A tenant has one address for Partner Center's events, and anybody with the rights can take it.

use std::time::Duration;

use cosell_sdk::Registration;
use cosell_service::registration::{Registrations, look};
use serde_json::json;

use crate::world::{Program, World, flow};

const RECEIVED: &str = "
flow: received
trigger:
  use: partner_center_events.received
  with: { events: [referral-created, referral-updated] }
steps: {}
";

const OTHER: &str = "https://elsewhere.example/hooks";

async fn register(program: &Program, url: &str, events: &[&str]) {
    let input = json!({ "url": url, "events": events, "overwrite": true, "keep_other_events": false });
    program.call("partner_center_events", "register", input).await;
}

#[tokio::test]
async fn whoever_gets_the_events_is_told() {
    let world = World::start().await;
    let program = world.serve(flow(RECEIVED)).await;
    let found = async || {
        let overview = look(&program.dispatcher.engine(), &program.address()).await;
        overview.into_values().collect::<Vec<_>>()
    };
    let ours = program.hooks.url("partner_center_events");
    assert_eq!(found().await, [Ok(Registration::Nowhere)], "and it is for people to change that");
    register(&program, &ours, &["referral-created"]).await;
    assert_eq!(found().await, [Ok(Registration::Partly { missing: vec!["referral-updated".to_owned()] })]);
    register(&program, &ours, &["referral-created", "referral-updated"]).await;
    assert_eq!(found().await, [Ok(Registration::Here)]);
    register(&program, OTHER, &["referral-created", "referral-updated"]).await;
    assert_eq!(found().await, [Ok(Registration::Elsewhere { url: OTHER.to_owned() })]);
}

#[tokio::test]
async fn that_the_events_are_gone_is_noticed_in_time() {
    let world = World::start().await;
    let program = world.serve(flow(RECEIVED)).await;
    let events = ["referral-created", "referral-updated"];
    register(&program, &program.hooks.url("partner_center_events"), &events).await;
    let kept = Registrations::keep(&program.dispatcher, &program.address(), Duration::from_millis(20));
    let mut overview = kept.overview();
    let mut until = async |expected: Registration| {
        let all = |found: &cosell_service::registration::Overview| {
            !found.is_empty() && found.values().all(|found| found.as_ref() == Ok(&expected))
        };
        tokio::time::timeout(Duration::from_secs(20), overview.wait_for(all)).await.unwrap().unwrap();
    };
    until(Registration::Here).await;
    register(&program, OTHER, &events).await;
    until(Registration::Elsewhere { url: OTHER.to_owned() }).await;
    register(&program, &program.hooks.url("partner_center_events"), &events).await;
    until(Registration::Here).await;
}
