//! The pages about flows and mappings: what they show, starting by hand, and dry runs.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use cosell_model::Value;
use cosell_service::occasion::Occasion;
use reqwest::Method;
use serde_json::json;
use support::book::book;
use support::{Made, Stand, text};

const HELLO: &str = "
flow: hello
title: <script>alert('title')</script>
description: '\"><img src=x onerror=alert(1)>'
trigger:
  use: manual
  inputs:
    name: text
    loud: { type: boolean, default: false, description: <b>Shouts</b> }
    words: { type: list, default: [one] }
steps:
  whom:
    title: </li><script>alert(2)</script>
    map: greeting
    from: { left: { name: \"${{ inputs.name }}\" } }
  greet:
    title: Greet
    when: ${{ vars.greets }}
    use: book.write
    with: { name: \"${{ steps.whom.name }}\" }
  secret:
    after: greet
    sensitive: [input]
    use: book.write
    with: { name: \"hush ${{ inputs.name }}\" }
  kept:
    after: secret
    sensitive: [output]
    use: book.write
    with: { name: \"hush again ${{ inputs.name }}\" }
  quiet:
    when: ${{ inputs.loud }}
    call: other
";

const OTHER: &str = "
flow: other
title: Another
trigger: call
steps:
  note: { let: { text: shipped } }
  rest: { wait: 1s }
";

const OVERLAY: &str = "
flow: other
steps:
  note: { let: { text: \"yours </pre><script>\" } }
  more: { after: note, wait: 2s }
";

const EVERY_DAY: &str = "
flow: every-day
title: Every day
trigger: { use: schedule, with: { every: 1d } }
steps:
  all: { use: book.write, with: { name: all } }
";

/// Keeps secret what it gives another flow.
const GUARDED: &str = "
flow: guarded
trigger: { use: manual, inputs: { name: text } }
steps: { all: { scope: { tell: { sensitive: [input], call: plain, with: { name: \"${{ inputs.name }}\" } } } } }
";

const PLAIN: &str = "
flow: plain
trigger: { use: call, inputs: { name: text } }
steps: { tell: { scope: { line: { use: book.write, with: { name: \"${{ inputs.name }}\" } } } } }
";

const BROKEN: &str = "
flow: broken
title: Broken
trigger: manual
steps:
  first: { use: book.nothing }
";

const GREETING: &str = "
mapping: greeting
title: Greeting
between: [left, right]
rows:
  name: { title: Name, left: name, right: { path: \"${{ vars.column }}\", as: text, length: 40 } }
  kind: { title: Kind, left: kind, right: kind, values: { a: 1, b: 2 }, only_to: right }
";

const OWN_ROWS: &str = "
mapping: greeting
rows:
  kind: { values: { c: 3 } }
";

const VARIABLES: &str = "
variables:
  greets: { title: Whether it greets, type: boolean, default: true }
  column: { title: <i>Column</i>, type: text, default: name }
";

const FILES: [(&str, &str); 8] = [
    ("own/hello.yaml", HELLO),
    ("shipped/other.yaml", OTHER),
    ("own/other.yaml", OVERLAY),
    ("shipped/every-day.yaml", EVERY_DAY),
    ("own/broken.yaml", BROKEN),
    ("shipped/greeting.yaml", GREETING),
    ("own/greeting.yaml", OWN_ROWS),
    ("shipped/variables.yaml", VARIABLES),
];

/// The same, and two flows of which one calls the other with something secret.
async fn guarded() -> Stand {
    of(&[&FILES[..], &[("own/guarded.yaml", GUARDED), ("own/plain.yaml", PLAIN)]].concat()).await
}

async fn stand() -> Stand {
    of(&FILES).await
}

async fn of(files: &[(&'static str, &'static str)]) -> Stand {
    let (connectors, connections) = book(0);
    let configuration = "off: [every-day]\n";
    Made { files: files.to_vec(), connectors, connections, configuration, ..Made::default() }.stand().await
}

/// Every tag of a page is one that we write.
fn holds_no_foreign_tag(page: &str) {
    let behind = page.split("<main").nth(1).unwrap();
    for tag in ["<script", "<img", "<b>", "<i>"] {
        assert!(!behind.contains(tag), "{tag}: {behind}");
    }
    let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "an id comes twice: {ids:?}");
}

#[tokio::test]
async fn the_list_tells_what_is_on_whose_it_is_and_how_it_went() {
    let stand = stand().await;
    stand.run("hello", json!({ "name": "Iris" })).await;
    let page = stand.visitor().await.page("/console/flows").await;
    holds_no_foreign_tag(&page);
    insta::assert_snapshot!(text(&page));
    for link in ["/console/flows/hello", "/console/runs?flow=hello", "/console/mappings/greeting"] {
        assert!(page.contains(&format!("href=\"{link}\"")), "{link}");
    }
}

#[tokio::test]
async fn a_flow_is_told_whole_and_hostile_text_stays_text() {
    let stand = stand().await;
    stand.run("hello", json!({ "name": "<script>" })).await;
    let visitor = stand.visitor().await;
    let page = visitor.page("/console/flows/hello").await;
    holds_no_foreign_tag(&page);
    for shown in [
        "&lt;script&gt;alert('title')&lt;/script&gt;",
        "id=\"step-whom\"",
        "href=\"#step-whom\"",
        "href=\"/console/mappings/greeting\"",
        "href=\"/console/settings#variable-greets\"",
        "href=\"/console/settings#variable-column\"",
        "href=\"/console/flows/other\"",
        "href=\"/console/flows/hello/start\"",
        "id=\"file-0-line-3\"",
        "class=\"picture\"",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(text(&visitor.page("/console/flows/other").await).contains("Called by\n&lt;script&gt;"));
    assert_eq!(visitor.look("/console/flows/helo").await.0, 404);
    assert!(visitor.look("/console/flows/helo").await.1.contains("did you mean `hello`?"));
}

#[tokio::test]
async fn what_a_file_changes_is_shown_line_by_line() {
    let stand = stand().await;
    let visitor = stand.visitor().await;
    let page = visitor.page("/console/flows/other").await;
    holds_no_foreign_tag(&page);
    let changes = page.split("What your file changes").nth(1).unwrap().split("<h2").next().unwrap();
    insta::assert_snapshot!(text(&format!("<main{changes}")));
    let marked = |id: &str| page.split(&format!("id=\"{id}\"")).nth(1).unwrap().starts_with(" class=\"changed\"");
    for (id, changed) in [
        ("step-note", true),
        ("step-more", true),
        ("step-rest", false),
        ("file-0-line-6", true),
        ("file-0-line-7", false),
        ("file-1-line-4", true),
        ("file-1-line-5", true),
        ("file-1-line-2", false),
    ] {
        assert_eq!(marked(id), changed, "{id}");
    }
    assert!(page.contains("class=\"node yours\" id=\"flow-node-note\""), "{page}");
}

#[tokio::test]
async fn a_flow_that_does_not_run_says_why_and_cannot_be_started() {
    let stand = stand().await;
    let visitor = stand.visitor().await;
    let off = text(&visitor.page("/console/flows/every-day").await);
    assert!(off.contains("It is turned off at cosell.yaml:1"), "{off}");
    assert!(!off.contains("Dry run"), "{off}");
    let broken = visitor.page("/console/flows/broken").await;
    assert!(text(&broken).contains("has errors"), "{broken}");
    assert!(broken.contains("own/broken.yaml:6") && !broken.contains("class=\"picture\""), "{broken}");
    let (status, said) = visitor.act("/console/flows/broken/start", &[]).await;
    assert_eq!(status, 404, "{said}");
}

#[tokio::test]
async fn a_mapping_is_a_table_with_the_changed_rows_marked() {
    let stand = stand().await;
    let visitor = stand.visitor().await;
    let page = visitor.page("/console/mappings/greeting").await;
    holds_no_foreign_tag(&page);
    insta::assert_snapshot!(text(page.split("What your file changes").next().unwrap()));
    assert!(page.contains("<tr id=\"row-kind\" class=\"differs\">"), "{page}");
    assert!(page.contains("<tr id=\"row-name\">"), "{page}");
    assert_eq!(visitor.look("/console/mappings/nothing").await.0, 404);
}

#[tokio::test]
async fn a_flow_is_started_by_hand_with_inputs_of_their_types() {
    let stand = stand().await;
    let visitor = stand.visitor().await;
    let question = visitor.page("/console/flows/hello/start").await;
    holds_no_foreign_tag(&question);
    assert!(question.contains("&lt;b&gt;Shouts&lt;/b&gt;") && question.contains("It may write"), "{question}");
    let fields = [("input.name", "Iris"), ("input.loud", ""), ("input.words", "[\"a\", \"b\"]")];
    let (status, to) = visitor.act("/console/flows/hello/start", &fields).await;
    assert_eq!(status, 303, "{to}");
    stand.dispatcher.idle().await;
    stand.journal.flushed().await.unwrap();
    let run = stand.journal.reader().run(to.strip_prefix("/console/runs/").unwrap()).unwrap().unwrap();
    assert_eq!(run.inputs, json!({ "name": "Iris", "words": ["a", "b"] }));
    let (status, said) = visitor.act("/console/flows/hello/start", &[("input.words", "<b>")]).await;
    assert_eq!(status, 422);
    assert!(said.contains("The input `words` is a list, as JSON, and `&lt;b&gt;` is not"), "{said}");
    let (status, said) = visitor.act("/console/flows/hello/start", &[]).await;
    assert_eq!((status, said.contains("`name`")), (422, true), "{said}");
    assert_eq!(visitor.look("/console/flows/every-day/start").await.0, 409);
    let answer = visitor.send(Method::POST, "/console/flows/hello/start", &[("input.name", "Iris")]).await;
    assert_eq!(answer.status(), 403, "without the form's secret nothing begins");
}

#[tokio::test]
async fn a_dry_run_foretells_each_field_and_keeps_nothing() {
    let stand = stand().await;
    let visitor = stand.visitor().await;
    let (status, page) = visitor.act("/console/flows/hello/dry-run", &[("input.name", "<b>Iris</b>")]).await;
    assert_eq!(status, 200, "{page}");
    holds_no_foreign_tag(&page);
    insta::assert_snapshot!(text(&page));
    assert!(page.contains("href=\"/console/mappings/greeting#row-name\""), "the row that made the value: {page}");
    assert!(!page.contains("hush"), "what a step keeps secret is not shown");
    let runs = stand.api.runs(cosell_service::api::Wanted::default()).await.unwrap().runs;
    assert_eq!(runs, [], "it is not kept");
}

#[tokio::test]
async fn what_goes_wrong_in_a_sensitive_step_is_not_told() {
    let stand = guarded().await;
    let visitor = stand.visitor().await;
    let (_, page) = visitor.act("/console/flows/guarded/dry-run", &[("input.name", "hush <fails>")]).await;
    assert!(page.contains("It would fail") && !page.contains("hush"), "{page}");
    assert!(page.contains("what went wrong is not shown"), "{page}");
    let (_, page) = visitor.act("/console/flows/plain/dry-run", &[("input.name", "known <fails>")]).await;
    assert!(page.contains("`known &lt;fails&gt;` cannot be written"), "{page}");
}

#[tokio::test]
async fn what_a_step_could_not_take_into_account_is_told_beside_it() {
    let stand = guarded().await;
    let visitor = stand.visitor().await;
    let (_, page) = visitor.act("/console/flows/plain/dry-run", &[("input.name", "known <vague>")]).await;
    assert!(page.contains("What is foreseen of `known &lt;vague&gt;` is left aside."), "{page}");
    let (_, page) = visitor.act("/console/flows/guarded/dry-run", &[("input.name", "hush <vague>")]).await;
    assert!(page.contains("because the step is sensitive") && !page.contains("hush"), "{page}");
}

#[tokio::test]
async fn a_dry_run_begins_with_one_thing() {
    let stand = stand().await;
    let run = stand.run("hello", json!({ "name": "Iris" })).await;
    let visitor = stand.visitor().await;
    let path = "/console/flows/hello/dry-run";
    let page = visitor.page(&format!("{path}?run=%22%3E%3Cscript%3E&referral=r")).await;
    assert!(page.contains("value=\"&quot;&gt;&lt;script&gt;\"") && page.contains("id=\"referral\""), "{page}");
    let (status, page) = visitor.act(path, &[("run", &run)]).await;
    assert_eq!((status, page.contains("What would change")), (200, true), "{page}");
    for (fields, expected, said) in [
        (vec![("run", "nobody")], 404, "there is no run `nobody`"),
        (vec![("event", "{")], 422, "The event is not JSON"),
        (vec![("event", "{}"), ("referral", "r")], 422, "begins with one thing"),
        (vec![("referral", "r")], 422, "no flow that is run here uses the connector `partner_center`"),
        (vec![("input.name", "x"), ("input.words", "{}")], 422, "words"),
        (vec![], 422, "name"),
    ] {
        let (status, page) = visitor.act(path, &fields).await;
        assert_eq!((status, page.contains(said)), (expected, true), "{fields:?}: {page}");
    }
    let (status, page) = visitor.act("/console/flows/other/dry-run", &[("run", &run)]).await;
    assert_eq!((status, page.contains("one of the flow `hello`")), (422, true), "{page}");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_that_does_not_end_is_given_up_after_a_minute() {
    let stand = stand().await;
    let occasion = Occasion::Given { trigger: Value::Null, inputs: json!({ "name": "<never>" }) };
    let problem = stand.api.rehearse("hello", occasion).await.unwrap_err();
    assert_eq!((problem.status, problem.detail.contains("given up after 60 seconds")), (504, true), "{problem:?}");
}
