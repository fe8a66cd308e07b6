//! The deals, the most recently synchronised first; search by name, customer and id.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use cosell_journal::read::Listed;
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::hidden::Hidden;
use super::history;
use super::kept::{Kept, Place, Readings};
use crate::access::Visitor;
use crate::page::{Page, Pages, Trouble, address, badge, foreign, heads, live, moment, outcome, pages};
use crate::{BASE, Shared};

/// How many deals a page has.
const PAGE: usize = 25;

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    text: String,
    after: Option<String>,
    before: Option<String>,
}

impl Asked {
    fn place(&self) -> Place<'_> {
        match (self.after.as_deref(), self.before.as_deref()) {
            (Some(referral), _) => Place::After(referral),
            (None, Some(referral)) => Place::Before(referral),
            (None, None) => Place::Newest,
        }
    }
}

/// `/console/deals`.
pub(super) async fn page(State(desk): State<Shared>, visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    let readings = Readings::new(&desk);
    if !readings.keeps_deals() {
        return Page::new("Deals", "/deals", nothing_kept()).seen_by(&visitor);
    }
    let text = asked.text.trim();
    let id = text.parse::<Uuid>().ok().map(|id| id.to_string());
    if let Some(id) = &id {
        match readings.found(id).await {
            Ok(Some(referral)) => return Redirect::to(&address(&["deals", &referral], &[])).into_response(),
            Ok(None) => {}
            Err(error) => return down(&error.message).seen_by(&visitor),
        }
    }
    let hidden = Hidden::of(&readings.engine);
    // Whether words occur in what is hidden is not told either.
    let words = if hidden.kept.is_some() { "" } else { text };
    let listed = match readings.deals(words, asked.place(), PAGE).await {
        Ok(listed) => listed,
        Err(error) => return down(&error.message).seen_by(&visitor),
    };
    // A deal that was touched meanwhile stands before all others.
    if listed.deals.is_empty() && matches!(asked.place(), Place::Before(_)) {
        return Redirect::to(&way(text, None)).into_response();
    }
    let keys = listed.deals.iter().map(Kept::ids).collect();
    let runs = match history::runs(&desk.api, keys, 1).await {
        Ok(runs) => runs.into_iter().map(|runs| runs.into_iter().next()).collect(),
        Err(problem) => return Trouble::from(problem).seen_by(&visitor),
    };
    let shown = Shown {
        text,
        id: id.as_deref(),
        deals: &listed.deals,
        runs,
        pages: Pages {
            newest: (asked.place() != Place::Newest).then(|| way(text, None)),
            newer: listed.previous.as_deref().map(|referral| way(text, Some(("before", referral)))),
            older: listed.next.as_deref().map(|referral| way(text, Some(("after", referral)))),
        },
        is_hidden: hidden.kept.is_some(),
    };
    // Who searches is not disturbed, and the search not repeated, by what happens meanwhile.
    let news = text.is_empty().then(|| format!("{BASE}/events"));
    Page { news, ..Page::new("Deals", "/deals", body(&shown)) }.seen_by(&visitor)
}

/// The list of those that are looked for, at its beginning or at a place.
fn way(text: &str, place: Option<(&str, &str)>) -> String {
    let text = Some(("text", text)).filter(|(_, text)| !text.is_empty());
    address(&["deals"], &text.into_iter().chain(place).collect::<Vec<_>>())
}

fn nothing_kept() -> Markup {
    html! {
        h1 { "Deals" }
        p.empty {
            "None of the flows that are on keeps deals, so there is nothing to show. "
            a href=(address(&["flows"], &[])) { "See which flows are on" } "."
        }
    }
}

pub(super) fn down(message: &str) -> Trouble {
    let detail = format!("What is kept of the deals cannot be read: {message}");
    Trouble::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}

impl Readings {
    /// The referral of the deal that is known by this id, on whichever side.
    async fn found(&self, id: &str) -> Result<Option<String>, cosell_sdk::CallError> {
        match self.deal(id).await? {
            Some(_) => Ok(Some(id.to_owned())),
            None => self.referral_of(id).await,
        }
    }
}

struct Shown<'s> {
    text: &'s str,
    /// The text, where it is an id that nothing is kept under.
    id: Option<&'s str>,
    deals: &'s [Kept],
    /// The last run of each.
    runs: Vec<Option<Listed>>,
    pages: Pages,
    is_hidden: bool,
}

fn body(shown: &Shown<'_>) -> Markup {
    html! {
        h1 { "Deals" }
        p.lead { "Each deal that the flows keep in step: a referral in Partner Center, and its opportunity or lead in the CRM." }
        form.filter method="get" action=(address(&["deals"], &[])) role="search" {
            div.field {
                label for="text" { "Name, customer or id" }
                input.long type="search" id="text" name="text" value=(shown.text) autocomplete="off";
            }
            button type="submit" { "Search" }
            @if !shown.text.is_empty() { a.button href=(address(&["deals"], &[])) { "Show all" } }
        }
        (live("deals", listed(shown)))
    }
}

fn listed(shown: &Shown<'_>) -> Markup {
    if shown.deals.is_empty() {
        return empty(shown);
    }
    html! {
        @if shown.is_hidden {
            p.notice { "Names and customers are not shown, since a flow keeps them out of records. Deals are found by their ids." }
        }
        div.table.broad tabindex="0" role="region" aria-label="Deals" {
            table.deals aria-label="Deals" {
                (heads(["Deal", "Customer", "In the CRM", "Last run", "When"]))
                tbody { @for (deal, run) in shown.deals.iter().zip(&shown.runs) { (row(deal, run.as_ref(), shown.is_hidden)) } }
            }
        }
        nav.pages aria-label="Pages of deals" {
            (pages(&shown.pages))
        }
    }
}

fn row(deal: &Kept, run: Option<&Listed>, is_hidden: bool) -> Markup {
    let name = deal.name.as_deref().filter(|_| !is_hidden);
    html! {
        tr {
            th scope="row" {
                a href=(address(&["deals", &deal.referral], &[])) { (foreign(name.unwrap_or(&deal.referral))) }
                @if name.is_some() { div.hint.mono { (foreign(&deal.referral)) } }
            }
            td {
                @match &deal.customer {
                    Some(customer) if !is_hidden => (foreign(customer)),
                    _ => span.nothing { "–" },
                }
            }
            td {
                @match (&deal.opportunity, &deal.lead) {
                    (Some(id), _) => { (badge("good", "⇄", "opportunity")) div.hint.mono { (foreign(id)) } }
                    (None, Some(id)) => { (badge("calm", "○", "lead")) div.hint.mono { (foreign(id)) } }
                    (None, None) => (badge("warn", "–", "no partner")),
                }
            }
            td { @if let Some(run) = run { a href=(address(&["runs", &run.run], &[])) { (outcome(run.outcome.as_deref())) } } @else { span.nothing { "none kept" } } }
            td { @if let Some(run) = run { (moment(run.began)) } }
        }
    }
}

fn empty(shown: &Shown<'_>) -> Markup {
    html! {
        div.empty {
            @if let Some(id) = shown.id {
                p { "No deal is kept under the id " code { (id) } "." }
                p { a.button href=(address(&["deals", id], &[])) { "Look for it in Partner Center and the CRM" } }
            } @else if !shown.text.is_empty() {
                p { "In no deal occurs each word of " q { (foreign(shown.text)) } "." }
                p { "Search for parts of its name, its customer or its notes, or for a whole id." }
            } @else {
                p { "No deal has been synchronised yet." }
                p { "A deal stands here as soon as a flow has brought it to the other side: when Partner Center sends an event, when an opportunity is saved whose \"Sync with Partner Center\" is set to Yes, or by " code { "cosell sync" } ", which goes through all of them." }
            }
        }
    }
}
