//! `cosell solutions`: the catalogue of solutions that deals refer to, between a spreadsheet and the CRM.
//!
//! Read in this order: `sheet` (a spreadsheet as it came), `rows` (its rows, checked), `table` (the CRM's side), `compare`
//! (what must be written), then the commands `import` and `export`.

mod compare;
mod export;
mod import;
mod rows;
mod sheet;
mod table;

use std::path::Path;

use clap::Subcommand;
use cosell_sdk::Connector;

use crate::project::Chosen;
use crate::{Ending, Trouble};

/// What to do with the catalogue.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fill the catalogue from a spreadsheet: new solutions are added, others are brought up to date.
    Import(import::Options),
    /// Write the catalogue as a spreadsheet, or as CSV to standard output.
    Export(export::Options),
}

/// Imports or exports.
pub(crate) async fn solutions(chosen: &Chosen, command: &Command, connectors: &[Connector]) -> Result<Ending, Trouble> {
    match command {
        Command::Import(options) => import::import(chosen, options, connectors).await,
        Command::Export(options) => export::export(chosen, options, connectors).await,
    }
}

/// A solution of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Solution {
    /// `SOL-nnnnn-XXX` of a co-sell-ready solution, or a GUID of Microsoft's catalogue.
    id: String,
    /// What people call it.
    name: String,
    /// Its type, one of [`rows::TYPES`]; some have none.
    kind: Option<String>,
}

/// The kinds of file, by their names' ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `.xlsx`
    Workbook,
    /// `.csv`
    Text,
}

impl Kind {
    /// # Errors
    /// A name that ends otherwise.
    fn of(path: &Path) -> Result<Self, Trouble> {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_lowercase();
        match end.as_str() {
            "xlsx" => Ok(Self::Workbook),
            "csv" => Ok(Self::Text),
            _ => Err(Trouble::new(format!(
                "`{}` is not named as a spreadsheet; expected a file .xlsx or .csv",
                path.display()
            ))),
        }
    }
}

/// The headings of the three columns, as they are exported.
const HEADINGS: [&str; 3] = ["Solution ID", "Name", "Type"];
