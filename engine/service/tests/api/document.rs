//! The document that describes the API, held against what it answers.

use std::collections::BTreeSet;

use cosell_model::Value;
use jsonschema::Validator;
use reqwest::{Client, Method};
use serde_json::json;

use crate::ALL;
use crate::kept::{Service, TOKEN, service};

/// The schema at this place of the document, with the definitions it mentions.
fn validator(document: &Value, schema: &Value) -> Validator {
    let mut whole = json!({ "components": document["components"] });
    whole.as_object_mut().unwrap().extend(schema.as_object().unwrap().clone());
    jsonschema::validator_for(&whole).unwrap()
}

/// What is asked to see an answer of each operation, and the status that follows.
async fn questions(service: &Service) -> Vec<(&'static str, String, Value, u16)> {
    service.world().broken.insert("second b".to_owned());
    let good = service.run("deal", json!({ "inputs": { "name": "a" } })).await;
    let failed = service.run("deal", json!({ "inputs": { "name": "b" } })).await;
    let (_, slow) = service.post("/flows/slow/runs", json!({ "inputs": { "name": "c" } })).await;
    let hook = Client::new().post(format!("{}/in/picky", service.address)).bearer_auth(TOKEN).json(&json!({ "n": 0 }));
    assert_eq!(hook.send().await.unwrap().status(), 202);
    let none = Value::Null;
    vec![
        ("listRuns", "/runs?most=1&flow=deal".to_owned(), none.clone(), 200),
        ("listRuns", "/runs?colour=red".to_owned(), none.clone(), 400),
        ("listRuns", "/runs?outcome=fine".to_owned(), none.clone(), 400),
        ("listRuns", "/runs?since=yesterday".to_owned(), none.clone(), 400),
        ("listRuns", "/runs?after=x".to_owned(), none.clone(), 400),
        ("listRuns", "/runs?before=x".to_owned(), none.clone(), 400),
        ("listRuns", "/runs?after=MC94&before=MC94".to_owned(), none.clone(), 400),
        ("listRuns", "/runs?most=501".to_owned(), none.clone(), 400),
        ("showRun", format!("/runs/{failed}"), none.clone(), 200),
        ("showRun", format!("/runs/{good}%2Fthird"), none.clone(), 200),
        ("showRun", "/runs/nobody".to_owned(), none.clone(), 404),
        ("watchRun", "/runs/nobody/events".to_owned(), none.clone(), 404),
        ("cancelRun", format!("/runs/{slow}/cancel"), none.clone(), 202),
        ("cancelRun", format!("/runs/{good}/cancel"), none.clone(), 409),
        ("resumeRun", format!("/runs/{good}/resume"), none.clone(), 409),
        ("resumeRun", format!("/runs/{failed}/resume"), json!({ "orignal": true }), 400),
        ("resumeRun", format!("/runs/{failed}/resume"), json!({ "original": true }), 202),
        ("skipSteps", format!("/runs/{failed}/skip"), json!({ "steps": [], "x": "y".repeat(1 << 20) }), 413),
        ("skipSteps", "/runs/nobody/skip".to_owned(), json!({ "steps": ["second"] }), 404),
        ("resubmitRun", format!("/runs/{good}/resubmit"), none.clone(), 202),
        ("listFlows", "/flows".to_owned(), none.clone(), 200),
        ("startRun", "/flows/deal/runs".to_owned(), json!({ "inputs": { "name": 1 } }), 422),
        ("startRun", "/flows/nobody/runs".to_owned(), json!({}), 404),
        ("startRun", "/flows/deal/runs".to_owned(), json!({ "inputs": { "name": "d" } }), 202),
        ("listDeadLetters", "/inbox".to_owned(), none.clone(), 200),
        ("listDeadLetters", "/inbox?after=1&before=1".to_owned(), none.clone(), 400),
        ("retryDeadLetter", "/inbox/77/retry".to_owned(), none.clone(), 404),
        ("status", "/status".to_owned(), none.clone(), 200),
        ("document", "/openapi.json".to_owned(), none, 200),
    ]
}

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let service = service(&ALL, Some(TOKEN)).await;
    let document = service.get("/openapi.json").await;
    let mut asked = BTreeSet::new();
    for (name, path, body, status) in questions(&service).await {
        let (method, operation) = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap())
            .find(|(_, operation)| operation["operationId"] == name)
            .unwrap();
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
        let answer = service.send(method, &format!("/api/v1{path}"), body).await;
        assert_eq!(answer.status().as_u16(), status, "{path}: {}", answer.text().await.unwrap());
        let described = operation["responses"][status.to_string()]["content"].as_object().unwrap();
        let (media, schema) = described.iter().next().unwrap();
        assert_eq!(answer.headers()["content-type"], media.as_str(), "{path}");
        let answer: Value = answer.json().await.unwrap();
        let schema = validator(&document, &schema["schema"]);
        let wrong: Vec<String> = schema.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{path}: {wrong:?} in {answer:#}");
        asked.insert(name);
    }
    let described: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    // What never ends is looked at elsewhere.
    let left: Vec<_> = described.difference(&asked).collect();
    assert_eq!(left, [&"watchRuns"]);
}

#[tokio::test]
async fn nobody_gets_in_without_the_token_and_nobody_at_all_where_there_is_none() {
    let open = service(&ALL, Some(TOKEN)).await;
    let closed = service(&ALL, None).await;
    for (service, shown, status) in
        [(&open, None, 401), (&open, Some("open-sesam"), 401), (&closed, None, 403), (&closed, Some(""), 403)]
    {
        for path in ["/runs", "/status", "/openapi.json", "/nowhere", "/runs/x/cancel"] {
            let request = Client::new().get(format!("{}/api/v1{path}", service.address));
            let request = shown.iter().fold(request, |request, token| request.bearer_auth(token));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{path}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let problem: Value = answer.json().await.unwrap();
            assert!(problem["status"] == status && !problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        }
        for path in ["/health", "/ready", "/metrics"] {
            let answer = Client::new().get(format!("{}{path}", service.address)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
        }
    }
    for (method, path, status) in [(Method::GET, "/api/v1/nowhere", 404), (Method::PUT, "/api/v1/runs", 405)] {
        let answer = open.send(method, path, Value::Null).await;
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.json::<Value>().await.unwrap()["status"], status);
    }
}
