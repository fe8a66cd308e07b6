//! `cosell login` and `cosell logout`: a person's sign-in for a connection, kept beside the configuration.
//!
//! This file signs in and out; [`browser`] is the way by a browser on this machine.

mod browser;

use std::path::Path;

use clap::Args;
use cosell_sdk::sign_in::{SignIn, SignedIn};
use cosell_sdk::{CallError, Connection, Connector};
use serde_json::{Value, json};

use crate::project::{Chosen, Project};
use crate::render::{BAD, GOOD, STRONG, marked, styled};
use crate::{Ending, Trouble};

/// Who signs in, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The connection, such as partner_center.
    connection: String,
    /// With a code that is typed into a browser on any device; what is done where this machine has no desktop.
    #[arg(long, conflicts_with = "browser")]
    device: bool,
    /// With a browser on this machine.
    #[arg(long)]
    browser: bool,
    /// One JSON object a line: first where to sign in, then who did.
    #[arg(long)]
    json: bool,
}

/// Whose sign-in is forgotten.
#[derive(Debug, Args)]
pub(crate) struct OutOptions {
    /// The connection, such as partner_center.
    connection: String,
}

/// Signs a person in, and keeps it.
pub(crate) async fn login(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    let connection = project.open(&options.connection, connectors)?;
    let sign_in = sign_in(&connection, &options.connection)?;
    let by_browser = options.browser || (!options.device && browser::is_there());
    let signed_in =
        if by_browser { browser::sign_in(sign_in, options.json).await } else { by_device(sign_in, options.json).await };
    let signed_in = match signed_in {
        Ok(signed_in) => signed_in,
        Err(Failure::Trouble(trouble)) => return Err(trouble),
        Err(Failure::Call(error)) => {
            anstream::eprintln!("{}: {}", styled(BAD, "error"), error.message);
            return Ok(Ending::Failed);
        }
    };
    let (person, second_factor) = (signed_in.person.clone(), signed_in.second_factor);
    sign_in.keep(signed_in).map_err(|error| Trouble::new(error.message))?;
    let (path, encrypted) = sign_in.kept_in().unwrap_or((Path::new(""), false));
    if options.json {
        anstream::println!(
            "{}",
            json!({ "signed_in": { "connection": options.connection, "person": person, "second_factor": second_factor,
                "file": path, "encrypted": encrypted } })
        );
    } else {
        let person = person.map_or_else(|| "signed in".to_owned(), |person| format!("signed in as {person}"));
        anstream::println!("{} {person}; kept in {}", styled(GOOD, "✓"), path.display());
        if !encrypted {
            anstream::println!(
                "  Its owner alone may read that file. To have it encrypted, set COSELL_TOKEN_KEY and sign in again."
            );
        }
    }
    if second_factor == Some(false) {
        anstream::eprintln!(
            "{}: the sign-in was without multi-factor authentication, and Partner Center serves nobody without it\nhelp: \
             have the tenant demand it of this account, then sign in again",
            styled(BAD, "warning")
        );
    }
    Ok(Ending::Done)
}

/// Forgets a person's sign-in.
pub(crate) fn logout(chosen: &Chosen, options: &OutOptions, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    let connection = project.open(&options.connection, connectors)?;
    let sign_in = sign_in(&connection, &options.connection)?;
    let forgotten = sign_in.forget().map_err(|error| Trouble::new(error.message))?;
    let name = marked(&options.connection);
    if forgotten {
        anstream::println!(
            "the sign-in of {name} is forgotten here; to end it everywhere, revoke the person's sessions in Entra"
        );
    } else {
        anstream::println!("nobody was signed in for {name}");
    }
    if sign_in.kept().ok().flatten().is_some() {
        anstream::println!("the connection goes on with its configured `refresh_token`");
    }
    Ok(Ending::Done)
}

fn sign_in<'c>(connection: &'c Connection, name: &str) -> Result<&'c SignIn, Trouble> {
    let sign_in = connection.client().and_then(|client| client.sign_in());
    sign_in.filter(|sign_in| sign_in.is_for_a_person()).map(|sign_in| &**sign_in).ok_or_else(|| {
        Trouble::new(format!(
            "the connection {} acts for no person\nhelp: where it is to, set `person: true` under its `sign_in`",
            marked(name)
        ))
    })
}

async fn by_device(sign_in: &SignIn, json: bool) -> Result<SignedIn, Failure> {
    let code = sign_in.begin_device_code().await?;
    if json {
        anstream::println!("{}", json!({ "sign_in": { "address": code.verification_uri, "code": code.user_code } }));
    } else {
        anstream::println!(
            "Open {} on any device, and enter the code {}",
            code.verification_uri,
            styled(STRONG, &code.user_code)
        );
    }
    Ok(code.finish().await?)
}

/// Says where to sign in by a browser.
fn show_address(address: &str, json: bool) {
    if json {
        anstream::println!("{}", json!({ "sign_in": { "address": address, "code": Value::Null } }));
    } else {
        anstream::println!("Open this address in a browser on this machine:\n\n{address}\n");
    }
}

/// Why nobody signed in.
enum Failure {
    /// It could not be tried.
    Trouble(Trouble),
    /// It was tried.
    Call(CallError),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}
