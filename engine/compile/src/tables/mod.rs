//! Flows and mappings against what a remote system says of its tables.
//!
//! Read in this order: [`used`](mod@used) (which tables and columns they name, and for what), `names` (whether these can be
//! names at all, which needs no metadata), `columns` (what one column takes), `steps` and `rows` (the steps of flows and the
//! rows of mappings, held against the metadata), `known` (what can be named, for whoever writes).

mod columns;
pub(crate) mod known;
pub(crate) mod names;
mod rows;
mod steps;
mod used;

use std::collections::{BTreeMap, BTreeSet};

use cosell_model::tables::{Metadata, Table};
use cosell_model::{Catalogue, Diagnostic, Span};

use crate::Compilation;
use crate::mapping::Record;
use crate::read::fields::list;
use crate::suggest::did_you_mean;

/// The tables that flows name, by connection; those of mappings stand with every connection that flows name tables of.
pub fn named(compilation: &Compilation, catalogue: &Catalogue) -> BTreeMap<String, BTreeSet<String>> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for flow in compilation.flows.values() {
        for uses in used::of(flow, catalogue, &compilation.sources, &current(compilation)) {
            named.entry(uses.connection).or_default().insert(uses.table.value);
        }
    }
    let records = compilation.mappings.values().flat_map(|mapping| mapping.records.iter().flatten());
    let of_mappings: Vec<&String> = records
        .filter_map(|record| match record {
            Record::Table(table) => Some(&table.value),
            Record::Yielded { .. } => None,
        })
        .collect();
    for tables in named.values_mut() {
        tables.extend(of_mappings.iter().map(|table| (*table).clone()));
    }
    named
}

/// Every finding of a compilation, and what is wrong with tables and columns by what the remote systems say of them.
/// Connections that `metadata` does not have are left out.
pub fn check(compilation: &Compilation, catalogue: &Catalogue, metadata: &Metadata) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let variables = current(compilation);
    for flow in compilation.flows.values() {
        for uses in used::of(flow, catalogue, &compilation.sources, &variables) {
            let Some(tables) = metadata.connections.get(&uses.connection) else { continue };
            if let Some(table) = table(tables, &uses.table.value, uses.table.span, &mut findings) {
                steps::check(&uses, table, &mut findings);
            }
        }
    }
    for (name, mapping) in &compilation.mappings {
        let Some(document) = compilation.documents.mappings.get(name) else { continue };
        for side in 0..2 {
            let Some(Record::Table(named)) = &mapping.records[side] else { continue };
            let Some(tables) = holding(metadata, &named.value) else { continue };
            if let Some(table) = table(tables, &named.value, named.span, &mut findings) {
                rows::check(mapping, side, table, &document.node, &mut findings);
            }
        }
    }
    // Where it is known which column a name for people means, that says it all.
    let is_told = |finding: &&Diagnostic| {
        finding.code == "display-name" && findings.iter().any(|known| known.primary.span == finding.primary.span)
    };
    let of_compilation: Vec<Diagnostic> =
        compilation.diagnostics.iter().filter(|finding| !is_told(finding)).cloned().collect();
    findings.extend(of_compilation);
    findings.sort_by(|a, b| (a.primary.span, a.code, &a.message).cmp(&(b.primary.span, b.code, &b.message)));
    findings.dedup();
    findings
}

/// The tables of the connection that has this one; of any, where none has it.
fn holding<'m>(metadata: &'m Metadata, table: &str) -> Option<&'m BTreeMap<String, Option<Table>>> {
    let holds = |tables: &&BTreeMap<String, Option<Table>>| matches!(tables.get(table), Some(Some(_)));
    let mut connections = metadata.connections.values();
    connections.clone().find(holds).or_else(|| connections.next())
}

/// The current values of variables.
pub(crate) fn current(compilation: &Compilation) -> BTreeMap<String, serde_json::Value> {
    compilation.variables.iter().map(|(name, variable)| (name.clone(), variable.current.clone())).collect()
}

/// The table of this name; reports one that the system does not have. One that was never asked for is left out: whether it
/// is there is not known.
fn table<'m>(
    tables: &'m BTreeMap<String, Option<Table>>,
    name: &str,
    span: Span,
    findings: &mut Vec<Diagnostic>,
) -> Option<&'m Table> {
    let known = tables.get(name)?;
    if known.is_none() && names::is_logical(name) {
        let others: Vec<&str> = tables.iter().filter(|(_, table)| table.is_some()).map(|(name, _)| &**name).collect();
        let help = did_you_mean(name, others.iter().copied())
            .unwrap_or_else(|| format!("give its logical name; known here are {}", list(&others)));
        findings.push(
            Diagnostic::error("unknown-table", format!("the CRM has no table `{name}`"), span, "unknown table")
                .help(help),
        );
    }
    known.as_ref()
}
