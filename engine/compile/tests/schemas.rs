//! What the JSON Schemas refuse is refused by the compiler, and the other way round as far as a schema can know it: over the
//! mistakes in `tests/diagnostics` at the top of the repository, by a validator that shares no code with either.
#![allow(clippy::unwrap_used)]

#[path = "support/plain.rs"]
mod plain;
mod support;

use std::collections::BTreeSet;

use cosell_compile::Compilation;
use cosell_compile::schema::{self, Kind};
use cosell_compile::source::{Layer, SourceFile};
use cosell_model::Severity;
use jsonschema::Validator;
use plain::plain;
use serde_json::Value;

use support::corpus::{corpus, entries, files};

fn validators(shipped: &Compilation) -> Vec<(&'static str, Validator)> {
    let one = |kind: Kind| {
        let schema = schema::of(kind, &support::catalogue(), shipped);
        jsonschema::meta::validate(&schema).unwrap();
        (kind.as_str(), jsonschema::validator_for(&schema).unwrap())
    };
    [Kind::Flow, Kind::Mapping, Kind::Variables].into_iter().map(one).collect()
}

/// A value as JSON has it; none of what is no YAML.
fn read(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok().map(plain)
}

/// What the schema of its kind says of a file; nothing of one that says of itself no kind.
fn wrong(validators: &[(&'static str, Validator)], value: &Value) -> Option<Vec<String>> {
    let (_, validator) = validators.iter().find(|(kind, _)| value.get(kind).is_some())?;
    Some(validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect())
}

/// What only the compiler can know: names that expressions mention, the order of steps, what other files say, and what is
/// inside a text. Whatever else is wrong with a file, its schema refuses.
const BEYOND: [&str; 43] = [
    "after-not-sibling",
    "call-circle",
    "cycle",
    "display-name",
    "duplicate-name",
    "duplicate-path",
    "duplicate-source",
    "duplicate-step",
    "empty-expression",
    "expression-fails",
    "expression-syntax",
    "expression-too-large",
    "inside-loop",
    "jsonpath-syntax",
    "keys-inside-keys",
    "mentions-held",
    "mentions-holder",
    "mentions-itself",
    "name-needed",
    "no-output",
    "not-callable",
    "not-constant",
    "other-branch",
    "outside-loop",
    "stop-in-loop",
    "too-early",
    "unclosed-expression",
    "unclosed-quote",
    "unfit-form",
    "unknown-field",
    "unknown-filter",
    "unknown-flow",
    "unknown-function",
    "unknown-name",
    "unknown-side",
    "unknown-step",
    "unknown-test",
    "unknown-variable",
    "waits-for-itself",
    "written-twice",
    "wrong-path",
    "wrong-schedule",
    "wrong-secret",
];

/// Files that hold what a schema could know only in what is computed, or in what other files say.
const COMPUTED: [&str; 6] = [
    "expression-in-a-key.yaml",
    "mapping-paths-from-variables.yaml",
    "mapping-values-and-defaults.yaml",
    "name-no-inputs-at-all.yaml",
    "name-unknown-input.yaml",
    "overlay-points-into-both-files/own/mine.yaml",
];

#[test]
fn schemas_and_the_compiler_refuse_the_same() {
    let shared = files(&corpus().join("shared"));
    let beside_shared = validators(&support::compiled(shared.clone()));
    let (mut both, mut neither) = (0, 0);
    for path in entries(&corpus()).into_iter().filter(|path| !path.ends_with("snapshots")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // What is no YAML of ours has no schema; what configures has another, which the whole program's tests look at.
        if name.starts_with("yaml-") || name.starts_with("configuration-") {
            continue;
        }
        let all: Vec<SourceFile> = files(&path).into_iter().chain(shared.clone()).collect();
        let owned = all.iter().any(|file| file.layer == Layer::Own);
        let comes_along = |file: &&SourceFile| match owned {
            true => file.layer == Layer::Shipped,
            false => shared.iter().any(|other| other.path == file.path),
        };
        let beside_own =
            owned.then(|| validators(&support::compiled(all.iter().filter(comes_along).cloned().collect())));
        let validators = beside_own.as_ref().unwrap_or(&beside_shared);
        let compiled = support::compiled(all.clone());
        for (id, file) in compiled.sources.iter().filter(|(_, file)| !comes_along(file) || path.ends_with("shared")) {
            let Some(wrong) = read(&file.text).and_then(|value| wrong(validators, &value)) else { continue };
            let errors = compiled.diagnostics.iter().filter(|finding| finding.severity == Severity::Error);
            let here = errors.filter(|finding| finding.primary.span.file == id);
            let codes: BTreeSet<&str> = here.map(|finding| finding.code).collect();
            let known: Vec<&&str> = codes.iter().filter(|code| !BEYOND.contains(code)).collect();
            assert!(wrong.is_empty() || !codes.is_empty(), "{}: only the schema refuses it: {wrong:#?}", file.path);
            let beyond = known.is_empty() || COMPUTED.contains(&file.path.as_str());
            assert!(!wrong.is_empty() || beyond, "{}: only the compiler refuses it: {known:?}", file.path);
            *(if wrong.is_empty() { &mut neither } else { &mut both }) += 1;
        }
    }
    assert!(both >= 55 && neither >= 40, "{both} {neither}");
}
