//! What an operation, a trigger or a called flow is given, against what it takes.

use std::collections::BTreeMap;

use cosell_model::flow::{Flow, TriggerSource};
use cosell_model::node::NodeKind;
use cosell_model::{Diagnostic, FlowId, Node, Schema, Span, Spanned};
use serde_json::Value;

use crate::read::fields::{Findings, list};
use crate::suggest::{did_you_mean, nearest};

/// Checks `with` against the schema of what `what` takes; values that are computed are left to the run.
pub(crate) fn operation(schema: &Schema, with: Option<&Node>, used: Span, what: &str, findings: &mut Findings) {
    match with {
        Some(node) => against(schema, schema, node, what, findings),
        None => {
            for name in required(schema) {
                findings.push(missing(what, name, used));
            }
        }
    }
}

fn missing(what: &str, name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("missing-input", format!("{what} needs `{name}`"), span, format!("`{name}` is missing"))
        .help(format!("add it under `with`: `{name}: …`"))
}

fn required(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn resolve<'s>(root: &'s Schema, schema: &'s Schema) -> Option<&'s Schema> {
    let mut schema = schema;
    for _ in 0..16 {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => schema = root.pointer(reference.strip_prefix('#')?)?,
            None => return Some(schema),
        }
    }
    None
}

fn against(root: &Schema, schema: &Schema, node: &Node, what: &str, findings: &mut Findings) {
    let Some(schema) = resolve(root, schema) else { return };
    if is_computed(node) {
        return;
    }
    type_fits(schema, node, what, findings);
    match &node.kind {
        NodeKind::Map(entries) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
            for entry in entries {
                let key = entry.key.value.as_str();
                match properties.get(key) {
                    Some(property) => against(root, property, &entry.value, &format!("`{key}`"), findings),
                    None if is_open(schema) && nearest(key, properties.keys().map(String::as_str)).is_none() => {}
                    None => {
                        let names: Vec<&str> = properties.keys().map(String::as_str).collect();
                        let help = did_you_mean(key, names.iter().copied()).unwrap_or_else(|| format!("it takes {}", list(&names)));
                        findings.push(
                            Diagnostic::error("unknown-input", format!("{what} does not take `{key}`"), entry.key.span, "unknown input")
                                .help(help),
                        );
                    }
                }
            }
            for name in required(schema).filter(|name| node.get(name).is_none()) {
                findings.push(missing(what, name, entries.first().map_or(node.span, |entry| entry.key.span)));
            }
        }
        NodeKind::List(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter().for_each(|item| against(root, schema, item, what, findings));
            }
        }
        _ => {}
    }
}

fn is_open(schema: &Schema) -> bool {
    schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false))
}

fn is_computed(node: &Node) -> bool {
    node.text().is_some_and(|text| text.contains("${{"))
}

fn type_fits(schema: &Schema, node: &Node, what: &str, findings: &mut Findings) {
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let given: &[&str] = match &node.kind {
        NodeKind::Null => &["null"],
        NodeKind::Bool(_) => &["boolean"],
        NodeKind::Number(number) if number.is_f64() => &["number"],
        NodeKind::Number(_) => &["integer", "number"],
        NodeKind::Text(_) => &["string"],
        NodeKind::List(_) => &["array"],
        NodeKind::Map(_) => &["object"],
    };
    if !types.is_empty() && !given.iter().any(|kind| types.contains(kind)) {
        let expected: Vec<&str> = types.iter().filter(|kind| **kind != "null").map(|kind| in_words(kind)).collect();
        let message = format!("{what} is {}, and this is {}", expected.join(" or "), node.describe());
        findings.push(Diagnostic::error("wrong-type", message, node.span, format!("expected {}", expected.join(" or "))));
        return;
    }
    let Some(allowed) = schema.get("enum").and_then(Value::as_array) else { return };
    let value = node.to_value();
    if !allowed.contains(&value) {
        let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        let help = node.text().and_then(|text| did_you_mean(text, names.iter().copied()));
        findings.push(
            Diagnostic::error("wrong-value", format!("{what} cannot be {value}"), node.span, "not one of the values it can have")
                .help(help.unwrap_or_else(|| format!("it is one of {}", list(&names)))),
        );
    }
}

fn in_words(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "object" => "a map",
        other => other,
    }
}

/// Checks that the called flow exists, can be called, and gets the inputs it declares.
pub(crate) fn call(flows: &BTreeMap<FlowId, Flow>, name: &Spanned<FlowId>, with: Option<&Node>, findings: &mut Findings) {
    let Some(flow) = flows.get(&name.value) else {
        let known = flows.keys().map(FlowId::as_str);
        let message = format!("there is no flow `{}`", name.value);
        findings.push(Diagnostic::error("unknown-flow", message, name.span, "unknown flow").maybe_help(did_you_mean(name.value.as_str(), known)));
        return;
    };
    if flow.trigger.source != TriggerSource::Call {
        findings.push(
            Diagnostic::error("not-callable", format!("flow `{}` is not started by other flows", name.value), name.span, "called here")
                .also(flow.trigger.span, "its trigger")
                .help("a flow that is called begins with `trigger: call`"),
        );
        return;
    }
    let entries = with.and_then(Node::entries).unwrap_or_default();
    let inputs = &flow.trigger.inputs;
    for entry in entries {
        let key = entry.key.value.as_str();
        let Some(input) = inputs.iter().find(|input| input.name.value == key) else {
            let known: Vec<&str> = inputs.iter().map(|input| input.name.value.as_str()).collect();
            let help = did_you_mean(key, known.iter().copied()).unwrap_or_else(|| format!("it takes {}", list(&known)));
            findings.push(Diagnostic::error("unknown-input", format!("flow `{}` does not take `{key}`", name.value), entry.key.span, "unknown input").help(help));
            continue;
        };
        let value = entry.value.to_value();
        if is_computed(&entry.value) || matches!(entry.value.kind, NodeKind::Map(_) | NodeKind::List(_)) && input.kind.admits(&value) {
            continue;
        }
        if !input.kind.admits(&value) {
            let message = format!("input `{key}` is {}, and this is {}", input.kind.as_str(), entry.value.describe());
            findings.push(Diagnostic::error("wrong-type", message, entry.value.span, format!("expected {}", input.kind.as_str())));
        } else if input.one_of.as_ref().is_some_and(|allowed| !allowed.contains(&value)) {
            let allowed: Vec<String> = input.one_of.iter().flatten().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
            let help = entry.value.text().and_then(|text| did_you_mean(text, allowed.iter().map(String::as_str)));
            findings.push(
                Diagnostic::error("wrong-value", format!("input `{key}` cannot be {value}"), entry.value.span, "not one of its values")
                    .help(help.unwrap_or_else(|| format!("it is one of {}", list(&allowed)))),
            );
        }
    }
    for input in inputs.iter().filter(|input| input.default.is_none()) {
        if !entries.iter().any(|entry| entry.key.value == input.name.value) {
            findings.push(missing(&format!("flow `{}`", name.value), &input.name.value, name.span));
        }
    }
}
