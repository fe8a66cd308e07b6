//! `cosell serve` with all shipped flows, connected to a sandbox: how long until it is ready, and what it takes when idle.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cosell_sandbox::{Addresses, Options, Sandbox};
use serde_json::{Value, json};

use crate::contestant::memory;

/// From start to ready over so many starts: the median, and the shortest, in which the machine did least besides. And the
/// median memory half a second later, in megabytes.
pub(crate) fn measure(rounds: usize) -> (Duration, Duration, f64) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-serve-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(Options::default())).unwrap();
    std::fs::write(folder.join("cosell.yaml"), configuration(sandbox.addresses()).to_string()).unwrap();
    let (mut times, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        let mut serving = Command::new(env!("CARGO_BIN_EXE_cosell"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut told = BufReader::new(serving.stdout.take().unwrap());
        while !line.starts_with("Ready") {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "it ended before it was ready");
        }
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(500));
        resident.push(memory(serving.id(), "VmRSS"));
        // The journal stays as after a crash, so that later starts have something to look through.
        serving.kill().unwrap();
        serving.wait().unwrap();
    }
    runtime.block_on(sandbox.stop());
    std::fs::remove_dir_all(&folder).unwrap();
    times.sort_unstable();
    (times[times.len() / 2], times[0], crate::measure::median(&resident))
}

fn configuration(addresses: &Addresses) -> Value {
    let sign_in = json!({
        "authority": addresses.entra, "tenant": addresses.tenant,
        "client_id": addresses.client_id, "client_secret": addresses.client_secret,
    });
    let mut person = sign_in.clone();
    person["refresh_token"] = json!(addresses.refresh_token);
    json!({
        "connections": {
            "partner_center": { "address": addresses.partner_center, "sign_in": person },
            "partner_center_events": { "address": addresses.partner_center_events, "sign_in": sign_in },
            "dataverse": { "address": addresses.dataverse, "sign_in": sign_in },
        },
    })
}
