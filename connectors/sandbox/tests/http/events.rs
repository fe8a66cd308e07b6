//! Events: registration, signature, delivery, retries.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, Pem, X509Certificate};

use crate::{
    client::{Client, EVENTS, invitation, private, shared, text},
    receiver::Receiver,
};

#[tokio::test]
async fn an_event_is_signed_by_a_certificate_below_the_root() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::OK).await;
    receiver.register(&client, true).await;
    let created = client.create(&private()).await;

    let (headers, body) = receiver.next().await;
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["EventName"], "referral-created");
    let uri = format!("https://api.partnercenter.microsoft.com/engagements/v1/referrals/{}", text(&created["id"]));
    assert_eq!(event["ResourceUri"], uri.as_str());
    assert_eq!(headers["x-ms-signature-algorithm"], "rsa-sha256");
    assert!(!headers.contains_key("authorization"));

    let certificate = client.http.get(headers["x-ms-certificate-url"].to_str().unwrap()).send().await.unwrap();
    let certificate = certificate.bytes().await.unwrap();
    let (_, certificate) = X509Certificate::from_der(&certificate).unwrap();
    let (scheme, signature) = headers["x-ms-signature"].to_str().unwrap().split_once(' ').unwrap();
    assert_eq!(scheme, "Signature");
    let signature = STANDARD.decode(signature).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &certificate.public_key().subject_public_key.data);
    key.verify(&body, &signature).unwrap();
    assert!(key.verify(&body[1..], &signature).is_err());

    let pem = Pem::iter_from_buffer(client.addresses().root_certificate_pem.as_bytes()).next().unwrap().unwrap();
    let root = pem.parse_x509().unwrap();
    assert_eq!(certificate.issuer(), root.subject());
    assert_eq!(certificate.subject().iter_organization().next().unwrap().as_str(), Ok("Microsoft Corporation"));
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &root.public_key().subject_public_key.data)
        .verify(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data)
        .unwrap();
}

#[tokio::test]
async fn each_side_of_an_engagement_has_its_events() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::OK).await;
    receiver.register(&client, false).await;

    let own = client.create(&shared()).await;
    let invited = client.create(&invitation(&own)).await;
    let accept = format!("/seller/engagements/{}/accept", text(&own["engagementId"]));
    client.control(Method::POST, &accept, json!({})).await;
    let equal = json!([{ "op": "replace", "path": "/details/currency", "value": "EUR" }]);
    client.patch(text(&own["id"]), equal).await;

    let (own, invited) = (text(&own["id"]), text(&invited["id"]));
    for (name, id) in [
        ("referral-created", own),
        ("related-referral-created", invited),
        ("related-referral-updated", invited),
        ("referral-updated", own),
        ("referral-updated", own),
    ] {
        assert_eq!(receiver.next_name().await, (name.to_owned(), id.to_owned()));
    }
    assert_eq!(receiver.rest(&client).await, 0);
}

#[tokio::test]
async fn ten_attempts_then_silence() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::INTERNAL_SERVER_ERROR).await;
    receiver.register(&client, false).await;
    client.control(Method::PUT, "/events", json!({ "first_retry_ms": 0 })).await;
    client.create(&private()).await;
    let (headers, first) = receiver.next().await;
    assert!(headers["authorization"].to_str().unwrap().starts_with("Signature "));
    for _ in 1..10 {
        assert_eq!(receiver.next().await.1, first);
    }
    assert_eq!(receiver.rest(&client).await, 0);
}

#[tokio::test]
async fn nine_failures_then_success_and_retry_after_is_not_heard() {
    let client = Client::start().await;
    // An hour's pause is asked for; a test that waited for it would not end.
    let mut receiver = Receiver::start_failing(9, "3600").await;
    receiver.register(&client, true).await;
    client.control(Method::PUT, "/events", json!({ "first_retry_ms": 0 })).await;
    client.create(&private()).await;
    for _ in 0..10 {
        receiver.next().await;
    }
    assert_eq!(receiver.rest(&client).await, 0, "the tenth attempt arrived");
}

#[tokio::test]
async fn certificates_rotate_and_the_old_one_stays() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::OK).await;
    receiver.register(&client, true).await;
    let address = async |receiver: &mut Receiver| {
        client.create(&private()).await;
        receiver.next().await.0["x-ms-certificate-url"].to_str().unwrap().to_owned()
    };
    let certificate = async |url: &str| client.http.get(url).send().await.unwrap().bytes().await.unwrap();

    let first = address(&mut receiver).await;
    let before = certificate(&first).await;
    let rotated = client.control(Method::POST, "/events/certificates", json!({})).await;
    let second = address(&mut receiver).await;
    assert_eq!(second, text(&rotated["certificate_url"]));
    assert_ne!(second, first);
    assert_eq!(certificate(&first).await, before);
    assert_ne!(certificate(&second).await, before);

    client.control(Method::POST, "/events/certificates", json!({ "kind": "expired" })).await;
    let expired = certificate(&address(&mut receiver).await).await;
    assert!(!X509Certificate::from_der(&expired).unwrap().1.validity().is_valid());
    let missing = format!("{}/cert/other.cer", client.addresses().certificates);
    assert_eq!(client.http.get(missing).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn events_can_be_forged_and_written_in_the_other_case() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::OK).await;
    receiver.register(&client, true).await;
    client.control(Method::PUT, "/events", json!({ "forgery": "weak_algorithm", "camel_case": true })).await;
    client.create(&private()).await;
    let (headers, body) = receiver.next().await;
    assert_eq!(headers["x-ms-signature-algorithm"], "rsa-sha1");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["eventName"], "referral-created");
}

#[tokio::test]
async fn a_related_event_names_either_side() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::OK).await;
    receiver.register(&client, true).await;
    client.control(Method::PUT, "/partner_center", json!({ "related_event_id": "own" })).await;
    let own = client.create(&shared()).await;
    client.create(&invitation(&own)).await;
    let own = text(&own["id"]).to_owned();
    assert_eq!(receiver.next_name().await, ("referral-created".to_owned(), own.clone()));
    assert_eq!(receiver.next_name().await, ("related-referral-created".to_owned(), own));
}

#[tokio::test]
async fn events_can_be_lost_doubled_and_swapped() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::OK).await;
    receiver.register(&client, true).await;

    client.control(Method::PUT, "/events", json!({ "drop_next": 1 })).await;
    let id = client.create(&private()).await["id"].clone();
    client.control(Method::PUT, "/events", json!({ "duplicate": 2 })).await;
    let note = json!([{ "op": "replace", "path": "/details/notes", "value": "x" }]);
    client.patch(text(&id), note).await;
    for _ in 0..3 {
        assert_eq!(receiver.next_name().await, ("referral-updated".to_owned(), text(&id).to_owned()));
    }

    client.control(Method::PUT, "/events", json!({ "reorder_pairs": true })).await;
    let (first, second) = (client.create(&private()).await, client.create(&private()).await);
    assert_eq!(receiver.next_name().await.1, text(&second["id"]));
    assert_eq!(receiver.next_name().await.1, text(&first["id"]));
    client.create(&private()).await;
    assert_eq!(receiver.rest(&client).await, 1, "a single event is not held back for ever");
}

#[tokio::test]
async fn a_tenant_has_one_registration() {
    let client = Client::start().await;
    let token = client.app_token(EVENTS).await;
    let url = format!("{}/webhooks/v1/registration", client.addresses().partner_center_events);
    let call = async |method: Method, body: Value| {
        let response = client.http.request(method, &url).bearer_auth(&token).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let body = json!({ "webhookUrl": "http://127.0.0.1:9/hook", "webhookEvents": ["referral-created"] });

    assert_eq!(call(Method::GET, json!({})).await.0, 404);
    assert_eq!(call(Method::PUT, body.clone()).await.0, 404);
    let (status, created) = call(Method::POST, body.clone()).await;
    assert_eq!(status, 200);
    assert!(created["SubscriberId"].is_string());
    let (status, conflict) = call(Method::POST, body.clone()).await;
    assert_eq!(status, 409);
    assert!(conflict["description"].is_string() && conflict.get("error").is_none());
    let mut unknown = body.clone();
    unknown["webhookEvents"] = json!(["referral-deleted"]);
    assert_eq!(call(Method::PUT, unknown).await.0, 400);
    let mut more = body;
    more["SignatureTokenToMsSignatureHeader"] = json!("True");
    assert_eq!(call(Method::PUT, more).await.1["SubscriberId"], created["SubscriberId"]);
    let (_, seen) = call(Method::GET, json!({})).await;
    assert_eq!(seen["SignatureTokenToMsSignatureHeader"], true);
    assert!(seen.get("SubscriberId").is_none());
}

#[tokio::test]
async fn test_events_report_their_delivery_and_are_throttled() {
    let client = Client::start().await;
    let mut receiver = Receiver::start(StatusCode::OK).await;
    receiver.register(&client, true).await;
    let token = client.app_token(EVENTS).await;
    let url = format!("{}/webhooks/v1/registration/validationEvents", client.addresses().partner_center_events);
    let ask = async || client.http.post(&url).bearer_auth(&token).send().await.unwrap();

    let asked: Value = ask().await.json().await.unwrap();
    let id = text(&asked["correlationId"]);
    assert_eq!(receiver.next_name().await, ("test-created".to_owned(), id.to_owned()));
    assert_eq!(receiver.rest(&client).await, 0);
    let report: Value =
        client.http.get(format!("{url}/{id}")).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    assert_eq!(report["status"], "completed");
    assert_eq!(report["results"][0]["responseCode"], "OK");

    assert_eq!(ask().await.status(), 200);
    let third = ask().await;
    assert_eq!(third.status(), 429);
    assert!(third.headers().contains_key("retry-after"));
    assert_eq!(third.json::<Value>().await.unwrap()["statusCode"], 429);
    client.control(Method::POST, "/clock", json!({ "advance_seconds": 60 })).await;
    assert_eq!(ask().await.status(), 200);
}
