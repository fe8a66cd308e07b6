//! What happens in runs, as it happens.

use std::collections::BTreeMap;

use clap::Args;
use cosell_journal::past::Whole;
use cosell_journal::read::Shown;
use cosell_model::{Failure, Outcome, Value, spans};
use cosell_runtime::record::StepRecord;
use cosell_service::watch::live::Happened;

use super::of;
use crate::reach::Service;
use crate::render::past::whole;
use crate::render::run::{sign, step_line};
use crate::render::{BAD, DIM, STRONG, styled};
use crate::{Ending, Trouble};

/// Which run.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The run; all where none is named.
    run: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Shows what happens until the run has ended; it fails where the run does not succeed.
pub(super) async fn watch(service: &Service, options: &Options) -> Result<Ending, Trouble> {
    let path = options.run.as_ref().map_or("/events".to_owned(), |run| of(run, "/events"));
    let mut answer = service.open(&path).await?;
    let (mut came, mut ended) = (Vec::new(), None);
    let lost = |error: &dyn std::fmt::Display| {
        Trouble::new(format!("the service does not tell any more: {error}; it may have been stopped"))
    };
    while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
        came.extend_from_slice(&chunk);
        while let Some((name, data)) = next_event(&mut came) {
            if options.json {
                anstream::println!("{data}");
            } else {
                print(&name, &data, options.run.is_none());
            }
            ended = outcome(&name, &data, options.run.as_deref()).or(ended);
        }
    }
    match ended.as_deref() {
        Some("succeeded") => Ok(Ending::Done),
        Some(_) => Ok(Ending::Failed),
        None => Err(lost(&"it closed the connection")),
    }
}

/// The first whole event of what came, taken out of it: its name and data. What is none, such as a sign of life, is passed over.
fn next_event(came: &mut Vec<u8>) -> Option<(String, Value)> {
    loop {
        let end = came.windows(2).position(|two| two == b"\n\n")?;
        let block: Vec<u8> = came.drain(..end + 2).collect();
        let block = String::from_utf8_lossy(&block);
        let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::trim_start));
        if let (Some(name), Some(data)) = (line("event:"), line("data:")) {
            return Some((name.to_owned(), serde_json::from_str(data).unwrap_or_default()));
        }
    }
}

/// How the run ended, where this says so.
fn outcome(name: &str, data: &Value, run: Option<&str>) -> Option<String> {
    let ends = name == "run" || data["event"] == "run_ended" && data["run"].as_str() == run;
    data["outcome"].as_str().filter(|_| ends).map(str::to_owned)
}

fn print(name: &str, data: &Value, all: bool) {
    if name == "run" {
        if let Ok(run) = serde_json::from_value::<Shown>(data.clone()) {
            anstream::println!("{}", whole(&Whole { run, called: BTreeMap::new() }, false));
        }
    } else if let Some(line) = serde_json::from_value(data.clone()).ok().and_then(|happened| line(&happened, all)) {
        anstream::println!("{line}");
    }
}

/// What happened, for people; with the run, where it may be any.
fn line(happened: &Happened, all: bool) -> Option<String> {
    let run = cosell_runtime::keep::root(happened.run());
    let of = if all { styled(DIM, format!("{run} ")) } else { String::new() };
    Some(match happened {
        Happened::RunBegan { flow, depth, .. } => format!("{of}{}{}", indent(*depth), styled(STRONG, flow)),
        Happened::StepEnded { depth, step, .. } => {
            let step: StepRecord = serde_json::from_value(step.clone()).ok()?;
            if step.skipped == Some(cosell_model::outcome::SkipReason::NotTaken) {
                return None;
            }
            let failure = step.failure.as_ref().filter(|failure| failure.step.as_deref() == Some(&step.path));
            let failure = failure.map_or(String::new(), |failure| format!(": {}", styled(BAD, failure)));
            format!("{of}{}  {}{failure}", indent(*depth), step_line(&step, &step.path))
        }
        Happened::Retrying { depth, step, next_attempt, after_seconds, why, .. } => {
            let after = spans::took(std::time::Duration::try_from_secs_f64(*after_seconds).unwrap_or_default());
            let line = format!("… {step}: {why}; attempt {next_attempt} follows in {after}");
            format!("{of}{}  {}", indent(*depth), styled(DIM, line))
        }
        Happened::RunEnded { depth, .. } if *depth > 0 => return None,
        Happened::RunEnded { outcome, failure, took_seconds, .. } => {
            let took = spans::took(std::time::Duration::try_from_secs_f64(*took_seconds).unwrap_or_default());
            let known = serde_json::from_value::<Outcome>(outcome.as_str().into()).unwrap_or(Outcome::Failed);
            let mut line = format!("{of}{} {} in {took}", sign(known), styled(STRONG, outcome));
            if let Some(failure) = failure.clone().and_then(|failure| serde_json::from_value::<Failure>(failure).ok()) {
                let step = failure.step.as_ref().map_or(String::new(), |step| format!("step `{step}`: "));
                line.push_str(&format!("\n{}: {step}{failure}", styled(BAD, "error")));
                line.push_str(&format!("\nhelp: once that is mended, `cosell runs resume {run}` goes on"));
            }
            line
        }
    })
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_taken_out_of_what_came_however_it_came() {
        let stream = b"event: run\ndata: {\"n\":1}\n\n:\n\nevent: happened\ndata: {\"n\":2}\n\nevent: hap";
        let (mut came, mut seen) = (Vec::new(), Vec::new());
        for byte in stream {
            came.push(*byte);
            while let Some((name, data)) = next_event(&mut came) {
                seen.push(format!("{name} {data}"));
            }
        }
        assert_eq!(seen, ["run {\"n\":1}", "happened {\"n\":2}"]);
        assert_eq!(came, b"event: hap");
    }

    #[test]
    fn each_thing_that_happens_is_one_line() {
        let failure = json!({ "code": "refused", "message": "no such row", "step": "update" });
        let step = json!({
            "path": "update", "title": "Update the row", "kind": "use", "target": "dataverse.update_row", "outcome": "failed",
            "input": null, "output": null, "attempts": 2, "took": { "secs": 1, "nanos": 0 }, "requests": [], "failure": failure,
        });
        let run = "0197".to_owned();
        let all = [
            Happened::RunBegan { run: run.clone(), flow: "deal".to_owned(), depth: 0 },
            Happened::RunBegan { run: "0197/helper".to_owned(), flow: "helper".to_owned(), depth: 1 },
            Happened::Retrying {
                run: run.clone(),
                depth: 0,
                step: "update".to_owned(),
                next_attempt: 2,
                after_seconds: 1.5,
                why: "busy".to_owned(),
            },
            Happened::StepEnded { run: run.clone(), depth: 0, step },
            Happened::RunEnded {
                run,
                depth: 0,
                outcome: "failed".to_owned(),
                failure: Some(failure),
                took_seconds: 2.0,
            },
        ];
        let shown: Vec<String> = all
            .iter()
            .filter_map(|happened| line(happened, true))
            .map(|line| anstream::adapter::strip_str(&line).to_string())
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
