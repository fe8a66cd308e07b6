//! The CRM calls: registered by the program itself, and believed only with the secret.

use std::collections::BTreeSet;

use cosell_sdk::Registration;
use cosell_service::registration;
use serde_json::json;

use crate::world::{World, flow};

const SAVED: &str = "
flow: saved
trigger:
  use: dataverse.row_saved
  with: { table: account, changes: [created, updated], columns: [name] }
steps: {}
output: ${{ trigger.change ~ ' ' ~ trigger.columns.name }}
";

#[tokio::test]
async fn a_row_saved_in_the_crm_starts_a_run_without_anybody_registering() {
    let world = World::start().await;
    let program = world.serve(flow(SAVED)).await;
    let other = json!({ "name": "somebody else", "url": "https://elsewhere.example/hook", "table": "account" });
    program.call("dataverse", "register_webhook", other).await;
    let mut writes = Vec::new();
    for _ in 0..2 {
        let overview = registration::look(&program.dispatcher.engine(), &program.address()).await;
        let found: Vec<_> = overview.into_iter().map(|(hook, found)| (hook.trigger, found)).collect();
        assert_eq!(found, [("row_saved".to_owned(), Ok(Registration::Here))]);
        writes.push(world.writes().await);
    }
    assert_eq!(writes[0], writes[1], "the second time there is nothing to do");
    let endpoints = world.rows("serviceendpoints").await;
    let urls: BTreeSet<&str> = endpoints.iter().map(|row| row["url"].as_str().unwrap()).collect();
    let ours = program.hooks.url("dataverse");
    assert_eq!((urls, endpoints.len()), (BTreeSet::from(["https://elsewhere.example/hook", &ours]), 2));
    let steps = world.rows("sdkmessageprocessingsteps").await;
    assert_eq!(steps.len(), 3 + 2, "the other one's stay as they are: {steps:?}");

    let id = world.row("accounts", json!({ "name": "Tailwind Traders" })).await;
    let path = format!("/crm/rows/accounts/{id}");
    world.control("PATCH", &path, json!({ "telephone1": "+31105550101" })).await;
    world.control("PATCH", &path, json!({ "name": "Tailwind" })).await;
    let mut ran = program.runs.await_of("saved", 2).await;
    // Calls come in no promised order.
    ran.sort_by_key(ToString::to_string);
    assert_eq!(ran, ["created Tailwind Traders", "updated Tailwind"]);
}

#[tokio::test]
async fn a_call_without_the_secret_is_refused() {
    let world = World::start().await;
    let program = world.serve(flow(SAVED)).await;
    let call = reqwest::Client::new().post(program.hooks.url("dataverse")).body("{}");
    assert_eq!(call.send().await.unwrap().status().as_u16(), 401);
}
