//! That the connector keeps the contract, and its page of documentation is what it says of itself.

use std::path::Path;

use cosell_sdk::conformance::{Kit, docs};
use cosell_sdk::stub::{Reply, Stub};
use serde_json::json;

use crate::testing::REGISTRATION;

#[tokio::test]
async fn the_contract_is_kept() {
    let stub = Stub::start().await;
    let registered = json!({ "WebhookUrl": "https://sync.fabrikam.example/hooks/partner-center", "WebhookEvents": ["test-created"] });
    stub.on("GET", REGISTRATION, [Reply::json(200, registered)]);
    stub.on("PUT", REGISTRATION, [Reply::json(200, json!({}))]);
    stub.on("GET", &format!("{REGISTRATION}/events"), [Reply::json(200, json!(["test-created"]))]);
    let id = "a3a7c1de-55b0-4c39-9a0e-0f6a1d6c9a10";
    stub.on("POST", &format!("{REGISTRATION}/validationEvents"), [Reply::json(200, json!({ "correlationId": id }))]);
    let completed = Reply::json(200, json!({ "status": "completed" }));
    stub.on("GET", &format!("{REGISTRATION}/validationEvents/{id}"), [completed]);
    let settings = json!({ "address": stub.origin(), "sign_in": stub.sign_in() });
    Kit::new(&crate::connector(), &stub, settings).assert().await;
}

#[test]
fn the_page_is_up_to_date() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors"));
    docs::check(crate::connector().description(), folder);
}
