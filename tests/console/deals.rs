//! A deal is found, seen on both sides, and mended.

use serde_json::{Value, json};

use crate::audit::audit;
use crate::support::desk::IDENTIFIER;
use crate::world::{desk, serve};

#[test]
fn a_deal_that_could_not_be_written_is_mended_from_its_page_and_arrives() {
    let desk = desk();
    let service = serve(&desk);
    let browser = service.browser();
    browser.go("/console/deals");
    browser.says("main", "No deal has been synchronised yet");
    audit(&browser);

    let referral = desk.shared(&json!({}));
    browser.says("table", "Tailwind stock rooms");
    let opportunity = desk.referral(&referral)["externalReferenceId"].as_str().unwrap().to_owned();
    service.rests();
    audit(&browser);
    for words in ["nobody", "tailwind traders", &opportunity] {
        browser.go("/console/deals");
        browser.fill("#text", words);
        browser.press("Search");
        match words {
            "nobody" => browser.says("main", "In no deal occurs each word"),
            "tailwind traders" => browser.says("table", "Tailwind stock rooms"),
            // An id leads to its deal.
            _ => browser.arrives(&format!("/console/deals/{referral}")),
        }
    }
    browser.says("h1", "Tailwind stock rooms");
    browser.says("main", "in step");
    audit(&browser);

    // The CRM refuses what the seller changes.
    let fault = json!([{ "name": "down", "system": "dataverse", "method": "PATCH", "action": { "status": 400 } }]);
    desk.stage.control("PUT", "/faults", &fault);
    browser.script("window.same = true", &[]);
    desk.seller(&referral, &json!({ "details": { "dealValue": 91_000 } }));
    browser.says("#runs-table, .runs", "Failed");
    browser.says("main", "not in step");
    assert_eq!(browser.script("return window.same", &[]), true, "without being loaded again");
    let differs = browser.texts("tr.differs");
    assert!(differs.len() == 1 && differs[0].contains("91"), "{differs:?}");
    audit(&browser);

    browser.follow("Synchronise now…");
    browser.says("h1", "Synchronise this deal now?");
    browser.says("main", "these go to the CRM");
    audit(&browser);
    browser.follow("Go back");

    browser.click("section.runs tbody a");
    browser.says("h2#why", "Why it failed");
    audit(&browser);
    desk.stage.control("DELETE", "/faults", &Value::Null);
    browser.follow("Resume…");
    browser.says("h1", "Resume this run?");
    audit(&browser);
    browser.press("Resume the run");
    browser.says("#head", "Succeeded");
    assert_eq!(desk.row(&opportunity)["estimatedvalue"], 91_000.0);
    assert_eq!(desk.row(&opportunity)[IDENTIFIER], json!(referral));
    audit(&browser);

    browser.go(&format!("/console/deals/{referral}"));
    browser.says("main", "in step");
    assert_eq!(browser.texts("tr.differs"), [""; 0]);
}
