//! What remote systems answer: each operation of each connector, and the requests for tokens, where one answer on the way is
//! not what it should be.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bolero::check;
use cosell_model::Effect;
use cosell_sandbox::Addresses;
use cosell_sdk::stub::Seen;
use cosell_sdk::{CallContext, CallError, Connection, Connector};
use serde_json::{Value, json};
use tokio::runtime::{Handle, Runtime};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use uuid::Uuid;

use crate::change::{Change, Lasting, changed, one};
use crate::operations::{connectors, open, ready};
use crate::server::{Answer, Server};
use crate::support::Stage;

/// No call takes so long, whatever it is answered.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many requests of one call are answered: a list that never ends is not followed for long.
const ANSWERED: usize = 60;

/// What the sandbox answered, by method and address.
type Tape = HashMap<String, Vec<Answer>>;

struct Call {
    connector: usize,
    operation: String,
    writes: bool,
    input: Value,
}

/// Servers that say what the sandbox said, and calls that they have answers for.
struct World {
    runtime: Runtime,
    servers: Vec<Server>,
    addresses: Addresses,
    tape: Tape,
    connectors: Vec<Connector>,
    warm: Vec<Connection>,
    calls: Vec<Call>,
}

static WORLD: LazyLock<Lasting<Mutex<World>>> = LazyLock::new(|| Lasting(Mutex::new(World::record())));

/// Host and port, as they stand in addresses and in forms.
fn host(origin: &str) -> [String; 2] {
    let host = origin.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    [host.replace(':', "%3A"), host]
}

fn renamed(text: &str, names: &[([String; 2], [String; 2])]) -> String {
    let both = names.iter().flat_map(|(from, to)| from.iter().zip(to));
    both.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

impl World {
    fn record() -> Self {
        let stage = Stage::new();
        let origins = |addresses: &Addresses| {
            let all =
                [&addresses.entra, &addresses.partner_center, &addresses.partner_center_events, &addresses.dataverse];
            all.map(|origin| host(origin))
        };
        let runtime = Runtime::new().unwrap();
        let servers: Vec<Server> = (0..4).map(|_| runtime.block_on(Server::start())).collect();
        let mut addresses = stage.addresses.clone();
        addresses.entra.clone_from(&servers[0].origin);
        addresses.partner_center = format!("{}/v1.0/engagements", servers[1].origin);
        addresses.partner_center_events.clone_from(&servers[2].origin);
        addresses.dataverse.clone_from(&servers[3].origin);
        let outwards: Vec<_> = origins(&addresses).into_iter().zip(origins(&stage.addresses)).collect();
        let inwards: Vec<_> = outwards.iter().map(|(ours, theirs)| (theirs.clone(), ours.clone())).collect();

        let tape = Arc::new(Mutex::new(Tape::new()));
        for (server, (_, [_, upstream])) in servers.iter().zip(&outwards) {
            let (tape, upstream) = (Arc::clone(&tape), upstream.clone());
            let (outwards, inwards, http) = (outwards.clone(), inwards.clone(), stage.http.clone());
            server.says(move |seen| {
                let mut request =
                    http.request(seen.method.parse().unwrap(), format!("http://{upstream}{}", seen.target));
                for (name, value) in seen.headers.iter().filter(|(name, _)| name != "host" && name != "content-length")
                {
                    request = request.header(name, value);
                }
                let request = request.body(renamed(&seen.body, &outwards)).send();
                let answer = tokio::task::block_in_place(|| {
                    Handle::current().block_on(async {
                        let answer = request.await.unwrap();
                        let kept = ["content-type", "etag", "location", "odata-entityid", "link", "date"];
                        let headers = answer.headers().iter().filter(|(name, _)| kept.contains(&name.as_str()));
                        let text = |value: &reqwest::header::HeaderValue| renamed(value.to_str().unwrap(), &inwards);
                        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
                        let status = answer.status().as_u16();
                        Answer { status, headers, body: renamed(&answer.text().await.unwrap(), &inwards).into_bytes() }
                    })
                });
                tape.lock().unwrap().entry(key(seen)).or_default().push(answer.clone());
                answer.bytes()
            });
        }

        let connectors = connectors();
        let warm: Vec<Connection> = connectors.iter().map(|connector| open(&addresses, connector)).collect();
        let mut calls = Vec::new();
        for (at, connector) in connectors.iter().enumerate() {
            for operation in &connector.description().operations {
                stage.control("POST", "/reset", &json!({}));
                let Some(input) = ready(&stage, &operation.name) else { continue };
                for connection in [&warm[at], &open(&addresses, connector)] {
                    // The second time it may fail, as what is there is there already; that is an answer too.
                    let context = CallContext::new(Uuid::from_u128(7), false);
                    let _ = runtime.block_on(connection.call(&operation.name, input.clone(), context));
                }
                let writes = operation.effect == Effect::Write;
                calls.push(Call { connector: at, operation: operation.name.clone(), writes, input });
            }
        }
        let tape = std::mem::take(&mut *tape.lock().unwrap());
        assert!(tape.len() > 50 && calls.len() > 35, "{} answers, {} calls", tape.len(), calls.len());
        Self { runtime, servers, addresses, tape, connectors, warm, calls }
    }

    /// Runs a call, for as long as one may take.
    fn within<T>(&self, call: impl Future<Output = T>) -> Result<T, Elapsed> {
        self.runtime.block_on(async { timeout(PATIENCE, call).await })
    }

    /// Has the `nth` answer changed from now on, as bytes or in what it says.
    fn spoil(&self, nth: usize, as_bytes: bool, changes: Vec<Change>) {
        let count = Arc::new(AtomicUsize::new(0));
        let tape = Arc::new(self.tape.clone());
        for server in &self.servers {
            let (count, tape, changes) = (Arc::clone(&count), Arc::clone(&tape), changes.clone());
            server.says(move |seen| {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let Some(known) = tape.get(&key(seen)).filter(|_| number < ANSWERED) else {
                    return Answer {
                        status: 404,
                        ..Answer::json(&json!({ "error": { "code": "x", "message": "y" } }))
                    }
                    .bytes();
                };
                let mut answer = known[number % known.len()].clone();
                match number == nth {
                    true if as_bytes => changed(answer.bytes(), &changes),
                    true => {
                        answer.body = changed(&answer.body, &changes);
                        answer.bytes()
                    }
                    false => answer.bytes(),
                }
            });
        }
    }
}

/// What an answer is kept under; addresses of ours carry the day and the like in their query.
fn key(seen: &Seen) -> String {
    format!("{} {}", seen.method, seen.target)
}

/// Holds for whatever a call yields.
fn sound(result: Result<Result<Value, CallError>, Elapsed>, secret: &str) {
    if let Err(error) = result.expect("no call waits for ever") {
        let beginning: String = error.message.chars().take(300).collect();
        assert!(
            !beginning.is_empty() && format!("{error:?}").len() < 80_000,
            "{} bytes: {beginning}…",
            error.message.len()
        );
        assert!(!format!("{error:?}").contains(secret), "the secret is told: {error:?}");
    }
}

#[test]
fn any_answer_to_any_operation() {
    drop(WORLD.lock());
    check!().with_type::<(u16, u8, u8, bool, Vec<Change>)>().for_each(|(which, how, nth, as_bytes, changes)| {
        let world = WORLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let call = one(&world.calls, *which);
        world.spoil(usize::from(*nth % 8), *as_bytes, changes.clone());
        let cold = (how % 4 == 0).then(|| open(&world.addresses, &world.connectors[call.connector]));
        let connection = cold.as_ref().unwrap_or(&world.warm[call.connector]);
        let context = CallContext::new(Uuid::from_u128(7), how & 4 != 0);
        let result = world.within(async {
            if call.writes && how & 8 != 0 {
                let predicted = connection.predict(&call.operation, call.input.clone(), context.reading_only()).await;
                return predicted.map(|prediction| json!(format!("{prediction:?}")));
            }
            connection.call(&call.operation, call.input.clone(), context).await
        });
        sound(result, &world.addresses.client_secret);
    });
}

#[test]
fn any_answer_of_the_sign_in_service() {
    drop(WORLD.lock());
    check!().with_type::<(bool, bool, Vec<Change>)>().for_each(|(device, as_bytes, changes)| {
        let world = WORLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let code = json!({
            "device_code": "GAQ", "user_code": "HX4KTR9QD", "interval": 5, "expires_in": 900,
            "verification_uri": "https://microsoft.com/devicelogin", "message": "Type it in",
        });
        let token = json!({ "access_token": "eyJ0.eyJ1cG4iOiJhIn0.x", "refresh_token": "r", "expires_in": "3599" });
        let refusal =
            json!({ "error": "invalid_grant", "error_codes": [50076], "error_description": "AADSTS50076: x" });
        let changes = changes.clone();
        let (as_bytes, which) = (*as_bytes, changes.len() % 3);
        world.servers[0].says(move |_| {
            let mut answer = Answer::json([&code, &token, &refusal][which]);
            if which == 2 {
                answer.status = 400;
            }
            if as_bytes {
                return changed(answer.bytes(), &changes);
            }
            answer.body = changed(&answer.body, &changes);
            answer.bytes()
        });
        let mut settings = crate::support::configuration(&world.addresses)["connections"]["partner_center"].clone();
        if *device {
            settings["sign_in"]["token_file"] = json!(concat!(env!("CARGO_TARGET_TMPDIR"), "/fuzz-sign-in/none.json"));
        }
        let connection = cosell_partner_center::connector().open(settings).unwrap();
        let result = world.within(async {
            if *device {
                let sign_in = connection.client().unwrap().sign_in().unwrap();
                return sign_in.begin_device_code().await.map(|code| json!(code.message));
            }
            connection.call("list_referrals", json!({}), CallContext::new(Uuid::nil(), false)).await
        });
        sound(result, &world.addresses.client_secret);
    });
}

#[test]
fn any_answer_to_a_trigger_that_asks() {
    drop(WORLD.lock());
    check!().with_type::<(bool, u8, bool, Vec<Change>)>().for_each(|(cold, nth, as_bytes, changes)| {
        let world = WORLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let dataverse = world.connectors.iter().position(|it| it.description().name == "dataverse").unwrap();
        world.spoil(usize::from(*nth % 3), *as_bytes, changes.clone());
        let opened = cold.then(|| open(&world.addresses, &world.connectors[dataverse]));
        let connection = opened.as_ref().unwrap_or(&world.warm[dataverse]);
        let cursor =
            changed(br#"{"table":"opportunity","select":null,"link":"/api/data/v9.2/opportunities"}"#, changes);
        let cursor = (nth & 1 == 0).then(|| serde_json::from_slice(&cursor).unwrap_or_default());
        let result = world.within(async {
            connection.poll("row_changed", json!({ "table": "opportunity" }), cursor).await.map(|poll| poll.cursor)
        });
        sound(result, &world.addresses.client_secret);
    });
}

#[test]
fn any_answer_of_any_other_system() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let settings =
        json!({ "address": format!("{}/api", server.origin), "authentication": { "bearer": { "token": "t0ken" } } });
    let world = Lasting(Other { connection: cosell_http::connector().open(settings).unwrap(), runtime, server });
    check!()
        .with_type::<(u8, bool, Vec<Change>)>()
        .for_each(|(which, as_bytes, changes)| world.call(*which, *as_bytes, changes));
}

struct Other {
    runtime: Runtime,
    server: Server,
    connection: Connection,
}

impl Other {
    fn call(&self, which: u8, as_bytes: bool, changes: &[Change]) {
        let calls = [
            ("get", json!({ "path": "/orders" })),
            ("get_all", json!({ "path": "/orders", "items": "data.items", "next": { "body": "paging.next" } })),
            ("get_all", json!({ "path": "/orders", "items": "data.items" })),
            ("request", json!({ "method": "POST", "path": "/orders", "body": {} })),
        ];
        let (operation, input) = calls[usize::from(which) % calls.len()].clone();
        let changes = changes.to_vec();
        let body =
            json!({ "data": { "items": [{ "id": 1 }, { "id": 2 }] }, "paging": { "next": "/api/orders?page=2" } });
        self.server.says(move |_| {
            let mut answer = Answer::json(&body);
            answer.headers.push(("link".to_owned(), "</api/orders?page=2>; rel=\"next\", <x>; rel=last".to_owned()));
            if as_bytes {
                return changed(answer.bytes(), &changes);
            }
            answer.body = changed(&answer.body, &changes);
            answer.bytes()
        });
        let call = self.connection.call(operation, input, CallContext::new(Uuid::nil(), false));
        sound(self.runtime.block_on(async { timeout(PATIENCE, call).await }), "t0ken");
    }
}

#[test]
fn the_tape_answers_what_was_recorded() {
    let world = WORLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut works = BTreeMap::new();
    for call in &world.calls {
        world.spoil(usize::MAX, false, Vec::new());
        let connection = open(&world.addresses, &world.connectors[call.connector]);
        let context = CallContext::new(Uuid::from_u128(7), false);
        let result = world.runtime.block_on(connection.call(&call.operation, call.input.clone(), context));
        works.insert(call.operation.as_str(), result.is_ok());
    }
    // Else the targets above would only try how errors are read.
    let failed: Vec<_> = works.iter().filter(|(_, works)| !**works).map(|(operation, _)| operation).collect();
    assert!(failed.len() < works.len() / 4, "{failed:?}");
}
