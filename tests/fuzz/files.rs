//! Files of people: flows, overlays, mappings, variables, the configuration, and the expressions in them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bolero::check;
use cosell_compile::expr::path::{Root, Scope};
use cosell_compile::plan::Action;
use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{Compilation, compile, configuration};
use cosell_model::{Catalogue, FlowId, Value};
use serde_json::json;

use crate::change::{Change, changed, one};

/// What the shipped flows and the examples are made of, and every mistake that has a finding.
static TEXTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut texts = Vec::new();
    for folder in ["flows", "examples", "tests/diagnostics"] {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut texts);
    }
    assert!(texts.len() > 100);
    texts
});

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let all = [
        cosell_partner_center::connector(),
        cosell_partner_center_events::connector(),
        cosell_dataverse::connector(),
        cosell_http::connector(),
        cosell_state::connector(),
    ];
    Catalogue::new(all.iter().map(|connector| connector.description().clone()))
});

/// The expressions of all these files, without their braces.
static EXPRESSIONS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let texts = TEXTS.iter().map(|text| String::from_utf8_lossy(text));
    let found = texts.flat_map(|text| {
        let parts = text.split("${{").skip(1).filter_map(|part| part.split("}}").next());
        parts.map(|part| part.trim().as_bytes().to_vec()).collect::<Vec<_>>()
    });
    let found: Vec<_> = found.chain([b"trigger | jsonpath('$.a[?@.b > 1]..c') | length".to_vec()]).collect();
    assert!(found.len() > 300);
    found
});

fn read(folder: &Path, texts: &mut Vec<Vec<u8>>) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            texts.push(fs::read(path).unwrap());
        }
    }
}

fn file(layer: Layer, bytes: &[u8]) -> SourceFile {
    SourceFile { path: "any.yaml".to_owned(), text: String::from_utf8_lossy(bytes).into_owned(), layer }
}

fn compiled(files: Vec<SourceFile>) -> Compilation {
    compile(files, &CATALOGUE, &BTreeMap::new())
}

#[test]
fn any_file_over_any_file() {
    check!().with_type::<(u16, u16, Vec<Change>, Vec<Change>)>().for_each(|(first, second, changes, more)| {
        let shipped = file(Layer::Shipped, &changed(one(&TEXTS, *first), changes));
        let own = file(Layer::Own, &changed(one(&TEXTS, *second), more));
        compiled(vec![shipped, own]);
    });
}

#[test]
fn any_configuration() {
    let sample = json!({
        "flows": ["flows"], "retry": { "policy": "exponential", "count": 3, "interval": "50ms" }, "off": ["customize"],
        "variables": { "display_check_mark": true },
        "connections": { "dataverse": { "address": { "env": "CRM" }, "sign_in": { "tenant": "t" }, "limits": { "concurrent": 3, "rate": "100 per 5m" } } },
        "environments": { "test": { "connections": {}, "variables": {} } },
    });
    let samples = [serde_yaml::to_string(&sample).unwrap().into_bytes(), sample.to_string().into_bytes()];
    check!().with_type::<(u16, bool, Vec<Change>)>().for_each(|(which, named, changes)| {
        let text = changed(one(&samples, *which), changes);
        configuration::read(file(Layer::Own, &text), named.then_some("test"));
    });
}

/// The same value for everything that can be mentioned.
struct Everywhere(Value);

impl Scope for Everywhere {
    fn value(&self, _: Root) -> Cow<'_, Value> {
        Cow::Borrowed(&self.0)
    }
}

/// Compiles an expression, and computes it with this data; how long that took.
fn compute(expression: &str, data: Value) -> Duration {
    let flow = json!({
        "flow": "any", "trigger": { "use": "manual" },
        "steps": { "it": { "let": { "value": format!("${{{{ {expression} }}}}") } } },
    });
    let began = Instant::now();
    let compiled = compiled(vec![file(Layer::Own, flow.to_string().as_bytes())]);
    if let Some(plan) = compiled.plans.get(&FlowId::new("any"))
        && let Action::Let(template) = &plan.step(plan.find("it").unwrap()).action
    {
        let _ = template.render(&Everywhere(data));
    }
    began.elapsed()
}

#[test]
fn any_expression_with_any_data() {
    let data = json!({
        "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "value": 84_000.5, "at": "2026-11-02T08:15:31Z", "rows": [{ "a": 1 }, { "a": null }],
        "details": { "notes": "ä🦀", "closingDateTime": "2027-01-29T00:00:00Z" }, "steps": {}, "item": [1, "2", [3]],
    });
    let data = data.to_string().into_bytes();
    check!().with_type::<(u16, Vec<Change>, Vec<Change>)>().for_each(|(which, changes, others)| {
        let expression = changed(one(&EXPRESSIONS, *which), changes);
        let data = serde_json::from_slice(&changed(&data, others)).unwrap_or_default();
        let took = compute(&String::from_utf8_lossy(&expression), data);
        assert!(took < Duration::from_secs(10), "it took {took:?}");
    });
}

/// What is cheap to write and could be dear to read: each piece many times over, between a beginning and an end.
const HOSTILE: [(&str, &str, &str); 24] = [
    ("", "[", ""),
    ("", "{", ""),
    ("", "- ", "x"),
    ("", "? ", "x"),
    ("", "a: ", "x"),
    ("", "'", ""),
    ("", "\"\\", ""),
    ("", "&a ", "x"),
    ("", "*a ", "x"),
    ("", "!", "x"),
    ("", "---\n", ""),
    ("", "#", ""),
    ("", "\t", "x"),
    ("", "%TAG\n", ""),
    ("a: |\n", " x\n", ""),
    ("a: >\n", "\n", "x"),
    ("a: \"", "\\n", "\""),
    ("a: \"", "\n", "\""),
    ("[", "a,", "]"),
    ("{", "a,", "}"),
    ("flow: a\nsteps:\n  a: { let: { b: '", "${{ 1 }}", "' } }\n"),
    ("flow: a\nsteps:\n  a: { let: { b: '", "${{", "' } }\n"),
    ("flow: a\nsteps:\n  a: { let: { b: '", "$", "' } }\n"),
    ("flow: a\nsteps:\n  a: { scope: ", "{ a: { scope: ", ""),
];

const HOSTILE_EXPRESSIONS: [(&str, &str, &str); 20] = [
    ("", "(", "1"),
    ("", "[", "1"),
    ("", "{'a': ", "1"),
    ("", "not ", "1"),
    ("", "-", "1"),
    ("1", " + 1", ""),
    ("1", " ~ 1", ""),
    ("1", " and 1", ""),
    ("1", " == 1", ""),
    ("1", " ** 9", ""),
    ("1", " if 1 else 1", ""),
    ("trigger", ".a", ""),
    ("trigger", "[0]", ""),
    ("'a'", " | upper", ""),
    ("[", "1,", "]"),
    ("'", "\\\\", "'"),
    ("trigger | jsonpath('$", ".a", "')"),
    ("trigger | jsonpath('$", "..*", "')"),
    ("trigger | jsonpath('$[?", "(", "@.a')"),
    ("range(1000000)", " | list", " | join(',')"),
];

#[test]
fn what_is_cheap_to_write_is_cheap_to_read() {
    // In a test's thread, whose stack is small: what recurses deeply ends the process.
    for times in [100, 20_000] {
        for (begin, piece, end) in HOSTILE {
            let text = format!("{begin}{}{end}", piece.repeat(times));
            let began = Instant::now();
            let found = compiled(vec![file(Layer::Own, text.as_bytes())]);
            configuration::read(file(Layer::Own, text.as_bytes()), None);
            let took = began.elapsed();
            assert!(took < Duration::from_secs(10), "{begin}{piece}…{end} {times} times took {took:?}");
            assert!(!found.diagnostics.is_empty(), "{begin}{piece}…{end} is no file");
        }
        for (begin, piece, end) in HOSTILE_EXPRESSIONS {
            let times = times.min(9_900 / piece.len());
            let expression = format!("{begin}{}{end}", piece.repeat(times));
            let took = compute(&expression, json!({ "a": [[[{ "a": 1 }]]] }));
            assert!(took < Duration::from_secs(10), "{begin}{piece}…{end} {times} times took {took:?}");
        }
    }
}
