//! The flows: pictures, mappings, and what a dry run would do.
//!
//! This file is the list; `flow` is the page of one, put together from `steps` (what it does), `changes` (what a user's file
//! changes in it) and `text` (its files); `mapping` is a mapping as a table; `start` starts a flow by hand and `rehearsal` runs
//! one dry, both with the form fields of `inputs`; `preview` is what a dry run found.

mod changes;
mod flow;
mod inputs;
mod mapping;
mod preview;
mod rehearsal;
mod start;
mod steps;
mod text;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use cosell_compile::called_by;
use cosell_compile::documents::{Document, Origin};
use cosell_compile::listing::State as Runs;
use cosell_graph::{Member, Within, of_flows, started_by};
use cosell_journal::lately::{Lately, MOST};
use cosell_model::flow::Flow;
use cosell_model::{Effect, FlowId};
use jiff::{Timestamp, ToSpan};
use maud::{Markup, PreEscaped, html};

use crate::Shared;
use crate::access::Visitor;
use crate::facts::Facts;
use crate::page::{Head, Page, Trouble, address, badge, drawing, foreign, heads};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/flows", get(list))
        .route("/flows/{flow}", get(flow::page))
        .route("/flows/{flow}/start", get(start::ask).post(start::start))
        .route("/flows/{flow}/dry-run", get(rehearsal::ask).post(rehearsal::rehearse))
        .route("/mappings/{name}", get(mapping::page))
}

async fn list(State(desk): State<Shared>, visitor: Visitor) -> Response {
    let facts = desk.facts();
    let ids: Vec<FlowId> = facts.compilation.in_order().map(|(_, flow)| flow.id.value.clone()).collect();
    let since = a_day_ago();
    let lately = desk
        .api
        .read(move |reader| Ok(ids.iter().map(|id| reader.lately(id, since)).collect::<Result<Vec<_>, _>>()?))
        .await;
    match lately {
        Ok(lately) => Page::new("Flows", "/flows", body(&facts, &lately)).seen_by(&visitor),
        Err(problem) => Trouble::from(problem).seen_by(&visitor),
    }
}

fn a_day_ago() -> Timestamp {
    Timestamp::now().saturating_sub(24.hours()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `lately` is of each flow, in their order.
fn body(facts: &Facts, lately: &[Lately]) -> Markup {
    let compilation = &facts.compilation;
    html! {
        h1 { "Flows" }
        p.lead { "In the order in which they are turned on: each stands behind those that it calls." }
        div.table.broad role="region" aria-label="Flows" tabindex="0" {
            table {
                caption { "All flows" }
                (heads([Head::Number("#"), "Flow".into(), "State".into(), "From".into(), "Started by".into(), "Calls".into(), "Last 24 hours".into()]))
                tbody {
                    @for ((number, flow), lately) in compilation.in_order().zip(lately) {
                        tr {
                            td.number { (number) }
                            th scope="row" { (named(flow)) }
                            td { (state(state_of(facts, flow))) }
                            td { (origin(compilation.documents.flows.get(flow.id.value.as_str()))) }
                            td.whole { @for source in flow.trigger.sources() { div { (foreign(started_by(&source.kind))) } } }
                            td { (numbers(facts, flow)) }
                            td { (counted(flow, lately)) }
                        }
                    }
                }
            }
        }
        h2 id="calls" { "Which calls which" }
        (drawing("picture-calls", "Picture of which flow calls which", picture(facts)))
        (mapping::list(facts))
    }
}

/// A flow by its title, which leads to its page, and its name.
fn named(flow: &Flow) -> Markup {
    html! {
        a href=(address(&["flows", flow.id.value.as_str()], &[])) { (foreign(&flow.title)) }
        div.hint { code { (flow.id.value) } }
    }
}

fn state_of(facts: &Facts, flow: &Flow) -> Runs {
    facts.compilation.state(&flow.id.value, &facts.configuration.off)
}

fn state(state: Runs) -> Markup {
    match state {
        Runs::On => badge("good", "●", "on"),
        Runs::Off => badge("calm", "○", "off"),
        Runs::HasErrors => badge("bad", "✗", "has errors"),
    }
}

/// Where a flow or a mapping comes from.
fn origin(document: Option<&Document>) -> Markup {
    match document.map_or(Origin::Own, Document::comes_from) {
        Origin::Shipped => html! { "shipped" },
        Origin::Overlaid => badge("warn", "◆", "shipped, with your changes"),
        Origin::Replaced => badge("warn", "◆", "yours, in the place of a shipped one"),
        Origin::Own => badge("calm", "◇", "your own"),
    }
}

/// The flows that a flow calls, by their numbers.
fn numbers(facts: &Facts, flow: &Flow) -> Markup {
    let called = called_by(flow);
    let all: Vec<(usize, &Flow)> =
        facts.compilation.in_order().filter(|(_, other)| called.contains(&other.id.value)).collect();
    html! {
        @for (at, (number, other)) in all.iter().enumerate() {
            @if at > 0 { ", " }
            a href=(address(&["flows", other.id.value.as_str()], &[])) aria-label={ (number) ": " (other.title) } { (number) }
        }
    }
}

fn counted(flow: &Flow, lately: &Lately) -> Markup {
    let to = |outcome: Option<&str>| {
        let flow = ("flow", flow.id.value.as_str());
        match outcome {
            Some(outcome) => address(&["runs"], &[flow, ("outcome", outcome)]),
            None => address(&["runs"], &[flow]),
        }
    };
    html! {
        @if lately.began == 0 { span.nothing { "no runs" } } @else {
            a href=(to(None)) {
                (cosell_model::words::counted(lately.began as usize, "run")) @if lately.began == MOST { " or more" }
            }
            @for (runs, outcome, words) in [(lately.failed, "failed", "failed"), (lately.timed_out, "timed_out", "timed out")] {
                @if runs > 0 { " " a href=(to(Some(outcome))) { (badge("bad", "✗", format!("{runs} {words}"))) } }
            }
            @if lately.cancelled > 0 { " " (badge("calm", "⊘", format!("{} cancelled", lately.cancelled))) }
        }
    }
}

fn picture(facts: &Facts) -> Markup {
    let compilation = &facts.compilation;
    let members: Vec<Member<'_>> = compilation
        .in_order()
        .map(|(_, flow)| Member {
            flow,
            state: state_of(facts, flow).as_str(),
            writes: compilation.plans.get(&flow.id.value).is_some_and(|plan| plan.effect == Effect::Write),
        })
        .collect();
    let link = |node: &cosell_graph::picture::Node| Some(address(&["flows", &node.name], &[]));
    // The picture escapes what it writes.
    PreEscaped(of_flows(&members).svg_within(&Within { prefix: "all-", link: &link }))
}

/// What is shown where there is no flow of this name.
fn no_flow(facts: &Facts, name: &str) -> Trouble {
    let known = facts.compilation.flows.keys().map(FlowId::as_str);
    let near = cosell_compile::did_you_mean(name, known).map_or(String::new(), |near| format!(" {near}"));
    Trouble::new(StatusCode::NOT_FOUND, format!("There is no flow `{name}`.{near}"))
}

/// The way back to a page above.
fn trail(flow: &Flow) -> Markup {
    html! {
        p.trail {
            a href=(address(&["flows"], &[])) { "Flows" } " › "
            a href=(address(&["flows", flow.id.value.as_str()], &[])) { (foreign(&flow.title)) }
        }
    }
}
