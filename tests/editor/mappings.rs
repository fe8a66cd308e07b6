//! Mappings, and the tables and columns that steps name.

use serde_json::json;

use super::client::{FLOW, MAPPING, mapping, marked};

#[test]
fn paths_columns_and_values_of_a_mapping_are_completed() {
    let mut editor = mapping("rows", true);
    let path = "flows/map.yaml";
    let has = |proposed: Vec<String>, names: &[&str]| {
        assert!(names.iter().all(|name| proposed.iter().any(|one| one == name)), "{names:?}: {proposed:?}");
    };
    let row = |row: &str| format!("{MAPPING}  more:\n    {row}\n");
    let referral = ["name", "details.notes", "details.dealValue", "customerProfile.address.city"];
    has(editor.proposed(path, &row("referral: ‸")), &referral);
    has(editor.proposed(path, &row("referral: { path: details.‸, as: text }")), &referral);
    let columns = ["new_city", "budgetamount", "statuscode", "new_score"];
    assert_eq!(editor.proposed(path, &row("opportunity: ‸")), columns);
    assert_eq!(editor.proposed(path, &row("opportunity: { path: new‸ }")), columns);
    let said = editor.at("textDocument/completion", path, &row("opportunity: { path: new‸ }"));
    assert_eq!(said[0]["detail"], "text, in row `city`", "{said}");
    assert_eq!(said[0]["documentation"]["value"], "City of the deal\n\nAt most 30 characters.");
    assert_eq!(said[3]["documentation"]["value"], "Score\n\nIt cannot be written.");
    has(editor.proposed(path, &row("opportunity: { path: x, column: ‸ }")), &["budgetamount", "false"]);
    has(editor.proposed(path, &row("opportunity: { path: x, as: ‸ }")), &["money", "any"]);
    has(editor.proposed(path, &row("only_to: ‸")), &["referral", "opportunity"]);
    let status = MAPPING.replace("{ Declined: 5 }", "{ Declined: ‸ }");
    assert_eq!(editor.proposed(path, &status), ["1", "5"]);
    let keys = MAPPING.replace("{ Declined: 5 }", "{ ‸ }");
    has(editor.proposed(path, &keys), &["Declined"]);
    has(editor.proposed(path, &row("opportunity: \"${{ vars.‸ }}\"")), &["deal_value_column"]);
    has(editor.proposed(path, &format!("{MAPPING}records: {{ ‸ }}\n")), &["referral", "opportunity"]);
    has(editor.proposed(path, &format!("{MAPPING}records: {{ opportunity: ‸ }}\n")), &["opportunity", "http.get"]);
    let team = format!("{MAPPING}records: {{ referral: partner_center.get_referral.‸ }}\n");
    has(editor.proposed(path, &team), &["partner_center.get_referral.team"]);
    // A mistake elsewhere in the file keeps nothing from being known.
    let wrong = row("opportunity: ‸").replace("as: text }", "as: txt }");
    assert_eq!(editor.proposed(path, &wrong), columns);
    editor.end();

    // Nobody has asked the CRM: what flows and mappings name is known all the same.
    let mut editor = mapping("rows_unasked", false);
    has(editor.proposed(path, &row("opportunity: ‸")), &["estimatedclosedate", "description", "name"]);
    editor.end();
}

#[test]
fn tables_and_columns_are_completed_in_steps() {
    let mut editor = mapping("columns", true);
    let path = "flows/mine.yaml";
    editor.opened(path, FLOW);
    let with = |with: &str| format!("{FLOW}  more:\n    use: dataverse.{with}\n");
    let columns = ["new_city", "budgetamount", "statuscode", "new_score"];
    let tables = editor.proposed(path, &with("list_rows\n    with: { table: ‸ }"));
    assert!(["account", "opportunity"].iter().all(|table| tables.iter().any(|one| one == table)), "{tables:?}");
    assert_eq!(editor.proposed(path, &with("list_rows\n    with: { table: opportunity, select: [n‸] }")), columns);
    assert_eq!(
        editor.proposed(path, &with("list_rows\n    with:\n      table: opportunity\n      select:\n        - n‸")),
        columns
    );
    let said = editor.at(
        "textDocument/completion",
        path,
        &with("list_rows\n    with:\n      table: opportunity\n      select:\n        - n‸"),
    );
    assert_eq!(said[0]["textEdit"]["newText"], "new_city", "no colon behind the item of a list: {said}");
    let find = "find_row\n    with:\n      table: opportunity\n      where: { ‸ }";
    let said = editor.at("textDocument/completion", path, &with(find));
    assert_eq!((&said[0]["label"], &said[0]["textEdit"]["newText"]), (&json!("new_city"), &json!("new_city: ")));
    let find = "find_row\n    with:\n      table: opportunity\n      where: { statuscode: ‸ }";
    assert_eq!(editor.proposed(path, &with(find)), ["1", "5"]);
    editor.end();
}

#[test]
fn rows_fields_and_what_a_file_of_ones_own_changes_are_explained() {
    let mut editor = mapping("rows_explained", true);
    let path = "flows/map.yaml";
    for (behind, words) in [
        (
            "  deal_val",
            vec![
                "**Deal value**",
                "`budgetamount`, an amount of money",
                "set in",
                "map.yaml:4; shipped: `\"${{ vars.deal_value_column }}\"`",
            ],
        ),
        ("opportunity: budget", vec!["`budgetamount`: a number", "Budget", "map.yaml:4; shipped"]),
        ("    values: { Decl", vec!["map.yaml:6; shipped: `[4, 5]`"]),
        ("{ Declined: 5", vec!["`5`", "Out-Sold"]),
        ("  ci", vec!["**City**", "Goes only to opportunity.", "added in"]),
        ("path: customerProfile.address.ci", vec!["`customerProfile.address.city`: text"]),
        ("path: new_ci", vec!["`new_city`: text", "City of the deal", "At most 30 characters."]),
        ("new_city, as: te", vec!["`text`: text"]),
        ("    only_", vec!["The only side that the row writes to."]),
    ] {
        let explained = editor.explained(path, &marked(MAPPING, behind));
        assert!(words.iter().all(|word| explained.contains(word)), "{behind}: {explained}");
    }
    let variable = MAPPING.replace("budgetamount", "\"${{ vars.deal_value_col‸umn }}\"");
    assert!(editor.explained(path, &variable).contains("the default is `\"estimatedvalue\"`"));
    editor.end();
}

#[test]
fn a_row_leads_to_the_shipped_one_and_metadata_to_findings() {
    let mut editor = mapping("rows_defined", true);
    let path = "flows/map.yaml";
    let [finding] = editor.findings(path).try_into().unwrap();
    assert_eq!(finding["code"], "text-too-long", "{finding}");
    let shipped = |line: &str| (".cosell/shipped/mappings/referral-opportunity.yaml".to_owned(), line.to_owned());
    assert_eq!(editor.defined(path, &marked(MAPPING, "  deal_val")), shipped("deal_value:"));
    let field = shipped("opportunity: { path: \"${{ vars.deal_value_column }}\", as: money }");
    assert_eq!(editor.defined(path, &marked(MAPPING, "opportunity: budget")), field);
    assert_eq!(editor.defined(path, &marked(MAPPING, "{ Decli")), shipped("Declined: [4, 5]"));
    let variable = MAPPING.replace("budgetamount", "\"${{ vars.audit_‸column }}\"");
    assert_eq!(
        editor.defined(path, &variable),
        (".cosell/shipped/variables.yaml".to_owned(), "audit_column:".to_owned())
    );
    editor.opened("flows/mine.yaml", FLOW);
    let step = format!("{FLOW}  more: {{ map: referral-‸opportunity }}\n");
    assert_eq!(editor.defined("flows/mine.yaml", &step), (path.to_owned(), "mapping: referral-opportunity".to_owned()));
    editor.end();
}
