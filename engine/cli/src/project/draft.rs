//! A project while its files are being written: whatever is wrong with it is a finding, and nothing keeps the rest from being
//! looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cosell_compile::source::{Layer, SourceFile};
use cosell_compile::{compile, configuration, tables};
use cosell_lsp::Loaded;
use cosell_lsp::project::Buffers;
use cosell_model::Catalogue;
use cosell_model::tables::Metadata;

use super::{dotenv, files, wrong_settings};

/// Reads and compiles the project of the configuration at `path`, with `open` texts in the place of what is on the disk, and
/// holds it against what `metadata` says of tables.
pub(crate) fn draft(
    path: &Path,
    environment: Option<&str>,
    open: &Buffers,
    catalogue: &Catalogue,
    metadata: Arc<Metadata>,
) -> Loaded {
    let base = path.parent().unwrap_or(Path::new(""));
    let named =
        environment.map(str::to_owned).or_else(|| dotenv::Variables::beside(base).ok()?.get("COSELL_ENVIRONMENT"));
    let text = open.get(path).cloned().or_else(|| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let file = SourceFile { path: path.display().to_string(), text, layer: Layer::Own };
    let (configuration, mut wrong, configuration_sources) = configuration::read(file, named.as_deref());

    let mut own = Vec::new();
    let folders: Vec<PathBuf> = configuration.flows.iter().map(|folder| plain(&base.join(folder))).collect();
    for folder in &folders {
        // A folder that is not there yet holds nothing.
        let _ = files::own(folder, &mut own);
    }
    for (path, text) in open.iter().filter(|(at, text)| at.as_path() != path && is_one(at, text, base, &folders)) {
        match own.iter_mut().find(|file| Path::new(&file.path) == path) {
            Some(file) => file.text.clone_from(text),
            None => own.push(SourceFile { path: path.display().to_string(), text: text.clone(), layer: Layer::Own }),
        }
    }
    let mut all = files::shipped();
    all.extend(own);
    let values = configuration.variables.iter().map(|(name, set)| (name.clone(), set.value.clone())).collect();
    let mut compilation = compile(all, catalogue, &values);
    wrong.extend(wrong_settings(&configuration, &compilation));
    compilation.diagnostics = tables::check(&compilation, catalogue, &metadata);
    Loaded { compilation, metadata, configuration: wrong, configuration_sources }
}

/// Whether an open file belongs to the project: it lies in a folder of flows, or elsewhere and says that it is a flow, a mapping
/// or variables. What the program keeps does not.
fn is_one(path: &Path, text: &str, base: &Path, folders: &[PathBuf]) -> bool {
    let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let says = || {
        ["flow:", "mapping:", "variables:", "test:", "tests:"]
            .iter()
            .any(|key| text.lines().any(|line| line.starts_with(key)))
    };
    let settings = || text.lines().any(|line| line.starts_with("connections:"));
    let kept = path.starts_with(base.join(".cosell"));
    yaml && !kept && (folders.iter().any(|folder| path.starts_with(folder)) || says() && !settings())
}

/// Without `.` in it.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}
