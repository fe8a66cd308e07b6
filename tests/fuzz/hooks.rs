//! What is sent to us: requests to the web hooks of connectors and to plain ones, over HTTP. Each gets an answer.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bolero::check;
use cosell_compile::compile;
use cosell_compile::source::{Layer, SourceFile};
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, Value};
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::memory::Engine;
use cosell_runtime::record::Nobody;
use cosell_sdk::settings::Secret;
use cosell_service::entrances::Entrances;
use cosell_service::hooks::{Hooks, Listening};
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::change::{Change, Lasting, changed, one};

const PATIENCE: Duration = Duration::from_secs(15);

const FLOWS: &str = "
flow: saved
trigger: { use: dataverse.row_saved, with: { table: opportunity, columns: [name] } }
key: ${{ trigger.id }}
steps: {}
output: ${{ trigger.columns }}
";

const ENTRANCE: &str = "
flow: entrance
trigger: { use: http, with: { path: orders/new, methods: [POST, PUT], headers: [X-Shop], secret: { env: SHOP } } }
steps:
  answer: { respond: { status: 200, headers: { x-id: \"${{ trigger.query.id }}\" }, body: \"${{ trigger }}\" } }
";

/// A call as Dataverse makes it (RemoteExecutionContext), in short.
fn call() -> Value {
    let key = |key: &str, value: Value| json!({ "key": key, "value": value });
    json!({
        "MessageName": "Update", "PrimaryEntityName": "opportunity", "Depth": 1, "Mode": 1,
        "PrimaryEntityId": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "UserId": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a11",
        "OperationId": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a12", "OperationCreatedOn": "/Date(1506409448000-0700)/",
        "InputParameters": [key("Target", json!({
            "__type": "Entity:http://schemas.microsoft.com/xrm/2011/Contracts", "LogicalName": "opportunity",
            "Id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10",
            "Attributes": [
                key("name", json!("Deal")), key("estimatedvalue", json!({ "Value": 5000.0 })),
                key("createdon", json!("/Date(1506409448000)/")),
                key("customerid", json!({ "Id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a13", "LogicalName": "account" })),
            ],
        }))],
        "OutputParameters": [key("id", json!("c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10"))], "SharedVariables": [],
    })
}

struct World {
    runtime: Runtime,
    http: reqwest::Client,
    dispatcher: Dispatcher,
    address: String,
    _hooks: Hooks,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let _inside = runtime.enter();
        let dataverse = cosell_dataverse::connector();
        let file = |text: &str| SourceFile { path: "flow.yaml".to_owned(), text: text.to_owned(), layer: Layer::Own };
        let catalogue = Catalogue::new([dataverse.description().clone()]);
        let compiled = compile(vec![file(FLOWS), file(ENTRANCE)], &catalogue, &BTreeMap::new());
        assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
        let nowhere = json!({
            "address": "http://127.0.0.1:9", "webhook_secret": "known",
            "sign_in": { "authority": "http://127.0.0.1:9", "tenant": "t", "client_id": "c", "client_secret": "s" },
        });
        let connections = BTreeMap::from([("dataverse".to_owned(), dataverse.open(nowhere).unwrap())]);
        let engine = Engine::new(compiled.plans, connections, Retry::NONE);
        let dispatcher = Dispatcher::new(Arc::new(engine), Arc::new(Nobody));
        let entrances = Entrances::of(&dispatcher.engine(), |_| Ok(Secret::from("known".to_owned()))).unwrap();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let hooks = runtime
            .block_on(Hooks::listen(loopback, dispatcher.clone(), Listening { entrances, ..Listening::default() }))
            .unwrap();
        let address = hooks.url("").trim_end_matches("/hooks/").to_owned();
        Self { http: reqwest::Client::new(), dispatcher, address, _hooks: hooks, runtime }
    }
}

#[test]
fn any_request() {
    let world = Lasting(World::new());
    check!().with_type::<(bool, u8, u16, Vec<Change>)>().for_each(|(is_call, part, place, changes)| {
        let (method, path, secret, body) = if *is_call {
            ("POST", "/hooks/dataverse".to_owned(), ("x-cosell-key", "known"), call().to_string().into_bytes())
        } else {
            let kind = if place % 2 == 0 { "POST" } else { "PUT" };
            let body = json!({ "id": 7, "lines": [{ "sku": "A", "count": 2 }] }).to_string().into_bytes();
            (kind, "/in/orders/new?id=7&x=%20y".to_owned(), ("authorization", "Bearer known"), body)
        };
        let mut headers = vec![
            (secret.0, secret.1.as_bytes().to_vec()),
            ("content-type", b"application/json".to_vec()),
            ("x-shop", b"north".to_vec()),
            ("x-ms-dynamics-msg-size-exceeded", b"false".to_vec()),
        ];
        let (mut path, mut body) = (path, body);
        match part % 4 {
            0 => path = format!("/{}", String::from_utf8_lossy(&changed(&path.as_bytes()[1..], changes))),
            1 => {
                let at = usize::from(*place) % headers.len();
                headers[at].1 = changed(&headers[at].1, changes);
            }
            // Of what is larger than it may be the rest is not even taken, which the sender may see as a broken connection.
            _ => body = changed(&body, changes),
        }
        body.truncate(500_000);
        let knows = headers[0].1 == secret.1.as_bytes();
        let url = format!("{}{path}", world.address);
        let mut request = world.http.request(method.parse().unwrap(), url).body(body);
        for (name, value) in headers {
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            request = request.header(HeaderName::from_static(name), value);
        }
        let status = world.runtime.block_on(async {
            let answer = timeout(PATIENCE, request.send()).await.expect("nobody waits for ever");
            timeout(PATIENCE, world.dispatcher.idle()).await.expect("every run ends");
            match answer {
                Ok(answer) => answer.status().as_u16(),
                // What is no address cannot be sent at all.
                Err(error) if error.is_builder() => 400,
                Err(error) => panic!("not answered: {:?}", error.without_url()),
            }
        });
        assert!(knows || status >= 400, "{status} without the secret");
        assert_ne!(status, 500);
    });
}

#[test]
fn any_bytes() {
    let world = Lasting(World::new());
    let genuine = "POST /hooks/dataverse HTTP/1.1\r\nhost: x\r\nx-cosell-key: known\r\ncontent-length: 41\r\n\r\n{\"MessageName\":\"Update\",\"a\":[1,2,null,{}]}";
    let chunked = "PUT /in/orders/new?id=1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer known\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n";
    let samples = [genuine, chunked];
    check!().with_type::<(u16, Vec<Change>)>().for_each(|(which, changes)| {
        let bytes = changed(one(&samples, *which), changes);
        world.runtime.block_on(async {
            let mut stream = TcpStream::connect(world.address.trim_start_matches("http://")).await.unwrap();
            let _ = stream.write_all(&bytes).await;
            // Whoever says no more is not waited for.
            let _ = stream.shutdown().await;
            let answered = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
            assert!(answered.is_ok(), "the connection is neither answered nor closed");
        });
    });
    let alive = world.runtime.block_on(world.http.get(format!("{}/hooks/dataverse", world.address)).send()).unwrap();
    assert_eq!(alive.status().as_u16(), 405);
}
