//! From text to plan.
//!
//! [`compile`] never fails: it gives the plans of all flows that can run, and every finding of every file, each with its
//! place. It knows connectors only as descriptions, calls nobody, and has no clock.
//!
//! Read in the order the compiler works: [`source`] (files), `yaml` (text to values with places), `documents` and
//! `overlay` (a user's file over a shipped one), `read` (values to a flow as written), `layout` (numbers for steps),
//! [`expr`], `values` and `resolve` (expressions, values with them, and the names in them), `graph` (the order of steps),
//! `lower` (all of it into a [`plan`]), `check` (what goes beyond looking names up). [`mapping`] is the language's tables
//! of fields, [`schedule`] its times, [`tables`] what the CRM says of the tables and columns that all of it names;
//! [`testcase`] what tests of flows are; [`listing`] what lists of flows say of each.

pub mod assist;
mod calls;
mod check;
pub mod configuration;
pub mod documents;
pub mod expr;
mod graph;
mod layout;
pub mod listing;
mod lower;
pub mod mapping;
mod notation;
pub mod overlay;
pub mod plan;
mod read;
mod resolve;
mod scalar;
pub mod schedule;
pub mod schema;
mod shape;
pub mod source;
mod suggest;
pub mod tables;
pub mod testcase;
mod values;
pub mod variables;
mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_model::flow::Flow;
use cosell_model::fnv::{SEED, fnv};
use cosell_model::{Catalogue, Diagnostic, FlowId, Severity, Value};

pub use calls::called_by;
use documents::{Document, Documents};
use mapping::Mapping;
use plan::Plan;
pub use read::words::parse_duration;
use source::{SourceFile, Sources};
pub use suggest::did_you_mean;
use variables::{SettingError, Variable};

/// What compiling yields.
#[derive(Debug)]
pub struct Compilation {
    /// The plans of all flows without errors, by name.
    pub plans: BTreeMap<FlowId, Arc<Plan>>,
    /// Every flow after all that it calls, also those with errors.
    pub order: Vec<FlowId>,
    /// All flows as they are written, by name, also those with errors.
    pub flows: BTreeMap<FlowId, Flow>,
    /// What the files are, and what the user's change in the shipped ones.
    pub documents: Documents,
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
    let mut places = variables::Places::new();
    for (layer, node) in &documents.variables {
        variables::read(node, *layer, &mut declared, &mut places, &mut findings);
    }
    let settings = variables::set(&mut declared, values);
    let current: BTreeMap<String, Value> = declared.iter().map(|(name, v)| (name.clone(), v.current.clone())).collect();

    let given = mapping::read::Given { catalogue, sources: &sources, variables: &current };
    let mut mappings = BTreeMap::new();
    for (name, document) in &documents.mappings {
        mappings.insert(name.clone(), mapping::read::mapping(&document.node, given, &mut findings).map(Arc::new));
    }
    let mut flows: BTreeMap<FlowId, Flow> = BTreeMap::new();
    for document in documents.flows.values() {
        if let Some(flow) = read::flow::flow(&document.node, &mut findings) {
            flows.insert(flow.id.value.clone(), flow);
        }
    }
    let calls = calls::follow(&flows, catalogue, &mut findings);
    check::keys::nested(&flows, &calls.order, &mut findings);
    let around = lower::Surroundings {
        sources: &sources,
        catalogue,
        flows: &flows,
        mappings: &mappings,
        variables: &current,
        effects: &calls.effects,
    };
    let base = fnv(fnv(SEED, &format!("{current:?}")), &format!("{mappings:?}"));
    let mut plans = BTreeMap::new();
    for (id, flow) in &flows {
        let content =
            documents.flows[id.as_str()].files.iter().fold(base, |before, file| fnv(before, &sources.file(*file).text));
        plans.insert(id.clone(), Arc::new(lower::lower(flow, content, &around, &mut findings)));
    }
    for flow in flows.values() {
        tables::names::check(flow, catalogue, &sources, &current, &mut findings);
    }
    variables::unused(&documents.variables, &sources, &mut findings);
    check::triggers::told_apart(&plans, &flows, &mut findings);
    let sound = |document: &Document| {
        let broken = |finding: &Diagnostic| {
            finding.severity == Severity::Error && document.files.contains(&finding.primary.span.file)
        };
        !findings.iter().any(broken)
    };
    let mappings: BTreeMap<String, Arc<Mapping>> = mappings
        .into_iter()
        .filter(|(name, _)| sound(&documents.mappings[name]))
        .filter_map(|(name, mapping)| Some((name, mapping?)))
        .collect();
    plans.retain(|id, _| sound(&documents.flows[id.as_str()]));
    // A plan needs the plans of all flows that it calls, which come before it in the order.
    for id in &calls.order {
        let complete = |plan: &Arc<Plan>| {
            plan.mappings().all(|name| mappings.contains_key(name))
                && plan.calls().all(|called| plans.contains_key(called))
        };
        if !plans.get(id).is_some_and(complete) {
            plans.remove(id);
        }
    }
    if documents.unreadable {
        // What is missing may be in the file that could not be read.
        findings.retain(|finding| !["unknown-flow", "unknown-mapping", "unknown-variable"].contains(&finding.code));
    }
    findings.sort_by(|a, b| (a.primary.span, a.code, &a.message).cmp(&(b.primary.span, b.code, &b.message)));
    findings.dedup();
    Compilation {
        plans,
        order: calls.order,
        flows,
        documents,
        variables: declared,
        mappings,
        diagnostics: findings,
        settings,
        sources,
    }
}
