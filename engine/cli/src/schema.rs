//! `cosell schema`: JSON Schemas of the files that people write, with which editors complete and explain them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use cosell_compile::compile;
use cosell_compile::schema::{self, Kind};
use cosell_model::{Catalogue, Schema};
use cosell_sdk::Connector;

use crate::project::files;
use crate::{Ending, Trouble};

/// Which to print, or where to write them.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The kind of file; all of them where none is named.
    #[arg(value_enum, required_unless_present = "output")]
    kind: Option<Chosen>,
    /// Write them into this folder, each as KIND.json, instead of printing one.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Chosen {
    /// A flow.
    Flow,
    /// A mapping.
    Mapping,
    /// Declarations of variables.
    Variables,
    /// The configuration, `cosell.yaml`.
    Configuration,
    /// Tests of flows.
    Test,
}

impl From<Chosen> for Kind {
    fn from(chosen: Chosen) -> Self {
        match chosen {
            Chosen::Flow => Kind::Flow,
            Chosen::Mapping => Kind::Mapping,
            Chosen::Variables => Kind::Variables,
            Chosen::Configuration => Kind::Configuration,
            Chosen::Test => Kind::Test,
        }
    }
}

/// Where a project has its schemas, below its configuration.
pub(crate) const FOLDER: &str = ".cosell/schema";

/// Prints one, or writes them.
pub(crate) fn schema(options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let chosen = options.kind.map(Kind::from);
    match (&options.output, chosen) {
        (None, chosen) => {
            for kind in Kind::ALL.into_iter().filter(|kind| chosen == Some(*kind)) {
                anstream::println!("{:#}", made(kind, connectors));
            }
        }
        (Some(folder), chosen) => {
            let kinds = Kind::ALL.into_iter().filter(|kind| chosen.is_none_or(|chosen| chosen == *kind));
            for path in write(folder, kinds, connectors)? {
                anstream::println!("  {}", path.display());
            }
        }
    }
    Ok(Ending::Done)
}

/// Writes all schemas into `folder`, which is made where it is not there.
pub(crate) fn write_all(folder: &Path, connectors: &[Connector]) -> Result<(), Trouble> {
    write(folder, Kind::ALL, connectors).map(drop)
}

fn write(
    folder: &Path,
    kinds: impl IntoIterator<Item = Kind>,
    connectors: &[Connector],
) -> Result<Vec<PathBuf>, Trouble> {
    let wrong = |path: &Path, error| Trouble::new(format!("{} cannot be written: {error}", path.display()));
    std::fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
    let one = |kind: Kind| {
        let path = folder.join(format!("{}.json", kind.as_str()));
        std::fs::write(&path, format!("{:#}\n", made(kind, connectors))).map_err(|error| wrong(&path, error))?;
        Ok(path)
    };
    kinds.into_iter().map(one).collect()
}

fn made(kind: Kind, connectors: &[Connector]) -> Schema {
    let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
    let shipped = compile(files::shipped(), &catalogue, &BTreeMap::new());
    schema::of(kind, &catalogue, &shipped)
}

/// The comment that tells an editor which schema a file has; none where `file` does not lie below the project's folder.
pub(crate) fn modeline(kind: Kind, base: &Path, file: &Path) -> Option<String> {
    let below = file.strip_prefix(base).ok()?;
    let plain = |part: &std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    if !below.components().all(|part| plain(&part)) {
        return None;
    }
    let up = "../".repeat(below.components().count().saturating_sub(1));
    Some(format!("# yaml-language-server: $schema={up}{FOLDER}/{}.json\n", kind.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modeline_leads_from_the_file_to_the_project_s_folder() {
        let line = |base: &str, file: &str| modeline(Kind::Flow, Path::new(base), Path::new(file));
        let with = |up: &str| Some(format!("# yaml-language-server: $schema={up}.cosell/schema/flow.json\n"));
        assert_eq!(line("", "a.yaml"), with(""));
        assert_eq!(line("/p", "/p/flows/mappings/a.yaml"), with("../../"));
        assert_eq!(line("/p", "/p/../q/a.yaml"), None);
        assert_eq!(line("/p", "/q/a.yaml"), None);
    }
}
