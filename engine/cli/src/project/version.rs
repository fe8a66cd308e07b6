//! What flows are compiled from, kept so that a run can end in the version it began in.

use std::collections::BTreeMap;

use cosell_compile::compile;
use cosell_compile::source::{Layer, SourceFile};
use cosell_model::flow::Retry;
use cosell_model::{Catalogue, Value};
use cosell_runtime::memory::Flows;
use cosell_sdk::Connector;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Project;

/// Everything that a compilation takes beside the connectors, and how steps are retried.
#[derive(Debug, Serialize, Deserialize)]
struct Source {
    files: Vec<File>,
    values: BTreeMap<String, Value>,
    retry: Retry,
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    path: String,
    text: String,
    own: bool,
}

impl Project {
    /// The name of this version of the flows, and what it is compiled from. Equal sources have equal names.
    pub(crate) fn version(&self) -> (String, Value) {
        const VERSIONS: Uuid = Uuid::from_u128(0x2f0c_55a8_94d1_5b8e_8e37_d1c6_7c0a_4be2);
        let files = self.compilation.sources.iter().map(|(_, file)| File {
            path: file.path.clone(),
            text: file.text.clone(),
            own: file.layer == Layer::Own,
        });
        let values = self.configuration.variables.iter().map(|(name, set)| (name.clone(), set.value.clone())).collect();
        let source = Source { files: files.collect(), values, retry: self.retry() };
        let source = serde_json::to_value(source).unwrap_or_default();
        (Uuid::new_v5(&VERSIONS, source.to_string().as_bytes()).to_string(), source)
    }
}

/// The flows of an earlier version; none where what is kept of it cannot be read.
pub(crate) fn earlier(version: String, source: Value, connectors: &[Connector]) -> Option<Flows> {
    let source: Source = serde_json::from_value(source).ok()?;
    let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
    let files = source.files.into_iter().map(|file| SourceFile {
        path: file.path,
        text: file.text,
        layer: if file.own { Layer::Own } else { Layer::Shipped },
    });
    let compiled = compile(files.collect(), &catalogue, &source.values);
    Some(Flows { version, plans: compiled.plans, default_retry: source.retry })
}
