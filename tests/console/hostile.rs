//! Whatever stands in deals and events is shown as what it is: text. No script of it runs, no page breaks, nothing sensitive
//! is told.

use serde_json::json;

use crate::audit::audit_all;
use crate::crawl::Reader;
use crate::service::Service;
use crate::support::desk::{Desk, text};
use crate::world::{TOKEN, desk, serve};

/// Script, markup and what ends either.
const SCRIPT: &str =
    r#"<script>window.hacked=1;alert(1)</script><img src=x onerror="window.hacked=1"><b class=raw>"'&amp;]]>-->"#;
/// Letters that are written from right to left, and marks that turn around, join, or are not there to be seen.
const TURNED: &str = "עסקה גדולה \u{202e}gnp.exe\u{2066}\u{200b}\u{feff}\u{7}\u{1b}[31m é";

/// How many rounds its loop makes.
const ROUNDS: usize = 1500;

/// It takes what comes, goes round and round, keeps something for itself, and fails with a message that it was given.
fn shout() -> String {
    format!(
        "
flow: shout
title: {title}
description: {title}
trigger: {{ use: http, with: {{ path: shout }} }}
key: ${{{{ trigger.body.name or 'nobody' }}}}
steps:
  heard: {{ title: {title}, let: {{ body: \"${{{{ trigger.body }}}}\" }} }}
  hidden: {{ let: {{ word: \"${{{{ 'plover'|upper }}}}\" }}, sensitive: true }}
  rounds:
    for_each: ${{{{ range({ROUNDS}) }}}}
    do:
      round: {{ let: {{ n: \"${{{{ item }}}}\", name: \"${{{{ trigger.body.name }}}}\" }} }}
  end:
    after: {{ rounds: [succeeded] }}
    stop: {{ outcome: failed, code: shouted, message: \"${{{{ trigger.body.name or 'nothing' }}}}\" }}
",
        title = json!(SCRIPT)
    )
}

/// A deal of these words, brought to the CRM; its referral.
fn deal(desk: &Desk, service: &Service<'_>, name: &str, notes: &str) -> String {
    let referral = desk.shared(&json!({
        "name": name, "details": { "notes": notes, "dealValue": 50_000, "currency": "USD" },
    }));
    service.until(|| desk.referral(&referral)["externalReferenceId"].clone(), |id| !id.is_null());
    referral
}

#[test]
fn whatever_comes_from_elsewhere_is_text() {
    let mut desk = desk();
    desk.project = desk.project.file("flows/shout.yaml", &shout());
    let service = serve(&desk);
    for name in [SCRIPT, TURNED] {
        assert_eq!(service.hears("shout", &json!({ "name": name, "notes": "long ".repeat(150_000) }).to_string()), 202);
    }
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    for body in [&*deep, "null", "\"text\"", "[{\"name\": {}}]"] {
        service.hears("shout", body);
    }
    assert_eq!(service.hears("shout", "{\"name\": "), 400, "no JSON");
    let deals = [SCRIPT, TURNED].map(|words| deal(&desk, &service, words, &words.repeat(20)));
    service.rests();

    let reader = Reader::signed_in(&service.origin);
    let found = reader.crawl();
    found.no_markup("<b class=raw");
    found.no_markup("<script>window");
    found.nowhere("something sensitive", "PLOVER");
    found.nowhere("the token", TOKEN);
    for secret in [&desk.stage.addresses.client_secret, &desk.stage.addresses.refresh_token] {
        found.nowhere("a secret", secret);
    }
    found.nowhere("a token of a system", "eyJ");

    for form in &found.forms {
        reader.is_refused(form);
    }
    let browser = service.browser();
    let shouted = service.told("/runs?flow=shout");
    let runs = shouted["runs"].as_array().unwrap().iter().map(|run| format!("/console/runs/{}", text(&run["run"])));
    let deals = deals.iter().map(|deal| format!("/console/deals/{deal}"));
    audit_all(&browser, runs.skip(4).chain(deals).chain(found.kinds));
    browser.go("/console/deals");
    browser.says("table", "<script>window.hacked=1;alert(1)</script>");
}
