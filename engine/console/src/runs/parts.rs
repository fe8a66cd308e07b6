//! What several pages about runs show.

use cosell_journal::read::Listed;
use cosell_model::{Failure, FlowId};
use maud::{Markup, html};
use uuid::Uuid;

use crate::facts::Facts;
use crate::page::{self, address, foreign};

/// The page of a run, or of the step that called it.
pub(super) fn run_address(run: &str) -> String {
    match run.split_once('/') {
        Some((root, path)) => address(&["runs", root], &[("open", path)]),
        None => address(&["runs", run], &[]),
    }
}

/// A run's id, short enough for a line: its last letters, which differ most.
pub(super) fn short(run: &str) -> &str {
    let root = cosell_runtime::keep::root(run);
    root.char_indices().rev().nth(7).map_or(root, |(at, _)| &root[at..])
}

/// A flow's title, or its name where there is no such flow any more.
pub(super) fn title<'t>(facts: &'t Facts, id: &'t str) -> &'t str {
    facts.compilation.flows.get(&FlowId::new(id)).map_or(id, |flow| &flow.title)
}

/// A flow's title, with a link to its page where there still is one.
pub(super) fn flow(facts: &Facts, id: &str) -> Markup {
    html! {
        @match facts.compilation.flows.get(&FlowId::new(id)) {
            Some(flow) => a href=(address(&["flows", id], &[])) { (foreign(&flow.title)) },
            None => (foreign(id)),
        }
    }
}

/// A run's key; a deal's leads to the deal.
pub(super) fn key(key: &str) -> Markup {
    html! {
        @if Uuid::try_parse(key).is_ok() { a.mono href=(address(&["deals", key], &[])) { (foreign(key)) } }
        @else { code { (foreign(key)) } }
    }
}

/// How long a run took. One that was begun again lay still in between, and one under way is not over.
pub(super) fn took(run: &Listed) -> Option<String> {
    let ended = run.ended.filter(|_| run.life == 0)?;
    Some(page::took(ended.duration_since(run.began).unsigned_abs()))
}

/// How often a run was begun again.
pub(super) fn life(run: &Listed) -> Option<String> {
    match run.life {
        0 => None,
        1 => Some("begun again once".to_owned()),
        lives => Some(format!("begun again {lives} times")),
    }
}

/// Why a run failed, as it is kept.
pub(super) fn failure(run: &Listed) -> Option<Failure> {
    serde_json::from_value(run.failure.clone()?).ok()
}

/// One line of at most so many characters.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(most) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_called_run_is_shown_where_it_was_called() {
        assert_eq!(run_address("r1"), "/console/runs/r1");
        assert_eq!(run_address("r1/rows[2]/call"), "/console/runs/r1?open=rows%5B2%5D%2Fcall");
        assert_eq!((short("0197-12345678/x"), short("r1")), ("12345678", "r1"));
    }

    #[test]
    fn only_what_can_be_a_deal_leads_to_one() {
        let deal = key("0f3e9a52-7c1b-4d2e-9f00-5b8d2f6a1c77").into_string();
        assert!(deal.contains("href=\"/console/deals/0f3e9a52-"), "{deal}");
        let other = key("<b>order 12</b>").into_string();
        assert_eq!(other, "<code><bdi>&lt;b&gt;order 12&lt;/b&gt;</bdi></code>");
    }

    #[test]
    fn what_is_long_becomes_one_line() {
        assert_eq!(line("a\n  b é c", 5), "a b é…");
        assert_eq!(line("a b", 3), "a b");
    }
}
