//! The book says what is so: its commands parse, its tables of keys and filters are the compiler's, its pages are listed, and
//! the tutorial works.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use cosell_compile::plan::Action;
use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{compile, configuration};
use cosell_model::{Catalogue, Diagnostic, FlowId};
use serde_json::{Value, json};
use support::{Project, Stage};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn pages() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".md"))
        .collect();
    names.sort();
    let page = |name: String| (format!("docs/{name}"), read(&format!("docs/{name}")));
    names.into_iter().map(page).chain([("README.md".to_owned(), read("README.md"))]).collect()
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let contents = read("docs/README.md");
    for (path, _) in pages().iter().filter(|(path, _)| path.starts_with("docs/")) {
        let name = path.trim_start_matches("docs/");
        assert!(name == "README.md" || contents.contains(&format!("]({name})")), "{name}");
    }
}

/// The commands of a page: lines of its `sh` blocks, and what stands between backquotes.
fn commands(page: &str) -> BTreeSet<String> {
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
    // Text between fences is not prose.
    let prose: String = page.split("```").step_by(2).collect::<Vec<_>>().join("\n").replace('\n', " ");
    let quoted = prose.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let without_remark = |line: String| line.split(" #").next().unwrap().trim().to_owned();
    lines.chain(quoted).map(without_remark).filter(|line| line.starts_with("cosell ")).collect()
}

#[test]
fn every_command_line_parses() {
    let mut seen = 0;
    for (path, page) in pages() {
        for command in commands(&page) {
            // `cosell at` is the beginning of a name.
            if command == "cosell at" {
                continue;
            }
            seen += 1;
            let words = command.split_whitespace().skip(1).map(|word| word.trim_matches(['[', ']', '…', '\'', '"']));
            let words = words
                .filter(|word| !word.is_empty())
                .map(|word| word.replace("NUMBER", "1").replace("TIME", "2026-11-01").replace("KIND", "flow"));
            let output = Command::new(env!("CARGO_BIN_EXE_cosell")).args(words).arg("--help").output().unwrap();
            assert!(output.status.success(), "{path}: {command}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert!(seen > 80, "{seen}");
}

fn catalogue() -> Catalogue {
    Catalogue::new([cosell_state::connector().description().clone()])
}

/// The findings in a text, which is a configuration where `is_configuration` says so.
fn findings(text: &str, is_configuration: bool) -> Vec<Diagnostic> {
    let file = SourceFile { path: "x.yaml".to_owned(), text: text.to_owned(), layer: Layer::Own };
    if is_configuration {
        return configuration::read(file, None).1;
    }
    compile(vec![file], &catalogue(), &BTreeMap::new()).diagnostics
}

const MAPPED: &str = "mapping: m\nbetween: [a, b]\nrows: { x: { a: x, b: y } }\n";

/// Where a section of `keys.md` is asked about: a text with the key `zzz`, which no map has.
fn probe(heading: &str) -> String {
    let step = |inside: &str| format!("flow: f\ntrigger: manual\nsteps: {{ s: {{ zzz: 1, {inside} }} }}\n");
    let body = "do: { r: { wait: 1s } }";
    match heading {
        "A flow" => "flow: f\nzzz: 1\ntrigger: manual\nsteps: {}\n".to_owned(),
        "A trigger" => "flow: f\ntrigger: { use: manual, zzz: 1 }\nsteps: {}\n".to_owned(),
        "An input" => {
            "flow: f\ntrigger: { use: manual, inputs: { i: { type: text, zzz: 1 } } }\nsteps: {}\n".to_owned()
        }
        "A step that uses an operation" => step("use: state.get, with: { key: a }"),
        "A step that calls a flow" => step("call: g"),
        "A scope" => step("scope: {}"),
        "An if" => step("if: true, then: {}"),
        "A switch" => step("switch: 1, cases: {}"),
        "A for_each" => step(&format!("for_each: [1], {body}")),
        "An until" => step(&format!("until: true, limit: {{ count: 1 }}, {body}")),
        "A limit" => step(&format!("until: true, limit: {{ zzz: 1 }}, {body}")).replacen("zzz: 1, ", "", 1),
        "A let" => step("let: { a: 1 }"),
        "A map" => step("map: m, from: { a: 1 }"),
        "A compare" => step("compare: m, from: { a: 1 }, to: { b: 1 }"),
        "A merge" => step("merge: m, from: { a: 1 }, to: { b: 1 }"),
        "A wait" => step("wait: 1s"),
        "A respond" => step("respond: { zzz: 1 }").replacen("zzz: 1, ", "", 1),
        "A stop" => step("stop: { outcome: failed, zzz: 1 }").replacen("zzz: 1, ", "", 1),
        "A retry" => step("use: state.get, with: { key: a }, retry: { zzz: 1 }").replacen("zzz: 1, ", "", 1),
        "A mapping" => format!("{MAPPED}zzz: 1\n"),
        "A row" => MAPPED.replace("b: y", "b: y, zzz: 1"),
        "A field" => MAPPED.replace("b: y", "b: { path: y, zzz: 1 }"),
        "A file of variables" => "zzz: 1\nvariables: {}\n".to_owned(),
        "A variable" => "variables: { v: { type: text, default: a, zzz: 1 } }\n".to_owned(),
        "The configuration" => "zzz: 1\n".to_owned(),
        "An environment" => "environment: e\nenvironments: { e: { zzz: 1 } }\n".to_owned(),
        "The limits of a connection" => "connections: { state: { limits: { zzz: 1 } } }\n".to_owned(),
        "The service" => "service: { zzz: 1 }\n".to_owned(),
        other => panic!("`{other}` is not held against anything"),
    }
}

/// What stands between backquotes in the first cells of a table.
fn first_cells(section: &str) -> BTreeSet<String> {
    let cells = section.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn every_key_is_listed_and_no_other() {
    let page = read("docs/keys.md");
    let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    let every_step = sections.iter().find(|section| section.starts_with("Every step")).map(|s| first_cells(s)).unwrap();
    for section in sections {
        let heading = section.lines().next().unwrap();
        if heading == "Every step" {
            continue;
        }
        let probe = probe(heading);
        let is_configuration =
            !["flow:", "mapping:", "variables:", "zzz: 1\nvariables"].iter().any(|begin| probe.starts_with(begin));
        let findings = findings(&probe, is_configuration);
        let help = findings.iter().find(|f| f.code == "unknown-key").and_then(|f| f.help.clone());
        let help = help.unwrap_or_else(|| panic!("{heading}: {findings:?}"));
        let after = help.split_once(" takes ").unwrap().1;
        let mut taken: BTreeSet<String> = after.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        if probe.contains("steps: { s: { zzz") {
            assert!(taken.is_superset(&every_step), "{heading}: {taken:?}");
            taken = taken.difference(&every_step).cloned().collect();
        }
        let mut listed = first_cells(section);
        if heading == "A row" {
            listed.extend(["a".to_owned(), "b".to_owned()]);
        }
        assert_eq!(listed, taken, "{heading}");
    }
}

/// The rows of the table of filters: name, expression, result.
fn filters() -> Vec<(String, String, Value)> {
    let page = read("docs/expressions.md");
    let table = page.split("\n## Filters").nth(1).unwrap().replace("\\|", "\u{1}");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let code = |cell: &str| {
            cell.trim_matches(['|', ' ']).trim_start_matches('`').trim_end_matches('`').replace('\u{1}', "|")
        };
        (code(cells[0]), code(cells[2]), serde_json::from_str(&code(cells[3])).unwrap())
    };
    table.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

#[test]
fn every_filter_is_documented_with_an_example_that_holds() {
    let source = read("engine/compile/src/expr/environment.rs");
    let list = source.split("= filters! {").nth(1).unwrap().split("};").next().unwrap();
    let known: BTreeSet<&str> =
        list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
    let documented = filters();
    assert_eq!(documented.iter().map(|(name, ..)| name.as_str()).collect::<BTreeSet<_>>(), known);
    for (name, expression, wanted) in documented {
        assert!(expression.contains(&format!("| {name}")), "{name}: {expression}");
        let value = json!(format!("${{{{ {expression} }}}}"));
        let text = format!("flow: f\ntrigger: manual\nsteps: {{ s: {{ let: {{ value: {value} }} }} }}\n");
        let file = SourceFile { path: "f.yaml".to_owned(), text, layer: Layer::Own };
        let compiled = compile(vec![file], &catalogue(), &BTreeMap::new());
        assert!(compiled.diagnostics.is_empty(), "{name}: {:?}", compiled.diagnostics);
        let plan = &compiled.plans[&FlowId::new("f")];
        let Action::Let(template) = &plan.steps[0].action else { unreachable!() };
        let cosell_compile::expr::template::Template::Constant(made) = template else { panic!("{name}") };
        assert_eq!(made["value"], wanted, "{name}");
    }
}

#[test]
fn the_tutorial_works() {
    let stage = Stage::new();
    let page = read("docs/tutorial.md");
    let project = Project::new("tutorial");
    assert!(project.run(&["init", "deals"]).status.success());
    let mut project = Project { folder: project.folder.join("deals") };
    let preview = |project: &Project| project.transcript(&["dry-run", "--sandbox"]);
    let before = preview(&project);
    for block in page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let path = block.lines().next().unwrap().strip_prefix("# ").unwrap();
        let addresses = &stage.addresses;
        // The tutorial has the sandbox at ports of its own choice.
        let text = block
            .replace("http://127.0.0.1:7300", &addresses.entra)
            .replace("http://127.0.0.1:7301/v1.0/engagements", &addresses.partner_center)
            .replace("http://127.0.0.1:7302", &addresses.partner_center_events)
            .replace("http://127.0.0.1:7303", &addresses.dataverse);
        project = project.file(path, &text);
    }
    let secrets = format!(
        "SANDBOX_SECRET='{}'\nSANDBOX_REFRESH_TOKEN='{}'\nCOSELL_API_TOKEN='a long random text'\n",
        stage.addresses.client_secret, stage.addresses.refresh_token
    );
    let project = project.file(".env", &secrets);
    for arguments in [&["check"][..], &["check", "--live"], &["metadata", "pull"], &["check"]] {
        let seen = project.transcript(arguments);
        assert!(seen.starts_with("exit code 0"), "{arguments:?}: {seen}");
    }
    let after = preview(&project);
    assert!(!before.contains("budgetamount") && after.contains("[referral-opportunity: budget]"), "{after}");

    let doctor = project.transcript(&["doctor"]);
    assert!(doctor.contains("dataverse") && !doctor.contains("cannot be reached"), "{doctor}");
    let shared =
        stage.control("POST", "/seller/referrals", &json!({ "details": { "currency": "SEK", "dealValue": 5000 } }));
    let event = json!({ "referral_id": shared["id"], "event": "referral-created" });
    std::fs::write(project.folder.join("event.json"), event.to_string()).unwrap();
    let run = ["run", "partner-center-to-dynamics", "--event", "event.json"];
    let failed = project.transcript(&run);
    assert!(
        failed.starts_with("exit code 1") && failed.contains("The currency SEK is not configured in the CRM"),
        "{failed}"
    );
    let krona = page.split("-d '{\"currencyname\"").nth(1).unwrap().split("'\n").next().unwrap();
    let krona: Value = serde_json::from_str(&format!("{{\"currencyname\"{krona}")).unwrap();
    stage.control("POST", "/crm/rows/transactioncurrencies", &krona);
    let done = project.transcript(&run);
    assert!(done.starts_with("exit code 0"), "{done}");
}
