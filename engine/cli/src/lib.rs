//! The command line: one file a command.
//!
//! [`project`] loads what a command works on; [`render`] shows findings and runs; the rest are the commands.
//! Data goes to standard output, everything else to standard error. Exit codes: 0 done; 1 it was tried and failed, or
//! findings are errors; 2 it could not be tried (arguments, configuration, files); 3 a dry run found that something would
//! change; 130 it was interrupted.

mod check;
mod demo;
mod doctor;
mod dry_run;
mod end;
mod explain;
mod flows;
mod graph;
mod init;
mod journal;
mod login;
mod logs;
mod lsp;
mod mapping;
mod metadata;
mod project;
mod reach;
mod record;
mod render;
mod run;
mod runs;
mod sandbox;
mod schema;
mod serve;
mod solutions;
mod status;
mod sync;
mod test;
mod variables;
mod webhooks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cosell_sdk::Connector;

#[derive(Debug, Parser)]
#[command(
    name = "cosell",
    version,
    about = "Keeps Partner Center referrals and CRM opportunities in step",
    arg_required_else_help = true
)]
struct Arguments {
    #[command(flatten)]
    chosen: project::Chosen,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a deal crossing both ways, against stand-ins on this machine.
    Demo(demo::Options),
    /// Compile all flows and report what is wrong with them; calls nobody unless told to.
    Check(check::Options),
    /// Say what a finding means, with a wrong and a right example; list all codes.
    Explain(explain::Options),
    /// Lay out a project of your own: a configuration, overlays to fill, an example event.
    Init(init::Options),
    /// List flows in the order in which they are turned on; show what your own files change; own a shipped one.
    Flows(flows::Options),
    /// Draw a flow, or which flow calls which; also with what a run did.
    Graph(graph::Options),
    /// Show a mapping as a table, or list all mappings.
    Mapping(mapping::Options),
    /// Save what the CRM says of its tables and columns, so that `check` knows them.
    #[command(subcommand)]
    Metadata(metadata::Command),
    /// Print the JSON Schema of a kind of file, for editors, or write them all into a folder.
    Schema(schema::Options),
    /// Serve an editor: findings while you type, completion, explanations, definitions.
    Lsp(lsp::Options),
    /// List variables with their values.
    Variables(variables::Options),
    /// Run one flow to its end against the configured connections.
    Run(run::Options),
    /// Show what a run would write, field by field: reads are real, and nothing is changed anywhere.
    DryRun(dry_run::Options),
    /// Keep a dry run in a file, people and secrets replaced: to be played again without any system, also in tests.
    Record(record::Options),
    /// Run tests of the flows against stand-ins on this machine, and say what no test reaches.
    Test(test::Options),
    /// Run the flows whenever their triggers say so, until told to end; goes on with what was under way.
    Serve(serve::Options),
    /// See runs and repair them: list, show, watch, resume, skip, resubmit, cancel.
    Runs(runs::Options),
    /// Show how the service is: what waits, which connections pause, how many runs failed.
    Status(status::Options),
    /// Check the journal of runs, give its space back, or write it out.
    #[command(subcommand)]
    Journal(journal::Command),
    /// Fill the catalogue of solutions from a spreadsheet, or write it as one.
    #[command(subcommand)]
    Solutions(solutions::Command),
    /// Bring everything in step, both ways: at the beginning, and after an outage.
    Sync(sync::Options),
    /// Look whether everything is there that the flows need: connections, rights, tables, columns, clock, disk.
    Doctor(doctor::Options),
    /// Sign a person in for a connection that acts for one.
    Login(login::Options),
    /// Forget a person's sign-in.
    Logout(login::OutOptions),
    /// Register for Partner Center's events, show the registration, have a test event sent.
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// Serve stand-ins of Entra ID, Partner Center, its events and Dataverse on this machine.
    Sandbox(sandbox::Options),
}

/// How a command ends.
enum Ending {
    /// Done.
    Done,
    /// It was tried, and failed.
    Failed,
    /// Nothing was done, and something would be.
    Changes,
    /// It was interrupted, and can be gone on with.
    Interrupted,
}

/// Why a command could not be tried.
#[derive(Debug)]
enum Trouble {
    /// In a sentence.
    Message(String),
    /// As findings in files, already laid out.
    Findings(String),
}

impl Trouble {
    fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    /// As a person reads it.
    fn text(&self) -> String {
        match self {
            Self::Message(message) => format!("{}: {}", render::styled(render::BAD, "error"), message.trim_end()),
            Self::Findings(findings) => findings.clone(),
        }
    }
}

/// Runs the program with these connectors and the process's arguments.
pub fn main(connectors: Vec<Connector>) -> ExitCode {
    let arguments = Arguments::parse();
    // Whoever serves day and night has nobody who watches.
    let _logging = match &arguments.command {
        Command::Serve(options) => logs::begin(options.log_format, "info"),
        _ => logs::begin(logs::Format::Text, "off"),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("error: no worker threads can be started: {error}");
            return ExitCode::from(2);
        }
    };
    let ended = runtime.block_on(async {
        match arguments.command {
            Command::Demo(options) => demo::demo(&options, &connectors).await,
            Command::Solutions(command) => solutions::solutions(&arguments.chosen, &command, &connectors).await,
            Command::Check(options) => check::check(&arguments.chosen, &options, &connectors).await,
            Command::Explain(options) => explain::explain(&options),
            Command::Init(options) => init::init(&options, &connectors),
            Command::Flows(options) => flows::flows(&arguments.chosen, &options, &connectors),
            Command::Graph(options) => graph::graph(&arguments.chosen, &options, &connectors).await,
            Command::Mapping(options) => mapping::mapping(&arguments.chosen, &options, &connectors),
            Command::Metadata(command) => metadata::metadata(&arguments.chosen, &command, &connectors).await,
            Command::Schema(options) => schema::schema(&options, &connectors),
            Command::Lsp(options) => lsp::lsp(&arguments.chosen, &options, &connectors),
            Command::Variables(options) => variables::variables(&arguments.chosen, &options, &connectors),
            Command::Run(options) => run::run(&arguments.chosen, &options, &connectors).await,
            Command::DryRun(options) => dry_run::dry_run(&arguments.chosen, &options, &connectors).await,
            Command::Record(options) => record::record(&arguments.chosen, &options, &connectors).await,
            Command::Test(options) => test::test(&arguments.chosen, &options, &connectors).await,
            Command::Serve(options) => serve::serve(&arguments.chosen, &options, &connectors).await,
            Command::Runs(options) => runs::runs(&arguments.chosen, &options, &connectors).await,
            Command::Status(options) => status::status(&arguments.chosen, &options, &connectors).await,
            Command::Journal(command) => journal::journal(&arguments.chosen, &command, &connectors),
            Command::Sync(options) => sync::sync(&arguments.chosen, &options, &connectors).await,
            Command::Doctor(options) => doctor::doctor(&arguments.chosen, &options, &connectors).await,
            Command::Login(options) => login::login(&arguments.chosen, &options, &connectors).await,
            Command::Logout(options) => login::logout(&arguments.chosen, &options, &connectors),
            Command::Webhooks(command) => webhooks::webhooks(&arguments.chosen, &command, &connectors).await,
            Command::Sandbox(options) => sandbox::sandbox(&options).await,
        }
    });
    match ended {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failed) => ExitCode::FAILURE,
        Ok(Ending::Changes) => ExitCode::from(3),
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Err(trouble) => {
            anstream::eprintln!("{}", trouble.text());
            ExitCode::from(2)
        }
    }
}
