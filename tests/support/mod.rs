//! The program in a sealed project: a folder of its own, no environment, and a sandbox where one is needed.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod desk;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cosell_sandbox::{Addresses, Options, Sandbox};
use serde_json::{Value, json};

/// A folder with a configuration and flows.
pub struct Project {
    pub folder: PathBuf,
}

impl Project {
    /// An empty project; `name` is unique among all tests.
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// With a file.
    pub fn file(self, path: &str, text: &str) -> Self {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// With one flow of the user's own.
    pub fn flow(self, text: &str) -> Self {
        self.file("flows/mine.yaml", text)
    }

    /// With connections to a sandbox, and quick retries.
    pub fn connected(self, addresses: &Addresses) -> Self {
        let configuration = configuration(addresses);
        self.file("cosell.yaml", &configuration.to_string())
    }

    /// Runs the program there.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_cosell"))
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .output()
            .unwrap()
    }

    /// Everything a person sees: exit code, standard output, standard error.
    pub fn transcript(&self, arguments: &[&str]) -> String {
        transcript(&self.run(arguments))
    }
}

/// Everything a person sees of a finished program.
pub fn transcript(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(
        "exit code {}\n----- standard output\n{}----- standard error\n{}",
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// What changes from run to run, made equal.
pub fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[guid]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"\b\d+(\.\d+)? m?s\b", "[time]"),
        (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(:\d{2}Z)?", "[moment]"),
        (r"(shipped/[\w/-]+\.yaml):\d+", "$1:[line]"),
        (r"\d+ flows and \d+ mappings in \d+ files", "[many] flows and [many] mappings in [many] files"),
    ]
}

/// Connections to a sandbox, as a configuration has them.
pub fn configuration(addresses: &Addresses) -> Value {
    let sign_in = json!({
        "authority": addresses.entra, "tenant": addresses.tenant,
        "client_id": addresses.client_id, "client_secret": addresses.client_secret,
    });
    let mut user = sign_in.clone();
    user["refresh_token"] = json!(addresses.refresh_token);
    json!({
        "flows": ["flows"],
        "retry": { "count": 3, "interval": "50ms", "maximum": "200ms" },
        "connections": {
            "partner_center": { "address": addresses.partner_center, "sign_in": user },
            "partner_center_events": { "address": addresses.partner_center_events, "sign_in": sign_in },
            "dataverse": { "address": addresses.dataverse, "sign_in": sign_in },
        },
    })
}

/// A sandbox on a runtime of its own, for tests that are not asynchronous.
pub struct Stage {
    pub runtime: tokio::runtime::Runtime,
    pub sandbox: Option<Sandbox>,
    pub addresses: Addresses,
    pub http: reqwest::Client,
}

impl Stage {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(Options::default())).unwrap();
        let addresses = sandbox.addresses().clone();
        Self { runtime, sandbox: Some(sandbox), addresses, http: reqwest::Client::new() }
    }

    /// Sends a request to the sandbox's control API.
    pub fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let address = format!("{}{path}", self.addresses.control);
        self.runtime.block_on(async {
            let request = self.http.request(method.parse().unwrap(), address).header("x-user", "Noor Haddad");
            let request = if body.is_null() { request } else { request.json(body) };
            let response = request.send().await.unwrap();
            assert!(response.status().is_success(), "{path}: {:?}", response.text().await);
            response.json().await.unwrap()
        })
    }

    /// A token of the application itself, for one of the systems.
    pub fn app_token(&self, resource: &str) -> String {
        let addresses = &self.addresses;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &addresses.client_id),
            ("client_secret", &addresses.client_secret),
            ("resource", resource),
        ];
        let address = format!("{}/{}/oauth2/token", addresses.entra, addresses.tenant);
        self.runtime.block_on(async {
            let response = self.http.post(address).form(&form).send().await.unwrap();
            let token: Value = response.json().await.unwrap();
            token["access_token"].as_str().unwrap_or_else(|| panic!("no token: {token}")).to_owned()
        })
    }

    /// How many requests of the program changed something.
    pub fn writes(&self) -> usize {
        let log = self.control("GET", "/log?after=0", &Value::Null);
        let of_program = |entry: &&Value| entry["system"] != "control";
        log.as_array()
            .unwrap()
            .iter()
            .filter(of_program)
            .filter(|e| !e["changes"].as_array().unwrap().is_empty())
            .count()
    }

    /// An opportunity that can be sent, and its solution.
    pub fn opportunity(&self, members: &Value) -> String {
        let row = |set: &str, column: &str, value: &str, key: &str| {
            let rows = self.control("GET", &format!("/crm/rows/{set}"), &Value::Null);
            let found = rows.as_array().unwrap().iter().find(|row| row[column] == value).unwrap()[key].clone();
            format!("/{set}({})", found.as_str().unwrap())
        };
        let account = row("accounts", "name", "Northwind Cold Storage BV", "accountid");
        let mut opportunity = json!({
            "name": "Northwind warehouse rollout", "estimatedvalue": 84_000, "estimatedclosedate": "2027-01-29",
            "description": "Wants ColdTrack in three cold stores.",
            "msft_microsoftpartnercenterreferralsync": true,
            "customerid_account@odata.bind": account, "parentaccountid@odata.bind": account,
            "parentcontactid@odata.bind": row("contacts", "lastname", "de Wit", "contactid"),
            "transactioncurrencyid@odata.bind": row("transactioncurrencies", "isocurrencycode", "EUR", "transactioncurrencyid"),
        });
        for (key, value) in members.as_object().unwrap() {
            opportunity[key] = value.clone();
        }
        let made = self.control("POST", "/crm/rows/opportunities", &opportunity);
        made["id"].as_str().unwrap().to_owned()
    }

    /// Gives an opportunity a solution.
    pub fn solution(&self, opportunity: &str) {
        let solution = json!({
            "msft_name": "ColdTrack", "msft_solutionid": "SOL-48120-KQP", "msft_type": "Name",
            "msft_Opportunity@odata.bind": format!("/opportunities({opportunity})"),
        });
        self.control("POST", "/crm/rows/msft_partnercentersolutions", &solution);
    }

    /// The opportunity as it is.
    pub fn row(&self, opportunity: &str) -> Value {
        let rows = self.control("GET", "/crm/rows/opportunities", &Value::Null);
        rows.as_array().unwrap().iter().find(|row| row["opportunityid"] == opportunity).unwrap().clone()
    }

    /// All referrals of both organisations.
    pub fn referrals(&self) -> Vec<Value> {
        self.control("GET", "/referrals", &Value::Null).as_array().unwrap().clone()
    }
}
