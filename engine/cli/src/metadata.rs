//! `cosell metadata`: what the CRM says of the tables and columns that flows and mappings name, kept beside the configuration
//! so that `cosell check` knows them without asking.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use cosell_compile::tables;
use cosell_model::tables::{Metadata, Table};
use cosell_sdk::{CallContext, CallError, Connection, Connector};
use serde_json::json;
use uuid::Uuid;

use crate::project::{Chosen, Project};
use crate::{Ending, Trouble};

/// The file beside the configuration.
pub(crate) const FILE: &str = "metadata.json";

/// The operation by which a connector describes a table.
const DESCRIBE: &str = "get_metadata";

/// What a connector says of a table that is not there.
const UNKNOWN: &str = "unknown_table";

/// What to do with metadata.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Save what the CRM says of the tables that flows and mappings name, for `cosell check`.
    Pull(Pull),
}

/// Where to save it.
#[derive(Args, Debug)]
pub(crate) struct Pull {
    /// The file to write; metadata.json beside the configuration where none is named.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Pulls.
pub(crate) async fn metadata(chosen: &Chosen, command: &Command, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let Command::Pull(options) = command;
    let project = Project::load(chosen, &[], connectors)?;
    let metadata = ask(&project, connectors).await?;
    let path = options.output.clone().unwrap_or_else(|| project.path(FILE));
    let unwritable = |error: &dyn std::fmt::Display| {
        Trouble::new(format!("the file `{}` cannot be written: {error}", path.display()))
    };
    let text = serde_json::to_string_pretty(&metadata).map_err(|error| unwritable(&error))?;
    std::fs::write(&path, text + "\n").map_err(|error| unwritable(&error))?;
    for (connection, tables) in &metadata.connections {
        let columns: usize = tables.values().flatten().map(|table| table.columns.len()).sum();
        let missing: Vec<&str> = tables.iter().filter(|(_, table)| table.is_none()).map(|(name, _)| &**name).collect();
        anstream::println!("{connection}: {} tables, {columns} columns", tables.len() - missing.len());
        if !missing.is_empty() {
            anstream::println!("  not there: {}", missing.join(", "));
        }
    }
    anstream::println!("Written to {}; `cosell check` uses it.", path.display());
    Ok(Ending::Done)
}

/// Asks each configured connection whose connector describes tables.
///
/// # Errors
/// A connection that cannot be opened, or that does not answer.
pub(crate) async fn ask(project: &Project, connectors: &[Connector]) -> Result<Metadata, Trouble> {
    let mut metadata = Metadata::default();
    for (name, wanted) in tables::named(&project.compilation, &project.catalogue) {
        let connection = project.open(&name, connectors)?;
        let known = metadata.connections.entry(name.clone()).or_default();
        for table in wanted {
            let described = describe(&connection, &table).await;
            let described = described.map_err(|error| {
                Trouble::new(format!(
                    "connection `{name}` does not describe the table `{table}`: {} ({})\nhelp: `cosell doctor` looks at each \
                     connection",
                    error.message, error.code
                ))
            })?;
            known.insert(table, described);
        }
    }
    Ok(metadata)
}

async fn describe(connection: &Connection, table: &str) -> Result<Option<Table>, CallError> {
    let context = CallContext::new(Uuid::now_v7(), false);
    match connection.call(DESCRIBE, json!({ "table": table }), context).await {
        Ok(described) => serde_json::from_value(described).map(Some).map_err(|error| {
            CallError::rejected("unreadable_metadata", format!("it answers in another form: {error}"))
        }),
        Err(error) if error.code == UNKNOWN => Ok(None),
        Err(error) => Err(error),
    }
}

/// What was saved; nothing where no such file is there.
///
/// # Errors
/// A file that cannot be read, or is something else.
pub(crate) fn saved(path: &Path) -> Result<Option<Metadata>, Trouble> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Trouble::new(format!("the file `{}` cannot be read: {error}", path.display()))),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        let path = path.display();
        Trouble::new(format!("{path}: this is not what `cosell metadata pull` writes: {error}\nhelp: pull it again"))
    })
}
