//! A mapping as a table, and the list of all.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use cosell_compile::mapping::Mapping;
use cosell_compile::mapping::table::{Cell, Line, lines};
use maud::{Markup, html};

use super::{changes, named, origin, text};
use crate::Shared;
use crate::access::Visitor;
use crate::facts::Facts;
use crate::page::{Head, Page, Trouble, address, badge, foreign, heads};

pub(super) async fn page(State(desk): State<Shared>, Path(name): Path<String>, visitor: Visitor) -> Response {
    let facts = desk.facts();
    match facts.compilation.mappings.get(&name) {
        Some(mapping) => Page::new(&mapping.title, "/flows", body(&facts, mapping)).seen_by(&visitor),
        None => {
            let known = facts.compilation.mappings.keys().map(String::as_str);
            let near = cosell_compile::did_you_mean(&name, known).map_or(String::new(), |near| format!(" {near}"));
            let detail = if facts.compilation.documents.mappings.contains_key(&name) {
                format!("The mapping `{name}` has errors, and so no table; `cosell check` tells them.")
            } else {
                format!("There is no mapping `{name}`.{near}")
            };
            Trouble::new(StatusCode::NOT_FOUND, detail).seen_by(&visitor)
        }
    }
}

/// All mappings.
pub(super) fn list(facts: &Facts) -> Markup {
    html! {
        h2 id="mappings" { "Mappings" }
        div.table.broad role="region" aria-labelledby="mappings" tabindex="0" {
            table {
                caption { "Which field of one side stands for which of the other" }
                (heads(["Mapping".into(), "Between".into(), Head::Number("Rows"), "From".into()]))
                tbody {
                    @for mapping in facts.compilation.mappings.values() {
                        tr {
                            th scope="row" {
                                a href=(address(&["mappings", &mapping.name], &[])) { (foreign(&mapping.title)) }
                                div.hint { code { (mapping.name) } }
                            }
                            td { (foreign(mapping.sides.join(" and "))) }
                            td.number { (mapping.rows.len()) }
                            td { (origin(facts.compilation.documents.mappings.get(&mapping.name))) }
                        }
                    }
                }
            }
        }
    }
}

fn body(facts: &Facts, mapping: &Mapping) -> Markup {
    let document = facts.compilation.documents.mappings.get(&mapping.name);
    let [left, right] = &mapping.sides;
    let used: Vec<_> = facts
        .compilation
        .in_order()
        .map(|(_, flow)| flow)
        .filter(|flow| facts.compilation.mappings_of(flow).contains(&mapping.name.as_str()))
        .collect();
    html! {
        p.trail { a href=(address(&["flows"], &[])) { "Flows" } " › " a href={ (address(&["flows"], &[])) "#mappings" } { "Mappings" } }
        h1 { (foreign(&mapping.title)) }
        p { code { (mapping.name) } " " (origin(document)) }
        div.table.broad.roomy role="region" aria-label="Rows" tabindex="0" {
            table {
                caption { "Between " (foreign(left)) " and " (foreign(right)) }
                (heads([html! { "Field" }, foreign(left), html! { "Way" }, foreign(right), html! { "Values" }, html! { "Rules" }]))
                tbody { @for line in lines(mapping, document) { (row(&line)) } }
            }
        }
        section.card aria-labelledby="used" {
            h2 id="used" { "Used by" }
            @if used.is_empty() { p.nothing { "No flow uses it." } }
            ul.plain { @for flow in used { li { (named(flow)) } } }
        }
        (changes::section(document, &facts.compilation.sources))
        (text::section(document, &facts.compilation.sources))
    }
}

fn row(line: &Line<'_>) -> Markup {
    html! {
        tr id={ "row-" (line.row) } class=[line.changed.then_some("differs")] {
            th scope="row" {
                (foreign(line.title))
                @if line.changed { div { (badge("warn", "◆", "changed by your file")) } }
            }
            td { (cell(&line.cells[0])) }
            td { span aria-hidden="true" { (line.arrow) } " " span.hint { (foreign(&line.goes)) } }
            td { (cell(&line.cells[1])) }
            td { @for [left, right] in &line.values { div { (foreign(left)) " = " (foreign(right)) } } }
            td { @for rule in &line.rules { div { (foreign(rule)) } } }
        }
    }
}

fn cell(cell: &Cell<'_>) -> Markup {
    html! {
        code { (cell.path) }
        @for variable in &cell.variables {
            div.hint {
                "by "
                @match variable.strip_prefix("vars.") {
                    Some(name) => a href={ (address(&["settings"], &[])) "#variable-" (name) } { code { (variable) } },
                    None => code { (variable) },
                }
            }
        }
        @if let Some(form) = &cell.form { div.hint { (form) } }
        @if let Some(default) = &cell.default { div.hint { "default " (foreign(default)) } }
    }
}
