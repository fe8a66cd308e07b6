//! Whatever is in a file: compiling ends, says where every finding is, and says the same again.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use cosell_compile::configuration;
use cosell_compile::source::{SourceFile, Sources};
use cosell_model::Diagnostic;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Every file of the corpus of mistakes, and the shipped flows.
static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    fn read(folder: &Path, texts: &mut Vec<String>) {
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                read(&path, texts);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts = Vec::new();
    read(&root.join("tests/diagnostics"), &mut texts);
    read(&root.join("flows"), &mut texts);
    texts
});

/// Pieces that make trouble where they do not belong.
const PIECES: [&str; 40] = [
    "${{",
    "}}",
    "{{ steps.a }}",
    "${{ ",
    " }}",
    "'",
    "\"",
    "\\",
    "\\u00e4",
    "ä",
    "🦀",
    "\u{feff}",
    "\0",
    "\t",
    "\r\n",
    "\n\n",
    "  ",
    "- ",
    ": ",
    "#",
    "|\n",
    ">-\n  ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "---\n",
    "%YAML 1.1\n",
    "steps.",
    "a~b~c~'ä'~d",
    "(((((",
    " | map('upper')",
    "1e999",
    ".nan",
    "null",
    "0x1f",
];

/// One change to a text, at places given as shares of its length.
#[derive(Clone, Debug)]
enum Change {
    Insert(Index, String),
    Remove(Index, usize),
    Repeat(Index, usize),
    Move(Index, usize, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![3 => select(&PIECES[..]).prop_map(str::to_owned), 1 => any::<String>()];
    prop_oneof![
        (any::<Index>(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<Index>(), 1..40usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<Index>(), 1..200usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        (any::<Index>(), 1..80usize, any::<Index>()).prop_map(|(from, length, to)| Change::Move(from, length, to)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for change in changes {
        let place = |at: &Index, chars: &[char]| at.index(chars.len() + 1);
        match change {
            Change::Insert(at, piece) => {
                let at = place(at, &chars);
                chars.splice(at..at, piece.chars());
            }
            Change::Remove(at, length) => {
                let at = place(at, &chars);
                chars.drain(at..(at + length).min(chars.len()));
            }
            Change::Repeat(at, length) => {
                let at = place(at, &chars);
                let again = chars[at..(at + length).min(chars.len())].to_vec();
                chars.splice(at..at, again);
            }
            Change::Move(from, length, to) => {
                let from = place(from, &chars);
                let taken: Vec<char> = chars.drain(from..(from + length).min(chars.len())).collect();
                let to = place(to, &chars);
                chars.splice(to..to, taken);
            }
        }
    }
    chars.into_iter().collect()
}

/// A file of the corpus with some changes.
fn text() -> impl Strategy<Value = String> {
    (any::<Index>(), prop::collection::vec(change(), 0..6))
        .prop_map(|(which, changes)| changed(which.get::<String>(&TEXTS), &changes))
}

fn places_are_sound(findings: &[Diagnostic], sources: &Sources) {
    for finding in findings {
        for label in finding.context.iter().chain([&finding.primary]) {
            let text = &sources.file(label.span.file).text;
            assert!(
                text.get(label.span.range()).is_some(),
                "{finding:?} points outside of its file, or into a character"
            );
            sources.line_column(label.span);
        }
        assert!(!finding.message.is_empty());
    }
    let places: Vec<_> = findings.iter().map(|finding| finding.primary.span).collect();
    assert!(places.is_sorted(), "findings are in the order of the files");
}

/// Compiles twice; gives what makes the two comparable.
fn compiled(files: &[SourceFile]) -> String {
    let once = |files: Vec<SourceFile>| {
        let compiled = support::compiled(files);
        places_are_sound(&compiled.diagnostics, &compiled.sources);
        format!("{:?}{:?}{:?}{:?}", compiled.diagnostics, compiled.order, compiled.plans, compiled.mappings)
    };
    let first = once(files.to_vec());
    assert_eq!(first, once(files.to_vec()), "compiling again says the same");
    first
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_can_be_compiled(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        compiled(&[support::shipped("any.yaml", String::from_utf8_lossy(&bytes))]);
    }

    #[test]
    fn any_pieces_can_be_compiled(pieces in prop::collection::vec(select(&PIECES[..]), 0..40)) {
        compiled(&[support::shipped("any.yaml", format!("flow: any\ntrigger: call\nsteps:\n  a: {{ let: {{ b: {} }} }}\n", pieces.concat()))]);
        compiled(&[support::shipped("any.yaml", pieces.concat())]);
    }

    #[test]
    fn any_expression_can_be_compiled(expression in "[a-z0-9 .'\"|()\\[\\]{}~*+=ä,_-]{0,60}") {
        let escaped = expression.replace('\'', "''");
        compiled(&[support::shipped("any.yaml", format!("flow: any\ntrigger: call\nsteps:\n  a: {{ let: {{ b: '${{{{ {escaped} }}}}' }} }}\n"))]);
    }

    #[test]
    fn changed_files_can_be_compiled(first in text(), second in text(), over in text()) {
        compiled(&[support::shipped("a.yaml", first), support::shipped("b.yaml", second), support::own("c.yaml", over)]);
    }

    #[test]
    fn any_configuration_can_be_read(text in text()) {
        let (_, findings, sources) = configuration::read(support::own("cosell.yaml", text), None);
        places_are_sound(&findings, &sources);
    }
}

#[test]
fn large_files_take_no_longer_than_they_are_large() {
    let steps: String =
        (0..5_000).map(|number| format!("  s{number}: {{ let: {{ a: \"${{{{ vars.x }}}} ä\" }} }}\n")).collect();
    let variables = support::shipped("vars.yaml", "variables:\n  x: { type: text, default: y }\n");
    let flow = support::shipped("large.yaml", format!("flow: large\ntrigger: call\nsteps:\n{steps}"));
    let compiled = support::compiled(vec![flow, variables]);
    assert_eq!((compiled.diagnostics.len(), compiled.plans.len()), (0, 1));
    let keys: String = (0..60_000).map(|number| format!("k{number}: 1\n")).collect();
    assert_eq!(support::compiled(vec![support::shipped("keys.yaml", keys)]).diagnostics[0].code, "unknown-file");
}
