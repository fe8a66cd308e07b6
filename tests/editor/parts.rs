//! What is in a file, and another name for a step.

use serde_json::{Value, json};

use super::client::{Editor, FLOW, OVERLAY, mapping, marked, project};

#[test]
fn a_step_is_renamed_wherever_it_is_named() {
    let mut editor = project("renamed");
    let path = "flows/mine.yaml";
    let more = "  more:\n    after: [rows, referral]\n    let: { a: \"${{ outcomes['referral'].outcome }} ${{ steps.referral.name }}\" }\n  last: { after: { referral: failed }, wait: 1s }\n";
    let text = format!("{FLOW}{more}");
    editor.opened(path, &text);
    let rename = |editor: &mut Editor, marked: &str, to: &str| {
        let before = marked.split('‸').next().unwrap();
        editor.changed(path, &marked.replace('‸', ""));
        let (line, character) =
            (before.matches('\n').count(), before.rsplit('\n').next().unwrap().encode_utf16().count());
        let uri = editor.uri(path);
        let asked = json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character }, "newName": to });
        editor.asked += 1;
        let id = editor.asked;
        editor.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "textDocument/rename", "params": asked }));
        std::iter::repeat_with(|| editor.receive()).find(|said| said["id"] == json!(id)).unwrap()
    };
    for behind in ["  refer", "${{ steps.refer", "[rows, refer", "outcomes['refer", "{ refer"] {
        let marked = text.replacen(behind, &format!("{behind}‸"), 1);
        let said = rename(&mut editor, &marked, "deal");
        let edits =
            said["result"]["changes"][editor.uri(path)].as_array().unwrap_or_else(|| panic!("{behind}: {said}"));
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for edit in edits.iter().rev() {
            let number =
                |place: &str, what: &str| usize::try_from(edit["range"][place][what].as_u64().unwrap()).unwrap();
            let line = &mut lines[number("start", "line")];
            let units: Vec<u16> = line.encode_utf16().collect();
            let text = |units: &[u16]| String::from_utf16(units).unwrap();
            *line = text(&units[..number("start", "character")])
                + edit["newText"].as_str().unwrap()
                + &text(&units[number("end", "character")..]);
        }
        let renamed = text
            .replace("referral:\n", "deal:\n")
            .replace("steps.referral", "steps.deal")
            .replace("rows, referral", "rows, deal");
        let renamed = renamed.replace("['referral']", "['deal']").replace("{ referral:", "{ deal:");
        assert_eq!(lines.join("\n") + "\n", renamed, "{behind}");
    }
    let there = text.replacen("  refer", "  refer‸", 1);
    for (to, why) in [("rows", "has a step `rows` already"), ("My Deal", "no name of a step")] {
        let said = rename(&mut editor, &there, to);
        assert!(said["error"]["message"].as_str().unwrap().contains(why), "{said}");
    }
    assert_eq!(editor.at("textDocument/prepareRename", path, &there)["start"], json!({ "line": 3, "character": 2 }));
    assert_eq!(
        editor.at("textDocument/prepareRename", path, &text.replacen("title: The", "title: The‸", 1)),
        Value::Null
    );
    // A step of the shipped flow has its name there.
    editor.opened("flows/customize.yaml", OVERLAY);
    let shipped = marked(OVERLAY, "own_columns_of");
    assert_eq!(editor.at("textDocument/prepareRename", "flows/customize.yaml", &shipped), Value::Null);
    editor.end();
}

#[test]
fn a_file_has_an_outline() {
    let mut editor = mapping("outline", false);
    editor.opened("flows/mine.yaml", FLOW);
    let outline = |editor: &mut Editor, path: &str| {
        let document = json!({ "uri": editor.uri(path) });
        editor.ask("textDocument/documentSymbol", json!({ "textDocument": document }))
    };
    let said = outline(&mut editor, "flows/mine.yaml");
    let named = |said: &Value| -> Vec<String> {
        said.as_array()
            .unwrap()
            .iter()
            .map(|part| format!("{} {}", part["name"].as_str().unwrap(), part["detail"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(named(&said), ["referral The deal", "rows ", "each ", "note "]);
    assert_eq!(named(&said[2]["children"]), ["inner "]);
    assert_eq!(
        said[0]["selectionRange"],
        json!({ "start": { "line": 3, "character": 2 }, "end": { "line": 3, "character": 10 } })
    );
    assert_eq!(named(&outline(&mut editor, "flows/map.yaml")), ["deal_value ", "status ", "city City"]);
    editor.changed("flows/mine.yaml", "flow: [");
    assert_eq!(outline(&mut editor, "flows/mine.yaml"), json!([]));
    editor.end();
}
