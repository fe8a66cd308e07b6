//! People at work through the control API, and starting over.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, private, text};

#[tokio::test]
async fn a_seller_shares_changes_and_loses_patience() {
    let client = Client::start().await;
    let shared = client.control(Method::POST, "/seller/referrals", json!({ "name": "Snow" })).await;
    assert_eq!((&shared["name"], &shared["substatus"]), (&json!("Snow"), &json!("Received")));
    let path = format!("/seller/referrals/{}", text(&shared["id"]));
    let changed = client.control(Method::PATCH, &path, json!({ "details": { "dealValue": 9 } })).await;
    assert_eq!(changed["details"]["currency"], shared["details"]["currency"]);

    let log = client.control(Method::GET, "/log", json!({})).await;
    let last = log.as_array().unwrap().last().unwrap();
    assert_eq!((&last["system"], &last["actor"]), (&json!("control"), &json!("Microsoft seller")));
    assert_eq!(last["changes"][0]["field"], "/details/dealValue");

    client.control(Method::POST, "/clock", json!({ "advance_seconds": 14 * 24 * 3600 })).await;
    assert_eq!(client.control(Method::GET, "/referrals", json!({})).await[0]["substatus"], "Expired");
}

#[tokio::test]
async fn somebody_works_in_the_crm() {
    let client = Client::start().await;
    let row = client.control(Method::POST, "/crm/rows/accounts", json!({ "name": "Contoso" })).await;
    let path = format!("/crm/rows/accounts/{}", text(&row["id"]));
    client.control(Method::PATCH, &path, json!({ "address1_city": "Oslo" })).await;
    let rows = client.control(Method::GET, "/crm/rows/accounts", json!({})).await;
    let found = rows.as_array().unwrap().iter().find(|one| one["name"] == "Contoso").unwrap();
    assert_eq!(found["address1_city"], "Oslo");

    let token = client.app_token(&client.addresses().dataverse).await;
    let url = format!("{}/api/data/v9.2/accounts({})", client.addresses().dataverse, text(&row["id"]));
    let read = client.http.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(read.json::<Value>().await.unwrap()["name"], "Contoso");
}

#[tokio::test]
async fn a_reset_starts_over_with_the_same_secrets() {
    let mut client = Client::start().await;
    client.create(&private()).await;
    client.control(Method::PUT, "/entra", json!({ "refuse_refresh": 700082 })).await;
    client
        .control(Method::PUT, "/faults", json!([{ "name": "x", "system": "partner_center", "action": "throttle" }]))
        .await;
    client.control(Method::POST, "/clock", json!({ "advance_seconds": 86400 })).await;
    client.control(Method::POST, "/reset", json!({})).await;

    assert_eq!(client.control(Method::GET, "/log", json!({})).await, json!([]));
    assert_eq!(client.control(Method::GET, "/referrals", json!({})).await, json!([]));
    client.token = client.user_token(crate::client::PARTNER_CENTER).await;
    client.create(&private()).await;
    let addresses = client.sandbox.addresses().clone();
    client.sandbox.stop().await;
    assert!(client.http.get(addresses.control).send().await.is_err());
}
