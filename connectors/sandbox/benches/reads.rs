//! How many simple reads a second the sandbox serves: it must never be what another benchmark measures.
//!
//! `cargo bench -p cosell-sandbox` prints one line a kind of read; the aim is 2,000 a second on two cores, the client
//! included. The client is threads with a socket each, so that it costs little itself. Nothing here asserts on a clock.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use cosell_sandbox::{Addresses, Options, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

/// Connections, each kept open by a thread of its own.
const CONNECTIONS: usize = 8;

fn main() {
    // `cargo test` builds and runs benchmarks too, with another flag: then a moment of each must do.
    let measured = std::env::args().any(|argument| argument == "--bench");
    let time = Duration::from_millis(if measured { 3000 } else { 20 });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(Options::default())).unwrap();
    let addresses = sandbox.addresses();
    for (name, url, token) in runtime.block_on(prepare(addresses)) {
        let rate = rate(&url, &token, time);
        println!("{name:<40} {rate:>9.0} requests a second");
    }
    runtime.block_on(sandbox.stop());
}

/// What is read: a name, an address and the token for it.
async fn prepare(addresses: &Addresses) -> Vec<(&'static str, String, String)> {
    let http = reqwest::Client::new();
    let token = async |fields: &[(&str, &str)]| {
        let mut form =
            vec![("client_id", addresses.client_id.as_str()), ("client_secret", addresses.client_secret.as_str())];
        form.extend_from_slice(fields);
        let url = format!("{}/{}/oauth2/token", addresses.entra, addresses.tenant);
        let answer: Value = http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let app = token(&[("grant_type", "client_credentials"), ("resource", &addresses.dataverse)]).await;
    let user = token(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &addresses.refresh_token),
        ("resource", "https://api.partner.microsoft.com"),
    ])
    .await;
    let control = async |method: Method, path: &str, body: Value| -> Value {
        let url = format!("{}{path}", addresses.control);
        http.request(method, url).json(&body).send().await.unwrap().json().await.unwrap()
    };
    // The documented limit of requests would end the measurement before it has begun.
    let unlimited = json!({ "requests": 1_000_000_000, "execution_ms": 1_000_000_000, "concurrent": 1000 });
    control(Method::PUT, "/dataverse/limits", unlimited).await;
    let mut row = Value::Null;
    let mut referral = Value::Null;
    for _ in 0..50 {
        row = control(Method::POST, "/crm/rows/accounts", json!({ "name": "Contoso" })).await;
        referral = control(Method::POST, "/seller/referrals", json!({})).await;
    }
    let (row, referral) = (row["id"].as_str().unwrap(), referral["id"].as_str().unwrap());
    let rows = format!("{}/api/data/v9.2/accounts", addresses.dataverse);
    let referrals = format!("{}/referrals", addresses.partner_center);
    vec![
        ("Dataverse, one row", format!("{rows}({row})?$select=name"), app.clone()),
        ("Dataverse, ten rows by a filter", format!("{rows}?$filter=name%20eq%20'Contoso'&$top=10"), app),
        ("Partner Center, one referral", format!("{referrals}/{referral}"), user.clone()),
        ("Partner Center, ten referrals", format!("{referrals}?$top=10"), user),
    ]
}

/// Requests a second over all connections, for about `time`.
fn rate(url: &str, token: &str, time: Duration) -> f64 {
    let start = Instant::now();
    let reads: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| read_for(url, token, start + time))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    reads as f64 / start.elapsed().as_secs_f64()
}

/// Reads `url` again and again over one connection; how often.
fn read_for(url: &str, token: &str, end: Instant) -> usize {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut body, mut reads) = (String::new(), Vec::new(), 0);
    while Instant::now() < end {
        stream.write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        line.clear();
        answers.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        loop {
            line.clear();
            answers.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        body.resize(length, 0);
        answers.read_exact(&mut body).unwrap();
        reads += 1;
    }
    reads
}
