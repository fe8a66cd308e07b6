//! What the files say, beside what the service knows of itself.

use std::sync::Arc;

use cosell_compile::Compilation;
use cosell_compile::configuration::Configuration;
use cosell_compile::source::Sources;

/// What the files say: flows, mappings, variables and the configuration, as they were last read.
pub struct Facts {
    /// The flows, mappings and variables.
    pub compilation: Arc<Compilation>,
    /// The configuration.
    pub configuration: Arc<Configuration>,
    /// The files of the configuration, to tell where something is set.
    pub sources: Arc<Sources>,
}
