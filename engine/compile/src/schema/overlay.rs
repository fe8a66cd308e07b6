//! Files that are merged over shipped ones: what each shipped file has, by name, and what may stand there. A step or a row that
//! it has may be changed in part; one that it does not have must be whole, as the compiler demands.

use cosell_model::Node;
use cosell_model::flow::TriggerSource;
use serde_json::{Map, Value, json};

use super::draw::{Definitions, IDENTIFIER, reference};
use super::step::{COMMON, KINDS};
use super::table::FORMS;
use super::{mapping, names, offers};
use crate::Compilation;
use crate::mapping::read::sides;

/// The files that come with the program, as what is merged over them sees them.
pub(super) struct Shipped<'s>(pub(super) &'s Compilation);

/// A part of a step of each kind, by its name among the definitions.
pub(super) fn parts(all: &mut Definitions) {
    for kind in &KINDS {
        let keys = COMMON.iter().chain([&kind.main]).chain(kind.keys);
        let mut properties = all.keys(keys);
        // What stands in a block depends on what the shipped one has there.
        for (_, key) in properties.iter_mut().filter(|(name, _)| BLOCKS.contains(&name.as_str())) {
            *key = json!({ "description": key["description"] });
        }
        let others = KINDS.iter().map(|other| other.main.name).filter(|other| *other != kind.main.name);
        let others: Vec<Value> = others.map(|other| json!({ "required": [other] })).collect();
        all.add(&other_than(kind.main.name), || json!({ "type": "object", "anyOf": others }));
        all.add(&part(kind.main.name), || {
            json!({ "title": kind.title, "properties": properties, "propertyNames": { "enum": names(kind).collect::<Vec<_>>() } })
        });
    }
}

/// Keys that hold steps.
const BLOCKS: [&str; 6] = ["scope", "then", "else", "default", "do", "cases"];

fn part(kind: &str) -> String {
    format!("part.{kind}")
}

fn other_than(kind: &str) -> String {
    format!("other_than.{kind}")
}

/// What a file is that says by `key` what it is called: one that is merged over a shipped file of that name, or a whole one,
/// which has `needs`.
pub(super) fn either(key: &str, needs: &str, shipped: Map<String, Value>, whole: &Value) -> Value {
    let names: Vec<&String> = shipped.keys().collect();
    let merged = json!({ "properties": { key: { "enum": names }, "whole": { "const": false } }, "required": [key] });
    let of_each =
        shipped.iter().map(|(name, has)| json!({ "if": { "properties": { key: { "const": name } } }, "then": has }));
    let why = format!("No shipped {key} is called so, and one of your own needs `{needs}`.");
    json!({
        "if": merged,
        "then": { "allOf": of_each.collect::<Vec<_>>() },
        "else": {
            "if": { "anyOf": [{ "required": [needs] }, { "required": ["whole"], "properties": { "whole": { "const": true } } }] },
            "then": whole,
            "else": { "properties": { key: { "enum": names, "errorMessage": why } } },
        },
    })
}

/// A step of any kind, or what is said of one that does not say of which.
pub(super) fn step_or(why: &str) -> Value {
    let kinds: Vec<Value> = KINDS.iter().map(|kind| json!({ "required": [kind.main.name] })).collect();
    json!({ "if": { "anyOf": kinds }, "else": offers::never(why), "allOf": [reference("any_step")] })
}

impl Shipped<'_> {
    /// What may be changed in each shipped flow.
    pub(super) fn flows(&self, all: &mut Definitions) -> Map<String, Value> {
        let flow = |(name, document): (&String, &crate::documents::Document)| {
            let mut properties = Map::new();
            properties.insert("steps".to_owned(), self.steps(name, document.node.get("steps"), all));
            properties.insert("trigger".to_owned(), trigger(&document.node));
            (name.clone(), json!({ "title": title(&document.node, name), "properties": properties }))
        };
        self.0.documents.flows.iter().map(flow).collect()
    }

    fn steps(&self, flow: &str, node: Option<&Node>, all: &mut Definitions) -> Value {
        let entries = node.and_then(Node::entries).unwrap_or_default();
        let mut named = Map::new();
        for entry in entries {
            let step = self.step(flow, &entry.key.value, &entry.value, all);
            // A flow's steps have names of their own, wherever they stand.
            let step = all.add(&format!("{flow}.{}", entry.key.value), || step);
            named.insert(entry.key.value.clone(), step);
        }
        json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": IDENTIFIER },
            "properties": named,
            "additionalProperties": reference("new_step"),
        })
    }

    fn cases(&self, flow: &str, node: &Node, all: &mut Definitions) -> Value {
        let entries = node.entries().unwrap_or_default();
        let named: Map<String, Value> =
            entries.iter().map(|entry| (entry.key.value.clone(), self.steps(flow, Some(&entry.value), all))).collect();
        json!({ "type": ["object", "null"], "properties": named, "additionalProperties": reference("block") })
    }

    /// A step that the shipped flow has: a part of it, or one of another kind in its place.
    fn step(&self, flow: &str, name: &str, node: &Node, all: &mut Definitions) -> Value {
        let Some(kind) = KINDS.iter().find(|kind| node.get(kind.main.name).is_some()) else { return reference("step") };
        let mut inside = Map::new();
        for entry in node.entries().unwrap_or_default() {
            let key = entry.key.value.as_str();
            if key == "cases" {
                inside.insert(key.to_owned(), self.cases(flow, &entry.value, all));
            } else if BLOCKS.contains(&key) {
                inside.insert(key.to_owned(), self.steps(flow, Some(&entry.value), all));
            }
        }
        for key in kind.keys.iter().map(|key| key.name).filter(|key| BLOCKS.contains(key)) {
            let empty = if key == "cases" { json!({}) } else { reference("block") };
            inside.entry(key).or_insert(empty);
        }
        let mut rest = vec![reference(&part(kind.main.name)), json!({ "properties": inside })];
        rest.extend(self.of_kind(kind.main.name, node));
        let about = node.get("description").and_then(Node::text);
        json!({
            "title": title(node, name),
            "description": about.map_or_else(|| kind.title.to_owned(), |about| about.trim().to_owned()),
            "type": ["object", "null"],
            "if": reference(&other_than(kind.main.name)),
            "then": reference("step"),
            "else": { "allOf": rest },
        })
    }

    /// What is known beside its keys of a part of this step.
    fn of_kind(&self, kind: &str, node: &Node) -> Option<Value> {
        let main = node.get(kind)?.text();
        match kind {
            "use" => Some(json!({
                "if": { "required": ["use"] },
                "then": reference("operation"),
                "else": { "properties": { "with": { "anyOf": [reference(&format!("input.{}", main?)), reference("expression")] } } },
            })),
            "call" => Some(json!({ "properties": { "with": self.inputs(main?)? } })),
            "map" | "compare" | "merge" => {
                let between = self.0.documents.mappings.get(main?)?.node.get("between")?;
                let names = sides(between, &mut Vec::new())?;
                let offered: Map<String, Value> = names.into_iter().map(|side| (side, json!({}))).collect();
                let side = json!({ "properties": offered });
                Some(json!({ "properties": { "from": side, "to": side, "changed": side } }))
            }
            _ => None,
        }
    }

    /// The inputs of a shipped flow. They are only offered: a file of the user's may change them.
    pub(super) fn inputs(&self, flow: &str) -> Option<Value> {
        let flow = self.0.flows.get(&cosell_model::FlowId::new(flow))?;
        let input = |input: &cosell_model::flow::Input| {
            let about = input.description.as_deref().map(|about| format!(" {}", about.trim())).unwrap_or_default();
            let needed = if input.default.is_none() { ", needed" } else { "" };
            (input.name.value.clone(), json!({ "description": format!("{}{needed}.{about}", input.kind.as_str()) }))
        };
        Some(json!({ "properties": flow.trigger.inputs.iter().map(input).collect::<Map<_, _>>() }))
    }

    /// The shipped flows that others can call, with their titles.
    pub(super) fn callable(&self) -> Vec<(String, String)> {
        let flows = self.0.flows.values().filter(|flow| flow.trigger.main.kind == TriggerSource::Call);
        flows.map(|flow| (flow.id.value.as_str().to_owned(), flow.title.clone())).collect()
    }

    /// The shipped flows, with their titles.
    pub(super) fn flows_by_title(&self) -> Vec<(String, String)> {
        let flows = self.0.documents.flows.iter();
        flows.map(|(name, document)| (name.clone(), title(&document.node, name))).collect()
    }

    /// The shipped mappings, with their titles.
    pub(super) fn mappings_by_title(&self) -> Vec<(String, String)> {
        let mappings = self.0.documents.mappings.iter();
        mappings.map(|(name, document)| (name.clone(), title(&document.node, name))).collect()
    }

    /// What may be changed in each shipped mapping.
    pub(super) fn mappings(&self, all: &mut Definitions) -> Map<String, Value> {
        let keys = all.keys(mapping::ROW.keys.iter());
        let mut made = Map::new();
        for (name, document) in &self.0.documents.mappings {
            let Some(sides) = document.node.get("between").and_then(|node| sides(node, &mut Vec::new())) else {
                continue;
            };
            // Other sides make other rows: then only the compiler knows.
            let rows = document.node.get("rows").and_then(Node::entries).unwrap_or_default();
            let row = |node: Option<&Node>, name: &str| {
                let mut properties = keys.clone();
                for side in &sides {
                    let about = format!("The field of the {side}: its path, or a map with more.");
                    let field = json!({ "anyOf": [{ "type": "string" }, reference("field")], "description": about });
                    properties.insert(side.clone(), field);
                }
                for key in ["only_to", "final_in", "wins"] {
                    let newest = (key == "wins").then_some("newest");
                    let names: Vec<&str> = sides.iter().map(String::as_str).chain(newest).collect();
                    properties
                        .insert(key.to_owned(), json!({ "description": keys[key]["description"], "enum": names }));
                }
                let values = node.and_then(|node| node.get("values")?.entries()).unwrap_or_default();
                let shown = |entry: &cosell_model::node::Entry| {
                    (entry.key.value.clone(), json!({ "description": format!("Shipped: {}", entry.value.to_value()) }))
                };
                properties["values"]["properties"] = Value::Object(values.iter().map(shown).collect());
                let title = node.map_or_else(|| "A row".to_owned(), |node| title(node, name));
                let about = mapping::ROW.about;
                json!({ "title": title, "description": about, "properties": properties, "additionalProperties": false })
            };
            let mut named = Map::new();
            for entry in rows {
                let mut known = row(Some(&entry.value), &entry.key.value);
                known["type"] = json!(["object", "null"]);
                known["allOf"] = json!([row_rules()]);
                named.insert(entry.key.value.clone(), known);
            }
            let mut new = row(None, "");
            new["type"] = json!("object");
            new["required"] = json!(sides);
            let whole = {
                let with_path = json!({ "if": { "type": "object" }, "then": { "required": ["path"] } });
                let sides = sides.iter().map(|side| (side.clone(), with_path.clone())).collect::<Map<_, _>>();
                json!({ "properties": sides })
            };
            new["allOf"] = json!([whole, row_rules()]);
            let rows = json!({
                "type": ["object", "null"],
                "propertyNames": { "pattern": IDENTIFIER },
                "properties": named,
                "additionalProperties": new,
            });
            let has = json!({
                "title": title(&document.node, name),
                "if": { "not": { "required": ["between"] } },
                "then": { "properties": { "rows": rows } },
            });
            made.insert(name.clone(), has);
        }
        made
    }
}

/// What the keys of a row say of each other: one that goes one way has nothing to choose between its sides.
pub(super) fn row_rules() -> Value {
    let never = offers::never("The row goes one way only, so this decides nothing.");
    json!({ "if": { "required": ["only_to"] }, "then": { "properties": { "wins": never, "final_in": never } } })
}

/// What the keys of a field say of each other: only text has a length.
pub(super) fn field_rules() -> Value {
    let others: Vec<&str> = FORMS.into_iter().filter(|form| !["any", "text"].contains(form)).collect();
    json!({
        "if": { "required": ["as"], "properties": { "as": { "enum": others } } },
        "then": { "properties": { "length": offers::never("Only text has a length.") } },
    })
}

/// A part of a shipped flow's trigger.
fn trigger(flow: &Node) -> Value {
    let node = flow.get("trigger");
    let name = node.and_then(|node| node.text().or_else(|| node.get("use")?.text()));
    let Some(name) = name.filter(|name| !["manual", "call"].contains(name)) else { return json!({}) };
    json!({
        "if": { "type": "object", "not": { "required": ["use"] } },
        "then": { "properties": { "with": reference(&format!("trigger.{name}")) } },
    })
}

fn title(node: &Node, name: &str) -> String {
    node.get("title").and_then(Node::text).unwrap_or(name).to_owned()
}
