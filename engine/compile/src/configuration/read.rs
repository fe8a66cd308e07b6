//! Reading a configuration for one environment.

use std::time::Duration;

use cosell_model::catalogue::Limits;
use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Diagnostic, Node, Span, Value};

use super::{Configuration, ConnectionEntry, Setting, service};
use crate::overlay;
use crate::read::fields::{Fields, Findings, list, wrong_form};
use crate::read::words;
use crate::source::{SourceFile, Sources};
use crate::suggest::did_you_mean;
use crate::yaml;

/// Reads a configuration for `environment`, or for the one that the configuration itself names; what is wrong with it, in
/// whichever environment, is reported, with the file to show it in.
pub fn read(file: SourceFile, environment: Option<&str>) -> (Configuration, Vec<Diagnostic>, Sources) {
    let sources = Sources::new(vec![file]);
    let mut findings = Vec::new();
    let mut configuration = Configuration::default();
    for (id, file) in sources.iter() {
        if file.text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            if let Some(name) = environment {
                findings.push(no_environments(name, Span::new(id, 0, 0)));
            }
            continue;
        }
        match yaml::parse(id, &file.text) {
            Ok(node) => read_into(&node, environment, &mut configuration, &mut findings),
            Err(finding) => findings.push(finding),
        }
    }
    // What all environments share is read once for each.
    findings.sort_by(|a, b| (a.primary.span, a.code, &a.message).cmp(&(b.primary.span, b.code, &b.message)));
    findings.dedup();
    (configuration, findings, sources)
}

/// What may differ between environments.
#[derive(Clone, Copy, Default)]
struct Part<'n> {
    connections: Option<&'n Node>,
    variables: Option<&'n Node>,
    off: Option<&'n Node>,
    service: Option<&'n Node>,
}

impl<'n> Part<'n> {
    fn take(fields: &mut Fields<'n>) -> Self {
        Self {
            connections: fields.take("connections"),
            variables: fields.take("variables"),
            off: fields.take("off"),
            service: fields.take("service"),
        }
    }
}

fn read_into(node: &Node, wanted: Option<&str>, configuration: &mut Configuration, findings: &mut Findings) {
    let Some(mut fields) = Fields::of(node, "the configuration", findings) else { return };
    let shared = Part::take(&mut fields);
    let usual =
        fields.take("environment").and_then(|node| Some((words::text(node, "`environment`", findings)?, node.span)));
    let named = fields.entry("environments");
    if let Some(node) = fields.take("flows") {
        let folders = node.items().map_or_else(|| vec![node], |items| items.iter().collect());
        configuration.flows =
            folders.into_iter().filter_map(|f| words::text(f, "a folder of flows", findings)).collect();
    }
    configuration.retry = fields.take("retry").and_then(|node| words::retry(node, findings));
    fields.finish(findings);

    let environments = entries(named.map(|entry| &entry.value), "`environments`", findings);
    let top = node.entries().unwrap_or_default().first().map_or(node.span, |entry| entry.key.span);
    let chosen = choose(wanted, usual.as_ref(), environments, named.map_or(top, |entry| entry.key.span), findings);
    configuration.environment = chosen.map(|entry| entry.key.value.clone());
    if environments.is_empty() {
        both(shared, Part::default(), configuration, findings);
    }
    for entry in environments {
        words::name(&entry.key, "an environment", cosell_model::ids::is_kebab, words::KEBAB, findings);
        let mut part = Part::default();
        if entry.value.kind != NodeKind::Null
            && let Some(mut fields) = Fields::of(&entry.value, "an environment", findings)
        {
            part = Part::take(&mut fields);
            fields.finish(findings);
        }
        if chosen.is_some_and(|chosen| chosen.key.span == entry.key.span) {
            both(shared, part, configuration, findings);
        } else {
            let mut other = Configuration::default();
            both(shared, part, &mut other, findings);
            configuration.elsewhere.extend(other.variables);
        }
    }
}

/// The environment that is meant; none where there are none, or where that is reported.
fn choose<'n>(
    wanted: Option<&str>,
    usual: Option<&(String, Span)>,
    environments: &'n [Entry],
    place: Span,
    findings: &mut Findings,
) -> Option<&'n Entry> {
    let names: Vec<&str> = environments.iter().map(|entry| entry.key.value.as_str()).collect();
    let (name, span) = match (wanted, usual) {
        (Some(name), _) if names.is_empty() => {
            findings.push(no_environments(name, place));
            return None;
        }
        (Some(name), _) => (name, place),
        (None, Some((name, span))) => (name.as_str(), *span),
        (None, None) => {
            if !names.is_empty() {
                let message = format!("which environment? There are {}", list(&names));
                findings.push(Diagnostic::error("no-environment", message, place, "one of these is needed").help(
                    "name it: `--environment NAME`, or COSELL_ENVIRONMENT, or `environment: NAME` in the configuration",
                ));
            }
            return None;
        }
    };
    let found = environments.iter().find(|entry| entry.key.value == name);
    if found.is_none() {
        let known = if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", list(&names)) };
        findings.push(
            Diagnostic::error(
                "unknown-environment",
                format!("there is no environment `{name}`; {known}"),
                span,
                "not here",
            )
            .maybe_help(did_you_mean(name, names)),
        );
    }
    found
}

fn no_environments(name: &str, place: Span) -> Diagnostic {
    let message = format!("environment `{name}` is asked for, and the configuration has no `environments`");
    Diagnostic::error("unknown-environment", message, place, "no `environments` in this file")
        .help("leave `--environment` and COSELL_ENVIRONMENT out, or describe the environment under `environments`")
}

/// What all environments share, with one environment's part over it: its settings replace single settings of the same name,
/// and the flows it turns off are off beside the others.
fn both(shared: Part<'_>, part: Part<'_>, configuration: &mut Configuration, findings: &mut Findings) {
    for entry in merged(shared.connections, part.connections, "`connections`", findings) {
        if let Some(connection) = connection(&entry, findings) {
            configuration.connections.insert(entry.key.value.clone(), connection);
        }
    }
    for node in [shared.variables, part.variables] {
        for entry in entries(node, "`variables`", findings) {
            let setting = Setting { value: entry.value.to_value(), span: entry.value.span };
            configuration.variables.insert(entry.key.value.clone(), setting);
        }
    }
    for node in [shared.off, part.off].into_iter().flatten() {
        match &node.kind {
            NodeKind::Null => {}
            NodeKind::List(flows) => {
                for flow in flows {
                    if let Some(name) = words::text(flow, "a flow's name", findings) {
                        configuration.off.insert(name, flow.span);
                    }
                }
            }
            _ => findings.push(wrong_form(node, "`off`", "a list of flows by name")),
        }
    }
    let services = [shared.service, part.service].into_iter().flatten();
    for node in services.filter(|node| node.kind != NodeKind::Null) {
        service::read(node, &mut configuration.service, findings);
    }
}

fn merged(shared: Option<&Node>, part: Option<&Node>, what: &str, findings: &mut Findings) -> Vec<Entry> {
    let mut all = entries(shared, what, findings).to_vec();
    for entry in entries(part, what, findings) {
        match all.iter_mut().find(|known| known.key.value == entry.key.value) {
            Some(known) => known.value = overlay::merge_plainly(known.value.clone(), entry.value.clone()),
            None => all.push(entry.clone()),
        }
    }
    all
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
    let limits = entry.value.get("limits").map(|node| limits(node, findings)).unwrap_or_default();
    let mut settings = entry.value.to_value();
    if let Value::Object(map) = &mut settings {
        map.shift_remove("connector");
        map.shift_remove("limits");
    }
    let connector = connector.unwrap_or_else(|| entry.key.value.clone());
    Some(ConnectionEntry { connector, settings, limits, span: entry.key.span })
}

/// `limits: { concurrent: 8, per_minute: 500 }`.
fn limits(node: &Node, findings: &mut Findings) -> Limits {
    let Some(mut fields) = Fields::of(node, "`limits`", findings) else { return Limits::default() };
    let mut most = |key, high, findings: &mut Findings| {
        fields.take(key).and_then(|node| words::whole(node, &format!("`{key}`"), 1, high, findings)).unwrap_or_default()
    };
    let limits = Limits::at_once(most("concurrent", 1000, findings));
    let limits = limits.and(most("per_minute", 1_000_000, findings), Duration::from_secs(60));
    fields.finish(findings);
    limits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::source::Layer;
    use serde_json::json;

    const TWO: &str = "
connections:
  dataverse: { address: https://one.example, sign_in: { tenant: t, client_id: shared } }
variables: { a: 1, b: 2 }
off: [x]
environments:
  staging:
    connections: { dataverse: { address: https://two.example, sign_in: { client_id: other } } }
    variables: { b: 3 }
    off: [y]
  production:
";

    fn of(text: &str, environment: Option<&str>) -> (Configuration, Vec<(&'static str, String)>) {
        let file = SourceFile { path: "cosell.yaml".into(), text: text.into(), layer: Layer::Own };
        let (configuration, findings, sources) = read(file, environment);
        (configuration, findings.iter().map(|f| (f.code, sources.slice(f.primary.span).to_owned())).collect())
    }

    #[test]
    fn an_environment_replaces_single_settings_of_what_all_share() {
        let (staging, findings) = of(TWO, Some("staging"));
        assert_eq!(findings, []);
        let expected = json!({"address": "https://two.example", "sign_in": {"tenant": "t", "client_id": "other"}});
        assert_eq!(staging.connections["dataverse"].settings, expected);
        let values: Vec<_> = staging.variables.iter().map(|(name, set)| (name.as_str(), set.value.clone())).collect();
        assert_eq!(values, [("a", json!(1)), ("b", json!(3))]);
        assert_eq!(staging.off.keys().collect::<Vec<_>>(), ["x", "y"]);

        let (production, findings) = of(TWO, Some("production"));
        assert_eq!(findings, []);
        assert_eq!(production.connections["dataverse"].settings["address"], "https://one.example");
        assert_eq!((production.variables["b"].value.clone(), production.off.len()), (json!(2), 1));
    }

    #[test]
    fn a_configuration_with_environments_needs_one_that_it_has() {
        assert_eq!(of(TWO, None).1, [("no-environment", "environments".to_owned())]);
        assert_eq!(of(TWO, Some("stagging")).1, [("unknown-environment", "environments".to_owned())]);
        let usual = |name| format!("environment: {name}\n{TWO}");
        assert_eq!(of(&usual("staging"), None).0.environment.as_deref(), Some("staging"));
        assert_eq!(of(&usual("staging"), Some("production")).0.environment.as_deref(), Some("production"));
        assert_eq!(of(&usual("test"), None).1, [("unknown-environment", "test".to_owned())]);
        assert_eq!(of("variables: { a: 1 }\n", Some("staging")).1[0].0, "unknown-environment");
        assert_eq!(of("# nothing\n", Some("staging")).1[0].0, "unknown-environment");
        assert_eq!(of("variables: { a: 1 }\n", None).1, []);
    }

    #[test]
    fn limits_are_no_settings_of_the_connector() {
        let text = "connections: { crm: { address: a, limits: { concurrent: 8, per_minute: 500 } }, other: {} }\n";
        let (configuration, findings) = of(text, None);
        assert_eq!((findings, &configuration.connections["crm"].settings), (vec![], &json!({ "address": "a" })));
        let limits = |name: &str| configuration.connections[name].limits;
        assert_eq!(
            (limits("crm"), limits("other")),
            (Limits::at_once(8).and(500, Duration::from_secs(60)), Limits::default())
        );
    }

    #[test]
    fn the_public_address_may_differ_between_environments() {
        let text = "
service: { public_url: https://sync.fabrikam.example/ }
environments:
  staging: { service: { public_url: \"http://localhost:7070\" } }
  production: { service: }
";
        let of = |environment| {
            let (configuration, findings) = of(text, Some(environment));
            (configuration.service.public_url.unwrap(), findings)
        };
        assert_eq!(of("staging"), ("http://localhost:7070".to_owned(), vec![]));
        assert_eq!(of("production"), ("https://sync.fabrikam.example".to_owned(), vec![]));
    }

    #[test]
    fn the_other_environments_are_read_as_well() {
        let text = "
variables: { a: 1 }
off: x
environments:
  staging: {}
  production: { variables: { b: 2 }, connection: {}, connections: { dataverse: 5 } }
";
        let (configuration, findings) = of(text, Some("staging"));
        let expected = [("wrong-form", "x"), ("unknown-key", "connection"), ("wrong-form", "5")];
        assert_eq!(findings, expected.map(|(code, at)| (code, at.to_owned())), "each once, in every environment");
        let elsewhere: Vec<&str> = configuration.elsewhere.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((configuration.variables.len(), elsewhere), (1, vec!["a", "b"]));
    }
}
