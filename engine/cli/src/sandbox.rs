//! `cosell sandbox`: the stand-ins, until interrupted.

use clap::Args;
use cosell_sandbox::{Options as SandboxOptions, Sandbox};

use crate::{Ending, Trouble};

/// How to serve the stand-ins.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print the addresses and credentials as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Serves until interrupted.
pub(crate) async fn sandbox(options: &Options) -> Result<Ending, Trouble> {
    let sandbox = Sandbox::start(SandboxOptions::default())
        .await
        .map_err(|error| Trouble::new(format!("the sandbox cannot be started: {error}")))?;
    let addresses = serde_json::to_value(sandbox.addresses()).unwrap_or_default();
    if options.json {
        anstream::println!("{addresses}");
    } else {
        anstream::println!("The sandbox is ready; interrupt it to end it.\n");
        for (name, value) in addresses.as_object().into_iter().flatten() {
            if let Some(text) = value.as_str().filter(|text| !text.contains('\n')) {
                anstream::println!("  {name:<22} {text}");
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
    sandbox.stop().await;
    Ok(Ending::Done)
}
