//! `cosell flows`: what flows there are ([`list`]), what one's own files change in them ([`diff`]), and a shipped one as a
//! copy of one's own ([`eject`]).

mod diff;
mod eject;
mod list;

pub(crate) use list::{origin, state};

use clap::{Args, Subcommand};
use cosell_sdk::Connector;

use crate::project::{Chosen, Project};
use crate::{Ending, Trouble};

/// What to do with flows.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Option<Action>,
    /// One JSON array.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what your own files change in the shipped flows, mappings and variables.
    Diff {
        /// A flow or a mapping; everything where none is named.
        name: Option<String>,
    },
    /// Copy a shipped flow or mapping into your own folder, to own it: upgrades no longer change it.
    Eject {
        /// The flow or the mapping.
        name: String,
    },
}

/// Lists flows, in the order in which they are turned on; or what else is asked for.
pub(crate) fn flows(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    match &options.action {
        None if options.json => anstream::println!("{:#}", list::for_machines(&project)),
        None => anstream::println!("{}", list::for_people(&project)),
        Some(Action::Diff { name }) => anstream::println!("{}", diff::diff(&project, name.as_deref())?),
        Some(Action::Eject { name }) => anstream::println!("{}", eject::eject(&project, name, connectors)?),
    }
    Ok(Ending::Done)
}
