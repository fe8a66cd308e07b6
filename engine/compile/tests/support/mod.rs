//! What the tests share: a small catalogue, and short ways to compile with it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its part")]

pub mod corpus;

use std::borrow::Cow;
use std::collections::BTreeMap;

use cosell_compile::expr::path::{Root, Scope};
use cosell_compile::plan::Action;
use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{Compilation, compile};
use cosell_model::catalogue::{ConnectorDescription, Delivery, Limits};
use cosell_model::tables::Metadata;
use cosell_model::{Catalogue, Effect, FlowId, OperationDescription, Schema, TriggerDescription, Value};
use serde_json::json;

fn operation(name: &str, effect: Effect, input: Schema, output: Schema) -> OperationDescription {
    OperationDescription {
        name: name.into(),
        title: name.into(),
        description: String::new(),
        effect,
        input,
        output,
        example: json!({}),
        finds_out: None,
    }
}

fn connector(
    name: &str,
    operations: Vec<OperationDescription>,
    triggers: Vec<TriggerDescription>,
) -> ConnectorDescription {
    let settings = json!({ "type": "object" });
    ConnectorDescription {
        name: name.into(),
        title: name.into(),
        description: String::new(),
        settings,
        operations,
        triggers,
        limits: Limits::default(),
    }
}

/// A connector `crm` for rows that hold more than their schema lists, and `pc` for referrals that do not.
pub fn catalogue() -> Catalogue {
    let table = json!({ "type": "string", "enum": ["lead", "opportunity", "account"] });
    let row = json!({
        "type": "object",
        "additionalProperties": true,
        "properties": {
            "name": { "type": "string" },
            "estimatedvalue": { "type": ["number", "null"] },
            "ownerid": { "type": "object", "properties": { "id": { "type": "string" }, "table": { "type": "string" } } },
        },
    });
    let where_is = json!({
        "type": "object",
        "properties": { "table": table, "id": { "type": "string" } },
        "required": ["table", "id"],
    });
    let changed = json!({
        "type": "object",
        "properties": { "table": table, "id": { "type": "string" }, "values": { "$ref": "#/$defs/Values" }, "if_match": { "type": "string" } },
        "required": ["table", "id", "values"],
        "$defs": { "Values": { "type": "object", "additionalProperties": true } },
        "additionalProperties": true,
    });
    let created = json!({
        "type": "object",
        "properties": {
            "table": table,
            "values": { "$ref": "#/$defs/Values" },
            "options": { "anyOf": [{ "$ref": "#/$defs/Options" }, { "type": "null" }] },
        },
        "required": ["table", "values"],
        "$defs": {
            "Values": { "type": "object" },
            "Options": {
                "type": "object",
                "properties": {
                    "silent": { "type": "boolean" },
                    "retries": { "type": ["integer", "null"] },
                    "mode": { "oneOf": [{ "const": "quick" }, { "const": "careful" }] },
                    "level": { "enum": [1, 2, 3] },
                },
            },
        },
    });
    let crm = vec![
        operation("get_row", Effect::Read, where_is.clone(), row.clone()),
        operation(
            "find_row",
            Effect::Read,
            json!({
                "type": "object",
                "properties": { "table": table, "where": { "type": "object" } },
                "required": ["table", "where"],
            }),
            json!({ "anyOf": [row, { "type": "null" }] }),
        ),
        operation(
            "create_row",
            Effect::Write,
            created,
            json!({ "type": "object", "properties": { "id": { "type": "string" } } }),
        ),
        operation("update_row", Effect::Write, changed, json!({ "type": "object", "properties": {} })),
    ];
    let referral = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "type": { "type": "string" },
            "details": { "$ref": "#/$defs/Details" },
            "consent": { "anyOf": [{ "$ref": "#/$defs/Consent" }, { "type": "null" }] },
        },
        "$defs": {
            "Details": {
                "type": "object",
                "properties": {
                    "notes": { "type": ["string", "null"] },
                    "dealValue": { "type": "number" },
                    "team": { "type": "array", "items": { "type": "object", "properties": { "firstName": {}, "lastName": {} } } },
                },
            },
            "Consent": { "type": "object", "properties": { "given": { "type": "boolean" } } },
        },
    });
    let id = json!({ "type": "object", "properties": { "id": { "type": "string" } }, "required": ["id"] });
    let received = TriggerDescription {
        name: "received".into(),
        title: "received".into(),
        description: String::new(),
        delivery: Delivery::Webhook,
        input: json!({
            "type": "object",
            "properties": { "events": { "type": "array", "items": { "enum": ["created", "updated", "deleted"] } } },
            "required": ["events"],
        }),
        output: json!({ "type": "object", "properties": { "referral_id": { "type": "string" }, "event": { "type": "string" } } }),
    };
    let asked = TriggerDescription {
        name: "asked".into(),
        title: "asked".into(),
        description: String::new(),
        delivery: Delivery::Poll,
        input: json!({ "type": "object", "properties": { "filter": { "type": "string" } } }),
        output: json!({ "type": "object", "properties": { "referral_id": { "type": "string" }, "event": {}, "version": {} } }),
    };
    let with = |columns: &str, names: &str| {
        json!({
            "type": "object",
            "properties": {
                "table": { "type": "string", "x-names": "table" },
                "id": { "type": "string" },
                columns: { "x-names": names },
                "cut": { "type": "array", "items": { "type": "string" }, "x-names": "columns" },
            },
            "required": ["table"],
        })
    };
    let rows = vec![
        operation("get_row", Effect::Read, with("select", "columns"), json!({ "type": "object" })),
        operation("create_row", Effect::Write, with("values", "new_columns"), json!({ "type": "object" })),
        operation("update_row", Effect::Write, with("values", "changed_columns"), json!({ "type": "object" })),
    ];
    let pc = vec![operation("get_referral", Effect::Read, id, referral)];
    Catalogue::new([
        connector("crm", crm, Vec::new()),
        connector("rows", rows, Vec::new()),
        connector("pc", pc, vec![received, asked]),
    ])
}

/// A file that comes with the program.
pub fn shipped(path: &str, text: impl Into<String>) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.into(), layer: Layer::Shipped }
}

/// A file of the user's.
pub fn own(path: &str, text: impl Into<String>) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.into(), layer: Layer::Own }
}

/// Compiles with the catalogue above, with no variable set.
pub fn compiled(files: Vec<SourceFile>) -> Compilation {
    compile(files, &catalogue(), &BTreeMap::new())
}

/// What a CRM says of its tables, as the connection `name` has it.
pub fn metadata(name: &str) -> Metadata {
    let tables = include_str!("../../../../tests/support/tables.json");
    Metadata { connections: BTreeMap::from([(name.to_owned(), serde_json::from_str(tables).unwrap())]) }
}

/// What the trigger brought, and nothing else.
struct Brought(Value);

impl Scope for Brought {
    fn value(&self, root: Root) -> Cow<'_, Value> {
        match root {
            Root::Trigger => Cow::Borrowed(&self.0),
            _ => Cow::Owned(Value::Null),
        }
    }
}

/// The findings' messages, or what comes out of `value`, a piece of YAML, with `data` as `trigger`.
pub fn value(value: &str, data: &Value) -> Result<Value, String> {
    let indented = value.replace('\n', "\n      ");
    let text = format!("flow: case\ntrigger: manual\nsteps:\n  step:\n    let:\n      value: {indented}\n");
    let variables = "variables:\n  text: { type: text, default: Größe }\n  list: { type: list, default: [1, 2.0, null] }\n  nothing: { type: text, default: null }\n";
    let compiled = compiled(vec![shipped("case.yaml", text), shipped("variables.yaml", variables)]);
    if !compiled.diagnostics.is_empty() {
        let messages: Vec<String> = compiled.diagnostics.into_iter().map(|finding| finding.message).collect();
        return Err(messages.join("; "));
    }
    let plan = &compiled.plans[&FlowId::new("case")];
    let Action::Let(template) = &plan.step(plan.find("step").unwrap()).action else { unreachable!() };
    let made = template.render(&Brought(data.clone())).map_err(|error| error.message)?;
    Ok(made["value"].clone())
}

/// The same for one expression.
pub fn expression(source: &str, data: &Value) -> Result<Value, String> {
    value(&format!("'${{{{ {} }}}}'", source.replace('\'', "''")), data)
}
