//! `cosell check`: compile everything, report what is wrong, also by what the CRM says of its tables.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cosell_compile::tables;
use cosell_model::Severity;
use cosell_sdk::Connector;
use serde_json::Value;

use crate::metadata;
use crate::project::{Chosen, Project};
use crate::render::{counted, diagnostic, github, sarif};
use crate::{Ending, Trouble};

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Files to check beside the project's own.
    files: Vec<PathBuf>,
    /// Ask the CRM what its tables and columns are, instead of using what `cosell metadata pull` saved.
    #[arg(long, conflicts_with = "metadata")]
    live: bool,
    /// What `cosell metadata pull` saved; metadata.json beside the configuration where none is named.
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
    /// How to show findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How findings are shown.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON array.
    Json,
    /// Remarks beside the lines, in GitHub Actions.
    Github,
    /// A SARIF 2.1.0 log, for whatever collects findings.
    Sarif,
}

/// Checks the project; errors among the findings make it fail.
pub(crate) async fn check(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &options.files, connectors)?;
    let compilation = &project.compilation;
    let metadata = match (options.live, &options.metadata) {
        (true, _) => Some(metadata::ask(&project, connectors).await?),
        (false, Some(named)) if !named.exists() => {
            return Err(Trouble::new(format!("there is no file `{}`", named.display())));
        }
        (false, Some(named)) => metadata::saved(named)?,
        (false, None) => metadata::saved(&project.path(metadata::FILE))?,
    };
    let findings = &match &metadata {
        Some(metadata) => tables::check(compilation, &project.catalogue, metadata),
        None => compilation.diagnostics.clone(),
    };
    match options.format {
        Format::Json => {
            let shown: Vec<Value> = findings.iter().map(|f| diagnostic::as_json(f, &compilation.sources)).collect();
            anstream::println!("{:#}", Value::Array(shown));
        }
        Format::Github => anstream::print!("{}", github::all(findings, &compilation.sources)),
        Format::Sarif => anstream::println!("{:#}", sarif::log(findings, &compilation.sources)),
        Format::Text => {
            if !findings.is_empty() {
                anstream::println!("{}\n", diagnostic::all(findings, &compilation.sources));
            }
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
            let files = compilation.sources.iter().count();
            anstream::println!(
                "{} flows and {} mappings in {files} files: {}, {}",
                compilation.order.len(),
                compilation.mappings.len(),
                counted(errors, "error"),
                counted(findings.len() - errors, "warning")
            );
            if let Some(finding) = findings.first() {
                anstream::println!("More on each code in brackets: `cosell explain {}`", finding.code);
            }
        }
    }
    let is_wrong = compilation.has_errors() || findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if is_wrong { Ending::Failed } else { Ending::Done })
}
