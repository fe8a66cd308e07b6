//! `cosell mapping`: the tables of fields, for people.

use clap::Args;
use cosell_compile::did_you_mean;
use cosell_compile::mapping::form::Form;
use cosell_compile::mapping::{Field, Mapping, Row};
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
            origin(&project.compilation.documents.mappings, &mapping.name).1.to_owned(),
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
        "from": origin(&project.compilation.documents.mappings, &mapping.name).0,
    })
}

fn table(project: &Project, mapping: &Mapping) -> Table {
    let [left, right] = &mapping.sides;
    let mut table = Table::new(["Field", left, "", right, "Values", "Rules"]);
    for row in &mapping.rows {
        let values = row.values.iter().flatten().map(|[left, right]| format!("{} = {}", plain(left), plain(right)));
        table.row(vec![
            row.title.clone(),
            cell(project, mapping, row, 0),
            arrow(row).to_owned(),
            cell(project, mapping, row, 1),
            values.collect::<Vec<_>>().join("\n"),
            rules(mapping, row).join("\n"),
        ]);
    }
    table
}

fn for_machines(project: &Project, mapping: &Mapping) -> Value {
    let field = |row: &Row, side: usize| {
        let field = &row.fields[side];
        json!({
            "path": field.path_text(),
            "variables": variables(project, mapping, row, side),
            "as": word(field.form),
            "length": length(field.form),
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
            "wins": row.only_to.is_none().then(|| winner(mapping, row)),
            "final_in": row.final_in.map(|side| &mapping.sides[side]),
        })
    };
    let mut shown = summary(project, mapping);
    shown["rows"] = mapping.rows.iter().map(row).collect();
    shown
}

fn arrow(row: &Row) -> &'static str {
    match row.only_to {
        None => "↔",
        Some(0) => "←",
        Some(_) => "→",
    }
}

/// Whose value is kept where both sides have changed it.
fn winner<'m>(mapping: &'m Mapping, row: &Row) -> &'m str {
    row.wins.map_or("newest", |side| &mapping.sides[side])
}

/// What a row does beside carrying a value over.
fn rules(mapping: &Mapping, row: &Row) -> Vec<String> {
    let mut rules = Vec::new();
    if row.keep_when_empty {
        rules.push("empty leaves the other side".to_owned());
    }
    if row.only_to.is_none() {
        rules.push(format!("{} wins", winner(mapping, row)));
    }
    if let Some(side) = row.final_in {
        rules.push(format!("final in {}", mapping.sides[side]));
    }
    rules
}

/// A field: its path, the variable that it comes from, and how values look there.
fn cell(project: &Project, mapping: &Mapping, row: &Row, side: usize) -> String {
    let field: &Field = &row.fields[side];
    let mut lines = vec![field.path_text()];
    lines.extend(variables(project, mapping, row, side).into_iter().map(|name| format!("by {name}")));
    match (field.form, length(field.form)) {
        (Form::Any, _) => {}
        (form, Some(length)) => lines.push(format!("{}, at most {length}", word(form))),
        (form, None) => lines.push(word(form).to_owned()),
    }
    if let Some(default) = &field.default {
        lines.push(format!("default {}", plain(default)));
    }
    lines.join("\n")
}

/// The variables that a field's path comes from, as they are written: `vars.deal_value_column`.
fn variables(project: &Project, mapping: &Mapping, row: &Row, side: usize) -> Vec<String> {
    let document = project.compilation.documents.mappings.get(&mapping.name);
    let field = document.and_then(|d| d.node.get("rows")?.get(&row.id)?.get(&mapping.sides[side]));
    let path = field.and_then(|field| field.get("path").unwrap_or(field).text()).unwrap_or_default();
    let expressions = path.split("${{").skip(1).filter_map(|rest| rest.split("}}").next());
    expressions.map(|expression| expression.trim().to_owned()).collect()
}

fn word(form: Form) -> &'static str {
    let same = |known: Form| std::mem::discriminant(&known) == std::mem::discriminant(&form);
    Form::WORDS.into_iter().find(|(_, known)| same(*known)).map_or("any", |(word, _)| word)
}

fn length(form: Form) -> Option<u32> {
    match form {
        Form::Text { length } => length,
        _ => None,
    }
}

/// Text as it stands, everything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
