//! What the console is over: a service, with or without two systems that it keeps in step.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::service::{Service, client};
use crate::support::desk::Desk;
use crate::support::{Project, configuration};

pub const TOKEN: &str = "token-of-the-tests";

/// Shipped flows that ask the CRM do so every second.
const ASKING: [&str; 2] = ["dynamics-opportunity-to-partner-center", "dynamics-microsoft-solutions-to-partner-center"];

/// Settings, served where the system chooses, open to those who know [`TOKEN`].
fn open_to_token(project: Project, mut configuration: Value) -> Project {
    configuration["service"] = json!({ "token": { "file": "token" } });
    project.file("cosell.yaml", &configuration.to_string()).file("token", TOKEN)
}

/// A project with flows of its own alone; `name` is unique among all tests.
pub fn alone(name: &str, flow: &str) -> Project {
    beside(name, flow, &json!({}))
}

/// The same, with connections.
pub fn beside(name: &str, flow: &str, connections: &Value) -> Project {
    let off = [&ASKING[..], &["partner-center-to-dynamics", "partner-center-webhook-registration"]].concat();
    let configuration = json!({ "flows": ["flows"], "off": off, "connections": connections });
    open_to_token(Project::new(&format!("console-{name}")), configuration).flow(flow)
}

/// Both systems and their people, and a project that keeps them in step; its folder is named after the test.
pub fn desk() -> Desk {
    let Desk { stage, project } = Desk::new();
    let mut settings = configuration(&stage.addresses);
    let events = &mut settings["connections"]["partner_center_events"];
    events["trust_roots"] = json!(stage.addresses.root_certificate_pem);
    events["certificate_hosts"] = json!([stage.addresses.certificates.trim_start_matches("http://")]);
    events["allow_http_certificates"] = json!(true);
    let mut project = open_to_token(project, settings);
    for flow in ASKING {
        let overlay = format!("flow: {flow}\ntrigger: {{ every: 1s }}\n");
        project = project.file(&format!("flows/{flow}.yaml"), &overlay);
    }
    Desk { stage, project }
}

/// The service of a desk, which hears of what happens in both systems.
pub fn serve(desk: &Desk) -> Service<'_> {
    let service = Service::start_with(&desk.project, &["--listen", "127.0.0.1:0", "--every", "1"]);
    let endpoint = format!("endpoint={}", service.url("/hooks/partner_center_events"));
    desk.run("partner-center-webhook-registration", &["--input", &endpoint, "--input", "overwrite=true"]).ends_well();
    service
}

impl Service<'_> {
    /// What the API says.
    pub fn told(&self, path: &str) -> Value {
        let request = client().get(self.url(&format!("/api/v1{path}"))).bearer_auth(TOKEN);
        block_on(async { request.send().await.unwrap().json().await.unwrap() })
    }

    /// Sends a text that says it is JSON to a plain web hook; the status.
    pub fn hears(&self, path: &str, body: &str) -> u16 {
        let request = client().post(self.url(&format!("/in/{path}"))).header("content-type", "application/json");
        block_on(async { request.body(body.to_owned()).send().await.unwrap().status().as_u16() })
    }

    /// Waits until no run is under way, and none waits.
    pub fn rests(&self) {
        self.until(|| self.told("/status"), |status| status["waits"]["open"] == 0);
    }

    /// A browser of somebody who is signed in.
    pub fn browser(&self) -> Browser {
        Browser::open(&self.origin).signed_in(TOKEN)
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
