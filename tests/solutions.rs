//! The catalogue of solutions, from a spreadsheet and into one: through the program, against the stand-in.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use rust_xlsxwriter::{Formula, Workbook, Worksheet};
use serde_json::{Value, json};
use support::{Project, Stage, configuration, filters};

/// A project that is connected to a sandbox.
fn project(name: &str, stage: &Stage) -> Project {
    Project::new(name).connected(&stage.addresses).file("flows/README.md", "")
}

/// A workbook with one sheet of texts.
fn workbook(project: &Project, file: &str, rows: &[&[&str]]) {
    save(project, file, |sheet| {
        for (row, cells) in (0..).zip(rows) {
            for (column, text) in (0..).zip(*cells) {
                sheet.write_string(row, column, *text).unwrap();
            }
        }
    });
}

fn save(project: &Project, file: &str, fill: impl FnOnce(&mut Worksheet)) {
    let mut book = Workbook::new();
    fill(book.add_worksheet().set_name("Our solutions").unwrap());
    book.save(project.folder.join(file)).unwrap();
}

/// The catalogue, by solution id.
fn catalogue(stage: &Stage) -> Vec<(String, String, Value)> {
    let rows = stage.control("GET", "/crm/rows/msft_solutiondetails", &Value::Null);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut rows: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (text(&row["msft_solutionid"]), text(&row["msft_name"]), row["msft_type"].clone()))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

fn shows(name: &str, project: &Project, arguments: &[&str]) {
    let seen = project.transcript(arguments);
    insta::with_settings!({ filters => filters(), prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, seen);
    });
}

const SHEET: [&[&str]; 5] = [
    &["Type", "solution id", "Solution name"],
    &["Name", "SOL-48120-KQP", "ColdTrack Pro"],
    &["", "", ""],
    &["name", " SOL-00001-NEW ", "FrostWatch"],
    &["", "SOL-00002-NEW", "Ünïcode “quoted”, with comma"],
];

#[test]
fn a_preview_writes_nothing_an_import_all_and_the_next_one_nothing_more() {
    let stage = Stage::new();
    let project = project("solutions_import", &stage);
    workbook(&project, "solutions.xlsx", &SHEET);
    let before = catalogue(&stage);
    shows("solutions_dry_run", &project, &["solutions", "import", "solutions.xlsx", "--dry-run"]);
    assert_eq!((catalogue(&stage), stage.writes()), (before.clone(), 0));

    shows("solutions_import", &project, &["solutions", "import", "solutions.xlsx"]);
    let after = catalogue(&stage);
    let find = |id: &str| after.iter().find(|row| row.0 == id).unwrap().clone();
    assert_eq!(find("SOL-48120-KQP").1, "ColdTrack Pro");
    assert_eq!(find("SOL-00001-NEW"), ("SOL-00001-NEW".to_owned(), "FrostWatch".to_owned(), json!("Name")));
    assert_eq!(find("SOL-00002-NEW").2, Value::Null);
    assert_eq!(after.len(), before.len() + 2, "what the sheet does not name stays");

    let writes = stage.writes();
    assert_eq!(writes, 1, "one transaction");
    shows("solutions_again", &project, &["solutions", "import", "solutions.xlsx", "--json"]);
    assert_eq!(stage.writes(), writes);
}

#[test]
fn what_is_exported_changes_nothing_when_imported() {
    let stage = Stage::new();
    let project = project("solutions_export", &stage);
    workbook(&project, "solutions.xlsx", &SHEET);
    assert!(project.run(&["solutions", "import", "solutions.xlsx"]).status.success());
    let (before, writes) = (catalogue(&stage), stage.writes());
    shows("solutions_export", &project, &["solutions", "export"]);
    for file in ["out.xlsx", "out.csv"] {
        assert!(project.run(&["solutions", "export", file]).status.success());
        let seen = project.transcript(&["solutions", "import", file]);
        assert!(seen.contains(&format!("0 new, 0 changed, {} equal", before.len())), "{seen}");
    }
    assert_eq!((catalogue(&stage), stage.writes()), (before, writes));
}

#[test]
fn every_bad_row_is_told_and_then_nothing_is_written() {
    let stage = Stage::new();
    let project = project("solutions_bad_rows", &stage);
    let rows: [&[&str]; 8] = [
        &["Solution ID", "Name", "Type"],
        &["SOL-1", "Good", "Name"],
        &["", "No id", ""],
        &["SOL-2", " ", ""],
        &["sol-1", "Again", ""],
        &["SOL-3", "Type", "Nmae"],
        &["SOL-4", &"long ".repeat(50), "Planet"],
        &["SOL-5", "", ""],
    ];
    save(&project, "bad.xlsx", |sheet| {
        for (row, cells) in (0..).zip(rows) {
            for (column, text) in (0..).zip(cells) {
                sheet.write_string(row, column, *text).unwrap();
            }
        }
        sheet.write_formula(7, 1, Formula::new("=NA()").set_result("#N/A")).unwrap();
        sheet.write_number(8, 0, 4711).unwrap();
        sheet.write_boolean(8, 1, true).unwrap();
    });
    let arguments = ["solutions", "import", "bad.xlsx"];
    shows("solutions_bad_rows", &project, &arguments);
    shows("solutions_bad_rows_json", &project, &["solutions", "import", "bad.xlsx", "--json"]);
    assert_eq!(stage.writes(), 0);
}

#[test]
fn what_is_no_sheet_of_solutions_is_refused() {
    let stage = Stage::new();
    let project = project("solutions_bad_files", &stage)
        .file("no_workbook.xlsx", "Solution ID,Name\n")
        .file("empty.csv", "\n\n")
        .file("solutions.ods", "")
        .file("text.csv", "Solution ID;Name\nSOL-1;ColdTrack\n");
    std::fs::write(project.folder.join("latin.csv"), b"Solution ID,Name\nSOL-1,K\xe4lte\n").unwrap();
    workbook(&project, "wrong_columns.xlsx", &[&["Solution", "Naem", "Price", "Name"], &["SOL-1", "x", "5", "y"]]);
    workbook(&project, "no_headings.xlsx", &[&["SOL-1", "ColdTrack"], &["SOL-2", "FrostWatch"]]);
    workbook(&project, "empty.xlsx", &[]);
    for (name, file, sheet) in [
        ("wrong_columns", "wrong_columns.xlsx", None),
        ("no_headings", "no_headings.xlsx", None),
        ("no_workbook", "no_workbook.xlsx", None),
        ("empty_sheet", "empty.xlsx", None),
        ("empty_text", "empty.csv", None),
        ("other_kind", "solutions.ods", None),
        ("not_utf8", "latin.csv", None),
        ("no_such_sheet", "empty.xlsx", Some("Solutions")),
        ("text_has_no_sheets", "text.csv", Some("Solutions")),
        ("no_such_file", "nowhere.csv", None),
    ] {
        let mut arguments = vec!["solutions", "import", file];
        arguments.extend(sheet.map(|_| "--sheet"));
        arguments.extend(sheet);
        assert_eq!(project.run(&arguments).status.code(), Some(2), "{name}");
        shows(&format!("solutions_{name}"), &project, &arguments);
    }
    assert_eq!(stage.writes(), 0);
}

#[test]
fn an_import_that_was_interrupted_is_completed_by_the_next() {
    let stage = Stage::new();
    let project = project("solutions_interrupted", &stage);
    let count = 1_200;
    let text: String = (0..count).map(|number| format!("SOL-{number:05},Solution {number}\n")).collect();
    let project = project.file("many.csv", &format!("Solution ID,Name\n{text}"));
    let before = catalogue(&stage).len();
    let rule = |action: Value, times: u32| {
        let rule = json!([{ "name": "x", "system": "dataverse", "path": "$batch", "nth": [2, 3, 4, 5, 6], "times": times, "action": action }]);
        stage.control("PUT", "/faults", &rule);
    };
    rule(json!({ "status": 503 }), 5);
    let seen = project.transcript(&["solutions", "import", "many.csv"]);
    assert!(seen.starts_with("exit code 1") && seen.contains("1000 of 1200 rows were written"), "{seen}");
    assert_eq!(catalogue(&stage).len(), before + 1000);

    stage.control("DELETE", "/faults", &Value::Null);
    let lost = json!([{ "name": "x", "system": "dataverse", "path": "$batch", "nth": [1], "times": 1, "action": "reset_after" }]);
    stage.control("PUT", "/faults", &lost);
    let seen = project.transcript(&["solutions", "import", "many.csv"]);
    assert!(seen.contains("1200 solutions: 200 new, 0 changed, 1000 equal"), "{seen}");
    assert_eq!(catalogue(&stage).len(), before + count, "an answer that was lost doubles nothing");
}

#[test]
fn the_table_and_its_columns_come_from_variables() {
    let stage = Stage::new();
    let attribute =
        |name: &str| json!({ "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": name });
    let mut name = attribute("new_Title");
    name["IsPrimaryName"] = json!(true);
    let table =
        json!({ "SchemaName": "new_Offer", "Attributes": [name, attribute("new_Code"), attribute("new_Kind")] });
    stage.control("POST", "/crm/metadata/EntityDefinitions", &table);
    let mut settings = configuration(&stage.addresses);
    let mut with = |variables: Value| {
        settings["variables"] = variables;
        project("solutions_variables", &stage)
            .file("cosell.yaml", &settings.to_string())
            .file("text.csv", "ID,Title\nSOL-1,ColdTrack\n")
    };
    let own = json!({
        "solution_details_table": "new_offer", "solution_detail_id_column": "new_code",
        "solution_detail_name_column": "new_title", "solution_detail_type_column": "new_kind",
    });
    let project = with(own.clone());
    let import = ["solutions", "import", "text.csv"];
    assert!(project.transcript(&import).contains("1 new"));
    assert!(project.transcript(&import).contains("1 equal"));
    // Without an alternate key a solution may stand there twice.
    stage.control("POST", "/crm/rows/new_offers", &json!({ "new_title": "Copy", "new_code": "sol-1" }));
    shows("solutions_twice_in_the_catalogue", &project, &import);

    for (variable, value) in [("solution_details_table", "new_ofer"), ("solution_detail_name_column", "new_name")] {
        let mut wrong = own.clone();
        wrong[variable] = json!(value);
        shows(&format!("solutions_wrong_{variable}"), &with(wrong), &import);
    }
}
