//! Flows are read, foretold and started; settings are read.

use serde_json::json;

use crate::audit::audit;
use crate::service::Service;
use crate::world::desk;

#[test]
fn a_flow_is_read_foretold_and_started() {
    let desk = desk();
    // Nobody is told of events, so that what is new waits to be foretold.
    let service = Service::start(&desk.project);
    let browser = service.browser();
    browser.go("/console/flows");
    browser.says("table", "shipped, with your changes");
    audit(&browser);

    browser.follow("Partner Center to Dynamics 365");
    browser.says("h1", "Partner Center to Dynamics 365");
    audit(&browser);
    browser.click("[aria-labelledby=mappings] a");
    browser.says("caption", "Between");
    audit(&browser);

    let referral = desk.shared(&json!({}));
    let before = desk.stage.writes();
    browser.go("/console/flows/partner-center-to-dynamics");
    browser.follow("Dry run…");
    browser.says("h1", "Dry run");
    audit(&browser);
    browser.press("Run it dry");
    browser.says("[role=alert]", "Fill in one of the fields");
    browser.complaints();
    browser.fill("#referral", &referral);
    browser.press("Run it dry");
    browser.says("h1", "What would happen");
    browser.says("main", "Tailwind stock rooms");
    browser.says("#changes", "What would change");
    audit(&browser);
    assert_eq!(desk.stage.writes(), before, "nothing is written");
    assert_eq!(service.told("/runs")["runs"], json!([]), "and nothing kept");

    browser.go("/console/flows/partner-center-webhook-registration");
    browser.follow("Start by hand…");
    browser.says("h1", "Start this flow?");
    audit(&browser);
    let endpoint = service.url("/hooks/partner_center_events");
    browser.fill("form.stacked input:not([type=hidden])", &endpoint);
    browser.click("form.stacked select option[value=true]");
    browser.press("Start the flow");
    browser.says("#head", "Succeeded");
    audit(&browser);

    browser.go("/console/settings");
    browser.says("main", "partner_center_events");
    browser.says("main", "with Microsoft Entra, for a person");
    audit(&browser);
}
