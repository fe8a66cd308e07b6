//! Clients of Dataverse, unmodified, against the sandbox over HTTPS: Microsoft's own for Python, and DynamicsWebApi for
//! JavaScript, an OData client that others wrote.

mod common;

use std::process::Command;

use common::{against_a_sandbox, is_here, node_package, python_packages, script};

#[test]
fn the_dataverse_client_for_python_is_served() {
    if !is_here("python3") {
        return;
    }
    let packages = python_packages("dataverse-python-1.1.0", &["PowerPlatform-Dataverse-Client==1.1.0"]);
    let mut python = Command::new("python3");
    python.arg(script("dataverse_client.py")).env("PYTHONPATH", packages);
    against_a_sandbox(python, "REQUESTS_CA_BUNDLE");
}

#[test]
fn dynamics_web_api_for_javascript_is_served() {
    if !is_here("node") || !is_here("npm") {
        return;
    }
    let packages = node_package("dynamics-web-api-2.5.0", "dynamics-web-api@2.5.0");
    let mut node = Command::new("node");
    node.arg(script("dynamics_web_api.mjs")).current_dir(packages);
    against_a_sandbox(node, "NODE_EXTRA_CA_CERTS");
}
