//! JSON Schemas (draft 2020-12) of the files that people write, for editors.
//!
//! `flow`, `step`, `mapping`, `configuration` and `test` are the tables of keys, in the form that `table` gives them; `draw` makes
//! schemas of them, `offers` adds what connectors offer, and `overlay` what shipped files have; `look` looks single keys up. That the tables have the keys that the compiler takes, and no
//! others, is a test.

mod configuration;
mod draw;
mod flow;
pub(crate) mod look;
mod mapping;
mod offers;
mod overlay;
mod step;
mod table;
mod test;
#[cfg(test)]
mod tests;

use cosell_model::{Catalogue, Schema};
use serde_json::{Map, Value, json};

use crate::Compilation;
use crate::read::fields::either;
use draw::{Definitions, reference};
use overlay::Shipped;
use step::{COMMON, KINDS};
pub(crate) use table::Key;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A flow.
    Flow,
    /// A mapping.
    Mapping,
    /// Declarations of variables.
    Variables,
    /// The configuration.
    Configuration,
    /// Tests of flows.
    Test,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Flow, Kind::Mapping, Kind::Variables, Kind::Configuration, Kind::Test];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Flow => "flow",
            Kind::Mapping => "mapping",
            Kind::Variables => "variables",
            Kind::Configuration => "configuration",
            Kind::Test => "test",
        }
    }
}

/// The schema of a kind of file, beside these shipped ones. Whatever the compiler takes is valid by it; what only the compiler
/// can know, such as which steps can be mentioned, is not in it. A file that is merged over a shipped one need not be whole: of
/// what that has, each part is taken by itself.
pub fn of(kind: Kind, catalogue: &Catalogue, shipped: &Compilation) -> Schema {
    let shipped = Shipped(shipped);
    let mut all = Definitions::with_expressions();
    let mut schema = match kind {
        Kind::Flow => flow_file(catalogue, &shipped, &mut all),
        Kind::Mapping => mapping_file(catalogue, &shipped, &mut all),
        Kind::Variables => all.table(&mapping::VARIABLES),
        Kind::Test => {
            let fault = all.table(&test::FAULT);
            all.add("fault", || fault);
            all.table(&test::TESTS)
        }
        Kind::Configuration => {
            all.add("elsewhere", elsewhere);
            let connections = offers::connections(catalogue, &configuration::LIMITS, &mut all);
            all.add("connections", || connections);
            all.table(&configuration::CONFIGURATION)
        }
    };
    if kind == Kind::Configuration {
        // A file with nothing but comments says nothing.
        schema["type"] = json!(["object", "null"]);
    }
    let mut whole = Map::from_iter([("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"))]);
    if let Value::Object(schema) = schema {
        whole.extend(schema);
    }
    whole.insert("$defs".to_owned(), Value::Object(all.0));
    Value::Object(whole)
}

fn flow_file(catalogue: &Catalogue, shipped: &Shipped<'_>, all: &mut Definitions) -> Schema {
    let mut schema = all.table(&flow::FLOW);
    let (conditions, needed) = offers::triggers(catalogue, all);
    for table in ["trigger", "also"] {
        all.0[table]["allOf"] = json!(conditions);
    }
    let whole_trigger = all.add("whole_trigger", || {
        json!({
            "if": { "type": "object" },
            "then": {
                "required": ["use"],
                "properties": { "inputs": { "additionalProperties": { "if": { "type": "object" }, "then": { "required": ["type"] } } } },
                "allOf": needed.0,
            },
        })
    });
    let block = |kind: Value, least: u32| {
        json!({
            "type": kind,
            "propertyNames": { "pattern": draw::IDENTIFIER },
            "additionalProperties": reference("step"),
            "minProperties": least,
        })
    };
    all.add("block", || block(json!(["object", "null"]), 0));
    all.add("body", || block(json!("object"), 1));
    let step = step(catalogue, shipped, all);
    all.add("any_step", || step);
    let kinds = either(&KINDS.each_ref().map(|kind| kind.main.name));
    all.add("step", || overlay::step_or(&format!("A step says by one key what it does: {kinds}.")));
    all.add("new_step", || {
        overlay::step_or(&format!("The shipped flow has no such step here, and a new one says what it does: {kinds}."))
    });
    overlay::parts(all);
    let whole = json!({
        "required": ["trigger", "steps"],
        "dependentRequired": { "debounce": ["key"] },
        "properties": { "trigger": whole_trigger, "steps": reference("block") },
    });
    // What stands there depends on whether it is merged over a shipped one.
    offer(&mut schema["properties"]["flow"], &shipped.flows_by_title());
    schema["properties"]["steps"] = json!({ "description": schema["properties"]["steps"]["description"] });
    let named = shipped.flows(all);
    merge_into(&mut schema, overlay::either("flow", "trigger", named, &whole));
    schema
}

fn mapping_file(catalogue: &Catalogue, shipped: &Shipped<'_>, all: &mut Definitions) -> Schema {
    let mut schema = all.table(&mapping::MAPPING);
    schema["properties"]["records"]["additionalProperties"] = offers::records(catalogue);
    merge_into(&mut all.0["field"], overlay::field_rules());
    merge_into(&mut all.0["row"], overlay::row_rules());
    let row = all.0["row"].clone();
    all.add("whole_row", || {
        let mut row = row;
        let field = &mut row["additionalProperties"];
        *field = json!({ "allOf": [*field, { "if": { "type": "object" }, "then": { "required": ["path"] } }] });
        row["minProperties"] = json!(2);
        row
    });
    let whole = json!({
        "required": ["between", "rows"],
        "properties": { "rows": {
            "type": "object",
            "propertyNames": { "pattern": draw::IDENTIFIER },
            "additionalProperties": reference("whole_row"),
        } },
    });
    offer(&mut schema["properties"]["mapping"], &shipped.mappings_by_title());
    schema["properties"]["rows"] = json!({ "description": schema["properties"]["rows"]["description"] });
    let named = shipped.mappings(all);
    merge_into(&mut schema, overlay::either("mapping", "between", named, &whole));
    schema
}

/// Has these names proposed where others are right as well.
fn offer(schema: &mut Value, names: &[(String, String)]) {
    if names.is_empty() {
        return;
    }
    let mut taken = schema.clone();
    let about = taken.as_object_mut().and_then(|taken| taken.shift_remove("description"));
    let offered = offers::chosen("One that comes with the program.", names);
    *schema = json!({ "description": about, "anyOf": [offered, taken] });
}

fn merge_into(schema: &mut Value, more: Value) {
    if let (Value::Object(schema), Value::Object(more)) = (schema, more) {
        schema.extend(more);
    }
}

/// A whole step of any kind. The keys of each kind are offered once its own key is there.
fn step(catalogue: &Catalogue, shipped: &Shipped<'_>, all: &mut Definitions) -> Schema {
    let mains = KINDS.iter().map(|kind| &kind.main);
    let mut properties = all.keys(COMMON.iter().chain(mains));
    offer(&mut properties["call"], &shipped.callable());
    for key in ["map", "compare", "merge"] {
        offer(&mut properties[key], &shipped.mappings_by_title());
    }
    let mut conditions = Vec::new();
    for kind in &KINDS {
        let own = all.keys(kind.keys.iter());
        // Before its kind is written, whatever it will take is none that there is not.
        for name in own.keys() {
            properties.entry(name.clone()).or_insert_with(|| json!({}));
        }
        let names: Vec<&str> = names(kind).collect();
        conditions.push(json!({
            "if": { "required": [kind.main.name] },
            "then": {
                "title": kind.title, "properties": own, "propertyNames": { "enum": names }, "required": kind.needs,
            },
        }));
    }
    for (name, _) in shipped.callable() {
        let inputs = shipped.inputs(&name);
        conditions.push(json!({
            "if": { "required": ["call"], "properties": { "call": { "const": name } } },
            "then": { "properties": { "with": inputs } },
        }));
    }
    conditions.extend(offers::operations(catalogue, all).0);
    conditions.push(reference("operation"));
    json!({
        "title": "A step",
        "description": "A node of the flow. What it does is said by one key; all others go with that.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "allOf": conditions,
    })
}

/// The keys that a step of this kind takes.
fn names(kind: &step::Kind) -> impl Iterator<Item = &'static str> {
    COMMON.iter().chain(kind.keys).map(|key| key.name).chain([kind.main.name])
}

fn elsewhere() -> Schema {
    let one = |key: &str, about: &str| {
        json!({
            "type": "object",
            "properties": { key: { "type": "string", "description": about } },
            "required": [key],
            "additionalProperties": false,
        })
    };
    json!({
        "description": "Kept elsewhere: in an environment variable, or in a file.",
        "anyOf": [
            one("env", "The name of an environment variable; also one in the file `.env` beside the configuration."),
            one("file", "The path of a file, relative to the configuration."),
        ],
    })
}
