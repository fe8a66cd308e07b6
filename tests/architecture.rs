//! The invariants of ARCHITECTURE.md, held against the code itself.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// All Rust files below a folder, with their text.
fn code(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    assert!(!files.is_empty(), "{folder}");
    files
}

/// The text without its unit tests and comments.
fn bare(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every crate of the workspace with the crates of the workspace it depends on, development aside.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = workspace.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let manifests = members.split('"').skip(1).step_by(2).map(|member| root.join(member).join("Cargo.toml"));
    manifests
        .map(|manifest| {
            let text = std::fs::read_to_string(&manifest).unwrap();
            let name = text.split("name = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
            let mut section = "";
            let mut dependencies = BTreeSet::new();
            for line in text.lines() {
                if line.starts_with('[') {
                    section = line;
                } else if section == "[dependencies]" && !line.is_empty() {
                    dependencies.insert(line.split(['.', ' ', '=']).next().unwrap().to_owned());
                }
            }
            (name, dependencies)
        })
        .collect()
}

#[test]
fn arrows_between_crates_point_one_way() {
    let ours = |name: &str| -> Vec<String> {
        let all = crates();
        all[name].iter().filter(|dependency| dependency.starts_with("cosell-")).cloned().collect()
    };
    let allowed: [(&str, &[&str]); 10] = [
        ("cosell-model", &[]),
        ("cosell-compile", &["cosell-model"]),
        ("cosell-sdk", &["cosell-model"]),
        ("cosell-sandbox", &[]),
        ("cosell-runtime", &["cosell-compile", "cosell-model", "cosell-sdk"]),
        ("cosell-graph", &["cosell-compile", "cosell-model", "cosell-runtime"]),
        ("cosell-lsp", &["cosell-compile", "cosell-model"]),
        ("cosell-journal", &["cosell-model", "cosell-runtime"]),
        ("cosell-service", &["cosell-journal", "cosell-model", "cosell-runtime", "cosell-sdk"]),
        (
            "cosell-console",
            &[
                "cosell-compile",
                "cosell-graph",
                "cosell-journal",
                "cosell-model",
                "cosell-runtime",
                "cosell-sdk",
                "cosell-service",
            ],
        ),
    ];
    for (name, allowed) in allowed {
        assert_eq!(ours(name), allowed, "{name}");
    }
    let connectors = crates().into_keys().filter(|name| {
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors")).unwrap().any(|entry| {
            let folder = entry.unwrap().file_name().to_string_lossy().replace('_', "-");
            *name == format!("cosell-{folder}") && !["cosell-sdk", "cosell-sandbox"].contains(&name.as_str())
        })
    });
    let mut seen = 0;
    for connector in connectors {
        assert_eq!(ours(&connector), ["cosell-sdk"], "{connector} sees the contract and nothing else of ours");
        seen += 1;
    }
    assert!(seen >= 3);
}

#[test]
fn the_pure_crates_reach_nothing_outside() {
    let all = crates();
    for pure in ["cosell-model", "cosell-compile"] {
        for outside in ["tokio", "reqwest", "axum", "futures", "uuid"] {
            assert!(!all[pure].contains(outside), "{pure} depends on {outside}");
        }
    }
}

#[test]
fn only_compile_knows_yaml_and_only_its_expressions_the_template_engine() {
    for (name, dependencies) in crates() {
        for parser in ["serde_yaml", "granit-parser", "minijinja", "jsonpath-rust"] {
            assert!(!dependencies.contains(parser) || name == "cosell-compile", "{name} depends on {parser}");
        }
        assert!(!dependencies.contains("maud") || name == "cosell-console", "{name} makes pages");
        // Graphs are for whoever orders steps, and whoever draws them.
        assert!(!dependencies.contains("petgraph") || ["cosell-compile", "cosell-graph"].contains(&&*name), "{name}");
    }
    for (path, text) in code("engine/compile/src") {
        let place = path.to_string_lossy().replace('\\', "/");
        let bare = bare(&text);
        assert!(
            !bare.contains("minijinja") && !bare.contains("jsonpath_rust") || place.contains("/src/expr/"),
            "{place}"
        );
        assert!(
            !bare.contains("serde_yaml") && !bare.contains("granit_parser") || place.ends_with("/yaml.rs"),
            "{place}"
        );
    }
}

#[test]
fn the_heart_has_no_clock_no_chance_and_no_arbitrary_order() {
    for (path, text) in code("engine/runtime/src/core") {
        let bare = bare(&text);
        for impure in ["::now()", "HashMap", "rand::", "Instant", "SystemTime", "tokio", "async ", "println"] {
            assert!(!bare.contains(impure), "{}: {impure}", path.display());
        }
        // A set that is only asked whether it holds something has no order to show.
        assert!(
            !bare.contains("HashSet") || !bare.contains(".iter()") || path.ends_with("settle.rs"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn only_the_command_line_prints() {
    for folder in [
        "engine/model/src",
        "engine/compile/src",
        "engine/runtime/src",
        "engine/journal/src",
        "engine/lsp/src",
        "engine/service/src",
        "connectors",
    ] {
        for (path, text) in code(folder) {
            let place = path.to_string_lossy().into_owned();
            if place.contains("/tests/") || place.contains("/benches/") || place.contains("/examples/") {
                continue;
            }
            let bare = bare(&text);
            assert!(!bare.contains("println!") && !bare.contains("dbg!("), "{place}");
        }
    }
}

#[test]
fn files_stay_small_rooms() {
    for folder in ["engine", "connectors"] {
        for (path, text) in code(folder) {
            let place = path.to_string_lossy().into_owned();
            if place.contains("/tests/") || place.contains("/benches/") || place.contains("/target/") {
                continue;
            }
            let lines = bare(&text).lines().count();
            assert!(lines <= 500, "{place} has {lines} lines; split it by idea");
        }
    }
}
