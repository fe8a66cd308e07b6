//! Variables: typed settings that flows read.

use std::collections::{BTreeMap, BTreeSet};

use cosell_model::flow::ValueType;
use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Diagnostic, Node, Span, Spanned, Value};

use crate::read::fields::{Fields, Findings, wrong_form};
use crate::read::flow::value_type;
use crate::read::words;
use crate::source::{Layer, Sources};
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
    /// Where its name stands in its declaration.
    pub declared: Span,
}

/// A value set for a variable that cannot have it.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingError {
    /// The name it was set for.
    pub name: String,
    /// What is wrong.
    pub message: String,
    /// What may have been meant instead.
    pub help: Option<String>,
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
    let mut variable = Variable {
        title: entry.key.value.clone(),
        description: None,
        kind: ValueType::Any,
        default: Value::Null,
        current: Value::Null,
        declared: entry.key.span,
    };
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

/// Reports the user's variables that nothing mentions, not even with a slip in the name: then that was reported. What is
/// shipped is for shipped flows, also where the user declares it anew.
pub(crate) fn unused(files: &[(Layer, Node)], sources: &Sources, findings: &mut Findings) {
    let of_layer = |wanted: Layer| {
        let files = files.iter().filter(move |(layer, _)| *layer == wanted);
        files.filter_map(|(_, node)| node.get("variables")?.entries()).flatten().map(|entry| &entry.key)
    };
    let shipped: Vec<&str> = of_layer(Layer::Shipped).map(|key| &*key.value).collect();
    for Spanned { value: name, span } in of_layer(Layer::Own).filter(|key| !shipped.contains(&&*key.value)) {
        let meant = |finding: &Diagnostic| {
            let suggested = finding.help.as_ref().is_some_and(|help| help.contains(&format!("`{name}`")));
            let is_here = finding.primary.span == *span || finding.context.iter().any(|label| label.span == *span);
            is_here || finding.code == "unknown-variable" && suggested
        };
        if !sources.iter().any(|(_, file)| mentions(&file.text, name)) && !findings.iter().any(meant) {
            findings.push(
                Diagnostic::error(
                    "unused-variable",
                    format!("nothing mentions the variable `{name}`"),
                    *span,
                    "not used",
                )
                .help(format!("mention it as `vars.{name}`, or take its declaration away"))
                .warning(),
            );
        }
    }
}

/// Whether a text mentions a variable: `vars.name` or `vars['name']`.
fn mentions(text: &str, name: &str) -> bool {
    let ends = |at: usize| !text[at..].starts_with(|char: char| char.is_ascii_alphanumeric() || char == '_');
    let plain = format!("vars.{name}");
    text.match_indices(&plain).any(|(at, _)| ends(at + plain.len()))
        || ['\'', '"'].iter().any(|quote| text.contains(&format!("vars[{quote}{name}{quote}]")))
}

/// The names of all variables that a file mentions, also such as there are none of.
pub(crate) fn mentioned_in<'n>(node: &'n Node, names: &mut BTreeSet<&'n str>) {
    match &node.kind {
        NodeKind::Text(text) => names.extend(named(text)),
        NodeKind::List(items) => items.iter().for_each(|item| mentioned_in(item, names)),
        NodeKind::Map(entries) => {
            for entry in entries {
                names.extend(named(&entry.key.value));
                mentioned_in(&entry.value, names);
            }
        }
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => {}
    }
}

/// The names in `vars.name` and `vars['name']`, wherever they stand in a text.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split("vars").skip(1).filter_map(|rest| {
        if let Some(rest) = rest.strip_prefix('.') {
            let ends = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_');
            return Some(&rest[..ends.unwrap_or(rest.len())]);
        }
        let rest = rest.strip_prefix('[')?;
        let quote = rest.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
        rest[1..].split(quote).next()
    })
}

/// Sets current values, by name.
pub(crate) fn set(declared: &mut BTreeMap<String, Variable>, values: &BTreeMap<String, Value>) -> Vec<SettingError> {
    let mut errors = Vec::new();
    for (name, value) in values {
        match (refuse(declared, name, value), declared.get_mut(name)) {
            (None, Some(variable)) => variable.current = value.clone(),
            (error, _) => errors.extend(error),
        }
    }
    errors
}

/// Why the variable `name` cannot have `value`; none where it can.
pub fn refuse(declared: &BTreeMap<String, Variable>, name: &str, value: &Value) -> Option<SettingError> {
    let Some(variable) = declared.get(name) else {
        let help = did_you_mean(name, declared.keys().map(String::as_str));
        return Some(SettingError { name: name.to_owned(), message: format!("there is no variable `{name}`"), help });
    };
    if variable.kind.admits(value) {
        return None;
    }
    let kind = words::type_in_words(variable.kind);
    let message = format!("variable `{name}` (\"{}\") is {kind}, and {value} is not", variable.title);
    Some(SettingError { name: name.to_owned(), message, help: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_mentions_is_known_by_name() {
        let text = "${{ vars.one + vars['two'] }} vars.three_3's vars[\"four\"] vars [x] vars";
        assert_eq!(named(text).collect::<Vec<_>>(), ["one", "two", "three_3", "four"]);
        for name in named(text) {
            assert!(mentions(text, name), "{name}");
        }
    }
}
