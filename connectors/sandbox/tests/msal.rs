//! Microsoft's authentication libraries, unmodified, against the sandbox over HTTPS.
//!
//! The libraries are installed once, at fixed versions, below `target/`. Where there is no Python or no Node on this
//! machine, the test says so and passes.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cosell_sandbox::{Options, Sandbox};

const MSAL_PYTHON: &str = "msal==1.39.0";
const MSAL_NODE: &str = "@azure/msal-node@7.2.1";

/// Where libraries are kept from one run to the next.
fn cache(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs `command` to its end; panics with what it said unless it succeeded.
fn succeed(command: &mut Command, input: &str) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} failed\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// True where `program` can be run here.
fn is_here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: there is no {program} on this machine");
    }
    found
}

/// Installs once: `install` works in a directory of its own, which counts only when it is complete.
fn installed(name: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let (kept, work) = (cache(name), cache(&format!("{name}.{}", std::process::id())));
    if !kept.join("complete").exists() {
        fs::create_dir_all(&work).unwrap();
        install(&work);
        fs::write(work.join("complete"), "").unwrap();
        // Another run may have been quicker: then its result serves as well.
        if fs::rename(&work, &kept).is_err() {
            fs::remove_dir_all(&work).unwrap();
        }
    }
    kept
}

/// Runs `command` with a sandbox's address line on its standard input; `authority` names the variable that leads it to
/// the certificate authority.
fn against_a_sandbox(mut command: Command, authority: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(Options { https: true, ..Options::default() })).unwrap();
    let file = cache(&format!("authority-{}-{authority}.pem", std::process::id()));
    fs::write(&file, sandbox.addresses().ca_certificate_pem.as_ref().unwrap()).unwrap();
    let line = serde_json::to_string(sandbox.addresses()).unwrap();
    succeed(command.env(authority, &file), &line);
    fs::remove_file(file).unwrap();
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients").join(name)
}

#[test]
fn msal_for_python_is_served() {
    if !is_here("python3") {
        return;
    }
    // Packages go into a folder rather than a virtual environment, which could not be moved into its place.
    let packages = installed("msal-python-1.39.0", |work| {
        let mut pip = Command::new("python3");
        succeed(
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
                .arg(work)
                .arg(MSAL_PYTHON),
            "",
        );
    });
    let mut python = Command::new("python3");
    python.arg(script("msal_client.py")).env("PYTHONPATH", packages);
    against_a_sandbox(python, "REQUESTS_CA_BUNDLE");
}

#[test]
fn msal_for_node_is_served() {
    if !is_here("node") || !is_here("npm") {
        return;
    }
    let packages = installed("msal-node-7.2.1", |work| {
        fs::write(work.join("package.json"), "{\"private\":true}").unwrap();
        let mut npm = Command::new("npm");
        succeed(npm.args(["install", "--silent", "--no-audit", "--no-fund", MSAL_NODE]).current_dir(work), "");
    });
    let mut node = Command::new("node");
    node.arg(script("msal_client.mjs")).current_dir(packages);
    against_a_sandbox(node, "NODE_EXTRA_CA_CERTS");
}
