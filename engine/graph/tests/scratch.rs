//! Every finding is explained, and its examples are what they say; findings for other programs.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{compile, configuration};
use cosell_model::Catalogue;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The page's sections: code, wrong example, right example.
fn sections() -> Vec<(String, String, String)> {
    let page = std::fs::read_to_string(root().join("docs/findings.md")).unwrap();
    let section = |section: &str| {
        let example = |word: &str| {
            let fence = format!("```yaml {word}\n");
            section.split(&fence).nth(1).and_then(|rest| rest.split("\n```").next()).unwrap_or_default().to_owned()
        };
        (section.lines().next().unwrap().to_owned(), example("wrong"), example("right"))
    };
    page.split("\n## ").skip(1).map(section).collect()
}

/// The files of an example.
fn files(example: &str) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = Vec::new();
    for line in example.lines() {
        let begins = line.strip_prefix("# ").filter(|path| path.starts_with("own/") || path.starts_with("shipped/"));
        if let Some(path) = begins {
            let layer = if path.starts_with("own/") { Layer::Own } else { Layer::Shipped };
            files.push(SourceFile { path: path.to_owned(), text: String::new(), layer });
            continue;
        }
        if files.is_empty() {
            let text = if example.starts_with("steps:") { "flow: example\ntrigger: manual\n" } else { "" };
            files.push(SourceFile { path: "own/example.yaml".to_owned(), text: text.to_owned(), layer: Layer::Own });
        }
        let text = &mut files.last_mut().unwrap().text;
        text.push_str(line);
        text.push('\n');
    }
    files
}

fn shipped() -> Vec<SourceFile> {
    let mut files = Vec::new();
    for folder in ["flows", "flows/mappings"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push(SourceFile { path: path.display().to_string(), text, layer: Layer::Shipped });
            }
        }
    }
    files
}

/// The codes of what is found in an example.
fn found(example: &str, catalogue: &Catalogue) -> BTreeSet<&'static str> {
    if !example.starts_with("connections:") {
        let compiled = compile(files(example), catalogue, &BTreeMap::new());
        return compiled.diagnostics.iter().map(|finding| finding.code).collect();
    }
    let (read, findings, _) = configuration::read(files(example).remove(0), None);
    let flows = compile(shipped(), catalogue, &BTreeMap::new()).flows;
    findings.into_iter().chain(configuration::off::check(&read.off, &flows)).map(|finding| finding.code).collect()
}

/// What only a command finds that needs the connection, or runs the flow, or has the values of variables.
const BY_COMMANDS: [&str; 3] = ["flow-off", "wrong-connection", "wrong-variable"];

#[test]
fn every_example_is_what_it_says() {
    let connectors = [
        cosell_partner_center::connector(),
        cosell_partner_center_events::connector(),
        cosell_dataverse::connector(),
        cosell_http::connector(),
        cosell_state::connector(),
    ];
    let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
    let mut wrong_ones = Vec::new();
    for (code, wrong, right) in sections() {
        assert!(!wrong.is_empty() && !right.is_empty(), "{code} has both examples");
        if BY_COMMANDS.contains(&&*code) {
            continue;
        }
        let (in_wrong, in_right) = (found(&wrong, &catalogue), found(&right, &catalogue));
        if in_wrong != BTreeSet::from([&*code]) || !in_right.is_empty() {
            wrong_ones.push(format!("{code}: wrong gives {in_wrong:?}, right gives {in_right:?}"));
        }
    }
    assert!(wrong_ones.is_empty(), "{wrong_ones:#?}");
}

/// Every code in the source of a folder.
fn codes(folder: &Path) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes.extend(self::codes(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for before in ["Diagnostic::error(", "code: ", "=> \"unknown-"] {
            for (at, _) in code.match_indices(before) {
                let quoted = code[at..].trim_start_matches(before.trim_end_matches("\"unknown-")).trim_start();
                let Some(literal) = quoted.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
                codes.insert(literal.to_owned());
            }
        }
    }
    codes
}

#[test]
fn every_code_is_explained() {
    let mut known = codes(&root().join("engine/compile/src"));
    known.extend(codes(&root().join("engine/cli/src/project")));
    let explained: Vec<String> = sections().into_iter().map(|(code, ..)| code).collect();
    assert!(explained.is_sorted(), "the codes stand in order");
    assert_eq!(known, explained.into_iter().collect());
}
