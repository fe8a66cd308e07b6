//! What a user's file changes in a shipped flow or mapping, value by value.

use cosell_compile::documents::{Document, Origin};
use cosell_compile::overlay::{Change, Written};
use cosell_compile::source::Sources;
use maud::{Markup, html};

use crate::page::foreign;

/// The steps that a user's file changes or adds.
pub(super) fn steps(document: Option<&Document>) -> Vec<&str> {
    document.into_iter().flat_map(|document| &document.changes).filter_map(Change::step).collect()
}

/// All of it; nothing where nothing is changed.
pub(super) fn section(document: Option<&Document>, sources: &Sources) -> Markup {
    let Some(document) = document.filter(|document| !document.changes.is_empty()) else { return html! {} };
    let path = |at: usize| document.files.get(at).map_or("", |file| sources.file(*file).path.as_str());
    let how = if document.origin == Origin::Replaced { "stands in the place of" } else { "is merged over" };
    html! {
        section.card aria-labelledby="changes" {
            h2 id="changes" { "What your file changes" }
            p { code { (path(1)) } " " (how) " " code { (path(0)) } "." }
            @for change in &document.changes { (changed(change, sources)) }
        }
    }
}

fn changed(change: &Change, sources: &Sources) -> Markup {
    html! {
        div.change {
            h3 { code { (change.path_text()) } }
            @for (node, sign, words) in [(&change.old, "−", "shipped"), (&change.new, "+", "yours")] {
                @if let Some(node) = node {
                    @let written = Written::at(node.span, sources);
                    p.hint { (words) ", " code { (written.place) } }
                    pre.lines-of tabindex="0" {
                        @for line in &written.lines {
                            @if sign == "+" { ins { "+ " (foreign(line)) } } @else { del { "− " (foreign(line)) } }
                            "\n"
                        }
                    }
                }
            }
        }
    }
}
