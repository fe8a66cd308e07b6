//! Help for whoever writes a file never fails, wherever the file ends and the cursor stands.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use cosell_compile::assist::{Cursor, Part, outline};
use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{Compilation, compile};
use cosell_model::Catalogue;
use cosell_model::tables::Metadata;
use proptest::prelude::*;

/// Everything that is shipped.
static FILES: LazyLock<Vec<SourceFile>> = LazyLock::new(|| {
    let flows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../flows");
    let all = [flows.clone(), flows.join("mappings")].into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut paths: Vec<_> = all.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let file = |path: &std::path::PathBuf| SourceFile {
        path: path.display().to_string(),
        text: std::fs::read_to_string(path).unwrap(),
        layer: Layer::Shipped,
    };
    paths.iter().map(file).collect()
});

static COMPILED: LazyLock<Compilation> =
    LazyLock::new(|| compile(FILES.clone(), &Catalogue::default(), &BTreeMap::new()));

fn ask(compilation: &Compilation, text: &str, offset: usize) {
    for configuration in [false, true] {
        let catalogue = Catalogue::default();
        let metadata = Metadata::default();
        let cursor = Cursor::new(compilation, (&catalogue, &metadata), text, offset, configuration);
        let proposals = cursor.proposals();
        assert!(text.get(proposals.replaces.clone()).is_some(), "{:?} of {text:?}", proposals.replaces);
        if let Some(explanation) = cursor.explanation() {
            assert!(text.get(explanation.place.clone()).is_some(), "{:?} of {text:?}", explanation.place);
        }
        if let Some(place) = cursor.renameable() {
            assert!(text.get(place.clone()).is_some_and(|name| !name.is_empty()), "{place:?} of {text:?}");
            assert!(
                cursor.renamed("another_name").is_ok_and(|places| places.contains(&place)),
                "{place:?} of {text:?}"
            );
        }
        if let Some(place) = cursor.definition() {
            let file = &compilation.sources.file(place.file).text;
            assert!(file.get(place.range()).is_some());
        }
    }
}

/// What people type next.
const TYPED: [&str; 12] =
    ["", "${{ steps.", "${{ ", " | ", "\"", "{ ", "[", "\n  ", "- ", "ä", "use: ", "\r\n\"${{ vars['"];

/// All steps, also those in others.
fn steps(parts: Vec<Part>) -> Vec<Part> {
    parts.into_iter().flat_map(|part| steps(part.inside.clone()).into_iter().chain([part])).collect()
}

#[test]
fn a_flow_whose_step_has_another_name_is_the_same_flow() {
    let (catalogue, metadata) = (Catalogue::default(), Metadata::default());
    let said = |compilation: &Compilation| -> Vec<&str> {
        compilation.diagnostics.iter().map(|finding| finding.code).collect()
    };
    let flows = FILES.iter().filter(|file| file.text.lines().any(|line| line.starts_with("flow:")));
    let mut seen = 0;
    for file in flows {
        let all = steps(outline(&file.text));
        assert!(!all.is_empty(), "{}", file.path);
        for (number, step) in all.iter().enumerate() {
            let cursor = Cursor::new(&COMPILED, (&catalogue, &metadata), &file.text, step.place.end, false);
            let places = cursor.renamed("a_name_of_its_own").unwrap();
            assert!(places.iter().all(|place| file.text[place.clone()] == step.name), "{}: {}", file.path, step.name);
            // Compiling takes longer than finding the places.
            if number % 9 > 0 {
                continue;
            }
            let mut renamed = file.text.clone();
            places.iter().rev().for_each(|place| renamed.replace_range(place.clone(), "a_name_of_its_own"));
            let mut files = FILES.clone();
            files.iter_mut().find(|other| other.path == file.path).unwrap().text = renamed;
            let compilation = compile(files, &catalogue, &BTreeMap::new());
            assert_eq!(said(&compilation), said(&COMPILED), "{}: {}", file.path, step.name);
            seen += 1;
        }
    }
    assert!(seen >= 15, "{seen}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_beginning_of_a_file_can_be_asked_about_anywhere(
        file in 0..FILES.len(), cut in 0.0..1.0f64, typed in 0..TYPED.len(), back in 0..40usize,
    ) {
        let whole = &FILES[file].text;
        let cut = whole.floor_char_boundary((whole.len() as f64 * cut) as usize);
        let text = format!("{}{}", &whole[..cut], TYPED[typed]);
        ask(&COMPILED, &text, text.len().saturating_sub(back));
        ask(&COMPILED, &format!("{text}{}", &whole[cut..]), text.len());
    }

    #[test]
    fn any_text_can_be_asked_about(text in "(flow: a\n|steps:|  |\n|\\PC|[\"'{}\\[\\]:|>$,-])*", at in 0..200usize) {
        ask(&COMPILED, &text, at);
    }
}

#[test]
fn the_beginning_of_a_file_compiles_to_findings_and_to_answers() {
    for file in FILES.iter() {
        let lines: Vec<usize> = file.text.match_indices('\n').map(|(at, _)| at).collect();
        for end in lines.iter().step_by(29) {
            let mut files = FILES.clone();
            let cut = files.iter_mut().find(|other| other.path == file.path).unwrap();
            cut.text.truncate(*end);
            let text = cut.text.clone();
            let compilation = compile(files, &Catalogue::default(), &BTreeMap::new());
            ask(&compilation, &text, text.len());
        }
    }
}
