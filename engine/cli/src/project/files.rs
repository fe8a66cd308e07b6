//! The files of a project: those that come with the program, and the user's own.

use std::path::{Path, PathBuf};

use cosell_compile::source::{Layer, SourceFile};
use rust_embed::RustEmbed;

use crate::Trouble;

/// The flows, mappings and variables that come with the program.
#[derive(RustEmbed)]
#[folder = "../../flows"]
#[include = "*.yaml"]
struct Shipped;

/// Where the tests of the shipped flows are, beside the flows.
const TESTS: &str = "tests/";

/// Everything that comes with the program, by name; messages show it as `shipped/…`, to tell it from the user's own.
pub(crate) fn shipped() -> Vec<SourceFile> {
    built_in(|name| !name.starts_with(TESTS))
}

/// The tests of the flows that come with the program.
pub(crate) fn shipped_tests() -> Vec<SourceFile> {
    built_in(|name| name.starts_with(TESTS))
}

fn built_in(wanted: impl Fn(&str) -> bool) -> Vec<SourceFile> {
    let mut names: Vec<_> = Shipped::iter().filter(|name| wanted(name)).collect();
    names.sort_unstable();
    names
        .into_iter()
        .filter_map(|name| {
            let text = String::from_utf8(Shipped::get(&name)?.data.into_owned()).ok()?;
            Some(SourceFile { path: format!("shipped/{name}"), text, layer: Layer::Shipped })
        })
        .collect()
}

/// All YAML files in a folder and below it, by name.
pub(crate) fn own(folder: &Path, files: &mut Vec<SourceFile>) -> Result<(), Trouble> {
    let unreadable =
        |error: std::io::Error| Trouble::new(format!("the folder `{}` cannot be read: {error}", folder.display()));
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(unreadable)?;
    entries.sort_unstable();
    for entry in entries {
        if entry.is_dir() {
            own(&entry, files)?;
        } else if entry.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(read(&entry)?);
        }
    }
    Ok(())
}

/// One file of the user's.
pub(crate) fn read(path: &Path) -> Result<SourceFile, Trouble> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Trouble::new(format!("the file `{}` cannot be read: {error}", path.display())))?;
    Ok(SourceFile { path: path.display().to_string(), text, layer: Layer::Own })
}
