//! Reading a file of tests: the tests, and what each takes as given.

use cosell_model::node::{Entry, NodeKind};
use cosell_model::span::FileId;
use cosell_model::{Diagnostic, Node, Span, Spanned, Value, ids};
use serde_json::json;

use super::acts::{acts, faults};
use super::recorded;
use super::then::then;
use super::{Column, Given, Referral, Row, Test, TestFile, Unreachable};
use crate::read::fields::{Fields, Findings, either, wrong_form};
use crate::read::words;
use crate::source::Sources;
use crate::yaml;

/// The tests of a file: one at the top, or a list under `tests`; and what is wrong with them.
pub fn read(sources: &Sources, file: FileId) -> (TestFile, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let found = match yaml::parse(file, &sources.file(file).text) {
        Ok(node) => of(&node, &mut findings),
        Err(finding) => {
            findings.push(finding);
            TestFile::default()
        }
    };
    findings.sort_by(|a, b| (a.primary.span, a.code, &a.message).cmp(&(b.primary.span, b.code, &b.message)));
    (found, findings)
}

/// Whether a file says that it holds tests.
pub(crate) fn is_tests(node: &Node) -> bool {
    node.get("test").is_some() || node.get("tests").is_some()
}

/// The tests that a file's content is.
pub(crate) fn of(node: &Node, findings: &mut Findings) -> TestFile {
    let mut found = TestFile::default();
    if node.get("test").is_some() {
        found.tests.extend(test(node, findings));
    } else {
        several(node, &mut found, findings);
    }
    found
}

fn several(node: &Node, found: &mut TestFile, findings: &mut Findings) {
    let Some(mut fields) = Fields::of(node, "a file of tests", findings) else { return };
    let tests = fields.require("tests", findings);
    let unreachable = fields.take("unreachable");
    fields.finish(findings);
    let tests = tests.map(|tests| items(tests, "`tests`", "a list of tests", findings)).unwrap_or_default();
    found.tests.extend(tests.iter().filter_map(|node| test(node, findings)));
    let steps = unreachable.map(|list| items(list, "`unreachable`", "a list of steps", findings)).unwrap_or_default();
    found.unreachable.extend(steps.iter().filter_map(|node| out_of_reach(node, findings)));
}

fn out_of_reach(node: &Node, findings: &mut Findings) -> Option<Unreachable> {
    let mut fields = Fields::of(node, "a step that cannot be reached", findings)?;
    let flow = fields.require("flow", findings).and_then(|node| spanned_text(node, "a flow's name", findings));
    let step = fields.require("step", findings).and_then(|node| spanned_text(node, "a step's name", findings));
    let because = fields.require("because", findings).and_then(|node| words::text(node, "`because`", findings));
    fields.finish(findings);
    Some(Unreachable { flow: flow?, step: step?, because: because? })
}

fn test(node: &Node, findings: &mut Findings) -> Option<Test> {
    let mut fields = Fields::of(node, "a test", findings)?;
    let name = fields.require("test", findings).and_then(|node| spanned_text(node, "a test's name", findings));
    fields.take("description").and_then(|node| words::text(node, "`description`", findings));
    let flow = fields.take("flow").and_then(|node| spanned_text(node, "a flow's name", findings));
    let given = fields.take("given").map(|node| given(node, findings)).unwrap_or_default();
    let already = fields.take("already").map(|node| acts(node, "`already`", findings)).unwrap_or_default();
    // One letter lies between them: what is there is taken for itself first.
    let then = fields.entry("then").and_then(|entry| then(entry, findings));
    let when = fields.require("when", findings).map(|node| acts(node, "`when`", findings)).unwrap_or_default();
    fields.finish(findings);
    let entries = node.entries().unwrap_or_default();
    let begin = entries.first().map_or(node.span, |entry| entry.key.span);
    let end = Span { start: node.span.end, ..node.span };
    let test = Test { name: name?, flow, given, already, when, then, end, begin };
    recorded::check(node, &test, findings);
    Some(test)
}

fn given(node: &Node, findings: &mut Findings) -> Given {
    let mut given = Given::default();
    let Some(mut fields) = Fields::of(node, "`given`", findings) else { return given };
    given.recorded = fields.take("recorded").and_then(|node| spanned_text(node, "`recorded`", findings));
    for entry in by_name(fields.take("variables"), "`variables`", findings) {
        given.variables.push((entry.key.clone(), entry.value.to_value()));
    }
    for table in by_name(fields.take("columns"), "`columns`", findings) {
        for entry in by_name(Some(&table.value), "the columns of a table", findings) {
            given.columns.extend(column(entry, &table.key.value, findings));
        }
    }
    for entry in by_name(fields.take("referrals"), "`referrals`", findings) {
        given.referrals.extend(referral(entry, findings));
    }
    if let Some(tables) = fields.take("rows") {
        for table in by_name(Some(tables), "`rows`", findings) {
            for entry in by_name(Some(&table.value), "the rows of a table", findings) {
                given.rows.extend(row(entry, &table.key.value, findings));
            }
        }
    }
    for entry in by_name(fields.take("opportunities"), "`opportunities`", findings) {
        given.rows.extend(row(entry, "opportunity", findings));
    }
    for entry in by_name(fields.take("state"), "`state`", findings) {
        given.state.push((entry.key.value.clone(), entry.value.clone()));
    }
    given.faults = fields.take("faults").map(|node| faults(node, findings)).unwrap_or_default();
    fields.finish(findings);
    given
}

/// The types of columns, with what the metadata API calls them.
const TYPES: [(&str, &str); 8] = [
    ("text", "String"),
    ("long_text", "Memo"),
    ("integer", "Integer"),
    ("decimal", "Decimal"),
    ("money", "Money"),
    ("boolean", "Boolean"),
    ("date", "DateTime"),
    ("datetime", "DateTime"),
];

/// A type, or the numbers of a choice.
fn column(entry: &Entry, table: &str, findings: &mut Findings) -> Option<Column> {
    let of = |kind: &str, more: Value| {
        let mut definition = json!({
            "@odata.type": format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata"), "SchemaName": entry.key.value,
        });
        if let (Some(definition), Value::Object(more)) = (definition.as_object_mut(), more) {
            definition.extend(more);
        }
        Some(Column { table: table.to_owned(), name: entry.key.clone(), definition })
    };
    if let Some(items) = entry.value.items() {
        let option = |item: &Node| {
            let label = json!({ "LocalizedLabels": [{ "Label": item.to_value().to_string(), "LanguageCode": 1033 }] });
            json!({ "Value": item.to_value(), "Label": label })
        };
        let options: Vec<Value> = items.iter().map(option).collect();
        return of(
            "Picklist",
            json!({ "OptionSet": { "IsGlobal": false, "OptionSetType": "Picklist", "Options": options } }),
        );
    }
    let known = TYPES.iter().find(|(word, _)| entry.value.text() == Some(word));
    let Some((word, kind)) = known else {
        let words = TYPES.map(|(word, _)| word);
        let expected = format!("{}, or the list of a choice's numbers", either(&words));
        findings.push(wrong_form(&entry.value, "a column", &expected));
        return None;
    };
    let more = match *word {
        "text" | "long_text" => json!({ "MaxLength": 4000 }),
        "date" => json!({ "Format": "DateOnly" }),
        _ => json!({}),
    };
    of(kind, more)
}

fn referral(entry: &Entry, findings: &mut Findings) -> Option<Referral> {
    named(&entry.key, findings);
    let by_partner = entry.value.get("made_by").and_then(|node| super::acts::by_partner(node, "`made_by`", findings));
    let members = members(&entry.value, "a referral", &["made_by"], findings);
    Some(Referral { name: entry.key.clone(), by_partner: by_partner.unwrap_or_default(), members })
}

fn row(entry: &Entry, table: &str, findings: &mut Findings) -> Option<Row> {
    named(&entry.key, findings);
    let solutions = (table == "opportunity").then(|| entry.value.get("solutions")).flatten();
    let solutions = solutions.map(|node| {
        let items = items(node, "`solutions`", "a list of solutions by name", findings);
        items.iter().filter_map(|item| spanned_text(item, "a solution", findings)).collect()
    });
    let without: &[&str] = if table == "opportunity" { &["solutions"] } else { &[] };
    let columns = members(&entry.value, "a row", without, findings);
    Some(Row { name: entry.key.clone(), table: table.to_owned(), columns, solutions })
}

/// A map without some of its entries; nothing at all is an empty one.
fn members(node: &Node, what: &str, without: &[&str], findings: &mut Findings) -> Option<Node> {
    match &node.kind {
        NodeKind::Null => None,
        NodeKind::Map(entries) => {
            let entries = entries.iter().filter(|entry| !without.contains(&&*entry.key.value)).cloned().collect();
            Some(Node { kind: NodeKind::Map(entries), span: node.span })
        }
        _ => {
            findings.push(wrong_form(node, what, "a map of its values"));
            None
        }
    }
}

pub(super) fn by_name<'n>(node: Option<&'n Node>, what: &str, findings: &mut Findings) -> &'n [Entry] {
    let Some(node) = node else { return &[] };
    match node.entries() {
        Some(entries) => entries,
        None if node.kind == NodeKind::Null => &[],
        None => {
            findings.push(wrong_form(node, what, "a map by name"));
            &[]
        }
    }
}

pub(super) fn items<'n>(node: &'n Node, what: &str, expected: &str, findings: &mut Findings) -> &'n [Node] {
    match node.items() {
        Some(items) => items,
        None => {
            findings.push(wrong_form(node, what, expected));
            &[]
        }
    }
}

pub(super) fn spanned_text(node: &Node, what: &str, findings: &mut Findings) -> Option<Spanned<String>> {
    Some(Spanned::new(words::text(node, what, findings)?, node.span))
}

/// A name that stands in angle brackets elsewhere.
pub(super) fn named(name: &Spanned<String>, findings: &mut Findings) {
    words::name(name, "a record", ids::is_identifier, words::IDENTIFIER, findings);
}
