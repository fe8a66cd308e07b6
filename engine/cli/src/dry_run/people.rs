//! A preview in the terminal: a line a step, and under each write what it would change.

use std::fmt::Write as _;

use cosell_model::Outcome;
use cosell_runtime::preview::{Foreseen, Preview, Written, words};

use crate::render::run::sign;
use crate::render::{BAD, DIM, GOOD, STRONG, WARN, counted, styled};

/// All of it.
pub(super) fn page(found: &Preview) -> String {
    let mut page =
        format!("{} {}\n", styled(STRONG, &found.flow), styled(DIM, "(dry run: nothing is changed anywhere)"));
    words::told(found).for_each(|step| page.push_str(&self::step(step)));
    if let Some(failure) = &found.failure {
        let step = failure.step.as_ref().map_or(String::new(), |step| format!("step `{step}`: "));
        let _ = writeln!(page, "{}", styled(BAD, format!("It would fail: {step}{failure}")));
    }
    page + &words::totals(&found.totals) + "\n"
}

fn step(step: &Foreseen) -> String {
    let indent = "  ".repeat(step.depth + 1);
    let target = step.target.as_ref().unwrap_or(&step.kind);
    let title = if step.title == step.path { String::new() } else { format!("  {}", step.title) };
    let note = match (&step.skipped, &step.changes) {
        (Some(reason), _) => styled(DIM, format!("  (skipped: {reason})")),
        (None, Some(changes)) if changes.is_empty() => styled(DIM, "  (would change nothing)"),
        (None, Some(changes)) => styled(WARN, format!("  (would change {})", counted(changes.len(), "field"))),
        (None, None) if step.outcome != Outcome::Succeeded => styled(BAD, format!("  ({})", step.outcome)),
        (None, None) => String::new(),
    };
    let mut text = format!("{indent}{} {} {}{title}{note}\n", sign(step.outcome), step.path, styled(DIM, target));
    let own = step.failure.as_ref().filter(|failure| failure.step.as_deref() == Some(&step.path));
    for line in own.map(ToString::to_string).unwrap_or_default().lines() {
        let _ = writeln!(text, "{indent}    {}", styled(BAD, line));
    }
    for remark in &step.remarks {
        let _ = writeln!(text, "{indent}    {}", styled(WARN, remark));
    }
    changes(&indent, step.changes.as_deref().unwrap_or_default(), &mut text);
    text
}

/// Record by record, with the fields one under the other.
fn changes(indent: &str, changes: &[Written], text: &mut String) {
    for of_record in changes.chunk_by(|one, next| one.change.record == next.change.record) {
        let _ = writeln!(text, "{indent}    {}", styled(STRONG, &of_record[0].change.record));
        let width = of_record.iter().map(|written| written.change.field.chars().count()).max().unwrap_or_default();
        for Written { change, row } in of_record {
            let (old, new) = (words::value(&change.old), words::value(&change.new));
            let from = row.as_ref().map_or(String::new(), |row| styled(DIM, format!("  [{}]", words::row(row))));
            let arrow = if change.old.is_null() {
                styled(GOOD, format!("+ {new}"))
            } else {
                format!("{} → {}", styled(BAD, old), styled(GOOD, new))
            };
            let _ = writeln!(text, "{indent}      {:width$}  {arrow}{from}", change.field);
        }
    }
}
