//! `cosell status`: how the service is.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use cosell_journal::read::Count;
use cosell_model::spans;
use cosell_sdk::Connector;
use cosell_service::api::{Hook, HookState, Kept, Status};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::project::Chosen;
use crate::reach::{Reach, Source};
use crate::render::{BAD, DIM, GOOD, STRONG, WARN, styled, time};
use crate::{Ending, Trouble};

/// From when on it is said that a person's sign-in will be forgotten.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What to show.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    reach: Reach,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Shows it; it fails where the service does not run.
pub(crate) async fn status(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    match options.reach.source(chosen, connectors).await? {
        Source::Service(service) => {
            let status: Status = service.get("/status", &()).await?;
            if options.json {
                anstream::println!("{:#}", json!(status));
            } else {
                anstream::println!("{}", running(&status, Timestamp::now()));
            }
            Ok(Ending::Done)
        }
        Source::Journal(reader) => {
            let kept = Kept::read(&reader)?;
            let lives = options.reach.service(chosen, connectors)?.lives().await;
            if options.json {
                anstream::println!("{:#}", json!({ "lives": lives, "kept": kept }));
            } else {
                anstream::println!("{}\n{}", from_outside(lives), journal(&kept).join("\n"));
            }
            Ok(if lives { Ending::Done } else { Ending::Failed })
        }
    }
}

/// What can be said of a service that cannot be asked.
fn from_outside(lives: bool) -> String {
    if lives {
        let remedy = "set `token` under `service` in the configuration to learn more of it";
        format!("{} the service runs, and cannot be asked\nhelp: {remedy}", styled(GOOD, "✓"))
    } else {
        format!("{} the service does not run\nhelp: start it by `cosell serve`", styled(BAD, "✗"))
    }
}

fn running(status: &Status, now: Timestamp) -> String {
    let up = spans::span(now.duration_since(status.began).unsigned_abs());
    let state = if status.stopping { styled(WARN, "is about to end") } else { "runs".to_owned() };
    let mut lines = vec![format!(
        "{} the service {state}: version {}, since {up}, {} flows",
        styled(GOOD, "✓"),
        status.version,
        status.flows
    )];
    lines.push(heading("Connections"));
    for connection in &status.connections {
        lines.push(match &connection.pause {
            None => format!("  {} {}", styled(GOOD, "✓"), connection.name),
            Some(pause) => {
                let until = time::moment(pause.until);
                format!("  {} {} is not called before {until}: {}", styled(BAD, "✗"), connection.name, pause.why)
            }
        });
        if let Some(until) = connection.sign_in_until.filter(|until| until.duration_since(now) < SOON) {
            let name = &connection.name;
            let line = format!(
                "its sign-in is forgotten at {} unless used before: `cosell login {name}`",
                time::moment(until)
            );
            lines.push(format!("    {} {line}", styled(WARN, "!")));
        }
    }
    if !status.hooks.is_empty() {
        lines.push(heading("Web hooks"));
        lines.extend(status.hooks.iter().map(hook));
    }
    lines.push(heading("Runs"));
    lines.push(format!("  {} wait in memory or are under way", status.in_memory));
    lines.extend(journal(&status.kept));
    lines.join("\n")
}

fn heading(text: &str) -> String {
    styled(STRONG, text)
}

fn hook(hook: &Hook) -> String {
    let name = format!("{}.{}", hook.connection, hook.trigger);
    let (sign, what) = match hook.state {
        HookState::Here => (styled(GOOD, "✓"), "events come here".to_owned()),
        HookState::Partly => (styled(WARN, "!"), format!("these events do not come: {}", hook.detail)),
        HookState::Elsewhere => (styled(BAD, "✗"), format!("the events go to {}", hook.detail)),
        HookState::Nowhere => (styled(BAD, "✗"), "nothing is registered, so no event comes".to_owned()),
        HookState::Unknown => (styled(DIM, "?"), "whether events come here cannot be told".to_owned()),
        HookState::Failed => {
            (styled(WARN, "!"), format!("whether events come here was not found out: {}", hook.detail))
        }
    };
    format!("  {sign} {name}: {what}")
}

fn journal(kept: &Kept) -> Vec<String> {
    let mut lines = vec![format!("  {} events wait or are under way in the journal", kept.waits.open)];
    if kept.lag_seconds >= 1.0 {
        let lag = spans::span(Duration::try_from_secs_f64(kept.lag_seconds).unwrap_or_default());
        lines.push(format!("  the oldest that waits came {lag} ago"));
    }
    if kept.waits.dead > 0 {
        let dead = format!("{} events became no run: `cosell runs dead` says why", kept.waits.dead);
        lines.push(format!("  {} {dead}", styled(WARN, "!")));
    }
    lines.extend(hours(&kept.hours));
    lines.push(format!("  {} MB in use in the journal", (kept.journal_bytes + 999_999) / 1_000_000));
    lines
}

/// Runs by the hour in which they began.
fn hours(counts: &[Count]) -> Vec<String> {
    let mut by_hour: BTreeMap<Timestamp, (u32, u32)> = BTreeMap::new();
    for count in counts {
        let (all, failed) = by_hour.entry(count.hour).or_default();
        *all += count.runs;
        if matches!(count.outcome.as_deref(), Some("failed" | "timed_out")) {
            *failed += count.runs;
        }
    }
    if by_hour.is_empty() {
        return vec!["  none began in the last 24 hours".to_owned()];
    }
    let (all, failed) = by_hour.values().fold((0, 0), |sum, hour| (sum.0 + hour.0, sum.1 + hour.1));
    let mut lines = vec![format!("  {all} began in the last 24 hours, {failed} of them failed")];
    let most = by_hour.values().map(|(all, _)| *all).max().unwrap_or(1).max(1);
    for (hour, (all, failed)) in by_hour {
        let bar = "▇".repeat((all * 30).div_ceil(most) as usize);
        let failed = if failed > 0 { styled(BAD, format!(", {failed} failed")) } else { String::new() };
        lines.push(format!("  {}  {bar} {all}{failed}", hour.strftime("%H:%MZ")));
    }
    if failed > 0 {
        lines.push("  `cosell runs list --outcome failed` lists those that failed".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cosell_journal::waits::Waits;
    use cosell_service::api::Connection;
    use cosell_service::watch::Pause;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn kept() -> Kept {
        let count = |hour: &str, outcome: Option<&str>, runs| Count {
            hour: at(hour),
            outcome: outcome.map(str::to_owned),
            runs,
        };
        Kept {
            waits: Waits { open: 14, oldest: Some(at("2026-05-01T09:58:00Z")), dead: 2 },
            lag_seconds: 120.0,
            hours: vec![
                count("2026-05-01T08:00:00Z", Some("failed"), 3),
                count("2026-05-01T08:00:00Z", Some("succeeded"), 117),
                count("2026-05-01T09:00:00Z", Some("succeeded"), 20),
                count("2026-05-01T09:00:00Z", None, 1),
            ],
            journal_bytes: 12_300_000,
        }
    }

    #[test]
    fn a_running_service_says_how_it_is() {
        let pause = Pause { until: at("2026-05-01T10:01:00Z"), why: "no answer within 30 s (timeout)".to_owned() };
        let connection = |name: &str, pause, sign_in_until| Connection { name: name.to_owned(), pause, sign_in_until };
        let hook = |trigger: &str, state, detail: &str| Hook {
            connection: "partner_center_events".to_owned(),
            trigger: trigger.to_owned(),
            url: "https://cosell.example/hooks/partner_center_events".to_owned(),
            state,
            detail: detail.to_owned(),
        };
        let status = Status {
            version: "0.1.0".to_owned(),
            began: at("2026-04-29T07:00:00Z"),
            stopping: false,
            flows: 9,
            in_memory: 4,
            kept: kept(),
            connections: vec![
                connection("dataverse", Some(pause), None),
                connection("partner_center", None, Some(at("2026-05-20T08:00:00Z"))),
                connection("state", None, None),
            ],
            hooks: vec![
                hook("received", HookState::Elsewhere, "https://other.example/hooks"),
                hook("other", HookState::Here, ""),
            ],
        };
        let shown = running(&status, at("2026-05-01T10:00:00Z"));
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown));
    }

    #[test]
    fn a_service_that_does_not_run_is_known_by_its_journal() {
        let quiet = Kept { waits: Waits::default(), lag_seconds: 0.0, hours: Vec::new(), journal_bytes: 4096 };
        let shown = [kept(), quiet].map(|kept| format!("{}\n{}", from_outside(false), journal(&kept).join("\n")));
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown.join("\n\n")));
        insta::assert_snapshot!(anstream::adapter::strip_str(&from_outside(true)));
    }
}
