//! `cosell solutions export`: from the CRM into a spreadsheet.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use cosell_sdk::Connector;
use rust_xlsxwriter::{Format, Workbook, XlsxError};

use super::table::{Failure, Stored, Table};
use super::{HEADINGS, Kind, Solution};
use crate::project::{Chosen, Project};
use crate::render::{BAD, styled};
use crate::{Ending, Trouble};

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The file to write, .xlsx or .csv; standard output, as CSV, when not given.
    file: Option<PathBuf>,
}

/// Exports the catalogue, by solution id. Importing it again changes nothing.
pub(super) async fn export(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let format = match options.file.as_deref().map(Kind::of).transpose()? {
        None | Some(Kind::Text) => csv,
        Some(Kind::Workbook) => xlsx,
    };
    let project = Project::load(chosen, &[], connectors)?;
    let rows = match read(&project, connectors).await {
        Ok(rows) => rows,
        Err(Failure::Trouble(trouble)) => return Err(trouble),
        Err(Failure::Call(error)) => {
            anstream::eprintln!("{}: {error}", styled(BAD, "error"));
            return Ok(Ending::Failed);
        }
    };
    let place = options.file.as_deref().map_or("standard output".to_owned(), |file| format!("`{}`", file.display()));
    let bytes = format(&rows).map_err(|error| Trouble::new(format!("the solutions cannot be laid out: {error}")))?;
    let written = match &options.file {
        Some(file) => std::fs::write(file, bytes),
        None => std::io::stdout().write_all(&bytes),
    };
    written.map_err(|error| Trouble::new(format!("{place} cannot be written: {error}")))?;
    if options.file.is_some() {
        anstream::eprintln!("{} solutions in {place}", rows.len());
    }
    Ok(Ending::Done)
}

async fn read(project: &Project, connectors: &[Connector]) -> Result<Vec<Stored>, Failure> {
    Table::open(project, connectors).await?.rows().await
}

fn texts(Solution { id, name, kind }: &Solution) -> [&str; 3] {
    [id, name, kind.as_deref().unwrap_or_default()]
}

fn csv(rows: &[Stored]) -> Result<Vec<u8>, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let records = std::iter::once(HEADINGS).chain(rows.iter().map(|row| texts(&row.solution)));
    for record in records {
        writer.write_record(record).map_err(|error| error.to_string())?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}

fn xlsx(rows: &[Stored]) -> Result<Vec<u8>, String> {
    let lay_out = || -> Result<Vec<u8>, XlsxError> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet().set_name("Solutions")?;
        // As text, so that whoever adds a row adds text.
        let text = Format::new().set_num_format("@");
        for (column, width) in (0..).zip([24, 60, 12]) {
            sheet.set_column_format(column, &text)?.set_column_width(column, width)?;
        }
        for (column, heading) in (0..).zip(HEADINGS) {
            sheet.write_string_with_format(0, column, heading, &Format::new().set_bold())?;
        }
        for (row, stored) in (1..).zip(rows) {
            for (column, text) in (0..).zip(texts(&stored.solution)) {
                sheet.write_string(row, column, text)?;
            }
        }
        sheet.set_freeze_panes(1, 0)?;
        book.save_to_buffer()
    };
    lay_out().map_err(|error| error.to_string())
}
