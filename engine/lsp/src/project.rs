//! What the server works on, as the program knows it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cosell_compile::Compilation;
use cosell_compile::source::Sources;
use cosell_model::tables::Metadata;
use cosell_model::{Catalogue, Diagnostic};
use url::Url;

/// Files that are open in the editor, with their text there.
pub type Buffers = BTreeMap<PathBuf, String>;

/// A project: its files, and what belongs to it.
pub trait Project: Send + Sync {
    /// Everything compiled, with these texts in the place of what is on the disk. The names of files are their paths, but for
    /// those that come with the program.
    fn load(&self, open: &Buffers) -> Loaded;

    /// What connectors offer.
    fn catalogue(&self) -> &Catalogue;

    /// Whether this file is the configuration.
    fn is_configuration(&self, path: &Path) -> bool;

    /// Where an editor finds the file that is called so; of one that comes with the program, a copy.
    fn on_disk(&self, name: &str) -> Option<PathBuf>;

    /// Where it is explained what a finding of this code means.
    fn explained(&self, code: &str) -> Option<Url>;
}

/// A project, compiled.
#[derive(Debug)]
pub struct Loaded {
    /// Flows, mappings and variables; its findings are also those by what remote systems say of their tables.
    pub compilation: Compilation,
    /// What remote systems say of their tables, as far as that was saved.
    pub metadata: Arc<Metadata>,
    /// What is wrong with the configuration.
    pub configuration: Vec<Diagnostic>,
    /// The configuration, to show that with.
    pub configuration_sources: Sources,
}
