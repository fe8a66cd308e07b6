//! The files of tests: the user's own beside the configuration, and those that come with the program.

use std::collections::BTreeMap;
use std::path::Path;

use cosell_compile::source::Sources;
use cosell_compile::testcase::{self, ActKind, Test, Unreachable};
use cosell_compile::{Compilation, did_you_mean};
use cosell_model::span::FileId;
use cosell_model::{Diagnostic, FlowId, Severity, Span, Spanned};
use cosell_runtime::recording::Recording;

use super::Options;
use super::stage::plain;
use crate::Trouble;
use crate::dry_run;
use crate::project::{Project, files};
use crate::render::diagnostic;

/// The folder of a project's own tests.
const FOLDER: &str = "tests";

/// Tests with the files that they stand in.
pub(super) struct Read {
    pub(super) sources: Sources,
    pub(super) tests: Vec<(FileId, Test)>,
    pub(super) unreachable: Vec<Unreachable>,
    /// What tests play, by the place where they name it.
    pub(super) recordings: BTreeMap<Span, Recording>,
}

impl Read {
    /// Where a place in a test is, as `file:line`.
    pub(super) fn place(&self, span: Span) -> String {
        self.sources.place(span)
    }

    /// The file of a test.
    pub(super) fn path(&self, file: FileId) -> &str {
        &self.sources.file(file).path
    }
}

/// Reads the tests that are asked for.
///
/// # Errors
/// Files that cannot be read, and everything that is wrong in them; names that no test has.
pub(super) fn read(project: &Project, options: &Options) -> Result<Read, Trouble> {
    let is_file = |name: &&String| name.ends_with(".yaml") || name.ends_with(".yml");
    let (paths, names): (Vec<&String>, Vec<&String>) = options.names.iter().partition(is_file);
    let mut found = Vec::new();
    for path in &paths {
        found.push(files::read(Path::new(path))?);
    }
    let folder = project.path(FOLDER);
    if paths.is_empty() && folder.is_dir() {
        files::own(&folder, &mut found)?;
    }
    if options.shipped || found.is_empty() && paths.is_empty() {
        found.extend(files::shipped_tests());
    }
    let sources = Sources::new(found);
    let (mut tests, mut unreachable, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    for (file, _) in sources.iter() {
        let (read, wrong) = testcase::read(&sources, file);
        findings.extend(wrong);
        tests.extend(read.tests.into_iter().map(|test| (file, test)));
        unreachable.extend(read.unreachable);
    }
    findings.extend(tests.iter().flat_map(|(_, test)| unknown_flows(test, &project.compilation)));
    findings.extend(unreachable.iter().flat_map(|step| unknown_step(step, &project.compilation)));
    findings.extend(twice(&tests));
    let mut recordings = BTreeMap::new();
    for (file, test) in &tests {
        let Some(named) = &test.given.recorded else { continue };
        match recorded(named, &sources.file(*file).path) {
            Ok(recording) => drop(recordings.insert(named.span, recording)),
            Err(finding) => findings.push(finding),
        }
    }
    findings.sort_by(|a, b| (a.primary.span, a.code, &a.message).cmp(&(b.primary.span, b.code, &b.message)));
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(Trouble::Findings(diagnostic::all(&findings, &sources)));
    }
    let wanted = |test: &Test, file: &str| {
        let name = test.name.value.to_lowercase();
        names.is_empty() || names.iter().any(|part| name.contains(&part.to_lowercase()) || file.contains(part.as_str()))
    };
    tests.retain(|(file, test)| wanted(test, &sources.file(*file).path));
    if tests.is_empty() {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        return Err(Trouble::new(match names.as_slice() {
            [] => format!("there are no tests: put one into `{FOLDER}` beside the configuration"),
            names => format!("no test has {} in its name, or in that of its file", names.join(" or ")),
        }));
    }
    Ok(Read { sources, tests, unreachable, recordings })
}

/// What a test plays, from a file that is named relative to the test's own.
fn recorded(named: &Spanned<String>, test: &str) -> Result<Recording, Diagnostic> {
    let path = Path::new(test).parent().unwrap_or(Path::new("")).join(&named.value);
    let finding = |trouble: Trouble| {
        Diagnostic::error("wrong-value", plain(&trouble), named.span, "this recording")
            .help("`cosell record` makes one; its path is relative to this file")
    };
    dry_run::read(&path).map_err(finding)
}

fn unknown_flow(flow: &Spanned<String>, compilation: &Compilation) -> Option<Diagnostic> {
    if compilation.flows.contains_key(&FlowId::new(flow.value.as_str())) {
        return None;
    }
    let near = did_you_mean(&flow.value, compilation.flows.keys().map(FlowId::as_str));
    let finding =
        Diagnostic::error("unknown-flow", format!("there is no flow `{}`", flow.value), flow.span, "no such flow");
    Some(finding.help(near.unwrap_or_else(|| "`cosell flows` lists those there are".to_owned())))
}

/// A flow or a step of it that is called out of reach, and is not there at all.
fn unknown_step(of: &Unreachable, compilation: &Compilation) -> Option<Diagnostic> {
    let Some(plan) = compilation.plans.get(&FlowId::new(of.flow.value.as_str())) else {
        return unknown_flow(&of.flow, compilation);
    };
    if plan.find(&of.step.value).is_some() {
        return None;
    }
    let near = did_you_mean(&of.step.value, plan.steps.iter().map(|step| step.id.as_str()));
    let message = format!("flow `{}` has no step `{}`", of.flow.value, of.step.value);
    Some(Diagnostic::error("unknown-step", message, of.step.span, "no such step").maybe_help(near))
}

fn unknown_flows(test: &Test, compilation: &Compilation) -> Vec<Diagnostic> {
    let acts = test.already.iter().chain(&test.when).filter_map(|act| match &act.kind {
        ActKind::Run { flow, .. } => Some(flow),
        _ => None,
    });
    test.flow.iter().chain(acts).filter_map(|flow| unknown_flow(flow, compilation)).collect()
}

fn twice(tests: &[(FileId, Test)]) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (at, (file, test)) in tests.iter().enumerate() {
        let earlier = tests[..at].iter().find(|(of, known)| of == file && known.name.value == test.name.value);
        if let Some((_, earlier)) = earlier {
            let message = format!("two tests of one file are called \"{}\"", test.name.value);
            findings.push(
                Diagnostic::error("duplicate-name", message, test.name.span, "again here")
                    .also(earlier.name.span, "first here")
                    .help("say in the name what this one shows"),
            );
        }
    }
    findings
}
