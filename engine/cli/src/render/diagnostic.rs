//! Findings, as the best compilers show them.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use cosell_compile::source::Sources;
use cosell_model::{Diagnostic, Severity, Span};
use serde_json::{Value, json};

use super::hidden::hidden;
use crate::explain::explanation;

/// All findings, one below the other, in colour; `anstream` takes the colour out where it is not wanted.
pub(crate) fn all(findings: &[Diagnostic], sources: &Sources) -> String {
    let renderer = Renderer::styled();
    let shown: Vec<String> = findings.iter().map(|finding| renderer.render(&report(finding, sources))).collect();
    shown.join("\n\n")
}

fn report<'s>(finding: &'s Diagnostic, sources: &'s Sources) -> Vec<Group<'s>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let file = sources.file(finding.primary.span.file);
    let mut snippet = Snippet::source(hidden(&file.text))
        .path(&file.path)
        .annotation(AnnotationKind::Primary.span(finding.primary.span.range()).label(&finding.primary.text));
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        finding.context.iter().partition(|label| label.span.file == finding.primary.span.file);
    for label in here {
        snippet = snippet.annotation(AnnotationKind::Context.span(label.span.range()).label(&label.text));
    }
    let mut group = level.primary_title(&finding.message).id(finding.code).element(snippet);
    for label in elsewhere {
        let file = sources.file(label.span.file);
        let snippet = Snippet::source(hidden(&file.text))
            .path(&file.path)
            .annotation(AnnotationKind::Context.span(label.span.range()).label(&label.text));
        group = group.element(snippet);
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help));
    }
    vec![group]
}

/// The line and the column behind the last character.
pub(super) fn end(span: Span, sources: &Sources) -> (usize, usize) {
    sources.line_column(Span { start: span.end, ..span })
}

/// A finding for machines.
pub(crate) fn as_json(finding: &Diagnostic, sources: &Sources) -> Value {
    let label = |label: &cosell_model::diagnostic::Label| {
        let (line, column) = sources.line_column(label.span);
        let (end_line, end_column) = end(label.span, sources);
        json!({
            "file": sources.file(label.span.file).path,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "start": label.span.start,
            "end": label.span.end,
            "text": label.text,
        })
    };
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "explanation": explanation(finding.code).1,
        "primary": label(&finding.primary),
        "context": finding.context.iter().map(label).collect::<Vec<_>>(),
        "help": finding.help,
    })
}
