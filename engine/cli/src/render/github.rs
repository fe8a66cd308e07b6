//! Findings as GitHub Actions shows them beside the lines:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use cosell_compile::source::Sources;
use cosell_model::{Diagnostic, Severity};

use super::diagnostic::end;

/// A line for each finding.
pub(crate) fn all(findings: &[Diagnostic], sources: &Sources) -> String {
    findings.iter().map(|finding| one(finding, sources)).collect()
}

fn one(finding: &Diagnostic, sources: &Sources) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let span = finding.primary.span;
    let (line, column) = sources.line_column(span);
    let (end_line, end_column) = end(span, sources);
    // The last column that belongs to it, and only where it ends in the line where it begins.
    let wide = if end_line == line { format!(",endColumn={}", end_column.max(column + 1) - 1) } else { String::new() };
    let file = setting(&sources.file(span.file).path);
    let help = finding.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let message = text(&format!("{}{help}", finding.message));
    format!(
        "::{command} file={file},line={line},endLine={end_line},col={column}{wide},title={}::{message}\n",
        setting(finding.code)
    )
}

fn text(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn setting(value: &str) -> String {
    text(value).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_message_ends_it() {
        assert_eq!(text("50 %\nof it: all, really"), "50 %25%0Aof it: all, really");
        assert_eq!(setting("C:\\a,b.yaml"), "C%3A\\a%2Cb.yaml");
    }
}
