//! Clients that others wrote, for the tests that hold the sandbox to them: installed once, at fixed versions, below
//! `target/`, and run against a sandbox over HTTPS. Where there is no Python or no Node on this machine, a test says so
//! and passes.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cosell_sandbox::{Options, Sandbox};

/// Where libraries are kept from one run to the next.
fn cache(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs `command` to its end; panics with what it said unless it succeeded.
pub fn succeed(command: &mut Command, input: &str) {
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
pub fn is_here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: there is no {program} on this machine");
    }
    found
}

/// Installs once: `install` works in a directory of its own, which counts only when it is complete.
pub fn installed(name: &str, install: impl FnOnce(&Path)) -> PathBuf {
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
pub fn against_a_sandbox(mut command: Command, authority: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(Options { https: true, ..Options::default() })).unwrap();
    let file = cache(&format!("authority-{}-{authority}.pem", std::process::id()));
    fs::write(&file, sandbox.addresses().ca_certificate_pem.as_ref().unwrap()).unwrap();
    let line = serde_json::to_string(sandbox.addresses()).unwrap();
    succeed(command.env(authority, &file), &line);
    fs::remove_file(file).unwrap();
}

/// The script of a client.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients").join(name)
}

/// Python packages of these exact versions, in a folder rather than a virtual environment, which could not be moved into
/// its place.
pub fn python_packages(name: &str, packages: &[&str]) -> PathBuf {
    installed(name, |work| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]).arg(work);
        succeed(pip.args(packages), "");
    })
}

/// A Node package of this exact version.
pub fn node_package(name: &str, package: &str) -> PathBuf {
    installed(name, |work| {
        fs::write(work.join("package.json"), "{\"private\":true}").unwrap();
        let mut npm = Command::new("npm");
        succeed(npm.args(["install", "--silent", "--no-audit", "--no-fund", package]).current_dir(work), "");
    })
}
