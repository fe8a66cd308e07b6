//! The laws of mappings, for mappings and records made up.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write;
use std::sync::Arc;

use cosell_compile::mapping::Mapping;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// One row: what both fields say, and what can stand in them.
#[derive(Clone, Debug)]
struct MadeRow {
    left: String,
    right: String,
    more: &'static str,
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
    let more = select(vec!["", "when_empty: keep", "when_empty: clear", "only_to: left", "only_to: right"]);
    (select(rows), more).prop_map(|((left, right, table, values), more)| {
        let more = if table.is_empty() { more } else { table };
        MadeRow { left, right, more, values }
    })
}

/// A mapping of such rows, and a record of each side.
fn made() -> impl Strategy<Value = (Arc<Mapping>, [Value; 2])> {
    let row = made_row().prop_flat_map(|row| {
        let values = (select(row.values[0].clone()), select(row.values[1].clone()));
        (Just(row), values, any::<[bool; 2]>())
    });
    prop::collection::vec(row, 1..6).prop_map(|rows| {
        let mut text = "mapping: made\nbetween: [left, right]\nrows:\n".to_owned();
        let mut records = [Map::new(), Map::new()];
        for (at, (row, (left, right), nested)) in rows.into_iter().enumerate() {
            let path = |side: usize| if nested[side] { format!("deep.f{at}") } else { format!("f{at}") };
            writeln!(
                text,
                "  r{at}:\n    left: {}\n    right: {}\n    {}",
                row.left.replace("PATH", &path(0)),
                row.right.replace("PATH", &path(1)),
                row.more
            )
            .unwrap();
            for (side, value) in [left, right].into_iter().enumerate() {
                put(&mut records[side], &path(side), value);
            }
        }
        let mapping = mapping(&text);
        (mapping, records.map(Value::Object))
    })
}

fn mapping(text: &str) -> Arc<Mapping> {
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
fn with(record: &Value, changes: &Value) -> Value {
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

fn differences(mapping: &Mapping, from: usize, leading: &Value, following: &Value) -> Value {
    mapping.compare(from, leading, following).unwrap()["differences"].clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mapping_there_and_back_changes_nothing((mapping, records) in made()) {
        for from in [0, 1] {
            let there = mapping.apply(from, &records[from]).unwrap();
            prop_assert_eq!(differences(&mapping, from, &records[from], &there), json!([]), "there, from {} by {:?}", from, mapping);
            // A row that only comes back was not mapped there.
            let back = differences(&mapping, 1 - from, &there, &records[from]);
            let both_ways = |difference: &&Value| mapping.rows.iter().any(|row| row.id == difference["row"] && row.only_to != Some(from));
            let back: Vec<&Value> = back.as_array().unwrap().iter().filter(both_ways).collect();
            prop_assert!(back.is_empty(), "and back, from {} by {:?}: {:?}", from, mapping, back);
        }
    }

    #[test]
    fn applying_the_changes_leaves_nothing_to_change((mapping, records) in made()) {
        for from in [0, 1] {
            let compared = mapping.compare(from, &records[from], &records[1 - from]).unwrap();
            prop_assert_eq!(&compared["equal"], &json!(compared["differences"].as_array().unwrap().is_empty()));
            let changed = with(&records[1 - from], &compared["changes"]);
            prop_assert_eq!(differences(&mapping, from, &records[from], &changed), json!([]), "{:?} by {:?}", compared, mapping);
        }
    }

    #[test]
    fn empty_records_agree((mapping, _) in made(), from in 0..2usize) {
        let found = differences(&mapping, from, &json!({}), &json!({}));
        // Where nothing counts as a value, that value is written.
        let without = |difference: &&Value| {
            let default = |row: &cosell_compile::mapping::Row| row.fields[1 - from].default.is_none();
            mapping.rows.iter().any(|row| row.id == difference["row"] && default(row))
        };
        let found: Vec<&Value> = found.as_array().unwrap().iter().filter(without).collect();
        prop_assert!(found.is_empty(), "by {:?}: {:?}", mapping, found);
    }
}

/// One row, tried in both directions: what is applied from the left, and what a comparison changes on the right.
fn one(row: &str) -> Arc<Mapping> {
    mapping(&format!("mapping: one\nbetween: [left, right]\nrows:\n  it: {row}\n"))
}

#[test]
fn a_record_is_made_of_what_is_there() {
    let mapping = mapping(
        "mapping: m\nbetween: [left, right]\nrows:\n  a: { left: a.b, right: x.y.z }\n  b: { left: c, right: x.w }\n  c: { left: d, right: v, only_to: left }\n",
    );
    assert_eq!(
        mapping.apply(0, &json!({ "a": { "b": 1 }, "c": null, "d": 2 })),
        Ok(json!({ "x": { "y": { "z": 1 } } }))
    );
    assert_eq!(mapping.apply(1, &json!({ "x": { "w": [1] }, "v": 2 })), Ok(json!({ "c": [1], "d": 2 })));
}

#[test]
fn a_difference_says_what_was_and_what_will_be() {
    let mapping = one(
        "{ title: Deal value, left: { path: details.dealValue, as: money }, right: { path: estimatedvalue, as: money } }",
    );
    let compared = mapping
        .compare(0, &json!({ "details": { "dealValue": "96500.00" } }), &json!({ "estimatedvalue": 84_000.0 }))
        .unwrap();
    let difference =
        json!({ "row": "it", "title": "Deal value", "path": "estimatedvalue", "old": 84_000.0, "new": 96_500 });
    assert_eq!(
        compared,
        json!({ "equal": false, "changes": { "estimatedvalue": 96_500 }, "differences": [difference] })
    );
}

#[test]
fn what_is_the_same_in_another_form_is_no_difference() {
    for (row, left, right) in [
        (
            "{ left: { path: f, as: datetime }, right: { path: f, as: date } }",
            json!("2026-11-02T17:00:00Z"),
            json!("2026-11-02"),
        ),
        (
            "{ left: { path: f, as: date }, right: { path: f, as: datetime } }",
            json!("2026-11-02"),
            json!("2026-11-02T17:00:00Z"),
        ),
        (
            "{ left: { path: f, as: datetime }, right: { path: f, as: datetime } }",
            json!("2026-11-02T01:00:00+01:00"),
            json!("2026-11-02T00:00:00.000Z"),
        ),
        ("{ left: { path: f, as: money }, right: { path: f, as: money } }", json!("84000"), json!(84_000.0)),
        ("{ left: f, right: f }", json!(5), json!(5.0)),
        ("{ left: f, right: { path: f, length: 5 } }", json!("a long text"), json!("a lo…")),
        ("{ left: { path: f, as: country }, right: { path: f, as: text } }", json!("de"), json!("DE")),
        (
            "{ left: { path: f, as: text }, right: { path: f, as: integer }, values: { Won: 3, Closed: 3 } }",
            json!("Closed"),
            json!(3),
        ),
        ("{ left: { path: f, as: text }, right: { path: f, as: text, default: none } }", json!(""), json!("none")),
        ("{ left: { path: f, as: boolean }, right: { path: f, as: boolean } }", json!(null), json!(false)),
        ("{ left: { path: f, as: text }, right: f }", json!("  "), json!(null)),
    ] {
        let (mapping, left, right) = (one(row), json!({ "f": left }), json!({ "f": right }));
        assert_eq!(differences(&mapping, 0, &left, &right), json!([]), "{row}");
        assert_eq!(differences(&mapping, 1, &right, &left), json!([]), "{row}, the other way");
    }
}

#[test]
fn an_empty_value_clears_or_keeps() {
    let change = |row: &str, left: Value, right: Value| {
        let compared = one(row).compare(0, &json!({ "f": left }), &json!({ "f": right })).unwrap();
        compared["changes"].get("f").cloned()
    };
    assert_eq!(
        change("{ left: f, right: f }", json!(null), json!("x")),
        Some(json!(null)),
        "clearing is what happens unless said otherwise"
    );
    assert_eq!(change("{ left: f, right: f, when_empty: clear }", json!(null), json!("x")), Some(json!(null)));
    assert_eq!(change("{ left: f, right: f, when_empty: keep }", json!(null), json!("x")), None);
    let text = "{ left: { path: f, as: text }, right: { path: f, as: text, default: none }, when_empty: keep }";
    assert_eq!(change(text, json!(" "), json!("x")), Some(json!("none")), "a default is a value");
    assert_eq!(change("{ left: f, right: f, only_to: left }", json!("x"), json!("y")), None);
}

#[test]
fn a_default_is_written_in_its_field_s_form_and_never_over_a_value() {
    let row = "{ left: f, right: { path: f, as: datetime, default: 2026-01-01 } }";
    assert_eq!(one(row).apply(0, &json!({})), Ok(json!({ "f": "2026-01-01T00:00:00Z" })));
    assert_eq!(one(row).apply(0, &json!({ "f": "2026-02-02" })), Ok(json!({ "f": "2026-02-02T00:00:00Z" })));
    let row = "{ left: f, right: { path: f, as: boolean, default: true } }";
    assert_eq!(one(row).apply(0, &json!({})), Ok(json!({ "f": true })), "a default goes before what nothing counts as");
}

#[test]
fn what_cannot_be_taken_over_is_said_with_its_row() {
    for (row, left, words) in [
        ("{ left: { path: f, as: date }, right: f }", json!("soon"), "\"soon\" is not a date"),
        ("{ left: f, right: { path: f, as: money } }", json!("much"), "\"much\" is not an amount of money"),
        ("{ left: { path: f, as: country }, right: f }", json!("USA"), "\"USA\" is not a two-letter country code"),
        ("{ left: f, right: { path: f, as: guid } }", json!("OPP-1"), "\"OPP-1\" is not a GUID"),
        (
            "{ left: f, right: f, values: { Won: 3, Lost: 5 } }",
            json!("Open"),
            "its table has no \"Open\"; it has \"Won\", \"Lost\"; add it to `values` of this row in an overlay",
        ),
        ("{ left: f, right: { path: f, as: text } }", json!([1]), "[1] is not text"),
    ] {
        let message = one(row).apply(0, &json!({ "f": left })).unwrap_err().to_string();
        assert!(
            message.starts_with("mapping `one`, row `it` (made.yaml:4): ") && message.contains(words),
            "{row}: {message}"
        );
        assert!(one(row).compare(0, &json!({ "f": left }), &json!({})).is_err(), "{row}");
    }
}

#[test]
fn what_the_following_side_has_may_be_anything() {
    let mapping = one("{ left: { path: f, as: date }, right: { path: f, as: date } }");
    let compared = mapping.compare(0, &json!({ "f": "2026-11-02" }), &json!({ "f": "rubbish" })).unwrap();
    assert_eq!(compared["changes"], json!({ "f": "2026-11-02" }), "it is written over");
}
