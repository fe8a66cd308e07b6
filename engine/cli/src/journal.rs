//! `cosell journal`: the record of runs, as a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Subcommand;
use cosell_journal::{Reader, upkeep};
use cosell_runtime::keep::NotKept;
use cosell_sdk::Connector;

use crate::project::{Chosen, Project};
use crate::{Ending, Trouble};

/// The file's name, beside the configuration.
pub(crate) const FILE: &str = "journal.db";

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read all of it, and report what is damaged or impossible; also while a service writes to it.
    Check,
    /// Give back the space of what was deleted; not while a service writes to it.
    Vacuum,
    /// Write out everything, as one JSON object a line; also while a service writes to it.
    Export {
        /// Where to; to standard output where not given.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

impl From<NotKept> for Trouble {
    fn from(error: NotKept) -> Self {
        Self::new(error.to_string())
    }
}

/// Does it.
pub(crate) fn journal(chosen: &Chosen, command: &Command, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let path = Project::load(chosen, &[], connectors)?.kept(FILE);
    match command {
        Command::Check => {
            let wrong = Reader::open(&path)?.check()?;
            for found in &wrong {
                anstream::println!("{found}");
            }
            if wrong.is_empty() {
                anstream::println!("The journal is sound.");
                return Ok(Ending::Done);
            }
            anstream::eprintln!("error: the journal is damaged; restore a copy of {}", path.display());
            Ok(Ending::Failed)
        }
        Command::Vacuum => {
            upkeep::vacuum(&path)?;
            Ok(Ending::Done)
        }
        Command::Export { output: None } => {
            Reader::open(&path)?.export(&mut std::io::stdout().lock())?;
            Ok(Ending::Done)
        }
        Command::Export { output: Some(output) } => {
            let failed =
                |error: std::io::Error| Trouble::new(format!("{} cannot be written: {error}", output.display()));
            let mut out = BufWriter::new(File::create(output).map_err(failed)?);
            let rows = Reader::open(&path)?.export(&mut out)?;
            out.flush().map_err(failed)?;
            anstream::eprintln!("{rows} rows written to {}", output.display());
            Ok(Ending::Done)
        }
    }
}
