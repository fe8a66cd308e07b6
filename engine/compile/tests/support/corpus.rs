//! The mistakes in `tests/diagnostics` at the top of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use cosell_compile::source::{Layer, SourceFile};

/// Where they lie.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/diagnostics").canonicalize().unwrap()
}

/// What is in a folder, in order.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// The files of a case, the user's behind the shipped ones.
pub fn files(case: &Path) -> Vec<SourceFile> {
    let read = |path: &Path, layer| {
        let name = path.strip_prefix(corpus()).unwrap().to_string_lossy().replace('\\', "/");
        SourceFile { path: name, text: fs::read_to_string(path).unwrap(), layer }
    };
    if case.is_file() {
        return vec![read(case, Layer::Shipped)];
    }
    let inside = |folder: &Path, layer| {
        let files = entries(folder).into_iter().filter(|path| path.is_file());
        files.map(|path| read(&path, layer)).collect::<Vec<_>>()
    };
    let mut files = inside(case, Layer::Shipped);
    if case.join("own").exists() {
        files.extend(inside(&case.join("own"), Layer::Own));
    }
    files
}
