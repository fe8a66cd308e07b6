//! A mapping file.

use std::collections::BTreeMap;

use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Diagnostic, Node, Spanned, Value, ids};

use super::form::Form;
use super::{Field, Mapping, Row};
use crate::expr::path::Segment;
use crate::read::fields::{Fields, Findings, list, wrong_form};
use crate::read::words::{self, KEBAB};
use crate::resolve::constant_text;
use crate::suggest::nearest;

/// Reads a mapping file; `variables` are the current values that paths may come from.
pub(crate) fn mapping(node: &Node, variables: &BTreeMap<String, Value>, findings: &mut Findings) -> Option<Mapping> {
    let mut fields = Fields::of(node, "a mapping", findings)?;
    let name = fields.require("mapping", findings)?;
    let name = Spanned::new(words::text(name, "the mapping's name", findings)?, name.span);
    words::name(&name, "a mapping", ids::is_kebab, KEBAB, findings);
    let title = fields.take("title").and_then(|node| words::text(node, "`title`", findings));
    fields.take("description").and_then(|node| words::text(node, "`description`", findings));
    let sides = fields.require("between", findings).and_then(|node| sides(node, findings));
    let rows = fields.require("rows", findings);
    fields.finish(findings);
    let (sides, rows) = (sides?, rows?);
    let Some(entries) = rows.entries() else {
        findings.push(wrong_form(rows, "`rows`", "a map of rows by name"));
        return None;
    };
    let rows: Vec<Row> = entries.iter().filter_map(|entry| row(entry, &sides, variables, findings)).collect();
    written_twice(&rows, entries, &sides, findings);
    Some(Mapping { title: title.unwrap_or_else(|| name.value.clone()), name: name.value, sides, rows })
}

fn sides(node: &Node, findings: &mut Findings) -> Option<[String; 2]> {
    let names: Vec<String> = node.items().unwrap_or_default().iter().filter_map(|n| n.text().map(str::to_owned)).collect();
    match <[String; 2]>::try_from(names) {
        Ok(sides) if sides[0] != sides[1] && sides.iter().all(|side| ids::is_identifier(side)) => Some(sides),
        _ => {
            findings.push(wrong_form(node, "`between`", "a list of two different names, such as `[referral, opportunity]`"));
            None
        }
    }
}

fn row(entry: &Entry, sides: &[String; 2], variables: &BTreeMap<String, Value>, findings: &mut Findings) -> Option<Row> {
    words::identifier(&entry.key, "a row", findings);
    let node = &entry.value;
    if node.entries().is_none() {
        findings.push(wrong_form(node, "a row", "a map"));
        return None;
    }
    let side = |side: &str, findings: &mut Findings| match node.get(side) {
        Some(given) => field(given, variables, findings),
        None => {
            findings.push(
                Diagnostic::error("missing-field", format!("row `{}` needs `{side}`", entry.key.value), entry.key.span, format!("`{side}` is missing"))
                    .help(format!("a row has a path for each side: {}", list(sides))),
            );
            None
        }
    };
    let fields = [side(&sides[0], findings), side(&sides[1], findings)];
    let title = node.get("title").and_then(|node| words::text(node, "`title`", findings));
    let only_to = node.get("only_to").and_then(|node| {
        let found = sides.iter().position(|side| node.text() == Some(side));
        if found.is_none() {
            findings.push(wrong_form(node, "`only_to`", &format!("one of {}", list(sides))));
        }
        found
    });
    let keep_when_empty = match node.get("when_empty").map(|node| (node, node.text())) {
        None | Some((_, Some("clear"))) => false,
        Some((_, Some("keep"))) => true,
        Some((node, _)) => {
            findings.push(wrong_form(node, "`when_empty`", "`clear` or `keep`"));
            false
        }
    };
    let values = node.get("values").and_then(|node| values(node, findings));
    unknown_keys(node, sides, findings);
    let [Some(left), Some(right)] = fields else { return None };
    let id = entry.key.value.clone();
    Some(Row { title: title.unwrap_or_else(|| id.replace('_', " ")), id, fields: [left, right], only_to, values, keep_when_empty })
}

fn unknown_keys(node: &Node, sides: &[String; 2], findings: &mut Findings) {
    let known = ["title", "only_to", "when_empty", "values", "description", &sides[0], &sides[1]];
    for entry in node.entries().unwrap_or_default().iter().filter(|entry| !known.contains(&entry.key.value.as_str())) {
        let help = nearest(&entry.key.value, known)
            .map_or_else(|| format!("a row takes {}", list(&known)), |near| format!("did you mean `{near}`?"));
        let message = format!("a row has no `{}`", entry.key.value);
        findings.push(Diagnostic::error("unknown-key", message, entry.key.span, "unknown key").help(help));
    }
}

/// `details.notes`, or `{ path: details.notes, as: text, length: 2000, default: … }`.
fn field(node: &Node, variables: &BTreeMap<String, Value>, findings: &mut Findings) -> Option<Field> {
    if node.entries().is_none() {
        return Some(Field { path: path(node, variables, findings)?, form: Form::Any, default: None });
    }
    let mut fields = Fields::of(node, "a field", findings)?;
    let path = fields.require("path", findings).and_then(|node| path(node, variables, findings));
    let form = fields.take("as").map(|node| form(node, findings));
    let length = fields.take("length").map(|node| (node, words::whole(node, "`length`", 1, 1_048_576, findings)));
    let default = fields.take("default").map(Node::to_value);
    fields.finish(findings);
    let form = match (form.unwrap_or(Some(Form::Any))?, length) {
        (Form::Any | Form::Text { .. }, Some((_, Some(length)))) => Form::Text { length: Some(length) },
        (form, Some((node, Some(_)))) => {
            findings.push(wrong_form(node, "`length`", "given for text only").help(format!("this field is {}", form.describe())));
            form
        }
        (form, _) => form,
    };
    Some(Field { path: path?, form, default })
}

fn form(node: &Node, findings: &mut Findings) -> Option<Form> {
    let text = words::text(node, "`as`", findings)?;
    let found = Form::WORDS.into_iter().find(|(word, _)| *word == text).map(|(_, form)| form);
    if found.is_none() {
        let known = Form::WORDS.map(|(word, _)| word);
        let help = nearest(&text, known).map_or_else(|| format!("a form is {}", list(&known)), |near| format!("did you mean `{near}`?"));
        findings.push(Diagnostic::error("unknown-form", format!("there is no form `{text}`"), node.span, "unknown form").help(help));
    }
    found
}

fn path(node: &Node, variables: &BTreeMap<String, Value>, findings: &mut Findings) -> Option<Vec<Segment>> {
    let text = constant_text(node, "a path", variables, findings)?;
    let right = !text.is_empty() && text.split('.').all(|name| !name.is_empty() && !name.contains(char::is_whitespace));
    if !right {
        findings.push(wrong_form(node, "a path", "names joined by dots, such as `details.notes`"));
    }
    right.then(|| text.split('.').map(|name| Segment::Key(name.into())).collect())
}

/// `{ Won: 3, Lost: 5 }`: pairs of equal meaning.
fn values(node: &Node, findings: &mut Findings) -> Option<Vec<[Value; 2]>> {
    let NodeKind::Map(entries) = &node.kind else {
        findings.push(wrong_form(node, "`values`", "a map from the left side's values to the right side's"));
        return None;
    };
    Some(entries.iter().map(|entry| [entry.key_value.clone(), entry.value.to_value()]).collect())
}

/// Two rows that write one field would undo each other.
fn written_twice(rows: &[Row], entries: &[Entry], sides: &[String; 2], findings: &mut Findings) {
    for (at, row) in rows.iter().enumerate() {
        for side in 0..2 {
            let writes = |row: &Row| row.only_to.is_none_or(|to| to == side);
            let twin = rows[..at].iter().find(|other| writes(other) && writes(row) && other.fields[side].path == row.fields[side].path);
            let place = |id: &str| entries.iter().find(|e| e.key.value == id).map(|e| e.key.span);
            if let (Some(twin), Some(span)) = (twin, place(&row.id)) {
                let message = format!("rows `{}` and `{}` both write `{}` of the {}", twin.id, row.id, row.fields[side].path_text(), sides[side]);
                let mut finding = Diagnostic::error("written-twice", message, span, "writes it again")
                    .help(format!("let one of them go one way only: `only_to: {}`", sides[1 - side]));
                if let Some(first) = place(&twin.id) {
                    finding = finding.also(first, "writes it first");
                }
                findings.push(finding);
            }
        }
    }
}
