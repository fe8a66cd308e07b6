//! Runs as the journal gives them, and pages as people read them, for tests.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_compile::Compilation;
use cosell_compile::configuration;
use cosell_compile::source::{Layer, SourceFile};
use cosell_journal::read::{Listed, Shown};
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, Effect, Value};
use cosell_runtime::memory::Engine;
use cosell_sdk::{CallContext, CallError, Connect, Connector, JsonSchema, Operation};
use jiff::{SignedDuration, Timestamp};
use maud::Markup;
use serde::Deserialize;
use serde_json::json;

use crate::facts::Facts;

struct Book;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

impl Connect for Book {
    type Settings = Nothing;

    fn connect(_: Nothing) -> Result<Self, CallError> {
        Ok(Self)
    }
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "nothing is called")]
struct Line {
    id: String,
    #[serde(default)]
    values: Value,
}

macro_rules! operation {
    ($type:ident, $name:literal, $effect:expr) => {
        struct $type;

        impl Operation for $type {
            type Connection = Book;
            type Input = Line;
            type Output = Value;
            const NAME: &'static str = $name;
            const TITLE: &'static str = $name;
            const DESCRIPTION: &'static str = $name;
            const EFFECT: Effect = $effect;

            async fn call(_: &Book, _: Line, _: &CallContext) -> Result<Value, CallError> {
                Ok(Value::Null)
            }
        }
    };
}

operation!(Get, "get", Effect::Read);
operation!(Update, "update", Effect::Write);

/// What these flows say, which may use `book.get` and `book.update`.
fn compiled(flows: &[&str], book: &Connector) -> Compilation {
    let file = |(at, text): (usize, &&str)| SourceFile {
        path: format!("{at}.yaml"),
        text: (*text).to_owned(),
        layer: Layer::Own,
    };
    let files = flows.iter().enumerate().map(file).collect();
    let compiled = cosell_compile::compile(files, &Catalogue::new([book.description().clone()]), &BTreeMap::new());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    compiled
}

fn book() -> Connector {
    Connector::new::<Book>("book", "Book", "Keeps lines").operation::<Get>().operation::<Update>().build()
}

/// The files that hold these flows.
pub(super) fn facts(flows: &[&str]) -> Facts {
    let file = SourceFile { path: "cosell.yaml".to_owned(), text: String::new(), layer: Layer::Own };
    let (configuration, _, sources) = configuration::read(file, None);
    let compilation = Arc::new(compiled(flows, &book()));
    Facts { compilation, configuration: Arc::new(configuration), sources: Arc::new(sources) }
}

/// An engine with these flows.
pub(super) fn engine(flows: &[&str]) -> Engine {
    let book = book();
    let compiled = compiled(flows, &book);
    let connections = BTreeMap::from([("book".to_owned(), book.open(json!({})).unwrap())]);
    Engine::new(compiled.plans, connections, Retry::NONE)
}

/// A step that has ended, with what is to be different of it.
pub(super) fn step(path: &str, outcome: &str, more: Value) -> Value {
    let mut step = json!({
        "path": path, "title": path, "kind": "use", "outcome": outcome, "output": null, "attempts": 1,
        "took": { "secs": 0, "nanos": 52_000_000 }, "requests": [],
    });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

/// A run that has ended, or not, in today's version of the flows.
pub(super) fn shown(run: &str, flow: &str, outcome: Option<&str>, steps: Vec<Value>) -> Shown {
    let began: Timestamp = "2026-05-01T08:00:00Z".parse().unwrap();
    let failure = json!({ "code": "refused", "message": "the line is <b>locked</b>", "step": "update" });
    Shown {
        listed: Listed {
            run: run.to_owned(),
            flow: flow.to_owned(),
            key: Some("0f3e9a52-7c1b-4d2e-9f00-5b8d2f6a1c77".to_owned()),
            began,
            ended: outcome.map(|_| began + SignedDuration::from_millis(1234)),
            outcome: outcome.map(str::to_owned),
            failure: (outcome == Some("failed")).then_some(failure),
            life: 0,
        },
        trigger: json!({ "id": "o1" }),
        inputs: Value::Null,
        output: Value::Null,
        answer: Value::Null,
        version: String::new(),
        left_out: 0,
        skipped: Vec::new(),
        steps,
        called: Vec::new(),
    }
}

/// The words of a page, a line for each thing that stands on one of its own.
pub(super) fn words(page: &Markup) -> String {
    let mut text = String::new();
    let mut rest = page.0.as_str();
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
        let tag = rest[at + 1..end].trim_start_matches('/').split([' ', '>']).next().unwrap_or_default();
        if ["p", "li", "ol", "ul", "tr", "div", "summary", "h1", "h2", "dt", "dd", "section", "pre"].contains(&tag) {
            text.push('\n');
        } else if ["td", "th"].contains(&tag) {
            text.push_str(" | ");
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}
