//! `cosell solutions import`: from a spreadsheet into the CRM.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use cosell_sdk::Connector;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::compare::{Change, compare};
use super::rows::{Columns, Fault, Listed, check};
use super::sheet::{self, Place};
use super::table::{Failure, RowWrite, Table};
use crate::project::{Chosen, Project};
use crate::render::{BAD, DIM, GOOD, STRONG, counted, styled};
use crate::{Ending, Trouble};

/// How many rows are written in one transaction: as many as Dataverse takes in a batch (Web API, execute batch operations).
const TRANSACTION: usize = 1000;

/// What to import, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The spreadsheet, .xlsx or .csv, with the headings Solution ID, Name and, if wanted, Type.
    file: PathBuf,
    /// The sheet of a workbook; its first when not given.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Show what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Imports a spreadsheet; where one row is wrong, nothing is written.
pub(super) async fn import(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let sheet = sheet::read(&options.file, options.sheet.as_deref())?;
    let columns = Columns::of(&sheet)?;
    let project = Project::load(chosen, &[], connectors)?;
    let show = Show { place: &sheet.place, json: options.json };
    let table = match Table::open(&project, connectors).await {
        Ok(table) => table,
        Err(failure) => return show.failure(failure, 0, 0),
    };
    let listed = match check(&sheet, columns, &table.limits) {
        Ok(listed) => listed,
        Err(faults) => return Ok(show.faults(&faults)),
    };
    let stored = match table.rows().await {
        Ok(stored) => stored,
        Err(failure) => return show.failure(failure, 0, 0),
    };
    let changes = match compare(&listed, columns.with_types(), &stored) {
        Ok(changes) => changes,
        Err(faults) => return Ok(show.faults(&faults)),
    };
    let writes: Vec<RowWrite> =
        listed.iter().zip(&changes).filter_map(|(listed, change)| change.write(listed, &table)).collect();
    if !options.dry_run
        && let Err((failure, written)) = write(&table, &writes).await
    {
        return show.failure(failure, written, writes.len());
    }
    for (listed, change) in listed.iter().zip(&changes) {
        // What was equal is of interest in a preview only.
        if options.dry_run || options.json || !matches!(change, Change::Equal) {
            show.change(listed, change);
        }
    }
    show.totals(&changes, options.dry_run);
    Ok(Ending::Done)
}

/// Writes all rows; a failure comes with how many were written before it.
async fn write(table: &Table, writes: &[RowWrite]) -> Result<(), (Failure, usize)> {
    // Drawn on a terminal only.
    let bar = ProgressBar::new(writes.len() as u64).with_message("Writing solutions");
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{bar:30}] {pos}/{len}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    let mut written = 0;
    for transaction in writes.chunks(TRANSACTION) {
        if let Err(failure) = table.write(transaction).await {
            bar.finish_and_clear();
            return Err((failure, written));
        }
        written += transaction.len();
        bar.set_position(written as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// How an import is told.
struct Show<'a> {
    place: &'a Place,
    json: bool,
}

impl Show<'_> {
    fn change(&self, Listed { row, solution }: &Listed, change: &Change<'_>) {
        let (word, style, differences) = match change {
            Change::New => ("new", GOOD, &[][..]),
            Change::Changed(_, differences) => ("changed", STRONG, differences.as_slice()),
            Change::Equal => ("equal", DIM, &[][..]),
        };
        if self.json {
            let differences: Vec<Value> = differences
                .iter()
                .map(|one| json!({ "column": one.column(), "old": one.old, "new": one.new }))
                .collect();
            let line = json!({ "row": row, "solution_id": solution.id, "change": word, "differences": differences });
            anstream::println!("{line}");
            return;
        }
        let quoted = |text: &Option<String>| text.as_ref().map_or("nothing".to_owned(), |text| format!("`{text}`"));
        let told: Vec<String> = match change {
            Change::Changed(..) => differences
                .iter()
                .map(|one| format!("{}: {} → {}", one.column(), quoted(&one.old), quoted(&one.new)))
                .collect(),
            _ => [Some(&solution.name), solution.kind.as_ref()].into_iter().flatten().cloned().collect(),
        };
        anstream::println!("{} {}  {}", styled(style, format!("{word:<7}")), solution.id, told.join(", "));
    }

    fn totals(&self, changes: &[Change<'_>], dry_run: bool) {
        let count = |which: fn(&Change<'_>) -> bool| changes.iter().filter(|change| which(change)).count();
        let new = count(|change| matches!(change, Change::New));
        let changed = count(|change| matches!(change, Change::Changed(..)));
        let equal = count(|change| matches!(change, Change::Equal));
        let written = !dry_run && new + changed > 0;
        if self.json {
            anstream::println!("{}", json!({ "new": new, "changed": changed, "equal": equal, "written": written }));
            return;
        }
        let note = if dry_run { "; nothing was written (--dry-run)" } else { "" };
        let solutions = counted(changes.len(), "solution");
        anstream::println!("{solutions}: {new} new, {changed} changed, {equal} equal{note}");
    }

    fn faults(&self, faults: &[Fault]) -> Ending {
        if self.json {
            for Fault { row, column, found, reason } in faults {
                let sheet = &self.place.sheet;
                let line = json!({ "sheet": sheet, "row": row, "column": column, "found": found, "reason": reason });
                anstream::println!("{line}");
            }
            return Ending::Failed;
        }
        let error = styled(BAD, "error");
        let plural = if faults.len() == 1 { "value cannot be imported" } else { "values cannot be imported" };
        anstream::eprintln!("{error}: {} {plural}, so nothing was written\n  {}", faults.len(), self.place);
        for Fault { row, column, found, reason } in faults {
            let found = found.as_ref().map_or(String::new(), |found| format!(" `{}`", beginning(found)));
            anstream::eprintln!("  {} {row}, {column}:{found} {reason}", self.place.row());
        }
        anstream::eprintln!("help: correct these places, and import the file again");
        Ending::Failed
    }

    fn failure(&self, failure: Failure, written: usize, all: usize) -> Result<Ending, Trouble> {
        let error = match failure {
            Failure::Trouble(trouble) => return Err(trouble),
            Failure::Call(error) => error,
        };
        anstream::eprintln!("{}: {error}", styled(BAD, "error"));
        if written == 0 {
            anstream::eprintln!("nothing was written");
        } else {
            anstream::eprintln!(
                "{written} of {all} rows were written\nhelp: import the file again to write the others"
            );
        }
        Ok(Ending::Failed)
    }
}

/// A text, or so much of it that it is known again.
fn beginning(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}
