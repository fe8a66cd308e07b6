//! The flows as a user's project has them: changed by overlays.

use serde_json::json;

use crate::support::desk::Desk;

#[test]
fn an_overlay_adds_a_column_to_every_new_opportunity() {
    let desk = Desk::new();
    let overlay = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/customising/flows/customize.yaml");
    std::fs::copy(overlay, desk.project.folder.join("flows/customize.yaml")).unwrap();
    let (_, opportunity) = desk.arrived(&json!({}));
    let row = desk.row(&opportunity);
    assert_eq!((&row["stepname"], &row["opportunityratingcode"]), (&json!("1-Qualify"), &json!(2)));
}
