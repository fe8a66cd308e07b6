//! Doing now what an event about the deal would do.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use cosell_compile::mapping::beside::Verdict;
use cosell_service::occasion::{OPPORTUNITIES, Occasion, REFERRALS};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::timeout;

use super::deal::{Deal, Missed};
use super::kept::{LIMIT, Readings};
use super::table::{CRM, Compared, REFERRAL, mapping};
use crate::Shared;
use crate::access::{Act, Visitor};
use crate::facts::Facts;
use crate::page::{Confirm, Trouble, address, foreign};

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    from: String,
}

/// From which side a deal is to be synchronised.
#[derive(Clone, Copy, PartialEq)]
enum From {
    Referral,
    Opportunity,
}

impl From {
    fn read(text: &str) -> Result<Self, Trouble> {
        match text {
            "referral" => Ok(Self::Referral),
            "opportunity" => Ok(Self::Opportunity),
            _ => Err(Trouble::new(StatusCode::BAD_REQUEST, "`from` must be referral or opportunity.")),
        }
    }

    fn flow(self) -> &'static str {
        match self {
            Self::Referral => REFERRALS,
            Self::Opportunity => OPPORTUNITIES,
        }
    }
}

/// Asks whether it is to be done.
pub(super) async fn ask(
    State(desk): State<Shared>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let from = match From::read(&asked.from) {
        Ok(from) => from,
        Err(trouble) => return trouble.seen_by(&visitor),
    };
    let facts = desk.facts();
    let deal = match Deal::look_up(&desk, &facts, &headers, &id).await {
        Ok(deal) => deal,
        Err(Missed::Elsewhere(referral)) => {
            let there = address(&["deals", &referral, "synchronise"], &[("from", &asked.from)]);
            return Redirect::to(&there).into_response();
        }
        Err(Missed::Trouble(trouble)) => return trouble.seen_by(&visitor),
    };
    let subject = match (from, deal.referral(), deal.sides.crm_id().filter(|_| !deal.sides.is_lead)) {
        (From::Referral, Some(referral), _) => referral,
        (From::Opportunity, _, Some(opportunity)) => opportunity,
        _ => return Trouble::new(StatusCode::NOT_FOUND, "The deal has nothing on that side.").seen_by(&visitor),
    };
    let (title, button) = match from {
        From::Referral => ("Synchronise this deal now?", "Synchronise now"),
        From::Opportunity => ("Send this opportunity now?", "Send the opportunity"),
    };
    Confirm {
        title,
        menu: "/deals",
        what: what(&deal, from, &facts),
        fields: html! {
            input type="hidden" name="from" value=(asked.from);
            input type="hidden" name="subject" value=(subject);
        },
        action: &address(&["deals", &id, "synchronise"], &[]),
        button,
        back: &address(&["deals", &id], &[]),
    }
    .seen_by(&visitor)
}

/// Does it.
pub(super) async fn act(State(desk): State<Shared>, Path(id): Path<String>, act: Act) -> Response {
    let from = match From::read(act.told.text("from").unwrap_or_default()) {
        Ok(from) => from,
        Err(trouble) => return trouble.seen_by(&act.visitor),
    };
    let subject = act.told.text("subject").unwrap_or(&id).to_owned();
    let occasion = match from {
        From::Referral => Occasion::Referral(subject),
        From::Opportunity => Occasion::Opportunity(subject),
    };
    let readings = Readings::new(&desk);
    let start = match timeout(LIMIT, occasion.start(&readings.engine)).await {
        Ok(Ok(start)) => start,
        Ok(Err(why)) => return unread(&why).seen_by(&act.visitor),
        Err(_) => return unread(&format!("it did not come within {} seconds", LIMIT.as_secs())).seen_by(&act.visitor),
    };
    match desk.api.start(from.flow(), start.trigger, start.inputs).await {
        Ok(_) => Redirect::to(&format!("{}#runs", address(&["deals", &id], &[]))).into_response(),
        Err(problem) => Trouble::from(problem).seen_by(&act.visitor),
    }
}

fn unread(why: &str) -> Trouble {
    let detail = format!("The record that the run begins with cannot be read, so no run was started: {why}");
    Trouble::new(StatusCode::BAD_GATEWAY, detail)
}

/// What will happen, as far as both sides tell now.
fn what(deal: &Deal, from: From, facts: &Facts) -> Markup {
    let name = deal.name().unwrap_or_else(|| deal.id.clone());
    let title = facts.compilation.flows.iter().find(|(id, _)| id.as_str() == from.flow());
    let title = title.map_or(from.flow(), |(_, flow)| flow.title.as_str());
    let compared = mapping(facts, &deal.sides);
    let compared = compared.map(|mapping| Compared::new(mapping, &deal.sides, facts, deal.is_on));
    let (to, there) = match from {
        From::Referral => (CRM, "the CRM"),
        From::Opportunity => (REFERRAL, "Partner Center"),
    };
    html! {
        p {
            "The flow " strong { (foreign(title)) } " runs for " strong { (foreign(name)) } ", as it would if an event about "
            @if from == From::Referral { "its referral" } @else { "its opportunity" }
            " came now. It reads both sides anew and writes what differs; a deal that is not in " (there) " yet is made there, as the flow's rules say. Should another run of this deal be under way, it waits for that one."
        }
        @match &compared {
            Some(compared) if compared.is_pair => (foretold(compared, to, there)),
            _ => p { "What it will write cannot be told here: both sides' values are not known. The dry run tells." },
        }
        p { a href=(dry(deal, from)) { "See by a dry run what it would write" } ", step by step, before anything is done." }
    }
}

fn foretold(compared: &Compared<'_>, to: usize, there: &str) -> Markup {
    let is_any = |to: usize| compared.going(to).next().is_some() || compared.moves_solutions(to);
    html! {
        @if compared.tally().stuck > 0 {
            p.notice.bad { "As both sides are now, the run will fail and write nothing: a value cannot be taken over. The page of the deal says which, and why." }
        } @else if !is_any(to) {
            p { "As both sides are now, no value goes to " (there) "." @if let Some(why) = compared.held[to] { " " (why) } }
        } @else {
            p { "As both sides are now, these go to " (there) ":" }
            ul {
                @for row in compared.going(to) {
                    li {
                        (foreign(&row.row.title))
                        @if matches!(row.verdict, Verdict::Follows { conflict: true, .. }) { " (both have changed it; the value that is in " (there) " is given up)" }
                    }
                }
                @if compared.moves_solutions(to) { li { "Solutions" } }
            }
        }
        @if is_any(1 - to) {
            p.hint { "What is to go the other way waits for a run of the other direction." }
        }
    }
}

fn dry(deal: &Deal, from: From) -> String {
    let opportunity = deal.sides.crm_id().unwrap_or_default();
    let (of, id) = match from {
        From::Referral => ("referral", deal.id.as_str()),
        From::Opportunity => ("opportunity", opportunity),
    };
    address(&["flows", from.flow(), "dry-run"], &[(of, id)])
}
