//! The page of one deal.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use cosell_journal::read::Listed;
use cosell_model::words::counted;
use cosell_model::{FlowId, Value};
use cosell_service::occasion::{OPPORTUNITIES, REFERRALS};
use maud::{Markup, html};
use url::Url;

use super::around::around;
use super::hidden::Hidden;
use super::kept::Readings;
use super::sides::{Side, Sides, column};
use super::table::{CRM, Compared, REFERRAL, Tally, mapping, table};
use super::{history, list};
use crate::access::Visitor;
use crate::facts::Facts;
use crate::page::{Page, Trouble, address, badge, foreign, live, moment};
use crate::{BASE, Desk, Shared};

/// A deal that was looked up.
pub(super) struct Deal {
    /// The id it was asked for by.
    pub(super) id: String,
    pub(super) sides: Arc<Sides>,
    pub(super) runs: Vec<Listed>,
    pub(super) hidden: Hidden,
    /// Which of the flows are on that bring it over.
    pub(super) is_on: [bool; 2],
}

/// `/console/deals/{id}`.
pub(super) async fn page(
    State(desk): State<Shared>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let facts = desk.facts();
    match Deal::look_up(&desk, &facts, &headers, &id).await {
        Ok(deal) => {
            let title = deal.name().unwrap_or_else(|| format!("Deal {id}"));
            let body = html! {
                p.trail { a href=(address(&["deals"], &[])) { "Deals" } }
                (live("deal", body(&deal, &facts)))
            };
            Page { news: Some(format!("{BASE}/events")), ..Page::new(&title, "/deals", body) }.seen_by(&visitor)
        }
        Err(Missed::Elsewhere(referral)) => Redirect::to(&address(&["deals", &referral], &[])).into_response(),
        Err(Missed::Trouble(trouble)) => trouble.seen_by(&visitor),
    }
}

/// Why a deal is not shown under an id.
pub(super) enum Missed {
    /// It is known by this referral.
    Elsewhere(String),
    Trouble(Trouble),
}

impl<T: Into<Trouble>> From<T> for Missed {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

impl Deal {
    /// Looks up the deal that is known by `id`.
    pub(super) async fn look_up(desk: &Desk, facts: &Facts, headers: &HeaderMap, id: &str) -> Result<Self, Missed> {
        let readings = Readings::new(desk);
        let unreadable = |error: cosell_sdk::CallError| list::down(&error.message);
        let kept = readings.deal(id).await.map_err(unreadable)?;
        if kept.is_none()
            && let Some(referral) = readings.referral_of(id).await.map_err(unreadable)?
            && referral != id
        {
            return Err(Missed::Elsewhere(referral));
        }
        let mut ids = kept.as_ref().map_or_else(|| vec![id.to_owned()], super::kept::Kept::ids);
        let mut runs = about(desk, &ids).await?;
        let seen: Vec<_> = runs.iter().map(|run| (run.run.clone(), run.outcome.clone())).collect();
        let sides = match desk.recent_deals.of(headers, id, &seen) {
            Some(sides) => sides,
            None => {
                let sides = Arc::new(Sides::read(&readings, facts, id, kept).await);
                desk.recent_deals.remember(id, seen, &sides);
                sides
            }
        };
        let crm = sides.crm.record();
        if sides.referral == Side::Nowhere && sides.kept.is_none() {
            let identifier = crm.and_then(|row| row[column(facts, "referral_identifier_column")].as_str());
            if let Some(referral) = identifier.filter(|referral| !referral.is_empty() && *referral != id) {
                return Err(Missed::Elsewhere(referral.to_owned()));
            }
            if sides.crm == Side::Nowhere && runs.is_empty() {
                let detail = format!(
                    "Nothing is kept of a deal {id}, no run has to do with it, and neither Partner Center nor the CRM has it. \
                     Search for its name among the deals."
                );
                return Err(Trouble::new(StatusCode::NOT_FOUND, detail).into());
            }
        }
        let known = sides.crm_id().filter(|known| !ids.iter().any(|id| id == known));
        if let Some(known) = known {
            ids.push(known.to_owned());
            runs = about(desk, &ids).await?;
        }
        let is_on = [REFERRALS, OPPORTUNITIES].map(|flow| readings.engine.plan(&FlowId::new(flow)).is_some());
        Ok(Self { id: id.to_owned(), sides, runs, hidden: Hidden::of(&readings.engine), is_on })
    }

    /// What people call it; none where that is not known, or not to be shown.
    pub(super) fn name(&self) -> Option<String> {
        let record =
            |side: &Side, member: &str| side.record().and_then(|record| record[member].as_str()).map(str::to_owned);
        let kept =
            || self.sides.kept.as_ref().and_then(|kept| kept.name.clone()).filter(|_| self.hidden.kept.is_none());
        let referral = || record(&self.sides.referral, "name").filter(|_| self.hidden.referral.is_none());
        let crm = || {
            let member = if self.sides.is_lead { "subject" } else { "plain_name" };
            record(&self.sides.crm, member).filter(|_| self.hidden.crm.is_none())
        };
        referral().or_else(crm).or_else(kept).filter(|name| !name.trim().is_empty())
    }

    fn customer(&self) -> Option<&str> {
        let referral = self.sides.referral.record().filter(|_| self.hidden.referral.is_none());
        let kept = self.sides.kept.as_ref().filter(|_| self.hidden.kept.is_none());
        referral
            .and_then(|referral| referral["customerProfile"]["name"].as_str())
            .or_else(|| kept.and_then(|kept| kept.customer.as_deref()))
    }

    /// The referral's id, where the deal has one.
    pub(super) fn referral(&self) -> Option<&str> {
        let is_one = self.sides.referral != Side::Nowhere || self.sides.kept.is_some();
        is_one.then_some(self.id.as_str())
    }

    /// Its ids, as runs have them as keys.
    fn keys(&self) -> Vec<String> {
        let mut keys = vec![self.id.clone()];
        keys.extend(self.sides.crm_id().filter(|crm| *crm != self.id).map(str::to_owned));
        keys
    }
}

async fn about(desk: &Desk, ids: &[String]) -> Result<Vec<Listed>, Trouble> {
    let runs = history::runs(&desk.api, vec![ids.to_vec()], history::RUNS).await.map_err(Trouble::from)?;
    Ok(runs.into_iter().flatten().collect())
}

impl Sides {
    /// The id of the opportunity or lead.
    pub(super) fn crm_id(&self) -> Option<&str> {
        let member = if self.is_lead { "leadid" } else { "opportunityid" };
        let read = self.crm.record().and_then(|row| row[member].as_str());
        let kept = || {
            let kept = self.kept.as_ref()?;
            if self.is_lead { kept.lead.as_deref() } else { kept.opportunity.as_deref().or(kept.lead.as_deref()) }
        };
        read.or_else(kept)
    }
}

fn body(deal: &Deal, facts: &Facts) -> Markup {
    let sides = &*deal.sides;
    let mapping = mapping(facts, sides);
    let compared = mapping.map(|mapping| Compared::new(mapping, sides, facts, deal.is_on));
    html! {
        div.head {
            h1 { (foreign(deal.name().unwrap_or_else(|| "A deal without a name".to_owned()))) }
            (actions(deal))
        }
        @if let Some(customer) = deal.customer() { p.lead { (foreign(customer)) } }
        @for (side, who) in [(&sides.referral, "Partner Center"), (&sides.crm, "the CRM")] {
            @if let Side::Unknown(why) = side {
                p.notice.warn role="status" { strong { "What " (who) " has is not known now. " } (foreign(why)) " " a href=(address(&["deals", &deal.id], &[])) { "Ask again" } }
            }
        }
        @if let Some(step) = deal.hidden.any() {
            p.notice { "Some values are not shown, since the step " code { (step) } " keeps them out of records." }
        }
        div.cards {
            section.card aria-labelledby="referral" { h2 id="referral" { "In Partner Center" } (referral(deal, facts)) }
            section.card aria-labelledby="crm" { h2 id="crm" { "In the CRM" } (crm(deal, facts)) }
        }
        section aria-labelledby="sides" {
            div.head {
                h2 id="sides" { "Side by side" }
                span.hint { "Read " (moment(sides.at)) }
            }
            @match &compared {
                None => p.nothing { "No mapping between referrals and what the CRM has is known here." },
                Some(_) if sides.referral.record().is_none() && sides.crm.record().is_none() => p.nothing { "Neither side's values are known now." },
                Some(compared) => {
                    (summary(compared))
                    (table(compared, sides, &deal.hidden))
                }
            }
        }
        section.runs aria-labelledby="runs" {
            h2 id="runs" { "Runs" }
            (history::table(&deal.runs, &deal.keys(), facts))
        }
        (around(sides, &deal.hidden, facts))
        @if let (Some(row), false) = (sides.crm.record(), sides.is_lead) {
            section.card aria-labelledby="audit" {
                h2 id="audit" { "Audit" }
                @if deal.hidden.crm.is_some() { p.nothing { "hidden" } }
                @else { (history::audit(&row[column(facts, "audit_column")], row["name"].as_str().is_some_and(|name| name.contains('✖')))) }
            }
        }
    }
}

/// In a sentence, whether both sides agree.
fn summary(compared: &Compared<'_>) -> Markup {
    if !compared.is_pair {
        return html! { p { (badge("calm", "·", "one side")) " Only one side's values are known, so nothing is compared." } };
    }
    let Tally { going, conflicts, stuck } = compared.tally();
    html! {
        @if stuck > 0 {
            p {
                (badge("bad", "✗", "stuck")) " " (counted(stuck, "value"))
                " cannot be taken over. Until that is mended, runs of this deal fail and write nothing."
            }
        } @else if going == [0, 0] {
            p { (badge("good", "✓", "in step")) " Nothing is to be written to either side." }
        } @else {
            p {
                (badge("warn", "!", "not in step"))
                @if going[CRM] > 0 { " " (counted(going[CRM], "value")) " will go to the CRM." }
                @if going[REFERRAL] > 0 { " " (counted(going[REFERRAL], "value")) " will go to Partner Center." }
                @if conflicts > 0 { " Both sides have changed " strong { (counted(conflicts, "value")) } " of these." }
            }
        }
    }
}

fn actions(deal: &Deal) -> Markup {
    let way = |from: &str| address(&["deals", &deal.id, "synchronise"], &[("from", from)]);
    let dry = |flow: &str, of: &str, id: &str| address(&["flows", flow, "dry-run"], &[(of, id)]);
    let opportunity = deal.sides.crm_id().filter(|_| !deal.sides.is_lead);
    html! {
        p.actions {
            @match (deal.referral(), opportunity) {
                (Some(id), _) if deal.is_on[0] => {
                    a.button href=(way("referral")) { "Synchronise now…" }
                    a.button href=(dry(REFERRALS, "referral", id)) { "Dry run" }
                }
                (None, Some(id)) if deal.is_on[1] => a.button href=(dry(OPPORTUNITIES, "opportunity", id)) { "Dry run" },
                _ => {}
            }
            @if opportunity.is_some() && deal.is_on[1] {
                a.button href=(way("opportunity")) { "Send the opportunity…" }
            }
        }
    }
}

fn referral(deal: &Deal, facts: &Facts) -> Markup {
    let sides = &deal.sides;
    let link = format!("{}{}", column(facts, "referral_link"), deal.id);
    let link = Url::parse(&link).ok().filter(|link| link.scheme() == "https");
    html! {
        @match &sides.referral {
            Side::Nowhere if sides.kept.is_none() => p { (badge("warn", "–", "no referral")) " The opportunity has not been sent to Partner Center." },
            side => {
                dl.facts {
                    dt { "Referral" }
                    dd.mono { (foreign(&deal.id)) }
                    @match side {
                        Side::Nowhere => { dt { "State" } dd { (badge("bad", "✗", "gone")) " Partner Center has no such referral any more." } },
                        Side::Unknown(_) => { dt { "State" } dd { (badge("warn", "?", "not known")) } },
                        Side::Here(record) if deal.hidden.referral.is_none() => {
                            dt { "State" } dd { (said(&record["status"])) @if record["substatus"] != record["status"] { " · " (said(&record["substatus"])) } }
                            dt { "Kind" } dd { (said(&record["type"])) }
                            dt { "Changed" } dd { (at(&record["updatedDateTime"])) }
                        }
                        Side::Here(_) => {},
                    }
                }
                @if let Some(link) = link { p { a href=(link) rel="noreferrer" { "Show it in Partner Center" } } }
            }
        }
    }
}

fn crm(deal: &Deal, facts: &Facts) -> Markup {
    let sides = &deal.sides;
    let what = if sides.is_lead { "Lead" } else { "Opportunity" };
    let Some(id) = sides.crm_id() else {
        return html! {
            @if let Side::Unknown(_) = sides.crm { p { (badge("warn", "?", "not known")) } }
            @else { p { (badge("warn", "–", "no partner")) " The CRM has no opportunity or lead that is linked with this referral." } }
        };
    };
    html! {
        dl.facts {
            dt { (what) }
            dd.mono { (foreign(id)) }
            @match &sides.crm {
                Side::Nowhere => { dt { "State" } dd { (badge("bad", "✗", "gone")) " The CRM has no such row any more." } },
                Side::Unknown(_) => { dt { "State" } dd { (badge("warn", "?", "not known")) } },
                Side::Here(row) if deal.hidden.crm.is_none() => {
                    dt { "State" } dd { (state(&row["statecode"], sides.is_lead)) }
                    @if !sides.is_lead {
                        dt { "Sync" }
                        dd {
                            @if row[column(facts, "sync_column")] == true { "Yes" }
                            @else { (badge("warn", "!", "No")) " Nothing goes from the opportunity to Partner Center." }
                        }
                    }
                    dt { "Changed" } dd { (at(&row["modifiedon"])) }
                }
                Side::Here(_) => {},
            }
        }
    }
}

/// Dataverse, opportunity and lead, `statecode`.
fn state(code: &Value, is_lead: bool) -> Markup {
    let word = match (code.as_i64(), is_lead) {
        (Some(0), _) => "Open",
        (Some(1), false) => "Won",
        (Some(2), false) => "Lost",
        (Some(1), true) => "Qualified",
        (Some(2), true) => "Disqualified",
        _ => return said(code),
    };
    html! { (word) }
}

fn said(value: &Value) -> Markup {
    crate::page::brief(value)
}

fn at(value: &Value) -> Markup {
    match value.as_str().and_then(|text| text.parse().ok()) {
        Some(at) => moment(at),
        None => said(value),
    }
}
