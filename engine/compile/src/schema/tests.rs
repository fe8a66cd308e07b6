//! The tables have the keys that the compiler takes, and no others: of each kind of map, the compiler is given a key that
//! there is not, and asked which there are.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use cosell_model::{Catalogue, Diagnostic};

use super::step::{COMMON, KINDS};
use super::table::Table;
use super::{configuration, flow, mapping, names, step};
use crate::source::{Layer, SourceFile};
use crate::{compile, configuration as compiled};

/// What stands in for a key that there is not.
const NONE: &str = "qqqqqqqqqqqq";

fn file(text: &str) -> SourceFile {
    SourceFile { path: "a.yaml".to_owned(), text: text.replace('?', &format!("{NONE}: 1")), layer: Layer::Own }
}

/// The keys that the compiler says there are, where `text` has a `?`.
fn asked(text: &str) -> BTreeSet<String> {
    said(text, &compile(vec![file(text)], &Catalogue::default(), &BTreeMap::new()).diagnostics)
}

fn asked_of_configuration(text: &str) -> BTreeSet<String> {
    said(text, &compiled::read(file(text), None).1)
}

fn said(text: &str, findings: &[Diagnostic]) -> BTreeSet<String> {
    let finding = findings.iter().find(|finding| finding.code == "unknown-key" && finding.message.contains(NONE));
    let help = finding.and_then(|finding| finding.help.as_deref()).unwrap_or_else(|| panic!("{text}: {findings:?}"));
    let (_, keys) = help.split_once(" takes ").unwrap();
    keys.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn keys(table: &Table) -> BTreeSet<String> {
    table.keys.iter().map(|key| key.name.to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_keys_of_flows() {
    let inside = "flow: a\ntrigger: { use: manual, inputs: { b: { type: text, ? } } }\nsteps: {}\n";
    assert_eq!(asked(inside), keys(&flow::INPUT));
    assert_eq!(asked("flow: a\ntrigger: { use: manual, ? }\nsteps: {}\n"), keys(&flow::TRIGGER));
    let also = "flow: a\ntrigger: { use: x.y, also: [{ use: x.z, ? }] }\nsteps: {}\n";
    assert_eq!(asked(also), keys(&flow::ALSO));
    let mut of_flow = asked("flow: a\ntrigger: manual\nsteps: {}\n?\n");
    // They are taken out before the rest is read.
    of_flow.extend(set(&["whole", "based_on"]));
    assert_eq!(of_flow, keys(&flow::FLOW));
}

#[test]
fn the_keys_of_steps() {
    let step = |text: &str| asked(&format!("flow: a\ntrigger: manual\nsteps: {{ s: {{ {text} }} }}\n"));
    for kind in &KINDS {
        let main = match kind.main.name {
            "use" => "use: x.y",
            "call" => "call: x",
            "scope" => "scope: {}",
            "if" => "if: true",
            "switch" => "switch: 1, cases: {}",
            "for_each" => "for_each: [], do: { t: { wait: 1s } }",
            "until" => "until: true, do: { t: { wait: 1s } }",
            "let" => "let: {}",
            "map" => "map: x, from: { y: 1 }",
            "compare" => "compare: x, from: { y: 1 }, to: { z: 1 }",
            "merge" => "merge: x, from: { y: 1 }, to: { z: 1 }",
            "wait" => "wait: 1s",
            "respond" => "respond: {}",
            "stop" => "stop: failed",
            other => panic!("how is `{other}` written?"),
        };
        let mut known = step(&format!("{main}, ?"));
        if kind.main.name != "use" {
            // It is read wherever it stands, to say that it belongs to `use`.
            assert!(known.remove("retry"));
        }
        assert_eq!(known, names(kind).map(str::to_owned).collect(), "{main}");
    }
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.main.name).collect();
    assert_eq!(kinds, crate::read::step::KINDS);
    for (text, table) in [
        ("use: x.y, retry: { ? }", &step::RETRY),
        ("until: true, do: { t: { wait: 1s } }, limit: { ? }", &step::LIMIT),
        ("wait: { for: 1s, ? }", &step::WAIT),
        ("respond: { ? }", &step::RESPOND),
        ("stop: { outcome: failed, ? }", &step::STOP),
    ] {
        assert_eq!(step(text), keys(table), "{text}");
    }
    assert!(COMMON.iter().all(|key| !kinds.contains(&key.name)));
}

#[test]
fn the_keys_of_mappings_and_variables() {
    let row = |text: &str| asked(&format!("mapping: a\nbetween: [l, r]\nrows: {{ x: {text} }}\n"));
    let mut known = keys(&mapping::ROW);
    known.extend(set(&["l", "r"]));
    assert_eq!(row("{ l: a, r: b, ? }"), known);
    assert_eq!(row("{ l: { path: a, ? }, r: b }"), keys(&mapping::FIELD));
    let mut of_mapping = asked("mapping: a\nbetween: [l, r]\nrows: {}\n?\n");
    of_mapping.extend(set(&["whole", "based_on"]));
    assert_eq!(of_mapping, keys(&mapping::MAPPING));
    assert_eq!(asked("variables: {}\n?\n"), keys(&mapping::VARIABLES));
    assert_eq!(asked("variables: { a: { type: text, default: x, ? } }\n"), keys(&mapping::VARIABLE));
}

#[test]
fn the_keys_of_configurations() {
    for (text, table) in [
        ("?\n", &configuration::CONFIGURATION),
        ("environment: a\nenvironments: { a: { ? } }\n", &configuration::ENVIRONMENT),
        ("connections: { a: { limits: { ? } } }\n", &configuration::LIMITS),
        ("service: { ? }\n", &configuration::SERVED),
        ("service: { tls: { certificate: a, key: b, ? } }\n", &configuration::TLS),
        ("retry: { ? }\n", &step::RETRY),
    ] {
        assert_eq!(asked_of_configuration(text), keys(table), "{text}");
    }
}

#[test]
fn every_example_is_json() {
    let tables = [
        &flow::FLOW,
        &flow::TRIGGER,
        &flow::ALSO,
        &flow::INPUT,
        &step::RETRY,
        &step::LIMIT,
        &step::WAIT,
        &step::RESPOND,
        &step::STOP,
        &mapping::MAPPING,
        &mapping::ROW,
        &mapping::FIELD,
        &mapping::VARIABLES,
        &mapping::VARIABLE,
        &configuration::CONFIGURATION,
        &configuration::ENVIRONMENT,
        &configuration::LIMITS,
        &configuration::SERVED,
        &configuration::TLS,
    ];
    let of_steps = KINDS.iter().flat_map(|kind| kind.keys.iter().chain([&kind.main])).chain(&COMMON);
    for key in tables.iter().flat_map(|table| table.keys).chain(of_steps) {
        for example in key.examples {
            assert!(serde_json::from_str::<serde_json::Value>(example).is_ok(), "{}: {example}", key.name);
        }
    }
}
