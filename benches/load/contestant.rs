//! A contestant: a process of its own, which serves until its standard input ends.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{by_hand, cosell};

/// A contestant as its opponent sees it.
pub(crate) struct Contestant {
    process: Child,
    /// Where its web hook is.
    pub(crate) url: String,
    folder: PathBuf,
}

/// What the child process does: prints where its web hook is, and serves.
pub(crate) fn run(arguments: &[String]) {
    let [name, system, folder] = arguments else { panic!("{arguments:?}") };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = Path::new(folder);
    let url = match name.as_str() {
        "by-hand" => runtime.block_on(by_hand::serve(system, folder)),
        _ => runtime.block_on(cosell::serve(system, folder)),
    };
    println!("{url}");
    let _ = std::io::stdin().read(&mut [0]);
    // Nothing of what is still under way counts.
    std::process::exit(0);
}

impl Contestant {
    pub(crate) fn start(name: &str, system: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["contestant", name, system])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned(), folder }
    }

    /// A figure of its memory, in megabytes: `VmRSS` now, `VmHWM` at most.
    pub(crate) fn memory(&self, figure: &str) -> f64 {
        memory(self.process.id(), figure)
    }

    /// The processor time that it has taken.
    pub(crate) fn processor(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // Its own name, in brackets, may hold spaces; user and system time are the 12th and 13th figures behind it.
        let figures: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = figures[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // A tick is a hundredth of a second on every Linux (proc(5), USER_HZ).
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A figure of a process's memory, in megabytes.
pub(crate) fn memory(process: u32, figure: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
