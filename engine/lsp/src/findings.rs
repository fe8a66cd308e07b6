//! Findings in the protocol's words, by file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cosell_compile::source::Sources;
use cosell_model::diagnostic::Label;
use cosell_model::{Diagnostic, Severity, Span};
use lsp_types::{CodeDescription, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Uri};
use url::Url;

use crate::positions;
use crate::project::{Loaded, Project};

/// Everything that was found, by the file in which it is shown.
pub(crate) fn by_file(loaded: &Loaded, project: &dyn Project) -> BTreeMap<PathBuf, Vec<lsp_types::Diagnostic>> {
    let mut all: BTreeMap<PathBuf, Vec<lsp_types::Diagnostic>> = BTreeMap::new();
    let flows = loaded.compilation.diagnostics.iter().map(|finding| (finding, &loaded.compilation.sources));
    let settings = loaded.configuration.iter().map(|finding| (finding, &loaded.configuration_sources));
    for (finding, sources) in flows.chain(settings) {
        if let Some(path) = project.on_disk(&sources.file(finding.primary.span.file).path) {
            all.entry(path).or_default().push(one(finding, sources, project));
        }
    }
    all
}

fn one(finding: &Diagnostic, sources: &Sources, project: &dyn Project) -> lsp_types::Diagnostic {
    let message = match &finding.help {
        Some(help) => format!("{}\nhelp: {help}", finding.message),
        None => finding.message.clone(),
    };
    let related = |label: &Label| {
        let message = label.text.clone();
        Some(DiagnosticRelatedInformation { location: location(label.span, sources, project)?, message })
    };
    lsp_types::Diagnostic {
        range: positions::range(&sources.file(finding.primary.span.file).text, finding.primary.span.range()),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(finding.code.to_owned())),
        code_description: project.explained(finding.code).and_then(|url| Some(CodeDescription { href: uri(&url)? })),
        source: Some("cosell".to_owned()),
        message,
        related_information: Some(finding.context.iter().filter_map(related).collect()),
        tags: None,
        data: None,
    }
}

/// A place in a file, as the editor finds it.
pub(crate) fn location(span: Span, sources: &Sources, project: &dyn Project) -> Option<Location> {
    let file = sources.file(span.file);
    let path = project.on_disk(&file.path)?;
    let uri = uri(&Url::from_file_path(path).ok()?)?;
    Some(Location { uri, range: positions::range(&file.text, span.range()) })
}

/// An address in the protocol's type.
pub(crate) fn uri(url: &Url) -> Option<Uri> {
    url.as_str().parse().ok()
}
