//! All files of a compilation, read and sorted by what they are; a user's files merged over the shipped ones.

use std::collections::BTreeMap;

use cosell_model::span::FileId;
use cosell_model::{Diagnostic, Node, Span};

use crate::overlay::{self, BasedOn, Change, Place};
use crate::read::fields::{Findings, wrong_form};
use crate::source::{Layer, SourceFile, Sources};
use crate::suggest::{did_you_mean, nearest};
use crate::{testcase, yaml};

/// All files, by what they are.
#[derive(Debug, Default)]
pub struct Documents {
    /// Flows by name.
    pub flows: BTreeMap<String, Document>,
    /// Mappings by name.
    pub mappings: BTreeMap<String, Document>,
    /// What the user's files change in the declarations of variables.
    pub variable_changes: Vec<Change>,
    /// Files of variables, shipped ones first.
    pub(crate) variables: Vec<(Layer, Node)>,
    /// Whether a file could not be read at all: then nobody knows what it would have declared.
    pub(crate) unreadable: bool,
}

/// One flow or mapping.
#[derive(Debug)]
pub struct Document {
    /// Its content, with the user's file merged over the shipped one.
    pub node: Node,
    /// Where it comes from.
    pub origin: Origin,
    /// The files it is made of: the shipped one first, where there is one.
    pub files: Vec<FileId>,
    /// What the user's file changes in the shipped one.
    pub changes: Vec<Change>,
    name: Span,
    layer: Layer,
}

/// Where a flow or a mapping comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It comes with the program.
    Shipped,
    /// It comes with the program, and a user's file is merged over it.
    Overlaid,
    /// It is the user's, in the place of a shipped one.
    Replaced,
    /// It is the user's.
    Own,
}

impl Origin {
    /// In one word, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Shipped => "shipped",
            Origin::Overlaid => "overlaid",
            Origin::Replaced => "replaced",
            Origin::Own => "own",
        }
    }

    /// For people, who see what is theirs.
    pub fn in_words(self) -> &'static str {
        match self {
            Origin::Shipped => "shipped",
            Origin::Overlaid => "shipped + yours",
            Origin::Replaced => "yours, for shipped",
            Origin::Own => "yours",
        }
    }
}

/// What a file says it is.
#[derive(Clone, Copy)]
struct Kind {
    word: &'static str,
    place: Place,
    /// What no overlay needs, and nothing whole can be without.
    needs: &'static str,
    /// The command that lists them.
    listed_by: &'static str,
}

const FLOW: Kind = Kind { word: "flow", place: Place::Flow, needs: "trigger", listed_by: "cosell flows" };
const MAPPING: Kind = Kind { word: "mapping", place: Place::Mapping, needs: "between", listed_by: "cosell mapping" };

impl Document {
    /// The fingerprint of the shipped file, for a copy that is to take its place; none where there is no shipped one.
    pub fn fingerprint(&self) -> Option<String> {
        (self.origin == Origin::Shipped).then(|| overlay::of_whole(&self.node))
    }

    /// Where it comes from, as people are told: a user's file that changes nothing does not count.
    pub fn comes_from(&self) -> Origin {
        if self.origin == Origin::Overlaid && self.changes.is_empty() { Origin::Shipped } else { self.origin }
    }

    /// Where its name stands, in the user's file where there is one.
    pub fn name(&self) -> Span {
        self.name
    }
}

impl Documents {
    /// Whether this file could be read, and said what it is.
    pub fn holds(&self, file: FileId) -> bool {
        let mut all = self.flows.values().chain(self.mappings.values());
        all.any(|document| document.files.contains(&file))
            || self.variables.iter().any(|(_, node)| node.span.file == file)
    }

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
        overlays_of_nothing(&mut documents.flows, FLOW, findings);
        overlays_of_nothing(&mut documents.mappings, MAPPING, findings);
        documents.variable_changes = documents.variable_changes();
        documents
    }

    fn add(&mut self, id: FileId, file: &SourceFile, mut node: Node, findings: &mut Findings) {
        if node.get("variables").is_some() {
            self.variables.push((file.layer, node));
            return;
        }
        let (table, kind, name) = match (node.get("flow"), node.get("mapping")) {
            (Some(name), _) => (&mut self.flows, FLOW, name),
            (_, Some(name)) => (&mut self.mappings, MAPPING, name),
            // Tests may lie beside the flows; they are no part of them, and are looked at all the same.
            _ if testcase::is_tests(&node) => return drop(testcase::of(&node, findings)),
            _ => {
                findings.push(unknown_file(file, &node));
                return;
            }
        };
        let what = kind.word;
        let (span, layer) = (name.span, file.layer);
        let Some(name) = name.text().map(str::to_owned) else {
            findings.push(wrong_form(name, &format!("the {what}'s name"), "text"));
            return;
        };
        let based_on = match layer {
            Layer::Own => overlay::take(&mut node, findings),
            Layer::Shipped => BasedOn::default(),
        };
        let document = match table.remove(&name) {
            None => {
                let origin = if layer == Layer::Shipped { Origin::Shipped } else { Origin::Own };
                Document { node, origin, files: vec![id], changes: Vec::new(), name: span, layer }
            }
            Some(known) if known.layer == layer => {
                findings.push(
                    Diagnostic::error("duplicate-name", format!("two {what}s are called `{name}`"), span, "again here")
                        .also(known.name, "first here")
                        .help("only a user's file may have the name of a shipped one: then it is merged over it"),
                );
                known
            }
            Some(mut known) => {
                let what = format!("{what} `{name}`");
                known.files.push(id);
                let (origin, node, changes) = if based_on.whole {
                    based_on.compare_whole(&what, &known.node, known.name, findings);
                    let changes = overlay::differences(&known.node, &node);
                    (Origin::Replaced, node, changes)
                } else {
                    let (node, changes) = overlay::merge(known.node, node, kind.place, &what, findings);
                    based_on.compare(&what, &changes, known.name, findings);
                    (Origin::Overlaid, node, changes)
                };
                Document { node, origin, files: known.files, changes, name: span, layer }
            }
        };
        table.insert(name, document);
    }

    /// A variable declared anew is declared whole, so its parts are compared, not merged.
    fn variable_changes(&self) -> Vec<Change> {
        let declared = |layer| {
            let of = self.variables.iter().filter(move |(theirs, _)| *theirs == layer);
            of.filter_map(|(_, node)| node.get("variables")?.entries()).flatten()
        };
        let changes = declared(Layer::Own).flat_map(|mine| {
            let theirs = declared(Layer::Shipped).find(|theirs| theirs.key.value == mine.key.value);
            let mut changes = match theirs {
                Some(theirs) => overlay::differences(&theirs.value, &mine.value),
                None => vec![Change { path: Vec::new(), old: None, new: Some(mine.value.clone()) }],
            };
            for change in &mut changes {
                change.path.insert(0, mine.key.value.clone());
            }
            changes
        });
        changes.collect()
    }
}

fn unknown_file(file: &SourceFile, node: &Node) -> Diagnostic {
    let first = file.text[node.span.range()].chars().next().map_or(0, char::len_utf8);
    Diagnostic::error(
        "unknown-file",
        "this file does not say what it is",
        node.span.part(0, first),
        "the file begins here",
    )
    .help(
        "a flow has `flow: its-name` at the top, a mapping `mapping: its-name`, variables `variables:`, tests `tests:`",
    )
}

/// A user's file that changes a shipped one, which is not there: after an upgrade, perhaps no longer.
fn overlays_of_nothing(table: &mut BTreeMap<String, Document>, kind: Kind, findings: &mut Findings) {
    let shipped: Vec<String> =
        table.iter().filter(|(_, document)| document.origin != Origin::Own).map(|(name, _)| name.clone()).collect();
    table.retain(|name, document| {
        let mut keys = document.node.entries().unwrap_or_default().iter().map(|entry| entry.key.value.as_str());
        let whole = keys.any(|key| nearest(key, [kind.needs]).is_some());
        if document.origin != Origin::Own || whole {
            return true;
        }
        let (what, needs) = (kind.word, kind.needs);
        let message = format!(
            "there is no shipped {what} `{name}` to change, and this is not a whole {what}: it has no `{needs}`"
        );
        let help = did_you_mean(name, shipped.iter().map(String::as_str));
        findings.push(
            Diagnostic::error("nothing-to-change", message, document.name, format!("no shipped {what} has this name"))
                .help(help.unwrap_or_else(|| format!("`{}` lists those there are", kind.listed_by))),
        );
        false
    });
}
