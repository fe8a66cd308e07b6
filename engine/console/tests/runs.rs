//! Runs over HTTP: lists, one run, two side by side, and what can be done with them.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cosell_model::{Failure, FlowId, Outcome, Value};
use cosell_runtime::core::event::{Event, Happening};
use cosell_runtime::keep::{Began, Keeper, Kept, Turn};
use cosell_runtime::record::{RunRecord, StepRecord};
use cosell_sdk::RequestRecord;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;
use support::book::{book, lock};
use support::{Made, Stand};

const DEAL: &str = r#"
flow: deal
title: Write the <i>line</i>
trigger: { use: manual, inputs: { name: text } }
key: ${{ inputs.name }}
steps:
  line: { title: The line as it is, use: book.get, with: { id: "${{ inputs.name }}" } }
  secret: { use: book.get, with: { id: plover }, sensitive: true }
  helper: { call: helper, with: { name: "${{ inputs.name }}" } }
  after: { let: { done: "${{ steps.helper }}" } }
"#;

const HELPER: &str = r#"
flow: helper
trigger: { use: call, inputs: { name: text } }
steps:
  known: { use: book.get, with: { id: "${{ inputs.name }}" } }
  write: { use: book.update, with: { id: "${{ inputs.name }}", values: { text: "${{ steps.known.pages }} new", extra: 1 } } }
output: ${{ steps.write.changed }}
"#;

const WAIT: &str = r#"
flow: slow
trigger: { use: manual, inputs: { name: text } }
key: slow
steps:
  rest: { wait: 1h }
"#;

async fn stand(number: usize) -> Stand {
    let (connectors, connections) = book(number);
    let files = vec![("deal.yaml", DEAL), ("helper.yaml", HELPER), ("slow.yaml", WAIT)];
    Made { files, connectors, connections, ..Made::default() }.stand().await
}

#[tokio::test]
async fn filters_stand_in_the_address_and_pages_follow_each_other() {
    let stand = stand(0).await;
    let visitor = stand.visitor().await;
    assert!(visitor.page("/console/runs").await.contains("Nothing has run yet."));
    for at in 0..52 {
        stand.run("deal", json!({ "name": format!("line{at}") })).await;
    }
    let page = visitor.page("/console/runs").await;
    assert_eq!(page.matches("name=\"run\"").count(), 50);
    assert!(
        page.contains("data-news=\"/console/events\"") && page.contains("<bdi>Write the &lt;i&gt;line&lt;/i&gt;</bdi>")
    );
    let older =
        page.split("href=\"").map(|rest| rest.split('"').next().unwrap()).find(|to| to.contains("after=")).unwrap();
    let page = visitor.page(older).await;
    assert_eq!(
        (page.matches("name=\"run\"").count(), page.contains("rel=\"first\""), page.contains("data-news")),
        (2, true, false)
    );
    let newer = page.split("rel=\"prev\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let page = visitor.page(newer).await;
    assert_eq!((page.matches("name=\"run\"").count(), page.contains("rel=\"prev\"")), (50, false), "{newer}");
    assert!(page.contains("rel=\"first\"") && page.contains(&format!("href=\"{older}\"")), "{newer}");

    let page = visitor.page("/console/runs?flow=deal&outcome=succeeded&key=line7&text=&since=2026-01-01T00:00").await;
    assert_eq!(page.matches("name=\"run\"").count(), 1);
    assert!(page.contains("value=\"deal\" selected") && page.contains("value=\"2026-01-01T00:00:00\""), "{page}");
    let page = visitor.page("/console/runs?text=%22%3Cb%3E").await;
    assert!(page.contains("No run is like that.") && !page.contains("<b>"), "{page}");
    for wrong in ["outcome=fine", "since=yesterday", "after=x", "colour=%3Cb%3E"] {
        let (status, page) = visitor.look(&format!("/console/runs?{wrong}")).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(page.contains("role=\"alert\"") && page.contains("name=\"key\"") && !page.contains("<b>"), "{page}");
    }
}

#[tokio::test]
async fn a_run_is_shown_with_its_picture_its_steps_and_what_it_wrote() {
    let stand = stand(1).await;
    let visitor = stand.visitor().await;
    let first = stand.run("deal", json!({ "name": "o1" })).await;
    let run = stand.run("deal", json!({ "name": "o1" })).await;
    let page = visitor.page(&format!("/console/runs/{run}")).await;
    assert!(
        page.contains("id=\"p-node-line\"") && page.contains("href=\"#step-helper\""),
        "the picture leads to the steps"
    );
    assert!(page.contains("id=\"helper-node-write\""), "the called flow has a picture of its own");
    for step in ["line", "helper", "helper/known", "helper/write", "after"] {
        assert_eq!(page.matches(&format!("id=\"step-{step}\"")).count(), 1, "{step}");
    }
    assert!(page.contains(&format!("/console/runs/compare?left={first}&amp;right={run}")), "{page}");
    assert!(page.contains("The flow keeps the output secret") && !page.contains("plover"));
    assert!(!page.contains("<script>old()") && !page.contains("<i>"), "{page}");
    let written = page.split("What was written, field by field").nth(1).unwrap().split("</table>").next().unwrap();
    assert!(written.contains("<del><bdi>&lt;script&gt;old()&lt;/script&gt;</bdi></del>"), "{written}");
    assert!(written.contains("<bdi>3 new</bdi>") && written.contains("not known"), "{written}");
    assert!(page.contains("?open=helper%2Fknown\"><code>"), "where the old value is from");
    for offered in ["resume", "skip", "cancel"] {
        assert!(!page.contains(&format!("{run}/{offered}")), "{offered}");
        assert_eq!(visitor.look(&format!("/console/runs/{run}/{offered}")).await.0, 409, "{offered}");
    }
    assert!(page.contains(&format!("{run}/resubmit")));

    let alone = visitor.page(&format!("/console/runs/{run}?open=helper%2Fwrite")).await;
    assert!(alone.contains("Step <bdi>helper/write</bdi>") && !alone.contains("id=\"step-line\""));
    let (status, _) = visitor.look(&format!("/console/runs/{run}?open=nobody")).await;
    assert_eq!(status, 404);
    let called = visitor.request(Method::GET, &format!("/console/runs/{run}%2Fhelper")).send().await.unwrap();
    assert_eq!(called.headers()["location"], format!("/console/runs/{run}?open=helper").as_str());
    let (status, page) = visitor.look("/console/runs/%3Cb%3Enobody").await;
    assert!(status == 404 && page.contains("&lt;b&gt;nobody") && !page.contains("<b>"), "{page}");

    let answer = visitor.request(Method::GET, &format!("/console/runs/{run}/json")).send().await.unwrap();
    assert_eq!(answer.headers()["content-disposition"], format!("attachment; filename=\"run-{run}.json\"").as_str());
    let whole: Value = answer.json().await.unwrap();
    assert_eq!((whole["run"].as_str(), whole["steps"].as_array().unwrap().len()), (Some(&*run), 4));
    assert_eq!(whole["called"][0]["run"], format!("{run}/helper"));
    assert_eq!(whole["called"][0]["steps"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_failed_run_is_resumed_skipped_or_done_again_after_a_question() {
    let stand = stand(2).await;
    let visitor = stand.visitor().await;
    lock(2, true);
    let run = stand.run("deal", json!({ "name": "o1" })).await;
    let other = stand.run("deal", json!({ "name": "o2" })).await;
    let page = visitor.page(&format!("/console/runs/{run}")).await;
    assert!(page.contains("Why it failed") && page.contains("?open=helper%2Fwrite"), "{page}");
    assert!(page.contains("is &lt;b&gt;locked&lt;/b&gt;") && page.contains("Was to be written"), "{page}");
    assert!(page.contains("what worked is not done again"));
    let question = visitor.page(&format!("/console/runs/{run}/skip?step=helper%2Fwrite")).await;
    assert!(question.contains("value=\"helper/write\" checked"), "{question}");
    assert!(question.contains("value=\"helper\"") && !question.contains("value=\"helper\" checked"), "{question}");

    let (status, said) = visitor.act(&format!("/console/runs/{other}/skip"), &[]).await;
    assert!(status == 422 && said.contains("No step was chosen."), "{said}");
    let (status, to) = visitor.act(&format!("/console/runs/{other}/skip"), &[("step", "helper/write")]).await;
    assert_eq!((status, to.as_str()), (303, format!("/console/runs/{other}?done=skip").as_str()));
    lock(2, false);
    assert!(visitor.page(&format!("/console/runs/{run}/resume")).await.contains("is not done again"));
    let (status, to) = visitor.act(&format!("/console/runs/{run}/resume"), &[("original", "no")]).await;
    assert_eq!((status, to.as_str()), (303, format!("/console/runs/{run}?done=resume").as_str()));
    stand.dispatcher.idle().await;
    stand.journal.flushed().await.unwrap();
    let page = visitor.page(&to).await;
    assert!(page.contains("It goes on.") && page.contains("known from before") && page.contains("begun again once"));
    assert!(page.contains("data-news=\"/console/events\""), "it may just be about to begin");
    let page = visitor.page(&format!("/console/runs/{other}")).await;
    assert!(page.contains("Counts as done") && !page.contains("Why it failed"), "{page}");

    assert!(visitor.page(&format!("/console/runs/{run}/resubmit")).await.contains("Everything is done again"));
    let (status, to) = visitor.act(&format!("/console/runs/{run}/resubmit"), &[]).await;
    assert!(status == 303 && !to.contains(&run), "{to}");
    stand.dispatcher.idle().await;
    stand.journal.flushed().await.unwrap();
    assert!(visitor.page(&to).await.contains("This is the new run."));
}

#[tokio::test]
async fn a_run_under_way_is_followed_and_cancelled_and_one_that_waits_becomes_a_letter() {
    let stand = stand(3).await;
    let visitor = stand.visitor().await;
    let run = stand.api.start("slow", Value::Null, json!({ "name": "a" })).await.unwrap().run;
    let waits = stand.api.start("slow", Value::Null, json!({ "name": "b" })).await.unwrap().run;
    let page = until(&visitor, &format!("/console/runs/{run}"), "id=\"picture\"").await;
    assert!(page.contains(&format!("data-news=\"/console/runs/{run}/events\" data-until=\"{run}\"")), "{page}");
    assert!(page.contains("Under way") && page.contains(&format!("{run}/cancel")) && !page.contains("/resubmit"));
    let page = visitor.page(&format!("/console/runs/{waits}")).await;
    assert!(page.contains("It waits for its turn.") && page.contains("data-news=\"/console/events\""), "{page}");

    assert!(visitor.page(&format!("/console/runs/{waits}/cancel")).await.contains("It does not begin."));
    let (status, to) = visitor.act(&format!("/console/runs/{waits}/cancel"), &[]).await;
    assert_eq!((status, to.as_str()), (303, "/console/runs/dead"));
    assert!(visitor.page(&format!("/console/runs/{run}/cancel")).await.contains("nothing is undone"));
    let (status, to) = visitor.act(&format!("/console/runs/{run}/cancel"), &[]).await;
    assert_eq!((status, to.as_str()), (303, format!("/console/runs/{run}?done=cancel").as_str()));
    stand.dispatcher.idle().await;
    stand.journal.flushed().await.unwrap();
    let page = visitor.page(&format!("/console/runs/{run}")).await;
    assert!(
        page.contains("Cancelled") && page.contains(&format!("{run}/resume")) && !page.contains(&format!("{run}/skip"))
    );

    let page = visitor.page("/console/runs/dead").await;
    assert!(page.contains("cancelled by a person") && page.contains("Try again…"), "{page}");
    let way =
        page.split("href=\"").map(|rest| rest.split('"').next().unwrap()).find(|to| to.ends_with("/retry")).unwrap();
    assert!(visitor.page(way).await.contains("Try this event again?"));
    let (status, to) = visitor.act(way, &[]).await;
    assert!(status == 303 && to.starts_with("/console/runs/"), "{to}");
    until(&visitor, "/console/runs/dead", "Every event became a run.").await;
    stand.api.cancel(to.rsplit('/').next().unwrap().to_owned()).await.unwrap();
    assert_eq!(visitor.look(way).await.0, 404);
    assert_eq!(visitor.look("/console/runs/dead?after=x").await.0, 400);
}

/// The page, once it says this.
async fn until(visitor: &support::Browser, path: &str, says: &str) -> String {
    for _ in 0..200 {
        let (_, page) = visitor.look(path).await;
        if page.contains(says) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{path} never says {says}");
}

#[tokio::test]
async fn two_runs_stand_side_by_side() {
    let stand = stand(4).await;
    let visitor = stand.visitor().await;
    let good = stand.run("deal", json!({ "name": "o1" })).await;
    lock(4, true);
    let bad = stand.run("deal", json!({ "name": "o2" })).await;
    let page = visitor.page(&format!("/console/runs/compare?run={bad}&run={good}")).await;
    let (left, right) = (page.find(&good[good.len() - 8..]).unwrap(), page.find(&bad[bad.len() - 8..]).unwrap());
    assert!(left < right, "the older stands on the left");
    assert!(page.contains("<code><bdi>helper/write</bdi></code>") && page.contains("<bdi>o1</bdi>"), "{page}");
    assert!(!page.contains("helper/nobody") && !page.contains("<b>locked"), "{page}");
    let page = visitor.page(&format!("/console/runs/compare?left={good}&right={good}")).await;
    assert!(page.contains("Both did the same, step by step."), "{page}");
    let page = visitor.page(&format!("/console/runs/compare?left={good}&right={good}&all=yes")).await;
    assert!(page.contains("The line as it is"), "{page}");
    for (wrong, status) in [("", 400), ("?run=a", 400), ("?run=a&run=b&run=c", 400), ("?run=a&run=b", 404)] {
        assert_eq!(visitor.look(&format!("/console/runs/compare{wrong}")).await.0, status, "{wrong}");
    }
}

/// A run of a flow that there no longer is, with these steps.
async fn kept(stand: &Stand, id: &str, steps: Vec<StepRecord>) {
    let flow = FlowId::new("gone");
    let began = Began {
        run: id.to_owned(),
        flow: flow.clone(),
        version: "0".to_owned(),
        plan: 0,
        key: Some("</title><b>".to_owned()),
        trigger: json!("{\"broken\": [1, <b>"),
        inputs: Value::Null,
        left_out: 2,
        life: 0,
        skipped: Vec::new(),
        at: Timestamp::now(),
    };
    stand.journal.began(began);
    let event = Kept { event: Event { at: Timestamp::now(), kind: Happening::Interrupted }, hidden: false };
    stand.journal.turned(Turn { run: id.to_owned(), life: 0, number: 0, event, steps, claims: Vec::new() });
    stand.journal.ended(&RunRecord {
        id: id.to_owned(),
        flow,
        outcome: Outcome::Succeeded,
        left_out: 2,
        output: json!("\"".repeat(100_000)),
        failure: None,
        answer: None,
        began: Timestamp::now(),
        took: Duration::ZERO,
    });
    stand.journal.settled(id).await.unwrap();
    stand.journal.flushed().await.unwrap();
}

#[tokio::test]
async fn thousands_of_huge_hostile_steps_make_a_small_page() {
    let stand = stand(5).await;
    let visitor = stand.visitor().await;
    let step = |at: usize| StepRecord {
        path: format!("step_{at}"),
        title: format!("<script>{at}</script>\u{202e}"),
        kind: "use".into(),
        target: Some("book.update\"><b>".to_owned()),
        outcome: if at.is_multiple_of(2) { Outcome::Succeeded } else { Outcome::Failed },
        skipped: None,
        failure: (!at.is_multiple_of(2)).then(|| Arc::new(Failure::new("<b>", "&<b>".repeat(1_000)))),
        input: Arc::new(json!({ "id": at, "values": { "<b>": "\"".repeat(300) } })),
        output: Arc::new(json!("<b>\"&".repeat(200))),
        attempts: 3,
        took: Duration::from_millis(7),
        requests: vec![
            RequestRecord {
                method: "GET".to_owned(),
                url: "https://<b>.example".repeat(20),
                status: None,
                took: Duration::ZERO,
            };
            if at < 200 { 30 } else { 0 }
        ],
    };
    kept(&stand, "huge", (0..3_000).map(step).collect()).await;
    let page = visitor.page("/console/runs/huge").await;
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(!page.contains("<b>") && !page.contains("<script>0"), "all of it is text");
    assert!(page.contains("only the steps that are kept") && page.contains("tried 3 times"));
    assert!(page.contains("3 events that came in a burst"));
    assert_eq!(page.matches("<li id=\"step-").count(), 200);
    assert!(page.contains("Too much for this page"));
    let next = "/console/runs/huge?from=200";
    assert!(page.contains(&format!("href=\"{next}\"")), "the next steps are a page of their own");
    let last = visitor.page("/console/runs/huge?from=2900").await;
    assert!(last.contains("id=\"step-step_2999\"") && last.len() < 1_000_000);
    let alone = visitor.page("/console/runs/huge?open=step_7").await;
    assert!(alone.contains("Output") && !alone.contains("Too much for this page") && alone.len() < 1_000_000);
    assert_eq!(visitor.look("/console/runs/huge?from=many").await.0, 400);
    let page = visitor.page("/console/runs/compare?left=huge&right=huge&all=yes&from=2900").await;
    assert!(page.len() < 1_000_000 && page.matches("<bdi>step_").count() == 100, "{}", page.len());
}

#[tokio::test]
async fn a_flow_of_many_steps_is_drawn_as_far_inwards_as_a_page_holds() {
    let scope = |name: &str, steps: usize| {
        let steps: String = (0..steps).map(|at| format!("      {name}{at}: {{ let: {{ n: {at} }} }}\n")).collect();
        format!("  {name}:\n    scope:\n{steps}")
    };
    let trigger = "trigger: { use: manual }\nsteps:\n";
    let many = format!("flow: many\ntitle: Many\n{trigger}{}{}", scope("first", 280), scope("second", 140));
    let flat: String = (0..401).map(|at| format!("  s{at}: {{ let: {{ n: {at} }} }}\n")).collect();
    let flat = format!("flow: flat\ntitle: Flat\n{trigger}{flat}");
    let files = vec![("shipped/many.yaml", &*many), ("shipped/flat.yaml", &*flat)];
    let stand = Made { files, ..Made::default() }.stand().await;
    let visitor = stand.visitor().await;
    let run = stand.run("many", Value::Null).await;
    for address in ["/console/flows/many".to_owned(), format!("/console/runs/{run}")] {
        let page = visitor.page(&address).await;
        assert!(
            page.contains("<svg") && page.contains("holds 280 steps") && page.contains("holds 140 steps"),
            "{page}"
        );
    }
    let page = visitor.page("/console/flows/flat").await;
    assert!(!page.contains("class=\"picture\"") && page.contains("cosell graph flat --output"), "{page}");
}
