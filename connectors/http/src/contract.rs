//! That the connector keeps the contract, and its page of documentation is what it says of itself.

use std::path::Path;

use cosell_sdk::conformance::{Kit, docs};
use cosell_sdk::stub::{Reply, Stub};
use serde_json::json;

#[tokio::test]
async fn the_contract_is_kept() {
    for idempotency_header in [None, Some("Idempotency-Key")] {
        let stub = Stub::start().await;
        stub.on("GET", "/orders/7", [Reply::json(200, json!({ "total": 3 }))]);
        stub.on("GET", "/orders", [Reply::json(200, json!({ "data": { "items": [1] } }))]);
        stub.on("POST", "/orders", [Reply::json(201, json!({ "id": 7 }))]);
        let settings = json!({
            "address": stub.origin(), "idempotency_header": idempotency_header,
            "authentication": { "api_key": { "header": "X-Api-Key", "key": "correct horse battery" } }
        });
        Kit::new(&crate::connector(), &stub, settings).assert().await;
    }
}

#[test]
fn the_page_is_up_to_date() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors"));
    docs::check(crate::connector().description(), folder);
}
