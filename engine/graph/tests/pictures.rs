//! Pictures of the shipped flows, of runs, and of flows made at random.

#![allow(clippy::unwrap_used)]

#[path = "../../runtime/tests/laws/drawn.rs"]
#[allow(dead_code, reason = "shared with the laws of the engine")]
mod drawn;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{Compilation, compile};
use cosell_graph::{Member, Picture, Ran, of_flows, of_plan};
use cosell_model::catalogue::{ConnectorDescription, Limits, OperationDescription};
use cosell_model::{Catalogue, Effect, Severity};
use cosell_runtime::record::StepRecord;
use drawn::{Flow, drawn_flow};
use proptest::prelude::*;
use roxmltree::{Document, Node};
use serde_json::json;

fn catalogue() -> Catalogue {
    let connectors = [
        cosell_partner_center::connector(),
        cosell_partner_center_events::connector(),
        cosell_dataverse::connector(),
        cosell_http::connector(),
        cosell_state::connector(),
    ];
    Catalogue::new(connectors.iter().map(|connector| connector.description().clone()))
}

fn shipped() -> Compilation {
    let mut files = Vec::new();
    for folder in ["../../flows", "../../flows/mappings"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push(SourceFile { path: path.display().to_string(), text, layer: Layer::Shipped });
            }
        }
    }
    compile(files, &catalogue(), &BTreeMap::new())
}

/// One flow whose operations are `test.read` and `test.write`; none where it has errors.
fn small(text: &str) -> Option<Picture> {
    let operation = |name: &str, effect| OperationDescription {
        name: name.to_owned(),
        title: name.to_owned(),
        description: String::new(),
        effect,
        input: json!({}),
        output: json!({}),
        example: json!({}),
        finds_out: None,
    };
    let catalogue = Catalogue::new([ConnectorDescription {
        name: "test".to_owned(),
        title: "Test".to_owned(),
        description: String::new(),
        settings: json!({}),
        operations: vec![operation("read", Effect::Read), operation("write", Effect::Write)],
        triggers: Vec::new(),
        limits: Limits::default(),
    }]);
    let file = SourceFile { path: "f.yaml".to_owned(), text: text.to_owned(), layer: Layer::Own };
    let compiled = compile(vec![file], &catalogue, &BTreeMap::new());
    compiled.plans.values().next().map(|plan| of_plan(plan))
}

fn plain(picture: &Picture) -> String {
    picture.terminal(&|_, part| part.to_owned())
}

fn attribute<'d>(node: Node<'d, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// Whatever the picture: all forms show every step once, and lines only between steps that there are.
fn is_sound(picture: &Picture) {
    let names: BTreeSet<&str> = picture.nodes.iter().map(|node| &*node.name).collect();
    assert_eq!(names.len(), picture.nodes.len());
    assert!(picture.edges.iter().all(|edge| edge.from < names.len() && edge.to < names.len() && edge.from != edge.to));

    let svg = picture.svg();
    let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    let with_class = |class: &'static str| {
        document
            .descendants()
            .filter(move |node| node.attribute("class").is_some_and(|classes| classes.split(' ').next() == Some(class)))
    };
    let drawn: Vec<&str> =
        with_class("node").map(|node| node.attribute("id").unwrap().split_once('-').unwrap().1).collect();
    assert_eq!(drawn, picture.nodes.iter().map(|node| &*node.name).collect::<Vec<_>>());
    assert!(with_class("node").all(|node| node.children().any(|child| child.has_tag_name("desc"))));
    let ends: Vec<(&str, &str)> = with_class("edge")
        .map(|edge| (edge.attribute("data-from").unwrap(), edge.attribute("data-to").unwrap()))
        .collect();
    let expected: Vec<(&str, &str)> =
        picture.edges.iter().map(|edge| (&*picture.nodes[edge.from].name, &*picture.nodes[edge.to].name)).collect();
    assert_eq!(ends, expected);
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");

    // Boxes of one block stand apart, and inside what holds them.
    let areas: Vec<[f64; 4]> = with_class("node")
        .map(|node| {
            let rect = node.children().find(|child| child.has_tag_name("rect")).unwrap();
            let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| attribute(rect, name));
            [x, y, x + width, y + height]
        })
        .collect();
    let blocks = picture.nodes.iter().flat_map(|node| &node.groups).map(|group| &group.nodes).chain([&picture.root]);
    for block in blocks {
        for (at, one) in block.iter().enumerate() {
            for two in &block[at + 1..] {
                let ([a, b, c, d], [e, f, g, h]) = (areas[*one], areas[*two]);
                assert!(c <= e || g <= a || d <= f || h <= b, "{one} and {two} overlap\n{svg}");
            }
        }
    }
    for (holder, node) in picture.nodes.iter().enumerate() {
        for inner in node.groups.iter().flat_map(|group| &group.nodes) {
            let ([a, b, c, d], [e, f, g, h]) = (areas[holder], areas[*inner]);
            assert!(a < e && b < f && g < c && h < d, "{inner} is not inside {holder}\n{svg}");
        }
    }

    let terminal = plain(picture);
    let mermaid = picture.mermaid();
    let dot = picture.dot();
    for node in &picture.nodes {
        let begins = format!("{}  ", node.name);
        let headline = |line: &&str| {
            line.split("─ ")
                .last()
                .is_some_and(|text| text.trim_start_matches(['✓', '✗', '⧖', '·', '⊘', '…', ' ']).starts_with(&begins))
        };
        let headlines = terminal.lines().filter(headline).count();
        assert_eq!(headlines, 1, "{}\n{terminal}", node.name);
        let id = format!("s_{}[", node.name.replace('-', "_"));
        assert_eq!(mermaid.matches(&format!(" {id}")).count(), 1, "{id}\n{mermaid}");
        assert_eq!(dot.matches(&format!("id=\"{}\"", node.name)).count(), 1, "{}\n{dot}", node.name);
    }
    let opened = mermaid.lines().filter(|line| line.trim_start().starts_with("subgraph ")).count();
    assert_eq!(opened, mermaid.lines().filter(|line| line.trim() == "end").count(), "{mermaid}");
    assert_eq!(dot.matches(" -> ").count(), picture.edges.len(), "{dot}");
    assert_eq!(mermaid.lines().filter(|line| line.contains("->") || line.contains("==>")).count(), picture.edges.len());
}

#[test]
fn every_shipped_flow_as_text_and_as_mermaid() {
    let compiled = shipped();
    assert!(!compiled.diagnostics.iter().any(|finding| finding.severity == Severity::Error));
    assert_eq!(compiled.plans.len(), 9);
    for (name, plan) in &compiled.plans {
        let picture = of_plan(plan);
        is_sound(&picture);
        insta::assert_snapshot!(format!("{name}.txt"), plain(&picture));
        insta::assert_snapshot!(format!("{name}.mmd"), picture.mermaid());
    }
}

fn all_flows() -> Picture {
    let compiled = shipped();
    let flows = compiled.order.iter().map(|id| &compiled.flows[id]);
    let members: Vec<Member<'_>> = flows
        .map(|flow| Member { flow, state: "on", writes: compiled.plans[&flow.id.value].effect == Effect::Write })
        .collect();
    of_flows(&members)
}

#[test]
fn all_flows_with_their_calls() {
    let picture = all_flows();
    is_sound(&picture);
    assert!(picture.edges.iter().all(|edge| edge.to < edge.from), "each stands behind those that it calls");
    insta::assert_snapshot!("all.txt", plain(&picture));
    insta::assert_snapshot!("all.mmd", picture.mermaid());
}

const TIES: &str = "flow: f
title: Ties & <others>
trigger: manual
steps:
  read: { title: \"Read \\\"all\\\"\", use: test.read }
  first: { use: test.write, with: { n: \"${{ steps.read }}\" } }
  second: { use: test.write }
  sorry: { after: { first: [failed, timed_out] }, use: test.read }
  tell: { let: { how: \"${{ outcomes.second.outcome }}\" } }
  rows:
    for_each: [1, 2]
    do:
      even:
        if: ${{ item % 2 == 0 }}
        then: { change: { use: test.write, with: { n: \"${{ item }}\" } } }
        else: { odd: { let: { n: \"${{ item }}\" } } }
";

#[test]
fn ties_are_told_apart_by_stroke_and_words() {
    let picture = small(TIES).unwrap();
    is_sound(&picture);
    insta::assert_snapshot!("ties.dot", picture.dot());
    insta::assert_snapshot!("ties.svg", picture.svg());
    insta::assert_snapshot!("ties.txt", plain(&picture));
}

#[test]
fn a_run_is_laid_over_its_flow() {
    let record = |path: &str, outcome: &str, attempts: u32, took: u64| -> StepRecord {
        let mut record = json!({
            "path": path, "title": path, "kind": "use", "outcome": outcome, "output": null, "attempts": attempts,
            "took": { "secs": 0, "nanos": 0 }, "requests": [],
        });
        if outcome == "skipped" {
            record["skipped"] = json!({ "because": "not_taken" });
        }
        let mut record: StepRecord = serde_json::from_value(record).unwrap();
        record.took = Duration::from_millis(took);
        record
    };
    let steps = [
        record("read", "succeeded", 1, 12),
        record("first", "failed", 4, 61_000),
        record("second", "timed_out", 1, 1_500),
        record("rows[0]/odd", "succeeded", 1, 0),
        record("rows[0]/change", "skipped", 0, 0),
        record("rows[1]/odd", "skipped", 0, 0),
        record("rows[1]/change", "cancelled", 2, 30),
        record("rows", "failed", 1, 40),
        record("gone", "succeeded", 1, 1),
    ];
    let picture = small(TIES).unwrap().with_run(&Ran { run: "0001", outcome: Some("failed"), steps: &steps });
    is_sound(&picture);
    let words = |name: &str| {
        let node = picture.nodes.iter().find(|node| node.name == name).unwrap();
        let happened = node.happened.as_ref().unwrap();
        format!("{} {}", happened.mark(), happened.words())
    };
    assert_eq!(words("read"), "✓ succeeded, 12 ms");
    assert_eq!(words("first"), "✗ failed, 4 attempts, 61.0 s");
    assert_eq!(words("rows"), "✗ failed, 2 rounds, 40 ms");
    assert_eq!(words("odd"), "✓ 1 × succeeded, 1 × skipped");
    assert_eq!(words("tell"), "… has not ended");
    insta::assert_snapshot!("run.txt", plain(&picture));
    insta::assert_snapshot!("run.mmd", picture.mermaid());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_flow_can_be_drawn(drawn in drawn_flow()) {
        let flow = Flow::of(&drawn);
        if let Some(picture) = small(&flow.text()) {
            prop_assert_eq!(picture.nodes.len(), flow.steps.len());
            is_sound(&picture);
            prop_assert_eq!(picture.svg(), small(&flow.text()).unwrap().svg());
        }
    }
}

/// The pictures in the documentation are what is drawn.
#[test]
fn the_documentation_shows_what_is_drawn() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/graph.md")).unwrap();
    let blocks = |language: &str| -> Vec<&str> {
        page.split(&format!("\n```{language}\n")).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
    };
    let file = SourceFile { path: "f.yaml".to_owned(), text: blocks("yaml")[0].to_owned(), layer: Layer::Own };
    let compiled = compile(vec![file], &catalogue(), &BTreeMap::new());
    let picture = of_plan(compiled.plans.values().next().unwrap());
    assert_eq!(blocks("text"), [plain(&picture).trim_end()]);
    assert_eq!(blocks("mermaid"), [picture.mermaid().trim_end(), all_flows().mermaid().trim_end()]);
}
