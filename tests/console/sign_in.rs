//! Who comes in, and who goes.

use crate::audit::{audit, skips};
use crate::browser::Browser;
use crate::service::Service;
use crate::world::{TOKEN, alone};

const NOTE: &str = "
flow: note
title: Take a note
trigger: { use: http, with: { path: note } }
steps: {}
";

#[test]
fn nobody_sees_anything_before_showing_the_token_or_after_signing_out() {
    let project = alone("sign-in", NOTE);
    let service = Service::start(&project);
    let browser = Browser::open(&service.origin);

    browser.go("/console/flows?text=note");
    browser.arrives("/console/sign-in?to=%2Fconsole%2Fflows%3Ftext%3Dnote");
    assert!(!browser.text("body").contains("Take a note"));
    audit(&browser);

    browser.fill("#token", "guessed");
    browser.press("Sign in");
    browser.says("[role=alert]", "not the token");
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|complaint| complaint.contains("401")), "{complaints:?}");
    audit(&browser);

    browser.fill("#token", TOKEN);
    browser.press("Sign in");
    browser.arrives("/console/flows?text=note");
    skips(&browser);

    browser.press("Sign out");
    browser.arrives("/console/sign-in");
    browser.go("/console");
    browser.arrives("/console/sign-in?to=%2Fconsole");
    assert!(!browser.text("body").contains("Take a note"));
    assert_eq!(browser.complaints(), [""; 0]);
}
