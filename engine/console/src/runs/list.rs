//! Many runs, the newest first: what is asked stands in the address, and each page costs one look into an index.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cosell_journal::read::Listed;
use cosell_service::api::Page as Runs;
use maud::{Markup, html};

use super::filter::Filters;
use super::parts::{failure, key, life, line, run_address, short, title, took};
use crate::access::Visitor;
use crate::facts::Facts;
use crate::page::{Head, Page, Pages, address, badge, foreign, heads, live, moment, outcome, pages};
use crate::{BASE, Shared};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/runs", get(list))
}

async fn list(State(desk): State<Shared>, visitor: Visitor, Query(query): Query<Vec<(String, String)>>) -> Response {
    let facts = desk.facts();
    let filters = match Filters::of(query) {
        Ok(filters) => filters,
        Err(name) => {
            let detail = format!("Runs cannot be asked for by `{name}`; they can by what the form below has.");
            return wrong(&visitor, &facts, &Filters::default(), StatusCode::BAD_REQUEST, &detail);
        }
    };
    match desk.api.runs(filters.wanted()).await {
        Ok(runs) => {
            let body = html! {
                (heading())
                (filters.form(&flows(&facts)))
                (live("runs", table(&runs, &filters, &facts)))
            };
            // Further pages do not change, but where runs begin above them.
            let news = filters.newest().then(|| format!("{BASE}/events"));
            Page { news, ..Page::new("Runs", "/runs", body) }.seen_by(&visitor)
        }
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            wrong(&visitor, &facts, &filters, status, &problem.detail)
        }
    }
}

fn wrong(visitor: &Visitor, facts: &Facts, filters: &Filters, status: StatusCode, detail: &str) -> Response {
    let body = html! {
        (heading())
        p.notice.bad role="alert" { (foreign(detail)) }
        (filters.form(&flows(facts)))
    };
    (status, Page::new("Runs", "/runs", body).seen_by(visitor)).into_response()
}

fn heading() -> Markup {
    html! {
        div.head {
            h1 { "Runs" }
            a href=(address(&["runs", "dead"], &[])) { "Events that became no run" }
        }
    }
}

/// The flows that can be chosen, by title.
fn flows(facts: &Facts) -> Vec<(String, String)> {
    let named = facts.compilation.flows.iter().map(|(id, flow)| (id.to_string(), flow.title.clone()));
    let mut flows: Vec<(String, String)> = named.collect();
    flows.sort_by(|one, other| one.1.cmp(&other.1));
    flows
}

fn table(runs: &Runs, filters: &Filters, facts: &Facts) -> Markup {
    if runs.runs.is_empty() {
        return nothing(filters);
    }
    html! {
        form method="get" action=(address(&["runs", "compare"], &[])) {
            div.table tabindex="0" role="region" aria-label="Runs" {
                table.runs aria-label="Runs, the newest first" {
                    (heads([Head::Unseen("Choose"), "Outcome".into(), "Flow".into(), "Key".into(), "Began".into(), Head::Number("Took")]))
                    tbody { @for run in &runs.runs { (row(run, facts)) } }
                }
            }
            div.pages {
                button type="submit" { "Compare the two chosen" }
                span.gap {}
                (pages(&Pages {
                    newest: (!filters.newest()).then(|| filters.address(None)),
                    newer: runs.previous.as_ref().map(|previous| filters.address(Some(("before", previous)))),
                    older: runs.next.as_ref().map(|next| filters.address(Some(("after", next)))),
                }))
            }
        }
    }
}

fn row(run: &Listed, facts: &Facts) -> Markup {
    let why = failure(run);
    html! {
        tr {
            td { input type="checkbox" name="run" id={ "choose-" (run.run) } value=(run.run) aria-label={ "Choose run " (run.run) " to compare" }; }
            td { (outcome(run.outcome.as_deref())) }
            th scope="row" {
                a href=(run_address(&run.run)) { (foreign(title(facts, &run.flow))) }
                " " span.hint.mono { "…" (short(&run.run)) }
                @if let Some(life) = life(run) { " " (badge("calm", "↻", life)) }
                @if let Some(why) = why {
                    div.why {
                        @if let Some(step) = &why.step { code { (foreign(step)) } ": " }
                        (foreign(line(&why.message, 160)))
                    }
                }
            }
            td.keyed { @if let Some(name) = &run.key { (key(name)) } @else { span.nothing { "none" } } }
            td.fit { (moment(run.began)) }
            td.number { @if let Some(took) = took(run) { (took) } }
        }
    }
}

fn nothing(filters: &Filters) -> Markup {
    html! {
        div.card.empty {
            @if !filters.newest() {
                p { "There are no " @if filters.before.is_some() { "newer" } @else { "older" } " runs." }
                p { a href=(filters.address(None)) { "Back to the newest" } }
            } @else if filters.any() {
                p { "No run is like that." }
                p { a href=(address(&["runs"], &[])) { "Show all runs" } " or ask for less: each word begins a word that a run began with, and a key is given in full." }
            } @else {
                p { "Nothing has run yet." }
                p { "A run begins when an event comes that a " a href=(address(&["flows"], &[])) { "flow" } " wants, when the clock says so, or when you start one." }
            }
        }
    }
}
