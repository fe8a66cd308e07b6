//! Dead letters: events that became no run, each with its reason, and a way to try again.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use cosell_journal::waits::{DeadLetter, Place};
use cosell_service::api::Letters;
use maud::{Markup, html};
use serde::Deserialize;

use super::parts::{flow, key, run_address};
use crate::access::{Act, Visitor};
use crate::facts::Facts;
use crate::page::{Confirm, Head, Page, Pages, Trouble, address, foreign, heads, json, live, moment, pages, unfold};
use crate::{BASE, Shared};

#[derive(Deserialize)]
struct Asked {
    after: Option<String>,
    before: Option<String>,
}

impl Asked {
    fn place(&self) -> Option<Place> {
        let number = |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).map(|text| text.parse().ok());
        match (number(&self.after), number(&self.before)) {
            (None, None) => Some(Place::Newest),
            (Some(after), None) => after.map(Place::After),
            (None, Some(before)) => before.map(Place::Before),
            (Some(_), Some(_)) => None,
        }
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/runs/dead", get(list)).route("/runs/dead/{number}/retry", get(ask).post(retry))
}

async fn list(State(desk): State<Shared>, visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    let Some(place) = asked.place() else {
        let detail = "`after` or `before` must be the number of an event: the last of the page before, or the first of the page behind.";
        return Trouble::new(StatusCode::BAD_REQUEST, detail).seen_by(&visitor);
    };
    match desk.api.dead_letters(place).await {
        Ok(letters) => {
            let body = html! {
                p.trail { a href=(address(&["runs"], &[])) { "Runs" } }
                h1 { "Events that became no run" }
                p.lead { "What came from outside, was taken and kept, and could not begin a run, or was cancelled before it began. Nothing of it is lost." }
                (live("letters", table(&letters, place, &desk.facts())))
            };
            let news = (place == Place::Newest).then(|| format!("{BASE}/events"));
            Page { news, ..Page::new("Events that became no run", "/runs", body) }.seen_by(&visitor)
        }
        Err(problem) => Trouble::from(problem).seen_by(&visitor),
    }
}

fn table(letters: &Letters, place: Place, facts: &Facts) -> Markup {
    if letters.letters.is_empty() {
        return html! {
            div.card.empty {
                @match place {
                    Place::Newest => p { "Every event became a run." },
                    Place::After(_) => p { "There are no older ones." },
                    Place::Before(_) => p { "There are no newer ones." },
                }
                @if place != Place::Newest { p { a href=(address(&["runs", "dead"], &[])) { "Back to the newest" } } }
            }
        };
    }
    let way = |name: &str, number: u64| address(&["runs", "dead"], &[(name, &number.to_string())]);
    html! {
        div.table tabindex="0" role="region" aria-label="Events that became no run" {
            table aria-label="Events that became no run, the newest first" {
                (heads([
                    Head::Number("Number"),
                    "Flow".into(),
                    "Why it became no run".into(),
                    "Came".into(),
                    Head::Unseen("What can be done"),
                ]))
                tbody { @for letter in &letters.letters { (row(letter, facts)) } }
            }
        }
        div.pages {
            (pages(&Pages {
                newest: (place != Place::Newest).then(|| address(&["runs", "dead"], &[])),
                newer: letters.previous.map(|number| way("before", number)),
                older: letters.next.map(|number| way("after", number)),
            }))
        }
    }
}

fn row(letter: &DeadLetter, facts: &Facts) -> Markup {
    html! {
        tr {
            th.number scope="row" { (letter.number) }
            td { (flow(facts, &letter.flow)) @if let Some(name) = &letter.key { div.hint { "key " (key(name)) } } }
            td {
                p { (foreign(letter.reason.as_deref().unwrap_or("No reason is kept."))) }
                (unfold(format!("event-{}", letter.number), "What came", event(letter)))
            }
            td { (moment(letter.received)) }
            td { a.button href=(address(&["runs", "dead", &letter.number.to_string(), "retry"], &[])) { "Try again…" span.unseen { " with number " (letter.number) } } }
        }
    }
}

fn event(letter: &DeadLetter) -> Markup {
    html! {
        @if !letter.trigger.is_null() { h2 { "Trigger" } (json(&letter.trigger)) }
        @if !letter.inputs.is_null() { h2 { "Inputs" } (json(&letter.inputs)) }
        @if letter.trigger.is_null() && letter.inputs.is_null() { p.hint { "It brought nothing." } }
    }
}

async fn ask(State(desk): State<Shared>, visitor: Visitor, Path(number): Path<u64>) -> Response {
    let letter = match desk.api.dead_letter(number).await {
        Ok(letter) => letter,
        Err(problem) => return Trouble::from(problem).seen_by(&visitor),
    };
    let what = html! {
        p { "Event " (number) " came " (moment(letter.received)) " for the flow " (flow(&desk.facts(), &letter.flow)) ", and became no run: " (foreign(letter.reason.as_deref().unwrap_or("no reason is kept"))) "." }
        p { "If you go on, a new run of today’s flow begins with what the event brought. Where its reason still holds, nothing begins, and the event stays here." }
        (unfold("event", "What came", event(&letter)))
    };
    Confirm {
        title: "Try this event again?",
        menu: "/runs",
        what,
        fields: html! {},
        action: &address(&["runs", "dead", &number.to_string(), "retry"], &[]),
        button: "Try it again",
        back: &address(&["runs", "dead"], &[]),
    }
    .seen_by(&visitor)
}

async fn retry(State(desk): State<Shared>, Path(number): Path<u64>, act: Act) -> Response {
    match desk.api.retry(number).await {
        Ok(started) => Redirect::to(&run_address(&started.run)).into_response(),
        Err(problem) => Trouble::from(problem).seen_by(&act.visitor),
    }
}
