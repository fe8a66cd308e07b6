//! A page of documentation per connector, made from its description.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use cosell_model::Effect;
use cosell_model::catalogue::{ConnectorDescription, Delivery, Limits};
use serde_json::{Map, Value, json};

/// The page, as Markdown.
pub fn page(connector: &ConnectorDescription) -> String {
    let mut page = Page::default();
    page.line(&format!("# {}", connector.title));
    page.line("<!-- Made from the connector's own descriptions; UPDATE_DOCS=1 cargo test makes it anew. -->");
    page.line(&format!("`{}`: {}", connector.name, connector.description));
    page.line("## Settings");
    page.members(&connector.settings, true);
    page.limits(connector.limits);
    if !connector.triggers.is_empty() {
        page.line("## Triggers");
    }
    for trigger in &connector.triggers {
        let delivery = match trigger.delivery {
            Delivery::Webhook => "The remote system calls.",
            Delivery::Poll => "The connector asks from time to time.",
        };
        page.line(&format!("### {}\n\n`{}.{}`", trigger.title, connector.name, trigger.name));
        page.line(&format!("{} {delivery}", trigger.description));
        page.line("`with` takes:");
        page.members(&trigger.input, true);
        page.output("`trigger` holds", &trigger.output);
    }
    if !connector.operations.is_empty() {
        page.line("## Operations");
    }
    for operation in &connector.operations {
        let effect = match operation.effect {
            Effect::Read => "reads",
            Effect::Write => "writes",
        };
        page.line(&format!("### {}\n\n`{}.{}` ({effect})", operation.title, connector.name, operation.name));
        page.line(&operation.description);
        if let Some(finds_out) = &operation.finds_out {
            page.line(&format!("After an interruption: {finds_out}"));
        }
        page.line("Input:");
        page.members(&operation.input, true);
        let example = serde_json::to_string_pretty(&operation.example).unwrap_or_default();
        page.line(&format!("```json\n{example}\n```"));
        page.output("Output", &operation.output);
    }
    page.types();
    format!("{}\n", page.text.trim_end())
}

/// A page in the making.
#[derive(Default)]
struct Page {
    text: String,
    /// Schemas that are described at the end, by name.
    types: BTreeMap<String, Value>,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }

    fn limits(&mut self, limits: Limits) {
        let concurrent = limits.concurrent.map(|most| format!("at most {most} calls at once"));
        let rate = limits.rate.map(|rate| {
            let minutes = rate.per.as_secs_f64() / 60.0;
            let stretch = if minutes == 1.0 { "minute".to_owned() } else { format!("{minutes} minutes") };
            format!("at most {} requests in any {stretch}", rate.requests)
        });
        let limits: Vec<String> = concurrent.into_iter().chain(rate).collect();
        if !limits.is_empty() {
            self.line(&format!("Limits, unless `limits` says otherwise: {}.", limits.join(", ")));
        }
    }

    /// An output, which is described at the end where it has a name: several operations may yield the same.
    fn output(&mut self, what: &str, schema: &Value) {
        self.collect(schema);
        match (schema.get("title").and_then(Value::as_str), object(schema, schema)) {
            (Some(title), Some(_)) if schema.get("properties").is_some() => {
                self.line(&format!("{what}: {}.", link(title)));
                self.types.insert(title.to_owned(), schema.clone());
            }
            _ if schema.get("anyOf").is_some() || schema.get("$ref").is_some() => {
                self.line(&format!("{what}: {}, or null.", kind(schema)));
            }
            _ => {
                self.line(&format!("{what}:"));
                self.members(schema, false);
            }
        }
    }

    /// The named schemas within.
    fn collect(&mut self, schema: &Value) {
        for (name, inner) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
            self.types.insert(name.clone(), inner.clone());
        }
    }

    fn types(&mut self) {
        if !self.types.is_empty() {
            self.line("## Types");
        }
        for (name, schema) in std::mem::take(&mut self.types) {
            self.line(&format!("### {name}"));
            if let Some(text) = schema.get("description").and_then(Value::as_str) {
                self.line(&one_line(text));
            }
            if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
                for choice in choices {
                    let text = one_line(choice.get("description").and_then(Value::as_str).unwrap_or_default());
                    let _ = writeln!(self.text, "- {}: {text}", kind(choice));
                }
                self.text.push('\n');
            } else if schema.get("properties").is_some() {
                self.members(&schema, false);
            } else {
                self.line(&format!("Type: {}.", kind(&schema)));
            }
        }
    }

    /// The members of an object's schema, one a line.
    fn members(&mut self, schema: &Value, is_input: bool) {
        self.collect(schema);
        let Some((schema, properties)) = object(schema, schema) else {
            let text = schema.get("description").and_then(Value::as_str).unwrap_or("Anything.");
            self.line(&one_line(text));
            return;
        };
        if properties.is_empty() {
            self.line("Nothing.");
            return;
        }
        let required = schema.get("required").and_then(Value::as_array);
        self.text.push_str("| member | type | |\n|---|---|---|\n");
        for (name, property) in properties {
            let mut text = one_line(property.get("description").and_then(Value::as_str).unwrap_or_default());
            if is_input && required.is_some_and(|names| names.contains(&json!(name))) {
                text.insert_str(0, "Required. ");
            }
            let default = property.get("default").filter(|default| is_input && !default.is_null());
            if let Some(default) = default {
                let _ = write!(text, " Default: `{default}`.");
            }
            let kind = kind(property).replace('|', "\\|");
            let _ = writeln!(self.text, "| `{name}` | {kind} | {} |", text.replace('|', "\\|"));
        }
        self.text.push('\n');
    }
}

/// A link to a type's place on the page.
fn link(name: &str) -> String {
    format!("[{name}](#{})", name.to_ascii_lowercase())
}

/// The object that a schema describes, perhaps by reference or beside null.
fn object<'a>(schema: &'a Value, root: &'a Value) -> Option<(&'a Value, &'a Map<String, Value>)> {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        return Some((schema, properties));
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return object(root.pointer(reference.strip_prefix('#')?)?, root);
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        return choices.iter().find_map(|choice| object(choice, root));
    }
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    closed.then(|| (schema, &*NONE))
}

/// A schema's type in a word or a few.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return link(reference.rsplit('/').next().unwrap_or("object"));
    }
    if let Some(choices) = ["anyOf", "oneOf"].iter().find_map(|name| schema.get(*name)?.as_array()) {
        let kinds: Vec<String> = choices.iter().map(kind).filter(|kind| kind != "null").collect();
        return kinds.join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(name)) => named_kind(name, schema),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            names.map(|name| named_kind(name, schema)).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn named_kind(name: &str, schema: &Value) -> String {
    let member = schema.get("properties").and_then(Value::as_object).filter(|members| members.len() == 1);
    match (name, member.and_then(|members| members.iter().next())) {
        ("array", _) => format!("list of {}", schema.get("items").map_or_else(|| "anything".to_owned(), kind)),
        // A variant of an enumeration, or what stands for a text kept elsewhere.
        ("object", Some((member, inner))) => format!("`{{ {member}: … }}` with {}", kind(inner)),
        _ => name.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fails where `NAME.md` in `folder` is not the connector's page; with the environment variable `UPDATE_DOCS=1` it
/// writes the page instead.
///
/// # Panics
/// Where the page is stale, or cannot be written.
pub fn check(connector: &ConnectorDescription, folder: &Path) {
    let (path, wanted) = (folder.join(format!("{}.md", connector.name)), page(connector));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, &wanted));
        assert!(written.is_ok(), "{} cannot be written: {written:?}", path.display());
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{} is stale; run the tests with UPDATE_DOCS=1 and commit it", path.display());
}
