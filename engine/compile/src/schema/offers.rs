//! What connectors offer: names of operations and triggers, their inputs, the settings of connections.

use cosell_model::catalogue::{ConnectorDescription, Delivery};
use cosell_model::{Catalogue, Schema};
use serde_json::{Value, json};

use super::draw::{Definitions, HOLDS, reference, shows};
use super::table::Table;
use crate::check::triggers;
use crate::read::flow::BUILT_IN;

/// What a value may be instead of what its schema says.
#[derive(Clone, Copy)]
pub(super) enum Instead {
    /// An expression.
    Computed,
    /// The name of an environment variable or of a file that holds it; and nothing is required, since environments share
    /// what they have in common.
    Kept,
}

/// What a whole step or trigger cannot do without, by what it uses: one condition each.
pub(super) struct Needed(pub(super) Vec<Value>);

impl Needed {
    fn of(&mut self, name: &str, input: &Schema) {
        let needed = input.get("required").and_then(Value::as_array).filter(|needed| !needed.is_empty());
        self.0.extend(needed.map(|needed| {
            json!({
                "if": { "required": ["use"], "properties": { "use": { "const": name } } },
                "then": { "required": ["with"], "properties": { "with": { "required": needed } } },
            })
        }));
    }
}

/// A connector's input, of which a part may be given: what else it needs, is said where a step or a trigger is whole.
fn input_of(schema: &Schema, at: &str) -> Schema {
    let mut schema = rebased(schema, &format!("#/$defs/{at}"), Instead::Computed);
    if let Value::Object(members) = &mut schema {
        members.shift_remove("required");
    }
    schema
}

/// The names of all operations, and one condition each: what `with` then takes.
pub(super) fn operations(catalogue: &Catalogue, all: &mut Definitions) -> Needed {
    let mut names = Vec::new();
    let mut conditions = Vec::new();
    let mut needed = Needed(Vec::new());
    for connector in catalogue.connectors() {
        for operation in &connector.operations {
            let name = format!("{}.{}", connector.name, operation.name);
            needed.of(&name, &operation.input);
            let input = all.add(&format!("input.{name}"), || {
                let mut schema = input_of(&operation.input, &format!("input.{name}"));
                schema["title"] = json!(operation.title);
                schema["description"] = json!(operation.description);
                if let (Value::Object(schema), false) = (&mut schema, operation.example.is_null()) {
                    shows(schema, [operation.example.clone()].into_iter());
                }
                schema
            });
            conditions.push(json!({
                "if": { "required": ["use"], "properties": { "use": { "const": name } } },
                "then": {
                    "title": operation.title,
                    "description": operation.description,
                    "properties": {
                        "use": { "title": operation.title, "description": operation.description },
                        "with": { "anyOf": [input, reference("expression")] },
                    },
                },
            }));
            names.push((name, format!("{}. {}", operation.title, operation.description)));
        }
    }
    all.add("operation_name", || chosen("An operation, as connector and operation with a dot between.", &names));
    all.add("operation", || json!({ "allOf": conditions }));
    needed
}

/// The names of all triggers, and one condition each: what `with` then takes.
pub(super) fn triggers(catalogue: &Catalogue, all: &mut Definitions) -> (Vec<Value>, Needed) {
    let built_in = [
        "When a person says so; has `inputs`.",
        "By the clock.",
        "When anybody sends a request to it.",
        "When another flow calls it; has `inputs`, and yields the flow's `output`.",
    ];
    let mut names: Vec<(String, String)> =
        BUILT_IN.iter().zip(built_in).map(|((name, _), about)| ((*name).to_owned(), about.to_owned())).collect();
    let mut conditions = Vec::new();
    let mut needed = Needed(Vec::new());
    let mut condition = |name: &str, title: &str, input: Value, refused: &[(&str, &str)]| {
        let mut properties = serde_json::Map::from_iter([("with".to_owned(), input)]);
        properties.extend(refused.iter().map(|(key, why)| ((*key).to_owned(), never(why))));
        conditions.push(json!({
            "if": { "required": ["use"], "properties": { "use": { "const": name } } },
            "then": { "title": title, "properties": properties },
        }));
    };
    const INPUTS: (&str, &str) = ("inputs", "Only `manual` and `call` have inputs.");
    const EVERY: (&str, &str) = ("every", "Only a trigger that asks takes `every`.");
    const ALSO: (&str, &str) = ("also", "Only a connector's trigger can have others beside it.");
    for ((name, source), (_, about)) in BUILT_IN.iter().zip(&names) {
        let Some(settings) = triggers::settings(source) else {
            condition(name, about, json!({}), &[EVERY, ALSO]);
            continue;
        };
        let at = format!("trigger.{name}");
        let input = all.add(&at, || input_of(settings, &at));
        needed.of(name, settings);
        condition(name, about, input, &[INPUTS, EVERY, ALSO]);
    }
    for connector in catalogue.connectors() {
        for trigger in &connector.triggers {
            let name = format!("{}.{}", connector.name, trigger.name);
            let at = format!("trigger.{name}");
            let input = all.add(&at, || {
                let mut schema = input_of(&trigger.input, &at);
                schema["description"] = json!(trigger.description);
                schema
            });
            let asks = matches!(trigger.delivery, Delivery::Poll);
            condition(&name, &trigger.title, input, if asks { &[INPUTS] } else { &[INPUTS, EVERY] });
            needed.of(&name, &trigger.input);
            names.push((name, format!("{}. {}", trigger.title, trigger.description)));
        }
    }
    all.add("trigger_name", || chosen("A trigger: a built-in one, or a connector's.", &names));
    (conditions, needed)
}

/// What a side of a mapping can be a record of: a table, or what an operation yields, or something in that.
pub(super) fn records(catalogue: &Catalogue) -> Value {
    let mut names = Vec::new();
    for connector in catalogue.connectors() {
        for operation in &connector.operations {
            names.push((format!("{}.{}", connector.name, operation.name), operation.title.clone()));
        }
    }
    let below: Vec<String> = names.iter().map(|(name, _)| name.replace('.', r"\.")).collect();
    json!({
        "type": "string",
        "anyOf": [
            chosen("What an operation yields.", &names),
            { "description": "A table.", "pattern": r"^[^.]*$" },
            { "description": "What lies in what an operation yields.", "pattern": format!("^({})\\.", below.join("|")) },
            reference("text_with_expression"),
        ],
    })
}

/// All connections by name: what each connector's take.
pub(super) fn connections(catalogue: &Catalogue, limits: &'static Table, all: &mut Definitions) -> Value {
    let limits = {
        let schema = all.table(limits);
        all.add("limits", || schema)
    };
    let mut named = serde_json::Map::new();
    let mut other = Vec::new();
    for connector in catalogue.connectors() {
        let own = settings(connector, &limits, all);
        other.push(json!({
            "if": { "required": ["connector"], "properties": { "connector": { "const": connector.name } } },
            "then": own,
        }));
        named.insert(
            connector.name.clone(),
            json!({
                "title": connector.title,
                "description": connector.description,
                "if": { "required": ["connector"] },
                "then": reference("connection"),
                "else": own,
            }),
        );
    }
    let names: Vec<&str> = catalogue.connectors().map(|connector| connector.name.as_str()).collect();
    all.add("connection", || {
        json!({
            "title": "A connection",
            "description": "A configured connector: an address, and how to sign in.",
            "type": "object",
            "properties": {
                "connector": { "description": "Its connector, where the connection is not named like it.", "enum": names },
                "limits": limits,
            },
            "allOf": other,
        })
    });
    json!({
        "type": ["object", "null"],
        "properties": named,
        "additionalProperties": reference("connection"),
    })
}

/// The settings of a connector's connections, with what every connection can have.
fn settings(connector: &ConnectorDescription, limits: &Value, all: &mut Definitions) -> Value {
    let name = format!("connection.{}", connector.name);
    all.add(&name, || {
        let mut schema = rebased(&connector.settings, &format!("#/$defs/{name}"), Instead::Kept);
        schema["title"] = json!(connector.title);
        schema["description"] = json!(connector.description);
        schema["properties"]["connector"] = json!({ "const": connector.name });
        schema["properties"]["limits"] = limits.clone();
        schema
    })
}

/// Nothing that could be written is right here; editors say why. (The YAML language server has words of its own for `not`,
/// and takes ours for a wrong type.)
pub(super) fn never(why: &str) -> Value {
    json!({ "type": "null", "errorMessage": why })
}

/// One of these names. What each means stands beside it, where editors look for that.
pub(super) fn chosen(about: &str, names: &[(String, String)]) -> Value {
    let (names, meanings): (Vec<&str>, Vec<&str>) = names.iter().map(|(name, about)| (&**name, &**about)).unzip();
    json!({ "description": about, "enum": names, "enumDescriptions": meanings })
}

/// A connector's schema, to stand at `base` of another: its own definitions stay its own, and any value in it may be what is
/// given instead.
fn rebased(schema: &Schema, base: &str, instead: Instead) -> Schema {
    match inside(schema, base, instead) {
        Value::Object(mut schema) => {
            schema.shift_remove("$schema");
            Value::Object(schema)
        }
        // It says nothing of its input.
        _ => json!({}),
    }
}

fn inside(schema: &Schema, base: &str, instead: Instead) -> Schema {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut made = serde_json::Map::new();
    for (key, member) in members {
        let member = match (key.as_str(), member) {
            ("required", _) if matches!(instead, Instead::Kept) => continue,
            ("$ref", Value::String(to)) => json!(to.replacen('#', base, 1)),
            ("properties", Value::Object(properties)) => {
                properties.iter().map(|(name, property)| (name.clone(), value(property, base, instead))).collect()
            }
            ("items" | "additionalProperties", member) => value(member, base, instead),
            ("$defs", Value::Object(definitions)) => {
                definitions.iter().map(|(name, schema)| (name.clone(), inside(schema, base, instead))).collect()
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(choices)) => {
                choices.iter().map(|choice| inside(choice, base, instead)).collect()
            }
            (_, member) => member.clone(),
        };
        made.insert(key.clone(), member);
    }
    let closed = made.get("additionalProperties") == Some(&Value::Bool(false));
    if closed && matches!(instead, Instead::Computed) {
        // Names of columns may come from variables.
        made.insert("patternProperties".to_owned(), json!({ HOLDS: {} }));
    }
    Value::Object(made)
}

/// A value that may be what is given instead.
fn value(schema: &Schema, base: &str, instead: Instead) -> Schema {
    let Value::Object(members) = schema else { return schema.clone() };
    let schema = inside(schema, base, instead);
    let of_type = |wanted: &str| match members.get("type") {
        Some(Value::String(only)) => only == wanted,
        Some(Value::Array(several)) => several.iter().any(|one| one == wanted),
        _ => false,
    };
    let restricted = ["enum", "const", "pattern", "format", "maxLength", "minLength"];
    let free_text = of_type("string") && !restricted.iter().any(|key| members.contains_key(*key));
    let anything =
        !["type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"].iter().any(|key| members.contains_key(*key));
    let other = match instead {
        Instead::Computed if free_text || anything => return schema,
        Instead::Computed if of_type("string") || members.contains_key("enum") => reference("text_with_expression"),
        Instead::Computed => reference("expression"),
        Instead::Kept if of_type("string") => reference("elsewhere"),
        Instead::Kept => return schema,
    };
    let mut made = serde_json::Map::new();
    for key in ["title", "description", "default", "examples"] {
        if let Some(member) = members.get(key) {
            made.insert(key.to_owned(), member.clone());
        }
    }
    made.insert("anyOf".to_owned(), json!([schema, other]));
    Value::Object(made)
}
