//! The state file.

use std::path::{Path, PathBuf};

use cosell_sandbox::{Options, Sandbox, StartError};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, EVENTS, PARTNER_CENTER, private, text};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.json", std::process::id()))
}

async fn start(path: &Path, refresh_token: Option<&str>) -> Client {
    let options = Options { state: Some(path.to_owned()), ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut client = Client { sandbox, http: reqwest::Client::new(), token: String::new() };
    let kept = refresh_token.unwrap_or(&client.addresses().refresh_token).to_owned();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &kept), ("resource", PARTNER_CENTER)];
    let answer: Value = client.token_request(&fields).await.json().await.unwrap();
    client.token = text(&answer["access_token"]).to_owned();
    client
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_run_ended() {
    let path = file("restart");
    let first = start(&path, None).await;
    let refresh_token = first.addresses().refresh_token.clone();
    let created = first.create(&private()).await;
    let row = first.control(Method::POST, "/crm/rows/accounts", json!({ "name": "Contoso" })).await;
    let registration = json!({ "WebhookUrl": "http://127.0.0.1:9/", "WebhookEvents": ["referral-created"] });
    let register = async |client: &Client| {
        let token = client.app_token(EVENTS).await;
        let url = format!("{}/webhooks/v1/registration", client.addresses().partner_center_events);
        client.http.post(url).bearer_auth(token).json(&registration).send().await.unwrap().status().as_u16()
    };
    assert_eq!(register(&first).await, 200);
    let dataverse = first.control(Method::GET, "/crm/rows/accounts", json!({})).await;
    first.sandbox.stop().await;

    let second = start(&path, Some(&refresh_token)).await;
    assert_eq!(register(&second).await, 409, "the registration is still there");
    let mut kept = second.control(Method::GET, "/referrals", json!({})).await[0].clone();
    let link = text(&kept["links"]["self"]["uri"]).to_owned();
    assert!(link.starts_with(&second.addresses().partner_center), "{link}");
    for place in ["links", "@odata.context"] {
        kept[place] = created[place].clone();
    }
    assert_eq!(kept, created);
    let rows = second.control(Method::GET, "/crm/rows/accounts", json!({})).await;
    assert_eq!(rows, dataverse);
    assert!(rows.as_array().unwrap().iter().any(|one| one["accountid"] == row["id"]));
    let again = second.create(&private()).await;
    assert_ne!(again["eTag"], created["eTag"]);
    second.sandbox.stop().await;
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_file_of_something_else_is_left_alone() {
    let path = file("foreign");
    for content in ["{}", "not JSON"] {
        std::fs::write(&path, content).unwrap();
        let refused = Sandbox::start(Options { state: Some(path.clone()), ..Options::default() }).await.unwrap_err();
        assert!(matches!(refused, StartError::State { .. }));
        assert!(refused.to_string().contains("remove it to start afresh"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    std::fs::remove_file(path).unwrap();
}
