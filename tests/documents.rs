//! Every example in the documentation compiles, and every folder of `examples/` runs.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{compile, configuration};
use cosell_model::Catalogue;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The blocks of this language in a Markdown text.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

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

#[test]
fn every_yaml_example_in_the_documentation_compiles() {
    let mut documents = files(&root().join("docs"), "md");
    documents.push(root().join("README.md"));
    let mut seen = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        let shipped: Vec<SourceFile> = files(&root().join("flows"), "yaml")
            .into_iter()
            .map(|path| SourceFile {
                text: std::fs::read_to_string(&path).unwrap(),
                path: path.display().to_string(),
                layer: Layer::Shipped,
            })
            .collect();
        // Examples that change the same flow or mapping are none of one project.
        let mut projects: Vec<Vec<SourceFile>> = vec![Vec::new()];
        for (number, block) in blocks(&text, "yaml").into_iter().enumerate() {
            seen += 1;
            let path = format!("{} example {}", document.display(), number + 1);
            let file = SourceFile { path: path.clone(), text: block.to_owned(), layer: Layer::Own };
            if block.contains("connections:") || block.starts_with("service:") {
                let (_, findings, _) =
                    configuration::read(file, Some("staging").filter(|_| block.contains("  staging:")));
                assert!(findings.is_empty(), "{path}: {findings:?}");
            } else {
                let name = |text: &str| text.lines().next().unwrap_or_default().to_owned();
                let is_free = |project: &&mut Vec<SourceFile>| !project.iter().any(|f| name(&f.text) == name(block));
                match projects.iter_mut().find(is_free) {
                    Some(project) => project.push(file),
                    None => projects.push(vec![file]),
                }
            }
        }
        for project in projects {
            let compilation = compile([shipped.clone(), project].concat(), &catalogue(), &BTreeMap::new());
            let findings: Vec<String> = compilation
                .diagnostics
                .iter()
                .map(|f| {
                    format!(
                        "{}: {:?}: {}",
                        compilation.sources.file(f.primary.span.file).path,
                        compilation.sources.line_column(f.primary.span),
                        f.message
                    )
                })
                .collect();
            assert!(findings.is_empty(), "{findings:#?}");
        }
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn every_shipped_flow_compiles_without_a_finding() {
    let output = Command::new(env!("CARGO_BIN_EXE_cosell"))
        .arg("check")
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.ends_with("0 errors, 0 warnings\n"), "{text}");
}

#[test]
fn every_example_runs() {
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let index = std::fs::read_to_string(root().join("examples/README.md")).unwrap();
        assert!(index.contains(&format!("`{name}`")), "{name} is not in the list of examples");
        let run = |arguments: &[&str]| {
            Command::new(env!("CARGO_BIN_EXE_cosell")).args(arguments).current_dir(&folder).output().unwrap()
        };
        let checked = run(&["check"]);
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stdout));
        if !folder.join("flows/example.yaml").exists() {
            // Run against the sandbox, in `examples.rs`.
            continue;
        }
        seen += 1;
        let ran = run(&["run", "example", "--json"]);
        assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
        let last: Value = serde_json::from_str(String::from_utf8(ran.stdout).unwrap().lines().last().unwrap()).unwrap();
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("example_{name}"), format!("{:#}", last["run"]["output"]));
        });
    }
    assert!(seen >= 5);
}

/// What a heading is called in links: in small letters, with `-` for blanks, and nothing but letters, digits, `-` and `_`.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !is_code) {
            found.push(anchor(heading.trim_start_matches('#').trim()));
        }
    }
    found
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = files(&root().join("docs"), "md");
    documents.extend(["README.md", "ARCHITECTURE.md", "examples/README.md"].map(|name| root().join(name)));
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let path = link.split('#').next().unwrap();
            if path.contains("://") {
                continue;
            }
            let target = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            assert!(target.exists(), "{}: {link}", document.display());
            if let Some((_, wanted)) = link.split_once('#') {
                let known = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(known.iter().any(|known| known == wanted), "{}: {link}: {known:?}", document.display());
            }
        }
    }
}
