//! JSON Schemas (draft 2020-12) of the files that people write, for editors.
//!
//! `flow`, `step`, `mapping` and `configuration` are the tables of keys, in the form that `table` gives them; `draw` makes
//! schemas of them, and `offers` adds what connectors offer. That the tables have the keys that the compiler takes, and no
//! others, is a test.

mod configuration;
mod draw;
mod flow;
mod mapping;
mod offers;
mod step;
mod table;
#[cfg(test)]
mod tests;

use cosell_model::{Catalogue, Schema};
use serde_json::{Map, Value, json};

use draw::{Definitions, reference};
use step::{COMMON, KINDS};

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
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Flow, Kind::Mapping, Kind::Variables, Kind::Configuration];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Flow => "flow",
            Kind::Mapping => "mapping",
            Kind::Variables => "variables",
            Kind::Configuration => "configuration",
        }
    }
}

/// The schema of a kind of file. Whatever the compiler takes is valid by it; what only the compiler can know, such as which
/// steps there are, is not in it. A file that is merged over a shipped one need not be whole, so little is required.
pub fn of(kind: Kind, catalogue: &Catalogue) -> Schema {
    let mut all = Definitions::with_expressions();
    let mut schema = match kind {
        Kind::Flow => flow_file(catalogue, &mut all),
        Kind::Mapping => all.table(&mapping::MAPPING),
        Kind::Variables => all.table(&mapping::VARIABLES),
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

fn flow_file(catalogue: &Catalogue, all: &mut Definitions) -> Schema {
    let schema = all.table(&flow::FLOW);
    let conditions = offers::triggers(catalogue, all);
    for table in ["trigger", "also"] {
        all.0[table]["allOf"] = json!(conditions);
    }
    all.add("block", || {
        json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$" },
            "additionalProperties": reference("step"),
        })
    });
    let step = step(catalogue, all);
    all.add("step", || step);
    schema
}

/// A step of any kind. The keys of each kind are offered once its own key is there.
fn step(catalogue: &Catalogue, all: &mut Definitions) -> Schema {
    let mains = KINDS.iter().map(|kind| &kind.main);
    let mut properties = all.keys(COMMON.iter().chain(mains));
    let mut conditions = Vec::new();
    for kind in &KINDS {
        let own = all.keys(kind.keys.iter());
        // A part of a step, in a file that is merged over a shipped one, does not say of which kind the step is.
        for name in own.keys() {
            properties.entry(name.clone()).or_insert_with(|| json!({}));
        }
        let names: Vec<&str> = names(kind).collect();
        conditions.push(json!({
            "if": { "required": [kind.main.name] },
            "then": { "title": kind.title, "properties": own, "propertyNames": { "enum": names } },
        }));
    }
    conditions.extend(offers::operations(catalogue, all));
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
