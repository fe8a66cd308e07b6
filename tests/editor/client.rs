//! An editor, as far as a language server sees one, and the files that it has open.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// An editor with a project open.
pub struct Editor {
    pub program: Child,
    pub to: ChildStdin,
    pub from: BufReader<ChildStdout>,
    pub folder: PathBuf,
    pub asked: u64,
    /// What the server said meanwhile.
    pub told: Vec<Value>,
}

pub const FLOW: &str = "flow: mine
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

pub const OVERLAY: &str = "flow: customize
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
    pub fn open(name: &str, files: &[(&str, &str)]) -> Self {
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

    pub fn uri(&self, path: &str) -> String {
        let path = self.folder.join(path).display().to_string().replace('%', "%25").replace(' ', "%20");
        format!("file://{path}").trim_end_matches('/').to_owned()
    }

    pub fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.to.flush().unwrap();
    }

    pub fn receive(&mut self) -> Value {
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

    pub fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    pub fn ask(&mut self, method: &str, params: Value) -> Value {
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

    pub fn opened(&mut self, path: &str, text: &str) {
        let document = json!({ "uri": self.uri(path), "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    pub fn changed(&mut self, path: &str, text: &str) {
        let document = json!({ "uri": self.uri(path), "version": 2 });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
    }

    /// The next findings of a file.
    pub fn findings(&mut self, path: &str) -> Vec<Value> {
        let uri = self.uri(path);
        loop {
            let said = if self.told.is_empty() { self.receive() } else { self.told.remove(0) };
            if said["method"] == "textDocument/publishDiagnostics" && said["params"]["uri"] == json!(uri) {
                return said["params"]["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    /// Asks of the place of the `‸` in a text, which becomes the file's.
    pub fn at(&mut self, method: &str, path: &str, marked: &str) -> Value {
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
    pub fn proposed(&mut self, path: &str, marked: &str) -> Vec<String> {
        let said = self.at("textDocument/completion", path, marked);
        said.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    }

    pub fn explained(&mut self, path: &str, marked: &str) -> String {
        let said = self.at("textDocument/hover", path, marked);
        said["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The text of the line that is gone to, with its file.
    pub fn defined(&mut self, path: &str, marked: &str) -> (String, String) {
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
    pub fn end(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        assert!(self.program.wait().unwrap().success());
    }
}

pub const CONFIGURATION: &str = "flows: [flows]\nvariables: { audit_column: new_audit }\n";

pub fn project(name: &str) -> Editor {
    Editor::open(name, &[("cosell.yaml", CONFIGURATION), ("flows/mine.yaml", FLOW), ("flows/customize.yaml", OVERLAY)])
}

/// The shared flow with `‸` put behind what is found in it.
pub fn marked(text: &str, behind: &str) -> String {
    assert_eq!(text.matches(behind).count(), 1, "{behind}");
    text.replace(behind, &format!("{behind}‸"))
}

pub const MAPPING: &str = "mapping: referral-opportunity
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
pub const METADATA: &str = r#"{ "connections": { "dataverse": { "opportunity": { "logical_name": "opportunity", "columns": [
    { "name": "new_city", "label": "City of the deal", "kind": "text", "creatable": true, "updatable": true, "max_length": 30 },
    { "name": "budgetamount", "label": "Budget", "kind": "number", "creatable": true, "updatable": true },
    { "name": "statuscode", "kind": "choice", "creatable": true, "updatable": true,
      "choices": [{ "value": 1, "label": "In Progress" }, { "value": 5, "label": "Out-Sold" }] },
    { "name": "new_score", "label": "Score", "kind": "number", "creatable": false, "updatable": false }
] } } } }"#;

pub fn mapping(name: &str, metadata: bool) -> Editor {
    let mut files = vec![("cosell.yaml", CONFIGURATION), ("flows/mine.yaml", FLOW), ("flows/map.yaml", MAPPING)];
    files.extend(metadata.then_some(("metadata.json", METADATA)));
    let mut editor = Editor::open(name, &files);
    editor.opened("flows/map.yaml", MAPPING);
    editor
}
