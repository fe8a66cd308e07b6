//! Mistakes, one a file (or one a folder, where it takes several), and what is said about each.
//!
//! The mistakes lie in `tests/diagnostics` at the top of the repository. Each is compiled together with the files in
//! `shared`, which have none; a folder's files in `own` are the user's, and files called `configuration-…` are that. Those called `crm-…` are held against tables of a CRM as well. What is said lies beside them in `snapshots`: look
//! at the carets when one changes (`cargo insta review`).
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use cosell_compile::source::Sources;
use cosell_compile::{configuration, tables};
use cosell_model::diagnostic::{Label, Severity};
use cosell_model::{Diagnostic, Span};

use support::corpus::{corpus, entries, files};

/// Every mistake, with what is said about it.
fn cases() -> Vec<(String, Vec<Diagnostic>, Sources)> {
    let shared = files(&corpus().join("shared"));
    let cases = entries(&corpus()).into_iter().filter(|path| !path.ends_with("shared") && !path.ends_with("snapshots"));
    let case = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name.starts_with("configuration-") {
            let file = files(&path).remove(0);
            let (read, mut findings, sources) = configuration::read(file, None);
            findings.extend(configuration::off::check(&read.off, &support::compiled(shared.clone()).flows));
            return (name, findings, sources);
        }
        let all = files(&path).into_iter().chain(shared.clone()).collect();
        let compiled = support::compiled(all);
        if name.starts_with("crm-") {
            let findings = tables::check(&compiled, &support::catalogue(), &support::metadata("rows"));
            return (name, findings, compiled.sources);
        }
        (name, compiled.diagnostics, compiled.sources)
    };
    cases.map(case).collect()
}

/// The line of a label, with carets under its characters.
fn show(label: &Label, sources: &Sources, mark: char, out: &mut String) {
    let text = &sources.file(label.span.file).text;
    let (line, column) = sources.line_column(label.span);
    let shown = text.lines().nth(line - 1).unwrap_or_default();
    let end = Span { start: label.span.end, ..label.span };
    let (last_line, last_column) = sources.line_column(end);
    let wide = if last_line == line { last_column - column } else { shown.chars().count() + 1 - column };
    let more = if last_line == line { String::new() } else { format!(" (to {last_line}:{last_column})") };
    writeln!(out, "{line:>4} | {shown}").unwrap();
    let marks = mark.to_string().repeat(wide.max(1));
    writeln!(out, "     | {}{marks} {}{more}", " ".repeat(column - 1), label.text).unwrap();
}

fn report(finding: &Diagnostic, sources: &Sources) -> String {
    let mut out = String::new();
    let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
    let (line, column) = sources.line_column(finding.primary.span);
    let path = |label: &Label| sources.file(label.span.file).path.clone();
    writeln!(out, "{} {severity} {}:{line}:{column}", finding.code, path(&finding.primary)).unwrap();
    writeln!(out, "{}", finding.message).unwrap();
    show(&finding.primary, sources, '^', &mut out);
    for label in &finding.context {
        if path(label) != path(&finding.primary) {
            writeln!(out, "     : {}", path(label)).unwrap();
        }
        show(label, sources, '-', &mut out);
    }
    if let Some(help) = &finding.help {
        writeln!(out, "help: {help}").unwrap();
    }
    out
}

#[test]
fn every_mistake_is_shown_where_it_is_with_what_to_do() {
    for (name, findings, sources) in cases() {
        assert!(!findings.is_empty(), "{name} is not found");
        let shown: Vec<String> = findings.iter().map(|finding| report(finding, &sources)).collect();
        insta::with_settings!({
            snapshot_path => corpus().join("snapshots"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name.as_str(), shown.join("\n"));
        });
    }
}

#[test]
fn nothing_is_said_of_files_without_a_mistake() {
    let compiled = support::compiled(files(&corpus().join("shared")));
    let shown: Vec<String> = compiled.diagnostics.iter().map(|finding| report(finding, &compiled.sources)).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    assert_eq!(compiled.plans.len(), 3);
}

#[test]
fn every_snapshot_has_its_mistake() {
    let names: BTreeSet<String> = cases().into_iter().map(|(name, ..)| format!("{name}.snap")).collect();
    let snapshots = entries(&corpus().join("snapshots"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "snap"));
    let snapshots: BTreeSet<String> =
        snapshots.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, snapshots);
}

/// Every code in the crate's source.
fn codes(folder: &Path) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for path in entries(folder) {
        if path.is_dir() {
            codes.extend(self::codes(&path));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for before in ["Diagnostic::error(", "code: ", "=> \"unknown-"] {
            for (at, _) in code.match_indices(before) {
                let quoted = code[at..].trim_start_matches(before.trim_end_matches("\"unknown-")).trim_start();
                let Some(literal) = quoted.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
                codes.insert(literal.to_owned());
            }
        }
    }
    codes
}

#[test]
fn every_code_has_a_mistake() {
    let known = codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(known.len() > 60, "the codes are found: {known:?}");
    let found: BTreeSet<String> =
        cases().iter().flat_map(|(_, findings, _)| findings.iter().map(|f| f.code.to_owned())).collect();
    let missing: Vec<_> = known.difference(&found).collect();
    assert!(missing.is_empty(), "codes without a file in tests/diagnostics: {missing:?}");
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "codes that this test does not find in the source: {unknown:?}");
}
