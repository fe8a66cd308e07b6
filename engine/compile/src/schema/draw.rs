//! From a table of keys to JSON Schema.

use cosell_model::Outcome;
use serde_json::{Map, Value, json};

use super::table::{Key, Table, Takes};

/// Names of steps, variables, inputs.
pub(super) const IDENTIFIER: &str = "^[a-z][a-z0-9_]*$";
/// Names of flows, mappings, environments.
const KEBAB: &str = "^[a-z][a-z0-9-]*$";
/// One expression and nothing beside it; a block of lines ends with a line end.
const WHOLE: &str = r"^\$\{\{[\s\S]*\}\}\n*$";
/// An expression somewhere in a text.
pub(super) const HOLDS: &str = r"\$\{\{";
/// A number with its unit, several of them, or ISO 8601.
const DURATION: &str = r"^\s*\+?(P|[0-9][0-9.,]*\s*[a-zA-Zµ])";

/// The definitions of a schema, in the making.
#[derive(Default)]
pub(super) struct Definitions(pub(super) Map<String, Value>);

impl Definitions {
    /// Those that every schema has: expressions, alone and in a text.
    pub(super) fn with_expressions() -> Self {
        let mut all = Self::default();
        all.add("expression", || {
            json!({
                "title": "An expression",
                "description": "Computed when the step runs: `${{ … }}`, with nothing beside it.",
                "type": "string",
                "pattern": WHOLE,
            })
        });
        all.add(
            "text_with_expression",
            || json!({ "description": "Text with an expression in it.", "type": "string", "pattern": HOLDS }),
        );
        all
    }

    /// A reference to a definition, which is made where it is not there yet.
    pub(super) fn add(&mut self, name: &str, made: impl FnOnce() -> Value) -> Value {
        if !self.0.contains_key(name) {
            let value = made();
            self.0.insert(name.to_owned(), value);
        }
        reference(name)
    }

    /// A map with these keys.
    pub(super) fn table(&mut self, table: &'static Table) -> Value {
        let properties = self.keys(table.keys.iter());
        let others = table.others.map_or(Value::Bool(false), |takes| self.takes(takes));
        let mut schema = json!({
            "title": table.title,
            "description": table.about,
            "type": "object",
            "properties": properties,
            "additionalProperties": others,
        });
        if !table.needs.is_empty() {
            schema["required"] = json!(table.needs);
        }
        schema
    }

    pub(super) fn keys<'k>(&mut self, keys: impl Iterator<Item = &'k Key>) -> Map<String, Value> {
        keys.map(|key| (key.name.to_owned(), self.key(key))).collect()
    }

    fn key(&mut self, key: &Key) -> Value {
        let mut schema = Map::new();
        schema.insert("description".to_owned(), json!(key.about));
        shows(&mut schema, key.examples.iter().filter_map(|text| serde_json::from_str(text).ok()));
        if let Value::Object(takes) = self.takes(&key.takes) {
            schema.extend(takes.into_iter().filter(|(name, _)| name != "description" && name != "markdownDescription"));
        }
        Value::Object(schema)
    }

    fn takes(&mut self, takes: &Takes) -> Value {
        match takes {
            Takes::Text => json!({ "type": "string" }),
            Takes::Identifier => json!({ "type": "string", "pattern": IDENTIFIER }),
            Takes::Kebab => json!({ "type": "string", "pattern": KEBAB }),
            Takes::Value | Takes::Constant => json!({}),
            Takes::Expression => reference("expression"),
            Takes::Truth => json!({ "type": "boolean" }),
            Takes::Whole(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
            Takes::Duration => json!({ "type": "string", "pattern": DURATION }),
            Takes::Outcome => json!({ "enum": Outcome::NAMED_IN_AFTER.map(Outcome::as_str) }),
            Takes::Words(words) => json!({ "enum": words }),
            Takes::Null => json!({ "type": "null" }),
            Takes::List(of) => json!({ "type": "array", "items": self.takes(of) }),
            Takes::Two(of) => {
                json!({ "type": "array", "items": self.takes(of), "minItems": 2, "maxItems": 2, "uniqueItems": true })
            }
            Takes::Named(of) => {
                json!({ "type": "object", "propertyNames": { "pattern": IDENTIFIER }, "additionalProperties": self.takes(of) })
            }
            Takes::Map(of) => json!({ "type": "object", "additionalProperties": self.takes(of) }),
            Takes::One(of) => {
                json!({ "type": "object", "additionalProperties": self.takes(of), "minProperties": 1, "maxProperties": 1 })
            }
            Takes::Either(several) => json!({ "anyOf": several.iter().map(|one| self.takes(one)).collect::<Vec<_>>() }),
            Takes::Table(table) => {
                if !self.0.contains_key(table.name) {
                    // Holds its place, so that a table that leads back to itself ends.
                    self.0.insert(table.name.to_owned(), Value::Null);
                    let schema = self.table(table);
                    self.0.insert(table.name.to_owned(), schema);
                }
                reference(table.name)
            }
            Takes::Defined(name) => reference(name),
        }
    }
}

/// Adds examples. Those that are maps stand in the description and among the snippets: the YAML language server proposes what
/// stands under `examples` by a name that says nothing, where it is a map.
pub(super) fn shows(schema: &mut Map<String, Value>, examples: impl Iterator<Item = Value>) {
    let (maps, others): (Vec<Value>, Vec<Value>) = examples.partition(Value::is_object);
    if !others.is_empty() {
        schema.insert("examples".to_owned(), Value::Array(others));
    }
    if maps.is_empty() {
        return;
    }
    let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let shown: Vec<String> = maps.iter().map(|map| format!("```yaml\n{}```", crate::yaml::written(map))).collect();
    let about = format!("{about}\n\n{}", shown.join("\n\n"));
    schema.insert("markdownDescription".to_owned(), json!(about));
    let snippet =
        |map: &Value| json!({ "label": "an example", "description": "As it may be written.", "body": escaped(map) });
    schema.insert("defaultSnippets".to_owned(), maps.iter().map(snippet).collect());
}

/// A value as the body of a snippet, in which `$` and `}` stand for themselves.
fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.replace('$', r"\$").replace('}', r"\}")),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), escaped(member))).collect(),
        other => other.clone(),
    }
}

/// A reference to the definition of this name.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}
