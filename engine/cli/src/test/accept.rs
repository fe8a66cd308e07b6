//! `--accept`: what was found becomes what is expected, in the file itself. Git shows what that changes.
//!
//! A `then` that is there keeps its form: it says as much as before, with the values that were found. One that is not there
//! yet is written with how the run ended, what it yields and all that it wrote.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cosell_compile::source::{Layer, SourceFile, Sources};
use cosell_compile::testcase::{self, Then, Write};
use cosell_model::node::NodeKind;
use cosell_model::span::FileId;
use cosell_model::{Node, Value};
use serde_json::{Map, json};

use super::files::Read;
use super::judge::{self, called};
use super::play::Found;
use super::stage::{Settings, Stage};
use super::writes::telling;
use crate::Trouble;

/// The text that takes a place in a file.
pub(super) struct Edit {
    pub(super) file: FileId,
    start: usize,
    end: usize,
    text: String,
}

/// The `then` of a test by what was found.
pub(super) async fn edit(
    (file, test): &(FileId, testcase::Test),
    found: &Found,
    stage: &Stage,
    settings: &Settings<'_>,
    read: &Read,
) -> Edit {
    let value = match &test.then {
        Some(then) => kept(then, found, stage, settings).await,
        None => json!({ "outcome": found.ended().as_str(), "output": output(found), "writes": writes(&[], found) }),
    };
    let place = test.then.as_ref().map_or(test.begin, |then| then.key);
    let (_, column) = read.sources.line_column(place);
    let indent = " ".repeat(column - 1);
    let mut text = format!("then:\n{indent}  ");
    block(&without_nothing(value), &format!("{indent}  "), &mut text);
    let all = &read.sources.file(*file).text;
    match &test.then {
        Some(then) => {
            let end = without_comments(all, then.span.end as usize);
            Edit { file: *file, start: then.key.start as usize, end, text }
        }
        None => {
            let end = without_comments(all, test.end.end as usize);
            Edit { file: *file, start: end, end, text: format!("\n{indent}{text}") }
        }
    }
}

/// Where what ends at `end` ends without the comments at its end: they are about what follows.
fn without_comments(text: &str, end: usize) -> usize {
    let mut kept = text[..end].trim_end();
    while let Some((before, _)) = kept.rsplit_once('\n').filter(|(_, last)| last.trim_start().starts_with('#')) {
        kept = before.trim_end();
    }
    kept.len()
}

/// Puts the texts into their files.
///
/// # Errors
/// A file that comes with the program, that cannot be written, or that would not be one of tests any more.
pub(super) fn write(read: &Read, edits: Vec<Edit>) -> Result<Vec<String>, Trouble> {
    let mut by_file: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    for edit in edits {
        by_file.entry(edit.file).or_default().push(edit);
    }
    let mut written = Vec::new();
    for (file, mut edits) in by_file {
        let source = read.sources.file(file);
        if source.layer == Layer::Shipped {
            let message = format!("{} comes with the program, and is not changed", source.path);
            return Err(Trouble::new(format!("{message}\nhelp: copy the test into `tests`, and change it there")));
        }
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.start));
        let mut text = source.text.clone();
        for edit in edits {
            text.replace_range(edit.start..edit.end, &edit.text);
        }
        let file = SourceFile { text: text.clone(), ..source.clone() };
        let (_, findings) = testcase::read(&Sources::new(vec![file]), FileId(0));
        if !findings.is_empty() {
            let message = format!("what was found cannot be written into {}", source.path);
            return Err(Trouble::new(format!(
                "{message}\nhelp: write each test over several lines, not between braces"
            )));
        }
        std::fs::write(&source.path, text)
            .map_err(|error| Trouble::new(format!("{} cannot be written: {error}", source.path)))?;
        written.push(source.path.clone());
    }
    Ok(written)
}

/// What is expected, with the values found.
async fn kept(then: &Then, found: &Found, stage: &Stage, settings: &Settings<'_>) -> Value {
    let mut value = Map::new();
    if then.outcome.is_some() {
        value.insert("outcome".to_owned(), json!(found.ended().as_str()));
    }
    if let Some(expected) = &then.output {
        value.insert("output".to_owned(), updated(expected, &output(found)));
    }
    let run = found.run.as_ref();
    if let (Some(expected), Some(answer)) = (&then.answer, run.and_then(|run| run.answer.clone())) {
        value.insert("answer".to_owned(), updated(expected, &found.names.shown(&judge::answer(answer))));
    }
    if let (Some(expected), Some(failure)) = (&then.error, run.and_then(|run| run.failure.as_ref())) {
        value.insert("error".to_owned(), updated(expected, &found.names.shown(&judge::error(failure, &then.error))));
    }
    if let Some(expected) = &then.writes {
        value.insert("writes".to_owned(), writes(&expected.value, found));
    }
    let mut records = Map::new();
    for (name, expected) in &then.records {
        if let Ok(record) = judge::record(&name.value, name.span, found, stage).await {
            records.insert(name.value.clone(), updated(expected, &record));
        }
    }
    if !records.is_empty() {
        value.insert("records".to_owned(), Value::Object(records));
    }
    if !then.audit.is_empty() {
        value.insert("audit".to_owned(), judge::accepted_audit(then, found, stage, settings).await);
    }
    Value::Object(value)
}

fn output(found: &Found) -> Value {
    found.names.shown(&found.run.as_ref().map(|run| run.output.clone()).unwrap_or_default())
}

/// What was found, in as much detail as is expected.
fn updated(expected: &Node, found: &Value) -> Value {
    match (&expected.kind, found) {
        (NodeKind::Map(entries), Value::Object(members)) => entries
            .iter()
            .map(|entry| {
                let member = members.get(&entry.key.value).unwrap_or(&Value::Null);
                (entry.key.value.clone(), updated(&entry.value, member))
            })
            .collect(),
        (NodeKind::List(items), Value::Array(values)) if items.len() == values.len() => {
            items.iter().zip(values).map(|(item, value)| updated(item, value)).collect()
        }
        _ if judge::agrees(expected, found) => expected.to_value(),
        _ => found.clone(),
    }
}

/// All writes; of one that is expected, the values that are expected, and of a new one all.
fn writes(expected: &[Write], found: &Found) -> Value {
    if found.writes.is_empty() {
        return json!("none");
    }
    let mut left: Vec<&Write> = expected.iter().collect();
    let shown = found.writes.iter().map(|written| {
        let name = called(written, found);
        let at = left.iter().position(|write| write.verb == written.verb && write.record.value == name);
        let expected = at.map(|at| left.remove(at));
        let values = found.names.shown(&written.values);
        let with = match expected.map(|write| &write.with) {
            Some(None) => Value::Null,
            Some(Some(with)) => updated(with, &values),
            None => telling(written.verb, values),
        };
        let mut write = Map::from_iter([(written.verb.as_str().to_owned(), json!(name))]);
        if let Some(name) = expected.and_then(|write| write.name.as_ref()) {
            write.insert("as".to_owned(), json!(name.value));
        }
        if !with.is_null() {
            write.insert("with".to_owned(), with);
        }
        Value::Object(write)
    });
    shown.collect()
}

/// Without members that are null, but in what a change writes.
fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let keeps = members.contains_key("change");
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            members.map(|(name, value)| (name, if keeps { value } else { without_nothing(value) })).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nothing).collect(),
        other => other,
    }
}

/// Writes a value as YAML, in block style: its first line stands where `text` ends, the others are indented.
fn block(value: &Value, indent: &str, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (number, (name, value)) in members.iter().enumerate() {
                if number > 0 {
                    let _ = write!(text, "\n{indent}");
                }
                text.push_str(&scalar(&json!(name)));
                text.push(':');
                below(value, indent, text);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object()) => {
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    let _ = write!(text, "\n{indent}");
                }
                text.push_str("- ");
                block(item, &format!("{indent}  "), text);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            let _ = write!(text, "[{}]", items.join(", "));
        }
        other => text.push_str(&scalar(other)),
    }
}

fn below(value: &Value, indent: &str, text: &mut String) {
    let deeper = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => items.iter().any(Value::is_object),
        _ => false,
    };
    if deeper {
        let indent = format!("{indent}  ");
        let _ = write!(text, "\n{indent}");
        block(value, &indent, text);
    } else {
        text.push(' ');
        block(value, indent, text);
    }
}

/// A value on one line. JSON is YAML; text that YAML would not take for anything else stands without quotes.
fn scalar(value: &Value) -> String {
    let Value::String(text) = value else { return quoted(value) };
    let begins = |c: char| c.is_alphabetic() || ['<', '✔', '✖', '…'].contains(&c);
    let plain = text.starts_with(begins)
        && !text.ends_with(' ')
        && text.chars().all(|c| stands_as_it_is(c) && !":#{}[],&*!|\"%@`".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if plain { text.clone() } else { quoted(value) }
}

/// Whether YAML takes it for itself, and not for a line's end, or not at all.
fn stands_as_it_is(c: char) -> bool {
    c == ' ' || !(c.is_control() || c.is_whitespace() || ['\u{feff}', '\u{fffe}', '\u{ffff}'].contains(&c))
}

/// Text between quotes. What JSON leaves alone and YAML does not is written by its number.
fn quoted(text: &Value) -> String {
    let mut out = String::new();
    for c in text.to_string().chars() {
        if stands_as_it_is(c) {
            out.push(c);
        } else {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let words = [
            "yes",
            "Null",
            "~",
            "1e3",
            "0x1f",
            "2026-01-02",
            "a: b",
            "a #b",
            "- a",
            "",
            " a",
            "a ",
            "é…",
            "\u{2028}",
            "a\u{ffff}",
        ];
        let words = words.map(|word| vec![word.to_owned()]);
        let holds = |texts: &Vec<String>| {
            let members: Map<String, Value> =
                texts.iter().enumerate().map(|(at, text)| (format!("a{at}"), json!([text, { "b": text }]))).collect();
            let output = json!({ "output": { "one": texts, "more": members } });
            let mut text = "test: A\nwhen: { waits: 1s }\nthen:\n  ".to_owned();
            block(&output, "  ", &mut text);
            let file = SourceFile { path: "a.yaml".to_owned(), text: text.clone(), layer: Layer::Own };
            let (read, findings) = testcase::read(&Sources::new(vec![file]), FileId(0));
            assert!(findings.is_empty(), "{text}: {findings:?}");
            let found = read.tests[0].then.as_ref().unwrap().output.as_ref().unwrap().to_value();
            assert_eq!(found, output["output"], "{text}");
        };
        words.iter().for_each(holds);
        bolero::check!().with_type::<Vec<String>>().for_each(holds);
    }

    #[test]
    fn what_is_written_is_yaml_that_reads_well() {
        let value = json!({
            "outcome": "succeeded",
            "writes": [
                { "create": "opportunity", "with": { "name": "✔ Deal", "statuscode": 2, "customerid": "<northwind>" } },
                { "change": "deal", "with": { "at": "a: b", "ids": ["x", "1"], "none": null, "empty": {} } },
            ],
        });
        let mut text = String::new();
        block(&value, "", &mut text);
        let expected = "outcome: succeeded
writes:
  - create: opportunity
    with:
      name: ✔ Deal
      statuscode: 2
      customerid: <northwind>
  - change: deal
    with:
      at: \"a: b\"
      ids: [x, \"1\"]
      none: null
      empty: {}";
        assert_eq!(text, expected);
    }
}
