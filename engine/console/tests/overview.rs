//! The overview tells what happened, and what needs a person.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use serde_json::json;
use support::Made;

const FINE: &str = "
flow: fine
title: <b>Fine</b>
trigger: { use: manual }
steps: { done: { let: { a: 1 } } }
";

const POOR: &str = "
flow: poor
trigger: { use: manual }
steps: { enough: { stop: { outcome: failed, code: enough, message: that is enough } } }
";

#[tokio::test]
async fn what_went_well_and_what_did_not_is_counted() {
    let made =
        Made { files: vec![("fine.yaml", FINE), ("poor.yaml", POOR)], configuration: "off: [poor]", ..Made::default() };
    let stand = made.stand().await;
    let visitor = stand.visitor().await;
    let page = visitor.page("/console").await;
    assert!(page.contains("Nothing failed in the last 24 hours, and nothing is stuck."), "{page}");
    for _ in 0..3 {
        stand.run("fine", json!({})).await;
    }
    stand.run("poor", json!({})).await;
    let page = visitor.page("/console").await;
    assert!(
        page.contains(r#"aria-label="Runs by the hour: 3 succeeded, 1 failed or timed out, 0 cancelled, 0 under way""#)
    );
    assert!(page.contains(r#"</span> 1</span> <a href="/console/runs?outcome=failed">run failed</a>"#), "{page}");
    assert!(page.contains("<bdi>&lt;b&gt;Fine&lt;/b&gt;</bdi>"), "{page}");
    assert_eq!((page.matches("</span> on</span>").count(), page.matches("</span> off</span>").count()), (1, 1));
}
