//! The same systems over HTTPS.

use cosell_sandbox::{Options, Ports, Sandbox};
use reqwest::{Certificate, Method};
use serde_json::json;

use crate::client::{Client, PARTNER_CENTER, private};

/// A client of a sandbox that serves HTTPS, which trusts its authority and no other.
async fn start() -> Client {
    let sandbox = Sandbox::start(Options { https: true, ..Options::default() }).await.unwrap();
    let authority = Certificate::from_pem(sandbox.addresses().ca_certificate_pem.as_ref().unwrap().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([authority]).build().unwrap();
    let mut client = Client { sandbox, http, token: String::new() };
    client.token = client.user_token(PARTNER_CENTER).await;
    client
}

#[tokio::test]
async fn every_system_answers_whoever_trusts_the_authority() {
    let client = start().await;
    let addresses = client.addresses();
    for address in [&addresses.entra, &addresses.partner_center, &addresses.partner_center_events, &addresses.dataverse]
    {
        assert!(address.starts_with("https://localhost:"), "{address}");
        client.http.get(address).send().await.unwrap();
        assert!(reqwest::get(address).await.is_err(), "an authority that nobody trusts");
        assert!(client.http.get(address.replace("https", "http")).send().await.is_err(), "plain HTTP");
        client.http.get(address.replace("localhost", "127.0.0.1")).send().await.unwrap();
    }
    let created = client.create(&private()).await;
    let link = created["links"]["self"]["uri"].as_str().unwrap();
    assert!(link.starts_with(&addresses.partner_center));
}

#[tokio::test]
async fn a_cut_connection_is_cut_below_tls() {
    let client = start().await;
    for (action, kept) in [("reset_before", 0), ("reset_after", 1)] {
        let rules =
            json!([{ "name": "x", "system": "partner_center", "method": "POST", "nth": [1], "action": action }]);
        client.control(Method::PUT, "/faults", rules).await;
        assert!(client.referrals(Method::POST, "").json(&private()).send().await.is_err());
        assert_eq!(client.control(Method::GET, "/referrals", json!({})).await.as_array().unwrap().len(), kept);
    }
    client
        .control(Method::PUT, "/faults", json!([{ "name": "x", "system": "partner_center", "action": "half_body" }]))
        .await;
    let half = client.referrals(Method::GET, "").send().await.unwrap();
    assert!(half.bytes().await.is_err());
}

#[tokio::test]
async fn ports_can_be_chosen() {
    // Five neighbouring ports that were free a moment ago; another process may take one before the sandbox does.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let first = free.local_addr().unwrap().port().saturating_sub(50).max(1024);
    drop(free);
    let started = (0..40).find_map(|step| Ports::from(first - step * 5)).unwrap();
    if let Ok(sandbox) = Sandbox::start(Options { ports: started, ..Options::default() }).await {
        assert!(sandbox.addresses().control.ends_with(&format!(":{}", started.entra + 4)));
        let taken = Sandbox::start(Options { ports: started, ..Options::default() }).await.unwrap_err();
        assert!(taken.to_string().contains(&started.entra.to_string()));
    }
    assert!(Ports::from(0).is_none() && Ports::from(65_533).is_none());
}
