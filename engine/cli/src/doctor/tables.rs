//! The CRM: whether the flows' tables can be read, their changes are tracked, and the columns that variables name are there
//! and take what the flows write.

use std::borrow::Cow;

use cosell_compile::expr::path::{Root, Scope};
use cosell_compile::expr::template::Template;
use cosell_sdk::Connection;
use serde_json::{Value, json};

use super::Needs;
use super::connections::{call, refused};
use super::finding::Finding;
use crate::project::Project;

/// How long a GUID is as text.
const GUID: usize = 36;

/// A column that a variable names.
struct Named {
    variable: &'static str,
    table: Which,
    /// What it must hold, of the connector's kinds; any where empty.
    kinds: &'static [&'static str],
    /// How long its texts get at least.
    length: usize,
    /// Whether the flows cannot do without it.
    needed: bool,
}

#[derive(Clone, Copy)]
enum Which {
    Fixed(&'static str),
    Variable(&'static str),
}

const fn column(variable: &'static str, table: Which, kinds: &'static [&'static str], length: usize) -> Named {
    Named { variable, table, kinds, length, needed: true }
}

const OPPORTUNITY: Which = Which::Fixed("opportunity");
const SOLUTIONS: Which = Which::Variable("solutions_table");
const DETAILS: Which = Which::Variable("solution_details_table");
const TEXT: &[&str] = &["text"];
const ANY: &[&str] = &[];

/// The columns, by the documentation of the variables.
const COLUMNS: [Named; 17] = [
    // The field mapping guide lets it be a calculated column, which nobody writes.
    Named { needed: false, ..column("deal_value_column", OPPORTUNITY, &["number"], 0) },
    column("country_column", Which::Fixed("account"), TEXT, 2),
    column("sync_column", OPPORTUNITY, &["boolean"], 0),
    column("referral_identifier_column", OPPORTUNITY, TEXT, GUID),
    column("referral_link_column", OPPORTUNITY, TEXT, 100),
    column("help_column", OPPORTUNITY, ANY, 0),
    column("visible_column", OPPORTUNITY, &["boolean"], 0),
    column("microsoft_crm_identifier_column", OPPORTUNITY, TEXT, GUID),
    column("audit_column", OPPORTUNITY, TEXT, 100),
    column("solutions_opportunity_column", SOLUTIONS, &["lookup"], 0),
    column("solution_id_column", SOLUTIONS, TEXT, GUID),
    column("solution_name_column", SOLUTIONS, TEXT, 0),
    column("solution_type_column", SOLUTIONS, ANY, 0),
    Named { needed: false, ..column("solution_detail_column", SOLUTIONS, &["lookup"], 0) },
    Named { needed: false, ..column("solution_detail_id_column", DETAILS, TEXT, GUID) },
    Named { needed: false, ..column("solution_detail_name_column", DETAILS, TEXT, 0) },
    Named { needed: false, ..column("solution_detail_type_column", DETAILS, ANY, 0) },
];

/// Nothing is known before a run: what is known from the flow alone can be computed all the same.
struct Nothing;

impl Scope for Nothing {
    fn value(&self, _: Root) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }
}

/// The tables that a step's input names.
pub(super) fn named(input: &Template) -> Vec<String> {
    let table = match input {
        Template::Constant(value) => value["table"].as_str().map(str::to_owned),
        Template::Map(members) => members
            .iter()
            .find(|(name, _)| name == "table")
            .and_then(|(_, table)| table.render(&Nothing).ok()?.as_str().map(str::to_owned)),
        _ => None,
    };
    table.into_iter().collect()
}

/// Looks at the tables of one connection.
pub(super) async fn look(project: &Project, name: &str, connection: &Connection, needs: &Needs) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
    for table in needs.tables.get(name).into_iter().flatten() {
        match call(connection, "list_rows", json!({ "table": table, "top": 1 })).await {
            Ok(_) => readable.push(table.as_str()),
            Err(error) => {
                unreadable.push(table.as_str());
                let finding = refused("table", name, None, &error);
                findings.push(match variable_of(project, table) {
                    Some(variable) if error.code == "unknown_table" => {
                        finding.remedy(format!("set the variable `{variable}`, or add the table"))
                    }
                    _ => finding,
                });
            }
        }
    }
    if !readable.is_empty() {
        findings.push(Finding::ok("table", name, format!("can be read: {}", readable.join(", "))));
    }
    for table in needs.tracked.get(name).into_iter().flatten() {
        findings.extend(untracked(name, connection, table).await);
    }
    let before = findings.len();
    let of_known_tables = COLUMNS.iter().filter(|column| !unreadable.contains(&column.table.name(project)));
    for column in of_known_tables {
        findings.extend(wrong(project, name, connection, column).await);
    }
    if findings.len() == before {
        findings.push(Finding::ok("column", name, "those that variables name are as needed"));
    }
    findings
}

/// The variable that names a table.
fn variable_of(project: &Project, table: &str) -> Option<&'static str> {
    COLUMNS.iter().find_map(|column| match column.table {
        Which::Variable(variable) if current(project, variable) == table => Some(variable),
        _ => None,
    })
}

/// What a variable says now.
fn current<'p>(project: &'p Project, variable: &str) -> &'p str {
    let variable = project.compilation.variables.get(variable);
    variable.and_then(|variable| variable.current.as_str()).unwrap_or_default()
}

impl Which {
    fn name(self, project: &Project) -> &str {
        match self {
            Self::Fixed(table) => table,
            Self::Variable(variable) => current(project, variable),
        }
    }
}

async fn untracked(name: &str, connection: &Connection, table: &str) -> Option<Finding> {
    let described = call(connection, "get_metadata", json!({ "table": table })).await.ok()?;
    (described["change_tracking"] == false).then(|| {
        Finding::error(
            "tracking",
            name,
            format!("changes of the table `{table}` are not tracked: no flow learns of them"),
        )
        .remedy(format!("turn on \"Track changes\" in the properties of the table `{table}`"))
    })
}

async fn wrong(project: &Project, name: &str, connection: &Connection, column: &Named) -> Option<Finding> {
    let table = column.table.name(project);
    let finding = |found: String| {
        let finding = if column.needed { Finding::error } else { Finding::warning };
        finding("column", name, found)
    };
    let described = match call(connection, "get_metadata", json!({ "table": table })).await {
        Ok(described) => described,
        Err(error) => {
            return Some(finding(error.message).remedy(variable_of(project, table).map_or_else(
                || format!("give the connection the right to read the definition of `{table}`"),
                |variable| format!("set the variable `{variable}`, or add the table"),
            )));
        }
    };
    let wanted = current(project, column.variable);
    let known = described["columns"].as_array().into_iter().flatten().find(|known| known["name"] == wanted);
    let trouble = match known {
        None => "does not exist".to_owned(),
        Some(known) => unfit(known, column)?,
    };
    let remedy = format!("set the variable `{}`, or add the column", column.variable);
    Some(finding(format!("the column `{wanted}` of the table `{table}` {trouble}")).remedy(remedy))
}

/// In what a column that is there is not as needed.
fn unfit(known: &Value, column: &Named) -> Option<String> {
    let kind = known["kind"].as_str().unwrap_or_default();
    if !column.kinds.is_empty() && !column.kinds.contains(&kind) {
        return Some(format!("holds {kind}; expected {}", column.kinds.join(" or ")));
    }
    if known["updatable"] == false {
        return Some("cannot be written".to_owned());
    }
    let longest = known["max_length"].as_u64().and_then(|most| usize::try_from(most).ok());
    longest
        .filter(|longest| *longest < column.length)
        .map(|longest| format!("holds {longest} characters at most; expected {} at least", column.length))
}
