//! Flows: findings, completion, explanations, definitions.

use serde_json::json;

use super::client::{CONFIGURATION, FLOW, OVERLAY, marked, project};

#[test]
fn a_mistake_is_shown_where_it_stands_and_gone_once_it_is_mended() {
    let mut editor = project("mistakes");
    let wrong = FLOW.replace("steps.referral.details", "steps.referal.details");
    editor.opened("flows/mine.yaml", &wrong);
    let [finding] = editor.findings("flows/mine.yaml").try_into().unwrap();
    let range = json!({ "start": { "line": 16, "character": 22 }, "end": { "line": 16, "character": 29 } });
    assert_eq!((&finding["code"], &finding["range"]), (&json!("unknown-step"), &range), "{finding}");
    assert!(finding["message"].as_str().unwrap().ends_with("help: did you mean `referral`?"), "{finding}");
    let explained = finding["codeDescription"]["href"].as_str().unwrap();
    let (page, line) = explained.strip_prefix("file://").unwrap().split_once("#L").unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.lines().nth(line.parse::<usize>().unwrap() - 1), Some("## unknown-step"));

    editor.changed("flows/mine.yaml", FLOW);
    assert_eq!(editor.findings("flows/mine.yaml"), [json!(null); 0]);
    // In UTF-16: the clef before it counts twice.
    editor.changed("flows/mine.yaml", &FLOW.replace("| upper", "| uper"));
    let [finding] = editor.findings("flows/mine.yaml").try_into().unwrap();
    let line = FLOW.lines().position(|line| line.contains("| upper")).unwrap();
    let before = FLOW.lines().nth(line).unwrap().split("upper").next().unwrap().encode_utf16().count();
    assert_eq!(finding["range"]["start"], json!({ "line": line, "character": before }), "{finding}");

    editor.changed("flows/mine.yaml", "flow: [\n");
    assert_eq!(editor.findings("flows/mine.yaml")[0]["code"], "not-yaml");
    editor.opened("cosell.yaml", &CONFIGURATION.replace("audit_column", "audit_colum"));
    assert_eq!(editor.findings("cosell.yaml")[0]["code"], "wrong-variable");
    editor.end();
}

#[test]
fn expressions_are_completed_from_what_is_known() {
    let mut editor = project("expressions");
    let path = "flows/mine.yaml";
    editor.opened(path, FLOW);
    let with = |text: &str| FLOW.replace("${{ steps.referral.details.notes }} and ${{ vars.audit_column }}", text);
    assert_eq!(editor.proposed(path, &with("${{ steps.‸ }}")), ["referral", "rows", "each"], "nothing inside a loop");
    assert!(editor.proposed(path, &with("${{ steps.referral.‸ }}")).contains(&"customerProfile".to_owned()));
    assert!(editor.proposed(path, &with("${{ steps.referral.details.n‸ }}")).contains(&"notes".to_owned()));
    assert!(editor.proposed(path, &with("${{ vars.‸ }}")).contains(&"deal_value_column".to_owned()));
    assert_eq!(editor.proposed(path, &with("${{ inputs.‸ }}")), ["name"]);
    assert_eq!(editor.proposed(path, &with("${{ outcomes.rows.‸ }}")), ["outcome", "error", "reason"]);
    assert!(editor.proposed(path, &with("${{ inputs.name | ‸ }}")).contains(&"shorten".to_owned()));
    let roots = editor.proposed(path, &with("${{ ‸ }}"));
    assert!(roots.contains(&"trigger".to_owned()) && !roots.contains(&"item".to_owned()), "{roots:?}");
    let looped = editor.proposed(path, &FLOW.replace("item.name |", "‸ |"));
    assert!(looped.contains(&"item".to_owned()) && looped.contains(&"index".to_owned()), "{looped:?}");
    // While it is no YAML, by what it was before.
    let broken = with("${{ steps.‸").replace("top: 5 }", "top: [");
    assert_eq!(editor.proposed(path, &broken), ["referral", "rows", "each"]);
    editor.end();
}

#[test]
fn keys_and_names_are_completed_outside_of_expressions() {
    let mut editor = project("keys");
    let path = "flows/mine.yaml";
    editor.opened(path, FLOW);
    let with = |step: &str| format!("{FLOW}  more:\n    {step}\n");
    let has = |proposed: Vec<String>, names: &[&str]| {
        assert!(names.iter().all(|name| proposed.iter().any(|one| one == name)), "{names:?}: {proposed:?}");
    };
    has(editor.proposed(path, &with("‸")), &["use", "call", "for_each", "title", "when"]);
    has(editor.proposed(path, &with("use: data‸")), &["dataverse.get_row", "state.put"]);
    has(editor.proposed(path, &with("use: dataverse.find_row\n    with:\n      table: account\n      ‸")), &["where"]);
    has(editor.proposed(path, &with("use: dataverse.find_row\n    with: { ‸ }")), &["table", "where"]);
    has(editor.proposed(path, &with("call: ‸")), &["customize"]);
    has(editor.proposed(path, &with("call: customize\n    with: { ‸ }")), &["do", "referral"]);
    has(editor.proposed(path, &with("map: ‸")), &["referral-opportunity"]);
    has(editor.proposed(path, &with("map: referral-opportunity\n    from: { ‸ }")), &["referral", "opportunity"]);
    has(editor.proposed(path, &with("stop: ‸")), &["succeeded", "failed"]);
    has(editor.proposed(path, &with("wait: 1s\n    after: ‸")), &["referral", "rows"]);
    has(editor.proposed(path, "flow: mine\ntrigger: { use: ‸ }\n"), &["manual", "dataverse.row_saved"]);
    has(editor.proposed(path, "flow: mine\n‸\n"), &["trigger", "steps", "debounce"]);
    let overlay = "flows/customize.yaml";
    editor.opened(overlay, OVERLAY);
    has(editor.proposed(overlay, "flow: customize\nsteps:\n  ‸"), &["task"]);
    has(
        editor.proposed(overlay, "flow: customize\nsteps:\n  task:\n    cases:\n      account:\n        ‸"),
        &["known_account", "own_columns_of_account"],
    );
    editor.opened("flows/map.yaml", "mapping: referral-opportunity\n");
    let row = "mapping: referral-opportunity\nrows:\n  notes:\n    ";
    has(editor.proposed("flows/map.yaml", &format!("{row}‸")), &["referral", "opportunity", "when_empty"]);
    has(editor.proposed("flows/map.yaml", &format!("{row}referral: {{ path: a, as: ‸ }}")), &["money", "datetime"]);
    editor.opened("cosell.yaml", CONFIGURATION);
    has(editor.proposed("cosell.yaml", "variables:\n  ‸"), &["deal_value_column"]);
    has(editor.proposed("cosell.yaml", "connections:\n  dataverse:\n    ‸"), &["address", "sign_in"]);
    editor.end();
}

#[test]
fn what_stands_under_the_cursor_is_explained() {
    let mut editor = project("explained");
    let path = "flows/mine.yaml";
    editor.opened(path, FLOW);
    for (behind, words) in [
        ("${{ steps.refer", vec!["**The deal**", "partner_center.get_referral", "Yields", "`organizationId`"]),
        ("steps.referral.details.no", vec!["`notes`"]),
        ("vars.audit_", vec!["text = \"new_audit\"", "Column \"Audit\""]),
        ("item.name | up", vec!["The text in upper case."]),
        ("use: dataverse.list_", vec!["`table`", "needed", "It reads."]),
        ("for_e", vec!["once per item"]),
        ("{ table: account, to", vec!["`top`"]),
        ("inputs.na", vec!["`name`: text"]),
    ] {
        let explained = editor.explained(path, &marked(FLOW, behind));
        assert!(words.iter().all(|word| explained.contains(word)), "{behind}: {explained}");
    }
    assert_eq!(editor.explained(path, &marked(FLOW, "flow: mi")), "");
    editor.end();
}

#[test]
fn definitions_are_found_also_in_what_is_shipped() {
    let mut editor = project("defined");
    let path = "flows/mine.yaml";
    editor.opened(path, FLOW);
    let here = |line: &str| (path.to_owned(), line.to_owned());
    assert_eq!(editor.defined(path, &marked(FLOW, "${{ steps.refer")), here("referral:"));
    assert_eq!(
        editor.defined(path, &marked(FLOW, "inputs.na")),
        here("trigger: { use: manual, inputs: { name: text } }")
    );
    let variables = (".cosell/shipped/variables.yaml".to_owned(), "audit_column:".to_owned());
    assert_eq!(editor.defined(path, &marked(FLOW, "vars.audit")), variables);
    let more = |step: &str| format!("{FLOW}  more: {{ {step} }}\n");
    let (file, line) = editor.defined(path, &more("call: partner-center-to-‸dynamics-helper"));
    assert_eq!(
        (&*file, &*line),
        (".cosell/shipped/partner-center-to-dynamics-helper.yaml", "flow: partner-center-to-dynamics-helper")
    );
    let (file, _) = editor.defined(path, &more("map: referral-‸opportunity"));
    assert_eq!(file, ".cosell/shipped/mappings/referral-opportunity.yaml");
    assert_eq!(editor.defined(path, &more("wait: 1s, after: ro‸ws")), here("rows:"));

    let overlay = "flows/customize.yaml";
    editor.opened(overlay, OVERLAY);
    let (file, line) = editor.defined(overlay, &marked(OVERLAY, "own_columns_of"));
    assert_eq!((&*file, &*line), (".cosell/shipped/customize.yaml", "own_columns_of_opportunity:"));
    editor.end();
}
