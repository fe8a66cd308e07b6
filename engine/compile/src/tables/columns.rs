//! What one column takes.

use cosell_model::node::NodeKind;
use cosell_model::tables::{Column, Table};
use cosell_model::{Diagnostic, Node, Span};

use crate::mapping::form::Form;
use crate::read::fields::list;
use crate::suggest::did_you_mean;

/// The column of this name; reports one that is not there, with what was meant.
pub(super) fn find<'t>(table: &'t Table, name: &str, span: Span, findings: &mut Vec<Diagnostic>) -> Option<&'t Column> {
    let found = table.column(name);
    if found.is_none() {
        let label = |column: &&Column| column.label.as_ref().is_some_and(|label| label.eq_ignore_ascii_case(name));
        let help = match table.columns.iter().find(label) {
            Some(column) => format!("`{name}` is what people read for the column `{}`", column.name),
            None => did_you_mean(name, table.columns.iter().map(|column| &*column.name))
                .unwrap_or_else(|| "give its logical name; `cosell metadata pull` reads the tables anew".to_owned()),
        };
        let message = format!("the table `{}` has no column `{name}`", table.logical_name);
        findings.push(Diagnostic::error("unknown-column", message, span, "unknown column").help(help));
    }
    found
}

/// Whether values of this form can be written to the column.
pub(super) fn fits(form: Form, column: &Column) -> bool {
    let kinds: &[&str] = match form {
        Form::Any => return true,
        Form::Text { .. } => &["text", "choice", "id", "lookup"],
        Form::Date | Form::DateTime => &["time"],
        Form::Money => &["number"],
        Form::Integer => &["number", "choice"],
        Form::Boolean => &["boolean"],
        Form::Country => &["text", "choice"],
        Form::Guid => &["id", "lookup", "text"],
    };
    let known = ["text", "choice", "id", "lookup", "time", "number", "boolean"];
    kinds.contains(&&*column.kind) || !known.contains(&&*column.kind)
}

/// Reports a value that the column cannot hold; computed ones are left to the run.
pub(super) fn value(column: &Column, node: &Node, is_cut: bool, findings: &mut Vec<Diagnostic>) {
    match (&*column.kind, &node.kind) {
        (_, NodeKind::Null) => {}
        (_, NodeKind::Text(text)) if text.contains("${{") => {}
        ("text", NodeKind::Text(text)) => {
            let length = text.encode_utf16().count();
            if let Some(most) = column.max_length.filter(|most| length > *most as usize && !is_cut) {
                findings.push(too_long(column, length, most, node.span));
            }
        }
        ("choice", NodeKind::Number(_) | NodeKind::Text(_)) => choice(column, node, findings),
        ("lookup", NodeKind::Map(entries)) => {
            let [entry] = entries.as_slice() else { return };
            let target = &entry.key.value;
            if !target.contains("${{") && !column.targets.is_empty() && !column.targets.contains(target) {
                let message = format!("the column `{}` cannot refer to the table `{target}`", column.name);
                let help = format!("it refers to {}", list(&column.targets));
                findings.push(Diagnostic::error("wrong-target", message, entry.key.span, "not this table").help(help));
            }
        }
        ("text" | "id" | "lookup", NodeKind::Number(_) | NodeKind::Bool(_))
        | ("text" | "number" | "boolean" | "time" | "choice", NodeKind::List(_) | NodeKind::Map(_))
        | ("number", NodeKind::Bool(_) | NodeKind::Text(_))
        | ("time" | "choice", NodeKind::Bool(_))
        | ("boolean", NodeKind::Number(_) | NodeKind::Text(_))
        | ("time", NodeKind::Number(_)) => {
            let message =
                format!("the column `{}` holds {}, and this is {}", column.name, holds(column), node.describe());
            findings.push(Diagnostic::error("unfit-value", message, node.span, format!("expected {}", holds(column))));
        }
        _ => {}
    }
}

fn choice(column: &Column, node: &Node, findings: &mut Vec<Diagnostic>) {
    let (is_known, shown) = match &node.kind {
        NodeKind::Number(number) => (number.as_i64().is_some_and(|number| has(column, number)), number.to_string()),
        NodeKind::Text(text) => (
            column.choices.iter().any(|choice| choice.label.as_ref().is_some_and(|l| l.eq_ignore_ascii_case(text))),
            text.clone(),
        ),
        _ => return,
    };
    if !is_known {
        findings.push(unknown_choice(column, &shown, node.span));
    }
}

/// Whether the choice has this value. Where none are known, whatever is given may be one.
pub(super) fn has(column: &Column, value: i64) -> bool {
    column.choices.is_empty() || column.choices.iter().any(|choice| choice.value == value)
}

pub(super) fn unknown_choice(column: &Column, shown: &str, span: Span) -> Diagnostic {
    let choices = column.choices.iter().take(12).map(|choice| match &choice.label {
        Some(label) => format!("{} ({label})", choice.value),
        None => choice.value.to_string(),
    });
    let known: Vec<String> = choices.collect();
    let message = format!("`{shown}` is no value of the choice `{}`", column.name);
    Diagnostic::error("unknown-choice", message, span, "not one of its values")
        .help(format!("it takes {}", known.join(", ")))
}

pub(super) fn too_long(column: &Column, length: usize, most: u32, span: Span) -> Diagnostic {
    let message = format!("the column `{}` holds {most} characters, and this may have {length}", column.name);
    Diagnostic::error("text-too-long", message, span, "too long")
        .help(format!("shorten it to {most}, or have the column made longer"))
}

/// What the column holds, in words.
pub(super) fn holds(column: &Column) -> &str {
    match &*column.kind {
        "text" => "text",
        "number" => "a number",
        "boolean" => "true or false",
        "time" => "a date or a time",
        "choice" => "a choice",
        "lookup" => "a reference to a row",
        "id" => "an identifier",
        other => other,
    }
}
