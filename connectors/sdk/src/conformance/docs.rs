//! A page of documentation per connector, made from its description.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use cosell_model::Effect;
use cosell_model::catalogue::{ConnectorDescription, Delivery};
use serde_json::{Map, Value};

/// The page, as Markdown.
pub fn page(connector: &ConnectorDescription) -> String {
    let mut page = format!("# {}\n\n", connector.title);
    page.push_str("<!-- Made from the connector's own descriptions; UPDATE_DOCS=1 cargo test makes it anew. -->\n\n");
    let _ = write!(page, "`{}`: {}\n\n", connector.name, connector.description);
    page.push_str("## Settings\n\n");
    members(&mut page, &connector.settings);
    if !connector.triggers.is_empty() {
        page.push_str("## Triggers\n\n");
    }
    for trigger in &connector.triggers {
        let delivery = match trigger.delivery {
            Delivery::Webhook => "The remote system calls.",
            Delivery::Poll => "The connector asks from time to time.",
        };
        let _ = write!(page, "### {}\n\n`{}.{}`\n\n", trigger.title, connector.name, trigger.name);
        let _ = write!(page, "{} {delivery}\n\n", trigger.description);
        page.push_str("`with` takes:\n\n");
        members(&mut page, &trigger.input);
        page.push_str("`trigger` holds:\n\n");
        members(&mut page, &trigger.output);
    }
    if !connector.operations.is_empty() {
        page.push_str("## Operations\n\n");
    }
    for operation in &connector.operations {
        let effect = match operation.effect {
            Effect::Read => "reads",
            Effect::Write => "writes",
        };
        let _ = write!(page, "### {}\n\n`{}.{}` ({effect})\n\n", operation.title, connector.name, operation.name);
        let _ = write!(page, "{}\n\n", operation.description);
        if let Some(finds_out) = &operation.finds_out {
            let _ = write!(page, "After an interruption: {finds_out}\n\n");
        }
        page.push_str("Input:\n\n");
        members(&mut page, &operation.input);
        let example = serde_json::to_string_pretty(&operation.example).unwrap_or_default();
        let _ = write!(page, "```json\n{example}\n```\n\nOutput:\n\n");
        members(&mut page, &operation.output);
    }
    format!("{}\n", page.trim_end())
}

/// The members of an object's schema, one a line; those of objects within stand in their own descriptions.
fn members(page: &mut String, schema: &Value) {
    let Some((schema, properties)) = object(schema, schema) else {
        let text = schema.get("description").and_then(Value::as_str).unwrap_or("Anything.");
        let _ = write!(page, "{}\n\n", one_line(text));
        return;
    };
    if properties.is_empty() {
        page.push_str("Nothing.\n\n");
        return;
    }
    let required = |name: &str| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    page.push_str("| member | type | |\n|---|---|---|\n");
    for (name, property) in properties {
        let mut text = one_line(property.get("description").and_then(Value::as_str).unwrap_or_default());
        if required(name) {
            text.insert_str(0, "Required. ");
        }
        if let Some(default) = property.get("default").filter(|default| !default.is_null()) {
            let _ = write!(text, " Default: `{default}`.");
        }
        let kind = kind(property).replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {kind} | {} |", text.replace('|', "\\|"));
    }
    page.push('\n');
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
        return reference.rsplit('/').next().unwrap_or("object").to_owned();
    }
    if let Some(choices) = ["anyOf", "oneOf"].iter().find_map(|name| schema.get(*name)?.as_array()) {
        let kinds: Vec<String> = choices.iter().map(kind).filter(|kind| kind != "null").collect();
        return kinds.join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "array" => {
            format!("list of {}", schema.get("items").map_or_else(|| "anything".to_owned(), kind))
        }
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
            names.join(" or ")
        }
        _ => "anything".to_owned(),
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
