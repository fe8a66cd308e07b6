//! What a user's own files change in the shipped ones.

use cosell_compile::did_you_mean;
use cosell_compile::documents::{Document, Documents, Origin};
use cosell_compile::overlay::{Change, Written};
use cosell_compile::source::Sources;
use cosell_model::Span;

use crate::Trouble;
use crate::project::Project;
use crate::render::{BAD, DIM, GOOD, STRONG, styled};

/// Every changed value with its path, the shipped value and the user's, each with its place.
pub(crate) fn diff(project: &Project, name: Option<&str>) -> Result<String, Trouble> {
    let (documents, sources) = (&project.compilation.documents, &project.compilation.sources);
    if let Some(name) = name {
        find(documents, name)?;
    }
    let wanted = |known: &str| name.is_none_or(|name| name == known);
    let flows = documents.flows.iter().map(|(name, document)| ("flow", name, document));
    let mappings = documents.mappings.iter().map(|(name, document)| ("mapping", name, document));
    let mut parts: Vec<String> = flows
        .chain(mappings)
        .filter(|(_, name, document)| wanted(name) && !document.changes.is_empty())
        .map(|(kind, name, document)| part(kind, name, document, sources))
        .collect();
    if name.is_none() && !documents.variable_changes.is_empty() {
        let title = styled(STRONG, "variables");
        parts.push(format!("{title}\n\n{}", changes(&documents.variable_changes, sources)));
    }
    if parts.is_empty() {
        return Ok(match name {
            Some(name) => format!("No file of yours changes `{name}`."),
            None => "No file of yours changes anything that is shipped.".to_owned(),
        });
    }
    Ok(parts.join("\n\n"))
}

/// The flow or mapping of this name.
pub(super) fn find<'d>(documents: &'d Documents, name: &str) -> Result<&'d Document, Trouble> {
    documents.flows.get(name).or_else(|| documents.mappings.get(name)).ok_or_else(|| {
        let known = documents.flows.keys().chain(documents.mappings.keys()).map(String::as_str);
        let help = did_you_mean(name, known)
            .unwrap_or_else(|| "`cosell flows` lists the flows there are, `cosell mapping` the mappings".to_owned());
        Trouble::new(format!("there is no flow and no mapping `{name}`\nhelp: {help}"))
    })
}

fn part(kind: &str, name: &str, document: &Document, sources: &Sources) -> String {
    let path = |at: usize| document.files.get(at).map_or("", |file| sources.file(*file).path.as_str());
    let how = match document.origin {
        Origin::Replaced => "stands in the place of",
        _ => "is merged over",
    };
    let head =
        format!("{} {}", styled(STRONG, format!("{kind} {name}")), format_args!("{} {how} {}", path(1), path(0)));
    let mut part = format!("{head}\n\n{}", changes(&document.changes, sources));
    let fingerprints: Vec<String> = document.changes.iter().filter_map(Change::fingerprint).collect();
    if document.origin == Origin::Overlaid && !fingerprints.is_empty() {
        let line = format!("based_on: [{}]", fingerprints.join(", "));
        let note =
            format!("  The shipped values as they are now; put this into {} to be warned when one changes:", path(1));
        part = format!("{part}\n\n{}\n  {line}", styled(DIM, note));
    }
    part
}

fn changes(changes: &[Change], sources: &Sources) -> String {
    let change = |change: &Change| {
        let mut lines = vec![format!("  {}", change.path_text())];
        if let Some(old) = &change.old {
            lines.push(side("-", old.span, sources));
        }
        if let Some(new) = &change.new {
            lines.push(side("+", new.span, sources));
        }
        lines.join("\n")
    };
    changes.iter().map(change).collect::<Vec<_>>().join("\n")
}

/// A value as it is written, with its place, each line behind `sign`.
fn side(sign: &str, span: Span, sources: &Sources) -> String {
    let Written { place, lines } = Written::at(span, sources);
    let place = styled(DIM, format!("  # {place}"));
    let style = if sign == "+" { GOOD } else { BAD };
    let lines = lines.into_iter().enumerate().map(|(at, line)| {
        let place = if at == 0 { place.as_str() } else { "" };
        format!("    {}{place}", styled(style, format!("{sign} {line}")))
    });
    lines.collect::<Vec<_>>().join("\n")
}
