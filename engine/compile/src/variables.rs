//! Variables: typed settings that flows read.

use std::collections::BTreeMap;

use cosell_model::flow::ValueType;
use cosell_model::node::Entry;
use cosell_model::{Diagnostic, Node, Span, Value};

use crate::read::fields::{Fields, Findings, wrong_form};
use crate::read::flow::value_type;
use crate::read::words;
use crate::source::Layer;
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

/// Where each variable was declared, and by whose file.
pub(crate) type Places = BTreeMap<String, (Layer, Span)>;

/// Reads a file of variables into `declared`.
pub(crate) fn read(
    node: &Node,
    layer: Layer,
    declared: &mut BTreeMap<String, Variable>,
    places: &mut Places,
    findings: &mut Findings,
) {
    let Some(mut fields) = Fields::of(node, "a file of variables", findings) else { return };
    let variables = fields.take("variables");
    fields.finish(findings);
    let Some(variables) = variables else { return };
    let Some(entries) = variables.entries() else {
        findings.push(wrong_form(variables, "`variables`", "a map of variables by name"));
        return;
    };
    for entry in entries {
        let known = places.insert(entry.key.value.clone(), (layer, entry.key.span));
        if let Some((_, first)) = known.filter(|(known, _)| *known == layer) {
            let message = format!("two variables are called `{}`", entry.key.value);
            findings.push(
                Diagnostic::error("duplicate-name", message, entry.key.span, "again here")
                    .also(first, "first here")
                    .help("a variable is declared once; only a user's file may declare a shipped one anew"),
            );
        }
        declared.insert(entry.key.value.clone(), variable(entry, findings));
    }
}

/// What could not be read stays open, so that flows are not told that there is no such variable.
fn variable(entry: &Entry, findings: &mut Findings) -> Variable {
    words::identifier(&entry.key, "a variable", findings);
    let title = entry.key.value.clone();
    let mut variable =
        Variable { title, description: None, kind: ValueType::Any, default: Value::Null, current: Value::Null };
    let Some(mut fields) = Fields::of(&entry.value, "a variable", findings) else { return variable };
    if let Some(title) = fields.take("title").and_then(|node| words::text(node, "`title`", findings)) {
        variable.title = title;
    }
    variable.description = fields.take("description").and_then(|node| words::text(node, "`description`", findings));
    if let Some(kind) = fields.require("type", findings).and_then(|node| value_type(node, findings)) {
        variable.kind = kind;
    }
    let default = fields.require("default", findings);
    fields.finish(findings);
    if let Some(default) = default {
        variable.default = default.to_value();
        variable.current = variable.default.clone();
        if !variable.kind.admits(&variable.default) {
            findings.push(wrong_form(
                default,
                &format!("the default of `{}`", entry.key.value),
                words::type_in_words(variable.kind),
            ));
        }
    }
    variable
}

/// Sets current values, by name.
pub(crate) fn set(declared: &mut BTreeMap<String, Variable>, values: &BTreeMap<String, Value>) -> Vec<SettingError> {
    let mut errors = Vec::new();
    for (name, value) in values {
        let known: Vec<String> = declared.keys().cloned().collect();
        match declared.get_mut(name) {
            None => {
                let near = did_you_mean(name, known.iter().map(String::as_str))
                    .map_or(String::new(), |near| format!("; {near}"));
                errors
                    .push(SettingError { name: name.clone(), message: format!("there is no variable `{name}`{near}") });
            }
            Some(variable) if !variable.kind.admits(value) => errors.push(SettingError {
                name: name.clone(),
                message: format!("variable `{name}` is {}, and {value} is not", words::type_in_words(variable.kind)),
            }),
            Some(variable) => variable.current = value.clone(),
        }
    }
    errors
}
