//! The overview tells what happened.

use crate::audit::audit;
use crate::service::{Service, client, post};
use crate::world::alone;

const LIKED: &str = "
flow: liked
title: Somebody likes it or does not
trigger: { use: http, with: { path: liked } }
steps:
  disliked:
    if: ${{ trigger.query.word == 'no' }}
    then:
      end: { stop: { outcome: failed, code: disliked, message: Nobody likes it } }
";

#[test]
fn the_overview_counts_what_happened_and_goes_on_counting() {
    let project = alone("overview", LIKED);
    let service = Service::start(&project);
    let browser = service.browser();
    browser.says("main", "Nothing failed in the last 24 hours");
    browser.says("main", "0 succeeded");
    audit(&browser);

    browser.script("window.same = true", &[]);
    for word in ["yes", "yes", "no"] {
        let (status, _) = post(&client(), &service.url(&format!("/in/liked?word={word}")));
        assert_eq!(status, 202);
    }
    browser.says("main", "2 succeeded");
    browser.says("main", "1 failed or timed out");
    browser.says("main", "1 run failed");
    let drawn = browser.script("return document.querySelector('svg.hours').getAttribute('aria-label')", &[]);
    assert_eq!(drawn, "Runs by the hour: 2 succeeded, 1 failed or timed out, 0 cancelled, 0 under way");
    assert_eq!(browser.script("return window.same", &[]), true, "without being loaded again");
    audit(&browser);

    browser.follow("run failed");
    browser.arrives("/console/runs?outcome=failed");
}
