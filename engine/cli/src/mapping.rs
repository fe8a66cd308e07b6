//! `cosell mapping`: the tables of fields, for people.

use clap::Args;
use cosell_compile::did_you_mean;
use cosell_compile::documents::Document;
use cosell_compile::mapping::table::{self, Cell};
use cosell_compile::mapping::{Mapping, Row};
use cosell_sdk::Connector;
use serde_json::{Value, json};

use crate::flows::origin;
use crate::project::{Chosen, Project};
use crate::render::table::Table;
use crate::render::{STRONG, styled};
use crate::{Ending, Trouble};

/// What to show, and how.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The mapping; a list of all where none is named.
    name: Option<String>,
    /// As a table in Markdown.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Shows a mapping, or lists all.
pub(crate) fn mapping(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    let shown = match &options.name {
        None if options.json => format!("{:#}", Value::Array(all(&project).map(|m| summary(&project, m)).collect())),
        None => drawn(&list(&project), options.markdown),
        Some(name) => {
            let mapping = find(&project, name)?;
            if options.json {
                format!("{:#}", for_machines(&project, mapping))
            } else {
                let table = drawn(&table(&project, mapping), options.markdown);
                if options.markdown {
                    format!("## {}\n\n{table}", mapping.title)
                } else {
                    format!("{}\n{table}", styled(STRONG, &mapping.title))
                }
            }
        }
    };
    anstream::println!("{shown}");
    Ok(Ending::Done)
}

fn drawn(table: &Table, markdown: bool) -> String {
    if markdown { table.for_markdown() } else { table.for_terminal() }
}

fn all(project: &Project) -> impl Iterator<Item = &Mapping> {
    project.compilation.mappings.values().map(|mapping| &**mapping)
}

fn find<'p>(project: &'p Project, name: &str) -> Result<&'p Mapping, Trouble> {
    if let Some(mapping) = project.compilation.mappings.get(name) {
        return Ok(mapping);
    }
    if let (Some(errors), true) = (project.errors(), project.compilation.documents.mappings.contains_key(name)) {
        return Err(Trouble::Findings(errors));
    }
    let known: Vec<&str> = project.compilation.mappings.keys().map(String::as_str).collect();
    let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| format!("there are {}", known.join(", ")));
    Err(Trouble::new(format!("there is no mapping `{name}`\nhelp: {help}")))
}

fn list(project: &Project) -> Table {
    let mut table = Table::new(["Mapping", "Title", "Between", "Rows", "From"]);
    for mapping in all(project) {
        table.row(vec![
            mapping.name.clone(),
            mapping.title.clone(),
            mapping.sides.join(" and "),
            mapping.rows.len().to_string(),
            origin(&project.compilation.documents.mappings, &mapping.name).in_words().to_owned(),
        ]);
    }
    table
}

fn summary(project: &Project, mapping: &Mapping) -> Value {
    json!({
        "name": mapping.name,
        "title": mapping.title,
        "sides": mapping.sides,
        "rows": mapping.rows.len(),
        "from": origin(&project.compilation.documents.mappings, &mapping.name).as_str(),
    })
}

fn table(project: &Project, mapping: &Mapping) -> Table {
    let [left, right] = &mapping.sides;
    let mut table = Table::new(["Field", left, "", right, "Values", "Rules"]);
    for line in table::lines(mapping, document(project, mapping)) {
        let values = line.values.iter().map(|[left, right]| format!("{left} = {right}"));
        let [left, right] = line.cells.map(cell);
        let (title, arrow) = (line.title.to_owned(), line.arrow.to_owned());
        table.row(vec![title, left, arrow, right, values.collect::<Vec<_>>().join("\n"), line.rules.join("\n")]);
    }
    table
}

fn document<'p>(project: &'p Project, mapping: &Mapping) -> Option<&'p Document> {
    project.compilation.documents.mappings.get(&mapping.name)
}

fn for_machines(project: &Project, mapping: &Mapping) -> Value {
    let field = |row: &Row, side: usize| {
        let field = &row.fields[side];
        json!({
            "path": field.path_text(),
            "variables": table::variables(mapping, document(project, mapping), row, side),
            "as": field.form.word(),
            "length": field.form.length(),
            "default": field.default,
        })
    };
    let row = |row: &Row| {
        json!({
            "id": row.id,
            "title": row.title,
            "fields": { mapping.sides[0].as_str(): field(row, 0), mapping.sides[1].as_str(): field(row, 1) },
            "only_to": row.only_to.map(|side| &mapping.sides[side]),
            "values": row.values,
            "when_empty": if row.keep_when_empty { "keep" } else { "clear" },
            "wins": row.only_to.is_none().then(|| table::winner(mapping, row)),
            "final_in": row.final_in.map(|side| &mapping.sides[side]),
        })
    };
    let mut shown = summary(project, mapping);
    shown["rows"] = mapping.rows.iter().map(row).collect();
    shown
}

/// A field: its path, the variable that it comes from, and how values look there.
fn cell(cell: Cell<'_>) -> String {
    let mut lines = vec![cell.path];
    lines.extend(cell.variables.into_iter().map(|name| format!("by {name}")));
    lines.extend(cell.form);
    lines.extend(cell.default.map(|default| format!("default {default}")));
    lines.join("\n")
}
