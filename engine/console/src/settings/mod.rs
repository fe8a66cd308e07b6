//! The settings: variables, connections, whom remote systems call, and how the service runs.
//!
//! This file is the page; `connections` is the part about connections, without anything that is secret.

mod connections;

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use cosell_compile::configuration::service::{KEEP_DAYS, KEEP_MEGABYTES, LOOPBACK};
use cosell_compile::variables::Variable;
use cosell_model::flow::Flow;
use cosell_service::api::{Hook, HookState, Status};
use maud::{Markup, html};

use crate::Shared;
use crate::access::Visitor;
use crate::facts::Facts;
use crate::page::{Page, Trouble, address, badge, brief, foreign, heads, hooked, moment};

/// The flows that use each variable, with their numbers.
type Users<'f> = BTreeMap<&'f str, Vec<(usize, &'f Flow)>>;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/settings", get(page))
}

async fn page(State(desk): State<Shared>, visitor: Visitor) -> Response {
    let facts = desk.facts();
    let engine = desk.api.engine();
    match desk.api.status().await {
        Ok(status) => {
            let body = html! {
                h1 { "Settings" }
                p.lead {
                    "Set in the configuration"
                    @if let Some(environment) = &facts.configuration.environment { ", for the environment " strong { (foreign(environment)) } }
                    ". This page only shows them: change the file, and have the service read it again."
                }
                h2 id="connections" { "Connections" }
                (connections::cards(&facts, &status, &engine))
                div.cards {
                    (hooks(&facts, &status.hooks))
                    (service(&facts, &status))
                }
                (variables(&facts))
            };
            Page::new("Settings", "/settings", body).seen_by(&visitor)
        }
        Err(problem) => Trouble::from(problem).seen_by(&visitor),
    }
}

fn variables(facts: &Facts) -> Markup {
    let mut users: Users<'_> = BTreeMap::new();
    for (number, flow) in facts.compilation.in_order() {
        for (name, _) in facts.compilation.variables_of(flow) {
            users.entry(name).or_default().push((number, flow));
        }
    }
    html! {
        h2 id="variables" { "Variables" }
        div.table.broad role="region" aria-labelledby="variables" tabindex="0" {
            table {
                caption { "What flows and mappings read; the flows by their numbers" }
                (heads(["Variable", "Type", "Default", "Now", "Set at", "Used by"]))
                tbody { @for (name, variable) in &facts.compilation.variables { (row(facts, name, variable, &users)) } }
            }
        }
    }
}

fn row(facts: &Facts, name: &str, variable: &Variable, users: &Users<'_>) -> Markup {
    let set = facts.configuration.variables.get(name);
    let differs = variable.current != variable.default;
    let users = users.get(name).map(Vec::as_slice).unwrap_or_default();
    html! {
        tr id={ "variable-" (name) } class=[differs.then_some("differs")] {
            th scope="row" {
                (foreign(&variable.title))
                div.hint { code { (name) } }
                @if let Some(description) = &variable.description { div.hint.describes { (foreign(description)) } }
            }
            td { (variable.kind.as_str()) }
            td { (brief(&variable.default)) }
            td {
                (brief(&variable.current))
                @if differs { div { (badge("warn", "◆", "not the default")) } }
            }
            td { @match set { Some(set) => code { (facts.sources.place(set.span)) }, None => span.nothing { "nowhere" } } }
            td {
                @if users.is_empty() { span.nothing { "no flow" } }
                @for (at, (number, flow)) in users.iter().enumerate() {
                    @if at > 0 { ", " }
                    a href=(address(&["flows", flow.id.value.as_str()], &[])) aria-label={ (number) ": " (flow.title) } { (number) }
                }
            }
        }
    }
}

fn hooks(facts: &Facts, hooks: &[Hook]) -> Markup {
    html! {
        section.card aria-labelledby="hooks" {
            h2 id="hooks" { "Web hooks" }
            @if facts.configuration.service.public_url.is_none() {
                p {
                    "The service does not know its own address as others see it, so it cannot look whether remote systems call it. Set "
                    code { "service: { public_url: … }" } " in the configuration."
                }
            } @else if hooks.is_empty() {
                p.nothing { "No flow that is on waits for a remote system to call, or nobody has looked yet." }
            }
            @for hook in hooks { (registered(hook)) }
        }
    }
}

fn registered(hook: &Hook) -> Markup {
    let register = || html! { code { "cosell webhooks register" } };
    let todo = match hook.state {
        HookState::Here => html! { "Nothing is to be done." },
        HookState::Partly => html! { "Add those that are missing by " (register()) "." },
        HookState::Elsewhere => html! {
            "Take the events back by " code { "cosell webhooks register --overwrite" } "; the other address then gets none any more."
        },
        HookState::Nowhere => html! { "No event comes. Register this service by " (register()) "." },
        HookState::Unknown => html! { "Look in the remote system itself, whether it calls the address below." },
        HookState::Failed => html! {
            "The service asks again by itself. If it stays so, look at the connection: " code { "cosell doctor" } "."
        },
    };
    html! {
        h3 { (foreign(format!("{}.{}", hook.connection, hook.trigger))) " " (hooked(hook.state)) }
        p { (todo) }
        dl.facts {
            dt { "Address here" } dd { code { (hook.url) } }
            @if !hook.detail.is_empty() { dt { "Found" } dd { (foreign(&hook.detail)) } }
        }
    }
}

fn service(facts: &Facts, status: &Status) -> Markup {
    let said = &facts.configuration.service;
    let usual = || html! { " " span.nothing { "(the default)" } };
    html! {
        section.card aria-labelledby="service" {
            h2 id="service" { "Service" }
            dl.facts {
                dt { "Environment" }
                dd { @match &facts.configuration.environment { Some(name) => (foreign(name)), None => span.nothing { "the configuration has none" } } }
                dt { "Listens at" }
                dd { code { (said.listen.unwrap_or(LOOPBACK)) } @if said.listen.is_none() { (usual()) } ", unless it was started with " code { "--listen" } }
                dt { "Address for others" }
                dd { @match &said.public_url { Some(url) => code { (url) }, None => span.nothing { "not set" } } }
                dt { "TLS" }
                dd { @if said.tls.is_some() { "it speaks TLS itself" } @else { "it does not speak TLS: a proxy in front of it does, or nobody" } }
                dt { "Runs are kept for" }
                dd { (said.keep_days.unwrap_or(KEEP_DAYS)) " days" @if said.keep_days.is_none() { (usual()) } }
                dt { "At most" }
                dd { (said.keep_megabytes.unwrap_or(KEEP_MEGABYTES)) " MB" @if said.keep_megabytes.is_none() { (usual()) } }
                dt { "Journal now" }
                dd { (status.kept.journal_bytes / 1_000_000) " MB" }
                dt { "Your own flows" }
                dd {
                    @if facts.configuration.flows.is_empty() { span.nothing { "no folder is named" } }
                    @for folder in &facts.configuration.flows { code { (folder) } " " }
                }
                dt { "Version" }
                dd { "cosell " (status.version) ", serving since " (moment(status.began)) }
            }
        }
    }
}
