//! What a step names of a table, held against it.

use cosell_model::Diagnostic;
use cosell_model::tables::Table;

use super::columns;
use super::names::is_logical;
use super::used::{How, Uses};

pub(super) fn check(uses: &Uses<'_>, table: &Table, findings: &mut Vec<Diagnostic>) {
    let before = findings.len();
    // A name for people is reported without metadata, and with it as well: only here is known which column is meant.
    for used in uses.columns.iter().filter(|used| is_logical(&used.name.value) || is_label(&used.name.value, table)) {
        let (name, span) = (&used.name.value, used.name.span);
        let Some(column) = columns::find(table, name, span, findings) else { continue };
        let can_be_given = match used.how {
            How::Read => continue,
            How::New => column.creatable,
            How::Changed => column.updatable || column.creatable && uses.whole.is_some(),
        };
        if !can_be_given {
            let when = if used.how == How::New { "given to a new row" } else { "changed" };
            let message = format!("the column `{name}` of the table `{}` cannot be {when}", table.logical_name);
            findings.push(
                Diagnostic::error("read-only-column", message, span, "cannot be written")
                    .help("leave it out: the CRM computes it, or sets it once"),
            );
        } else if let Some(value) = used.value {
            columns::value(column, value, uses.cut.contains(name), findings);
        }
    }
    // What is wrong with the columns that are named may be why another is missing.
    let Some(whole) = uses.whole.filter(|_| findings.len() == before) else { return };
    let given = |name: &str| uses.columns.iter().any(|used| used.how == How::New && used.name.value == name);
    for column in table.columns.iter().filter(|column| column.required && column.creatable && !given(&column.name)) {
        let message = format!("a new row of `{}` needs the column `{}`", table.logical_name, column.name);
        let known = uses.columns.iter().find(|used| used.how == How::New).map_or(whole, |used| used.name.span);
        findings.push(
            Diagnostic::error("required-column", message, known, format!("`{}` is missing", column.name))
                .help("people cannot save the row's form without it; give it a value")
                .warning(),
        );
    }
}

fn is_label(name: &str, table: &Table) -> bool {
    table.columns.iter().any(|column| column.label.as_ref().is_some_and(|label| label.eq_ignore_ascii_case(name)))
}
