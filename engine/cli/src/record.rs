//! `cosell record`: a dry run that is kept in a file, with stand-ins for people and secrets, to be played without any system.

use std::path::PathBuf;

use clap::Args;
use cosell_model::Outcome;
use cosell_runtime::memory::Engine;
use cosell_runtime::recording::redact::{Redaction, Replaced};
use cosell_sdk::Connector;

use crate::dry_run::{From, Ready};
use crate::project::Chosen;
use crate::render::counted;
use crate::{Ending, Trouble};

/// What to record, and where to.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The flow; with `--run`, `--referral`, `--opportunity` or `--sandbox` it need not be named.
    #[arg(required_unless_present_any = ["run", "referral", "opportunity", "sandbox"])]
    flow: Option<String>,
    #[command(flatten)]
    from: From,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A field whose values must not be told either; may be given several times.
    #[arg(long, value_name = "FIELD")]
    redact: Vec<String>,
    /// Leave names, e-mail addresses and telephone numbers of people as they are.
    #[arg(long)]
    keep_people: bool,
}

/// Runs the flow dry and keeps what was answered; it fails where the run would.
pub(crate) async fn record(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let flow = options.flow.as_deref();
    let mut ready = Ready::live(chosen, flow, &options.from, Engine::recording, connectors).await?;
    let found = ready.run().await;
    let redaction = Redaction { keep_people: options.keep_people, fields: options.redact.clone() };
    let (recording, replaced) = ready.engine.recorded(&ready.flow, ready.start).redacted(&redaction);
    let file = options.out.display();
    std::fs::write(&options.out, recording.to_text())
        .map_err(|error| Trouble::new(format!("{file} cannot be written: {error}")))?;

    let (answers, connections) = (counted(recording.count(), "answer"), counted(recording.answers.len(), "connection"));
    anstream::println!("{file} has {answers} of {connections}, for the flow {}.", recording.flow);
    anstream::println!("{}", told(&replaced, options.keep_people));
    anstream::println!("Look at it before you share it; `cosell dry-run --recorded {file}` plays it.");
    if let Some(failure) = &found.failure {
        let step = failure.step.as_ref().map_or(String::new(), |step| format!("step `{step}`: "));
        anstream::eprintln!("the run that was recorded would fail: {step}{failure}");
    }
    Ok(if found.outcome == Outcome::Succeeded { Ending::Done } else { Ending::Failed })
}

/// What was replaced, in a sentence.
fn told(replaced: &Replaced, keep_people: bool) -> String {
    let hidden = match replaced.hidden {
        0 => "nothing that is sensitive".to_owned(),
        count => counted(count, "sensitive value"),
    };
    if keep_people {
        return format!("Replaced: {hidden}. People are in it as they are.");
    }
    let names = counted(replaced.names, "name");
    let (addresses, telephones) = (replaced.addresses, counted(replaced.telephones, "telephone number"));
    let addresses =
        if addresses == 1 { "1 e-mail address".to_owned() } else { format!("{addresses} e-mail addresses") };
    format!("Replaced: {names}, {addresses}, {telephones}, {hidden}.")
}
