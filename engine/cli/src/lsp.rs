//! `cosell lsp`: the language server, for editors.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use cosell_lsp::project::Buffers;
use cosell_lsp::{Ended, Loaded, Project};
use cosell_model::Catalogue;
use cosell_model::tables::Metadata;
use cosell_sdk::Connector;
use url::Url;

use crate::project::{Chosen, draft, files};
use crate::{Ending, Trouble, explain, metadata};

/// How to speak with the editor.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Speak over standard input and output, as is done anyway; many editors say it.
    #[arg(long)]
    stdio: bool,
}

/// Serves until the editor says to end.
pub(crate) fn lsp(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let Options { stdio: _ } = options;
    let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
    let open = |folder: Option<PathBuf>| -> Arc<dyn Project> {
        let folder = folder.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        Arc::new(Opened {
            configuration: folder.join(&chosen.config),
            environment: chosen.environment.clone(),
            catalogue,
            written: Mutex::default(),
            metadata: Mutex::default(),
        })
    };
    match cosell_lsp::serve(open) {
        Ok(Ended::Asked) => Ok(Ending::Done),
        Ok(Ended::Abruptly) => Ok(Ending::Failed),
        Err(error) => Err(Trouble::new(error.to_string())),
    }
}

/// The project in the folder that an editor has open.
struct Opened {
    configuration: PathBuf,
    environment: Option<String>,
    catalogue: Catalogue,
    /// Which files that come with the program have been written out.
    written: Mutex<Vec<String>>,
    /// What `cosell metadata pull` saved, with the text that it was read from.
    metadata: Mutex<(String, Arc<Metadata>)>,
}

/// The page that explains findings, by its name among the kept files.
const FINDINGS: &str = "findings.md";

impl Project for Opened {
    fn load(&self, open: &Buffers) -> Loaded {
        draft::draft(&self.configuration, self.environment.as_deref(), open, &self.catalogue, self.metadata())
    }

    fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    fn is_configuration(&self, path: &Path) -> bool {
        path == self.configuration
    }

    fn on_disk(&self, name: &str) -> Option<PathBuf> {
        if !name.starts_with("shipped/") {
            return Some(PathBuf::from(name));
        }
        self.kept(name, || files::shipped().into_iter().find(|file| file.path == name).map(|file| file.text))
    }

    fn explained(&self, code: &str) -> Option<Url> {
        let line = explain::line(code)?;
        let path = self.kept(FINDINGS, || Some(explain::PAGE.to_owned()))?;
        let mut url = Url::from_file_path(path).ok()?;
        url.set_fragment(Some(&format!("L{line}")));
        Some(url)
    }
}

impl Opened {
    /// What `cosell metadata pull` saved, read anew only where the file is another. Of one that cannot be read `cosell check`
    /// tells; here it counts as none.
    fn metadata(&self) -> Arc<Metadata> {
        let path = self.configuration.with_file_name(metadata::FILE);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != text {
            let read = serde_json::from_str(&text).unwrap_or_default();
            *known = (text, Arc::new(read));
        }
        Arc::clone(&known.1)
    }

    /// Where a text that comes with the program can be looked at: it is written out once, beside the configuration; nowhere
    /// where there is none.
    fn kept(&self, name: &str, text: impl FnOnce() -> Option<String>) -> Option<PathBuf> {
        let path = self.configuration.parent().filter(|_| self.configuration.exists())?.join(".cosell").join(name);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !written.iter().any(|known| known == name) {
            std::fs::create_dir_all(path.parent()?).ok()?;
            std::fs::write(&path, text()?).ok()?;
            written.push(name.to_owned());
        }
        Some(path)
    }
}
