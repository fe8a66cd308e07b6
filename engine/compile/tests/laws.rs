//! The laws of mappings, for mappings and records made up.
#![allow(clippy::unwrap_used)]

#[path = "laws/drawn.rs"]
mod drawn;
mod support;

use std::sync::Arc;

use cosell_compile::mapping::Mapping;
use drawn::{Drawn, drawn, mapping, with};
use proptest::prelude::*;
use serde_json::{Value, json};

fn differences(mapping: &Mapping, from: usize, leading: &Value, following: &Value) -> Value {
    mapping.compare(from, leading, following).unwrap()["differences"].clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mapping_there_and_back_changes_nothing(Drawn { mapping, records, .. } in drawn()) {
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
    fn applying_the_changes_leaves_nothing_to_change(Drawn { mapping, records, .. } in drawn()) {
        for from in [0, 1] {
            let compared = mapping.compare(from, &records[from], &records[1 - from]).unwrap();
            prop_assert_eq!(&compared["equal"], &json!(compared["differences"].as_array().unwrap().is_empty()));
            let changed = with(&records[1 - from], &compared["changes"]);
            prop_assert_eq!(differences(&mapping, from, &records[from], &changed), json!([]), "{:?} by {:?}", compared, mapping);
        }
    }

    #[test]
    fn empty_records_agree(Drawn { mapping, .. } in drawn(), from in 0..2usize) {
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
