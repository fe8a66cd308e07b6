//! Mappings and records made up, and the shipped ones with records made up for them.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use cosell_compile::mapping::form::Form;
use cosell_compile::mapping::{Mapping, Row};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::support;

/// One row: what both fields say, and what can stand in them.
#[derive(Clone, Debug)]
struct MadeRow {
    left: String,
    right: String,
    more: String,
    /// Values that the left and the right side can have.
    values: [Vec<Value>; 2],
}

const TEXTS: [&str; 7] = ["", " ", "a", "Größe 12", "ein längerer Text", "🦀🦀🦀🦀🦀", "x…"];
const MOMENTS: [&str; 6] = [
    "2026-11-02",
    "2026-11-02T08:15:30Z",
    "2026-11-02T23:30:00-05:00",
    "2026-11-03T00:00:00.500Z",
    "",
    "2026-12-31T23:59:59",
];

fn texts(of: &[&str]) -> Vec<Value> {
    of.iter().map(|text| json!(text)).chain([json!(null)]).collect()
}

/// Forms that go together, with what can stand in each.
fn made_row() -> impl Strategy<Value = MadeRow> {
    let money = vec![
        json!(5),
        json!(5.0),
        json!("84000"),
        json!("12.345"),
        json!(0.1),
        json!(-7.999),
        json!(""),
        json!(null),
        json!(1e15),
    ];
    let text = |length: Option<u32>| match length {
        Some(length) => format!("{{ path: PATH, as: text, length: {length} }}"),
        None => "{ path: PATH, as: text }".to_owned(),
    };
    let form = |word: &str| format!("{{ path: PATH, as: {word} }}");
    let defaulted = |word: &str, default: &str| format!("{{ path: PATH, as: {word}, default: {default} }}");
    let guid = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
    let guids = vec![json!(guid), json!(format!("{{{}}}", guid.to_uppercase())), json!(null)];
    let countries = texts(&["de", "US", " at "]);
    let statuses = texts(&["Won", "Lost", "Open"]);
    let rows: Vec<(String, String, &str, [Vec<Value>; 2])> = vec![
        (
            "PATH".into(),
            "PATH".into(),
            "",
            [vec![json!(1), json!("x"), json!({"a": []}), json!(null)], vec![json!(1.0), json!(null), json!("")]],
        ),
        (text(None), text(Some(5)), "", [texts(&TEXTS), texts(&TEXTS[..4])]),
        (text(Some(3)), text(Some(7)), "", [texts(&TEXTS[..3]), texts(&TEXTS[..4])]),
        ("PATH".into(), text(Some(5)), "", [texts(&TEXTS), texts(&TEXTS[..4])]),
        (form("date"), form("datetime"), "", [texts(&MOMENTS), texts(&MOMENTS)]),
        (form("datetime"), form("date"), "", [texts(&MOMENTS), texts(&MOMENTS)]),
        (form("date"), "PATH".into(), "", [texts(&MOMENTS), texts(&MOMENTS)]),
        (form("money"), form("money"), "", [money.clone(), money.clone()]),
        (form("money"), "PATH".into(), "", [money.clone(), vec![json!(5), json!(7.25), json!(null)]]),
        (form("money"), defaulted("money", "0"), "", [money.clone(), money]),
        (form("integer"), form("integer"), "", [vec![json!(5), json!(5.0), json!(null)], vec![json!(-1), json!(null)]]),
        (
            form("boolean"),
            form("boolean"),
            "",
            [vec![json!(true), json!(false), json!(null)], vec![json!(true), json!(null)]],
        ),
        (
            form("boolean"),
            "PATH".into(),
            "",
            [vec![json!(true), json!(false), json!(null)], vec![json!(true), json!(null)]],
        ),
        (form("country"), form("country"), "", [countries.clone(), countries.clone()]),
        (form("country"), text(Some(80)), "", [countries.clone(), countries]),
        (form("guid"), form("guid"), "", [guids.clone(), guids.clone()]),
        ("PATH".into(), form("guid"), "", [guids.clone(), guids]),
        (
            form("text"),
            form("integer"),
            "values: { Won: 3, Lost: [5, 4], Open: [1, 4] }",
            [statuses.clone(), vec![json!(3), json!(5.0), json!(4), json!(1), json!(null)]],
        ),
        (
            form("text"),
            form("integer"),
            "values: { Won: 3, Lost: 5, Open: 3 }",
            [statuses.clone(), vec![json!(3), json!(5.0), json!(null)]],
        ),
        (
            defaulted("text", "Open"),
            defaulted("integer", "1"),
            "values: { Won: 3, Lost: 5, Open: 1 }",
            [statuses.clone(), vec![json!(3), json!(1), json!(null)]],
        ),
        (form("text"), defaulted("text", "unknown"), "", [texts(&TEXTS), texts(&TEXTS)]),
        (form("date"), defaulted("datetime", "2026-01-01"), "", [texts(&MOMENTS), texts(&MOMENTS)]),
    ];
    let more = select(vec![
        "",
        "when_empty: keep",
        "when_empty: clear",
        "only_to: left",
        "only_to: right",
        "only_to: left\n    when_empty: keep",
        "wins: left",
        "wins: right\n    when_empty: keep",
        "wins: newest",
        "final_in: left",
        "final_in: right\n    wins: left",
        "final_in: right\n    when_empty: keep",
    ]);
    (select(rows), more).prop_map(|((left, right, table, values), more)| MadeRow {
        left,
        right,
        more: format!("{table}\n    {more}"),
        values,
    })
}

/// A mapping, a record of each side, and for each side what someone writes over it afterwards.
#[derive(Clone, Debug)]
pub struct Drawn {
    pub mapping: Arc<Mapping>,
    pub records: [Value; 2],
    pub edits: [Value; 2],
}

/// Where a row's values stand on both sides, and which they can be.
type Places = ([String; 2], [Vec<Value>; 2]);

fn records(mapping: Arc<Mapping>, rows: Vec<Places>) -> impl Strategy<Value = Drawn> {
    let one = |(paths, values): Places| {
        let side = |at: usize| (select(values[at].clone()), prop::option::weighted(0.4, select(values[at].clone())));
        (Just(paths), side(0), side(1))
    };
    let rows: Vec<_> = rows.into_iter().map(one).collect();
    rows.prop_map(move |rows| {
        let (mut records, mut edits) = ([Map::new(), Map::new()], [Map::new(), Map::new()]);
        for (paths, left, right) in rows {
            for (side, (value, edit)) in [left, right].into_iter().enumerate() {
                put(&mut records[side], &paths[side], value);
                if let Some(edit) = edit {
                    put(&mut edits[side], &paths[side], edit);
                }
            }
        }
        Drawn { mapping: Arc::clone(&mapping), records: records.map(Value::Object), edits: edits.map(Value::Object) }
    })
}

/// A mapping of made rows.
fn made() -> impl Strategy<Value = Drawn> {
    let row = (made_row(), any::<[bool; 2]>());
    prop::collection::vec(row, 1..6).prop_flat_map(|rows| {
        let mut text = "mapping: made\nbetween: [left, right]\nrows:\n".to_owned();
        let mut places = Vec::new();
        for (at, (row, nested)) in rows.into_iter().enumerate() {
            let paths = nested.map(|nested| if nested { format!("deep.f{at}") } else { format!("f{at}") });
            let [left, right] =
                [(row.left, &paths[0]), (row.right, &paths[1])].map(|(field, path)| field.replace("PATH", path));
            writeln!(text, "  r{at}:\n    left: {left}\n    right: {right}\n    {}", row.more).unwrap();
            places.push((paths, row.values));
        }
        records(mapping(&text), places)
    })
}

/// Every shipped mapping, with the variables as shipped.
static SHIPPED: LazyLock<Vec<Arc<Mapping>>> = LazyLock::new(|| {
    let flows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../flows");
    let folder = std::fs::read_dir(flows.join("mappings")).unwrap().map(|entry| entry.unwrap().path());
    let files = folder.chain([flows.join("variables.yaml")]);
    // Of which systems the records are is not known here.
    let without_records = |text: String| -> String {
        text.lines().filter(|line| !line.starts_with("records:")).map(|line| format!("{line}\n")).collect()
    };
    let files = files.map(|path| {
        support::shipped(&path.to_string_lossy(), without_records(std::fs::read_to_string(&path).unwrap()))
    });
    let compiled = support::compiled(files.collect());
    assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
    let mappings: BTreeMap<_, _> = compiled.mappings;
    assert!(mappings.len() >= 3, "they are found: {:?}", mappings.keys());
    mappings.into_values().collect()
});

fn shipped() -> impl Strategy<Value = Drawn> {
    select(SHIPPED.clone()).prop_flat_map(|mapping| {
        let places =
            |row: &Row| (row.fields.each_ref().map(|field| field.path_text()), [0, 1].map(|side| possible(row, side)));
        let rows = mapping.rows.iter().map(places).collect();
        records(mapping, rows)
    })
}

/// What a field of a shipped mapping can hold: by its table, else by its own form and the other side's.
fn possible(row: &Row, side: usize) -> Vec<Value> {
    if let Some(pairs) = &row.values {
        return pairs.iter().map(|pair| pair[side].clone()).chain([json!(null)]).collect();
    }
    let [own, other] = [side, 1 - side].map(|side| row.fields[side].form);
    let fits = |form: Form, value: &Value| match (form, value) {
        (Form::Any, _) | (_, Value::Null) => true,
        (Form::Boolean, value) => value.is_boolean(),
        (Form::Money | Form::Integer, value) => value.is_number() && (form == Form::Money || !value.is_f64()),
        (Form::Date | Form::DateTime, value) => value.as_str().is_some_and(|text| text.starts_with("2026-")),
        (Form::Country, value) => value.as_str().is_some_and(|text| text.len() == 2),
        (Form::Guid, value) => value.as_str().is_some_and(|text| text.len() == 36),
        (Form::Text { length }, value) => {
            value.as_str().is_some_and(|text| text.chars().count() <= length.unwrap_or(u32::MAX) as usize)
        }
    };
    let guid = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
    let all = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(5),
        json!(84_000.5),
        json!("2026-11-02"),
        json!("2026-11-02T08:15:30Z"),
        json!("2026-12-31T23:59:59Z"),
        json!("DE"),
        json!("US"),
        json!(guid),
        json!("Größe 12"),
        json!("a longer text than most columns take".repeat(70)),
    ];
    all.into_iter().filter(|value| fits(own, value) && fits(other, value)).collect()
}

/// Mappings of all kinds.
pub fn drawn() -> impl Strategy<Value = Drawn> {
    prop_oneof![2 => made(), 1 => shipped()]
}

pub fn mapping(text: &str) -> Arc<Mapping> {
    let compiled = support::compiled(vec![support::shipped("made.yaml", text)]);
    assert!(compiled.diagnostics.is_empty(), "{text}\n{:?}", compiled.diagnostics);
    Arc::clone(compiled.mappings.values().next().unwrap())
}

fn put(record: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            record.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = record.entry(first).or_insert_with(|| json!({}));
            put(inner.as_object_mut().unwrap(), rest, value);
        }
    }
}

/// `record` with `changes` written over it, map by map, as a remote system does.
pub fn with(record: &Value, changes: &Value) -> Value {
    match (record, changes) {
        (Value::Object(record), Value::Object(changes)) => {
            let mut merged = record.clone();
            for (key, change) in changes {
                let old = merged.get(key).cloned().unwrap_or(Value::Null);
                merged.insert(key.clone(), with(&old, change));
            }
            Value::Object(merged)
        }
        (_, changes) => changes.clone(),
    }
}
