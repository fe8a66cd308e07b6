//! A dry run from a page: what it begins with, and what it found.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use cosell_model::flow::{Flow, TriggerSource};
use cosell_model::{FlowId, Value};
use cosell_service::occasion::Occasion;
use maud::{Markup, html};

use super::{inputs, no_flow, preview, trail};
use crate::Shared;
use crate::access::{Act, Visitor};
use crate::page::{Page, Trouble, address, form_secret};

/// What can stand for the event, with what it is called: a field each.
const SOURCES: [(&str, &str, &str); 3] = [
    ("referral", "A referral, by its id", "As if an event about it had come."),
    ("opportunity", "An opportunity, by its id", "As if it had been saved."),
    ("run", "A run, by its id", "What started it starts the dry run, too."),
];

/// What stands in the fields.
struct Told<'t>(&'t dyn Fn(&str) -> Option<&'t str>);

pub(super) async fn ask(
    State(desk): State<Shared>,
    Path(name): Path<String>,
    Query(asked): Query<Vec<(String, String)>>,
    visitor: Visitor,
) -> Response {
    let facts = desk.facts();
    let Some(flow) = facts.compilation.flows.get(&FlowId::new(name.as_str())) else {
        return no_flow(&facts, &name).seen_by(&visitor);
    };
    let told = |field: &str| asked.iter().find(|(name, _)| name == field).map(|(_, text)| text.as_str());
    form(flow, &Told(&told), None, &visitor)
}

pub(super) async fn rehearse(State(desk): State<Shared>, Path(name): Path<String>, act: Act) -> Response {
    let facts = desk.facts();
    let Some(flow) = facts.compilation.flows.get(&FlowId::new(name.as_str())) else {
        return no_flow(&facts, &name).seen_by(&act.visitor);
    };
    let told = |field: &str| act.told.text(field).map(str::trim);
    let again = |status: StatusCode, wrong: &str| {
        let mut response = form(flow, &Told(&told), Some(wrong), &act.visitor);
        *response.status_mut() = status;
        response
    };
    let occasion = match told("run").filter(|_| alone(&told)) {
        Some(run) => match desk.api.shown(run).await {
            Ok(shown) if shown.listed.flow == name => {
                Ok(Occasion::Given { trigger: shown.trigger, inputs: shown.inputs })
            }
            Ok(shown) => Err(format!("The run is one of the flow `{}`, and not of this one.", shown.listed.flow)),
            Err(problem) => return Trouble::from(problem).seen_by(&act.visitor),
        },
        None => occasion(flow, &Told(&told)),
    };
    let found = match occasion {
        Ok(occasion) => desk.api.rehearse(&name, occasion).await,
        Err(wrong) => return again(StatusCode::UNPROCESSABLE_ENTITY, &wrong),
    };
    match found {
        Ok(found) => {
            let body = html! {
                (trail(flow))
                h1 { "What would happen" }
                (preview::body(&facts, flow, &found))
            };
            Page::new("What would happen", "/flows", body).seen_by(&act.visitor)
        }
        Err(problem) => again(StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY), &problem.detail),
    }
}

/// Whether just one of the fields is filled in.
fn alone<'t>(told: &impl Fn(&str) -> Option<&'t str>) -> bool {
    SOURCES.iter().map(|(field, ..)| *field).chain(["event"]).filter(|field| told(field).is_some()).count() == 1
}

/// What the fields say, a run aside.
fn occasion(flow: &Flow, Told(told): &Told<'_>) -> Result<Occasion, String> {
    let filled: Vec<(&str, &str)> =
        ["referral", "opportunity", "run", "event"].into_iter().filter_map(|name| Some((name, told(name)?))).collect();
    match filled.as_slice() {
        [("referral", id)] => Ok(Occasion::Referral((*id).to_owned())),
        [("opportunity", id)] => Ok(Occasion::Opportunity((*id).to_owned())),
        [("event", text)] => {
            let event = serde_json::from_str(text).map_err(|error| format!("The event is not JSON: {error}."))?;
            Ok(Occasion::event(event))
        }
        [] if by_nothing(flow) => Ok(Occasion::Given { trigger: Value::Null, inputs: inputs::read(flow, told)? }),
        [] => Err("Fill in one of the fields: a dry run begins with something.".to_owned()),
        _ => Err("Fill in one of the fields only: a dry run begins with one thing.".to_owned()),
    }
}

/// Whether a run can begin without an event.
fn by_nothing(flow: &Flow) -> bool {
    inputs::by_hand(flow) || flow.trigger.main.kind == TriggerSource::Schedule
}

/// Whether events of this kind start it.
fn takes(flow: &Flow, source: &str) -> bool {
    let connector = match source {
        "referral" => "partner_center_events",
        "opportunity" => "dataverse",
        _ => return true,
    };
    let mut sources = flow.trigger.sources();
    sources.any(|source| matches!(&source.kind, TriggerSource::Connector(name) if &*name.connector == connector))
}

fn form(flow: &Flow, told: &Told<'_>, wrong: Option<&str>, visitor: &Visitor) -> Response {
    let body = html! {
        (trail(flow))
        h1 { "Dry run" }
        (question(flow, told, wrong, &form_secret(visitor)))
    };
    Page::new("Dry run", "/flows", body).seen_by(visitor)
}

fn question(flow: &Flow, Told(told): &Told<'_>, wrong: Option<&str>, secret: &Markup) -> Markup {
    let name = flow.id.value.as_str();
    html! {
        p.lead {
            "A dry run tells what a run would do now. It reads from the systems that the flow is connected to; every write is "
            "foretold instead of made, nothing is changed anywhere, and nothing is kept of it. It is given up after a minute."
        }
        @if let Some(wrong) = wrong { p.notice.bad role="alert" { (wrong) } }
        form.stacked method="post" action=(address(&["flows", name, "dry-run"], &[])) {
            (secret)
            @if by_nothing(flow) { (inputs::fields(flow, told)) } @else {
                p { "What is it to begin with? Fill in one of these." }
            }
            @for (field, label, hint) in SOURCES {
                @if takes(flow, field) || told(field).is_some() {
                    div.field {
                        label for=(field) { (label) @if by_nothing(flow) { ", instead" } }
                        input id=(field) name=(field) value=(told(field).unwrap_or_default()) aria-describedby={ (field) "-hint" }
                            autocomplete="off" spellcheck="false";
                        div.hint id={ (field) "-hint" } { (hint) }
                    }
                }
            }
            @if !by_nothing(flow) {
                div.field {
                    label for="event" { "An event, as JSON" }
                    textarea id="event" name="event" aria-describedby="event-hint" spellcheck="false" { (told("event").unwrap_or_default()) }
                    div.hint id="event-hint" { "What the flow knows as " code { "trigger" } "." }
                }
            }
            p.actions {
                button.primary type="submit" { "Run it dry" }
                a.button href=(address(&["flows", name], &[])) { "Go back" }
            }
        }
    }
}
