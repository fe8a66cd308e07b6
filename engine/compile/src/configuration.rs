//! The configuration, `cosell.yaml`: connections, current values of variables, folders of the user's own flows.

use std::collections::BTreeMap;

use cosell_model::flow::Retry;
use cosell_model::node::Entry;
use cosell_model::{Diagnostic, Node, Span, Value};

use crate::read::fields::{Fields, Findings, wrong_form};
use crate::read::words;
use crate::source::{SourceFile, Sources};
use crate::yaml;

/// A configuration, read. Secrets in it are still names of environment variables and files.
#[derive(Debug, Default)]
pub struct Configuration {
    /// Connections by name.
    pub connections: BTreeMap<String, ConnectionEntry>,
    /// Current values of variables, with their places.
    pub variables: BTreeMap<String, (Value, Span)>,
    /// Folders of the user's own flows, relative to the configuration.
    pub flows: Vec<String>,
    /// How failed attempts are repeated where a step does not say.
    pub retry: Option<Retry>,
}

/// One connection.
#[derive(Debug)]
pub struct ConnectionEntry {
    /// Its connector; the connection's own name where none is given.
    pub connector: String,
    /// Its settings.
    pub settings: Value,
    /// Where its name stands.
    pub span: Span,
}

/// Reads a configuration; what is wrong with it is reported, with the file to show it in.
pub fn read(file: SourceFile) -> (Configuration, Vec<Diagnostic>, Sources) {
    let sources = Sources::new(vec![file]);
    let mut findings = Vec::new();
    let mut configuration = Configuration::default();
    for (id, file) in sources.iter() {
        if file.text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        match yaml::parse(id, &file.text) {
            Ok(node) => read_into(&node, &mut configuration, &mut findings),
            Err(finding) => findings.push(finding),
        }
    }
    findings.sort_by_key(|finding| finding.primary.span);
    (configuration, findings, sources)
}

fn read_into(node: &Node, configuration: &mut Configuration, findings: &mut Findings) {
    let Some(mut fields) = Fields::of(node, "the configuration", findings) else { return };
    for entry in entries(fields.take("connections"), "`connections`", findings) {
        if let Some(connection) = connection(entry, findings) {
            configuration.connections.insert(entry.key.value.clone(), connection);
        }
    }
    for entry in entries(fields.take("variables"), "`variables`", findings) {
        configuration.variables.insert(entry.key.value.clone(), (entry.value.to_value(), entry.value.span));
    }
    if let Some(node) = fields.take("flows") {
        let folders = node.items().map_or_else(|| vec![node], |items| items.iter().collect());
        configuration.flows =
            folders.into_iter().filter_map(|f| words::text(f, "a folder of flows", findings)).collect();
    }
    configuration.retry = fields.take("retry").and_then(|node| words::retry(node, findings));
    fields.finish(findings);
}

fn entries<'n>(node: Option<&'n Node>, what: &str, findings: &mut Findings) -> &'n [Entry] {
    let entries = node.map(Node::entries);
    if let (Some(None), Some(node)) = (entries, node)
        && node.to_value() != Value::Null
    {
        findings.push(wrong_form(node, what, "a map by name"));
    }
    entries.flatten().unwrap_or_default()
}

fn connection(entry: &Entry, findings: &mut Findings) -> Option<ConnectionEntry> {
    words::identifier(&entry.key, "a connection", findings);
    if entry.value.entries().is_none() {
        findings.push(wrong_form(&entry.value, "a connection", "a map of settings"));
        return None;
    }
    let connector = entry.value.get("connector").and_then(|node| words::text(node, "`connector`", findings));
    let mut settings = entry.value.to_value();
    if let Value::Object(map) = &mut settings {
        map.shift_remove("connector");
    }
    let connector = connector.unwrap_or_else(|| entry.key.value.clone());
    Some(ConnectionEntry { connector, settings, span: entry.key.span })
}
