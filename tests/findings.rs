//! Every finding is explained, and its examples are what they say; findings for other programs.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{compile, configuration, tables};
use cosell_model::Catalogue;
use cosell_model::tables::Metadata;
use serde_json::Value;
use support::Project;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The page's sections: code, wrong example, right example.
fn sections() -> Vec<(String, String, String)> {
    let page = std::fs::read_to_string(root().join("docs/findings.md")).unwrap();
    let section = |section: &str| {
        let example = |word: &str| {
            let fence = format!("```yaml {word}\n");
            section.split(&fence).nth(1).and_then(|rest| rest.split("\n```").next()).unwrap_or_default().to_owned()
        };
        (section.lines().next().unwrap().to_owned(), example("wrong"), example("right"))
    };
    page.split("\n## ").skip(1).map(section).collect()
}

/// The files of an example.
fn files(example: &str) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = Vec::new();
    for line in example.lines() {
        let begins = line.strip_prefix("# ").filter(|path| path.starts_with("own/") || path.starts_with("shipped/"));
        if let Some(path) = begins {
            let layer = if path.starts_with("own/") { Layer::Own } else { Layer::Shipped };
            files.push(SourceFile { path: path.to_owned(), text: String::new(), layer });
            continue;
        }
        if files.is_empty() {
            let text = if example.starts_with("steps:") { "flow: example\ntrigger: manual\n" } else { "" };
            files.push(SourceFile { path: "own/example.yaml".to_owned(), text: text.to_owned(), layer: Layer::Own });
        }
        let text = &mut files.last_mut().unwrap().text;
        text.push_str(line);
        text.push('\n');
    }
    files
}

fn shipped() -> Vec<SourceFile> {
    let mut files = Vec::new();
    for folder in ["flows", "flows/mappings"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push(SourceFile { path: path.display().to_string(), text, layer: Layer::Shipped });
            }
        }
    }
    files
}

/// What is found only with the CRM's metadata.
const BY_METADATA: [&str; 9] = [
    "read-only-column",
    "required-column",
    "text-too-long",
    "unfit-form",
    "unfit-value",
    "unknown-choice",
    "unknown-column",
    "unknown-table",
    "wrong-target",
];

/// The codes of what is found in an example.
fn found(code: &str, example: &str, catalogue: &Catalogue) -> BTreeSet<&'static str> {
    if !example.starts_with("connections:") {
        let compiled = compile(files(example), catalogue, &BTreeMap::new());
        if BY_METADATA.contains(&code) {
            let tables = serde_json::from_str(include_str!("support/tables.json")).unwrap();
            let metadata = Metadata { connections: BTreeMap::from([("dataverse".to_owned(), tables)]) };
            return tables::check(&compiled, catalogue, &metadata).iter().map(|finding| finding.code).collect();
        }
        return compiled.diagnostics.iter().map(|finding| finding.code).collect();
    }
    let (read, findings, _) = configuration::read(files(example).remove(0), None);
    let flows = compile(shipped(), catalogue, &BTreeMap::new()).flows;
    findings.into_iter().chain(configuration::off::check(&read.off, &flows)).map(|finding| finding.code).collect()
}

/// What only a command finds: one that runs the flow, needs the connection, or has the values of variables. The examples are
/// configurations.
const BY_COMMANDS: [(&str, &[&str]); 3] = [
    ("flow-off", &["run", "partner-center-to-dynamics"]),
    ("wrong-connection", &["run", "mine", "--input", "go=false"]),
    ("wrong-variable", &["variables"]),
];

/// Needs the connection, and does not call it.
const MINE: &str = "flow: mine
trigger: { use: manual, inputs: { go: boolean } }
steps:
  read: { when: \"${{ inputs.go }}\", use: dataverse.get_row, with: { table: account, id: a } }
";

#[test]
fn every_example_is_what_it_says() {
    let connectors = [
        cosell_partner_center::connector(),
        cosell_partner_center_events::connector(),
        cosell_dataverse::connector(),
        cosell_http::connector(),
        cosell_state::connector(),
    ];
    let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
    let mut wrong_ones = Vec::new();
    for (code, wrong, right) in sections() {
        assert!(!wrong.is_empty() && !right.is_empty(), "{code} has both examples");
        if BY_COMMANDS.iter().any(|(known, _)| *known == code) {
            continue;
        }
        let (in_wrong, in_right) = (found(&code, &wrong, &catalogue), found(&code, &right, &catalogue));
        if in_wrong != BTreeSet::from([&*code]) || !in_right.is_empty() {
            wrong_ones.push(format!("{code}: wrong gives {in_wrong:?}, right gives {in_right:?}"));
        }
    }
    assert!(wrong_ones.is_empty(), "{wrong_ones:#?}");
}

#[test]
fn what_only_commands_find_is_found_by_them() {
    let sections = sections();
    for (code, arguments) in BY_COMMANDS {
        let (_, wrong, right) = sections.iter().find(|(known, ..)| known == code).unwrap();
        let found = |which: &str, example: &str| {
            let configuration = format!("flows: [flows]\n{example}\n");
            let project = Project::new(&format!("{code}-{which}")).flow(MINE).file("cosell.yaml", &configuration);
            project.file(".env", "SECRET=s\n").transcript(arguments)
        };
        let finding = format!("error[{code}]");
        let (in_wrong, in_right) = (found("wrong", wrong), found("right", right));
        assert!(in_wrong.matches("error[").count() == 1 && in_wrong.contains(&finding), "{in_wrong}");
        assert!(!in_right.contains("error["), "{in_right}");
    }
}

/// Every code in the source of a folder.
fn codes(folder: &Path) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes.extend(self::codes(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for before in ["Diagnostic::error(", "code: ", "=> \"unknown-"] {
            for (at, _) in code.match_indices(before) {
                let quoted = code[at..].trim_start_matches(before.trim_end_matches("\"unknown-")).trim_start();
                let Some(literal) = quoted.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
                codes.insert(literal.to_owned());
            }
        }
    }
    codes
}

#[test]
fn every_code_is_explained() {
    let mut known = codes(&root().join("engine/compile/src"));
    known.extend(codes(&root().join("engine/cli/src/project")));
    let explained: Vec<String> = sections().into_iter().map(|(code, ..)| code).collect();
    assert!(explained.is_sorted(), "the codes stand in order");
    assert_eq!(known, explained.into_iter().collect());
}

/// Two findings, one of them with another place, in files of the user's.
const WRONG: &str = "flow: mine\ntrigger: manual\nsteps:\n  größe: { let: { a: 1 } }\n  first: { let: { a: 1 } }\n  \
                     group: { scope: { first: { let: { a: \"${{ steps.frist.a }}\" } } } }\n";

fn check(format: &str) -> (String, bool) {
    let project = Project::new(&format!("findings-{format}")).file("my flow.yaml", WRONG);
    let output = project.run(&["check", "--format", format, "my flow.yaml"]);
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

#[test]
fn findings_for_other_programs() {
    for format in ["github", "json", "sarif"] {
        let (text, success) = check(format);
        assert!(!success);
        assert_eq!(text, check(format).0, "the same each time");
        insta::assert_snapshot!(format, text);
    }
}

#[test]
fn a_sarif_log_holds_together() {
    let log: Value = serde_json::from_str(&check("sarif").0).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(!rule["fullDescription"]["text"].as_str().unwrap().is_empty());
        let region = &result["locations"][0]["physicalLocation"]["region"];
        let number = |name: &str| region[name].as_u64().unwrap();
        assert!((number("startLine"), number("startColumn")) <= (number("endLine"), number("endColumn")));
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "my%20flow.yaml");
    }
}

#[test]
fn a_code_is_explained() {
    let explain = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_cosell")).arg("explain").args(arguments).output().unwrap()
    };
    insta::assert_snapshot!("explain", String::from_utf8(explain(&["cycle"]).stdout).unwrap());
    let all = String::from_utf8(explain(&[]).stdout).unwrap();
    assert_eq!(all.lines().count(), sections().len());
    let unknown = explain(&["cycel"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean `cycle`?"));
}
