//! Microsoft's authentication libraries, unmodified, against the sandbox over HTTPS.

mod common;

use std::process::Command;

use common::{against_a_sandbox, is_here, node_package, python_packages, script};

#[test]
fn msal_for_python_is_served() {
    if !is_here("python3") {
        return;
    }
    let packages = python_packages("msal-python-1.39.0", &["msal==1.39.0"]);
    let mut python = Command::new("python3");
    python.arg(script("msal_client.py")).env("PYTHONPATH", packages);
    against_a_sandbox(python, "REQUESTS_CA_BUNDLE");
}

#[test]
fn msal_for_node_is_served() {
    if !is_here("node") || !is_here("npm") {
        return;
    }
    let packages = node_package("msal-node-7.2.1", "@azure/msal-node@7.2.1");
    let mut node = Command::new("node");
    node.arg(script("msal_client.mjs")).current_dir(packages);
    against_a_sandbox(node, "NODE_EXTRA_CA_CERTS");
}
