//! Watching: what happens while it happens, what is measured, whether the service is ready.

use cosell_model::Value;
use reqwest::{Client, Method, Response};
use serde_json::json;

use crate::ALL;
use crate::kept::{Service, TOKEN, service};

/// The events of an answer until it ends: their names and data.
async fn events(mut response: Response) -> Vec<(String, Value)> {
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let event = |block: &str| {
        let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        Some((line("event: ")?, serde_json::from_str(&line("data: ")?).unwrap()))
    };
    text.split("\n\n").filter_map(event).collect()
}

#[tokio::test]
async fn a_run_is_watched_until_it_has_ended() {
    let service = service(&ALL, Some(TOKEN)).await;
    let (_, run) = service.post("/flows/slow/runs", json!({ "inputs": { "name": "a", "long": "1s" } })).await;
    while service.world().written.is_empty() {
        tokio::task::yield_now().await;
    }
    let path = format!("/api/v1/runs/{run}/events");
    let response = service.send(Method::GET, &path, Value::Null).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let events = events(response).await;
    let (name, first) = &events[0];
    assert!(name == "run" && first["run"] == *run && first["ended"].is_null(), "{first:#}");
    let told: Vec<String> = events[1..]
        .iter()
        .map(|(_, event)| {
            format!("{} {}", event["event"].as_str().unwrap(), event["step"]["path"].as_str().unwrap_or(""))
        })
        .collect();
    let told: Vec<&str> = told.iter().map(|told| told.trim()).filter(|told| !told.ends_with("before")).collect();
    assert_eq!(told, ["step_ended pause", "step_ended after", "run_ended"]);
    assert!(events[1..].iter().all(|(_, event)| event["step"]["output"].is_null()), "outputs are not told");

    let again = service.send(Method::GET, &path, Value::Null).await;
    assert_eq!(self::events(again).await.len(), 1, "a run that has ended is shown, and that is all");
}

/// The value of a measurement.
fn measured(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

async fn metrics(service: &Service) -> String {
    let response = service.send(Method::GET, "/metrics", Value::Null).await;
    response.text().await.unwrap()
}

#[tokio::test]
async fn what_happens_is_counted_and_timed() {
    let service = service(&ALL, Some(TOKEN)).await;
    service.world().broken.insert("third b".to_owned());
    for name in ["a", "b"] {
        service.run("deal", json!({ "inputs": { "name": name } })).await;
    }
    let hook = Client::new().post(format!("{}/in/picky", service.address)).json(&json!({ "n": 0 }));
    assert_eq!(hook.send().await.unwrap().status(), 202);
    let text = metrics(&service).await;
    for (name, value) in [
        ("cosell_runs_total{flow=\"deal\",outcome=\"succeeded\"}", 1.0),
        ("cosell_runs_total{flow=\"deal\",outcome=\"failed\"}", 1.0),
        ("cosell_run_seconds_count{flow=\"deal\"}", 2.0),
        ("cosell_steps_total{operation=\"book.write\",outcome=\"succeeded\"}", 5.0),
        ("cosell_steps_total{operation=\"book.write\",outcome=\"failed\"}", 1.0),
        ("cosell_attempts_total{operation=\"book.write\"}", 6.0),
        ("cosell_retries_total", 0.0),
        ("cosell_events_total{flow=\"deal\",result=\"new\"}", 2.0),
        ("cosell_events_total{flow=\"picky\",result=\"unusable\"}", 1.0),
        ("cosell_http_requests_total{route=\"/api/v1/flows/{flow}/runs\",status=\"202\"}", 2.0),
        ("cosell_http_requests_total{route=\"/in/{*path}\",status=\"202\"}", 1.0),
        ("cosell_dead_letters", 1.0),
        ("cosell_events_open", 0.0),
        ("cosell_runs_in_memory", 0.0),
        ("cosell_lag_seconds", 0.0),
    ] {
        assert_eq!(measured(&text, name), value, "{name}");
    }
    assert!(measured(&text, "cosell_journal_commit_seconds_count") > 0.0);
    assert!(measured(&text, "cosell_journal_bytes") > 4096.0);
    assert!(!text.contains("third b"), "no label is what a run was given");
}

#[tokio::test]
async fn a_service_that_is_to_end_lives_and_is_not_ready() {
    let service = service(&ALL, Some(TOKEN)).await;
    service.dispatcher.stop();
    assert_eq!(service.send(Method::GET, "/health", Value::Null).await.status(), 200);
    let refused = service.send(Method::GET, "/ready", Value::Null).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "30"));
    assert_eq!(service.get("/status").await["stopping"], true);
    let (status, _) = service.post("/flows/deal/runs", json!({ "inputs": { "name": "a" } })).await;
    assert_eq!(status, 503);
}
