//! Whether an event is Microsoft's: its headers and body, the certificate that it names, and the list of revoked ones that
//! this names. Beside what holds everywhere: whatever was changed on the way, only what was signed is taken.

use std::sync::Mutex;
use std::time::Duration;

use bolero::check;
use bytes::Bytes;
use cosell_sdk::{Connection, Incoming};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::change::{Change, Lasting, changed};
use crate::microsoft::{Microsoft, event, proper};
use crate::server::{Answer, Server};

/// Longer than an event waits for a certificate and a list together.
const PATIENCE: Duration = Duration::from_secs(15);

struct World {
    runtime: Runtime,
    server: Server,
    microsoft: Microsoft,
    certificate: Vec<u8>,
    list: Vec<u8>,
    /// One at a time speaks to the server.
    turn: Mutex<()>,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::start());
        let microsoft = Microsoft::new();
        let certificate = microsoft.issue(proper(&format!("{}/pki/root.crl", server.origin)));
        let list = microsoft.list(false);
        let world = Self { runtime, server, microsoft, certificate, list, turn: Mutex::default() };
        world.publish(world.certificate.clone(), world.list.clone());
        assert!(world.takes(&world.connect("hard"), world.genuine()), "an event that was not changed is taken");
        world
    }

    fn publish(&self, certificate: Vec<u8>, list: Vec<u8>) {
        self.server.says(move |seen| {
            let file = if seen.target.ends_with(".cer") { &certificate } else { &list };
            Answer::of("application/octet-stream", file.clone()).bytes()
        });
    }

    fn connect(&self, revocation: &str) -> Connection {
        let host = self.server.origin.trim_start_matches("http://");
        let settings = json!({
            "address": self.server.origin, "allow_http_certificates": true, "trust_roots": self.microsoft.root_pem,
            "certificate_hosts": [host], "revocation_hosts": [host], "revocation": revocation,
            "sign_in": { "authority": self.server.origin, "tenant": "t", "client_id": "c", "client_secret": "s" },
        });
        cosell_partner_center_events::connector().open(settings).unwrap()
    }

    fn genuine(&self) -> Incoming {
        let body = event("c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10");
        let headers = self.microsoft.headers(&format!("{}/cert/a.cer", self.server.origin), &body);
        Incoming { headers, body: Bytes::from(body) }
    }

    fn takes(&self, connection: &Connection, request: Incoming) -> bool {
        let received =
            self.runtime.block_on(async { timeout(PATIENCE, connection.receive("received", request)).await });
        received.expect("nobody waits for ever").is_ok()
    }
}

#[test]
fn any_event() {
    let world = Lasting(World::new());
    let connection = Lasting(world.connect("soft"));
    check!().with_type::<(u8, Vec<Change>)>().for_each(|(which, changes)| {
        let mut request = world.genuine();
        let is_body = usize::from(*which % 4) == request.headers.len();
        if is_body {
            request.body = changed(&request.body, changes).into();
        } else {
            let value = &mut request.headers[usize::from(*which % 4)].1;
            *value = String::from_utf8_lossy(&changed(value.as_bytes(), changes)).into_owned();
        }
        let is_genuine = request.body == world.genuine().body;
        let taken = world.takes(&connection, request);
        assert!(is_genuine || !taken, "a body that nobody signed is taken");
    });
}

#[test]
fn any_certificate() {
    let world = Lasting(World::new());
    check!().with_type::<(bool, Vec<Change>)>().for_each(|(as_pem, changes)| {
        let _turn = world.turn.lock();
        let file = if *as_pem { pem(&world.certificate) } else { world.certificate.clone() };
        let file = changed(&file, changes);
        world.publish(file.clone(), world.list.clone());
        let taken = world.takes(&world.connect("off"), world.genuine());
        // Round about the certificate there may be anything that its form passes over, but nothing in it may differ.
        let is_there = *as_pem || file.windows(world.certificate.len()).any(|part| part == world.certificate);
        assert!(is_there || !taken, "another certificate is taken");
    });
}

#[test]
fn any_list_of_revoked_certificates() {
    let world = Lasting(World::new());
    let revoking = world.microsoft.list(true);
    check!().with_type::<(bool, Vec<Change>)>().for_each(|(revoked, changes)| {
        let _turn = world.turn.lock();
        let list = if *revoked { &revoking } else { &world.list };
        let list = changed(list, changes);
        world.publish(world.certificate.clone(), list.clone());
        let taken = world.takes(&world.connect("hard"), world.genuine());
        assert!(!taken || list == world.list, "an event is taken on the word of a list that nobody signed");
    });
}

fn pem(der: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes()
}
