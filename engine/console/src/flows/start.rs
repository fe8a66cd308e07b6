//! Starting a flow by hand.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use cosell_model::{Effect, FlowId, Value};
use maud::{Markup, html};

use super::{inputs, no_flow};
use crate::Shared;
use crate::access::{Act, Visitor};
use crate::facts::Facts;
use crate::page::{Confirm, Trouble, address, foreign};

pub(super) async fn ask(State(desk): State<Shared>, Path(name): Path<String>, visitor: Visitor) -> Response {
    let facts = desk.facts();
    let Some(flow) = facts.compilation.flows.get(&FlowId::new(name.as_str())) else {
        return no_flow(&facts, &name).seen_by(&visitor);
    };
    if !inputs::by_hand(flow) {
        let detail = format!(
            "`{name}` is not started by hand, but by what happens. A run of it can be resubmitted, and a dry run tells what \
             one would do."
        );
        return Trouble::new(StatusCode::CONFLICT, detail).seen_by(&visitor);
    }
    let question = Confirm {
        title: "Start this flow?",
        menu: "/flows",
        what: what(&facts, &name, &flow.title),
        fields: inputs::fields(flow, |_| None),
        action: &address(&["flows", &name, "start"], &[]),
        button: "Start the flow",
        back: &address(&["flows", &name], &[]),
    };
    question.seen_by(&visitor)
}

fn what(facts: &Facts, name: &str, title: &str) -> Markup {
    let writes = facts.compilation.plans.get(&FlowId::new(name)).is_some_and(|plan| plan.effect == Effect::Write);
    html! {
        p { "A run of " strong { (foreign(title)) } " begins now." }
        p {
            @if writes { "It may write to the systems that it is connected to. To see before what it would write, " }
            @else { "It only reads. To see what it does without a trace in the journal, " }
            a href=(address(&["flows", name, "dry-run"], &[])) { "run it dry" } "."
        }
    }
}

pub(super) async fn start(State(desk): State<Shared>, Path(name): Path<String>, act: Act) -> Response {
    let facts = desk.facts();
    let Some(flow) = facts.compilation.flows.get(&FlowId::new(name.as_str())).filter(|flow| inputs::by_hand(flow))
    else {
        return no_flow(&facts, &name).seen_by(&act.visitor);
    };
    let inputs = match inputs::read(flow, |field| act.told.text(field)) {
        Ok(inputs) => inputs,
        Err(wrong) => return Trouble::new(StatusCode::UNPROCESSABLE_ENTITY, wrong).seen_by(&act.visitor),
    };
    match desk.api.start(&name, Value::Null, inputs).await {
        Ok(started) => Redirect::to(&address(&["runs", &started.run], &[])).into_response(),
        Err(problem) => Trouble::from(problem).seen_by(&act.visitor),
    }
}
