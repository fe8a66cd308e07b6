//! All files of a compilation, read and sorted by what they are; a user's files merged over the shipped ones.

use std::collections::BTreeMap;

use cosell_model::span::FileId;
use cosell_model::{Diagnostic, Node, Span};

use crate::overlay;
use crate::read::fields::{Findings, wrong_form};
use crate::source::{Layer, SourceFile, Sources};
use crate::yaml;

/// All files.
#[derive(Default)]
pub(crate) struct Documents {
    pub(crate) flows: BTreeMap<String, Document>,
    pub(crate) mappings: BTreeMap<String, Document>,
    /// Shipped ones first.
    pub(crate) variables: Vec<(Layer, Node)>,
    /// Whether a file could not be read at all: then nobody knows what it would have declared.
    pub(crate) unreadable: bool,
}

/// One flow or mapping.
pub(crate) struct Document {
    pub(crate) node: Node,
    name: Span,
    layer: Layer,
    /// The file it is in, and the user's that is merged over it.
    pub(crate) files: Vec<FileId>,
}

impl Documents {
    pub(crate) fn read(sources: &Sources, findings: &mut Findings) -> Self {
        let mut documents = Self::default();
        let mut files: Vec<(FileId, &SourceFile)> = sources.iter().collect();
        files.sort_by_key(|(id, file)| (file.layer, *id));
        for (id, file) in files {
            match yaml::parse(id, &file.text) {
                Ok(node) => documents.add(id, file, node, findings),
                Err(finding) => {
                    documents.unreadable = true;
                    findings.push(finding);
                }
            }
        }
        documents
    }

    fn add(&mut self, id: FileId, file: &SourceFile, node: Node, findings: &mut Findings) {
        if node.get("variables").is_some() {
            self.variables.push((file.layer, node));
            return;
        }
        let (table, what, name) = match (node.get("flow"), node.get("mapping")) {
            (Some(name), _) => (&mut self.flows, "flow", name),
            (_, Some(name)) => (&mut self.mappings, "mapping", name),
            _ => {
                let first = file.text[node.span.range()].chars().next().map_or(0, char::len_utf8);
                findings.push(
                    Diagnostic::error(
                        "unknown-file",
                        "this file does not say what it is",
                        node.span.part(0, first),
                        "the file begins here",
                    )
                    .help(
                        "a flow has `flow: its-name` at the top, a mapping `mapping: its-name`, variables `variables:`",
                    ),
                );
                return;
            }
        };
        let (span, layer) = (name.span, file.layer);
        let Some(name) = name.text().map(str::to_owned) else {
            findings.push(wrong_form(name, &format!("the {what}'s name"), "text"));
            return;
        };
        match table.remove(&name) {
            None => {
                table.insert(name, Document { node, name: span, layer, files: vec![id] });
            }
            Some(known) if known.layer == layer => {
                findings.push(
                    Diagnostic::error("duplicate-name", format!("two {what}s are called `{name}`"), span, "again here")
                        .also(known.name, "first here")
                        .help("only a user's file may have the name of a shipped one: then it is merged over it"),
                );
                table.insert(name, known);
            }
            Some(mut known) => {
                known.files.push(id);
                let merged = Document { node: overlay::merge(known.node, node), name: span, layer, files: known.files };
                table.insert(name, merged);
            }
        }
    }
}
