//! Web hooks that carry a secret in place of a signature.

use serde_json::json;

use crate::world::{ID, World};

const SECRET: &str = "open sesame";

fn call() -> String {
    json!({ "MessageName": "Update", "PrimaryEntityName": "opportunity", "PrimaryEntityId": ID }).to_string()
}

#[tokio::test]
async fn dataverse_shows_its_secret_or_starts_nothing() {
    let world = World::new().await;
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let right = header("x-cosell-key", SECRET);
    for (what, headers) in [
        ("no secret", vec![]),
        ("an empty one", vec![header("x-cosell-key", "")]),
        ("the beginning of it", vec![header("x-cosell-key", "open")]),
        ("more than it", vec![header("x-cosell-key", "open sesame!")]),
        ("it in other letters", vec![header("x-cosell-key", "Open Sesame")]),
        ("it in another header", vec![header("authorization", "Bearer open sesame"), header("x-ms-signature", SECRET)]),
        ("another one before it", vec![header("x-cosell-key", "wrong"), right.clone()]),
    ] {
        assert_eq!(world.post("dataverse", &headers, call()).await, 401, "with {what}");
    }
    assert_eq!(world.runs(), 0);
    assert_eq!(world.post("dataverse", &[right], call()).await, 200);
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn without_a_secret_of_ours_nobody_can_show_it() {
    let world = World::with(json!({ "dataverse": { "webhook_secret": null } })).await;
    for secret in ["", "null", SECRET] {
        let headers = [("x-cosell-key".to_owned(), secret.to_owned())];
        assert_eq!(world.post("dataverse", &headers, call()).await, 503, "`{secret}`");
    }
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn a_secret_opens_no_other_door() {
    let world = World::new().await;
    let (headers, body) = world.genuine();
    assert_eq!(world.post("dataverse", &headers, body).await, 401, "an event of Microsoft's");
    let secret = [("x-cosell-key".to_owned(), SECRET.to_owned())];
    assert_eq!(world.event(&secret, call()).await, 401, "a call of Dataverse's");
    assert_eq!(world.post("partner_center", &secret, call()).await, 404, "a connection that listens for nothing");
    assert_eq!(world.runs(), 0);
}
