//! `cosell lsp`, driven over standard input and output as an editor does.

#![allow(clippy::unwrap_used, missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// An editor with a project open.
struct Editor {
    program: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    folder: PathBuf,
    asked: u64,
    /// What the server said meanwhile.
    told: Vec<Value>,
}

const FLOW: &str = "flow: mine
trigger: { use: manual, inputs: { name: text } }
steps:
  referral:
    title: The deal
    use: partner_center.get_referral
    with: { id: \"${{ inputs.name }}\" }
  rows:
    use: dataverse.list_rows
    with: { table: account, top: 5 }
  each:
    for_each: ${{ steps.rows.rows }}
    do:
      inner: { let: { text: \"ä𝄞 ${{ item.name | upper }}\" } }
  note:
    let:
      text: ${{ steps.referral.details.notes }} and ${{ vars.audit_column }}
";

const OVERLAY: &str = "flow: customize
steps:
  task:
    cases:
      create_opportunity:
        own_columns_of_opportunity:
          let:
            stepname: 1-Qualify
";

impl Editor {
    /// Opens a project of this name with these files.
    fn open(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("editor").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("flows")).unwrap();
        for (path, text) in files {
            std::fs::write(folder.join(path), text).unwrap();
        }
        let mut program = Command::new(env!("CARGO_BIN_EXE_cosell"))
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (program.stdin.take().unwrap(), BufReader::new(program.stdout.take().unwrap()));
        let mut editor = Self { program, to, from, folder, asked: 0, told: Vec::new() };
        let root = editor.uri("");
        let said = editor.ask(
            "initialize",
            json!({ "processId": null, "capabilities": {}, "workspaceFolders": [{ "uri": root, "name": "project" }] }),
        );
        assert_eq!(said["capabilities"]["textDocumentSync"]["change"], 1, "{said}");
        editor.tell("initialized", json!({}));
        editor
    }

    fn uri(&self, path: &str) -> String {
        let path = self.folder.join(path).display().to_string().replace('%', "%25").replace(' ', "%20");
        format!("file://{path}").trim_end_matches('/').to_owned()
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.to.flush().unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the server has gone");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", count)) => length = count.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let said = self.receive();
            if said["id"] == json!(id) {
                assert!(said["error"].is_null(), "{said}");
                return said["result"].clone();
            }
            self.told.push(said);
        }
    }

    fn opened(&mut self, path: &str, text: &str) {
        let document = json!({ "uri": self.uri(path), "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn changed(&mut self, path: &str, text: &str) {
        let document = json!({ "uri": self.uri(path), "version": 2 });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
    }

    /// The next findings of a file.
    fn findings(&mut self, path: &str) -> Vec<Value> {
        let uri = self.uri(path);
        loop {
            let said = if self.told.is_empty() { self.receive() } else { self.told.remove(0) };
            if said["method"] == "textDocument/publishDiagnostics" && said["params"]["uri"] == json!(uri) {
                return said["params"]["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    /// Asks of the place of the `‸` in a text, which becomes the file's.
    fn at(&mut self, method: &str, path: &str, marked: &str) -> Value {
        let text = marked.replace('‸', "");
        self.changed(path, &text);
        let before = marked.split('‸').next().unwrap();
        let line = before.matches('\n').count();
        let character = before.rsplit('\n').next().unwrap().encode_utf16().count();
        let document = json!({ "uri": self.uri(path) });
        let position = json!({ "line": line, "character": character });
        self.ask(method, json!({ "textDocument": document, "position": position }))
    }

    /// The names that are proposed there.
    fn proposed(&mut self, path: &str, marked: &str) -> Vec<String> {
        let said = self.at("textDocument/completion", path, marked);
        said.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    }

    fn explained(&mut self, path: &str, marked: &str) -> String {
        let said = self.at("textDocument/hover", path, marked);
        said["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The text of the line that is gone to, with its file.
    fn defined(&mut self, path: &str, marked: &str) -> (String, String) {
        let said = self.at("textDocument/definition", path, marked);
        let file = said["uri"].as_str().unwrap_or_else(|| panic!("{marked}: {said}")).strip_prefix("file://").unwrap();
        let text = match path == Path::new(file).strip_prefix(&self.folder).unwrap().to_str().unwrap() {
            true => marked.replace('‸', ""),
            false => std::fs::read_to_string(file).unwrap(),
        };
        let line = usize::try_from(said["range"]["start"]["line"].as_u64().unwrap()).unwrap();
        let below = Path::new(file).strip_prefix(&self.folder).unwrap().display().to_string();
        (below, text.lines().nth(line).unwrap().trim().to_owned())
    }

    /// Ends the conversation as it should be.
    fn end(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        assert!(self.program.wait().unwrap().success());
    }
}

const CONFIGURATION: &str = "flows: [flows]\nvariables: { audit_column: new_audit }\n";

fn project(name: &str) -> Editor {
    Editor::open(name, &[("cosell.yaml", CONFIGURATION), ("flows/mine.yaml", FLOW), ("flows/customize.yaml", OVERLAY)])
}

/// The shared flow with `‸` put behind what is found in it.
fn marked(text: &str, behind: &str) -> String {
    assert_eq!(text.matches(behind).count(), 1, "{behind}");
    text.replace(behind, &format!("{behind}‸"))
}

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

const MAPPING: &str = "mapping: referral-opportunity
rows:
  deal_value:
    opportunity: budgetamount
  status:
    values: { Declined: 5 }
  city:
    title: City
    only_to: opportunity
    referral: { path: customerProfile.address.city, as: text }
    opportunity: { path: new_city, as: text, length: 40 }
";

/// What `cosell metadata pull` saves.
const METADATA: &str = r#"{ "connections": { "dataverse": { "opportunity": { "logical_name": "opportunity", "columns": [
    { "name": "new_city", "label": "City of the deal", "kind": "text", "creatable": true, "updatable": true, "max_length": 30 },
    { "name": "budgetamount", "label": "Budget", "kind": "number", "creatable": true, "updatable": true },
    { "name": "statuscode", "kind": "choice", "creatable": true, "updatable": true,
      "choices": [{ "value": 1, "label": "In Progress" }, { "value": 5, "label": "Out-Sold" }] },
    { "name": "new_score", "label": "Score", "kind": "number", "creatable": false, "updatable": false }
] } } } }"#;

fn mapping(name: &str, metadata: bool) -> Editor {
    let mut files = vec![("cosell.yaml", CONFIGURATION), ("flows/mine.yaml", FLOW), ("flows/map.yaml", MAPPING)];
    files.extend(metadata.then_some(("metadata.json", METADATA)));
    let mut editor = Editor::open(name, &files);
    editor.opened("flows/map.yaml", MAPPING);
    editor
}

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
