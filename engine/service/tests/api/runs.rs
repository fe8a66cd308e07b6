//! Lists of runs: what is found, page by page.

use cosell_model::Value;
use serde_json::json;

use crate::ALL;
use crate::kept::{Service, TOKEN, service};

async fn ids(service: &Service, query: &str) -> Vec<String> {
    let page = service.get(&format!("/runs?{query}")).await;
    page["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn runs_are_found_by_flow_outcome_key_and_words() {
    let service = service(&ALL, Some(TOKEN)).await;
    service.world().broken.insert("second Contoso 2".to_owned());
    let mut runs = Vec::new();
    for name in ["Contoso 1", "Contoso 2", "Fabrikam's Käse", "Contoso 4"] {
        runs.push(service.run("deal", json!({ "inputs": { "name": name } })).await);
    }
    let newest: Vec<String> = runs.iter().rev().cloned().collect();
    assert_eq!(ids(&service, "").await, newest);
    assert_eq!(ids(&service, "flow=deal&outcome=failed").await, runs[1..2]);
    assert_eq!(ids(&service, "outcome=under_way").await, [""; 0]);
    assert_eq!(ids(&service, "key=Contoso%204").await, runs[3..]);
    assert_eq!(ids(&service, "text=contoso").await, [&*runs[3], &runs[1], &runs[0]]);
    assert_eq!(ids(&service, "text=fabri%20kaes").await, [""; 0]);
    assert_eq!(ids(&service, "text=kase-FABRI").await, runs[2..3], "accents and case make no difference");
    assert_eq!(ids(&service, "text=contoso&outcome=succeeded&most=1").await, runs[3..]);
    assert_eq!(ids(&service, "key=Contoso%204&text=contoso").await, runs[3..]);
    assert_eq!(ids(&service, "until=2020-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(ids(&service, "since=2020-01-01T00:00:00Z").await, newest);
}

#[tokio::test]
async fn pages_follow_each_other_and_end() {
    let service = service(&ALL, Some(TOKEN)).await;
    for name in 0..7 {
        service.run("deal", json!({ "inputs": { "name": format!("deal {name}") } })).await;
    }
    for filter in ["", "text=deal&", "flow=deal&", "outcome=succeeded&"] {
        let all = ids(&service, filter).await;
        let (mut paged, mut next) = (Vec::new(), Some(String::new()));
        let (mut sizes, mut pages) = (Vec::new(), Vec::new());
        while let Some(after) = next {
            let after = if after.is_empty() { String::new() } else { format!("&after={after}") };
            let page = service.get(&format!("/runs?{filter}most=3{after}")).await;
            let runs: Vec<String> =
                page["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect();
            sizes.push(runs.len());
            paged.extend(runs);
            next = page["next"].as_str().map(str::to_owned);
            pages.push(page);
        }
        assert_eq!((paged, sizes), (all, vec![3, 3, 1]), "{filter}");
        for both in pages.windows(2) {
            let previous = both[1]["previous"].as_str().unwrap();
            assert_eq!(service.get(&format!("/runs?{filter}most=3&before={previous}")).await, both[0], "{filter}");
        }
        assert_eq!(pages[0]["previous"], Value::Null);
    }
}

#[tokio::test]
async fn a_run_is_shown_with_its_steps_and_what_it_called() {
    let service = service(&ALL, Some(TOKEN)).await;
    let run = service.run("deal", json!({ "inputs": { "name": "a" } })).await;
    let shown = service.get(&format!("/runs/{run}")).await;
    let steps: Vec<&Value> = shown["steps"].as_array().unwrap().iter().map(|step| &step["path"]).collect();
    assert_eq!(steps, ["first", "second", "third"]);
    assert_eq!(shown["steps"][1]["input"], json!({ "name": "second a" }));
    assert_eq!(shown["output"], json!({ "name": "second a" }));
    assert_eq!(shown["called"][0]["run"], format!("{run}/third"));
    let called = service.get(&format!("/runs/{run}%2Fthird")).await;
    assert_eq!(called["steps"][0]["path"], "third");
}
