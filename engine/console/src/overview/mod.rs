//! The overview: whether all is well, and what needs a person.
//!
//! This file is the page; `hours` draws how many runs there were.

mod hours;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use cosell_model::spans;
use cosell_service::api::{Connection, Hook, HookState, Status};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use crate::access::Visitor;
use crate::facts::Facts;
use crate::page::{Page, Trouble, address, badge, called, foreign, hooked, live, moment};
use crate::{BASE, Shared};

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/", get(overview))
}

async fn overview(State(desk): State<Shared>, visitor: Visitor) -> Response {
    let facts = desk.facts();
    match desk.api.status().await {
        Ok(status) => {
            let body = html! {
                h1 { "Overview" }
                (live("overview", body(&status, &facts, Timestamp::now())))
            };
            Page { news: Some(format!("{BASE}/events")), ..Page::new("Overview", "", body) }.seen_by(&visitor)
        }
        Err(problem) => Trouble::from(problem).seen_by(&visitor),
    }
}

fn body(status: &Status, facts: &Facts, now: Timestamp) -> Markup {
    html! {
        (wanting(status, now))
        div.cards {
            section.card.wide aria-labelledby="hours" {
                h2 id="hours" { "Runs of the last 24 hours" }
                (hours::drawn(&status.kept.hours, now))
            }
            section.card aria-labelledby="queue" {
                h2 id="queue" { "Queue" }
                (queue(status))
            }
            section.card aria-labelledby="connections" {
                h2 id="connections" { "Connections" }
                ul.plain { @for connection in &status.connections { li { (connected(connection)) } } }
            }
            section.card aria-labelledby="flows" {
                h2 id="flows" { "Flows" }
                ul.plain {
                    @for (id, flow) in &facts.compilation.flows {
                        li {
                            (foreign(&flow.title)) " "
                            @if facts.configuration.off.contains_key(id.as_str()) { (badge("calm", "○", "off")) }
                            @else { (badge("good", "●", "on")) }
                        }
                    }
                }
            }
        }
    }
}

/// How long before a sign-in is forgotten somebody should know.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a person must do something about.
fn wanting(status: &Status, now: Timestamp) -> Markup {
    let mut rows: Vec<Markup> = Vec::new();
    if status.stopping {
        rows.push(html! { (badge("warn", "!", "Ending")) " The service is about to end, and takes nothing any more." });
    }
    for (outcome, words) in [("failed", "failed"), ("timed_out", "timed out")] {
        let ended = status.kept.hours.iter().filter(|count| count.outcome.as_deref() == Some(outcome));
        let runs: u32 = ended.map(|count| count.runs).sum();
        if runs > 0 {
            let link = address(&["runs"], &[("outcome", outcome)]);
            rows.push(html! {
                (badge("bad", "✗", runs)) " " a href=(link) { (if runs == 1 { "run" } else { "runs" }) " " (words) }
                " in the last 24 hours: look why, mend it, and resume."
            });
        }
    }
    let dead = status.kept.waits.dead;
    if dead > 0 {
        rows.push(html! {
            (badge("bad", "✗", dead)) " " a href=(address(&["runs", "dead"], &[])) { (if dead == 1 { "event" } else { "events" }) " became no run" }
            ": see why, and try again."
        });
    }
    let soon =
        |connection: &&Connection| connection.sign_in_until.is_some_and(|until| until.duration_since(now) < SOON);
    let troubled = status.connections.iter().filter(|connection| connection.pause.is_some() || soon(connection));
    rows.extend(troubled.map(connected));
    let known = [HookState::Here, HookState::Unknown];
    rows.extend(status.hooks.iter().filter(|hook| !known.contains(&hook.state)).map(registered));
    html! {
        section.card aria-labelledby="wanting" {
            h2 id="wanting" { "What needs a person" }
            @if rows.is_empty() {
                p { (badge("good", "✓", "Nothing")) " Nothing failed in the last 24 hours, and nothing is stuck." }
            } @else {
                ul.plain { @for row in rows { li { (row) } } }
            }
        }
    }
}

fn queue(status: &Status) -> Markup {
    let waits = &status.kept.waits;
    html! {
        dl.figures {
            div { dt { "wait or are under way" } dd { (waits.open) } }
            div { dt { "of the oldest waiting" } dd { @match waits.oldest { None => "no wait", Some(_) => (spans::span(std::time::Duration::try_from_secs_f64(status.kept.lag_seconds).unwrap_or_default())) } } }
            div { dt { "became no run" } dd { (waits.dead) } }
        }
        dl.facts {
            dt { "Serving since" } dd { (moment(status.began)) }
            dt { "Version" } dd { (status.version) }
            dt { "Journal" } dd { (status.kept.journal_bytes / 1_000_000) " MB" }
        }
    }
}

fn connected(connection: &Connection) -> Markup {
    html! {
        strong { (foreign(&connection.name)) } " "
        (called(connection))
        @if let Some(pause) = &connection.pause { " until " (moment(pause.until)) ": " (foreign(&pause.why)) }
        @if let Some(until) = connection.sign_in_until {
            div.hint { "The sign-in is forgotten at " (moment(until)) " unless it is used before." }
        }
    }
}

fn registered(hook: &Hook) -> Markup {
    html! {
        strong { (foreign(format!("{}.{}", hook.connection, hook.trigger))) } " "
        (hooked(hook.state))
        @if !hook.detail.is_empty() { " " (foreign(&hook.detail)) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cosell_journal::read::Count;
    use cosell_journal::waits::Waits;
    use cosell_service::api::Kept;
    use cosell_service::watch::Pause;

    use super::*;

    #[test]
    fn everything_that_needs_a_person_is_named_with_its_reason() {
        let at: Timestamp = "2026-05-01T08:00:00Z".parse().unwrap();
        let hook = |state, detail: &str| Hook {
            connection: "partner_center_events".to_owned(),
            trigger: "received".to_owned(),
            url: "https://cosell.example/hooks/partner_center_events".to_owned(),
            state,
            detail: detail.to_owned(),
        };
        let hours = [("failed", 2), ("timed_out", 1), ("succeeded", 40)];
        let status = Status {
            version: "1.0.0".to_owned(),
            began: at,
            stopping: true,
            flows: 9,
            in_memory: 0,
            kept: Kept {
                waits: Waits { open: 3, oldest: Some(at), dead: 4 },
                lag_seconds: 90.0,
                hours: hours.map(|(outcome, runs)| Count { hour: at, outcome: Some(outcome.to_owned()), runs }).into(),
                journal_bytes: 5_000_000,
            },
            connections: vec![
                Connection {
                    name: "crm".to_owned(),
                    pause: Some(Pause { until: at, why: "it asks for <patience>".to_owned() }),
                    sign_in_until: None,
                },
                Connection { name: "mail".to_owned(), pause: None, sign_in_until: Some(at) },
                Connection { name: "fine".to_owned(), pause: None, sign_in_until: Some(at + SOON) },
            ],
            hooks: vec![
                hook(HookState::Elsewhere, "https://other.example"),
                hook(HookState::Here, ""),
                hook(HookState::Partly, "referral-created"),
            ],
        };
        let shown = wanting(&status, at).into_string() + &queue(&status).into_string();
        insta::assert_snapshot!(shown.replace("><", ">\n<"));
    }
}
