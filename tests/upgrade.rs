//! A project survives an upgrade: what is shipped changes, and the user's files still apply, or the conflict is reported
//! with both lines. The files that are shipped are given to the compiler here as a later version might have them.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{Compilation, compile};
use cosell_model::diagnostic::Label;
use cosell_model::{Catalogue, FlowId, Severity};

fn catalogue() -> Catalogue {
    let connectors = [
        cosell_partner_center::connector(),
        cosell_partner_center_events::connector(),
        cosell_dataverse::connector(),
        cosell_state::connector(),
    ];
    Catalogue::new(connectors.iter().map(|connector| connector.description().clone()))
}

fn files(folder: &Path, layer: Layer, found: &mut Vec<SourceFile>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, layer, found);
        } else {
            let name = path.file_name().unwrap().to_string_lossy();
            let name = if layer == Layer::Shipped { format!("shipped/{name}") } else { name.into_owned() };
            found.push(SourceFile { path: name, text: std::fs::read_to_string(&path).unwrap(), layer });
        }
    }
}

/// The project of `examples/customising` with one more file of the user's, on top of what is shipped, in which `upgrade`
/// replaces texts; each must be there.
fn upgraded(own: &str, upgrade: &[(&str, &str)]) -> Compilation {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    files(&root.join("flows"), Layer::Shipped, &mut all);
    for (old, new) in upgrade {
        assert!(all.iter().any(|file| file.text.contains(old)), "`{old}` is shipped");
        for file in &mut all {
            file.text = file.text.replace(old, new);
        }
    }
    files(&root.join("examples/customising/flows"), Layer::Own, &mut all);
    if !own.is_empty() {
        all.push(SourceFile { path: "own.yaml".into(), text: own.into(), layer: Layer::Own });
    }
    compile(all, &catalogue(), &Default::default())
}

/// Severity, code, the place, and the other places with what stands there.
fn findings(compiled: &Compilation) -> Vec<(Severity, &'static str, String, Vec<String>)> {
    let place = |label: &Label| {
        let file = compiled.sources.file(label.span.file);
        let (line, _) = compiled.sources.line_column(label.span);
        format!("{}: {}", file.path, file.text.lines().nth(line - 1).unwrap().trim())
    };
    let shown = |finding: &cosell_model::Diagnostic| {
        (finding.severity, finding.code, place(&finding.primary), finding.context.iter().map(place).collect())
    };
    compiled.diagnostics.iter().map(shown).collect()
}

const CUSTOMIZE: &str = "customize";
const TITLE: &str = "title: Create a new opportunity";

fn step(compiled: &Compilation, step: &str) -> String {
    let plan = &compiled.plans[&FlowId::new(CUSTOMIZE)];
    format!("{:?}", plan.step(plan.find(step).unwrap()))
}

#[test]
fn a_change_elsewhere_leaves_the_overlay_as_it_is() {
    let upgrade = [
        (TITLE, "title: Make a new opportunity"),
        ("'parentaccountid': inputs.account_id,", "'parentaccountid': inputs.account_id, 'new_column': 'later',"),
    ];
    let compiled = upgraded("", &upgrade);
    assert_eq!(findings(&compiled), []);
    let new = step(&compiled, "new_opportunity");
    assert!(new.contains("Make a new opportunity") && new.contains("new_column"), "what is shipped: {new}");
    let own = step(&compiled, "own_columns_of_opportunity");
    assert!(own.contains("1-Qualify") && own.contains("opportunityratingcode"), "what is the user's: {own}");
}

#[test]
fn a_step_that_was_renamed_is_a_conflict_with_both_lines() {
    let compiled = upgraded("", &[("own_columns_of_opportunity", "columns_of_your_own")]);
    let expected = (
        Severity::Error,
        "not-in-shipped",
        "customize.yaml: own_columns_of_opportunity:".to_owned(),
        vec!["shipped/customize.yaml: create_opportunity:".to_owned()],
    );
    assert_eq!(findings(&compiled), [expected]);
    assert!(!compiled.plans.contains_key(&FlowId::new(CUSTOMIZE)), "it does not run with half of what was meant");
}

#[test]
fn a_flow_that_was_renamed_is_a_conflict() {
    let compiled =
        upgraded("", &[("flow: customize\n", "flow: customise\n"), ("call: customize\n", "call: customise\n")]);
    let [(Severity::Error, "nothing-to-change", place, _)] = &findings(&compiled)[..] else {
        panic!("{:?}", findings(&compiled))
    };
    assert_eq!(place, "customize.yaml: flow: customize");
}

#[test]
fn a_value_that_changed_underneath_is_a_warning_with_both_lines_once_the_file_says_what_it_is_based_on() {
    let own = |based_on: &str| format!("mapping: person-contact\n{based_on}title: Ours\n");
    let title = |title: &'static str| ("title: Customer contact and contact", title);
    let fingerprint = {
        let compiled = upgraded(&own(""), &[]);
        assert_eq!(findings(&compiled), []);
        compiled.documents.mappings["person-contact"].changes[0].fingerprint().unwrap()
    };
    let later = [title("title: Contact and person")];
    assert_eq!(findings(&upgraded(&own(""), &later)), [], "it did not ask to be told");
    let own = own(&format!("based_on: [{fingerprint}]\n"));
    assert_eq!(findings(&upgraded(&own, &[])), []);
    assert_eq!(findings(&upgraded(&own, &[(TITLE, "title: Another thing")])), [], "a change elsewhere");
    let compiled = upgraded(&own, &later);
    let expected = (
        Severity::Warning,
        "shipped-changed",
        "own.yaml: title: Ours".to_owned(),
        vec!["shipped/person-contact.yaml: title: Contact and person".to_owned()],
    );
    assert_eq!(findings(&compiled), [expected]);
    assert_eq!(compiled.mappings["person-contact"].title, "Ours", "it still applies");
}

#[test]
fn a_copy_of_ones_own_does_not_follow_upgrades_and_is_told_of_them() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("flows/mappings/person-contact.yaml"));
    let fingerprint = upgraded("", &[]).documents.mappings["person-contact"].fingerprint().unwrap();
    let head = format!("mapping: person-contact\nwhole: true\nbased_on: {fingerprint}\n");
    let own = text.unwrap().replacen("mapping: person-contact\n", &head, 1);
    assert_eq!(findings(&upgraded(&own, &[])), []);
    let compiled = upgraded(&own, &[("title: Customer contact and contact", "title: Contact and person")]);
    let [(Severity::Warning, "shipped-changed", place, others)] = &findings(&compiled)[..] else {
        panic!("{:?}", findings(&compiled))
    };
    assert_eq!(place, &format!("own.yaml: based_on: {fingerprint}"));
    assert_eq!(others[..], ["shipped/person-contact.yaml: mapping: person-contact"]);
    assert_eq!(compiled.mappings["person-contact"].title, "Customer contact and contact");
}
