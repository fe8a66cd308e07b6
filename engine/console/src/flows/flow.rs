//! The page of a flow: what it is for, what starts it, what it does, and how it is written.

use axum::extract::{Path, State};
use axum::response::Response;
use cosell_compile::called_by;
use cosell_compile::documents::Document;
use cosell_compile::listing::State as Runs;
use cosell_graph::{Within, of_plan, started_by};
use cosell_journal::lately::Version;
use cosell_journal::read::Listed;
use cosell_model::flow::{Flow, TriggerSource};
use cosell_model::{FlowId, Severity};
use cosell_service::api::Wanted;
use maud::{Markup, PreEscaped, html};

use super::{changes, inputs, no_flow, origin, state, state_of, steps, text};
use crate::Shared;
use crate::access::Visitor;
use crate::facts::Facts;
use crate::page::{DRAWN, Page, Trouble, address, badge, brief, drawing, foreign, heads, moment, outcome};

/// How many of its last runs are shown.
const RUNS: u32 = 5;

/// What the journal tells of a flow.
struct Past {
    runs: Vec<Listed>,
    versions: Vec<Version>,
}

pub(super) async fn page(State(desk): State<Shared>, Path(name): Path<String>, visitor: Visitor) -> Response {
    let facts = desk.facts();
    let Some(flow) = facts.compilation.flows.get(&FlowId::new(name.as_str())) else {
        return no_flow(&facts, &name).seen_by(&visitor);
    };
    let wanted = Wanted { flow: Some(name), most: Some(RUNS), ..Wanted::default() };
    let runs = desk.api.runs(wanted).await.map(|page| page.runs);
    let versions = desk.api.read(|reader| Ok(reader.kept_versions()?)).await;
    match (runs, versions) {
        (Ok(runs), Ok(versions)) => {
            Page::new(&flow.title, "/flows", body(&facts, flow, &Past { runs, versions })).seen_by(&visitor)
        }
        (Err(problem), _) | (_, Err(problem)) => Trouble::from(problem).seen_by(&visitor),
    }
}

fn body(facts: &Facts, flow: &Flow, past: &Past) -> Markup {
    let name = flow.id.value.as_str();
    let document = facts.compilation.documents.flows.get(name);
    let runs = state_of(facts, flow);
    html! {
        p.trail { a href=(address(&["flows"], &[])) { "Flows" } }
        div.head {
            h1 { (foreign(&flow.title)) }
            @if runs == Runs::On {
                div.actions {
                    a.button href=(address(&["flows", name, "dry-run"], &[])) { "Dry run…" }
                    @if inputs::by_hand(flow) { a.button href=(address(&["flows", name, "start"], &[])) { "Start by hand…" } }
                }
            }
        }
        p { code { (name) } " " (state(runs)) " " (origin(document)) }
        @if let Some(description) = &flow.description { p.lead { (foreign(description)) } }
        (wrong(facts, flow, document, runs))
        div.cards {
            section.card aria-labelledby="started" {
                h2 id="started" { "Started by" }
                (started(facts, flow))
            }
            section.card aria-labelledby="others" {
                h2 id="others" { "Other flows" }
                (others(facts, flow))
            }
            section.card aria-labelledby="runs" {
                h2 id="runs" { "Last runs" }
                (last(name, &past.runs))
            }
        }
        (changes::section(document, &facts.compilation.sources))
        @if let Some(plan) = facts.compilation.plans.get(&flow.id.value) {
            h2 id="picture" { "Picture" }
            @let link = |node: &cosell_graph::picture::Node| Some(format!("#step-{}", node.name));
            // The picture escapes what it writes.
            @match of_plan(plan).with_yours(&changes::steps(document)).folded(DRAWN) {
                Some(picture) => (drawing("picture-flow", "Picture of the flow", PreEscaped(picture.svg_within(&Within { prefix: "flow-", link: &link })))),
                None => p.hint { "The flow is too large to be drawn here; " code { "cosell graph " (flow.id.value) " --output flow.svg" } " draws it." },
            }
        }
        h2 id="steps" { "Steps" }
        (steps::list(facts, flow, document))
        (used(facts, flow))
        (text::section(document, &facts.compilation.sources))
        (versions(&past.versions))
    }
}

/// Why it does not run, where it does not.
fn wrong(facts: &Facts, flow: &Flow, document: Option<&Document>, runs: Runs) -> Markup {
    let sources = &facts.compilation.sources;
    let errors: Vec<_> = facts
        .compilation
        .diagnostics
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .filter(|finding| document.is_some_and(|document| document.files.contains(&finding.primary.span.file)))
        .collect();
    html! {
        @if let Some(place) = facts.configuration.off.get(flow.id.value.as_str()) {
            p.notice {
                "It is off: no event starts it, and no other flow can call it. It is turned off at "
                code { (facts.sources.place(*place)) } "."
            }
        }
        @if runs == Runs::HasErrors && errors.is_empty() {
            p.notice.bad { "It cannot run, because a flow that it calls or a mapping that it uses has errors." }
        }
        @for error in errors {
            div.notice.bad {
                p { strong { (foreign(&error.message)) } " " code { (sources.place(error.primary.span)) } }
                @if let Some(help) = &error.help { p { (foreign(help)) } }
            }
        }
    }
}

fn started(facts: &Facts, flow: &Flow) -> Markup {
    let plan = facts.compilation.plans.get(&flow.id.value);
    html! {
        ul.plain {
            @for source in flow.trigger.sources() {
                li {
                    (foreign(started_by(&source.kind)))
                    @if let Some(entrance) = plan.and_then(|plan| plan.trigger.entrance.as_ref()) {
                        " at " code { "/in/" (entrance.path) }
                    } @else if let (Some(with), false) = (&source.with, source.kind == TriggerSource::Http) {
                        " " code { (facts.compilation.sources.slice(with.span)) }
                    }
                }
            }
            @if let Some(when) = &flow.trigger.when { li { "only when " code { (steps::written(facts, when)) } } }
            @if let Some(key) = &flow.key { li { "one at a time by " code { (steps::written(facts, key)) } } }
            @if let Some(parallel) = flow.parallel { li { "at most " (parallel) " at once" } }
        }
        @if !flow.trigger.inputs.is_empty() {
            h3 { "Inputs" }
            dl.facts {
                @for input in &flow.trigger.inputs {
                    dt { code { (input.name.value) } }
                    dd {
                        (input.kind.as_str())
                        @match &input.default {
                            Some(default) => { ", otherwise " (brief(default)) }
                            None => ", required"
                        }
                        @if let Some(description) = &input.description { div.hint { (foreign(description)) } }
                    }
                }
            }
        }
    }
}

fn others(facts: &Facts, flow: &Flow) -> Markup {
    let called = called_by(flow);
    let calls: Vec<&Flow> = called.iter().filter_map(|id| facts.compilation.flows.get(id)).collect();
    let callers: Vec<&Flow> = facts.compilation.callers(&flow.id.value).collect();
    html! {
        @for (words, flows) in [("It calls", &calls), ("Called by", &callers)] {
            @if !flows.is_empty() {
                h3 { (words) }
                ul.plain { @for flow in flows { li { a href=(address(&["flows", flow.id.value.as_str()], &[])) { (foreign(&flow.title)) } } } }
            }
        }
        @if calls.is_empty() && callers.is_empty() { p.nothing { "It calls none, and none calls it." } }
    }
}

fn last(flow: &str, runs: &[Listed]) -> Markup {
    html! {
        @if runs.is_empty() { p.nothing { "The journal has no run that an event or a person started." } } @else {
            ul.plain {
                @for run in runs {
                    li {
                        a href=(address(&["runs", &run.run], &[])) { (moment(run.began)) } " "
                        (outcome(run.outcome.as_deref()))
                        @if let Some(key) = &run.key { div.hint { (foreign(key)) } }
                    }
                }
            }
            p { a href=(address(&["runs"], &[("flow", flow)])) { "All its runs" } }
        }
    }
}

/// The variables and mappings that it uses.
fn used(facts: &Facts, flow: &Flow) -> Markup {
    let variables = facts.compilation.variables_of(flow);
    let mappings = facts.compilation.mappings_of(flow);
    html! {
        div.cards {
            section.card aria-labelledby="mappings" {
                h2 id="mappings" { "Mappings" }
                (listed(&mappings, |name| html! {
                    @let title = facts.compilation.mappings.get(*name).map_or(*name, |mapping| mapping.title.as_str());
                    a href=(address(&["mappings", name], &[])) { (foreign(title)) } " "
                    (origin(facts.compilation.documents.mappings.get(*name)))
                }))
            }
            section.card aria-labelledby="variables" {
                h2 id="variables" { "Variables" }
                (listed(&variables, |(name, variable)| html! {
                    a href={ (address(&["settings"], &[])) "#variable-" (name) } { (foreign(&variable.title)) } ": "
                    (brief(&variable.current))
                    @if variable.current != variable.default { " " (badge("warn", "◆", "not the default")) }
                }))
            }
        }
    }
}

fn listed<T>(all: &[T], one: impl Fn(&T) -> Markup) -> Markup {
    html! {
        @if all.is_empty() { p.nothing { "It uses none." } } @else { ul.plain { @for item in all { li { (one(item)) } } } }
    }
}

fn versions(versions: &[Version]) -> Markup {
    html! {
        h2 id="versions" { "Versions" }
        p.lead { "A version is all flows, mappings and variables together. Runs end in the version they began in, so the journal keeps those of its runs." }
        div.table.broad role="region" aria-label="Versions" tabindex="0" {
            table {
                caption { "Versions that are kept" }
                (heads(["Version", "Runs begin in it since", "Under way in it"]))
                tbody {
                    @for (at, version) in versions.iter().enumerate() {
                        tr {
                            th scope="row" { code { (version.version) } @if at == 0 { " " (badge("good", "●", "now")) } }
                            td { (moment(version.since)) @if let Some(next) = at.checked_sub(1).and_then(|at| versions.get(at)) { ", until " (moment(next.since)) } }
                            td { (cosell_model::words::counted(version.under_way as usize, "run")) }
                        }
                    }
                }
            }
        }
    }
}
