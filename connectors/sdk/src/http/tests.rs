//! The client against a scripted server.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;
use uuid::Uuid;

use super::{Address, Client, Transport, download};
use crate::context::{CallContext, RequestRecord};
use crate::error::{CallError, Meaning};
use crate::sign_in::SignIn;
use crate::stub::{Reply, Stub};

const RETRY: Meaning = Meaning::Retry { after: None };

fn client_at(stub: &Stub, origin: &str) -> Client {
    let transport = Transport::new(None).unwrap();
    let settings = serde_json::from_value(stub.sign_in()).unwrap();
    let sign_in = SignIn::new(&settings, "https://api.example.com", &transport).unwrap();
    let address = Address::new("address", &format!("{origin}/base")).unwrap();
    Client::new("Example", address, Arc::new(sign_in), &transport)
}

fn client(stub: &Stub) -> Client {
    client_at(stub, &stub.origin())
}

fn context() -> CallContext {
    CallContext::new(Uuid::nil(), false)
}

async fn read_and_write(client: &Client) -> (CallError, CallError) {
    async fn both(request: super::Request<'_>) -> CallError {
        match request.send(&context()).await {
            Ok(response) => response.json::<Value>().unwrap_err(),
            Err(error) => error,
        }
    }
    (both(client.get(&["x"])).await, both(client.post(&["x"]).json(json!({ "a": 1 }))).await)
}

#[tokio::test]
async fn a_request_carries_what_it_was_given_and_is_noted() {
    let stub = Stub::start().await;
    stub.on("POST", "/base/things", [Reply::json(201, json!({ "ok": true }))]);
    let context = context();
    let client = client(&stub);
    let request = client.post(&["things"]).query("$select", "a b").header("prefer", "x").json(json!({ "a": 1 }));
    assert_eq!(request.send(&context).await.unwrap().json::<Value>().unwrap(), json!({ "ok": true }));

    let seen = &stub.requests()[0];
    assert_eq!(seen.target, "/base/things?$select=a%20b");
    assert_eq!(seen.header("authorization"), Some("Bearer token-1"));
    assert_eq!(seen.header("prefer"), Some("x"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.json(), json!({ "a": 1 }));
    let noted = &context.requests()[0];
    assert_eq!((noted.method.as_str(), noted.status), ("POST", Some(201)));
    assert_eq!(noted.url, format!("{}/base/things", stub.origin()));
}

#[tokio::test]
async fn nobody_listening_means_retry() {
    let stub = Stub::start().await;
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (read, write) = read_and_write(&client_at(&stub, &format!("http://{unused}"))).await;
    assert_eq!((read.meaning, read.code.as_str()), (RETRY, "not_connected"));
    assert_eq!((write.meaning, write.code.as_str()), (RETRY, "not_connected"));
}

#[tokio::test]
async fn a_lost_answer_leaves_a_writes_outcome_unknown() {
    let stub = Stub::start().await;
    for method in ["GET", "POST"] {
        stub.on(method, "/base/x", [Reply::hang_up(), Reply::json(200, json!({ "a": "bcdef" })).half()]);
    }
    let client = client(&stub);
    for _ in 0..2 {
        let (read, write) = read_and_write(&client).await;
        assert_eq!((read.meaning, write.meaning), (RETRY, Meaning::OutcomeUnknown));
    }
    assert_eq!(stub.requests().len(), 4, "nothing is sent again by itself");
}

#[tokio::test]
async fn a_success_that_cannot_be_read_leaves_a_writes_outcome_unknown() {
    let stub = Stub::start().await;
    for method in ["GET", "POST"] {
        stub.on(
            method,
            "/base/x",
            [
                Reply::bytes(200, "application/json", r#"{"a": "#),
                Reply::bytes(200, "text/html", "{}"),
                Reply::empty(200),
            ],
        );
    }
    let client = client(&stub);
    for _ in 0..3 {
        let (read, write) = read_and_write(&client).await;
        assert_eq!((read.meaning, write.meaning), (RETRY, Meaning::OutcomeUnknown));
        assert_eq!(read.code, "unreadable_answer");
    }
}

#[tokio::test]
async fn refusals_carry_the_remote_code_and_message() {
    let stub = Stub::start().await;
    let throttled = json!({ "statusCode": 429, "message": "Rate limit is exceeded." });
    let stale = json!({ "error": { "code": "preconditionFailed", "message": "m", "innerError": { "code": "resourceModified" } } });
    stub.on(
        "GET",
        "/base/x",
        [
            Reply::json(429, throttled).header("retry-after", "57"),
            Reply::json(412, stale).header("request-id", "r-1"),
            Reply::json(403, json!({ "error": { "code": "accessDenied", "message": "no role" } })),
            Reply::empty(302).header("location", "https://elsewhere.example/"),
        ],
    );
    let client = client(&stub);
    let errors = [0; 4].map(|_| client.get(&["x"]));
    let mut seen = Vec::new();
    for request in errors {
        seen.push(request.send(&context()).await.unwrap_err());
    }
    assert_eq!(seen[0].meaning, Meaning::Retry { after: Some(Duration::from_secs(57)) });
    assert_eq!(seen[0].code, "http_429");
    assert!(seen[0].message.contains("Rate limit is exceeded."), "{}", seen[0].message);
    assert_eq!((seen[1].meaning, seen[1].code.as_str()), (Meaning::Conflict, "resourceModified"));
    assert_eq!(seen[1].details["request_id"], "r-1");
    assert_eq!((seen[2].meaning, seen[2].code.as_str()), (Meaning::SignIn, "accessDenied"));
    assert!(seen[2].message.contains("rights"), "{}", seen[2].message);
    assert_eq!((seen[3].meaning, seen[3].code.as_str()), (Meaning::Rejected, "http_302"));
}

#[tokio::test]
async fn an_allowed_status_is_an_answer() {
    let stub = Stub::start().await;
    assert_eq!(client(&stub).get(&["x"]).allow(404).send(&context()).await.unwrap().status, 404);
}

#[tokio::test]
async fn a_stale_token_is_renewed_and_the_request_sent_once_more() {
    let stub = Stub::start().await;
    let refused = || Reply::json(401, json!({ "error": { "code": "unauthenticated", "message": "expired" } }));
    stub.on("POST", "/base/x", [Reply::json(200, json!({})), refused(), Reply::json(200, json!({})), refused()]);
    let client = client(&stub);
    client.post(&["x"]).send(&context()).await.unwrap();
    let context = context();
    client.post(&["x"]).send(&context).await.unwrap();
    let statuses: Vec<_> = context.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(401), Some(200)]);
    assert_eq!(stub.requests()[2].header("authorization"), Some("Bearer token-2"));

    // Still refused with a token renewed for this very request: a person must act.
    let error = client.post(&["x"]).send(&self::context()).await.unwrap_err();
    assert_eq!((error.meaning, error.code.as_str()), (Meaning::SignIn, "unauthenticated"));
    assert_eq!((stub.requests().len(), stub.token_requests().len()), (5, 3));
}

#[tokio::test]
async fn a_fresh_token_is_not_renewed_and_missing_mfa_neither() {
    let stub = Stub::start().await;
    stub.on(
        "GET",
        "/base/x",
        [
            Reply::json(401, json!({ "error": { "code": "unauthenticated", "message": "expired" } })),
            Reply::json(401, json!({ "code": 900421, "description": "refused" })),
        ],
    );
    let client = client(&stub);
    client.get(&["x"]).send(&context()).await.unwrap_err();
    let error = client.get(&["x"]).send(&context()).await.unwrap_err();
    assert_eq!((error.meaning, error.code.as_str()), (Meaning::SignIn, "900421"));
    assert!(error.message.contains("multi-factor"), "{}", error.message);
    assert_eq!((stub.requests().len(), stub.token_requests().len()), (2, 1));
}

#[tokio::test]
async fn links_are_followed_only_below_the_address() {
    let stub = Stub::start().await;
    stub.on("GET", "/base/x", [Reply::json(200, json!({}))]);
    let client = client(&stub);
    let link = format!("{}/base/x?$skiptoken=a%2Cb", stub.origin()).replace("http://", "https://");
    client.follow(&link).unwrap().send(&context()).await.unwrap();
    assert_eq!(client.without_host(&link).unwrap(), "/base/x?$skiptoken=a%2Cb");
    client.get(&["x"]).query_of("/elsewhere?$skiptoken=c").unwrap().send(&context()).await.unwrap();
    assert_eq!(stub.lines(), ["GET /base/x?$skiptoken=a%2Cb", "GET /base/x?$skiptoken=c"]);
    for bad in ["https://evil.example/base/x", "/other/x"] {
        assert_eq!(client.follow(bad).map(|_| ()).unwrap_err().code, "foreign_link", "{bad}");
    }
}

#[tokio::test]
async fn downloads_are_small_and_come_from_where_they_were_asked() {
    let stub = Stub::start().await;
    stub.on("GET", "/small", [Reply::bytes(200, "application/octet-stream", "12345678")]);
    stub.on("GET", "/moved", [Reply::empty(302).header("location", "/small")]);
    stub.on("GET", "/busy", [Reply::empty(503)]);
    let (url, transport) =
        (|path: &str| Url::parse(&format!("{}{path}", stub.origin())).unwrap(), Transport::new(None).unwrap());
    assert_eq!(download(&url("/small"), 8, &transport).await.unwrap().as_ref(), b"12345678");
    assert_eq!(stub.requests()[0].header("authorization"), None);
    for (path, limit, code) in [
        ("/small", 7, "file_too_large"),
        ("/moved", 8, "not_a_file"),
        ("/absent", 8, "not_a_file"),
        ("/busy", 8, "not_connected"),
    ] {
        assert_eq!(download(&url(path), limit, &transport).await.unwrap_err().code, code, "{path}");
    }
}

/// Answers every request, of tokens as well, with these bytes, and then says no more.
async fn answering(answer: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            kept.push(stream);
        }
    });
    origin
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let stub = Stub::start().await;
    let endless = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000000000\r\n\r\n[";
    let client = client_at(&stub, &answering(endless).await);
    let (read, write) = read_and_write(&client).await;
    assert_eq!((read.meaning, read.code.as_str()), (Meaning::Rejected, "answer_too_large"));
    assert_eq!((write.meaning, write.code.as_str()), (Meaning::OutcomeUnknown, "answer_too_large"));

    let mut sign_in = stub.sign_in();
    sign_in["authority"] = json!(answering(endless).await);
    let sign_in = serde_json::from_value(sign_in).unwrap();
    let sign_in = SignIn::new(&sign_in, "https://api.example.com", &Transport::new(None).unwrap()).unwrap();
    let error = sign_in.token().await.unwrap_err();
    assert!(error.meaning == RETRY && error.message.contains("too large"), "{}", error.message);
}

#[tokio::test]
async fn pages_without_end_are_given_up() {
    let stub = Stub::start().await;
    stub.on("GET", "/base/x", [Reply::json(200, json!({}))]);
    let (client, context) = (client(&stub), context());
    for _ in 0..super::client::MOST_REQUESTS {
        context.note(RequestRecord {
            method: "GET".to_owned(),
            url: "/base/x".to_owned(),
            status: Some(200),
            took: Duration::ZERO,
        });
    }
    let error = client.get(&["x"]).send(&context).await.unwrap_err();
    assert_eq!(
        (error.meaning, error.code.as_str(), stub.requests().len()),
        (Meaning::Rejected, "too_many_requests", 0)
    );
}
