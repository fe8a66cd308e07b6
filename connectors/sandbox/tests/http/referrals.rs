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
