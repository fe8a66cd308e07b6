//! The pictures that the documentation shows, of a little world in which a dozen deals went well and one did not.
//!
//! `cargo test --test console -- --ignored pictures` makes them anew.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::browser::{Browser, Look};
use crate::support::desk::{Desk, SYNC};
use crate::world::{desk, serve};

/// As much of a page as is shown, in pixels.
const TALLEST: f64 = 1200.0;

/// Deals that Microsoft shared: what is wanted, of whom, where, for how much, and in a few words why.
const SHARED: [(&str, &str, &str, u32, &str); 7] = [
    ("Stock rooms, phase 2", "Tailwind Traders", "Seattle", 50_000, "Wants to see its stock in every store."),
    ("Cold chain for vaccines", "Lamna Healthcare", "Boston", 240_000, "Must tell the regulator of every warm hour."),
    ("Dock planning", "Adventure Works Cycles", "Denver", 64_000, "Trucks wait for two hours on Mondays."),
    ("Returns desk", "Fourth Coffee", "Portland", 18_500, "One desk for eleven shops."),
    ("Warehouse renewal", "Wide World Importers", "Oakland", 410_000, "Replaces a system of 1998."),
    ("Farm gate sensors", "Bellows Farm", "Fresno", 32_000, "Milk is collected twice a day."),
    ("Spare parts portal", "Trey Research", "Austin", 96_000, "Engineers order from the field."),
];

/// Deals that a seller of ours made in the CRM.
const OWN: [(&str, u32); 4] = [
    ("Northwind warehouse rollout", 84_000),
    ("Northwind cold stores", 120_000),
    ("Northwind fleet tracking", 45_500),
    ("Northwind inventory count", 27_000),
];

#[test]
#[ignore = "makes the pictures of the documentation"]
fn the_pictures_of_the_documentation() {
    let desk = desk();
    let service = serve(&desk);
    service.until(
        || desk.stage.control("GET", "/log?after=0", &Value::Null).to_string(),
        |log| log.contains("/opportunities?") && log.contains("/msft_partnercentersolutions?"),
    );
    let referrals: Vec<String> = SHARED.iter().map(|deal| shared(&desk, *deal)).collect();
    for (name, value) in OWN {
        let opportunity = desk.deal(&json!({ "name": name, "estimatedvalue": value, SYNC: false }));
        desk.edit(&opportunity, &json!({ SYNC: true }));
    }
    let all = SHARED.len() + OWN.len();
    let runs = |outcome: &str| service.told(&format!("/runs?outcome={outcome}"))["runs"].as_array().unwrap().len();
    service.until(
        || desk.stage.referrals().iter().filter(|referral| !referral["externalReferenceId"].is_null()).count(),
        |linked| *linked >= all,
    );
    service.rests();
    desk.portal(&referrals[0], &json!({ "status": "Active", "substatus": "Accepted" }));
    desk.seller(&referrals[1], &json!({ "details": { "dealValue": 265_000 } }));
    service.rests();
    let refusal = json!({ "error": { "code": "0x80040220", "message":
        "Principal user is missing prvWriteOpportunity privilege on the opportunity. Ask an administrator for the role" } });
    let fault = json!([{ "name": "role", "system": "dataverse", "method": "PATCH", "action": { "status": 403, "body": refusal } }]);
    desk.stage.control("PUT", "/faults", &fault);
    let details = json!({ "dealValue": 98_000, "closingDateTime": "2027-03-15T00:00:00Z" });
    desk.seller(&referrals[6], &json!({ "details": details }));
    service.until(|| runs("failed"), |failed| *failed > 0);
    desk.stage.control("DELETE", "/faults", &Value::Null);

    let browser = service.browser();
    let failed = service.told("/runs?outcome=failed")["runs"][0]["run"].as_str().unwrap().to_owned();
    let deal = format!("/console/deals/{}", referrals[6]);
    let pages = [
        ("overview", "/console".to_owned()),
        ("deals", "/console/deals".to_owned()),
        ("deal", deal.clone()),
        ("runs", "/console/runs".to_owned()),
        ("run", format!("/console/runs/{failed}")),
        ("flow", "/console/flows/partner-center-to-dynamics".to_owned()),
        ("settings", "/console/settings".to_owned()),
    ];
    for (name, path) in &pages {
        browser.go(path);
        taken(&browser, name, Look::LIGHT);
    }
    taken(&browser, "settings-dark", Look::DARK);
    browser.go(&deal);
    part_taken(&browser, "deal-people", "section[aria-labelledby=around]");
    taken(&browser, "deal-narrow", Look::NARROW);
    browser.go(&format!("/console/flows/partner-center-to-dynamics/dry-run?referral={}", referrals[6]));
    browser.press("Run it dry");
    browser.says("h1", "What would happen");
    taken(&browser, "dry-run", Look::LIGHT);
}

/// A deal that Microsoft shares.
fn shared(desk: &Desk, (name, customer, city, value, notes): (&str, &str, &str, u32, &str)) -> String {
    let host = customer.split(' ').next().unwrap().to_lowercase();
    desk.shared(&json!({
        "name": name,
        "customerProfile": {
            "name": customer, "address": { "city": city, "country": "US" },
            "team": [{ "firstName": "Ana", "lastName": "Lopez", "phoneNumber": "+12065550142", "email": format!("ana@{host}.example") }],
        },
        "details": { "dealValue": value, "currency": "USD", "notes": notes, "closingDateTime": "2027-02-26T00:00:00Z" },
    }))
}

/// Writes what is shown, from the top of the page, into `docs/images`.
fn taken(browser: &Browser, name: &str, look: Look) {
    browser.look(look);
    let size = browser.devtools("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
    let height = size["height"].as_f64().unwrap().min(TALLEST);
    written(browser, name, &json!({ "x": 0, "y": 0, "width": look.width, "height": height, "scale": 1 }));
}

/// The same of one part of the page.
fn part_taken(browser: &Browser, name: &str, css: &str) {
    browser.look(Look::LIGHT);
    let place = "const { x, y, width, height } = document.querySelector(arguments[0]).getBoundingClientRect();
        return { x: x + scrollX, y: y + scrollY, width, height, scale: 1 };";
    written(browser, name, &browser.script(place, &[json!(css)]));
}

fn written(browser: &Browser, name: &str, clip: &Value) {
    let picture = json!({ "format": "png", "clip": clip, "captureBeyondViewport": true });
    let picture = browser.devtools("Page.captureScreenshot", picture);
    let picture = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("console-{name}.png")), picture).unwrap();
}
