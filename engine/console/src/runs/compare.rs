//! Two runs side by side: how they ended, their steps by path, and where what they began with and yielded differs.

use std::collections::{HashMap, HashSet};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use cosell_journal::past::Whole;
use cosell_model::Value;
use cosell_model::outcome::SkipReason;
use cosell_runtime::record::StepRecord;
use maud::{Markup, html};
use serde::Deserialize;

use super::differ::differences;
use super::parts::{failure, flow, key, line, run_address, short, took};
use super::room::Room;
use crate::Shared;
use crate::access::Visitor;
use crate::facts::Facts;
use crate::page::{self, Head, Page, Trouble, address, badge, brief, foreign, heads, moment, outcome};

/// How many steps a page shows, and how many differences of a value.
const STEPS: usize = 200;
const DIFFERENCES: usize = 50;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/runs/compare", get(compare))
}

/// What a reader wants to see compared.
struct Asked {
    runs: Vec<String>,
    /// Whether equal steps are shown too.
    all: bool,
    from: usize,
}

impl Asked {
    fn of(query: &[(String, String)]) -> Self {
        let named = |wanted: &'static str| {
            query.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.trim().to_owned())
        };
        let runs = named("left").chain(named("right")).chain(named("run")).filter(|run| !run.is_empty()).collect();
        Self {
            runs,
            all: named("all").next().is_some(),
            from: named("from").find_map(|from| from.parse().ok()).unwrap_or(0),
        }
    }
}

async fn compare(State(desk): State<Shared>, visitor: Visitor, Query(query): Query<Vec<(String, String)>>) -> Response {
    let asked = Asked::of(&query);
    let [left, right] = &asked.runs[..] else {
        let detail = format!("Two runs can be compared, and {} are named: go back, and choose two.", asked.runs.len());
        return Trouble::new(StatusCode::BAD_REQUEST, detail).seen_by(&visitor);
    };
    // The older stands on the left, whichever way they were chosen.
    let found = match (desk.api.whole(left).await, desk.api.whole(right).await) {
        (Ok(one), Ok(other)) if one.run.listed.began > other.run.listed.began => Ok((other, one)),
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    match found {
        Ok((left, right)) => {
            let body = body(&left, &right, &asked, &desk.facts());
            Page::new("Two runs side by side", "/runs", body).seen_by(&visitor)
        }
        Err(problem) => Trouble::from(problem).seen_by(&visitor),
    }
}

fn body(left: &Whole, right: &Whole, asked: &Asked, facts: &Facts) -> Markup {
    let room = Room::for_many();
    html! {
        p.trail { a href=(address(&["runs"], &[])) { "Runs" } }
        h1 { "Two runs side by side" }
        (ends(left, right, facts))
        h2 { "Steps" }
        (steps(left, right, asked, &room))
        h2 { "What they began with, and what came of them" }
        div.card {
            @for (name, one, other) in values(left, right) { (value(name, one, other, &room)) }
        }
    }
}

fn ends(left: &Whole, right: &Whole, facts: &Facts) -> Markup {
    let runs = [&left.run, &right.run];
    let differ = |one: &dyn Fn(usize) -> Option<String>| one(0) != one(1);
    let whys: Vec<Option<String>> = runs
        .iter()
        .map(|run| {
            failure(&run.listed).map(|why| {
                let step = why.step.as_ref().map_or(String::new(), |step| format!("{step}: "));
                line(&format!("{step}{}", why.message), 300)
            })
        })
        .collect();
    html! {
        div.table tabindex="0" role="region" aria-label="The two runs" {
            table aria-label="The two runs" {
                (heads(
                    [Head::Unseen("Of what")].into_iter().chain(runs.iter().zip(["Left", "Right"]).map(|(run, side)| {
                        html! { (side) ": " a href=(run_address(&run.listed.run)) { "run …" (short(&run.listed.run)) } }.into()
                    }))
                ))
                tbody {
                    tr class=[differ(&|at| runs[at].listed.outcome.clone()).then_some("differs")] {
                        th scope="row" { "Outcome" }
                        @for run in runs { td { (outcome(run.listed.outcome.as_deref())) } }
                    }
                    @if whys.iter().any(Option::is_some) {
                        tr class=[(whys[0] != whys[1]).then_some("differs")] {
                            th scope="row" { "Why it failed" }
                            @for why in &whys { td { @if let Some(why) = why { (foreign(why)) } @else { span.nothing { "did not fail" } } } }
                        }
                    }
                    tr class=[differ(&|at| Some(runs[at].listed.flow.clone())).then_some("differs")] {
                        th scope="row" { "Flow" }
                        @for run in runs { td { (flow(facts, &run.listed.flow)) } }
                    }
                    tr class=[differ(&|at| runs[at].listed.key.clone()).then_some("differs")] {
                        th scope="row" { "Key" }
                        @for run in runs { td { @if let Some(name) = &run.listed.key { (key(name)) } @else { span.nothing { "none" } } } }
                    }
                    tr {
                        th scope="row" { "Began" }
                        @for run in runs { td { (moment(run.listed.began)) } }
                    }
                    tr {
                        th scope="row" { "Took" }
                        @for run in runs { td { @if let Some(took) = took(&run.listed) { (took) } } }
                    }
                    tr class=[differ(&|at| Some(runs[at].version.clone())).then_some("differs")] {
                        th scope="row" { "Version of the flows" }
                        @for run in runs { td { code { (foreign(short(&run.version))) } } }
                    }
                }
            }
        }
    }
}

/// A step of either run, by its path from the outermost run on.
struct Pair {
    path: String,
    left: Option<StepRecord>,
    right: Option<StepRecord>,
}

impl Pair {
    /// How the two compare, in a word.
    fn verdict(&self) -> &'static str {
        match (&self.left, &self.right) {
            (Some(left), Some(right)) => {
                let alike = left.outcome == right.outcome
                    && left.input == right.input
                    && left.output == right.output
                    && left.failure.as_ref().map(|failure| &failure.message)
                        == right.failure.as_ref().map(|failure| &failure.message);
                if alike { "same" } else { "differs" }
            }
            (Some(_), None) => "only left",
            (None, _) => "only right",
        }
    }
}

/// The steps of both, those of the left run in their order, each of the right where it stood.
fn pairs(left: &Whole, right: &Whole) -> Vec<Pair> {
    let (one, mut other) = (records(left), records(right));
    let known: HashSet<&str> = one.iter().map(|(path, _)| path.as_str()).collect();
    let mut behind: HashMap<Option<String>, Vec<(String, StepRecord)>> = HashMap::new();
    let mut matched: HashMap<String, StepRecord> = HashMap::new();
    let mut last = None;
    for (path, record) in other.drain(..) {
        if known.contains(path.as_str()) {
            last = Some(path.clone());
            matched.insert(path, record);
        } else {
            behind.entry(last.clone()).or_default().push((path, record));
        }
    }
    let only_right = |steps: Option<Vec<(String, StepRecord)>>| {
        steps.into_iter().flatten().map(|(path, record)| Pair { path, left: None, right: Some(record) })
    };
    let mut pairs: Vec<Pair> = only_right(behind.remove(&None)).collect();
    for (path, record) in one {
        let right = matched.remove(&path);
        let more = behind.remove(&Some(path.clone()));
        pairs.push(Pair { path, left: Some(record), right });
        pairs.extend(only_right(more));
    }
    pairs
}

/// The steps of a run and of those that it called, but for those whose branch was not taken. Those of a called run stand
/// before the step that called it, which ended after them.
fn records(whole: &Whole) -> Vec<(String, StepRecord)> {
    let mut found = Vec::new();
    gather(whole, &whole.run.listed.run, "", &mut found);
    found
}

fn gather(whole: &Whole, run: &str, prefix: &str, found: &mut Vec<(String, StepRecord)>) {
    let shown = if run == whole.run.listed.run { Some(&whole.run) } else { whole.called.get(run) };
    for step in shown.into_iter().flat_map(|shown| &shown.steps) {
        let Ok(record) = StepRecord::deserialize(step) else { continue };
        if record.skipped == Some(SkipReason::NotTaken) {
            continue;
        }
        let path = format!("{prefix}{}", record.path);
        let called = format!("{run}/{}", record.path);
        if whole.called.contains_key(&called) {
            gather(whole, &called, &format!("{path}/"), found);
        }
        found.push((path, record));
    }
}

fn steps(left: &Whole, right: &Whole, asked: &Asked, room: &Room) -> Markup {
    let all = pairs(left, right);
    let equal = all.iter().filter(|pair| pair.verdict() == "same").count();
    let chosen: Vec<&Pair> = all.iter().filter(|pair| asked.all || pair.verdict() != "same").collect();
    let sides = [("left", left.run.listed.run.as_str()), ("right", right.run.listed.run.as_str())];
    let page = |all: bool, from: usize| {
        let from = from.to_string();
        let mut query = sides.to_vec();
        query.extend(all.then_some(("all", "yes")));
        query.extend((from != "0").then_some(("from", from.as_str())));
        address(&["runs", "compare"], &query)
    };
    let to = chosen.len().min(asked.from.saturating_add(STEPS));
    html! {
        @if chosen.is_empty() { p { "Both did the same, step by step." } } @else {
            div.table tabindex="0" role="region" aria-label="The steps of both" {
                table aria-label="The steps of both runs" {
                    (heads(["Step", "Left", "Right", "Verdict"]))
                    tbody { @for pair in chosen.iter().skip(asked.from).take(STEPS) { (row(pair, room)) } }
                }
            }
        }
        div.pages {
            @if !asked.all && equal > 0 { a href=(page(true, 0)) { "Show the " (equal) " steps that are the same, too" } }
            @if asked.all && equal > 0 { a href=(page(false, 0)) { "Show only what differs" } }
            @if asked.from > 0 { a href=(page(asked.all, 0)) { "← First steps" } }
            @if to < chosen.len() { a href=(page(asked.all, to)) { "Steps " (to + 1) " to " (chosen.len()) " →" } }
        }
    }
}

fn row(pair: &Pair, room: &Room) -> Markup {
    let verdict = pair.verdict();
    let title = pair.left.as_ref().or(pair.right.as_ref()).map(|record| record.title.as_str()).unwrap_or_default();
    let detail = if verdict == "differs" { detail(pair, room) } else { None };
    html! {
        tr class=[(verdict == "differs").then_some("differs")] {
            th scope="row" {
                (foreign(title)) @if pair.path != title { " " code { (foreign(&pair.path)) } }
                @if let Some(detail) = detail { details { summary { "What differs" } div.unfolded { (detail) } } }
            }
            @for side in [&pair.left, &pair.right] {
                td.fit {
                    @match side {
                        Some(record) => { (outcome(Some(record.outcome.as_str()))) @if !record.took.is_zero() { " " span.hint { (page::took(record.took)) } } }
                        None => span.nothing { "not there" },
                    }
                }
            }
            td { (mark(verdict)) }
        }
    }
}

fn mark(verdict: &str) -> Markup {
    match verdict {
        "same" => badge("calm", "=", "same"),
        "differs" => badge("warn", "≠", "differs"),
        other => badge("warn", "+", other),
    }
}

/// What differs in a step; none where it is only how it ended, which the line says.
fn detail(pair: &Pair, room: &Room) -> Option<Markup> {
    let (left, right) = (pair.left.as_ref()?, pair.right.as_ref()?);
    let failure =
        |record: &StepRecord| record.failure.as_ref().map_or(Value::Null, |failure| failure.to_string().into());
    let (one, other) = (failure(left), failure(right));
    let parts =
        [("Failure", &one, &other), ("Input", &*left.input, &*right.input), ("Output", &*left.output, &*right.output)];
    let differing: Vec<_> = parts.into_iter().filter(|(_, one, other)| one != other).collect();
    if differing.is_empty() || !room.any() {
        return None;
    }
    room.takes(html! { @for (name, one, other) in differing { p.label { (name) } (table(&format!("{name} of {}", pair.path), one, other)) } })
}

/// The fields in which two values differ.
fn table(name: &str, left: &Value, right: &Value) -> Markup {
    let (found, more) = differences(left, right, DIFFERENCES);
    let side = |value: Option<&Value>| html! { @if let Some(value) = value { (brief(value)) } @else { span.nothing { "not there" } } };
    html! {
        div.table tabindex="0" role="region" aria-label={ (name) ": what differs" } {
            table aria-label={ (name) ": what differs, field by field" } {
                (heads(["Field", "Left", "Right"]))
                tbody {
                    @for found in found {
                        tr {
                            th scope="row" { @if found.path.is_empty() { "all of it" } @else { code { (foreign(&found.path)) } } }
                            td { (side(found.left)) }
                            td { (side(found.right)) }
                        }
                    }
                }
            }
        }
        @if more { p.hint { "More differ than are shown." } }
    }
}

fn values<'w>(left: &'w Whole, right: &'w Whole) -> [(&'static str, &'w Value, &'w Value); 4] {
    let (one, other) = (&left.run, &right.run);
    [
        ("Trigger", &one.trigger, &other.trigger),
        ("Inputs", &one.inputs, &other.inputs),
        ("Output", &one.output, &other.output),
        ("Answer", &one.answer, &other.answer),
    ]
}

fn value(name: &str, left: &Value, right: &Value, room: &Room) -> Markup {
    if left.is_null() && right.is_null() {
        return html! {};
    }
    html! {
        @if left == right {
            details { summary { (name) " " (mark("same")) } div.unfolded { (room.value("Both", left, "#")) } }
        } @else {
            details open { summary { (name) " " (mark("differs")) } div.unfolded { (room.takes(table(name, left, right)).unwrap_or_default()) } }
        }
    }
}
