//! That the connector keeps the contract, and its page of documentation is what it says of itself.

use std::path::Path;

use cosell_sdk::conformance::{Kit, docs};
use cosell_sdk::stub::Stub;
use serde_json::json;

use crate::log::tests::Folder;

#[tokio::test]
async fn the_contract_is_kept() {
    let folder = Folder::new();
    for file in [None, Some(folder.file())] {
        Kit::new(&crate::connector(), &Stub::start().await, json!({ "file": file })).local().assert().await;
    }
}

#[test]
fn the_page_is_up_to_date() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors"));
    docs::check(crate::connector().description(), folder);
}
