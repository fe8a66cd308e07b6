//! A mapping file.

use std::collections::BTreeMap;

use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Catalogue, Diagnostic, Node, Spanned, Value, ids};

use super::form::Form;
use super::{Field, Mapping, Row, records};
use crate::expr::path::Segment;
use crate::read::fields::{self, Fields, Findings, either, list, wrong_form};
use crate::read::words::{self, KEBAB};
use crate::source::Sources;
use crate::suggest::nearest;
use crate::values::constant_text;

/// What a row can say beside the paths of its two sides.
pub(crate) const ROW: [&str; 7] = ["title", "description", "only_to", "when_empty", "values", "wins", "final_in"];

/// What `wins` says beside the name of a side.
const NEWEST: &str = "newest";

/// What mappings are read with.
#[derive(Clone, Copy)]
pub(crate) struct Given<'g> {
    pub(crate) catalogue: &'g Catalogue,
    pub(crate) sources: &'g Sources,
    /// Current values of the variables that paths may come from.
    pub(crate) variables: &'g BTreeMap<String, Value>,
}

/// Reads a mapping file.
pub(crate) fn mapping(node: &Node, given: Given<'_>, findings: &mut Findings) -> Option<Mapping> {
    let mut fields = Fields::of(node, "a mapping", findings)?;
    let name = fields.require("mapping", findings)?;
    let name = Spanned::new(words::text(name, "the mapping's name", findings)?, name.span);
    words::name(&name, "a mapping", ids::is_kebab, KEBAB, findings);
    let title = fields.take("title").and_then(|node| words::text(node, "`title`", findings));
    fields.take("description").and_then(|node| words::text(node, "`description`", findings));
    let sides = fields.require("between", findings).and_then(|node| sides(node, findings));
    let records = fields.take("records");
    let rows = fields.require("rows", findings);
    fields.finish(findings);
    let (sides, rows) = (sides?, rows?);
    let Some(entries) = rows.entries() else {
        findings.push(wrong_form(rows, "`rows`", "a map of rows by name"));
        return None;
    };
    let records = records.map_or([None, None], |node| records::read(node, &sides, given, findings));
    let table = rows;
    let rows: Vec<Row> = entries.iter().filter_map(|entry| row(entry, &sides, given, findings)).collect();
    written_twice(&rows, entries, &sides, findings);
    for (side, record) in records.iter().enumerate() {
        if let Some(record) = record {
            records::check(&rows, side, record, (&sides[side], table), given.catalogue, findings);
        }
    }
    Some(Mapping { title: title.unwrap_or_else(|| name.value.clone()), name: name.value, sides, records, rows })
}

/// The names of the two sides.
pub(crate) fn sides(node: &Node, findings: &mut Findings) -> Option<[String; 2]> {
    let names: Vec<String> =
        node.items().unwrap_or_default().iter().filter_map(|n| n.text().map(str::to_owned)).collect();
    let taken = ROW.into_iter().chain([NEWEST]).collect::<Vec<_>>();
    let right = |side: &String| ids::is_identifier(side) && !taken.contains(&side.as_str());
    match <[String; 2]>::try_from(names) {
        Ok(sides) if sides[0] != sides[1] && sides.iter().all(right) => Some(sides),
        _ => {
            findings.push(
                wrong_form(node, "`between`", "a list of two different names, such as `[referral, opportunity]`").help(
                    format!("they are the keys of the two paths in each row, so they cannot be {}", either(&taken)),
                ),
            );
            None
        }
    }
}

fn row(entry: &Entry, sides: &[String; 2], given: Given<'_>, findings: &mut Findings) -> Option<Row> {
    words::identifier(&entry.key, "a row", findings);
    let node = &entry.value;
    if node.entries().is_none() {
        findings.push(wrong_form(node, "a row", "a map"));
        return None;
    }
    let misspelt = unknown_keys(node, sides, findings);
    let side = |side: &String, findings: &mut Findings| match node.get(side) {
        Some(node) => field(node, given, findings),
        None => {
            if !misspelt.contains(&side.as_str()) {
                let message = format!("row `{}` needs `{side}`", entry.key.value);
                findings.push(
                    Diagnostic::error("missing-field", message, entry.key.span, format!("`{side}` is missing"))
                        .help(format!("a row has a path for each side: {}", list(sides))),
                );
            }
            None
        }
    };
    let fields = [side(&sides[0], findings), side(&sides[1], findings)];
    let title = node.get("title").and_then(|node| words::text(node, "`title`", findings));
    node.get("description").and_then(|node| words::text(node, "`description`", findings));
    let only_to = one_side(node, "only_to", sides, findings);
    let final_in = one_side(node, "final_in", sides, findings);
    let wins = wins(node, sides, findings);
    decides_nothing(&entry.key, node, findings);
    let keep_when_empty = match node.get("when_empty").map(|node| (node, node.text())) {
        None | Some((_, Some("clear"))) => false,
        Some((_, Some("keep"))) => true,
        Some((node, _)) => {
            findings.push(wrong_form(node, "`when_empty`", "`clear` or `keep`"));
            false
        }
    };
    let [Some(left), Some(right)] = fields else { return None };
    let fields = [left, right];
    let values = node.get("values").and_then(|node| values(node, &fields, findings));
    defaults_in_table(node, sides, &fields, values.as_deref(), findings);
    let id = entry.key.value.clone();
    Some(Row {
        title: title.unwrap_or_else(|| id.replace('_', " ")),
        place: given.sources.place(entry.key.span),
        id,
        fields,
        only_to,
        values,
        keep_when_empty,
        wins,
        final_in,
    })
}

/// A key of a row that names a side.
fn one_side(node: &Node, key: &str, sides: &[String; 2], findings: &mut Findings) -> Option<usize> {
    let node = node.get(key)?;
    let found = sides.iter().position(|side| node.text() == Some(side));
    if found.is_none() {
        findings.push(wrong_form(node, &format!("`{key}`"), &either(sides)));
    }
    found
}

/// The side whose value is kept where both have changed; none is the newest.
fn wins(row: &Node, sides: &[String; 2], findings: &mut Findings) -> Option<usize> {
    let node = row.get("wins").filter(|node| node.text() != Some(NEWEST))?;
    let found = sides.iter().position(|side| node.text() == Some(side));
    if found.is_none() {
        let [left, right] = sides;
        findings.push(wrong_form(node, "`wins`", &either(&[left, right, NEWEST])));
    }
    found
}

/// A row that goes one way has nothing to choose between its sides.
fn decides_nothing(id: &Spanned<String>, row: &Node, findings: &mut Findings) {
    let entry = |key: &str| row.entries().unwrap_or_default().iter().find(|entry| entry.key.value == key);
    let Some(only_to) = entry("only_to") else { return };
    for entry in ["wins", "final_in"].into_iter().filter_map(entry) {
        let key = &entry.key.value;
        let message = format!("row `{}` goes one way only, so `{key}` decides nothing", id.value);
        findings.push(
            Diagnostic::error("decides-nothing", message, entry.key.span, "without effect")
                .also(only_to.key.span, "one way only")
                .help(format!("leave out `{key}`, or `only_to` where both sides may be written")),
        );
    }
}

/// Reports keys that a row does not have; gives those that were meant instead.
fn unknown_keys<'s>(node: &Node, sides: &'s [String; 2], findings: &mut Findings) -> Vec<&'s str> {
    let known: Vec<&'s str> = sides.iter().map(String::as_str).chain(ROW).collect();
    let mut meant = Vec::new();
    for entry in node.entries().unwrap_or_default().iter().filter(|entry| !known.contains(&entry.key.value.as_str())) {
        let (near, help) = fields::meant(&entry.key.value, &known, |key| node.get(key).is_some());
        meant.extend(near);
        let help = help.unwrap_or_else(|| format!("a row takes {}", list(&known)));
        let message = format!("a row has no `{}`", entry.key.value);
        findings.push(Diagnostic::error("unknown-key", message, entry.key.span, "unknown key").help(help));
    }
    meant
}

/// `details.notes`, or `{ path: details.notes, as: text, length: 2000, default: … }`.
fn field(node: &Node, given: Given<'_>, findings: &mut Findings) -> Option<Field> {
    if node.entries().is_none() {
        let path = path(node, given, findings)?;
        return Some(Field { column: column_of(&path), path, form: Form::Any, default: None });
    }
    let mut fields = Fields::of(node, "a field", findings)?;
    let path = fields.require("path", findings).and_then(|node| self::path(node, given, findings));
    let form = fields.take("as").map(|node| form(node, findings));
    let length =
        fields.entry("length").map(|entry| (entry, words::whole(&entry.value, "`length`", 1, 1_048_576, findings)));
    let default = fields.take("default");
    let column = fields.take("column").map(|node| column(node, given, findings));
    fields.finish(findings);
    let form = match (form.unwrap_or(Some(Form::Any))?, length) {
        (Form::Any | Form::Text { .. }, Some((_, Some(length)))) => Form::Text { length: Some(length) },
        (form, Some((entry, Some(_)))) => {
            let message = format!("only text has a `length`, and this field is {}", form.describe());
            findings
                .push(Diagnostic::error("wrong-form", message, entry.key.span, "not taken here").help("leave it out"));
            form
        }
        (form, _) => form,
    };
    let default = default.and_then(|node| match form.write(&node.to_value()) {
        Ok(value) => Some(value),
        Err(message) => {
            findings.push(does_not_fit(node, &format!("this default does not fit its field: {message}")));
            None
        }
    });
    let path = path?;
    Some(Field { column: column.unwrap_or_else(|| column_of(&path)), path, form, default })
}

/// The column that a field is, where nothing else is said: the one of its name.
fn column_of(path: &[Segment]) -> Option<String> {
    match path {
        [Segment::Key(name)] => Some(name.to_string()),
        _ => None,
    }
}

/// `column`: what the field stands for in its table, by name; `false` where it is no column.
fn column(node: &Node, given: Given<'_>, findings: &mut Findings) -> Option<String> {
    match node.kind {
        NodeKind::Bool(false) => None,
        _ => constant_text(node, "`column`", given.sources, given.variables, findings),
    }
}

fn does_not_fit(node: &Node, message: &str) -> Diagnostic {
    Diagnostic::error("wrong-type", message, node.span, "does not fit").help("`as` says how values of the field look")
}

fn form(node: &Node, findings: &mut Findings) -> Option<Form> {
    let text = words::text(node, "`as`", findings)?;
    let found = Form::WORDS.into_iter().find(|(word, _)| *word == text).map(|(_, form)| form);
    if found.is_none() {
        let known = Form::WORDS.map(|(word, _)| word);
        let help = nearest(&text, known)
            .map_or_else(|| format!("a form is {}", either(&known)), |near| format!("did you mean `{near}`?"));
        findings.push(
            Diagnostic::error("unknown-form", format!("there is no form `{text}`"), node.span, "unknown form")
                .help(help),
        );
    }
    found
}

fn path(node: &Node, given: Given<'_>, findings: &mut Findings) -> Option<Vec<Segment>> {
    let text = constant_text(node, "a path", given.sources, given.variables, findings)?;
    let right =
        |name: &str| !name.is_empty() && !name.contains(|char: char| char.is_whitespace() || "$[]*'\"".contains(char));
    if !text.split('.').all(right) {
        findings.push(wrong_form(node, "a path", "names joined by dots, such as `details.notes`").help(
            "a mapping writes where it reads, so its paths lead to one field: no JSONPath, and no items of lists",
        ));
        return None;
    }
    Some(text.split('.').map(|name| Segment::Key(name.into())).collect())
}

/// `{ Won: 3, Lost: [5, 4] }`: pairs of equal meaning, each value in the form of its field. Of a list the first value is
/// the one that is written; the others mean the same where they are found. Pairs that are written come first.
fn values(node: &Node, fields: &[Field; 2], findings: &mut Findings) -> Option<Vec<[Value; 2]>> {
    let NodeKind::Map(entries) = &node.kind else {
        findings.push(wrong_form(node, "`values`", "a map from the left side's values to the right side's"));
        return None;
    };
    let mut fits = |side: usize, value: &Value, node: &Node| {
        let written = fields[side].form.write(value);
        written
            .map_err(|message| {
                findings.push(does_not_fit(node, &format!("this value does not fit its field: {message}")))
            })
            .ok()
    };
    let (mut written, mut also) = (Vec::new(), Vec::new());
    for entry in entries {
        let key = Node { kind: NodeKind::Null, span: entry.key.span };
        let Some(left) = fits(0, &entry.key_value, &key) else { continue };
        let rights = entry.value.items().map_or_else(|| vec![&entry.value], |items| items.iter().collect());
        for (at, node) in rights.into_iter().enumerate() {
            let Some(right) = fits(1, &node.to_value(), node) else { continue };
            let pairs = if at == 0 { &mut written } else { &mut also };
            pairs.push([left.clone(), right]);
        }
    }
    written.append(&mut also);
    Some(written)
}

/// A default stands for a value of the table: without it there is no way back.
fn defaults_in_table(
    node: &Node,
    sides: &[String; 2],
    fields: &[Field; 2],
    table: Option<&[[Value; 2]]>,
    findings: &mut Findings,
) {
    let Some(table) = table.filter(|table| !table.is_empty()) else { return };
    for side in 0..2 {
        let Some(default) =
            fields[side].default.as_ref().filter(|value| !table.iter().any(|pair| pair[side] == **value))
        else {
            continue;
        };
        let Some(place) = node.get(&sides[side]).and_then(|node| node.get("default")) else { continue };
        let known: Vec<String> = table.iter().map(|pair| pair[side].to_string()).collect();
        findings.push(
            Diagnostic::error(
                "wrong-value",
                format!("the default {default} is not in the table of values"),
                place.span,
                "not in the table",
            )
            .help(format!("the table has {}", list(&known))),
        );
    }
}

/// Two rows that write one field, or a field and a part of it, would undo each other.
fn written_twice(rows: &[Row], entries: &[Entry], sides: &[String; 2], findings: &mut Findings) {
    let place = |id: &str| entries.iter().find(|e| e.key.value == id).map(|e| e.key.span);
    for (at, row) in rows.iter().enumerate() {
        for side in 0..2 {
            let writes = |row: &Row| row.only_to.is_none_or(|to| to == side);
            let (path, earlier) = (&row.fields[side].path, rows[..at].iter());
            let clashes = |other: &&Row| {
                let theirs = &other.fields[side].path;
                writes(other) && writes(row) && (theirs.starts_with(path) || path.starts_with(theirs))
            };
            let Some((twin, span)) = earlier.clone().find(clashes).zip(place(&row.id)) else { continue };
            let (mine, theirs) = (row.fields[side].path_text(), twin.fields[side].path_text());
            let what = if mine == theirs {
                format!("both write `{mine}`")
            } else {
                format!("write `{theirs}` and `{mine}`, one inside the other,")
            };
            let message = format!("rows `{}` and `{}` {what} of the {}", twin.id, row.id, sides[side]);
            let mut finding = Diagnostic::error("written-twice", message, span, "writes it again")
                .help(format!("let one of them go one way only: `only_to: {}`", sides[1 - side]));
            if let Some(first) = place(&twin.id) {
                finding = finding.also(first, "writes it first");
            }
            findings.push(finding);
        }
    }
}
