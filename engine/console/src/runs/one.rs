//! One run: what it is, why it failed, its picture, its steps, and what it began with and yields.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use cosell_journal::Reader;
use cosell_journal::past::{Advice, Whole};
use cosell_journal::read::{Cursor, Filter, Shown};
use cosell_journal::waits::{DeadLetter, Fate};
use cosell_model::FlowId;
use cosell_runtime::keep::root;
use cosell_runtime::memory::Engine;
use cosell_service::api::Problem;
use maud::{Markup, html};
use serde::Deserialize;

use super::drawing;
use super::head::{self, Offers};
use super::parts::{flow, key, run_address, title};
use super::room::Room;
use super::seen::{Seen, Wanted};
use super::steps::Lines;
use super::tree;
use crate::access::Visitor;
use crate::facts::Facts;
use crate::page::{self, Page, Trouble, address, foreign, json, live, moment, outcome, unfold};
use crate::{BASE, Shared};

#[derive(Deserialize)]
struct Asked {
    open: Option<String>,
    from: Option<String>,
    untaken: Option<String>,
    /// What was just done, after which the run may not have begun yet.
    done: Option<String>,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/runs/{run}", get(show)).route("/runs/{run}/json", get(download))
}

/// What there is of a run.
enum Found {
    Run(Box<View>),
    /// It is in no list, and this became of its event.
    Fate(Fate),
    /// It has no such step.
    NoStep,
    Nothing,
}

/// What the page shows of a run.
struct View {
    shown: Shown,
    seen: Seen,
    /// The run before of the same key.
    before: Option<String>,
    advice: Vec<Advice>,
}

async fn show(
    State(desk): State<Shared>,
    visitor: Visitor,
    Path(run): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    if root(&run) != run {
        return Redirect::to(&run_address(&run)).into_response();
    }
    let from = match asked.from.as_deref().map_or(Ok(0), str::parse) {
        Ok(from) => from,
        Err(_) => {
            let detail = "`from` must be the number of a step or a round.";
            return Trouble::new(StatusCode::BAD_REQUEST, detail).seen_by(&visitor);
        }
    };
    let wanted = Wanted { open: asked.open, from, untaken: asked.untaken.is_some() };
    let (engine, facts) = (desk.api.engine(), desk.facts());
    let found = {
        let (engine, id, wanted) = (Arc::clone(&engine), run.clone(), wanted.clone());
        desk.api.read(move |reader| find(reader, &engine, &id, &wanted)).await
    };
    match found {
        Ok(Found::Run(view)) => {
            let body = body(&view, &wanted, &facts, &engine, asked.done.as_deref());
            let heading = title(&facts, &view.shown.listed.flow);
            let just_done = asked.done.is_some();
            let news = match view.shown.listed.ended {
                None => Some(address(&["runs", &run, "events"], &[])),
                // It is about to begin once more.
                Some(_) => just_done.then(|| format!("{BASE}/events")),
            };
            Page { news, until: Some(run), ..Page::new(heading, "/runs", body) }.seen_by(&visitor)
        }
        Ok(Found::Fate(Fate::Waits(letter))) => {
            let body = waiting(&letter, &facts, asked.done.as_deref());
            let news = Some(format!("{BASE}/events"));
            Page { news, until: Some(run), ..Page::new(title(&facts, &letter.flow), "/runs", body) }.seen_by(&visitor)
        }
        Ok(Found::Fate(Fate::Within(other))) => Redirect::to(&run_address(&other)).into_response(),
        Ok(Found::Fate(Fate::Dead(letter))) => {
            let reason = letter.reason.unwrap_or_else(|| "no reason is kept".to_owned());
            let detail = format!(
                "Run {run} never began: {reason}. It is among the events that became no run, number {}.",
                letter.number
            );
            Trouble::new(StatusCode::NOT_FOUND, detail).seen_by(&visitor)
        }
        Ok(Found::NoStep) => {
            let detail = format!("Run {run} has no step `{}`.", wanted.open.unwrap_or_default());
            Trouble::new(StatusCode::NOT_FOUND, detail).seen_by(&visitor)
        }
        Ok(Found::Nothing) => Trouble::from(Problem::no_run(&run)).seen_by(&visitor),
        Err(problem) => Trouble::from(problem).seen_by(&visitor),
    }
}

fn find(reader: &Reader, engine: &Engine, id: &str, wanted: &Wanted) -> Result<Found, Problem> {
    let Some(shown) = reader.run(id)? else {
        return Ok(reader.fate(id)?.map_or(Found::Nothing, Found::Fate));
    };
    let Some(seen) = tree::seen(engine, &shown, wanted, &mut |id| Ok(reader.run(id)?))? else {
        return Ok(Found::NoStep);
    };
    let before = match &shown.listed.key {
        Some(key) => {
            let listed = &shown.listed;
            let filter = Filter {
                flow: Some(FlowId::new(listed.flow.as_str())),
                key: Some(key.clone()),
                after: Some(Cursor { began: listed.began, run: listed.run.clone() }),
                most: 1,
                ..Filter::default()
            };
            reader.runs(&filter)?.pop().map(|before| before.run)
        }
        None => None,
    };
    let (shown, advice) = advised(reader, shown)?;
    Ok(Found::Run(Box::new(View { shown, seen, before, advice })))
}

/// What can be done about a failure. Of the runs that it called, only those around the step that failed matter.
fn advised(reader: &Reader, run: Shown) -> Result<(Shown, Vec<Advice>), Problem> {
    let mut whole = Whole { run, called: Default::default() };
    if let Some(step) = whole.failure().and_then(|failure| failure.step) {
        let full = format!("{}/{step}", whole.run.listed.run);
        let around = whole.run.called.iter().map(|called| called.run.clone());
        for id in around.filter(|id| full.starts_with(&format!("{id}/"))).collect::<Vec<_>>() {
            if let Some(shown) = reader.run(&id)? {
                whole.called.insert(id, shown);
            }
        }
    }
    let advice = whole.advice();
    Ok((whole.run, advice))
}

fn body(view: &View, wanted: &Wanted, facts: &Facts, engine: &Engine, done: Option<&str>) -> Markup {
    let View { shown, seen, before, advice } = view;
    let run = &shown.listed.run;
    let room = if wanted.open.is_some() { Room::for_one() } else { Room::for_many() };
    let picture = drawing::drawn(&seen.inner, &seen.steps, "p-").and_then(|picture| room.takes(picture));
    let lines = Lines { run, open: wanted.open.as_deref(), untaken: wanted.untaken, facts, room: &room };
    html! {
        p.trail {
            a href=(address(&["runs"], &[])) { "Runs" }
            @if let Some(open) = &wanted.open { " › " a href=(address(&["runs", run], &[])) { (foreign(title(facts, &shown.listed.flow))) } " › " code { (foreign(open)) } }
        }
        div.head { h1 { @match &wanted.open { Some(open) => { "Step " (foreign(open)) }, None => (foreign(title(facts, &shown.listed.flow))) } } }
        @if let Some(done) = done { p.notice.good role="status" { (told(done)) } }
        @if wanted.open.is_none() {
            (live("head", html! {
                section.card aria-label="What it is" {
                    (head::facts(shown, facts, engine.version()))
                    (head::actions(shown, Offers::of(engine, shown), before.as_deref()))
                }
                (head::why(shown, advice))
            }))
        }
        section aria-labelledby="picture" {
            h2 id="picture" { "Picture" @if wanted.open.is_some() { " of " (foreign(title(facts, &seen.inner.listed.flow))) } }
            (drawn(seen, picture))
        }
        section aria-labelledby="steps-heading" {
            h2 id="steps-heading" { "Steps" }
            (live("steps", html! { div.card { (lines.all(seen)) } }))
        }
        @if wanted.open.is_none() {
            section aria-labelledby="values" {
                h2 id="values" { "What it began with, and what came of it" }
                (live("data", data(shown)))
            }
        }
    }
}

fn drawn(seen: &Seen, picture: Option<Markup>) -> Markup {
    let inner = &seen.inner;
    html! {
        @if let Some(picture) = picture {
            @if !inner.exact {
                p.hint { "The flow is drawn as it is today: the version that the run began in is not known any more." }
            }
            (page::drawing("picture-run", "Picture of the run", live("drawing", picture)))
        } @else if inner.plan.is_none() {
            p.hint { "There is no flow " code { (foreign(&inner.listed.flow)) } " any more that is on, so there is no picture, only the steps that are kept." }
        } @else {
            p.hint { "The flow is too large to be drawn here; " code { "cosell graph --run " (foreign(&inner.listed.run)) " --output run.svg" } " draws it." }
        }
    }
}

fn data(run: &Shown) -> Markup {
    let all = [("Trigger", &run.trigger), ("Inputs", &run.inputs), ("Output", &run.output), ("Answer", &run.answer)];
    let there: Vec<_> = all.into_iter().filter(|(_, value)| !value.is_null()).collect();
    html! {
        div.card {
            @if there.is_empty() { p.hint { "Nothing is kept of it." } }
            @for (name, value) in there { (unfold(format!("data-{name}"), name, json(value))) }
        }
    }
}

/// What was done to the run, for whoever did it.
fn told(done: &str) -> &'static str {
    match done {
        "resume" => "It goes on.",
        "skip" => "It goes on, with the chosen steps counting as done.",
        "cancel" => "It is being cancelled.",
        "resubmit" => "This is the new run.",
        _ => "It is done.",
    }
}

/// A run that has not begun.
fn waiting(letter: &DeadLetter, facts: &Facts, done: Option<&str>) -> Markup {
    html! {
        p.trail { a href=(address(&["runs"], &[])) { "Runs" } }
        div.head { h1 { (foreign(title(facts, &letter.flow))) } }
        @if let Some(done) = done { p.notice.good role="status" { (told(done)) } }
        (live("head", html! {
            section.card aria-label="What it is" {
                dl.facts {
                    dt { "Outcome" } dd { (outcome(None)) " It waits for its turn." }
                    dt { "Flow" } dd { (flow(facts, &letter.flow)) }
                    @if let Some(name) = &letter.key { dt { "Key" } dd { (key(name)) } }
                    dt { "Came" } dd { (moment(letter.received)) }
                    dt { "Run" } dd { code { (foreign(&letter.run)) } }
                }
                p.actions { a.button href=(head::act(&letter.run, "cancel")) { "Cancel…" } }
            }
        }))
        section aria-labelledby="steps-heading" {
            h2 id="steps-heading" { "Steps" }
            (live("steps", html! { div.card { p.hint { "None has begun." } } }))
        }
        section aria-labelledby="values" {
            h2 id="values" { "What it begins with" }
            (live("data", html! {
                div.card {
                    @if !letter.trigger.is_null() { (unfold("data-Trigger", "Trigger", json(&letter.trigger))) }
                    @if !letter.inputs.is_null() { (unfold("data-Inputs", "Inputs", json(&letter.inputs))) }
                }
            }))
        }
    }
}

/// The run and all that it called, whole.
async fn download(State(desk): State<Shared>, visitor: Visitor, Path(run): Path<String>) -> Response {
    match desk.api.whole(&run).await {
        Ok(whole) => {
            let name: String = run
                .chars()
                .map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' })
                .collect();
            let headers = [
                (CONTENT_TYPE, "application/json".to_owned()),
                (CONTENT_DISPOSITION, format!("attachment; filename=\"run-{name}.json\"")),
            ];
            (headers, format!("{:#}", whole.to_json())).into_response()
        }
        Err(problem) => Trouble::from(problem).seen_by(&visitor),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use insta::assert_snapshot;

    use super::*;
    use crate::runs::testing::{engine, facts, shown, step, words};

    const DEAL: &str = "
flow: deal
title: Carry the deal over
trigger: { use: manual }
steps:
  read: { title: Read the line, use: book.get, with: { id: o1 } }
  secret: { use: book.get, with: { id: o1 }, sensitive: true }
  update: { title: Change the line, use: book.update, with: { id: o1, values: { text: new } } }
  note: { let: { done: \"${{ steps.update }}\" } }
";

    fn page(run: Shown, wanted: &Wanted) -> String {
        let engine = engine(&[DEAL]);
        let seen = tree::seen(&engine, &run, wanted, &mut |_| Ok(None)).unwrap().unwrap();
        let whole = Whole { run, called: Default::default() };
        let view = View { advice: whole.advice(), shown: whole.run, seen, before: Some("r0".to_owned()) };
        let page = body(&view, wanted, &facts(&[DEAL]), &engine, None);
        // What pictures say is told by their own tests.
        let (head, rest) = page.0.split_once("<svg").unwrap();
        words(&maud::PreEscaped(format!("{head}{}", rest.split_once("</svg>").unwrap().1)))
    }

    fn failed() -> Shown {
        let json = |text: &str| serde_json::from_str(text).unwrap();
        let steps = vec![
            step(
                "read",
                "succeeded",
                json(
                    r#"{ "title": "Read the line", "target": "book.get", "input": { "id": "o1" },
                "output": { "id": "o1", "text": "old", "size": 7 }, "attempts": 3,
                "requests": [{ "method": "GET", "url": "https://book.example/o1", "status": 503, "took": { "secs": 0, "nanos": 9000000 } },
                             { "method": "GET", "url": "https://book.example/o1", "status": 200, "took": { "secs": 1, "nanos": 0 } }] }"#,
                ),
            ),
            step("secret", "succeeded", json(r#"{ "target": "book.get" }"#)),
            step(
                "update",
                "failed",
                json(
                    r#"{ "title": "Change the line", "target": "book.update", "input": { "id": "o1", "values": { "text": "new" } },
                "failure": { "code": "refused", "message": "the line is <b>locked</b>", "step": "update", "details": { "status": 423 } } }"#,
                ),
            ),
            step(
                "note",
                "skipped",
                json(
                    r#"{ "kind": "let", "skipped": { "because": "dependency", "step": "update", "outcome": "failed" }, "attempts": 0 }"#,
                ),
            ),
        ];
        let mut run = shown("0197-12345678", "deal", Some("failed"), steps);
        run.left_out = 2;
        run
    }

    #[test]
    fn a_run_that_failed_says_why_and_what_each_step_did() {
        assert_snapshot!(page(failed(), &Wanted::default()));
    }

    #[test]
    fn a_step_can_be_read_alone() {
        assert_snapshot!(page(failed(), &Wanted { open: Some("update".to_owned()), ..Wanted::default() }));
    }

    #[test]
    fn a_run_under_way_can_be_cancelled_and_shows_what_waits() {
        let mut run = failed();
        run.steps.truncate(1);
        (run.listed.ended, run.listed.outcome, run.listed.failure) = (None, None, None);
        assert_snapshot!(page(run, &Wanted::default()));
    }
}
