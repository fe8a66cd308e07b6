//! Who is let in, and who is not.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, EVENTS, PARTNER_CENTER, private};

async fn refusal(client: &Client) -> (u16, String) {
    let response = client.referrals(Method::GET, "").send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn only_a_users_token_with_mfa_and_role_opens_the_referrals() {
    let mut client = Client::start().await;
    assert_eq!(client.referrals(Method::GET, "").send().await.unwrap().status(), 200);

    let unauthenticated = (401, "unauthenticated".to_owned());
    let good = std::mem::take(&mut client.token);
    assert_eq!(refusal(&client).await, unauthenticated);
    client.token = client.user_token(EVENTS).await;
    assert_eq!(refusal(&client).await, unauthenticated);
    client.token = client.app_token(PARTNER_CENTER).await;
    assert_eq!(refusal(&client).await, (403, "accessDenied".to_owned()));
    client.control(Method::PUT, "/entra", json!({ "mfa": false })).await;
    client.token = client.user_token(PARTNER_CENTER).await;
    assert_eq!(refusal(&client).await, (401, "900421".to_owned()));

    client.token = good;
    client.control(Method::PUT, "/entra", json!({ "user_roles": [] })).await;
    assert_eq!(refusal(&client).await, (403, "accessDenied".to_owned()));
    client.control(Method::POST, "/clock", json!({ "advance_seconds": 3600 })).await;
    assert_eq!(refusal(&client).await, unauthenticated);
}

#[tokio::test]
async fn a_referrals_user_reads_what_their_team_works_on() {
    let client = Client::start().await;
    client.create(&private()).await;
    let mut with_team = private();
    with_team["team"] = json!([{ "email": "Cosell@fabrikam.example" }]);
    let theirs = client.create(&with_team).await;
    client.control(Method::PUT, "/entra", json!({ "user_roles": ["Referrals user"] })).await;

    let list: Value = client.referrals(Method::GET, "").send().await.unwrap().json().await.unwrap();
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    assert_eq!(list["value"][0]["id"], theirs["id"]);
    assert_eq!(client.referrals(Method::POST, "").json(&private()).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn the_token_endpoint_explains_itself() {
    let client = Client::start().await;
    let addresses = client.addresses();
    let discovery = format!("{}/{}/v2.0/.well-known/openid-configuration", addresses.entra, addresses.tenant);
    let discovery: Value = client.http.get(discovery).send().await.unwrap().json().await.unwrap();
    let keys: Value =
        client.http.get(discovery["jwks_uri"].as_str().unwrap()).send().await.unwrap().json().await.unwrap();
    assert_eq!(keys["keys"][0]["kty"], "RSA");

    let response = client
        .http
        .post(discovery["token_endpoint"].as_str().unwrap())
        .form(&[("grant_type", "client_credentials"), ("client_id", &addresses.client_id), ("client_secret", "wrong")])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"], "invalid_client");
    assert_eq!(body["error_codes"], json!([7000215]));
    assert!(body["error_description"].as_str().unwrap().starts_with("AADSTS7000215: "));
}
