//! What is done to a deal from its pages, and what comes of it on both sides.

use serde_json::{Value, json};

use crate::audit::audit;
use crate::browser::Browser;
use crate::service::Service;
use crate::support::desk::{Desk, IDENTIFIER};
use crate::world::desk;

/// Both systems, of whose events nobody hears: what happens there stays there until a person does something about it.
fn deaf() -> Desk {
    let desk = desk();
    for flow in ["dynamics-opportunity-to-partner-center", "dynamics-microsoft-solutions-to-partner-center"] {
        let overlay = format!("flow: {flow}\ntrigger: {{ every: 12h }}\n");
        std::fs::write(desk.project.folder.join(format!("flows/{flow}.yaml")), overlay).unwrap();
    }
    desk
}

/// Asks for something at the page of a deal, and says yes to the question.
fn synchronise(browser: &Browser, link: &str, question: &str, foretold: &str, yes: &str) {
    browser.follow(link);
    browser.says("h1", question);
    browser.says("main", foretold);
    audit(browser);
    browser.press(yes);
    browser.says("h2#runs", "Runs");
}

#[test]
fn a_deal_is_synchronised_from_its_page_in_either_direction() {
    let desk = deaf();
    let service = Service::start(&desk.project);
    let browser = service.browser();
    let referral = desk.shared(&json!({}));
    let page = format!("/console/deals/{referral}");
    browser.go(&page);
    browser.says("main", "The CRM has no opportunity or lead");
    let before = desk.stage.writes();
    browser.follow("Synchronise now…");
    browser.says("main", "a deal that is not in the CRM yet is made there");
    browser.follow("Go back");
    browser.says("main", "The CRM has no opportunity or lead");
    assert_eq!(desk.stage.writes(), before, "who goes back has done nothing");
    synchronise(&browser, "Synchronise now…", "Synchronise this deal now?", "cannot be told here", "Synchronise now");
    browser.says("main", "in step");
    browser.says("section.runs", "Succeeded");
    let opportunity = desk.referral(&referral)["externalReferenceId"].as_str().unwrap().to_owned();
    assert_eq!(desk.row(&opportunity)[IDENTIFIER], json!(referral));
    // The customer and the contact were made with it, and are found again as whom they are.
    service.rests();
    browser.go(&page);
    let whose = browser.texts("tr.whose");
    assert!(whose.iter().filter(|line| line.contains("on both sides")).count() >= 2, "{whose:?}");
    audit(&browser);

    desk.later();
    desk.seller(&referral, &json!({ "details": { "dealValue": 91_000 } }));
    browser.go(&page);
    browser.says("main", "not in step");
    synchronise(&browser, "Synchronise now…", "Synchronise this deal now?", "Deal value", "Synchronise now");
    browser.says("main", "in step");
    browser.until("nothing to differ", || browser.texts("tr.differs").is_empty().then_some(()));
    assert_eq!(desk.row(&opportunity)["estimatedvalue"], 91_000.0);

    desk.later();
    desk.edit(&opportunity, &json!({ "estimatedvalue": 77_000 }));
    service.rests();
    browser.go(&page);
    browser.says("main", "not in step");
    synchronise(
        &browser,
        "Send the opportunity…",
        "Send this opportunity now?",
        "these go to Partner Center",
        "Send the opportunity",
    );
    browser.until("nothing to differ", || browser.texts("tr.differs").is_empty().then_some(()));
    assert_eq!(desk.referral(&referral)["details"]["dealValue"], 77_000.0);
}

#[test]
fn a_failed_step_is_skipped_from_the_page_of_its_run_and_the_rest_is_done() {
    let desk = deaf();
    let service = Service::start(&desk.project);
    let browser = service.browser();
    let referral = desk.shared(&json!({}));
    let fault = json!([{ "name": "down", "system": "partner_center", "method": "PATCH", "action": { "status": 400 } }]);
    desk.stage.control("PUT", "/faults", &fault);
    browser.go(&format!("/console/deals/{referral}"));
    synchronise(&browser, "Synchronise now…", "Synchronise this deal now?", "Partner Center", "Synchronise now");
    browser.says("section.runs", "Failed");
    browser.click("section.runs tbody a");
    browser.says("h2#why", "Why it failed");
    assert_eq!(desk.referral(&referral)["externalReferenceId"], Value::Null);

    browser.follow("Skip steps and resume…");
    browser.says("h1", "Skip steps and resume?");
    browser.says("main", "What a chosen step should have written is not written");
    audit(&browser);
    browser.follow("Go back");
    browser.says("#head", "Failed");
    browser.follow("Skip steps and resume…");
    browser.click("fieldset input[value$=write_back]");
    browser.press("Skip them and resume the run");
    browser.says("#head", "Succeeded");
    assert!(browser.text("#steps").contains("Skipped"), "{}", browser.text("#steps"));
    audit(&browser);
    // Partner Center refuses still, and was not asked again; the CRM has all of it.
    assert_eq!(desk.referral(&referral)["externalReferenceId"], Value::Null);
    browser.go(&format!("/console/deals/{referral}"));
    browser.says("main", "in step");
    let opportunity = browser.text("[aria-labelledby=crm] dd.mono");
    assert_eq!(desk.row(&opportunity)[IDENTIFIER], json!(referral));
}
