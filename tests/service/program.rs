//! The program as a process of its own, which is killed and started again.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cosell_sandbox::Addresses;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

/// Shipped flows that ask the CRM do so every second, whether there is news or not.
const OFTEN: &str = "trigger: { every: 1s }\n";

/// A project folder, and an address that stays the same from one life of the program to the next.
pub struct Project {
    pub folder: PathBuf,
    address: String,
}

/// The program at work.
pub struct Program {
    child: Child,
}

impl Project {
    /// With connections to a sandbox; `name` is unique among all tests.
    pub fn new(name: &str, addresses: &Addresses) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("flows")).unwrap();
        let configuration = configuration(addresses);
        std::fs::write(folder.join("cosell.yaml"), configuration.to_string()).unwrap();
        for flow in ["dynamics-opportunity-to-partner-center", "dynamics-microsoft-solutions-to-partner-center"] {
            let overlay = format!("flow: {flow}\n{OFTEN}");
            std::fs::write(folder.join(format!("flows/{flow}.yaml")), overlay).unwrap();
        }
        // Free now, and nobody else is given it soon.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { folder, address }
    }

    /// Where Partner Center sends its events.
    pub fn web_hook(&self) -> String {
        format!("http://{}/hooks/partner_center_events", self.address)
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.join(".cosell/journal.db")
    }

    /// Where a plain web hook of a flow is.
    pub fn entrance(&self, path: &str) -> String {
        format!("http://{}/in/{path}", self.address)
    }

    fn command(&self) -> Command {
        // A file that may not grow is an error to the program, and not its end.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_cosell")]);
        command.current_dir(&self.folder).env_clear();
        command
    }

    /// Has Partner Center send its events here.
    pub fn register(&self) {
        let endpoint = format!("endpoint={}", self.web_hook());
        let flow = ["run", "partner-center-webhook-registration", "--input", &endpoint, "--input", "overwrite=true"];
        let output = self.command().args(flow).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// The program, once it is ready. What it says of itself is added to `service.log`.
    pub fn serve(&self) -> Program {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("service.log")).unwrap();
        let mut child = self
            .command()
            .args(["serve", "--every", "1", "--listen", &self.address])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("Ready"), "{line}; see {}", self.folder.join("service.log").display());
        Program { child }
    }
}

impl Program {
    /// From now on its files may only be so large.
    pub fn limit_files(&self, most: Option<u64>) {
        let limit = Rlimit { current: most, maximum: None };
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        prlimit(id, Resource::Fsize, limit).unwrap();
    }

    /// Ends it at once, and without its knowing (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(addresses: &Addresses) -> Value {
    let sign_in = json!({
        "authority": addresses.entra, "tenant": addresses.tenant,
        "client_id": addresses.client_id, "client_secret": addresses.client_secret,
    });
    let mut user = sign_in.clone();
    user["refresh_token"] = json!(addresses.refresh_token);
    json!({
        "flows": ["flows"],
        "retry": { "count": 20, "interval": "50ms", "maximum": "500ms" },
        "connections": {
            "partner_center": { "address": addresses.partner_center, "sign_in": user },
            "partner_center_events": {
                "address": addresses.partner_center_events, "sign_in": sign_in,
                "trust_roots": addresses.root_certificate_pem,
                "certificate_hosts": [addresses.certificates.trim_start_matches("http://")],
                "allow_http_certificates": true,
            },
            "dataverse": { "address": addresses.dataverse, "sign_in": sign_in },
        },
    })
}
