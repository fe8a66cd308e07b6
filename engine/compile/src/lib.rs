//! From text to plan.
//!
//! [`compile`] never fails: it gives the plans of all flows that can run, and every finding of every file, each with its
//! place. It knows connectors only as descriptions, calls nobody, and has no clock.
//!
//! Read in the order the compiler works: [`source`] (files), `yaml` (text to values with places), `overlay` (a user's file
//! over a shipped one), `read` (values to a flow as written), `layout` (numbers for steps), [`expr`] and `resolve`
//! (expressions, and the names in them), `graph` (the order of steps), `lower` (all of it into a [`plan`]), `check` (what
//! goes beyond looking names up). [`mapping`] is the language's tables of fields.

mod calls;
mod check;
pub mod configuration;
pub mod expr;
mod graph;
mod layout;
mod lower;
pub mod mapping;
mod notation;
mod overlay;
pub mod plan;
mod read;
mod resolve;
mod scalar;
mod shape;
pub mod source;
mod suggest;
pub mod variables;
mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_model::flow::Flow;
use cosell_model::span::FileId;
use cosell_model::{Catalogue, Diagnostic, FlowId, Node, Severity, Span, Value};

use mapping::Mapping;
use plan::Plan;
pub use read::words::parse_duration;
use source::{Layer, SourceFile, Sources};
use variables::{SettingError, Variable};

/// What compiling yields.
#[derive(Debug)]
pub struct Compilation {
    /// The plans of all flows without errors, by name.
    pub plans: BTreeMap<FlowId, Arc<Plan>>,
    /// Every flow after all that it calls, also those with errors.
    pub order: Vec<FlowId>,
    /// All variables, with their values now.
    pub variables: BTreeMap<String, Variable>,
    /// All mappings without errors.
    pub mappings: BTreeMap<String, Arc<Mapping>>,
    /// Every finding, by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// Values that were set for variables that cannot have them.
    pub settings: Vec<SettingError>,
    /// The files, to show findings with.
    pub sources: Sources,
}

impl Compilation {
    /// Whether anything keeps a flow from running.
    pub fn has_errors(&self) -> bool {
        !self.settings.is_empty() || self.diagnostics.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Compiles all files together; `values` are the current values of variables, as the configuration sets them.
pub fn compile(files: Vec<SourceFile>, catalogue: &Catalogue, values: &BTreeMap<String, Value>) -> Compilation {
    let sources = Sources::new(files);
    let mut findings = Vec::new();
    let documents = Documents::read(&sources, &mut findings);

    let mut declared = BTreeMap::new();
    for (_, node) in &documents.variables {
        variables::read(node, &mut declared, &mut findings);
    }
    let settings = variables::set(&mut declared, values);
    let current: BTreeMap<String, Value> = declared.iter().map(|(name, v)| (name.clone(), v.current.clone())).collect();

    let mut mappings = BTreeMap::new();
    for (name, document) in &documents.mappings {
        if let Some(mapping) = mapping::read::mapping(&document.node, &current, &mut findings) {
            mappings.insert(name.clone(), Arc::new(mapping));
        }
    }
    let mut flows: BTreeMap<FlowId, Flow> = BTreeMap::new();
    for document in documents.flows.values() {
        if let Some(flow) = read::flow::flow(&document.node, &mut findings) {
            flows.insert(flow.id.value.clone(), flow);
        }
    }
    let calls = calls::follow(&flows, catalogue, &mut findings);
    let around = lower::Surroundings {
        sources: &sources,
        catalogue,
        flows: &flows,
        mappings: &mappings,
        variables: &current,
        effects: &calls.effects,
    };
    let base = hash(hash(SEED, &format!("{current:?}")), &format!("{mappings:?}"));
    let mut plans = BTreeMap::new();
    for (id, flow) in &flows {
        let document = documents.flows.get(id.as_str());
        let files = document.map(|document| document.files.as_slice()).unwrap_or_default();
        let content = files.iter().fold(base, |before, file| hash(before, &sources.file(*file).text));
        let plan = lower::lower(flow, content, &around, &mut findings);
        plans.insert(id.clone(), (Arc::new(plan), files.to_vec()));
    }
    findings.sort_by_key(|finding| (finding.primary.span, finding.code));
    findings.dedup();
    let broken = |file: &FileId| findings.iter().any(|f| f.severity == Severity::Error && f.primary.span.file == *file);
    let plans = plans
        .into_iter()
        .filter(|(_, (_, files))| !files.iter().any(broken))
        .map(|(id, (plan, _))| (id, plan))
        .collect();
    Compilation { plans, order: calls.order, variables: declared, mappings, diagnostics: findings, settings, sources }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: short, and the same on every machine and in every version.
fn hash(before: u64, text: &str) -> u64 {
    text.bytes().fold(before, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// All files, read and sorted by what they are.
#[derive(Default)]
struct Documents {
    flows: BTreeMap<String, Document>,
    mappings: BTreeMap<String, Document>,
    variables: Vec<(FileId, Node)>,
}

/// One flow or mapping, with the user's file merged over the shipped one.
struct Document {
    node: Node,
    name: Span,
    layer: Layer,
    files: Vec<FileId>,
}

impl Documents {
    fn read(sources: &Sources, findings: &mut Vec<Diagnostic>) -> Self {
        let mut documents = Self::default();
        let mut files: Vec<(FileId, &SourceFile)> = sources.iter().collect();
        files.sort_by_key(|(id, file)| (file.layer, *id));
        for (id, file) in files {
            match yaml::parse(id, &file.text) {
                Ok(node) => documents.add(id, file.layer, node, findings),
                Err(finding) => findings.push(finding),
            }
        }
        documents
    }

    fn add(&mut self, file: FileId, layer: Layer, node: Node, findings: &mut Vec<Diagnostic>) {
        if node.get("variables").is_some() {
            self.variables.push((file, node));
            return;
        }
        let (table, name) = match (node.get("flow"), node.get("mapping")) {
            (Some(name), _) => (&mut self.flows, name),
            (_, Some(name)) => (&mut self.mappings, name),
            _ => {
                let start = Span::new(file, node.span.start as usize, node.span.start as usize + 1);
                findings.push(
                    Diagnostic::error("unknown-file", "this file does not say what it is", start, "the file begins here")
                        .help("a flow has `flow: its-name` at the top, a mapping `mapping: its-name`, variables `variables:`"),
                );
                return;
            }
        };
        let span = name.span;
        let name = name.text().unwrap_or_default().to_owned();
        match table.remove(&name) {
            None => {
                table.insert(name, Document { node, name: span, layer, files: vec![file] });
            }
            Some(known) if known.layer == layer => {
                findings.push(
                    Diagnostic::error("duplicate-name", format!("two files are called `{name}`"), span, "again here")
                        .also(known.name, "first here")
                        .help("only a user's file may have the name of a shipped one: then it is merged over it"),
                );
                table.insert(name, known);
            }
            Some(mut known) => {
                known.files.push(file);
                let merged = Document { node: overlay::merge(known.node, node), name: span, layer, files: known.files };
                table.insert(name, merged);
            }
        }
    }
}
