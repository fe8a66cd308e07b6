//! Variables: typed settings that flows read.

use std::collections::BTreeMap;

use cosell_model::flow::ValueType;
use cosell_model::node::Entry;
use cosell_model::{Node, Value};

use crate::read::fields::{Fields, Findings, wrong_form};
use crate::read::flow::value_type;
use crate::read::words;
use crate::suggest::did_you_mean;

/// A declared variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its title for people.
    pub title: String,
    /// What it means.
    pub description: Option<String>,
    /// Its type.
    pub kind: ValueType,
    /// Its value where none is set.
    pub default: Value,
    /// Its value now.
    pub current: Value,
}

/// A value set for a variable that cannot have it.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingError {
    /// The name it was set for.
    pub name: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Reads a file of variables into `declared`.
pub(crate) fn read(node: &Node, declared: &mut BTreeMap<String, Variable>, findings: &mut Findings) {
    let Some(mut fields) = Fields::of(node, "a file of variables", findings) else { return };
    let variables = fields.take("variables");
    fields.finish(findings);
    let Some(entries) = variables.and_then(Node::entries) else {
        findings.push(wrong_form(node, "`variables`", "a map of variables by name"));
        return;
    };
    for entry in entries {
        if let Some(variable) = variable(entry, findings) {
            declared.insert(entry.key.value.clone(), variable);
        }
    }
}

fn variable(entry: &Entry, findings: &mut Findings) -> Option<Variable> {
    words::identifier(&entry.key, "a variable", findings);
    let mut fields = Fields::of(&entry.value, "a variable", findings)?;
    let title = fields.take("title").and_then(|node| words::text(node, "`title`", findings));
    let description = fields.take("description").and_then(|node| words::text(node, "`description`", findings));
    let kind = fields.require("type", findings).and_then(|node| value_type(node, findings));
    let default = fields.require("default", findings);
    fields.finish(findings);
    let (kind, default) = (kind?, default?);
    let value = default.to_value();
    if !kind.admits(&value) {
        findings.push(wrong_form(default, &format!("the default of `{}`", entry.key.value), kind.as_str()));
    }
    let title = title.unwrap_or_else(|| entry.key.value.clone());
    Some(Variable { title, description, kind, current: value.clone(), default: value })
}

/// Sets current values, by name.
pub(crate) fn set(declared: &mut BTreeMap<String, Variable>, values: &BTreeMap<String, Value>) -> Vec<SettingError> {
    let mut errors = Vec::new();
    for (name, value) in values {
        let known: Vec<String> = declared.keys().cloned().collect();
        match declared.get_mut(name) {
            None => {
                let near = did_you_mean(name, known.iter().map(String::as_str)).map_or(String::new(), |near| format!("; {near}"));
                errors.push(SettingError { name: name.clone(), message: format!("there is no variable `{name}`{near}") });
            }
            Some(variable) if !variable.kind.admits(value) => errors.push(SettingError {
                name: name.clone(),
                message: format!("variable `{name}` is {}, and {value} is not", variable.kind.as_str()),
            }),
            Some(variable) => variable.current = value.clone(),
        }
    }
    errors
}
