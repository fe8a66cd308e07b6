//! The program that works browsers for us (`chromedriver`): one for all tests of this process.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// It ends, with all its browsers, when nobody has it any more.
pub struct Driver {
    child: Child,
    /// Where it and its browsers keep what they must, such as a new profile for each. No other one's: while this one ends, the
    /// next may have begun.
    _folder: TempDir,
    pub address: String,
}

impl Driver {
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Driver>> = Mutex::new(Weak::new());
        // A test that fails here takes nothing away from the others.
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let driver = Arc::new(Self::start());
            *shared = Arc::downgrade(&driver);
            driver
        })
    }

    fn start() -> Self {
        // Not below the target folder: the names of sockets in it may only be so long.
        let folder = tempfile::Builder::new().prefix("cosell-browser-").tempdir().unwrap();
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("chromedriver cannot be started: {error}; install it with `apt-get install chromium chromium-driver`")
            });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            line.split_once("successfully on port ").map(|(_, port)| port.trim_end_matches('.').to_owned())
        });
        // It goes on speaking, and must not be kept waiting for somebody who listens.
        std::thread::spawn(move || lines.for_each(drop));
        let address = format!("http://127.0.0.1:{}", port.expect("chromedriver says no port"));
        Self { child, _folder: folder, address }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
