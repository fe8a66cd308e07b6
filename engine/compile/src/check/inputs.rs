//! What an operation, a trigger or a called flow is given, against what it takes.

use std::collections::BTreeMap;

use cosell_model::flow::{Flow, TriggerSource};
use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Diagnostic, FlowId, Node, Schema, Span, Spanned};
use serde_json::{Map, Value};

use crate::read::fields::{Findings, either, given, list, meant};
use crate::read::words::type_in_words;
use crate::shape::{choices, concrete, innermost};
use crate::suggest::did_you_mean;

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

fn against(root: &Schema, schema: &Schema, node: &Node, what: &str, findings: &mut Findings) {
    if is_computed(node) || matches!(node.kind, NodeKind::Null) && may_be_null(root, schema) {
        return;
    }
    if let Some(allowed) = self::allowed(root, schema) {
        return one_of(&allowed, node, what, findings);
    }
    let Some(schema) = concrete(root, schema) else { return };
    if !type_fits(schema, node, what, findings) {
        return;
    }
    match &node.kind {
        NodeKind::Map(entries) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
            let known = |key: &str| properties.get(key);
            let mut slips = Vec::new();
            for entry in entries {
                let key = entry.key.value.as_str();
                match known(key) {
                    Some(property) => against(root, property, &entry.value, &format!("`{key}`"), findings),
                    None if key.contains("${{") => {}
                    None => slips.extend(unknown(schema, properties, node, entry, what, findings)),
                }
            }
            for name in required(schema).filter(|name| node.get(name).is_none() && !slips.contains(name)) {
                findings.push(missing(what, name, entries.first().map_or(node.span, |entry| entry.key.span)));
            }
        }
        NodeKind::List(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter().for_each(|item| against(root, schema, item, &format!("an item of {what}"), findings));
            }
        }
        _ => {}
    }
}

/// Reports an input that is not listed; gives the one that was meant. Where others are allowed too, only a slip is
/// reported, and not as certain unless the input that was meant is needed.
fn unknown<'s>(
    schema: &Schema,
    properties: &'s Map<String, Value>,
    node: &Node,
    entry: &Entry,
    what: &str,
    findings: &mut Findings,
) -> Option<&'s str> {
    let key = entry.key.value.as_str();
    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
    let (near, help) = meant(key, &known, |name| node.get(name).is_some());
    let finding =
        Diagnostic::error("unknown-input", format!("{what} does not take `{key}`"), entry.key.span, "unknown input")
            .help(help.unwrap_or_else(|| format!("it takes {}", list(&known))));
    match (is_open(schema), near) {
        (true, None) => {}
        (true, Some(near)) if !required(schema).any(|name| name == near) => findings.push(finding.warning()),
        _ => findings.push(finding),
    }
    near
}

/// Whether null is of this schema, by its own type or by one of its choices.
fn may_be_null(root: &Schema, schema: &Schema) -> bool {
    let direct = |schema: &Schema| match schema.get("type") {
        Some(Value::String(only)) => only == "null",
        Some(Value::Array(several)) => several.iter().any(|one| one == "null"),
        _ => false,
    };
    direct(schema)
        || choices(schema).is_some_and(|choices| choices.iter().any(direct))
        || concrete(root, schema).is_none_or(|schema| schema.get("type").is_none())
}

/// The only values allowed, where a schema lists them: as an `enum`, or as choices of one value each.
pub(crate) fn allowed(root: &Schema, schema: &Schema) -> Option<Vec<Value>> {
    let schema = innermost(root, schema)?;
    if let Some(several) = schema.get("enum").and_then(Value::as_array) {
        return Some(several.clone());
    }
    let of_choice = |choice: &Value| match choice.get("const") {
        Some(only) => Some(vec![only.clone()]),
        None => choice.get("enum").and_then(Value::as_array).cloned(),
    };
    let values: Vec<Vec<Value>> = choices(schema)?.iter().map(of_choice).collect::<Option<_>>()?;
    Some(values.concat())
}

fn one_of(allowed: &[Value], node: &Node, what: &str, findings: &mut Findings) {
    let value = node.to_value();
    if allowed.contains(&value) {
        return;
    }
    let names: Vec<String> = allowed.iter().filter(|value| !value.is_null()).map(shown).collect();
    let near = node.text().and_then(|text| did_you_mean(text, names.iter().map(String::as_str)));
    findings.push(
        Diagnostic::error(
            "wrong-value",
            format!("{what} cannot be `{}`", shown(&value)),
            node.span,
            "not one of the values it can have",
        )
        .help(near.unwrap_or_else(|| format!("it is {}", either(&names)))),
    );
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_open(schema: &Schema) -> bool {
    schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false))
}

fn is_computed(node: &Node) -> bool {
    node.text().is_some_and(|text| text.contains("${{"))
}

fn type_fits(schema: &Schema, node: &Node, what: &str, findings: &mut Findings) -> bool {
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
    let fits = types.is_empty() || given.iter().any(|kind| types.contains(kind));
    if !fits {
        let expected: Vec<&str> = types.iter().filter(|kind| **kind != "null").map(|kind| in_words(kind)).collect();
        findings.push(wrong_type(what, &expected.join(" or "), node));
    }
    fits
}

fn wrong_type(what: &str, expected: &str, node: &Node) -> Diagnostic {
    let message = format!("{what} takes {expected}, and this is {}", given(node));
    Diagnostic::error("wrong-type", message, node.span, format!("expected {expected}"))
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
pub(crate) fn call(
    flows: &BTreeMap<FlowId, Flow>,
    name: &Spanned<FlowId>,
    with: Option<&Node>,
    findings: &mut Findings,
) {
    let Some(flow) = flows.get(&name.value) else {
        let known = flows.keys().map(FlowId::as_str);
        let message = format!("there is no flow `{}`", name.value);
        let callable: Vec<&str> = flows
            .values()
            .filter(|flow| flow.trigger.main.kind == TriggerSource::Call)
            .map(|flow| flow.id.value.as_str())
            .collect();
        let help = did_you_mean(name.value.as_str(), known)
            .unwrap_or_else(|| format!("the flows that can be called are {}", list(&callable)));
        findings.push(Diagnostic::error("unknown-flow", message, name.span, "unknown flow").help(help));
        return;
    };
    if flow.trigger.main.kind != TriggerSource::Call {
        findings.push(
            Diagnostic::error(
                "not-callable",
                format!("flow `{}` is not started by other flows", name.value),
                name.span,
                "called here",
            )
            .also(flow.trigger.main.span, "its trigger")
            .help("a flow that is called begins with `trigger: call`"),
        );
        return;
    }
    let entries = match with {
        // Which inputs a computed value holds is known when it runs.
        Some(node) if is_computed(node) => return,
        Some(node) if node.entries().is_none() && !matches!(node.kind, NodeKind::Null) => {
            findings.push(wrong_type(&format!("flow `{}`", name.value), "a map of inputs", node));
            return;
        }
        with => with.and_then(Node::entries).unwrap_or_default(),
    };
    let inputs = &flow.trigger.inputs;
    let mut slips = Vec::new();
    for entry in entries {
        let key = entry.key.value.as_str();
        let Some(input) = inputs.iter().find(|input| input.name.value == key) else {
            let known: Vec<&str> = inputs.iter().map(|input| input.name.value.as_str()).collect();
            let (near, help) = meant(key, &known, |name| entries.iter().any(|entry| entry.key.value == name));
            slips.extend(near);
            let help = help.unwrap_or_else(|| format!("it takes {}", list(&known)));
            findings.push(
                Diagnostic::error(
                    "unknown-input",
                    format!("flow `{}` does not take `{key}`", name.value),
                    entry.key.span,
                    "unknown input",
                )
                .also(flow.trigger.main.span, "its inputs are declared here")
                .help(help),
            );
            continue;
        };
        let value = entry.value.to_value();
        if is_computed(&entry.value) {
            continue;
        }
        if !input.kind.admits(&value) {
            findings.push(wrong_type(&format!("input `{key}`"), type_in_words(input.kind), &entry.value));
        } else if let Some(allowed) = &input.one_of {
            one_of(allowed, &entry.value, &format!("input `{key}`"), findings);
        }
    }
    for input in inputs.iter().filter(|input| input.default.is_none() && !slips.contains(&input.name.value.as_str())) {
        if !entries.iter().any(|entry| entry.key.value == input.name.value) {
            findings.push(missing(&format!("flow `{}`", name.value), &input.name.value, name.span));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use cosell_model::Severity;
    use cosell_model::span::FileId;
    use serde_json::json;

    fn said(with: Option<&str>) -> Vec<(Severity, &'static str, String)> {
        let schema = json!({
            "type": "object",
            "properties": {
                "table": { "type": "string" },
                "count": { "type": "integer" },
                "share": { "type": ["number", "null"] },
                "mode": { "$ref": "#/$defs/Mode" },
                "maybe": { "anyOf": [{ "$ref": "#/$defs/Inner" }, { "type": "null" }] },
                "list": { "type": "array", "items": { "$ref": "#/$defs/Mode" } },
                "free": true,
            },
            "required": ["table"],
            "$defs": {
                "Mode": { "oneOf": [{ "const": "quick", "description": "…" }, { "enum": ["careful", "slow"] }] },
                "Inner": { "type": "object", "properties": { "on": { "type": "boolean" } }, "required": ["on"] },
            },
        });
        let with = with.map(|text| crate::yaml::parse(FileId(0), text).unwrap());
        let mut findings = Vec::new();
        operation(&schema, with.as_ref(), Span::new(FileId(0), 0, 0), "`x.y`", &mut findings);
        findings.into_iter().map(|finding| (finding.severity, finding.code, finding.message)).collect()
    }

    #[test]
    fn what_fits_is_not_found_fault_with() {
        for fine in [
            "{ table: a }",
            "{ table: a, count: 3, share: 3, mode: slow, maybe: { on: true }, list: [quick, slow], free: [1] }",
            "{ table: a, share: null, maybe: null }",
            "{ table: a, share: 0.5 }",
            "{ table: '${{ x }}', count: '${{ x }}', mode: 'a${{ x }}', maybe: '${{ x }}', list: ['${{ x }}'] }",
            "{ table: a, '${{ vars.x }}': 1 }",
            "'${{ x }}'",
        ] {
            assert_eq!(said(Some(fine)), [], "{fine}");
        }
    }

    #[test]
    fn each_thing_that_does_not_fit_is_said_once() {
        for (with, code, message) in [
            (None, "missing-input", "`x.y` needs `table`"),
            (Some("{ count: 3 }"), "missing-input", "`x.y` needs `table`"),
            (Some("{ tabel: a }"), "unknown-input", "`x.y` does not take `tabel`"),
            (Some("{ table: a, colour: red }"), "unknown-input", "`x.y` does not take `colour`"),
            (Some("{ table: 5 }"), "wrong-type", "`table` takes text, and this is the number 5"),
            (Some("{ table: null }"), "wrong-type", "`table` takes text, and this is nothing"),
            (
                Some("{ table: a, count: 1.5 }"),
                "wrong-type",
                "`count` takes a whole number, and this is the number 1.5",
            ),
            (Some("{ table: a, share: x }"), "wrong-type", "`share` takes a number, and this is the text `x`"),
            (Some("{ table: a, mode: fast }"), "wrong-value", "`mode` cannot be `fast`"),
            (Some("{ table: a, list: [quick, 5] }"), "wrong-value", "an item of `list` cannot be `5`"),
            (
                Some("{ table: a, maybe: { on: 1 } }"),
                "wrong-type",
                "`on` takes true or false, and this is the number 1",
            ),
            (Some("{ table: a, maybe: {} }"), "missing-input", "`maybe` needs `on`"),
            (Some("[a]"), "wrong-type", "`x.y` takes a map, and this is a list of 1"),
        ] {
            assert_eq!(said(with), [(Severity::Error, code, message.to_owned())], "{with:?}");
        }
    }
}
