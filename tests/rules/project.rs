//! The flows as a user's project has them: changed by overlays, turned on in an order, turned off.

use serde_json::{Value, json};

use crate::support::Project;
use crate::support::desk::{Desk, says, text};

/// Calls as documented: who stands on the right must be on before who stands on the left.
const NEEDS: [(&str, &str); 7] = [
    ("create-co-sell-referral", "customize"),
    ("partner-center-to-dynamics-helper", "customize"),
    ("partner-center-to-dynamics", "partner-center-to-dynamics-helper"),
    ("partner-center-to-dynamics", "partner-center-microsoft-updates-to-dynamics"),
    ("dynamics-to-partner-center", "create-co-sell-referral"),
    ("dynamics-opportunity-to-partner-center", "dynamics-to-partner-center"),
    ("dynamics-microsoft-solutions-to-partner-center", "dynamics-to-partner-center"),
];

#[test]
fn the_nine_flows_are_turned_on_behind_those_that_they_call() {
    let project = Project::new("rule_order");
    let listed: Value = serde_json::from_slice(&project.run(&["flows", "--json"]).stdout).unwrap();
    let order: Vec<&str> = listed.as_array().unwrap().iter().map(|flow| text(&flow["name"])).collect();
    assert_eq!(order.len(), 9, "{order:?}");
    assert!(order.contains(&"partner-center-webhook-registration"));
    let place = |name: &str| order.iter().position(|flow| *flow == name).unwrap_or_else(|| panic!("{name}: {order:?}"));
    for (caller, called) in NEEDS {
        assert!(place(called) < place(caller), "{called} before {caller}: {order:?}");
    }
}

#[test]
fn a_flow_that_is_on_cannot_call_one_that_is_off() {
    for (caller, called) in NEEDS {
        let name = format!("rule_off_{caller}_{called}");
        let project = Project::new(&name).file("cosell.yaml", &json!({ "off": [called] }).to_string());
        let seen = project.transcript(&["check"]);
        assert!(!seen.starts_with("exit code 0"), "{seen}");
        says(&seen, &["is off", &format!("({caller})")]);
    }
}

#[test]
fn a_flow_that_is_off_does_not_run_and_the_others_do() {
    let desk = Desk::new();
    let path = desk.project.folder.join("cosell.yaml");
    let mut configuration: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    configuration["off"] = json!(["dynamics-microsoft-solutions-to-partner-center"]);
    std::fs::write(path, configuration.to_string()).unwrap();
    desk.sent(&json!({}));
    let off = ["run", "dynamics-microsoft-solutions-to-partner-center"];
    let seen = desk.project.transcript(&off);
    assert!(!seen.starts_with("exit code 0"), "{seen}");
    says(&seen, &["off", off[1]]);
}

#[test]
fn an_overlay_adds_a_column_to_every_new_opportunity() {
    let desk = Desk::new();
    let overlay = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/customising/flows/customize.yaml");
    std::fs::copy(overlay, desk.project.folder.join("flows/customize.yaml")).unwrap();
    let (_, opportunity) = desk.arrived(&json!({}));
    let row = desk.row(&opportunity);
    assert_eq!((&row["stepname"], &row["opportunityratingcode"]), (&json!("1-Qualify"), &json!(2)));
}
