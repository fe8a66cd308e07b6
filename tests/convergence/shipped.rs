//! The shipped flows and connections to a sandbox, wired as `cosell demo` wires them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cosell_compile::compile;
use cosell_compile::plan::Plan;
use cosell_compile::source::{Layer, SourceFile};
use cosell_model::flow::{Backoff, Retry};
use cosell_model::{Catalogue, FlowId, Severity, Value};
use cosell_sandbox::Addresses;
use cosell_sdk::Connection;
use serde_json::json;

/// The flows, which must be without errors, and the connections by name.
pub fn opened(addresses: &Addresses) -> (BTreeMap<FlowId, Arc<Plan>>, BTreeMap<String, Connection>) {
    let connectors = [
        cosell_partner_center::connector(),
        cosell_partner_center_events::connector(),
        cosell_dataverse::connector(),
        cosell_http::connector(),
        cosell_state::connector(),
    ];
    let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
    let mut files = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("flows"), &mut files);
    let compilation = compile(files, &catalogue, &BTreeMap::new());
    let errors = compilation.diagnostics.iter().filter(|finding| finding.severity == Severity::Error);
    assert_eq!(errors.count(), 0, "{:?}", compilation.diagnostics);
    let connections = settings(addresses).into_iter().map(|(name, settings)| {
        let connector = connectors.iter().find(|connector| connector.description().name == name).unwrap();
        (name.to_owned(), connector.open(settings).unwrap())
    });
    (compilation.plans, connections.collect())
}

fn read(folder: &Path, files: &mut Vec<SourceFile>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            read(&entry, files);
        } else {
            let text = std::fs::read_to_string(&entry).unwrap();
            files.push(SourceFile { path: entry.display().to_string(), text, layer: Layer::Shipped });
        }
    }
}

fn settings(addresses: &Addresses) -> Vec<(&'static str, Value)> {
    let sign_in = json!({
        "authority": addresses.entra, "tenant": addresses.tenant,
        "client_id": addresses.client_id, "client_secret": addresses.client_secret,
    });
    let mut user = sign_in.clone();
    user["refresh_token"] = json!(addresses.refresh_token);
    vec![
        ("partner_center", json!({ "address": addresses.partner_center, "sign_in": user })),
        (
            "partner_center_events",
            json!({
                "address": addresses.partner_center_events, "sign_in": sign_in,
                "trust_roots": addresses.root_certificate_pem,
                "certificate_hosts": [addresses.certificates.trim_start_matches("http://")],
                "allow_http_certificates": true,
            }),
        ),
        ("dataverse", json!({ "address": addresses.dataverse, "sign_in": sign_in })),
    ]
}

/// So many attempts that no fault of a storm outlasts them, quickly one behind the other.
pub fn retry() -> Retry {
    Retry {
        count: 20,
        backoff: Backoff::Exponential,
        interval: Duration::from_millis(5),
        minimum: Duration::from_millis(2),
        maximum: Duration::from_millis(50),
    }
}
