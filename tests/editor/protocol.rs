//! What the protocol demands: how a conversation ends, what is open, addresses of files.

use serde_json::{Value, json};

use super::client::{Editor, FLOW, marked, project};

#[test]
fn a_project_may_lie_in_a_folder_with_blanks_and_percent_signs() {
    let mut editor = project("a folder 100% %20full");
    let path = "flows/my own 50%.yaml";
    let wrong = FLOW.replace("flow: mine", "flow: other").replace("steps.referral", "steps.referal");
    editor.opened(path, &wrong);
    assert_eq!(editor.findings(path)[0]["code"], "unknown-step");
    let said = editor.at(
        "textDocument/definition",
        path,
        &marked(&FLOW.replace("flow: mine", "flow: other"), "${{ steps.refer"),
    );
    assert_eq!(said["uri"], editor.uri(path));
    let said =
        editor.at("textDocument/definition", path, &marked(&FLOW.replace("flow: mine", "flow: other"), "vars.audit_"));
    assert_eq!(said["uri"], editor.uri(".cosell/shipped/variables.yaml"));
    editor.end();
}

#[test]
fn what_was_not_saved_is_forgotten_with_its_file() {
    let mut editor = project("closed");
    let path = "flows/mine.yaml";
    let wrong = FLOW.replace("steps.referral.details", "steps.referal.details");
    editor.opened(path, &wrong);
    assert_eq!(editor.findings(path)[0]["code"], "unknown-step");
    let close = |editor: &mut Editor, path: &str| {
        let document = json!({ "uri": editor.uri(path) });
        editor.tell("textDocument/didClose", json!({ "textDocument": document }));
    };
    close(&mut editor, path);
    assert_eq!(editor.findings(path), [json!(null); 0], "on the disk nothing is wrong");
    let document = json!({ "uri": editor.uri(path) });
    let asked = json!({ "textDocument": document, "position": { "line": 0, "character": 0 } });
    assert_eq!(editor.ask("textDocument/hover", asked), Value::Null, "it is not open any more");
    // One that was never saved is gone as a whole.
    editor.opened("flows/new.yaml", &wrong.replace("flow: mine", "flow: new"));
    assert_eq!(editor.findings("flows/new.yaml")[0]["code"], "unknown-step");
    close(&mut editor, "flows/new.yaml");
    assert_eq!(editor.findings("flows/new.yaml"), [json!(null); 0]);
    // What another program writes counts as soon as the editor tells of it.
    std::fs::write(editor.folder.join(path), &wrong).unwrap();
    let saved = json!({ "textDocument": { "uri": editor.uri(path) } });
    editor.tell("textDocument/didSave", saved);
    assert_eq!(editor.findings(path)[0]["code"], "unknown-step");
    editor.end();
}

#[test]
fn editors_filter_what_is_proposed_by_its_name() {
    let mut editor = project("filtered");
    let path = "flows/mine.yaml";
    editor.opened(path, FLOW);
    let said = editor.at("textDocument/completion", path, &format!("{FLOW}  more:\n    us‸\n"));
    for item in said.as_array().unwrap() {
        assert_eq!(item["filterText"], item["label"], "{item}");
    }
    editor.end();
}

#[test]
fn a_conversation_ends_by_the_rules() {
    let mut editor = project("ended");
    assert_eq!(editor.ask("shutdown", Value::Null), Value::Null);
    // Whatever else is said before the end changes nothing.
    editor.tell("$/setTrace", json!({ "value": "off" }));
    editor.send(&json!({ "jsonrpc": "2.0", "id": 99, "method": "textDocument/hover", "params": {} }));
    let refused = std::iter::repeat_with(|| editor.receive()).find(|said| said["id"] == 99).unwrap();
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    editor.tell("exit", Value::Null);
    assert_eq!(editor.program.wait().unwrap().code(), Some(0));

    let mut editor = project("ended_at_once");
    editor.tell("exit", Value::Null);
    assert_eq!(editor.program.wait().unwrap().code(), Some(1));
}
