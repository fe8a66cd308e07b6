//! Events that are lost: what they should have told is found by asking.

use std::collections::BTreeSet;
use std::time::Duration;

use cosell_service::polls::Polls;
use serde_json::{Value, json};

use crate::world::{Program, World, shipped};

const FLOW: &str = "partner-center-to-dynamics";

/// The shipped flows, except that missed referrals are looked for every second, and Partner Center's events come here.
async fn program(world: &World) -> (Program, Polls) {
    let files = shipped(|text| text.replace("referral_updated, every: 15m", "referral_updated, every: 1s"));
    let program = world.serve(files).await;
    let url = program.hooks.url("partner_center_events");
    program.call("partner_center_events", "register", json!({ "url": url })).await;
    let polls = Polls::begin(&program.dispatcher, Duration::from_millis(50));
    polls.ready().await;
    (program, polls)
}

#[tokio::test]
async fn a_deal_whose_event_is_lost_crosses_all_the_same() {
    let world = World::start().await;
    let (program, _polls) = program(&world).await;
    world.control("PUT", "/events", json!({ "drop_next": 1000 })).await;
    let referral = world.control("POST", "/seller/referrals", json!({})).await["id"].clone();
    let ran = program.runs.await_of(FLOW, 1).await;
    assert_eq!(ran[0]["result"], "created");
    let rows = world.rows("opportunities").await;
    assert_eq!((rows.len(), &rows[0]["msft_microsoftpartnercenterreferralidentifier"]), (1, &referral));

    // A change of the deal, too; what the program itself wrote back in between is found again, and is no news.
    let path = format!("/seller/referrals/{}", referral.as_str().unwrap());
    world.control("PATCH", &path, json!({ "details": { "dealValue": 61_000 } })).await;
    let results = |ran: &[Value]| ran.iter().filter(|output| output["result"] == "updated").count();
    let mut runs = 2;
    while results(&program.runs.await_of(FLOW, runs).await) == 0 {
        runs += 1;
    }
    assert_eq!(world.rows("opportunities").await[0]["estimatedvalue"], 61_000.0);
}

#[tokio::test]
async fn more_than_a_page_is_told_once_each() {
    let world = World::start().await;
    let program = world.serve(shipped(|text| text)).await;
    let engine = program.dispatcher.engine();
    let connection = engine.connection("partner_center").unwrap();
    let look = async |cursor| connection.poll("referral_updated", json!({}), cursor).await.unwrap();
    world.control("POST", "/seller/referrals", json!({})).await;
    let first = look(None).await;
    assert_eq!(first.events, [], "what is there starts nothing");
    let mut made = BTreeSet::new();
    for _ in 0..230 {
        let referral = world.control("POST", "/seller/referrals", json!({})).await;
        made.insert(referral["id"].as_str().unwrap().to_owned());
    }
    let second = look(Some(first.cursor)).await;
    let told = second.events.iter().map(|event| event.payload["referral_id"].as_str().unwrap().to_owned());
    assert_eq!((told.collect::<BTreeSet<_>>(), second.events.len()), (made, 230));
    assert_eq!(look(Some(second.cursor)).await.events, []);
}

#[tokio::test]
async fn what_an_event_told_already_is_not_doubled() {
    let world = World::start().await;
    let (program, polls) = program(&world).await;
    world.control("POST", "/seller/referrals", json!({})).await;
    // By the event, by the event about what the program wrote back, and by looking for missed referrals.
    program.runs.await_of(FLOW, 3).await;
    drop(polls);
    program.dispatcher.idle().await;
    let results: Vec<Value> = program.runs.of(FLOW).iter().map(|output| output["result"].clone()).collect();
    let news: Vec<&Value> = results.iter().filter(|result| *result != "equal").collect();
    assert_eq!(news, ["created"], "{results:?}");
    assert_eq!(world.rows("opportunities").await.len(), 1);
}
