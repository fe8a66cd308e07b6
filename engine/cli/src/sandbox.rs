//! `cosell sandbox`: the stand-ins, until interrupted.

use std::path::PathBuf;

use clap::Args;
use cosell_sandbox::{Addresses, Options as SandboxOptions, Ports, Sandbox};

use crate::end::End;
use crate::{Ending, Trouble};

/// How to serve the stand-ins.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Serve HTTPS, below a certificate authority made for this run: Microsoft's own clients refuse plain HTTP.
    #[arg(long)]
    https: bool,
    /// Write the authority's certificate here, in PEM form, for clients to trust.
    #[arg(long, value_name = "FILE", requires = "https")]
    ca_out: Option<PathBuf>,
    /// The first of five ports to use, one for each stand-in and one for control; chosen by the system where not given.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=65_531))]
    port: Option<u16>,
    /// Keep referrals, registration, rows and refresh tokens in this file from one run to the next.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Print the addresses and credentials as one line of JSON, once ready.
    #[arg(long)]
    json: bool,
}

/// Serves until interrupted.
pub(crate) async fn sandbox(options: &Options) -> Result<Ending, Trouble> {
    // Before anything is printed: whoever reads that the sandbox is ready may end it at once.
    let mut end = End::new()?;
    let ports = options.port.and_then(Ports::from).unwrap_or_default();
    let sandbox = Sandbox::start(SandboxOptions { ports, https: options.https, state: options.state.clone() })
        .await
        .map_err(|error| Trouble::new(format!("the sandbox cannot be started: {error}")))?;
    let addresses = sandbox.addresses();
    if let (Some(path), Some(certificate)) = (&options.ca_out, &addresses.ca_certificate_pem) {
        std::fs::write(path, certificate)
            .map_err(|error| Trouble::new(format!("{} cannot be written: {error}", path.display())))?;
    }
    show(addresses, options.json)?;
    end.wait().await;
    let saved = sandbox.save().await;
    sandbox.stop().await;
    saved.map_err(|error| Trouble::new(format!("the state could not be written: {error}")))?;
    Ok(Ending::Done)
}

fn show(addresses: &Addresses, json: bool) -> Result<(), Trouble> {
    let addresses = serde_json::to_value(addresses)
        .map_err(|error| Trouble::new(format!("the addresses cannot be shown: {error}")))?;
    if json {
        anstream::println!("{addresses}");
        return Ok(());
    }
    anstream::println!("The sandbox is ready; interrupt it to end it.\n");
    for (name, value) in addresses.as_object().into_iter().flatten() {
        if let Some(text) = value.as_str().filter(|text| !text.contains('\n')) {
            anstream::println!("  {name:<22} {text}");
        }
    }
    Ok(())
}
