//! Faults, as a client sees them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, private};

async fn order(client: &Client, method: &str, action: Value) {
    let rules = json!([{ "name": "test", "system": "partner_center", "method": method, "nth": [1], "action": action }]);
    client.control(Method::PUT, "/faults", rules).await;
}

async fn count(client: &Client) -> usize {
    client.control(Method::GET, "/referrals", json!({})).await.as_array().unwrap().len()
}

#[tokio::test]
async fn a_reset_after_takes_effect_and_is_seen_as_a_broken_connection() {
    let client = Client::start().await;
    let post = || client.referrals(Method::POST, "").json(&private()).send();

    order(&client, "POST", json!("reset_before")).await;
    assert!(post().await.is_err());
    assert_eq!(count(&client).await, 0);

    order(&client, "POST", json!("reset_after")).await;
    assert!(post().await.is_err());
    assert_eq!(count(&client).await, 1);

    let log = client.control(Method::GET, "/log?after=2", json!({})).await;
    assert_eq!((&log[0]["status"], &log[0]["fault"], &log[0]["number"]), (&json!(0), &json!("test"), &json!(3)));
    assert!(!log[0]["changes"].as_array().unwrap().is_empty());
    assert!(post().await.is_ok(), "the rule was for the first request only");
}

#[tokio::test]
async fn a_request_can_be_held_before_or_after_its_effect() {
    let client = Client::start().await;
    for (action, effects) in [("hold_before", 0), ("hold_after", 1)] {
        order(&client, "POST", json!(action)).await;
        let held = client.control(Method::GET, "/faults/held", Value::Null);
        let before = count(&client).await;
        let post = client.referrals(Method::POST, "").json(&private()).send();
        let let_go = async {
            assert_eq!(held.await["held"], 1);
            assert_eq!(count(&client).await - before, effects, "{action}");
            client.control(Method::PUT, "/faults", json!([])).await;
        };
        assert!(tokio::join!(post, let_go).0.is_err(), "it is never answered");
        assert_eq!(count(&client).await - before, effects, "{action}");
    }
}

#[tokio::test]
async fn a_body_can_break_off_or_be_damaged() {
    let client = Client::start().await;
    client.create(&private()).await;
    let get = async || client.referrals(Method::GET, "").send().await.unwrap();

    order(&client, "GET", json!("half_body")).await;
    let mut half = get().await;
    assert_eq!(half.status(), 200);
    assert!(!half.chunk().await.unwrap().unwrap().is_empty(), "a first half arrives");
    assert!(half.bytes().await.is_err());

    order(&client, "GET", json!("malformed_json")).await;
    assert!(get().await.json::<Value>().await.is_err());
    order(&client, "GET", json!("wrong_content_type")).await;
    assert!(get().await.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(get().await.json::<Value>().await.is_ok());
}

#[tokio::test]
async fn an_answer_can_be_replaced() {
    let client = Client::start().await;
    let get = async || client.referrals(Method::GET, "").send().await.unwrap();
    order(&client, "GET", json!("throttle")).await;
    let throttled = get().await;
    assert_eq!((throttled.status().as_u16(), throttled.headers()["retry-after"].to_str().unwrap()), (429, "2"));
    assert_eq!(throttled.json::<Value>().await.unwrap()["statusCode"], 429);

    order(&client, "GET", json!({ "status": 503, "body": { "x": 1 }, "retry_after": 7 })).await;
    let replaced = get().await;
    assert_eq!((replaced.status().as_u16(), replaced.headers()["retry-after"].to_str().unwrap()), (503, "7"));
    assert_eq!(replaced.json::<Value>().await.unwrap(), json!({ "x": 1 }));
}

#[tokio::test]
async fn a_wrong_rule_is_explained() {
    let client = Client::start().await;
    for (rule, part) in [
        (json!({ "name": "x", "action": "explode" }), "reset_before"),
        (json!({ "name": "x", "action": "throttle", "system": "sap" }), "'sap'"),
        (json!({ "name": "x", "action": "throttle", "often": 1 }), "often"),
        (json!({ "name": "x", "action": { "status": 99 } }), "200 to 599"),
    ] {
        let url = format!("{}/faults", client.addresses().control);
        let response = client.http.put(url).json(&json!([rule])).send().await.unwrap();
        assert_eq!(response.status(), 400);
        assert!(response.text().await.unwrap().contains(part), "{rule}");
    }
}

#[tokio::test]
async fn every_documented_status_can_be_ordered_with_the_systems_own_body() {
    let client = Client::start().await;
    // "Referrals API response codes".
    for status in
        [400, 401, 403, 404, 405, 406, 409, 410, 411, 412, 413, 415, 416, 422, 423, 429, 500, 501, 503, 504, 507, 509]
    {
        order(&client, "GET", json!({ "status": status, "own_body": true })).await;
        let answer = client.referrals(Method::GET, "").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        let code = answer.json::<Value>().await.unwrap()["error"]["code"].as_str().unwrap().to_owned();
        let known = [
            "accessDenied",
            "generalException",
            "invalidRequest",
            "itemNotFound",
            "preconditionFailed",
            "resourceModified",
            "serviceNotAvailable",
            "unauthenticated",
        ];
        assert!(known.contains(&code.as_str()), "{status}: {code}");
    }
}

#[tokio::test]
async fn a_clock_can_be_wrong() {
    let client = Client::start().await;
    let skew = |system: &str, seconds: i32| json!([{ "name": "skew", "system": system, "action": { "skew_seconds": seconds } }]);
    let date = async || {
        let answer = client.referrals(Method::GET, "").send().await.unwrap();
        let date = answer.headers()["date"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), jiff::fmt::rfc2822::parse(&date).unwrap().timestamp())
    };
    let (_, right) = date().await;
    client.control(Method::PUT, "/faults", skew("partner_center", -600)).await;
    let (status, slow) = date().await;
    let behind = (right - slow).get_seconds();
    assert!((590..=600).contains(&behind), "{behind}");
    assert_eq!(status, 401, "a token from ten minutes ahead is not valid yet");

    // Tokens of a clock that is ahead start too late for the others, beyond what is tolerated.
    client.control(Method::PUT, "/faults", skew("entra", 200)).await;
    let client = Client { token: client.user_token(crate::client::PARTNER_CENTER).await, ..client };
    assert_eq!(client.referrals(Method::GET, "").send().await.unwrap().status(), 200);
    client.control(Method::PUT, "/faults", skew("entra", 900)).await;
    let client = Client { token: client.user_token(crate::client::PARTNER_CENTER).await, ..client };
    assert_eq!(client.referrals(Method::GET, "").send().await.unwrap().status(), 401);
}
