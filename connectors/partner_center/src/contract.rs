//! That the connector keeps the contract, and its page of documentation is what it says of itself.

use std::path::Path;

use cosell_sdk::conformance::{Kit, docs};
use cosell_sdk::stub::{Reply, Stub};
use serde_json::json;

use crate::testing::{BASE, ID, path, stored, won};

#[tokio::test]
async fn the_contract_is_kept() {
    let stub = Stub::start().await;
    let mut registered = won();
    registered["registrations"] = json!([{ "type": "AzureIPCoSell", "contract": {}, "solutionDetails": [{}] }]);
    // In no state that is real: open, so that it can be decided on, and won, so that it can be registered.
    let mut open = registered.clone();
    open["status"] = json!("New");
    stub.on("GET", &path(ID), [Reply::json(200, open)]);
    stub.on("PATCH", &path(ID), [Reply::json(200, registered.clone())]);
    stub.on("PUT", &path(ID), [Reply::json(200, registered)]);
    stub.on("GET", &format!("{BASE}/referrals"), [Reply::json(200, json!({ "value": [] }))]);
    stub.on("POST", &format!("{BASE}/referrals"), [Reply::json(200, stored())]);
    let settings = json!({ "address": format!("{}{BASE}", stub.origin()), "sign_in": stub.sign_in() });
    Kit::new(&crate::connector(), &stub, settings).assert().await;
}

#[test]
fn the_page_is_up_to_date() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors"));
    docs::check(crate::connector().description(), folder);
}
