//! The Referrals API.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Client, invitation, private, shared, text};

fn value_of(amount: u32) -> Value {
    json!([{ "op": "replace", "path": "/details/dealValue", "value": amount }])
}

#[tokio::test]
async fn a_stale_etag_is_refused() {
    let client = Client::start().await;
    let created = client.create(&private()).await;
    let (id, etag) = (text(&created["id"]), text(&created["eTag"]));

    let patched = client
        .referrals(Method::PATCH, &format!("/{id}"))
        .header("If-Match", etag)
        .header("Prefer", "return=representation")
        .json(&value_of(91000))
        .send()
        .await
        .unwrap();
    assert_eq!(patched.status(), 200);
    let header = patched.headers()["etag"].to_str().unwrap().to_owned();
    let patched: Value = patched.json().await.unwrap();
    assert_eq!(patched["details"]["dealValue"], 91000);
    assert_eq!(text(&patched["eTag"]), header);

    let request = client.referrals(Method::PATCH, &format!("/{id}")).header("If-Match", etag).json(&value_of(1));
    let stale = request.send().await.unwrap();
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
    let stale: Value = stale.json().await.unwrap();
    assert_eq!(stale["error"]["code"], "preconditionFailed");
    assert_eq!(stale["error"]["innerError"]["code"], "resourceModified");

    let plain = client.patch(id, value_of(2)).await;
    assert_eq!(plain.status(), StatusCode::NO_CONTENT);
    assert_eq!(plain.text().await.unwrap(), "");
}

#[tokio::test]
async fn requests_in_a_wrong_form_are_refused() {
    let client = Client::start().await;
    let id = client.create(&private()).await["id"].clone();
    let path = format!("/{}", text(&id));
    let patch = || client.referrals(Method::PATCH, &path);
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    let media_type = "application/json-patch+json";
    assert_eq!(status(patch().header("content-type", media_type).body("[]")).await, 415);
    assert_eq!(status(patch().header("content-type", "application/json").body("[{")).await, 400);
    assert_eq!(status(client.referrals(Method::GET, "").header("accept", "text/html")).await, 406);
    assert_eq!(status(client.referrals(Method::DELETE, &path)).await, 405);
    assert_eq!(status(client.referrals(Method::GET, "/not-a-guid")).await, 400);
    assert_eq!(status(client.referrals(Method::GET, "/0d2f6f1b-6e61-4d7c-8f52-8b7d1f3e5a20")).await, 404);

    let echoed = client.referrals(Method::GET, &path).header("client-request-id", "abc").send().await.unwrap();
    assert_eq!(echoed.headers()["client-request-id"], "abc");
    assert!(echoed.headers().contains_key("request-id"));
}

#[tokio::test]
async fn the_other_side_shows_in_its_engagement_only() {
    let client = Client::start().await;
    let own = client.create(&shared()).await;
    let invited = client.create(&invitation(&own)).await;

    let list = async |query: &[(&str, &str)]| -> Value {
        client.referrals(Method::GET, "").query(query).send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(list(&[]).await["value"].as_array().unwrap().len(), 1);
    let engagement = format!("engagementId eq {}", text(&own["engagementId"]));
    let both = list(&[("$filter", &engagement), ("$count", "true"), ("$select", "id,organizationId")]).await;
    assert_eq!(both["@odata.count"], 2);
    assert_eq!(both["value"][1], json!({ "id": invited["id"], "organizationId": "msft" }));

    let path = format!("/{}", text(&invited["id"]));
    assert_eq!(client.referrals(Method::GET, &path).send().await.unwrap().status(), 200);
    assert_eq!(client.patch(text(&invited["id"]), value_of(1)).await.status(), 403);
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let client = Client::start().await;
    for _ in 0..103 {
        client.create(&private()).await;
    }
    let query = [("$orderby", "createdDateTime desc"), ("$top", "102"), ("$filter", "status eq 'Active'")];
    let first: Value = client.referrals(Method::GET, "").query(&query).send().await.unwrap().json().await.unwrap();
    assert_eq!(first["value"].as_array().unwrap().len(), 100);
    let next = text(&first["@odata.nextLink"]);
    assert!(next.starts_with(&client.addresses().partner_center));
    let second: Value = client.http.get(next).bearer_auth(&client.token).send().await.unwrap().json().await.unwrap();
    assert_eq!(second["value"].as_array().unwrap().len(), 2);
    assert!(second.get("@odata.nextLink").is_none());
    assert!(text(&second["value"][0]["createdDateTime"]) <= text(&first["value"][99]["createdDateTime"]));
}

#[tokio::test]
async fn the_connectors_addresses_of_deal_registrations_are_served() {
    let client = Client::start().await;
    let mut deal = private();
    deal["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(true);
    deal["details"]["requirements"] = shared()["details"]["requirements"].clone();
    let id = client.create(&deal).await["id"].clone();
    let id = text(&id);
    client.control(Method::POST, "/clock", json!({ "advance_seconds": 72 * 3600 })).await;
    let client = Client { token: client.user_token(crate::client::PARTNER_CENTER).await, ..client };
    let won = json!([
        { "op": "replace", "path": "/status", "value": "Closed" },
        { "op": "replace", "path": "/substatus", "value": "Won" },
    ]);
    assert_eq!(client.patch(id, won).await.status(), 204);
    let value = json!({ "type": "AzureIPCoSell", "solutionDetails": [{ "id": "SOL-1" }], "contract": { "value": 1 } });
    let add = json!([{ "op": "add", "path": "/registrations/-", "value": value }]);
    assert_eq!(client.patch(&format!("{id}/"), add).await.status(), 204);
    let change = json!([{ "op": "replace", "path": "/registrations/0/contract/value", "value": 2 }]);
    assert_eq!(client.patch(&format!("{id}//"), change).await.status(), 204);
    let read: Value = client.referrals(Method::GET, &format!("/{id}")).send().await.unwrap().json().await.unwrap();
    assert_eq!(read["registrations"][0]["contract"]["value"], 2);
    assert_eq!(read["registrationStatus"], "ReviewPending");
}

#[tokio::test]
async fn an_early_registration_fails_in_one_of_two_ways() {
    let client = Client::start().await;
    let own = client.create(&shared()).await;
    let id = text(&own["id"]);
    let won = json!([
        { "op": "replace", "path": "/status", "value": "Closed" },
        { "op": "replace", "path": "/substatus", "value": "Won" },
    ]);
    client.patch(id, won).await;
    let value = json!({ "type": "AzureIPCoSell", "solutionDetails": [{ "id": "SOL-1" }], "contract": {} });
    let add = json!([{ "op": "add", "path": "/registrations/-", "value": value }]);
    client.control(Method::PUT, "/partner_center", json!({ "early_registration": "refused" })).await;
    assert_eq!(client.patch(id, add.clone()).await.status(), 400);
    client.control(Method::PUT, "/partner_center", json!({})).await;
    assert_eq!(client.patch(id, add).await.status(), 204);
    let read: Value = client.referrals(Method::GET, &format!("/{id}")).send().await.unwrap().json().await.unwrap();
    assert_eq!(read["registrationStatus"], "Failed");
    assert!(text(&read["registrations"][0]["statusReason"]).contains("72 hours"));
}

#[tokio::test]
async fn what_is_inferred_can_be_switched() {
    let client = Client::start().await;
    let set = async |switches: Value| {
        client.control(Method::PUT, "/partner_center", switches).await;
    };
    let get = async || client.referrals(Method::GET, "").send().await.unwrap();
    set(json!({ "create_status": 201 })).await;
    assert_eq!(client.referrals(Method::POST, "").json(&private()).send().await.unwrap().status(), 201);
    set(json!({ "claims_challenge": true })).await;
    let challenged = get().await;
    assert_eq!(challenged.status(), 403);
    assert_eq!(challenged.json::<Value>().await.unwrap()["error"]["code"], "insufficent_claims");

    set(json!({ "count": "page", "omit_registrations": true, "null_tags": true })).await;
    for _ in 0..100 {
        client.create(&private()).await;
    }
    let list: Value =
        client.referrals(Method::GET, "").query(&[("$count", "true")]).send().await.unwrap().json().await.unwrap();
    assert_eq!(list["@odata.count"], 100);
    assert!(list["value"][0].get("registrations").is_none() && list["value"][0]["tags"].is_null());

    client.control(Method::PUT, "/entra", json!({ "mfa": false })).await;
    let client = Client { token: client.user_token(crate::client::PARTNER_CENTER).await, ..client };
    client.control(Method::PUT, "/partner_center", json!({ "mfa_refusal": "header" })).await;
    let refused = client.referrals(Method::GET, "").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
    assert_eq!(refused.text().await.unwrap(), "");
    client.control(Method::PUT, "/partner_center", json!({ "enforce_mfa": false })).await;
    assert_eq!(client.referrals(Method::GET, "").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_can_be_too_large() {
    let client = Client::start().await;
    let mut deal = private();
    deal["details"]["notes"] = json!("x".repeat(3 * 1024 * 1024));
    let refused = client.referrals(Method::POST, "").json(&deal).send().await.unwrap();
    assert_eq!(refused.status(), 413);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "invalidRequest");
}
