//! A user's files over shipped ones, and what one file's mistakes mean for the others.
#![allow(clippy::unwrap_used)]

mod support;

use cosell_compile::Compilation;
use cosell_compile::plan::Plan;
use cosell_compile::source::SourceFile;
use cosell_model::FlowId;
use serde_json::json;

use support::{compiled, own, shipped};

const FLOW: &str = "flow: deal
title: Deal
trigger: manual
steps:
  read: { use: crm.get_row, with: { table: lead, id: \"1\" } }
  values:
    title: Values
    let: { name: \"${{ steps.read.name }}\", kind: lead }
  write: { use: crm.update_row, with: { table: lead, id: \"1\", values: \"${{ steps.values }}\" } }
";

const MAPPING: &str = "mapping: deal
between: [left, right]
rows:
  name: { left: name, right: title }
  amount: { left: { path: amount, as: money }, right: value }
";

fn plan<'c>(compiled: &'c Compilation, name: &str) -> &'c Plan {
    &compiled.plans[&FlowId::new(name)]
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

fn codes(compiled: &Compilation) -> Vec<(&str, &str)> {
    let path = |finding: &cosell_model::Diagnostic| compiled.sources.file(finding.primary.span.file).path.as_str();
    compiled.diagnostics.iter().map(|finding| (finding.code, path(finding))).collect()
}

fn plans(compiled: &Compilation) -> Vec<&str> {
    compiled.plans.keys().map(FlowId::as_str).collect()
}

#[test]
fn steps_are_merged_one_by_one() {
    let mine = "flow: deal
steps:
  values: { let: { kind: opportunity, more: 1 } }
  read: { timeout: 5s }
  last: { let: { done: \"${{ steps.write }}\" } }
output: ${{ steps.last.done }}
";
    let compiled = compiled(vec![shipped("deal.yaml", FLOW), own("mine.yaml", mine)]);
    assert_eq!(compiled.diagnostics, []);
    let plan = plan(&compiled, "deal");
    assert_eq!(
        (plan.title.as_str(), ids(plan)),
        ("Deal", vec!["read", "values", "write", "last"]),
        "new steps stand behind"
    );
    assert_eq!(plan.step(plan.find("read").unwrap()).timeout, Some(std::time::Duration::from_secs(5)));
    let values = plan.step(plan.find("values").unwrap());
    assert_eq!(values.title, "Values");
    let shown = format!("{:?}", values.action);
    assert!(shown.contains("opportunity") && shown.contains("steps.read.name") && !shown.contains("lead"), "{shown}");
}

#[test]
fn it_does_not_matter_which_file_is_given_first() {
    let mine = "flow: deal\nsteps:\n  values: { title: Mine }\n";
    for files in [
        vec![shipped("deal.yaml", FLOW), own("mine.yaml", mine)],
        vec![own("mine.yaml", mine), shipped("deal.yaml", FLOW)],
    ] {
        let compiled = compiled(files);
        let plan = plan(&compiled, "deal");
        assert_eq!(plan.step(plan.find("values").unwrap()).title, "Mine");
    }
}

#[test]
fn rows_are_merged_one_by_one() {
    let mine =
        "mapping: deal\nrows:\n  amount: { right: estimatedvalue }\n  notes: { left: notes, right: description }\n";
    let compiled = compiled(vec![shipped("deal.yaml", MAPPING), own("mine.yaml", mine)]);
    assert_eq!(compiled.diagnostics, []);
    let made = compiled.mappings["deal"].apply(0, &json!({ "name": "N", "amount": "5", "notes": "x" }));
    assert_eq!(made, Ok(json!({ "title": "N", "estimatedvalue": 5, "description": "x" })));
}

#[test]
fn variables_can_be_declared_anew_by_the_user_only() {
    let variables = |value: &str| format!("variables:\n  limit: {{ type: text, default: {value} }}\n");
    let both = compiled(vec![own("mine.yaml", variables("mine")), shipped("theirs.yaml", variables("theirs"))]);
    assert_eq!(codes(&both), []);
    assert_eq!(both.variables["limit"].current, json!("mine"));
    let twice = compiled(vec![own("a.yaml", variables("a")), own("b.yaml", variables("b"))]);
    assert_eq!(codes(&twice), [("duplicate-name", "b.yaml")]);
}

#[test]
fn two_files_of_one_layer_cannot_have_one_name() {
    let mine = |title: &str| format!("flow: deal\ntitle: {title}\n");
    let compiled = compiled(vec![shipped("deal.yaml", FLOW), own("a.yaml", mine("A")), own("b.yaml", mine("B"))]);
    assert_eq!(codes(&compiled), [("duplicate-name", "b.yaml")]);
    assert_eq!(compiled.diagnostics[0].context[0].span, compiled_span(&compiled, "a.yaml", "deal"));
}

/// The first place of `text` in the file `path`.
fn compiled_span(compiled: &Compilation, path: &str, text: &str) -> cosell_model::Span {
    let (id, file) = compiled.sources.iter().find(|(_, file)| file.path == path).unwrap();
    let at = file.text.find(text).unwrap();
    cosell_model::Span::new(id, at, at + text.len())
}

#[test]
fn a_mistake_is_shown_in_the_file_it_is_in() {
    let mine = "flow: deal\nsteps:\n  values: { let: { kind: \"${{ steps.raed }}\" } }\n";
    let in_mine = compiled(vec![shipped("deal.yaml", FLOW), own("mine.yaml", mine)]);
    assert_eq!(codes(&in_mine), [("unknown-step", "mine.yaml")]);
    assert_eq!(plans(&in_mine), [""; 0], "what is merged cannot run with a mistake in either file");
    // The overlay takes away what the shipped file mentions: then that is where the mention stands.
    let mine = "flow: deal\nsteps:\n  read: { use: pc.get_referral, with: { id: \"1\" } }\n";
    let in_theirs = compiled(vec![shipped("deal.yaml", FLOW), own("mine.yaml", mine)]);
    assert_eq!(codes(&in_theirs), [("unknown-input", "deal.yaml"), ("unknown-field", "deal.yaml")]);
}

#[test]
fn a_plan_s_hash_follows_everything_it_is_made_of() {
    let variables =
        |value: &str| shipped("variables.yaml", format!("variables:\n  x: {{ type: text, default: {value} }}\n"));
    let hash = |files: Vec<SourceFile>| plan(&compiled(files), "deal").hash;
    let flow = || shipped("deal.yaml", FLOW);
    let base = hash(vec![flow(), variables("a")]);
    assert_eq!(base, hash(vec![variables("a"), flow()]));
    assert_ne!(base, hash(vec![flow(), variables("b")]));
    assert_ne!(base, hash(vec![flow(), variables("a"), own("mine.yaml", "flow: deal\ntitle: Mine\n")]));
    assert_ne!(base, hash(vec![flow(), variables("a"), shipped("mapping.yaml", MAPPING)]));
}

#[test]
fn what_needs_a_broken_file_has_no_plan_and_no_finding_of_its_own() {
    let caller = "flow: caller\ntrigger: manual\nsteps:\n  call: { call: middle }\n";
    let middle = "flow: middle\ntrigger: call\nsteps:\n  call: { call: broken }\n";
    let mapper = "flow: mapper\ntrigger: manual\nsteps:\n  map: { map: deal, from: { left: {} } }\n";
    let fine = "flow: fine\ntrigger: manual\nsteps:\n  a: { let: { b: 1 } }\n";
    let files = |broken: &str, mapping: &str| {
        [
            ("caller.yaml", caller),
            ("middle.yaml", middle),
            ("mapper.yaml", mapper),
            ("fine.yaml", fine),
            ("broken.yaml", broken),
            ("mapping.yaml", mapping),
        ]
        .map(|(path, text)| shipped(path, text))
        .to_vec()
    };
    let sound = "flow: broken\ntrigger: call\nsteps: {}\n";
    assert_eq!(plans(&compiled(files(sound, MAPPING))), ["broken", "caller", "fine", "mapper", "middle"]);
    let broken = compiled(files("flow: broken\ntrigger: call\nsteps:\n  a: { use: crm.nothing }\n", MAPPING));
    assert_eq!((codes(&broken), plans(&broken)), (vec![("unknown-operation", "broken.yaml")], vec!["fine", "mapper"]));
    let mapping = compiled(files(
        sound,
        "mapping: deal\nbetween: [left, right]\nrows:\n  a: { left: x, right: y }\n  b: { left: z }\n",
    ));
    assert_eq!(
        (codes(&mapping), plans(&mapping)),
        (vec![("missing-field", "mapping.yaml")], vec!["broken", "caller", "fine", "middle"])
    );
    assert!(mapping.mappings.is_empty(), "a mapping with a row left out would lose data");
    let unreadable = compiled(files("flow: broken\nsteps: [\n", "mapping: \"deal\n"));
    assert_eq!(codes(&unreadable), [("not-yaml", "broken.yaml"), ("not-yaml", "mapping.yaml")]);
    assert_eq!(plans(&unreadable), ["fine"]);
}

#[test]
fn a_warning_keeps_nothing_from_running() {
    let flow = "flow: deal\ntrigger: manual\nsteps:\n  read: { use: crm.get_row, with: { table: lead, id: \"1\" } }\n  a: { let: { b: \"${{ steps.read.nmae }}\" } }\n";
    let compiled = compiled(vec![shipped("deal.yaml", flow)]);
    assert_eq!((codes(&compiled), plans(&compiled)), (vec![("unknown-field", "deal.yaml")], vec!["deal"]));
    assert!(!compiled.has_errors());
}
