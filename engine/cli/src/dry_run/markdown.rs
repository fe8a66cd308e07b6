//! A preview as Markdown, for a ticket or a review: what would change, then how it comes about.

use std::fmt::Write as _;

use cosell_runtime::preview::{Preview, words};

/// All of it.
pub(super) fn page(found: &Preview) -> String {
    let mut page = format!("# Dry run of {}\n\n{}\n", found.flow, words::totals(&found.totals));
    if let Some(failure) = &found.failure {
        let step = failure.step.as_ref().map_or(String::new(), |step| format!("step `{step}`: "));
        let _ = write!(page, "\n**It would fail:** {step}{}\n", cell(&failure.to_string()));
    }
    if found.changes_anything() {
        page += "\n## What would change\n\n| step | record | field | old | new | row |\n|---|---|---|---|---|---|\n";
    }
    for step in &found.steps {
        for written in step.changes.iter().flatten() {
            let change = &written.change;
            let row = written.row.as_ref().map(words::row).unwrap_or_default();
            let values = [&change.old, &change.new].map(|value| cell(&words::value(value)));
            let [old, new] = values;
            let (record, field) = (cell(&change.record), &change.field);
            let _ = writeln!(page, "| {}/{} | {record} | {field} | {old} | {new} | {row} |", step.flow, step.path);
        }
    }
    page += "\n## Steps\n\n| flow | step | outcome | why |\n|---|---|---|---|\n";
    for step in words::told(found) {
        let skipped = step.skipped.as_ref().map(ToString::to_string);
        let why = skipped.or_else(|| step.failure.as_ref().map(ToString::to_string));
        let why = why.into_iter().chain(step.remarks.clone()).collect::<Vec<_>>().join(" ");
        let _ = writeln!(page, "| {} | {} | {} | {} |", step.flow, step.path, step.outcome, cell(&why));
    }
    page
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}
