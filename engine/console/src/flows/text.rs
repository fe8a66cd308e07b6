//! The files of a flow or a mapping as they are written, with the numbers of their lines.

use std::collections::BTreeSet;

use cosell_compile::documents::Document;
use cosell_compile::overlay::Change;
use cosell_compile::source::Sources;
use cosell_model::Node;
use cosell_model::span::FileId;
use maud::{Markup, html};

use crate::page::unfold;

/// All of them; the lines that a user's file changes have a mark.
pub(super) fn section(document: Option<&Document>, sources: &Sources) -> Markup {
    let Some(document) = document else { return html! {} };
    html! {
        h2 id="text" { "As it is written" }
        @for (at, file) in document.files.iter().enumerate() {
            @let path = &sources.file(*file).path;
            (unfold(format!("file-{at}"), html! { code { (path) } }, lines(at, *file, document, sources)))
        }
    }
}

fn lines(at: usize, file: FileId, document: &Document, sources: &Sources) -> Markup {
    let marked = marked(file, &document.changes, sources);
    let source = sources.file(file);
    html! {
        pre.numbered role="region" aria-label=(source.path) tabindex="0" {
            @for (line, text) in source.text.lines().enumerate() {
                code id={ "file-" (at) "-line-" (line + 1) } class=[marked.contains(&(line + 1)).then_some("changed")] { (text) }
            }
        }
    }
}

/// The lines of a file that say something else than another file.
fn marked(file: FileId, changes: &[Change], sources: &Sources) -> BTreeSet<usize> {
    let values = changes.iter().flat_map(|change| change.old.iter().chain(&change.new));
    let here = values.filter(|node| node.span.file == file);
    here.flat_map(|node: &Node| {
        let (first, _) = sources.line_column(node.span);
        first..first + sources.slice(node.span).lines().count().max(1)
    })
    .collect()
}
