//! The program as a service, and what is asked of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::support::Project;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Service<'p> {
    project: &'p Project,
    child: Mutex<Child>,
    pub origin: String,
}

impl Project {
    pub fn rewrite(&self, path: &str, text: &str) {
        fs::write(self.folder.join(path), text).unwrap();
    }

    /// All rows of a table of the journal.
    pub fn journal(&self, table: &str) -> Vec<Value> {
        let exported = self.run(&["journal", "export"]);
        assert!(exported.status.success());
        let lines = String::from_utf8(exported.stdout).unwrap();
        let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(|row| row["table"] == table).collect()
    }
}

impl<'p> Service<'p> {
    pub fn start(project: &'p Project) -> Self {
        Self::start_with(project, &["--listen", "127.0.0.1:0"])
    }

    pub fn start_with(project: &'p Project, options: &[&str]) -> Self {
        let log = fs::File::create(project.folder.join("service.log")).unwrap();
        let listen: &[&str] = if options.first() == Some(&"--grace") { &["--listen", "127.0.0.1:0"] } else { &[] };
        let mut child = Command::new(env!("CARGO_BIN_EXE_cosell"))
            .arg("serve")
            .args(listen)
            .args(options)
            .current_dir(&project.folder)
            .env_clear()
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).find(|line| line.starts_with("Ready"));
        let mut service = Self { project, child: Mutex::new(child), origin: String::new() };
        let ready = ready.unwrap_or_else(|| panic!("the service does not begin: {}", service.log()));
        service.origin = ready.rsplit(' ').next().unwrap().to_owned();
        service
    }

    fn log(&self) -> String {
        fs::read_to_string(self.project.folder.join("service.log")).unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Asks a plain web hook, and gives its answer in time; an error where there is none.
    pub fn ask(&self, path: &str) -> JoinHandle<Value> {
        let url = self.url(&format!("/in/{path}"));
        std::thread::spawn(move || {
            runtime().block_on(async { client().post(url).send().await.unwrap().json().await.unwrap() })
        })
    }

    pub fn signal(&self, signal: &str) {
        let id = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Has the files read again, until the log says something that it did not.
    pub fn reload(&self, said: &str) {
        let before = self.log().matches(said).count();
        self.signal("-HUP");
        self.until(|| self.log().matches(said).count(), |count| *count > before);
    }

    /// Looks until it is so.
    pub fn until<T>(&self, look: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
        let began = Instant::now();
        loop {
            let seen = look();
            if is_so(&seen) {
                return seen;
            }
            assert!(began.elapsed() < PATIENCE, "it is never so; the service says: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// Waits for the end; whether it is a good one.
    pub fn ended(&self) -> bool {
        self.child.lock().unwrap().wait().unwrap().success()
    }

    pub fn end(&self) -> bool {
        self.signal("-TERM");
        self.ended()
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        let _ = self.child.lock().unwrap().kill();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// Status and headers.
pub fn post(client: &reqwest::Client, url: &str) -> (u16, HeaderMap) {
    let answer = runtime().block_on(async { client.post(url).send().await.unwrap() });
    (answer.status().as_u16(), answer.headers().clone())
}

pub fn get(client: &reqwest::Client, url: &str) -> u16 {
    runtime().block_on(async { client.get(url).send().await.unwrap() }).status().as_u16()
}
