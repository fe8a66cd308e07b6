//! Repairs: what worked is not done twice, what cannot be done is said in words.

use cosell_model::Value;
use reqwest::Client;
use serde_json::json;

use crate::ALL;
use crate::kept::{TOKEN, service};

const NONE: Value = Value::Null;

#[tokio::test]
async fn a_failed_run_is_resumed_where_it_failed() {
    let service = service(&ALL, Some(TOKEN)).await;
    service.world().broken.insert("third a".to_owned());
    let run = service.run("deal", json!({ "inputs": { "name": "a" } })).await;
    let shown = service.get(&format!("/runs/{run}")).await;
    assert_eq!((&shown["outcome"], &shown["life"]), (&json!("failed"), &json!(0)));
    assert_eq!(shown["failure"]["step"], "third/third");

    service.world().broken.clear();
    assert_eq!(service.post(&format!("/runs/{run}/resume"), NONE).await, (202, run.clone()));
    service.dispatcher.idle().await;
    let shown = service.get(&format!("/runs/{run}")).await;
    assert_eq!((&shown["outcome"], &shown["life"]), (&json!("succeeded"), &json!(1)));
    assert_eq!(shown["steps"].as_array().unwrap().len(), 3, "only what the last life did is shown");
    assert_eq!(service.world().written, ["first a", "second a", "third a"]);

    let (status, why) = service.post(&format!("/runs/{run}/resume"), NONE).await;
    assert!(status == 409 && why.contains("nothing to resume"), "{why}");
    let (status, why) = service.post(&format!("/runs/{run}%2Fthird/resume"), NONE).await;
    assert!(status == 409 && why.contains("resume the one that called it"), "{why}");
}

#[tokio::test]
async fn a_step_that_cannot_work_is_skipped() {
    let service = service(&ALL, Some(TOKEN)).await;
    service.world().broken.insert("third a".to_owned());
    let run = service.run("deal", json!({ "inputs": { "name": "a" } })).await;
    let (status, why) = service.post(&format!("/runs/{run}/skip"), json!({ "steps": ["thrid"] })).await;
    assert_eq!(
        (status, &*why),
        (422, "the run has called no step `thrid`; it has called `first`, `second`, `third`, `third/third`")
    );
    assert_eq!(service.post(&format!("/runs/{run}/skip"), json!({ "steps": ["third/third"] })).await.0, 202);
    service.dispatcher.idle().await;
    assert_eq!(service.get(&format!("/runs/{run}")).await["outcome"], "succeeded");
    assert_eq!(service.world().written, ["first a", "second a"]);
}

#[tokio::test]
async fn a_run_is_started_anew_from_what_started_it() {
    let service = service(&ALL, Some(TOKEN)).await;
    let run = service.run("deal", json!({ "inputs": { "name": "a" }, "trigger": { "by": "hand" } })).await;
    let (status, again) = service.post(&format!("/runs/{run}/resubmit"), NONE).await;
    service.dispatcher.idle().await;
    assert!(status == 202 && again != run);
    let shown = service.get(&format!("/runs/{again}")).await;
    assert_eq!((&shown["inputs"], &shown["trigger"]), (&json!({ "name": "a" }), &json!({ "by": "hand" })));
    assert_eq!(service.world().written.len(), 6);
}

#[tokio::test]
async fn a_run_is_cancelled_on_its_way() {
    let service = service(&ALL, Some(TOKEN)).await;
    let (_, run) = service.post("/flows/slow/runs", json!({ "inputs": { "name": "a" } })).await;
    while service.world().written.is_empty() {
        tokio::task::yield_now().await;
    }
    let (status, why) = service.post(&format!("/runs/{run}/resume"), NONE).await;
    assert!(status == 409 && why.contains("under way"), "{why}");
    assert_eq!(service.post(&format!("/runs/{run}/cancel"), NONE).await.0, 202);
    service.dispatcher.idle().await;
    assert_eq!(service.get(&format!("/runs/{run}")).await["outcome"], "cancelled");
    assert_eq!(service.world().written, ["before a"]);
    assert_eq!(service.post("/runs/nobody/cancel", NONE).await.0, 404);
}

#[tokio::test]
async fn what_became_no_run_says_why_and_becomes_one_when_it_is_tried_again() {
    let service = service(&ALL, Some(TOKEN)).await;
    let hook = Client::new().post(format!("{}/in/picky", service.address)).json(&json!({ "n": 0 }));
    assert_eq!(hook.send().await.unwrap().status(), 202);
    let begin = json!({ "inputs": { "name": "a" } });
    let (_, first) = service.post("/flows/slow/runs", begin.clone()).await;
    let (_, waits) = service.post("/flows/slow/runs", begin).await;
    assert_eq!(service.post(&format!("/runs/{waits}/cancel"), NONE).await.0, 202);

    let letters = service.get("/inbox").await["letters"].clone();
    let [cancelled, unusable] = &letters.as_array().unwrap()[..] else { panic!("{letters:#}") };
    assert_eq!((&cancelled["run"], &cancelled["reason"]), (&json!(waits), &json!("cancelled by a person")));
    assert_eq!((&unusable["flow"], &unusable["trigger"]["body"]), (&json!("picky"), &json!({ "n": 0 })));

    let retry = |letter: &Value| format!("/inbox/{}/retry", letter["number"]);
    let (status, why) = service.post(&retry(unusable), NONE).await;
    assert!(status == 422 && unusable["reason"].as_str().unwrap().contains(&why), "{why} {unusable:#}");
    let (status, again) = service.post(&retry(cancelled), NONE).await;
    assert_eq!(status, 202, "{again}");
    service.journal.flushed().await.unwrap();
    assert_eq!(service.post(&retry(cancelled), NONE).await.0, 404, "once is enough");
    assert_eq!(service.get("/status").await["waits"]["dead"], 1);
    for run in [first, again] {
        assert_eq!(service.post(&format!("/runs/{run}/cancel"), NONE).await.0, 202);
    }
    service.dispatcher.idle().await;
}
