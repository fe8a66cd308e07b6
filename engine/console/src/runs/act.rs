//! What can be done with a run: each with a page that says what will happen, before it does.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use cosell_journal::past::Whole;
use cosell_journal::read::{Listed, Shown};
use cosell_journal::waits::Fate;
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::Engine;
use cosell_service::api::{Problem, Resume, Skip, Started};
use maud::{Markup, html};

use super::head::{Offers, act, is_skippable};
use super::parts::{failure, line, run_address, title};
use crate::Shared;
use crate::access::{Act, Visitor};
use crate::page::{Confirm, Trouble, address, foreign, moment, outcome};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/runs/{run}/resume", get(ask_resume).post(resume))
        .route("/runs/{run}/skip", get(ask_skip).post(skip))
        .route("/runs/{run}/cancel", get(ask_cancel).post(cancel))
        .route("/runs/{run}/resubmit", get(ask_resubmit).post(resubmit))
}

async fn ask_resume(State(desk): State<Shared>, visitor: Visitor, Path(run): Path<String>) -> Response {
    let (shown, engine) = match desk.api.shown(&run).await {
        Ok(shown) => (shown, desk.api.engine()),
        Err(problem) => return Trouble::from(problem).seen_by(&visitor),
    };
    if !Offers::of(&engine, &shown).resume {
        return refused("It can be resumed only once it has ended, and not where it succeeded.", &visitor);
    }
    let what = html! {
        (which(&shown.listed, title(&desk.facts(), &shown.listed.flow)))
        ul {
            li { "The run goes on under the same id. What worked, and is given the same as before, is not done again." }
            li { "The step that failed is done again, and then what comes behind it." }
            li { "A write that may have worked, although its answer was lost, is looked for before anything is written." }
        }
    };
    Confirm {
        title: "Resume this run?",
        menu: "/runs",
        what,
        fields: versions(&engine, &shown),
        action: &act(&run, "resume"),
        button: "Resume the run",
        back: &run_address(&run),
    }
    .seen_by(&visitor)
}

async fn resume(State(desk): State<Shared>, Path(run): Path<String>, act: Act) -> Response {
    let done = desk.api.resume(run, Resume { original: original(&act) }).await;
    answer(done, "resume", &act.visitor)
}

async fn ask_skip(
    State(desk): State<Shared>,
    visitor: Visitor,
    Path(run): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let (whole, engine) = match desk.api.whole(&run).await {
        Ok(whole) => (whole, desk.api.engine()),
        Err(problem) => return Trouble::from(problem).seen_by(&visitor),
    };
    if !Offers::of(&engine, &whole.run).resume {
        return refused("Steps can be skipped only once the run has ended, and not where it succeeded.", &visitor);
    }
    let chosen: BTreeSet<&str> =
        query.iter().filter(|(name, _)| name == "step").map(|(_, step)| step.as_str()).collect();
    let candidates = skippable(&whole);
    if candidates.is_empty() {
        return refused(
            "No step of it that called something failed, so there is none to skip. Resume it instead.",
            &visitor,
        );
    }
    let what = html! {
        (which(&whole.run.listed, title(&desk.facts(), &whole.run.listed.flow)))
        ul {
            li { "The steps that you choose count as done. They are not called again, and what they yield is null, for every step that uses it." }
            li { "The run goes on under the same id. What else worked is not done again, and what comes behind is done." }
            li { "What a chosen step should have written is not written, unless it was before it failed." }
        }
    };
    let fields = html! {
        fieldset {
            legend { "Steps that count as done" }
            @for (at, (path, title, ended)) in candidates.iter().enumerate() {
                p {
                    input type="checkbox" id={ "step-" (at) } name="step" value=(path) checked[chosen.contains(path.as_str()) || candidates.len() == 1];
                    " "
                    label for={ "step-" (at) } { code { (foreign(path)) } " " @if path != title { (foreign(title)) " " } (outcome(Some(ended))) }
                }
            }
        }
        (versions(&engine, &whole.run))
    };
    Confirm {
        title: "Skip steps and resume?",
        menu: "/runs",
        what,
        fields,
        action: &act(&run, "skip"),
        button: "Skip them and resume the run",
        back: &run_address(&run),
    }
    .seen_by(&visitor)
}

async fn skip(State(desk): State<Shared>, Path(run): Path<String>, act: Act) -> Response {
    let steps: Vec<String> = act.told.all("step").map(str::to_owned).collect();
    if steps.is_empty() {
        let detail = "No step was chosen. Go back, and choose those that count as done.";
        return Trouble::new(StatusCode::UNPROCESSABLE_ENTITY, detail).seen_by(&act.visitor);
    }
    let done = desk.api.skip(run, Skip { steps, original: original(&act) }).await;
    answer(done, "skip", &act.visitor)
}

async fn ask_cancel(State(desk): State<Shared>, visitor: Visitor, Path(run): Path<String>) -> Response {
    let id = run.clone();
    let found = desk.api.read(move |reader| Ok((reader.run(&id)?, reader.fate(&id)?))).await;
    let what = match found {
        Ok((Some(shown), _)) if shown.listed.ended.is_some() => return refused("It has ended already.", &visitor),
        Ok((Some(shown), _)) => html! {
            (which(&shown.listed, title(&desk.facts(), &shown.listed.flow)))
            ul {
                li { "Steps that are under way are stopped, and no other begins." }
                li { "What it has written stays written: nothing is undone." }
                li { "A write that is on its way may still arrive." }
                li { "It can be resumed afterwards." }
            }
        },
        Ok((None, Some(Fate::Waits(letter)))) => html! {
            p { "It is a run of " strong { (foreign(title(&desk.facts(), &letter.flow))) } ", and waits for its turn since " (moment(letter.received)) "." }
            ul {
                li { "It does not begin. Nothing is written." }
                li { "Its event stays among those that became no run, where it can be tried again." }
            }
        },
        Ok(_) => return Trouble::from(Problem::no_run(&run)).seen_by(&visitor),
        Err(problem) => return Trouble::from(problem).seen_by(&visitor),
    };
    Confirm {
        title: "Cancel this run?",
        menu: "/runs",
        what,
        fields: html! {},
        action: &act(&run, "cancel"),
        button: "Cancel the run",
        back: &run_address(&run),
    }
    .seen_by(&visitor)
}

async fn cancel(State(desk): State<Shared>, Path(run): Path<String>, act: Act) -> Response {
    let done = desk.api.cancel(run.clone()).await;
    let began = desk.api.read(move |reader| Ok(reader.run(&run)?.is_some())).await;
    match (done, began) {
        // It never began, so it has no page.
        (Ok(_), Ok(false)) => Redirect::to(&address(&["runs", "dead"], &[])).into_response(),
        (done, _) => answer(done, "cancel", &act.visitor),
    }
}

async fn ask_resubmit(State(desk): State<Shared>, visitor: Visitor, Path(run): Path<String>) -> Response {
    let (shown, engine) = match desk.api.shown(&run).await {
        Ok(shown) => (shown, desk.api.engine()),
        Err(problem) => return Trouble::from(problem).seen_by(&visitor),
    };
    if !Offers::of(&engine, &shown).resubmit {
        return refused("It can be resubmitted once it has ended, where its flow is still on.", &visitor);
    }
    let what = html! {
        (which(&shown.listed, title(&desk.facts(), &shown.listed.flow)))
        ul {
            li { "A new run of today’s flow begins, from the same trigger and the same inputs. This one stays as it is." }
            li { "Everything is done again, from the first step on, with what the records hold now." }
            li {
                "Nothing ties the new run’s writes to those of this one, so it is the flow that keeps from doubling: "
                "those that come with cosell look for the other side of a deal before they make one, and write only what differs. "
                "A flow of your own that creates without looking creates once more."
            }
        }
        @if shown.listed.outcome.as_deref() != Some("succeeded") {
            p { "To go on where this run stopped, " a href=(act(&run, "resume")) { "resume it" } " instead." }
        }
    };
    Confirm {
        title: "Do everything of this run again?",
        menu: "/runs",
        what,
        fields: html! {},
        action: &act(&run, "resubmit"),
        button: "Start a new run",
        back: &run_address(&run),
    }
    .seen_by(&visitor)
}

async fn resubmit(State(desk): State<Shared>, Path(run): Path<String>, act: Act) -> Response {
    answer(desk.api.resubmit(&run).await, "resubmit", &act.visitor)
}

/// What one sees next: the run, which may take a moment to begin.
fn answer(done: Result<Started, Problem>, what: &str, visitor: &Visitor) -> Response {
    match done {
        Ok(started) => Redirect::to(&address(&["runs", &started.run], &[("done", what)])).into_response(),
        Err(problem) => Trouble::from(problem).seen_by(visitor),
    }
}

fn refused(why: &str, visitor: &Visitor) -> Response {
    Trouble::new(StatusCode::CONFLICT, why).seen_by(visitor)
}

/// Which run it is.
fn which(run: &Listed, title: &str) -> Markup {
    let why = failure(run);
    html! {
        p {
            "It is a run of " strong { (foreign(title)) } " that began " (moment(run.began))
            @if let Some(key) = &run.key { ", with the key " code { (foreign(key)) } }
            ": " (outcome(run.outcome.as_deref()))
        }
        @if let Some(why) = why {
            p.notice.bad { @if let Some(step) = &why.step { "Step " code { (foreign(step)) } ": " } (foreign(line(&why.message, 400))) }
        }
    }
}

/// In which version of the flows the run goes on, where there is a choice.
fn versions(engine: &Engine, run: &Shown) -> Markup {
    let flow = FlowId::new(run.listed.flow.as_str());
    let known = engine.plan_in(&run.version, &flow).is_some();
    let today = engine.plan(&flow).is_some();
    html! {
        @if run.version == engine.version() {
            p.hint { "The flows have not been changed since the run began." }
        } @else if known {
            fieldset {
                legend { "The flows have been changed since the run began. It goes on" }
                p { input type="radio" id="today" name="original" value="no" checked[today] disabled[!today]; " " label for="today" { "in today’s flows" } }
                p { input type="radio" id="original" name="original" value="yes" checked[!today]; " " label for="original" { "in the flows that it began in" } }
            }
        } @else {
            p.hint { "It goes on in today’s flows: those that it began in are not known any more." }
        }
    }
}

fn original(act: &Act) -> bool {
    act.told.text("original") == Some("yes")
}

/// Steps that can count as done: those that called something and did not work. Their paths, titles and outcomes.
fn skippable(whole: &Whole) -> Vec<(String, String, String)> {
    let root = format!("{}/", whole.run.listed.run);
    let called = whole.called.iter().map(|(id, run)| (format!("{}/", id.strip_prefix(&root).unwrap_or(id)), run));
    let runs = std::iter::once((String::new(), &whole.run)).chain(called);
    let steps = runs.flat_map(|(prefix, run)| run.steps.iter().map(move |step| (prefix.clone(), step)));
    let failed = steps.filter(|(_, step)| is_skippable(step));
    let text = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    failed
        .map(|(prefix, step)| (format!("{prefix}{}", text(step, "path")), text(step, "title"), text(step, "outcome")))
        .collect()
}
