//! The JSON Schemas that `cosell schema` writes, against every file there is: what is shipped, examples, documentation, what
//! `cosell init` lays out; and against mistakes.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../engine/compile/tests/support/plain.rs"]
mod plain;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use plain::plain;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the program in a folder of this name, which is emptied before.
fn cosell(name: &str, arguments: &[&str]) -> (PathBuf, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemas").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cosell")).args(arguments).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, String::from_utf8(output.stdout).unwrap())
}

/// All schemas, by kind of file.
struct Schemas(BTreeMap<String, Validator>);

impl Schemas {
    fn written(name: &str) -> Self {
        let (folder, _) = cosell(name, &["schema", "--output", "written"]);
        Self::of(&folder.join("written"))
    }

    fn of(folder: &Path) -> Self {
        let one = |path: PathBuf| {
            let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            jsonschema::meta::validate(&schema).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), jsonschema::validator_for(&schema).unwrap())
        };
        Self(files(folder, "json").into_iter().map(one).collect())
    }

    /// What is wrong with a file by the schema of its kind: each message with its place.
    fn wrong(&self, text: &str) -> Vec<String> {
        let value = plain(serde_yaml::from_str(text).unwrap());
        let kind = ["test", "tests", "flow", "mapping", "variables"].into_iter().find(|kind| value.get(kind).is_some());
        // Values of variables stand in the configuration as well, beside other things.
        let configures = ["connections", "flows", "environments", "service", "retry", "off"];
        let configuration = value.is_null() || configures.iter().any(|key| value.get(key).is_some());
        let kind = if configuration { "configuration" } else { kind.unwrap_or("flow").trim_end_matches('s') };
        let kind = if kind == "variable" { "variables" } else { kind };
        self.by(kind, &value)
    }

    fn by(&self, kind: &str, value: &Value) -> Vec<String> {
        self.0[kind].iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn whatever_is_shipped_shown_or_taught_is_valid() {
    let schemas = Schemas::written("valid");
    let mut seen = 0;
    for folder in ["flows", "examples"] {
        for path in files(&root().join(folder), "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let wrong = match path.file_name().unwrap().to_str().unwrap() {
                "cosell.yaml" => schemas.by("configuration", &plain(serde_yaml::from_str(&text).unwrap())),
                _ => schemas.wrong(&text),
            };
            assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
            seen += 1;
        }
    }
    for path in files(&root().join("docs"), "md").into_iter().filter(|path| !path.ends_with("findings.md")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            let wrong = schemas.wrong(block);
            assert!(wrong.is_empty(), "{}: {block}{wrong:#?}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 60, "{seen}");
}

#[test]
fn a_new_project_has_schemas_and_its_files_name_them() {
    let (folder, _) = cosell("project", &["init", "new"]);
    let project = folder.join("new");
    let schemas = Schemas::of(&project.join(".cosell/schema"));
    let ejected = Command::new(env!("CARGO_BIN_EXE_cosell"))
        .args(["flows", "eject", "customer-account"])
        .current_dir(&project)
        .output()
        .unwrap();
    assert!(ejected.status.success());
    let mut seen = Vec::new();
    for path in files(&project, "yaml") {
        let text = std::fs::read_to_string(&path).unwrap();
        let named = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        let named = path.parent().unwrap().join(named);
        assert!(named.exists(), "{}", named.display());
        let kind = named.file_stem().unwrap().to_str().unwrap().to_owned();
        let value = plain(serde_yaml::from_str(&text).unwrap());
        assert_eq!(schemas.by(&kind, &value), [""; 0], "{}", path.display());
        seen.push(kind);
    }
    assert_eq!(seen, ["configuration", "flow", "mapping", "mapping", "test"]);
}

#[test]
fn mistakes_are_not_valid() {
    let schemas = Schemas::written("mistakes");
    let flow = |steps: &str| format!("flow: a\ntrigger: manual\nsteps: {{ s: {{ {steps} }} }}\n");
    let trigger = |trigger: &str| format!("flow: a\ntrigger: {trigger}\nsteps: {{}}\n");
    let mapping = |row: &str| format!("mapping: a\nbetween: [l, r]\nrows: {{ x: {row} }}\n");
    let right = "use: dataverse.get_row, with: { table: account, id: \"${{ trigger.id }}\" }";
    assert_eq!(schemas.wrong(&flow(right)), [""; 0]);
    for (text, place) in [
        (flow("use: dataverse.get_rwo"), "/steps/s/use"),
        (flow("use: dataverse.list_rows, with: { top: 5 }"), "/steps/s/with"),
        (flow("use: dataverse.get_row, with: { table: 5, id: x }"), "/steps/s/with"),
        (flow("use: dataverse.get_row, with: { table: account, id: x, colour: red }"), "/steps/s/with"),
        (flow("use: dataverse.list_rows, with: { table: account, top: many }"), "/steps/s/with"),
        (flow("use: dataverse.list_rows, with: { table: account, top: \"5${{ vars.x }}\" }"), "/steps/s/with"),
        (flow("tilte: x, wait: 1s"), "/steps/s"),
        (flow("wait: 1s, stop: failed"), "/steps/s"),
        (flow("wait: soon"), "/steps/s/wait"),
        (flow("let: [1]"), "/steps/s/let"),
        (flow("scope: [1]"), "/steps/s/scope"),
        (flow("let: {}, retry: none"), "/steps/s"),
        (flow("let: {}, key: a"), "/steps/s"),
        (flow("stop: cancelled, after: { t: cancelled }"), "/steps/s/after"),
        (flow("for_each: some, do: { t: { wait: 1s } }"), "/steps/s/for_each"),
        (flow("for_each: [1], parallel: 51, do: { t: { wait: 1s } }"), "/steps/s/parallel"),
        (flow("if: yes please, then: {}"), "/steps/s/if"),
        (flow("use: state.get, with: { key: a }, retry: { count: 91 }"), "/steps/s/retry"),
        (flow("map: x, from: { a: 1, b: 2 }"), "/steps/s/from"),
        ("flow: Greet\ntrigger: manual\nsteps: {}\n".to_owned(), "/flow"),
        ("flow: a\ntrigger: manual\nsteps: { Step: { wait: 1s } }\n".to_owned(), "/steps"),
        ("flow: a\nstep: {}\n".to_owned(), ""),
        ("flow: a\nsteps: {}\n".to_owned(), ""),
        ("steps: {}\n".to_owned(), ""),
        (trigger("manuel"), "/trigger"),
        (trigger("{ use: schedule, with: { corn: x } }"), "/trigger"),
        (trigger("{ use: http, with: {} }"), "/trigger"),
        (trigger("{ use: manual, colour: red }"), "/trigger"),
        (trigger("{ use: manual, inputs: { a: string } }"), "/trigger"),
        (mapping("{ l: { path: a, as: txt }, r: b }"), "/rows/x/l"),
        (mapping("{ l: { paht: a }, r: b }"), "/rows/x/l"),
        (mapping("{ l: a, r: b, when_empty: leave }"), "/rows/x/when_empty"),
        ("test: a\nwhen: { created: x }\nthan: {}\n".to_owned(), ""),
        ("tests: [{ test: a, when: { created: x }, then: { outcome: fine } }]\n".to_owned(), "/tests/0/then/outcome"),
        ("tests: [{ test: a }]\n".to_owned(), "/tests/0"),
        ("variables: { a: { type: text } }\n".to_owned(), "/variables/a"),
        ("variables: { a: { type: string, default: x } }\n".to_owned(), "/variables/a/type"),
        ("connections: { dataverse: { adress: x } }\n".to_owned(), "/connections/dataverse"),
        ("connections: { crm: { connector: datavers } }\n".to_owned(), "/connections/crm/connector"),
        ("connections: { crm: { connector: dataverse, adress: x } }\n".to_owned(), "/connections/crm"),
        ("flows: [flows]\nservice: { token: secret }\n".to_owned(), "/service"),
        ("environments: { staging: { connection: {} } }\n".to_owned(), "/environments"),
    ] {
        let wrong = schemas.wrong(&text);
        assert!(!wrong.is_empty(), "{text} is taken for valid");
        assert!(wrong.iter().all(|error| error.starts_with(place)), "{text}: {wrong:#?}");
    }
}

/// Whether `cosell check` finds an error in a project with this file.
fn is_refused(folder: &Path, text: &str) -> bool {
    std::fs::create_dir_all(folder.join("flows")).unwrap();
    std::fs::write(folder.join("cosell.yaml"), "flows: [flows]\n").unwrap();
    std::fs::write(folder.join("flows/mine.yaml"), text).unwrap();
    let checked = Command::new(env!("CARGO_BIN_EXE_cosell")).arg("check").current_dir(folder).output().unwrap();
    !checked.status.success()
}

#[test]
fn overlays_are_held_against_the_shipped_files_as_the_compiler_does() {
    let schemas = Schemas::written("overlays");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemas/overlays");
    let within = |case: &str, step: &str| {
        format!("flow: customize\nsteps: {{ task: {{ cases: {{ {case}: {{ {step} }} }} }} }}\n")
    };
    let mapping = |row: &str| format!("mapping: referral-opportunity\nrows: {{ {row} }}\n");
    for text in [
        within("create_opportunity", "own_columns_of_opportunity: { let: { stepname: 1-Qualify } }"),
        within("create_opportunity", "own_columns_of_opportunity: {}"),
        within("create_opportunity", "new_opportunity: { timeout: 2m, with: { table: opportunity } }"),
        within("create_opportunity", "tell: { use: state.put, with: { key: a, value: b } }"),
        "flow: customize\nsteps: { task: }\n".to_owned(),
        "flow: customize\ntitle: Ours\n".to_owned(),
        "flow: customize\nwhole: false\n".to_owned(),
        mapping("status: { values: { Declined: 5 } }"),
        mapping("deal_value: { only_to: referral }, name:"),
        mapping("deal_value: { opportunity: budgetamount }"),
        mapping("city: { referral: customerProfile.address.city, opportunity: { path: new_city, as: text } }"),
    ] {
        let wrong = schemas.wrong(&text);
        assert!(wrong.is_empty(), "{text}: {wrong:#?}");
        assert!(!is_refused(&folder, &text), "{text}");
    }
    let new = "/steps/task/cases/create_opportunity";
    for (text, place) in [
        (within("create_opportunity", "own_columns_of_oportunity: { title: x }"), new),
        (within("create_opportunity", "tell: { title: A step that does nothing }"), new),
        (within("create_opportunity", "new_opportunity: { with: { tabel: opportunity } }"), new),
        (within("create_opportunity", "new_opportunity: { parallel: 5 }"), new),
        (within("create_opportunity", "new_opportunity: { timeout: soon }"), new),
        (within("create_opportunity", "new_opportunity: { use: dataverse.create_rwo }"), new),
        (within("create_opportunity", "tell: { use: state.put }"), new),
        (within("create_oportunity", "a: { when: false }"), "/steps/task/cases"),
        ("flow: customise\nsteps: { task: { when: false } }\n".to_owned(), ""),
        ("flow: customize\nwhole: true\nsteps: {}\n".to_owned(), ""),
        ("flow: customize\nsteps: { tusk: { when: false } }\n".to_owned(), "/steps/tusk"),
        (mapping("status: { wins: microsoft }"), "/rows/status/wins"),
        (mapping("status: { only_to: crm }"), "/rows/status/only_to"),
        (mapping("status: { oportunity: x }"), "/rows/status"),
        (mapping("city: { referral: customerProfile.address.city }"), "/rows/city"),
        (mapping("city: { referral: name, opportunity: { as: text } }"), "/rows/city/opportunity"),
        (mapping("name: { only_to: opportunity, wins: referral }"), "/rows/name/wins"),
        (mapping("name: { opportunity: { as: date, length: 5 } }"), "/rows/name/opportunity"),
        ("mapping: mine\nbetween: [a]\nrows: {}\n".to_owned(), "/between"),
        ("mapping: mine\nrows: {}\n".to_owned(), ""),
        ("mapping: mine\nbetween: [a, b]\nrecords: { a: dataverse.get_rwo }\nrows: {}\n".to_owned(), "/records/a"),
    ] {
        let wrong = schemas.wrong(&text);
        assert!(!wrong.is_empty() && wrong.iter().all(|error| error.starts_with(place)), "{text}: {wrong:#?}");
        assert!(is_refused(&folder, &text), "{text}");
    }
}

#[test]
fn the_schema_of_a_flow_explains_operations_and_their_inputs() {
    let (_, printed) = cosell("printed", &["schema", "flow"]);
    let schema: Value = serde_json::from_str(&printed).unwrap();
    let input = &schema["$defs"]["input.dataverse.find_row"];
    for text in [
        &input["title"],
        &input["description"],
        &input["defaultSnippets"][0]["body"]["table"],
        &schema["properties"]["key"]["description"],
    ] {
        assert!(!text.is_null(), "{input:#}");
    }
    assert!(input["markdownDescription"].as_str().unwrap().contains("```yaml\ntable: opportunity\n"), "{input:#}");
    // In a snippet `$` would begin a placeholder.
    let named = &schema["$defs"]["any_step"]["properties"]["let"]["defaultSnippets"][0]["body"]["name"];
    assert_eq!(named, r"\${{ trigger.name | upper \}\}");
    let names = &schema["$defs"]["operation_name"];
    assert_eq!(names["enum"].as_array().unwrap().len(), names["enumDescriptions"].as_array().unwrap().len());
}
