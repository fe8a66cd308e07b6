//! The steps of a run as a page shows them: a line each, with what went in and came out to unfold.

use cosell_model::{Failure, Outcome, spans};
use cosell_runtime::record::StepRecord;
use cosell_sdk::RequestRecord;
use maud::{Markup, html};

use super::drawing;
use super::parts::{line as line_of, title};
use super::room::Room;
use super::seen::{Group, Inner, Kind, More, Seen, State, Step};
use super::written::{Field, Written};
use crate::facts::Facts;
use crate::page::{self, address, badge, brief, foreign, heads, outcome, took};

/// As many requests of a step as are shown.
const REQUESTS: usize = 20;

/// What the lines of a page have in common.
pub(super) struct Lines<'l> {
    /// The outermost run.
    pub(super) run: &'l str,
    /// What the page shows alone.
    pub(super) open: Option<&'l str>,
    pub(super) untaken: bool,
    pub(super) facts: &'l Facts,
    pub(super) room: &'l Room,
}

impl Lines<'_> {
    /// All steps that the page shows.
    pub(super) fn all(&self, seen: &Seen) -> Markup {
        html! {
            @if seen.inner.unreadable > 0 {
                p.notice.warn { (seen.inner.unreadable) " steps are kept in a form that cannot be read; " code { "cosell journal check" } " looks for damage." }
            }
            @if seen.steps.is_empty() && seen.more.is_none() {
                p.hint { @if seen.inner.listed.ended.is_some() { "No step is kept of it." } @else { "No step has ended yet." } }
            }
            ol.ran { @for step in &seen.steps { (self.step(step)) } }
            (self.more(seen.more.as_ref(), "Steps"))
            @if seen.untaken > 0 {
                p.hint {
                    @let steps = if seen.untaken == 1 { "1 step".to_owned() } else { format!("{} steps", seen.untaken) };
                    (steps) " in branches that were not taken left out. "
                    a href=(address(&["runs", self.run], &[("untaken", "show")])) { "Show steps not taken" }
                }
            }
        }
    }

    /// The page that shows what this path names, from a step or a round on.
    fn address(&self, open: Option<&str>, from: usize) -> String {
        let from = from.to_string();
        let mut query: Vec<(&str, &str)> = open.iter().map(|open| ("open", *open)).collect();
        query.extend((from != "0").then_some(("from", from.as_str())));
        query.extend(self.untaken.then_some(("untaken", "show")));
        address(&["runs", self.run], &query)
    }

    fn more(&self, more: Option<&More>, what: &str) -> Markup {
        html! {
            @if let Some(more) = more {
                p.more {
                    a href=(self.address(more.open.as_deref(), more.from)) {
                        @if more.total == 0 { "Show what lies below" } @else { (what) " " (more.from + 1) " to " (more.total) }
                    }
                }
            }
        }
    }

    fn step(&self, step: &Step) -> Markup {
        let inside = self.inside(step);
        html! {
            li id={ "step-" (step.path) } {
                @match inside {
                    Some(inside) => details.step id={ "at-" (step.path) } open[self.open == Some(step.path.as_str())] { summary { (line(step)) } div.unfolded { (inside) } },
                    None => div.step { (line(step)) },
                }
                @if let Some(failure) = own_failure(step) {
                    (self.room.takes(html! { p.why { (foreign(line_of(&failure, 400))) } }).unwrap_or_default())
                }
                @for group in &step.below { (self.group(step, group)) }
                (self.more(step.more.as_ref(), "Rounds"))
            }
        }
    }

    fn group(&self, step: &Step, group: &Group) -> Markup {
        let steps = html! {
            ol.ran { @for step in &group.steps { (self.step(step)) } }
            (self.more(group.more.as_ref(), "Steps"))
        };
        let troubled = group.steps.iter().any(is_troubled);
        html! {
            @match &group.kind {
                Kind::Block(label) => div.within { @if !label.is_empty() { p.label { (foreign(label)) } } (steps) },
                Kind::Round(round) => details.within id={ "round-" (group.path) } open[troubled || step.below.len() == 1] {
                    summary { "Round " (round + 1) @if troubled { " " (badge("bad", "✗", "Failed")) } }
                    (steps)
                },
                Kind::Called(inner) => details.within id={ "called-" (group.path) } open[troubled || inner.listed.ended.is_none()] {
                    summary { "Steps of " (foreign(title(self.facts, &inner.listed.flow))) }
                    (self.picture(inner, group))
                    (steps)
                },
            }
        }
    }

    /// The picture of a called run, where the page has room for it.
    fn picture(&self, inner: &Inner, group: &Group) -> Markup {
        let prefix = format!("{}-", group.path);
        let drawn = if self.room.any() { drawing::drawn(inner, &group.steps, &prefix) } else { None };
        let taken = drawn.and_then(|svg| {
            let label = format!("Picture of what {} called", group.path);
            self.room.takes(page::drawing(&format!("drawing-{}", group.path), &label, svg))
        });
        html! {
            @match taken {
                Some(drawing) => details id={ "picture-" (group.path) } { summary { "Its picture" } (drawing) },
                None => p.hint { a href=(self.address(Some(&group.path), 0)) { "Show it alone" } },
            }
        }
    }

    /// What a step's line unfolds to; none where there is nothing more to say.
    fn inside(&self, step: &Step) -> Option<Markup> {
        let record = step.record.as_deref()?;
        let secret = step.secret.unwrap_or_default();
        let alone = self.address(Some(&step.path), 0);
        let ran = record.attempts > 0 || !record.output.is_null() || !record.input.is_null();
        if !ran && record.failure.is_none() {
            return None;
        }
        let long =
            record.failure.as_ref().filter(|failure| failure.step.as_deref().is_none_or(|at| step.path.ends_with(at)));
        Some(html! {
            p.hint {
                code { (foreign(&step.path)) } " · " (foreign(&*record.kind))
                @if self.open != Some(step.path.as_str()) { " · " a href=(alone) { "Show this step alone" } }
            }
            @if let Some(failure) = long { (self.room.takes(self::failure(failure)).unwrap_or_else(|| self.room.refused(&alone))) }
            @if let Some(details) = long.map(|failure| &failure.details).filter(|details| !details.is_null()) {
                (self.room.value("What the other system said", details, &alone))
            }
            @if let Some(written) = &step.written { (self.written(step, written, &alone)) }
            (self.room.takes(requests(record)).unwrap_or_else(|| self.room.refused(&alone)))
            @if secret.input { p.hint { "The flow keeps the input secret, so it is not kept." } }
            @else if !record.input.is_null() { (self.room.value("Input", &record.input, &alone)) }
            @if secret.output { p.hint { "The flow keeps the output secret, so it is not kept." } }
            @else if !record.output.is_null() { (self.room.value("Output", &record.output, &alone)) }
        })
    }

    fn written(&self, step: &Step, written: &Written, alone: &str) -> Markup {
        let heading = match (written.done, written.was_so) {
            (true, true) => "Was so already: nothing was sent",
            (true, false) => "Written",
            (false, _) => "Was to be written",
        };
        let known = written.read_by.is_some();
        let table = html! {
            p.label {
                (heading)
                @for (name, value) in &written.names { " · " (name) " " (brief(value)) }
            }
            @if !written.fields.is_empty() {
                div.table tabindex="0" role="region" aria-label={ "What " (step.path) " wrote" } {
                    table aria-label="What was written, field by field" {
                        (heads(["Field"].into_iter().chain(known.then_some("Before")).chain(["Written"])))
                        tbody { @for field in &written.fields { (row(field, known)) } }
                    }
                }
            }
            @if written.more > 0 { p.hint { (written.more) " more fields are in the input." } }
            @if let Some(step) = &written.read_by {
                p.hint { "What was there before is what " a href=(self.address(Some(step), 0)) { code { (foreign(step)) } } " had read." }
            }
        };
        self.room.takes(table).unwrap_or_else(|| self.room.refused(alone))
    }
}

fn row(field: &Field, known: bool) -> Markup {
    let same = field.old.as_ref().is_some_and(|old| cosell_sdk::values::same(&field.new, old));
    html! {
        tr class=[(field.old.is_some() && !same).then_some("differs")] {
            th scope="row" { code { (foreign(&field.path)) } }
            @if known {
                td {
                    @match &field.old {
                        Some(_) if same => span.hint { "the same" },
                        Some(old) => del { (brief(old)) },
                        None => span.nothing { "not known" },
                    }
                }
            }
            td { (brief(&field.new)) }
        }
    }
}

fn line(step: &Step) -> Markup {
    let record = step.record.as_deref();
    html! {
        span.state {
            @match step.state {
                State::Ended(ended) => (outcome(Some(ended.as_str()))),
                State::UnderWay => (outcome(None)),
                State::Waits => (badge("calm", "○", "Waits")),
            }
        }
        " "
        span.name {
            span.title { (foreign(&step.title)) }
            " " span.what { @if step.title != step.id { code { (foreign(&step.id)) } " " } (foreign(&step.what)) }
            @for note in record.map(notes).unwrap_or_default() { " " span.note { (foreign(note)) } }
        }
        " "
        span.took { @if let Some(record) = record.filter(|record| !record.took.is_zero()) { (took(record.took)) } }
    }
}

/// What else is to be said of a step in its line.
fn notes(record: &StepRecord) -> Vec<String> {
    let mut notes: Vec<String> = record.skipped.iter().map(ToString::to_string).collect();
    if record.attempts > 1 {
        notes.push(format!("tried {} times", record.attempts));
    }
    if record.attempts == 0 && record.outcome == Outcome::Succeeded && record.target.is_some() {
        notes.push("known from before".to_owned());
    }
    match record.requests.len() {
        0 => {}
        1 => notes.push("1 request".to_owned()),
        requests => notes.push(format!("{requests} requests")),
    }
    notes
}

fn failure(failure: &Failure) -> Markup {
    html! {
        p.label { "Failure" }
        p { (foreign(line_of(&failure.message, 4_000))) " (" code { (foreign(line_of(&failure.code, 200))) } ")" }
    }
}

fn requests(record: &StepRecord) -> Markup {
    let more = record.requests.len().saturating_sub(REQUESTS);
    html! {
        @if !record.requests.is_empty() {
            p.label { "Requests" }
            ul.plain.requests {
                @for request in record.requests.iter().take(REQUESTS) { li { (self::request(request)) } }
            }
            @if more > 0 { p.hint { (more) " more are in the download." } }
        }
    }
}

fn request(request: &RequestRecord) -> Markup {
    let (tone, mark, words) = match request.status {
        Some(status @ 200..400) => ("good", "✓", status.to_string()),
        Some(status) => ("bad", "✗", status.to_string()),
        None => ("bad", "✗", "no answer".to_owned()),
    };
    html! {
        (badge(tone, mark, words)) " " code { (request.method) " " (foreign(&request.url)) } " "
        span.hint { (spans::took(request.took)) }
    }
}

fn own_failure(step: &Step) -> Option<String> {
    let failure = step.record.as_deref()?.failure.as_ref()?;
    let own = failure.step.as_deref().is_none_or(|at| step.path == at || step.path.ends_with(&format!("/{at}")));
    own.then(|| failure.to_string())
}

fn is_troubled(step: &Step) -> bool {
    matches!(step.state, State::Ended(Outcome::Failed | Outcome::TimedOut))
}
