//! Findings for tools that collect them: SARIF 2.1.0, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use cosell_compile::source::Sources;
use cosell_model::diagnostic::Label;
use cosell_model::{Diagnostic, Severity};
use serde_json::{Value, json};

use super::diagnostic::end;
use crate::explain::{as_markdown, explanation};

/// A log with one run: a rule for each code that was found, and a result for each finding.
pub(crate) fn log(findings: &[Diagnostic], sources: &Sources) -> Value {
    let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| rule(code)).collect();
    let result = |finding: &Diagnostic| {
        let message = match &finding.help {
            Some(help) => format!("{}\n{help}", finding.message),
            None => finding.message.clone(),
        };
        let related: Vec<Value> = finding.context.iter().map(|label| location(label, sources)).collect();
        let mut result = json!({
            "ruleId": finding.code,
            "ruleIndex": codes.binary_search(&finding.code).unwrap_or_default(),
            "level": match finding.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "message": { "text": message },
            "locations": [location(&finding.primary, sources)],
        });
        if !related.is_empty() {
            result["relatedLocations"] = Value::Array(related);
        }
        result
    };
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "cosell", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

/// What GitHub's code scanning demands of a rule:
/// <https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support>.
fn rule(code: &str) -> Value {
    let (short, full) = explanation(code);
    json!({
        "id": code,
        "shortDescription": { "text": short },
        "help": { "text": full, "markdown": as_markdown(code) },
        "fullDescription": { "text": full },
    })
}

fn location(label: &Label, sources: &Sources) -> Value {
    let (line, column) = sources.line_column(label.span);
    let (end_line, end_column) = end(label.span, sources);
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": address(&sources.file(label.span.file).path) },
            "region": { "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column },
        },
    });
    if !label.text.is_empty() {
        location["message"] = json!({ "text": label.text });
    }
    location
}

/// A path as a URI reference (RFC 3986).
fn address(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let path = path.replace('\\', "/");
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    path.bytes().fold(scheme.to_owned(), |address, byte| match byte {
        byte if plain(byte) => address + &char::from(byte).to_string(),
        byte => format!("{address}%{byte:02X}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_reference() {
        assert_eq!(address("flows/mine.yaml"), "flows/mine.yaml");
        assert_eq!(address("/tmp/a b/größe.yaml"), "file:///tmp/a%20b/gr%C3%B6%C3%9Fe.yaml");
        assert_eq!(address("flows\\mine#1.yaml"), "flows/mine%231.yaml");
    }
}
