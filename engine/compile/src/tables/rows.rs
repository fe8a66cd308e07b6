//! The rows of a mapping, held against the table that one of its sides is.

use cosell_model::tables::{Column, Table};
use cosell_model::{Diagnostic, Node};

use super::columns;
use crate::mapping::form::Form;
use crate::mapping::{Mapping, Row};

pub(super) fn check(mapping: &Mapping, side: usize, table: &Table, document: &Node, findings: &mut Vec<Diagnostic>) {
    let Some(rows) = document.get("rows") else { return };
    for row in &mapping.rows {
        let Some(name) = &row.fields[side].column else { continue };
        let Some(written) = rows.get(&row.id).and_then(|row| Some((row, row.get(&mapping.sides[side])?))) else {
            continue;
        };
        let (whole, field) = written;
        let place = field.get("column").or_else(|| field.get("path")).unwrap_or(field);
        let Some(column) = columns::find(table, name, place.span, findings) else { continue };
        if row.only_to.is_none_or(|to| to == side) {
            row_writes(row, side, column, (whole, field, place), findings);
        }
    }
}

fn row_writes(
    row: &Row,
    side: usize,
    column: &Column,
    (whole, field, place): (&Node, &Node, &Node),
    findings: &mut Vec<Diagnostic>,
) {
    let form = row.fields[side].form;
    if !column.updatable && !column.creatable {
        let message = format!("the column `{}` cannot be written, and row `{}` writes it", column.name, row.id);
        findings.push(
            Diagnostic::error("read-only-column", message, place.span, "cannot be written")
                .help("let the row go the other way only: `only_to` names the side that is written")
                .warning(),
        );
    } else if !columns::fits(form, column) {
        let message = format!(
            "the column `{}` holds {}, and the row writes {}",
            column.name,
            columns::holds(column),
            form.describe()
        );
        let place = field.get("as").unwrap_or(place);
        findings.push(
            Diagnostic::error("unfit-form", message, place.span, format!("expected {}", columns::holds(column)))
                .help("`as` says how values look on this side"),
        );
    } else if let (Form::Text { length: Some(length) }, Some(most)) = (form, column.max_length)
        && length > most
    {
        let place = field.get("length").unwrap_or(place);
        findings.push(columns::too_long(column, length as usize, most, place.span));
    }
    if column.kind != "choice" {
        return;
    }
    let Some(entries) = whole.get("values").and_then(Node::entries) else { return };
    for entry in entries {
        let ours: Vec<(serde_json::Value, _)> = if side == 0 {
            vec![(entry.key_value.clone(), entry.key.span)]
        } else {
            let nodes = entry.value.items().map_or_else(|| vec![&entry.value], |items| items.iter().collect());
            nodes.into_iter().map(|node| (node.to_value(), node.span)).collect()
        };
        for (value, span) in ours {
            if value.as_i64().is_some_and(|value| !columns::has(column, value)) {
                findings.push(columns::unknown_choice(column, &value.to_string(), span));
            }
        }
    }
}
