//! Many runs, a line each.

use clap::Args;
use cosell_journal::read::Listed;
use cosell_model::{Failure, Outcome, spans};
use cosell_service::api::{Letters, Page, Wanted};
use jiff::{SpanRelativeTo, Timestamp};
use serde_json::json;

use crate::reach::Source;
use crate::render::run::sign;
use crate::render::table::Table;
use crate::render::{DIM, styled, time};
use crate::{Ending, Trouble};

/// Which runs.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Of this flow.
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// Ended so, or under way.
    #[arg(long, value_name = "OUTCOME", value_parser = ["succeeded", "failed", "timed_out", "cancelled", "under_way"])]
    outcome: Option<String>,
    /// Of the deal with this id, on either side.
    #[arg(long, value_name = "ID")]
    deal: Option<String>,
    /// That began with texts in which each of these words begins a word.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// Begun at or after a time, or not longer ago than a span such as `2h` or `7d`.
    #[arg(long, value_name = "TIME", value_parser = time_of)]
    since: Option<Timestamp>,
    /// Begun before a time, or longer ago than a span.
    #[arg(long, value_name = "TIME", value_parser = time_of)]
    until: Option<Timestamp>,
    /// At most so many.
    #[arg(long, short = 'n', value_name = "NUMBER", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=500))]
    most: u32,
    /// Those that follow: what the page before ended with.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

fn time_of(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let form = || "give a time such as 2026-05-01T08:00:00Z, or a span such as 2h or 7d".to_owned();
    let span: jiff::Span = text.parse().map_err(|_| form())?;
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| form())?;
    Timestamp::now().checked_sub(span).map_err(|_| form())
}

/// Lists runs.
pub(super) async fn list(source: &Source, options: &Options) -> Result<Ending, Trouble> {
    let wanted = Wanted {
        flow: options.flow.clone(),
        outcome: options.outcome.clone(),
        key: options.deal.clone(),
        text: options.text.clone(),
        since: options.since.map(|time| time.to_string()),
        until: options.until.map(|time| time.to_string()),
        after: options.after.clone(),
        before: None,
        most: Some(options.most),
    };
    let page = match source {
        Source::Service(service) => service.get("/runs", &wanted).await?,
        Source::Journal(reader) => Page::read(reader, wanted).map_err(|problem| Trouble::new(problem.detail))?,
    };
    if options.json {
        anstream::println!("{:#}", json!(page));
        return Ok(Ending::Done);
    }
    anstream::println!("{}", lines(&page));
    for hint in hints(&page) {
        anstream::eprintln!("{}", styled(DIM, hint));
    }
    Ok(Ending::Done)
}

fn lines(page: &Page) -> String {
    if page.runs.is_empty() {
        return "There are no such runs.".to_owned();
    }
    // No table: an id that is broken over two lines cannot be copied.
    let widest = page.runs.iter().map(|run| run.flow.len()).max().unwrap_or_default();
    let lines = page.runs.iter().map(|run| {
        let (began, flow) = (time::moment(run.began), format!("{:widest$}", run.flow));
        let about = about(run);
        let about = if about.is_empty() { about } else { styled(DIM, format!("\n  {about}")) };
        format!("{}  {began}  {flow}  {}{about}", run.run, outcome(run))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How a run ended, and when.
fn outcome(run: &Listed) -> String {
    let Some(word) = run.outcome.as_deref() else { return format!("{} under way", styled(DIM, "…")) };
    let took = run.ended.map(|ended| spans::took(ended.duration_since(run.began).unsigned_abs()));
    let known = serde_json::from_value(word.into()).unwrap_or(Outcome::Failed);
    format!("{} {word} in {}", sign(known), took.unwrap_or_default())
}

/// What else there is to say: the key, and in which step it failed.
fn about(run: &Listed) -> String {
    let failure = run.failure.clone().and_then(|failure| serde_json::from_value::<Failure>(failure).ok());
    let failure = failure.map(|failure| match failure.step {
        Some(step) => format!("step `{step}`: {} ({})", failure.message, failure.code),
        None => format!("{} ({})", failure.message, failure.code),
    });
    run.key.iter().map(|key| format!("key {key}")).chain(failure).collect::<Vec<_>>().join("; ")
}

fn hints(page: &Page) -> Vec<String> {
    let failed = page.runs.iter().find(|run| run.outcome.as_deref() == Some(Outcome::Failed.as_str()));
    let failed = failed.map(|run| {
        format!("`cosell runs show {}` says why it failed; once that is mended, `cosell runs resume` goes on", run.run)
    });
    let next = page.next.as_ref().map(|next| format!("more follow: `--after {next}`"));
    failed.into_iter().chain(next).collect()
}

/// Events that became no run.
pub(super) fn dead(letters: &Letters) -> String {
    if letters.letters.is_empty() {
        return "Every event became a run.".to_owned();
    }
    let mut table = Table::new(["Number", "Flow", "Came", "Reason"]);
    for letter in &letters.letters {
        let reason = letter.reason.clone().unwrap_or_default();
        table.row(vec![letter.number.to_string(), letter.flow.clone(), time::moment(letter.received), reason]);
    }
    format!("{}\nOnce the reason is mended, `cosell runs retry NUMBER` makes a run of one.", table.for_terminal())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cosell_journal::waits::DeadLetter;
    use cosell_model::Value;

    use super::*;

    fn listed(run: &str, outcome: Option<&str>, failure: Value) -> Listed {
        let began: Timestamp = "2026-05-01T08:00:00Z".parse().unwrap();
        Listed {
            run: format!("01970a5e-0000-7000-8000-00000000000{run}"),
            flow: "partner-center-to-dynamics".to_owned(),
            key: Some("0f3e9a52-7c1b-4d2e-9f00-5b8d2f6a1c77".to_owned()),
            began,
            ended: outcome.map(|_| began + jiff::SignedDuration::from_millis(1234)),
            outcome: outcome.map(str::to_owned),
            failure: Some(failure).filter(|failure| !failure.is_null()),
            life: 0,
        }
    }

    #[test]
    fn runs_are_listed_with_what_went_wrong_and_what_to_do() {
        let failure = json!({ "code": "itemNotFound", "message": "gone", "step": "create" });
        let page = Page {
            runs: vec![
                listed("4", None, Value::Null),
                listed("3", Some("succeeded"), Value::Null),
                listed("2", Some("failed"), failure),
                listed("1", Some("cancelled"), Value::Null),
            ],
            next: Some("MTc0NjA4".to_owned()),
            previous: None,
        };
        let shown = anstream::adapter::strip_str(&lines(&page)).to_string();
        insta::assert_snapshot!(format!("{shown}\n{}", hints(&page).join("\n")));
        assert_eq!(super::lines(&Page { runs: Vec::new(), next: None, previous: None }), "There are no such runs.");
    }

    #[test]
    fn dead_letters_are_listed_with_their_reasons() {
        let letter = DeadLetter {
            number: 12,
            flow: "partner-center-to-dynamics".to_owned(),
            run: "01970a5e".to_owned(),
            key: None,
            trigger: json!({}),
            inputs: Value::Null,
            received: "2026-05-01T08:00:00Z".parse().unwrap(),
            reason: Some("cancelled by a person".to_owned()),
        };
        let letters = Letters { letters: vec![letter], next: None, previous: None };
        insta::assert_snapshot!(anstream::adapter::strip_str(&dead(&letters)));
    }

    #[test]
    fn times_are_given_as_such_or_as_how_long_ago() {
        assert_eq!(time_of("2026-05-01T08:00:00Z").unwrap().to_string(), "2026-05-01T08:00:00Z");
        let ago = Timestamp::now().duration_since(time_of("7d").unwrap());
        assert!((ago.as_secs() - 7 * 24 * 3600).abs() < 5);
        assert!(time_of("yesterday").unwrap_err().contains("7d"));
    }
}
