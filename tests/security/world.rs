//! The service as strangers see it: a listener before a dispatcher, a flow that reads the referral of each event, a host for
//! certificates, Partner Center, and a host that is nobody's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use cosell_compile::compile;
use cosell_compile::source::{Layer, SourceFile};
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, Value};
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::memory::Engine;
use cosell_runtime::record::Nobody;
use cosell_sdk::stub::{Reply, Stub};
use cosell_service::hooks::{Hooks, Listening};
use serde_json::json;

use crate::microsoft::{Microsoft, event, proper};

/// The referral that events are about.
pub const ID: &str = "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10";
const REFERRAL: &str = "/v1.0/engagements/referrals/c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10";

const FLOWS: &str = "
flow: received
trigger: { use: partner_center_events.received }
steps: { referral: { use: partner_center.get_referral, with: { id: \"${{ trigger.referral_id }}\" } } }
";

const SAVED: &str = "
flow: saved
trigger: { use: dataverse.row_saved, with: { table: opportunity } }
steps: { referral: { use: partner_center.get_referral, with: { id: \"${{ trigger.id }}\" } } }
";

pub struct World {
    pub microsoft: Microsoft,
    /// Where signing certificates are, and the list of revoked ones.
    pub certificates: Stub,
    /// Nobody has any business there.
    pub elsewhere: Stub,
    partner_center: Stub,
    dispatcher: Dispatcher,
    http: reqwest::Client,
    hooks: Hooks,
}

impl World {
    pub async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// With other settings of the connection for events, or of the one to Dataverse.
    pub async fn with(other: Value) -> Self {
        let (certificates, elsewhere, partner_center) = (Stub::start().await, Stub::start().await, Stub::start().await);
        let microsoft = Microsoft::new();
        certificates.on("GET", "/pki/root.crl", [Reply::bytes(200, "application/pkix-crl", microsoft.list(false))]);
        partner_center.on("GET", REFERRAL, [Reply::json(200, json!({ "id": ID }))]);
        elsewhere.intercept(|_| Some(Reply::json(200, json!({ "id": ID }))));

        let host = certificates.origin().replace("http://", "");
        let mut settings = json!({
            "partner_center": { "address": format!("{}/v1.0/engagements", partner_center.origin()), "sign_in": partner_center.sign_in() },
            "partner_center_events": {
                "address": partner_center.origin(), "sign_in": partner_center.sign_in(), "trust_roots": microsoft.root_pem,
                "certificate_hosts": [host], "revocation_hosts": [host], "allow_http_certificates": true, "revocation": "hard",
            },
            "dataverse": {
                "address": partner_center.origin(), "sign_in": partner_center.sign_in(), "webhook_secret": "open sesame",
            },
        });
        for (connection, members) in other.as_object().unwrap() {
            settings[connection].as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        }
        let connectors = [
            cosell_partner_center::connector(),
            cosell_partner_center_events::connector(),
            cosell_dataverse::connector(),
        ];
        let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
        let file = |text: &str| SourceFile { path: "f.yaml".to_owned(), text: text.to_owned(), layer: Layer::Own };
        let compiled = compile(vec![file(FLOWS), file(SAVED)], &catalogue, &BTreeMap::new());
        assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
        let connections = connectors.iter().map(|connector| {
            let name = &connector.description().name;
            (name.clone(), connector.open(settings[name].clone()).unwrap())
        });
        let engine = Engine::new(compiled.plans, connections.collect(), Retry::NONE);
        let dispatcher = Dispatcher::new(Arc::new(engine), Arc::new(Nobody));
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let hooks = Hooks::listen(loopback, dispatcher.clone(), Listening::default()).await.unwrap();
        let http = reqwest::Client::new();
        let world = Self { microsoft, certificates, elsewhere, partner_center, dispatcher, http, hooks };
        world.publish("dispatch", world.microsoft.issue(proper(&world.list())));
        world
    }

    /// Where the authority says what it revoked.
    pub fn list(&self) -> String {
        format!("{}/pki/root.crl", self.certificates.origin())
    }

    /// The address of a signing certificate.
    pub fn address(&self, name: &str) -> String {
        format!("{}/cert/{name}.cer", self.certificates.origin())
    }

    pub fn publish(&self, name: &str, certificate: Vec<u8>) {
        let reply = Reply::bytes(200, "application/pkix-cert", certificate);
        self.certificates.on("GET", &format!("/cert/{name}.cer"), [reply]);
    }

    /// An event as Microsoft sends it.
    pub fn genuine(&self) -> (Vec<(String, String)>, Vec<u8>) {
        let body = event(ID);
        (self.microsoft.headers(&self.address("dispatch"), &body), body)
    }

    /// Sends a request to a connection's web hook; the status answered.
    pub async fn post(&self, connection: &str, headers: &[(String, String)], body: impl Into<Vec<u8>>) -> u16 {
        let mut request = self.http.post(self.hooks.url(connection)).body(body.into());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let status = request.send().await.unwrap().status().as_u16();
        self.dispatcher.idle().await;
        status
    }

    /// Sends an event; the status answered.
    pub async fn event(&self, headers: &[(String, String)], body: impl Into<Vec<u8>>) -> u16 {
        self.post("partner_center_events", headers, body).await
    }

    /// How many runs there were, as Partner Center sees it.
    pub fn runs(&self) -> usize {
        let lines = self.partner_center.lines();
        assert!(lines.iter().all(|line| *line == format!("GET {REFERRAL}")), "{lines:?}");
        assert_eq!(self.elsewhere.lines(), Vec::<String>::new(), "nobody calls a host that is not configured");
        lines.len()
    }
}
