//! The sandbox, and the program over it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cosell_compile::compile;
use cosell_compile::source::{Layer, SourceFile};
use cosell_model::flow::{Backoff, Retry};
use cosell_model::{Catalogue, FlowId, Outcome, Severity, Value};
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::memory::{Engine, idempotency_key};
use cosell_runtime::record::{Observer, RunRecord};
use cosell_sandbox::{Addresses, Options, Sandbox};
use cosell_sdk::{CallContext, Connector};
use cosell_service::hooks::{Hooks, Listening};
use serde_json::json;
use tokio::sync::watch;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The secret by which the CRM shows that it is the one that calls.
pub const SECRET: &str = "open-sesame";

pub struct World {
    sandbox: Sandbox,
    http: reqwest::Client,
}

/// The program at work.
pub struct Program {
    pub dispatcher: Dispatcher,
    pub hooks: Hooks,
    pub runs: Arc<Runs>,
}

/// The runs that ended, in that order; those of flows that others called are not among them.
pub struct Runs(watch::Sender<Vec<RunRecord>>);

impl Observer for Runs {
    fn run_ended(&self, depth: usize, run: &RunRecord) {
        if depth == 0 {
            self.0.send_modify(|runs| runs.push(run.clone()));
        }
    }
}

impl Runs {
    /// What the runs of `flow` yielded so far.
    pub fn of(&self, flow: &str) -> Vec<Value> {
        let runs = self.0.borrow();
        let of_flow = runs.iter().filter(|run| run.flow == FlowId::new(flow));
        of_flow
            .map(|run| {
                assert_eq!(run.outcome, Outcome::Succeeded, "{run:?}");
                run.output.clone()
            })
            .collect()
    }

    /// The same once there are `many`.
    pub async fn await_of(&self, flow: &str, many: usize) -> Vec<Value> {
        let mut runs = self.0.subscribe();
        let enough = |runs: &Vec<RunRecord>| runs.iter().filter(|run| run.flow == FlowId::new(flow)).count() >= many;
        let waited = tokio::time::timeout(PATIENCE, runs.wait_for(enough)).await.is_ok();
        assert!(waited, "{flow} ran only {:?}", self.of(flow));
        self.of(flow)
    }
}

fn connectors() -> [Connector; 4] {
    [
        cosell_partner_center::connector(),
        cosell_partner_center_events::connector(),
        cosell_dataverse::connector(),
        cosell_state::connector(),
    ]
}

/// The shipped flows, as they are or changed.
pub fn shipped(change: impl Fn(String) -> String) -> Vec<SourceFile> {
    fn read(folder: &Path, files: &mut Vec<SourceFile>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, files);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push(SourceFile { path: path.display().to_string(), text, layer: Layer::Shipped });
            }
        }
    }
    let mut files = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("flows"), &mut files);
    files.into_iter().map(|file| SourceFile { text: change(file.text), ..file }).collect()
}

/// A flow by itself.
pub fn flow(text: &str) -> Vec<SourceFile> {
    vec![SourceFile { path: "flow.yaml".to_owned(), text: text.to_owned(), layer: Layer::Shipped }]
}

impl World {
    pub async fn start() -> Self {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        Self { sandbox, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// The program with these flows. It listens, and asks nobody yet.
    pub async fn serve(&self, files: Vec<SourceFile>) -> Program {
        let connectors = connectors();
        let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
        let compilation = compile(files, &catalogue, &BTreeMap::new());
        let errors = compilation.diagnostics.iter().filter(|finding| finding.severity == Severity::Error);
        assert_eq!(errors.count(), 0, "{:?}", compilation.diagnostics);
        let settings = settings(self.sandbox.addresses());
        let connections = connectors.iter().map(|connector| {
            let name = &connector.description().name;
            (name.clone(), connector.open(settings[name].clone()).unwrap())
        });
        let retry = Retry {
            count: 5,
            backoff: Backoff::Fixed,
            interval: Duration::from_millis(20),
            minimum: Duration::ZERO,
            maximum: Duration::from_millis(100),
        };
        let engine = Engine::new(compilation.plans, connections.collect(), retry);
        let runs = Arc::new(Runs(watch::channel(Vec::new()).0));
        let dispatcher = Dispatcher::new(Arc::new(engine), Arc::clone(&runs) as _);
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let hooks = Hooks::listen(loopback, dispatcher.clone(), Listening::default()).await.unwrap();
        Program { dispatcher, hooks, runs }
    }

    /// What the control API answers.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let address = format!("{}{path}", self.sandbox.addresses().control);
        let request = self.http.request(method.parse().unwrap(), address).header("x-user", "Noor Haddad");
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {:?}", response.text().await);
        response.json().await.unwrap()
    }

    /// All rows of an entity set.
    pub async fn rows(&self, set: &str) -> Vec<Value> {
        self.control("GET", &format!("/crm/rows/{set}"), Value::Null).await.as_array().unwrap().clone()
    }

    /// Somebody in the CRM makes a row; its id.
    pub async fn row(&self, set: &str, members: Value) -> String {
        self.control("POST", &format!("/crm/rows/{set}"), members).await["id"].as_str().unwrap().to_owned()
    }

    /// How many requests of the program changed something.
    pub async fn writes(&self) -> usize {
        let log = self.control("GET", "/log?after=0", Value::Null).await;
        let by_program = |entry: &&Value| entry["system"] != "control";
        let changing = |entry: &&Value| !entry["changes"].as_array().unwrap().is_empty();
        log.as_array().unwrap().iter().filter(by_program).filter(changing).count()
    }
}

impl Program {
    /// Where it is reached from outside.
    pub fn address(&self) -> String {
        self.hooks.url("").trim_end_matches("/hooks/").to_owned()
    }

    /// Calls an operation of a connection.
    pub async fn call(&self, connection: &str, operation: &str, input: Value) -> Value {
        let context = CallContext::new(idempotency_key("triggers", operation), false);
        let engine = self.dispatcher.engine();
        let connection = engine.connection(connection).unwrap();
        connection.call(operation, input, context).await.unwrap()
    }
}

fn settings(addresses: &Addresses) -> Value {
    let sign_in = json!({
        "authority": addresses.entra, "tenant": addresses.tenant,
        "client_id": addresses.client_id, "client_secret": addresses.client_secret,
    });
    let mut user = sign_in.clone();
    user["refresh_token"] = json!(addresses.refresh_token);
    json!({
        "partner_center": { "address": addresses.partner_center, "sign_in": user },
        "partner_center_events": {
            "address": addresses.partner_center_events, "sign_in": sign_in,
            "trust_roots": addresses.root_certificate_pem,
            "certificate_hosts": [addresses.certificates.trim_start_matches("http://")],
            "allow_http_certificates": true,
        },
        "dataverse": { "address": addresses.dataverse, "sign_in": sign_in, "webhook_secret": SECRET },
        "state": {},
    })
}
