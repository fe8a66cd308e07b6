//! Merging: its laws, for mappings and records made up and for the shipped mappings, and its rules one by one.
#![allow(clippy::unwrap_used)]

#[path = "laws/drawn.rs"]
mod drawn;
mod support;

use cosell_compile::mapping::Mapping;
use cosell_compile::mapping::beside::Verdict;
use cosell_compile::mapping::merge::Merging;
use drawn::{Drawn, drawn, mapping, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Merges, the left side having been changed last.
fn merge(mapping: &Mapping, from: usize, records: [&Value; 2], agreed: &Value) -> Value {
    let changed = ["2026-11-02T09:00:00Z", "2026-11-02T08:00:00Z"].map(|time| time.parse().ok());
    mapping.merge(&Merging { from, records, agreed, changed }).unwrap()
}

/// Both records with what a merge found written over them.
fn applied(mapping: &Mapping, records: [&Value; 2], merged: &Value) -> [Value; 2] {
    [0, 1].map(|side| with(records[side], &merged["changes"][&mapping.sides[side]]))
}

/// Both records in agreement, and what is remembered of it.
fn in_agreement(drawn: &Drawn, from: usize) -> ([Value; 2], Value) {
    let [left, right] = &drawn.records;
    let merged = merge(&drawn.mapping, from, [left, right], &Value::Null);
    let records = applied(&drawn.mapping, [left, right], &merged);
    let agreed = merge(&drawn.mapping, from, [&records[0], &records[1]], &Value::Null)["agreed"].clone();
    (records, agreed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_merged_agrees(drawn in drawn(), from in 0..2usize, edited in any::<[bool; 2]>()) {
        let mapping = &drawn.mapping;
        let (before, agreed) = in_agreement(&drawn, from);
        let now = [0, 1].map(|side| if edited[side] { with(&before[side], &drawn.edits[side]) } else { before[side].clone() });
        let merged = merge(mapping, from, [&now[0], &now[1]], &agreed);
        let after = applied(mapping, [&now[0], &now[1]], &merged);
        let remembered = merge(mapping, from, [&after[0], &after[1]], &Value::Null)["agreed"].clone();
        for memory in [&merged["agreed"], &agreed, &Value::Null] {
            let again = merge(mapping, from, [&after[0], &after[1]], memory);
            prop_assert_eq!(&again["equal"], &json!(true), "{} then {} by {:?}", merged, again, mapping);
            prop_assert_eq!(&again["agreed"], &remembered);
        }
        for leading in [0, 1] {
            let compared = mapping.compare(leading, &after[leading], &after[1 - leading]).unwrap();
            prop_assert_eq!(&compared["differences"], &json!([]), "{} by {:?}", merged, mapping);
        }
    }

    #[test]
    fn what_one_side_changed_goes_to_the_other_as_a_comparison_says(drawn in drawn(), from in 0..2usize, side in 0..2usize) {
        let mapping = &drawn.mapping;
        let (mut records, agreed) = in_agreement(&drawn, from);
        records[side] = with(&records[side], &drawn.edits[side]);
        let merged = merge(mapping, from, [&records[0], &records[1]], &agreed);
        let compared = mapping.compare(side, &records[side], &records[1 - side]).unwrap();
        prop_assert_eq!(&merged["changes"][&mapping.sides[1 - side]], &compared["changes"], "{} by {:?}", merged, mapping);
        prop_assert_eq!(&merged["conflicts"], &json!([]), "only one side has changed");
    }

    #[test]
    fn who_wins_does_not_depend_on_who_asks(drawn in drawn()) {
        let mapping = &drawn.mapping;
        let (before, agreed) = in_agreement(&drawn, 0);
        let records = [0, 1].map(|side| with(&before[side], &drawn.edits[side]));
        let [one, other] = [0, 1].map(|from| {
            let mut merged = merge(mapping, from, [&records[0], &records[1]], &agreed);
            merged.as_object_mut().unwrap().remove("agreed");
            merged
        });
        prop_assert_eq!(one, other, "{:?}", mapping);
    }

    #[test]
    fn two_flows_that_each_write_the_other_side_end_in_agreement(drawn in drawn(), first in 0..2usize) {
        let mapping = &drawn.mapping;
        let (before, mut agreed) = in_agreement(&drawn, 0);
        let mut records = [0, 1].map(|side| with(&before[side], &drawn.edits[side]));
        let whole = merge(mapping, first, [&records[0], &records[1]], &agreed);
        for from in [first, 1 - first] {
            let merged = merge(mapping, from, [&records[0], &records[1]], &agreed);
            let to = &mapping.sides[1 - from];
            prop_assert_eq!(&merged["changes"][to], &whole["changes"][to], "neither writes for the other by {:?}", mapping);
            records[1 - from] = with(&records[1 - from], &merged["changes"][to]);
            agreed = merged["agreed"].clone();
        }
        let end = merge(mapping, first, [&records[0], &records[1]], &agreed);
        prop_assert_eq!(&end["equal"], &json!(true), "{} by {:?}", end, mapping);
    }
}

/// One row with values on both sides, merged from the left; gives what each side must take over, and who wins a conflict.
fn one(row: &str, values: [Value; 2], agreed: Option<[Value; 2]>) -> (Option<Value>, Option<Value>, Option<String>) {
    let mapping =
        mapping(&format!("mapping: one\nbetween: [left, right]\nrows:\n  it: {{ left: f, right: g, {row} }}\n"));
    let agreed = agreed.map_or(json!({}), |[left, right]| json!({ "it": { "left": left, "right": right } }));
    let [left, right] = values;
    let (left, right) = (json!({ "f": left }), json!({ "g": right }));
    let merged = merge(&mapping, 0, [&left, &right], &agreed);
    let conflict = merged["conflicts"].get(0).map(|conflict| conflict["wins"].as_str().unwrap().to_owned());
    (merged["changes"]["left"].get("f").cloned(), merged["changes"]["right"].get("g").cloned(), conflict)
}

#[test]
fn each_rule_decides_as_it_says() {
    let nothing = (None, None, None);
    let to_left = |value: Value| (Some(value), None, None);
    let to_right = |value: Value| (None, Some(value), None);
    let won =
        |by: &str, (left, right, _): (Option<Value>, Option<Value>, Option<String>)| (left, right, Some(by.to_owned()));
    let v = |left: Value, right: Value| [left, right];
    let (a, b, o, none) = (json!("a"), json!("b"), json!("o"), json!(null));
    let agreed = || Some([json!("o"), json!("o")]);
    for (rule, row, values, agreed, expected) in [
        ("sides that agree", "", v(json!(5), json!(5.0)), None, nothing.clone()),
        ("the side with news, where nothing is remembered", "", v(a.clone(), b.clone()), None, to_right(a.clone())),
        ("nothing is no news", "", v(none.clone(), b.clone()), None, to_left(b.clone())),
        ("only the right has changed", "", v(o.clone(), b.clone()), agreed(), to_left(b.clone())),
        ("only the left has changed", "", v(a.clone(), o.clone()), agreed(), to_right(a.clone())),
        ("clearing is a change", "", v(none.clone(), o.clone()), agreed(), to_right(none.clone())),
        ("unless an empty value keeps", "when_empty: keep", v(none.clone(), o.clone()), agreed(), to_left(o.clone())),
        ("both to the same", "", v(a.clone(), a.clone()), agreed(), nothing.clone()),
        ("the newest wins", "", v(a.clone(), b.clone()), agreed(), won("left", to_right(a.clone()))),
        ("the side named wins", "wins: right", v(a.clone(), b.clone()), agreed(), won("right", to_left(b.clone()))),
        (
            "what is empty wins nothing where it keeps",
            "when_empty: keep",
            v(none.clone(), b.clone()),
            agreed(),
            won("right", to_left(b.clone())),
        ),
        ("neither has changed", "", v(a.clone(), b.clone()), Some(v(a.clone(), b.clone())), to_right(a.clone())),
        ("one way only", "only_to: right", v(o.clone(), b.clone()), agreed(), to_right(o.clone())),
        (
            "one way, and nothing there",
            "only_to: right, when_empty: keep",
            v(none.clone(), b.clone()),
            agreed(),
            nothing.clone(),
        ),
        (
            "final",
            "final_in: left",
            v(json!(true), json!(false)),
            Some(v(json!(true), json!(true))),
            to_right(json!(true)),
        ),
        (
            "not yet final",
            "final_in: left",
            v(json!(false), json!(true)),
            Some(v(json!(false), json!(false))),
            to_left(json!(true)),
        ),
        (
            "not final there",
            "final_in: left",
            v(json!(false), json!(true)),
            Some(v(json!(true), json!(true))),
            to_right(json!(false)),
        ),
        (
            "final before anybody wins",
            "final_in: left, wins: right",
            v(a.clone(), b.clone()),
            agreed(),
            won("left", to_right(a.clone())),
        ),
        ("several that mean the same agree", "values: { a: [1, 2] }", v(a.clone(), json!(2)), None, nothing.clone()),
        (
            "the first of them is written",
            "values: { a: [1, 2], b: 3 }",
            v(a.clone(), json!(3)),
            Some(v(b.clone(), json!(3))),
            to_right(json!(1)),
        ),
        (
            "one that is somebody else's first means that",
            "values: { a: [1, 2], b: 2 }",
            v(json!("c"), json!(2)),
            Some(v(json!("c"), json!(1))),
            to_left(b.clone()),
        ),
        (
            "a choice that stands for false is not final",
            "final_in: right, values: { true: 1, false: 0 }",
            v(json!(true), json!(0)),
            Some(v(json!(false), json!(0))),
            to_right(json!(1)),
        ),
    ] {
        assert_eq!(one(row, values, agreed), expected, "{rule}");
    }
}

#[test]
fn without_times_the_side_with_news_counts_as_the_newest() {
    let mapping = mapping("mapping: one\nbetween: [left, right]\nrows:\n  it: { left: f, right: f }\n");
    let (left, right, agreed) = (json!({ "f": 1 }), json!({ "f": 2 }), json!({ "it": { "left": 0, "right": 0 } }));
    let wins = |from: usize, changed: [Option<&str>; 2]| {
        let changed = changed.map(|time| time.map(|time| time.parse().unwrap()));
        let merged = mapping.merge(&Merging { from, records: [&left, &right], agreed: &agreed, changed }).unwrap();
        merged["conflicts"][0]["wins"].as_str().unwrap().to_owned()
    };
    let (early, late) = (Some("2026-11-02T08:00:00Z"), Some("2026-11-02T08:00:00.5Z"));
    assert_eq!(wins(0, [early, late]), "right");
    assert_eq!(wins(1, [late, early]), "left");
    for changed in [[None, None], [early, None], [None, late], [late, late]] {
        assert_eq!([wins(0, changed), wins(1, changed)], ["left", "right"], "{changed:?}");
    }
}

#[test]
fn a_value_written_in_another_way_has_not_changed() {
    let mapping = mapping(
        "mapping: one\nbetween: [left, right]\nrows:\n  it: { left: { path: f, as: money }, right: { path: f, as: money } }\n",
    );
    let agreed = json!({ "it": { "left": "84000.00", "right": 84_000 } });
    let merged = merge(&mapping, 0, [&json!({ "f": 84_000.0 }), &json!({ "f": 5 })], &agreed);
    assert_eq!((&merged["changes"]["left"], &merged["conflicts"]), (&json!({ "f": 5 }), &json!([])));
}

#[test]
fn a_merge_says_what_it_changes_what_it_gives_up_and_what_to_remember() {
    let mapping = mapping(
        "mapping: m\nbetween: [referral, opportunity]\nrows:\n  \
         value: { title: Deal value, referral: { path: details.dealValue, as: money }, opportunity: { path: estimatedvalue, as: money } }\n  \
         notes: { title: Notes, referral: details.notes, opportunity: description, wins: opportunity }\n  \
         name: { title: Name, referral: name, opportunity: name }\n  \
         upper: { title: Copy of the notes, referral: details.notes, opportunity: copy, only_to: opportunity }\n",
    );
    let referral = json!({ "details": { "dealValue": "96500.00", "notes": "call" }, "name": "Deal" });
    let opportunity = json!({ "estimatedvalue": 84_000.0, "description": "write", "name": "Deal" });
    let agreed = json!({
        "value": { "referral": 84_000, "opportunity": 84_000.0 }, "notes": { "referral": "x", "opportunity": "x" },
    });
    insta::assert_json_snapshot!(merge(&mapping, 0, [&referral, &opportunity], &agreed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_beside_each_other_say_what_a_merge_does(drawn in drawn(), from in 0..2usize) {
        let mapping = &drawn.mapping;
        let (before, agreed) = in_agreement(&drawn, from);
        let records = [0, 1].map(|side| with(&before[side], &drawn.edits[side]));
        let changed = ["2026-11-02T09:00:00Z", "2026-11-02T08:00:00Z"].map(|time| time.parse().ok());
        let merging = Merging { from, records: [&records[0], &records[1]], agreed: &agreed, changed };
        let merged = mapping.merge(&merging).unwrap();
        let beside = mapping.merged_beside(&merging);
        prop_assert!(beside.iter().map(|beside| beside.row).eq(&mapping.rows), "in the order of the file");
        for side in [0, 1] {
            let differences = merged["differences"][&mapping.sides[side]].as_array().unwrap();
            let said = beside.iter().filter(|beside| matches!(&beside.verdict, Verdict::Follows { side: to, .. } if *to == side));
            prop_assert_eq!(said.clone().count(), differences.len());
            for beside in said {
                let Verdict::Follows { new, conflict, .. } = &beside.verdict else { unreachable!() };
                let difference = differences.iter().find(|difference| difference["row"] == *beside.row.id).unwrap();
                prop_assert_eq!((new, &beside.now[side]), (&difference["new"], &difference["old"]));
                let told = merged["conflicts"].as_array().unwrap().iter().any(|told| told["row"] == *beside.row.id);
                prop_assert_eq!(*conflict, told);
            }
        }
    }
}

#[test]
fn a_row_that_cannot_be_taken_over_keeps_nothing_from_the_others() {
    let mapping = mapping(
        "mapping: two\nbetween: [left, right]\nrows:\n  one: { left: f, right: { path: g, as: date } }\n  two: { left: h, right: h }\n  three: { left: i, right: i, only_to: right, when_empty: keep }\n",
    );
    let (left, right) = (json!({ "f": "soon", "h": 1 }), json!({ "g": "2026-11-02", "h": 2, "i": 3 }));
    let agreed = json!({ "two": { "left": 1, "right": 1 } });
    let merging = Merging { from: 0, records: [&left, &right], agreed: &agreed, changed: [None, None] };
    assert!(mapping.merge(&merging).is_err());
    let compared = mapping.compared_beside(0, [&left, &right]);
    assert!(matches!(&compared[0].verdict, Verdict::Stuck(_)));
    assert_eq!(compared[1].verdict, Verdict::Follows { side: 1, new: json!(1), conflict: false });
    assert_eq!(compared[2].verdict, Verdict::Stays);
    let verdicts: Vec<Verdict> = mapping.merged_beside(&merging).into_iter().map(|beside| beside.verdict).collect();
    let follows = Verdict::Follows { side: 0, new: json!(2), conflict: false };
    assert!(matches!(&verdicts[0], Verdict::Stuck(why) if why.contains("soon")), "{verdicts:?}");
    assert_eq!(verdicts[1..], [follows, Verdict::Stays]);
}
