//! Answers in the protocol's words.

use cosell_compile::assist::{Cursor, Part, Proposal, What};
use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Documentation, Hover, HoverContents, MarkupContent,
    MarkupKind, SymbolKind, TextEdit, Uri,
};
use serde_json::{Value, json};

use crate::positions;

/// What can stand at the cursor.
pub(crate) fn completions(cursor: &Cursor<'_>, text: &str) -> Vec<CompletionItem> {
    let proposals = cursor.proposals();
    let range = positions::range(text, proposals.replaces);
    let item = |(number, proposal): (usize, Proposal)| CompletionItem {
        kind: Some(match proposal.what {
            What::Key => CompletionItemKind::PROPERTY,
            What::Value => CompletionItemKind::ENUM_MEMBER,
            What::Operation => CompletionItemKind::METHOD,
            What::File => CompletionItemKind::FILE,
            What::Name => CompletionItemKind::VARIABLE,
            What::Function => CompletionItemKind::FUNCTION,
        }),
        detail: Some(proposal.detail).filter(|detail| !detail.is_empty()),
        documentation: Some(proposal.about)
            .filter(|about| !about.is_empty())
            .map(|about| Documentation::MarkupContent(markdown(about))),
        // Some editors take what has an edit and no text to filter by for filtered already.
        filter_text: Some(proposal.label.clone()),
        label: proposal.label,
        // The order in which they were thought of, not that of the alphabet.
        sort_text: Some(format!("{number:05}")),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: proposal.insert })),
        ..CompletionItem::default()
    };
    proposals.all.into_iter().enumerate().map(item).collect()
}

/// What stands at the cursor.
pub(crate) fn hover(cursor: &Cursor<'_>, text: &str) -> Option<Hover> {
    let explanation = cursor.explanation()?;
    Some(Hover {
        contents: HoverContents::Markup(markdown(explanation.markdown)),
        range: Some(positions::range(text, explanation.place)),
    })
}

/// The edits that give a step another name.
///
/// # Errors
/// Why it cannot have it.
pub(crate) fn renaming(cursor: &Cursor<'_>, text: &str, uri: &Uri, name: &str) -> Result<Value, String> {
    let edit = |place| TextEdit { range: positions::range(text, place), new_text: name.to_owned() };
    let edits: Vec<TextEdit> = cursor.renamed(name)?.into_iter().map(edit).collect();
    Ok(json!({ "changes": { uri.as_str(): edits } }))
}

/// What is in a file, and in what.
pub(crate) fn outline(parts: &[Part], text: &str) -> Vec<Value> {
    let one = |part: &Part| {
        json!({
            "name": part.name,
            "detail": part.title,
            "kind": if part.inside.is_empty() { SymbolKind::FIELD } else { SymbolKind::NAMESPACE },
            "range": positions::range(text, part.whole.clone()),
            "selectionRange": positions::range(text, part.place.clone()),
            "children": outline(&part.inside, text),
        })
    };
    parts.iter().map(one).collect()
}

fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}
